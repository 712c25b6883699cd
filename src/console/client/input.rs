//! A desired state from a file or standard input.

use crate::config::values::shown;
use crate::validate::command;
use crate::wire::scan;

/// Reads the JSON document in `file`, `-` for standard input, as one line.
pub(super) fn read(file: &str) -> Result<String, String> {
    let name = if file == "-" { "standard input" } else { file };
    let bytes = command::read(file).map_err(|error| format!("{}: {error}", shown(name)))?;
    let text = scan::check(&bytes).map_err(|malformed| {
        let before = bytes.get(..malformed.offset as usize).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        format!("{}:{line}:{column}: {}", shown(name), malformed.what)
    })?;
    // Line ends stand between tokens only.
    Ok(text.replace(['\n', '\r'], " "))
}
