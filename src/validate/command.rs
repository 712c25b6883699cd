//! The subcommand.

use std::fs::File;
use std::io::{self, Read, Write};

use super::{check, write_json, write_text, Described};
use crate::config::commands::Validate;
use crate::config::Loaded;
use crate::exit;
use crate::limits::DESIRED_FILE_MAX;

/// Checks the desired state in a file and prints what is to be mended; the exit code.
pub fn run(options: &Validate, loaded: &Loaded) -> u8 {
    let name = if options.file == "-" { "standard input" } else { options.file.as_str() };
    let bytes = match read(&options.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let _ = writeln!(io::stderr(), "update-manager: {name}: {error}");
            return exit::FAILED;
        }
    };
    let domains: Vec<&str> = loaded.config.agents.iter().map(|agent| agent.domain.as_str()).collect();
    let mut described = Vec::new();
    for agent in &loaded.config.agents {
        match Described::of(agent) {
            Ok(one) => described.extend(one),
            Err(error) => {
                let _ = writeln!(io::stderr(), "update-manager: {error}");
            }
        }
    }
    let report = check(&bytes, &domains, &described, loaded.config.groups.rollback);
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = match options.json {
        true => write_json(&mut text, name, &report),
        false => write_text(&mut text, name, &report),
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) if report.is_clean() => exit::DONE,
        _ => exit::FAILED,
    }
}

/// The desired state in a file, or with `-` on standard input.
///
/// # Errors
/// The system's, or it has more than `DESIRED_FILE_MAX` bytes.
pub(crate) fn read(file: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let max = DESIRED_FILE_MAX as u64 + 1;
    match file {
        "-" => io::stdin().lock().take(max).read_to_end(&mut bytes)?,
        path => File::open(path)?.take(max).read_to_end(&mut bytes)?,
    };
    match bytes.len() > DESIRED_FILE_MAX {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {DESIRED_FILE_MAX} bytes"))),
        false => Ok(bytes),
    }
}
