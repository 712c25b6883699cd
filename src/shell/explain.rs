//! Why a program cannot be called, in more than the system's words: for a script whose
//! interpreter is missing it says that the script itself is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::limits::SCRIPT_FIRST_LINE_MAX;

/// The exit codes of an interpreter that finds nothing to run.
const NOT_FOUND: [i32; 2] = [126, 127];

const CARRIAGE_RETURN: &str = "the first line ends with \\r, save it with line ends of Unix";

/// Returns the cause of the system's `error` for the call of `program`, as far as it can be
/// found out; otherwise the system's words.
pub fn cause(program: &Path, error: &io::Error) -> String {
    let Ok(line) = first_line(program) else { return error.to_string() };
    match (error.raw_os_error(), interpreter(&line)) {
        (Some(libc::ENOENT), Some(name)) if line.ends_with(&format!("{name}\r")) => {
            format!("its interpreter {name}\\r is missing: {CARRIAGE_RETURN}")
        }
        (Some(libc::ENOENT), Some(name)) => format!("its interpreter {name} is missing"),
        (Some(libc::ENOENT), None) => String::from("the loader that it was built for is missing"),
        (Some(libc::ENOEXEC), None) => {
            String::from("it is no program of this machine, and does not begin with #! and an interpreter")
        }
        (Some(libc::EACCES), _) => String::from("it may not be executed: chmod +x"),
        _ => error.to_string(),
    }
}

/// Returns what else may be wrong with a `program` that did start and ended with this exit
/// code, if that says that its interpreter found no program to run.
pub fn hint(program: &Path, code: i32) -> Option<&'static str> {
    let line = first_line(program).ok().filter(|_| NOT_FOUND.contains(&code))?;
    (line.ends_with('\r') && interpreter(&line).is_some()).then_some(CARRIAGE_RETURN)
}

/// The first line without its line feed, as far as the kernel reads it.
fn first_line(program: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(program)?.take(SCRIPT_FIRST_LINE_MAX).read_to_end(&mut bytes)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

fn interpreter(line: &str) -> Option<&str> {
    line.strip_prefix("#!")?.split_ascii_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_the_first_line() {
        let file = std::env::temp_dir().join(format!("explain-{}", std::process::id()));
        for (text, code, told) in [
            ("#!/bin/sh\r\n", libc::ENOENT, "its interpreter /bin/sh\\r is missing: the first line ends with \\r"),
            ("#!\t/bin/sh\r\n", libc::ENOENT, "its interpreter /bin/sh\\r is missing"),
            ("#! /bin/sh -e\r\n", libc::ENOENT, "its interpreter /bin/sh is missing"),
            ("#!/nowhere\n", libc::ENOENT, "its interpreter /nowhere is missing"),
            ("\x7fELF", libc::ENOENT, "the loader that it was built for is missing"),
            ("", libc::ENOENT, "the loader that it was built for is missing"),
            ("\u{feff}#!/bin/sh\n", libc::ENOEXEC, "it is no program of this machine"),
            ("#!/bin/sh\n", libc::EACCES, "it may not be executed: chmod +x"),
            ("#!/bin/sh\n", libc::EAGAIN, "Resource temporarily unavailable"),
        ] {
            std::fs::write(&file, text).unwrap();
            let found = cause(&file, &io::Error::from_raw_os_error(code));
            assert!(found.starts_with(told), "{text:?}: {found}");
        }
        std::fs::write(&file, "#!/usr/bin/env sh\r\n").unwrap();
        assert_eq!(hint(&file, 127), Some(CARRIAGE_RETURN));
        assert_eq!(hint(&file, 1), None);
        for text in ["#!/bin/sh\n", "exit\r\n", ""] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(hint(&file, 127), None, "{text:?}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(cause(&file, &io::Error::from_raw_os_error(libc::ENOENT)).contains("No such file"));
        assert_eq!(hint(&file, 127), None);
    }
}
