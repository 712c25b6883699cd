//! What the standalone apply takes, refuses and names.

use std::fs;
use std::process::{Command, Output};

use serde_json::{json, Value};

use crate::processes::Folder;
use crate::programs::{desired, script};

/// Calls `apply --standalone` with `document`, for a domain that `exec` serves.
fn standalone(folder: &Folder, exec: &str, document: &Value, flags: &[&str]) -> Output {
    let config = json!({ "agents": { "files": { "exec": exec } }, "stateDir": folder.file("state") });
    fs::write(folder.file("config.json"), config.to_string()).unwrap();
    fs::write(folder.file("desired.json"), document.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
    command.args(["apply", "--standalone", "--config-file"]).arg(folder.file("config.json"));
    command.args(flags).arg(folder.file("desired.json")).output().unwrap()
}

fn last_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_whole_message_is_taken_as_well_as_its_payload_alone() {
    let folder = Folder::new();
    let program = script(&folder, "exit 0").display().to_string();
    let whole = |payload| json!({ "activityId": "whole", "timestamp": 1_700_000_000_000_u64, "payload": payload });
    for (document, flags, told) in [
        (whole(desired("2")), &[][..], "whole COMPLETED"),
        (whole(desired("3")), &["--activity", "given"], "given COMPLETED"),
        (desired("4"), &["--activity", "bare"], "bare COMPLETED"),
    ] {
        let output = standalone(&folder, &program, &document, flags);
        assert_eq!((output.status.code(), last_line(&output.stdout).as_str()), (Some(0), told), "{output:?}");
    }
    let output = standalone(&folder, &program, &whole(Value::Null), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
