//! Scripts as programs that are run, and what they leave running.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::processes::{wait_until, Folder};

/// A script in `folder`; `$HERE` in it is the folder.
pub fn script(folder: &Folder, body: &str) -> PathBuf {
    let path = folder.file("program");
    let text = format!("#!/bin/sh\nHERE={}\n{body}\n", folder.file("").display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The pid that a program has written, once it is there.
pub fn pid(path: &Path) -> i32 {
    wait_until("the program writes its pid", Duration::from_secs(20), || {
        fs::metadata(path).is_ok_and(|file| file.len() > 1)
    });
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// Whether the process has ended.
pub fn is_gone(pid: i32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'),
        Err(_) => true,
    }
}
