//! The documents show what is so.

use std::path::Path;
use std::process::Command;

use crate::processes::Folder;

const PAGE: &str = include_str!("../../docs/exec-agent.md");

/// The console session in the page: what is typed, and what is shown.
fn sessions() -> Vec<(String, Vec<String>)> {
    let (_, rest) = PAGE.split_once("```console\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let mut sessions: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("> ")) {
            (Some(typed), _) => sessions.push((typed.trim_end_matches('\\').to_owned(), Vec::new())),
            (None, Some(more)) => sessions.last_mut().unwrap().0.push_str(more.trim_end_matches('\\')),
            (None, None) => sessions.last_mut().unwrap().1.push(line.to_owned()),
        }
    }
    sessions
}

/// Progress depends on how fast the machine is.
fn is_steady(line: &&String) -> bool {
    !["DOWNLOADING", "UPDATING", "ACTIVATING"].iter().any(|status| line.contains(status))
}

#[test]
fn the_session_in_the_page_is_what_is_shown() {
    let folder = Folder::new();
    let binary = Path::new(env!("CARGO_BIN_EXE_update-manager")).parent().unwrap();
    let sessions = sessions();
    assert!(sessions.len() >= 5);
    for (typed, shown) in sessions {
        let typed = typed.replace("/tmp/hello", &folder.file("hello").display().to_string());
        let output = Command::new("sh")
            .arg("-c")
            .arg(&typed)
            .env("PATH", format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default()))
            .env("EXEC_ROOT", folder.file("hello"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let told: Vec<String> =
            told.lines().map(|line| line.replace(&folder.file("hello").display().to_string(), "/tmp/hello")).collect();
        let told: Vec<&String> = told.iter().filter(is_steady).collect();
        let shown: Vec<&String> = shown.iter().filter(is_steady).collect();
        assert_eq!(told, shown, "{typed}");
    }
}

#[test]
fn every_file_of_the_example_is_well_formed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/exec");
    for shell in ["dash", "busybox sh", "bash --posix"] {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        match command.args(words).arg("-n").arg(folder.join("install")).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{shell}"),
        }
    }
}
