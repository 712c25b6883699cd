//! What the agent makes of what programs do.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::bench::Bench;
use crate::processes::{wait_until, Folder};
use crate::script::{is_gone, pid, script};

/// One component, in this version.
pub fn desired(version: &str) -> Value {
    json!({ "domains": [{ "id": "files", "components": [{ "id": "one", "version": version }] }] })
}

/// What a standalone apply prints, and how it ends.
fn apply(folder: &Folder, program: &Path, desired: &Value, flags: &[&str]) -> (Vec<String>, Output) {
    let config = json!({ "agents": { "files": { "exec": program } }, "stateDir": folder.file("state") });
    fs::write(folder.file("config.json"), config.to_string()).unwrap();
    fs::write(folder.file("desired.json"), desired.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
    command.args(["apply", "--standalone", "--activity", "act", "--config-file"]).arg(folder.file("config.json"));
    let output = command.args(flags).arg(folder.file("desired.json")).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect();
    (lines, output)
}

const NOTHING_TAKEN: &str = "the program knows none of download, update and activate";

#[test]
fn a_program_that_only_updates_is_enough() {
    let folder = Folder::new();
    let program = script(&folder, r#"[ "$1" = update ] || exit 64"#);
    let mut bench = Bench::start(&program, &[], &[]);
    bench.apply("a", desired("2"));
    let end = bench.end("a");
    assert_eq!((end.status.as_str(), end.message.as_str()), ("COMPLETED", ""), "{}", bench.report());
    let action =
        json!({ "component": { "id": "files:one", "version": "2" }, "status": "UPDATE_SUCCESS", "progress": 100 });
    assert_eq!(end.actions, [action]);
    assert_eq!(bench.state_after("a"), ["files:one 2"]);
    // What was installed is remembered over a restart: there is nothing to do.
    bench.agent.kill_and_start();
    bench.apply("b", desired("2"));
    let end = bench.end("b");
    assert_eq!((end.status.as_str(), end.actions.len()), ("COMPLETED", 0));
    bench.apply("c", json!({ "domains": [{ "id": "files", "components": [] }] }));
    assert_eq!(bench.end("c").status, "COMPLETED");
    assert_eq!(bench.state_after("c"), Vec::<String>::new());
}

#[test]
fn a_program_that_takes_no_command_has_installed_nothing() {
    let folder = Folder::new();
    let program = script(&folder, "echo 'usage: install [-f] FILE' >&2; exit 64");
    let (lines, output) = apply(&folder, &program, &desired("1"), &[]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(lines.last().unwrap(), &format!("act INCOMPLETE: [files] {NOTHING_TAKEN}"));
    assert_eq!(fs::read_to_string(folder.file("state/agent-files/installed")).unwrap_or_default(), "");
}

#[test]
fn a_program_gets_the_command_the_plan_and_the_desired_state() {
    let folder = Folder::new();
    let keep = r#"
        printf '%s %s %s %s\n' "$#" "$1" "$2" "$UM_DOMAIN" >>"$HERE/calls"
        case $1 in
          inventory) printf 'component gone 7\ncomponent same 1\n' ;;
          identify) cp "$UM_PLAN" "$HERE/plan.seen"; cat >"$HERE/desired.seen" ;;
        esac"#;
    let program = script(&folder, keep);
    let one = json!({ "id": "one", "version": "2", "config": [{ "key": "url", "value": "a\nb\\c" }], "more": 1 });
    let same = json!({ "id": "same", "version": "1" });
    let domain = json!({ "id": "files", "config": [{ "key": "k", "value": "v" }], "components": [one, same] });
    let (lines, output) = apply(&folder, &program, &json!({ "domains": [domain] }), &[]);
    assert_eq!(
        (output.status.code(), lines.last().map(String::as_str)),
        (Some(0), Some("act COMPLETED")),
        "{output:?}"
    );
    let plan = "install\tone\t2\nconfig\tone\turl\ta\\nb\\\\c\nkeep\tsame\t1\nremove\tgone\t7\noption\tk\tv\n";
    assert_eq!(fs::read_to_string(folder.file("plan.seen")).unwrap(), plan);
    let seen: Value = serde_json::from_slice(&fs::read(folder.file("desired.seen")).unwrap()).unwrap();
    assert_eq!(seen, json!({ "domains": [domain] }));
    let calls = fs::read_to_string(folder.file("calls")).unwrap();
    let expected: String = ["inventory", "identify", "download", "update", "activate", "cleanup"]
        .map(|command| format!("2 {command} act files\n"))
        .concat();
    assert_eq!(calls, expected);
}

#[test]
fn the_words_of_a_failure_reach_the_backend_and_what_was_begun_is_rolled_back() {
    for (body, told) in [
        ("echo no space left >&2; exit 1", "[files] no space left"),
        ("echo failed one no space left; exit 1", "[files] one: no space left"),
        ("exit 7", "[files] ended with exit code 7"),
        ("kill -9 $$", "[files] ended by signal 9"),
    ] {
        let folder = Folder::new();
        let body = format!("echo $1 >>\"$HERE/calls\"; case $1 in inventory) exit 64 ;; update) {body} ;; esac");
        let (lines, output) = apply(&folder, &script(&folder, &body), &desired("2"), &[]);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert_eq!(lines.last().unwrap(), &format!("act INCOMPLETE: {told}"));
        assert!(lines.iter().any(|line| line.starts_with("files:one 2 UPDATE_FAILURE")), "{lines:?}");
        let calls = fs::read_to_string(folder.file("calls")).unwrap();
        assert_eq!(calls, "inventory\nidentify\ndownload\nupdate\nrollback\ncleanup\n");
    }
}

#[test]
fn a_program_that_is_not_there_fails_the_identification() {
    let folder = Folder::new();
    let (lines, output) = apply(&folder, Path::new("/nowhere/at/all"), &desired("2"), &[]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let told =
        "act IDENTIFICATION_FAILED: [files] /nowhere/at/all cannot be called: No such file or directory (os error 2)";
    assert_eq!(lines, ["act IDENTIFYING", told]);
}

#[test]
fn what_a_program_leaves_running_ends_with_it() {
    let folder = Folder::new();
    let program = script(&folder, r#"if [ "$1" = update ]; then sleep 600 & echo $! >"$HERE/pid"; fi"#);
    let start = Instant::now();
    let (_, output) = apply(&folder, &program, &desired("2"), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(300));
    let left = pid(&folder.file("pid"));
    wait_until("it is gone", Duration::from_secs(10), || is_gone(left));
}

#[test]
fn a_program_past_its_limit_is_ended_with_all_that_it_started() {
    let folder = Folder::new();
    let body = r#"[ "$1" = update ] || exit 64
        trap '' TERM
        sleep 600 & echo $! >"$HERE/pid"
        echo message waiting
        wait"#;
    let mut bench = Bench::start(&script(&folder, body), &[], &["--timeout", "update=300ms", "--timeout", "30s"]);
    bench.apply("a", desired("2"));
    let end = bench.end("a");
    assert_eq!(end.status, "INCOMPLETE");
    // It has no rollback either, and that is told.
    assert_eq!(end.message, "[files] not done in 300ms: waiting", "{}", bench.report());
    let left = pid(&folder.file("pid"));
    wait_until("it is gone", Duration::from_secs(10), || is_gone(left));
}

#[test]
fn progress_reaches_the_backend_while_the_program_works() {
    let folder = Folder::new();
    let body = r#"case $1 in
          inventory) exit 64 ;;
          download) echo progress one 40 layer 2 of 5; while [ ! -e "$HERE/go" ]; do sleep 0.02; done ;;
        esac"#;
    let mut bench = Bench::start(&script(&folder, body), &[], &[]);
    bench.apply("a", desired("2"));
    let action = json!({
        "component": { "id": "files:one", "version": "2" },
        "status": "DOWNLOADING", "progress": 40, "message": "layer 2 of 5",
    });
    bench.until("progress", |_, json| json["payload"]["actions"] == json!([action]));
    fs::write(folder.file("go"), "").unwrap();
    assert_eq!(bench.end("a").status, "COMPLETED");
}

#[test]
fn a_program_that_floods_is_heard_out_and_its_log_is_bounded() {
    let folder = Folder::new();
    let body = r#"case $1 in
          inventory) exit 64 ;;
          update) yes | head -c 5000000; head -c 3000000 /dev/zero | tr '\0' x; yes >&2 | head -c 100000 >&2 ;;
        esac"#;
    let body = body.replace("yes >&2 |", "yes |");
    let mut bench = Bench::start(&script(&folder, &body), &[], &[]);
    bench.apply("a", desired("2"));
    assert_eq!(bench.end("a").status, "COMPLETED", "{}", bench.report());
    let log = bench.agent.logged();
    assert!(
        log.contains("more than 1048576 bytes of output: only its last line counts from here on"),
        "{}",
        bench.report()
    );
    assert!(log.len() < 200_000, "{}", log.len());
}

#[test]
fn a_second_agent_of_a_domain_is_refused() {
    let folder = Folder::new();
    let program = script(&folder, "exit 64");
    let bench = Bench::start(&program, &[], &[]);
    let config = bench.manager.folder.file("config.json");
    let mut second = Command::new(env!("CARGO_BIN_EXE_update-manager"));
    second.args(["agent", "--domain", "files", "--exec"]).arg(&program).arg("--config-file").arg(config);
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("[files] another agent serves the domain"), "{output:?}");
}

#[test]
fn an_agent_that_is_told_to_end_ends_its_program_and_takes_it_up_again() {
    let folder = Folder::new();
    let body = r#"case $1 in
          inventory) exit 64 ;;
          update) [ ! -e "$HERE/pid" ] || exit 0; echo $$ >"$HERE/pid.part"; mv "$HERE/pid.part" "$HERE/pid"; sleep 600 ;;
        esac"#;
    let mut bench = Bench::start(&script(&folder, body), &[], &[]);
    bench.apply("a", desired("2"));
    let working = pid(&folder.file("pid"));
    let (code, time) = bench.agent.terminate_and_start();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert!(is_gone(working));
    assert_eq!(bench.end("a").status, "COMPLETED", "{}", bench.report());
}

#[test]
fn wrong_arguments_end_with_2_and_a_configuration_without_a_program_with_1() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_update-manager")).args(arguments).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["agent", "--domain", "files"]);
    assert_eq!(
        (code, text.as_str()),
        (Some(2), "update-manager: the flag --exec is missing, and the configuration names none\n")
    );
    let (code, text) = run(&["agent", "--domain", "files", "--exec", "x", "--timeout", "fly=3s"]);
    assert_eq!(
        (code, text.as_str()),
        (Some(2), "update-manager: the flag --timeout takes 10m or download=10m, not fly=3s\n")
    );
    let (code, text) = run(&["agent", "--domain", "files", "--exec", "x", "--timeout", "dowload=3s"]);
    assert!(code == Some(2) && text.ends_with(", not dowload=3s; did you mean `download`?\n"), "{text}");
    let folder = Folder::new();
    fs::write(folder.file("d.json"), desired("1").to_string()).unwrap();
    let file = folder.file("d.json").display().to_string();
    let (code, text) = run(&["apply", "--standalone", &file]);
    assert_eq!(
        (code, text.as_str()),
        (Some(1), "update-manager: the configuration names no executable: agents.<domain>.exec\n")
    );
    let (code, text) = run(&["apply", "--standalone", "--force", &file]);
    assert_eq!(
        (code, text.as_str()),
        (Some(2), "update-manager: --force overrides a manager that refuses, and --standalone does without one\n")
    );
}

#[test]
fn a_desired_state_that_the_manager_would_refuse_is_not_applied() {
    let folder = Folder::new();
    let program = script(&folder, r#"echo "$1" >>"$HERE/calls""#);
    let (lines, output) = apply(&folder, &program, &json!({ "domains": [{ "id": "files", "components": [{}] }] }), &[]);
    assert_eq!((output.status.code(), lines.len()), (Some(1), 0));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("error: domains[0].components[0] has no id\n"), "{text}");
    assert!(!folder.file("calls").exists());
}

#[test]
fn with_json_each_line_is_what_a_backend_would_hear() {
    let folder = Folder::new();
    let program = script(&folder, r#"[ "$1" = update ] || exit 64"#);
    let (lines, output) = apply(&folder, &program, &desired("2"), &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let statuses: Vec<String> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|json| assert_eq!(json["activityId"], "act"))
        .map(|json| json["payload"]["status"].as_str().unwrap().to_owned())
        .filter(|status| status != "RUNNING")
        .collect();
    assert_eq!(statuses, ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
}
