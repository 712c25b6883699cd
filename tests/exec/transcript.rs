//! The documents show what is so.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::files::{agent, desired, in_use, leftovers};
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

/// Applies version 1, then 2, with agents/files run by this shell and these commands.
fn assert_works_with(shell: &[&str], path: &Path) {
    let folder = Folder::new();
    let program = folder.file("program");
    std::fs::write(&program, format!("#!/bin/sh\nexec {} {} \"$@\"\n", shell.join(" "), agent().display())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = serde_json::json!({ "agents": { "files": { "exec": program } }, "stateDir": folder.file("state") });
    std::fs::write(folder.file("config.json"), config.to_string()).unwrap();
    for version in [1, 2] {
        std::fs::write(folder.file("desired.json"), desired(&folder.file(""), version).to_string()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_update-manager"))
            .args(["apply", "--standalone", "--config-file"])
            .args([folder.file("config.json"), folder.file("desired.json")])
            .env("EXEC_ROOT", folder.file("root"))
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{shell:?}: {output:?}");
        assert_eq!(in_use(&folder.file("root")), Ok(version), "{shell:?}");
    }
    assert_eq!(leftovers(&folder.file("root")), Vec::<String>::new());
}

#[test]
fn it_works_with_dash_and_with_nothing_but_busybox() {
    let path = std::env::var("PATH").unwrap_or_default();
    let find = |name: &str| path.split(':').map(|bin| Path::new(bin).join(name)).find(|path| path.exists());
    let of_debian = find("dash").expect("dash is missing: tests/run exec installs it");
    assert_works_with(&[of_debian.to_str().unwrap()], Path::new(&path));
    let busybox = find("busybox").expect("busybox is missing: tests/run exec installs it");
    let folder = Folder::new();
    for name in ["basename", "cp", "curl", "gzip", "ln", "mkdir", "mv", "readlink", "rm", "sha256sum", "sync", "tar"] {
        std::os::unix::fs::symlink(&busybox, folder.file(name)).unwrap();
    }
    assert_works_with(&[busybox.to_str().unwrap(), "sh"], &folder.file(""));
}
