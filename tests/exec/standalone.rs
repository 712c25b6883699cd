//! What the standalone apply takes, refuses and names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::{json, Value};

use crate::processes::Folder;
use crate::programs::desired;
use crate::script::script;

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

#[test]
fn what_the_program_prints_is_logged_at_info_but_not_what_it_reports() {
    let folder = Folder::new();
    let body = "echo \"note of $1\"; echo \"oops in $1\" >&2; echo 'progress one 50'; echo 'message quiet'";
    let program = script(&folder, body).display().to_string();
    for (flags, is_logged) in [(&[][..], true), (&["--log-level=INFO"], true), (&["--log-level=WARN"], false)] {
        let output = standalone(&folder, &program, &desired("2"), flags);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        for line in ["note of inventory", "oops in inventory", "note of update", "oops in cleanup"] {
            assert_eq!(log.contains(&format!("INFO  [files] {line}\n")), is_logged, "{flags:?} {line}: {log}");
        }
        assert!(!log.contains("progress") && !log.contains("quiet"), "{log}");
        let _ = fs::remove_dir_all(folder.file("state"));
    }
}

#[test]
fn an_activity_that_no_message_could_name_is_refused_at_once() {
    let folder = Folder::new();
    let program = script(&folder, r#"echo "$1" >>"$HERE/calls""#).display().to_string();
    let told = |given: &str| {
        let flags = ["--phase-timeout=3s", "--activity", given];
        let output = standalone(&folder, &program, &desired("2"), &flags);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned())
    };
    // In JSON a quotation mark takes two bytes.
    for (given, bytes) in
        [("x".repeat(257), 257), ("\"".repeat(129), 258), (String::new(), 0), ("x".repeat(100_000), 100_000)]
    {
        let text = format!("update-manager: the flag --activity takes 1 to 256 bytes, escaped as in JSON, not {bytes}");
        assert_eq!(told(&given), (Some(2), text));
    }
    assert!(!folder.file("calls").exists());
    for given in ["x".repeat(256), "\"".repeat(128)] {
        assert_eq!(told(&given).0, Some(0));
    }
}

#[test]
fn a_program_that_cannot_be_started_is_told_with_the_cause() {
    for (text, mode, told) in [
        (
            "#!/bin/sh\r\n[ \"$1\" = update ] || exit 64\r\n",
            0o755,
            "its interpreter /bin/sh\\r is missing: the first line ends with \\r, save it with line ends of Unix",
        ),
        ("#!/usr/bin/env sh\r\nexit 64\r\n", 0o755, "the first line ends with \\r, save it with line ends of Unix"),
        ("#! /nowhere/python -u\nexit 0\n", 0o755, "its interpreter /nowhere/python is missing"),
        ("#!/bin/sh\nexit 0\n", 0o644, "it may not be executed: chmod +x"),
    ] {
        let folder = Folder::new();
        let program = folder.file("program");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let output = standalone(&folder, &program.display().to_string(), &desired("2"), &[]);
        let last = last_line(&output.stdout);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(last.contains("IDENTIFICATION_FAILED: [files] ") && last.ends_with(told), "{text:?}: {last}");
    }
    let folder = Folder::new();
    let nowhere = folder.file("nowhere").display().to_string();
    let last = last_line(&standalone(&folder, &nowhere, &desired("2"), &[]).stdout);
    assert!(last.ends_with(&format!("{nowhere} cannot be called: No such file or directory (os error 2)")), "{last}");
}

#[test]
fn a_relative_path_counts_from_the_configuration_file() {
    let folder = Folder::new();
    script(&folder, "exit 0");
    fs::create_dir(folder.file("bin")).unwrap();
    fs::copy(folder.file("program"), folder.file("bin/other")).unwrap();
    for (exec, told) in
        [("./program", Some(0)), ("program", Some(0)), ("bin/other", Some(0)), ("nowhere/program", Some(4))]
    {
        for cwd in ["/", &folder.file("bin").display().to_string(), &folder.file("").display().to_string()] {
            let config = json!({ "agents": { "files": { "exec": exec } }, "stateDir": "" });
            fs::write(folder.file("config.json"), config.to_string()).unwrap();
            fs::write(folder.file("desired.json"), desired("2").to_string()).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
            command.args(["apply", "--standalone", "--config-file"]).arg(folder.file("config.json"));
            let output = command.arg(folder.file("desired.json")).current_dir(cwd).output().unwrap();
            assert_eq!(output.status.code(), told, "{exec} in {cwd}: {output:?}");
        }
    }
    // A configuration file that is named without its folder, and a program of the system.
    for exec in ["program", "./program"] {
        let config = json!({ "agents": { "files": { "exec": exec }, "true": { "exec": "true" } }, "stateDir": "" });
        fs::write(folder.file("config.json"), config.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
        command.args(["--check-config", "--config-file", "config.json"]).current_dir(folder.file(""));
        let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(shown.contains("agents.files.exec = ./program (file line 1)\n"), "{shown}");
        assert!(shown.contains("agents.true.exec = true (file line 1)\n"), "{shown}");
    }
}

#[test]
fn a_version_with_blanks_that_is_installed_is_not_installed_again() {
    let folder = Folder::new();
    let body = r#"echo "$1" >>"$HERE/calls"; [ "$1" != inventory ] || echo 'component one 1.0 beta  2 '"#;
    let program = script(&folder, body).display().to_string();
    let output = standalone(&folder, &program, &desired("1.0 beta  2"), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(folder.file("calls")).unwrap(), "inventory\n");
}

#[test]
fn what_is_rolled_back_together_is_undone_in_descending_order() {
    let component = json!([{ "id": "one", "version": "2" }]);
    let domains = ["a", "b", "c"].map(|id| json!({ "id": id, "components": component }));
    let baseline = json!([{ "title": "both", "components": ["a:one", "b:one"] }]);
    let document = json!({ "domains": domains, "baselines": baseline });
    // The last one of the order fails; each call is noted.
    let body = r#"case $1 in activate|rollback) echo "$1 $UM_DOMAIN" >>"$HERE/calls";; esac; [ "$1$UM_DOMAIN" != activateb ] || { echo "no space left" >&2; exit 1; }"#;
    let (device, baseline) = (Some("device"), Some("baseline"));
    for (configured, asked, rolled_back) in [
        ("device", None, &["rollback b", "rollback a", "rollback c"][..]),
        ("none", device, &["rollback b", "rollback a", "rollback c"]),
        ("baseline", None, &["rollback b", "rollback a"]),
        ("device", baseline, &["rollback b", "rollback a"]),
        // The agent of a domain that has failed undoes its work itself.
        ("device", Some("none"), &["rollback b"]),
    ] {
        let folder = Folder::new();
        let exec = script(&folder, body);
        let agent = |order: u8| json!({ "exec": exec, "order": order });
        let agents = json!({ "a": agent(50), "b": agent(90), "c": agent(10) });
        let config = json!({ "agents": agents, "rollback": configured, "stateDir": folder.file("state") });
        fs::write(folder.file("config.json"), config.to_string()).unwrap();
        let mut document = document.clone();
        if let Some(rollback) = asked {
            document["rollback"] = json!(rollback);
        }
        fs::write(folder.file("desired.json"), document.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
        command.args(["apply", "--standalone", "--json", "--config-file"]).arg(folder.file("config.json"));
        let output = command.arg(folder.file("desired.json")).output().unwrap();
        let calls = fs::read_to_string(folder.file("calls")).unwrap();
        let of = |command: &str| calls.lines().filter(|call| call.starts_with(command)).collect::<Vec<_>>();
        assert_eq!((output.status.code(), of("rollback")), (Some(4), rolled_back.to_vec()), "{calls}{output:?}");
        let (last, printed) = (last_line(&output.stdout), String::from_utf8_lossy(&output.stdout).into_owned());
        let is_group = asked != Some("none");
        let words = if is_group { "[b] no space left; rolled back" } else { "[b] no space left" };
        assert!(last.contains(&format!(r#""status":"INCOMPLETE","message":"{words}","#)), "{last}");
        assert_eq!(printed.contains("rolling back: [b] no space left"), is_group, "{printed}");
    }
}
