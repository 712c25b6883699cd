//! A desired state from a file or standard input.

use std::fs::File;
use std::io::{self, Read};

use crate::config::values::shown;
use crate::limits::PAYLOAD_IN_MAX;
use crate::wire::scan;

/// Reads the JSON document in `file`, `-` for standard input, as one line.
pub(super) fn read(file: &str) -> Result<String, String> {
    let name = if file == "-" { "standard input" } else { file };
    let mut bytes = Vec::new();
    let opened: io::Result<Box<dyn Read>> = match file {
        "-" => Ok(Box::new(io::stdin())),
        path => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
    };
    let read = opened.and_then(|source| source.take(PAYLOAD_IN_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("{}: {error}", shown(name)))?;
    if bytes.len() > PAYLOAD_IN_MAX {
        return Err(format!("{} has more than {PAYLOAD_IN_MAX} bytes", shown(name)));
    }
    let text = scan::check(&bytes).map_err(|malformed| {
        let before = bytes.get(..malformed.offset as usize).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        format!("{}:{line}:{column}: {}", shown(name), malformed.what)
    })?;
    // Line ends stand between tokens only.
    Ok(text.replace(['\n', '\r'], " "))
}
