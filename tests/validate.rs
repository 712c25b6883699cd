//! The subcommand as it is called.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Stdio};

/// What it prints on both outputs, and its exit code, for a desired state on
/// standard input.
fn run(arguments: &[&str], document: &[u8]) -> (String, String, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_update-manager"))
        .env_clear()
        .arg("validate")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It reads no more than it takes.
    let _ = child.stdin.take().unwrap().write_all(document);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn a_good_desired_state_ends_with_0() {
    let document = br#"{"domains":[{"id":"containers","components":[{"id":"one","version":"1"}]}]}"#;
    let good = "standard input: good: 1 domain, 1 component, 0 baselines\n";
    assert_eq!(run(&["-"], document), (good.into(), String::new(), Some(0)));
    let groups = "\"rollback\":\"none\",\"groups\":[[\"containers\"]]";
    let json = format!("{{\"file\":\"standard input\",\"errors\":0,\"warnings\":0,\"findings\":[],{groups}}}\n");
    assert_eq!(run(&["--json", "-"], document), (json.clone(), String::new(), Some(0)));
    assert_eq!(run(&["-", "--json"], document), (json, String::new(), Some(0)));
}

#[test]
fn the_domains_are_those_of_the_configuration() {
    let document = br#"{"domains":[{"id":"maps","components":[{"id":"one","version":"1"}]}]}"#;
    assert_eq!(run(&["-", "--domains", "maps"], document).2, Some(0));
    let (out, _, code) = run(&["-", "--domains", "map"], document);
    assert_eq!(code, Some(1));
    assert!(out.contains("maps, for which there is no agent: it would be left out\n    write \"map\"\n"), "{out}");
}

#[test]
fn what_is_rolled_back_together_is_what_the_configuration_says_unless_the_desired_state_does() {
    let component = r#""components":[{"id":"one","version":"1"}]"#;
    let domains = format!(r#""domains":[{{"id":"maps",{component}}},{{"id":"os",{component}}}]"#);
    let arguments = ["-", "--domains=maps,os", "--rollback=device"];
    let (out, _, code) = run(&arguments, format!("{{{domains}}}").as_bytes());
    assert!(out.ends_with("\nstandard input: rollback device: 1 group\n    maps, os\n"), "{out}");
    assert_eq!(code, Some(0));
    let (out, ..) = run(&arguments, format!(r#"{{"rollback":"none",{domains}}}"#).as_bytes());
    assert!(out.ends_with("\nstandard input: rollback none: each domain by itself\n"), "{out}");
}

#[test]
fn the_keys_of_a_component_are_those_of_the_agent_beside_whose_executable_they_are_described() {
    let root = env!("CARGO_MANIFEST_DIR");
    let config = format!("--config-file={root}/examples/exec/config.json");
    let document = |key: &str| {
        let component = format!(r#"{{"id":"one","version":"1","config":[{{"key":"{key}","value":"x"}}]}}"#);
        format!(r#"{{"domains":[{{"id":"files","components":[{component}]}}]}}"#)
    };
    assert_eq!(run(&["-", &config], document("sha256").as_bytes()).2, Some(0));
    let (out, err, code) = run(&["-", &config], document("sha265").as_bytes());
    let told = "[0].key is sha265, which the agent of files does not know\n    write \"sha256\"\n";
    assert!(out.contains(told), "{out}");
    assert_eq!((err.as_str(), code), ("", Some(1)));
    // Without a description all keys are good.
    assert_eq!(run(&["-", "--domains=files"], document("sha265").as_bytes()).2, Some(0));
}

#[test]
fn anything_to_be_mended_ends_with_1() {
    let (out, err, code) = run(&["-"], b"{\n  \"domains\": [],\n}\n");
    let told = "standard input:2:16: error: a comma stands before the closing bracket\n    leave the comma out\n\
                standard input: 1 error, 0 warnings\n";
    assert_eq!((out.as_str(), err.as_str(), code), (told, "", Some(1)));
}

#[test]
fn what_cannot_be_read_ends_with_1_and_wrong_arguments_with_2() {
    let (out, err, code) = run(&["/nowhere/at/all"], b"");
    assert_eq!((out.as_str(), code), ("", Some(1)));
    assert_eq!(err, "update-manager: /nowhere/at/all: No such file or directory (os error 2)\n");
    let (_, err, code) = run(&["-"], &vec![b' '; 1_048_577]);
    assert_eq!((err.as_str(), code), ("update-manager: standard input: more than 1048576 bytes\n", Some(1)));
    assert_eq!(run(&[], b"").2, Some(2));
}
