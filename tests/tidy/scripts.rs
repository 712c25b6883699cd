//! Reads as much of Python and of the shell as the rules need.

use crate::rust::{word, Item};

/// Returns the functions of a Python source: each ends before the first line that is
/// indented no further.
pub fn python_functions(text: &str) -> Vec<Item<'_>> {
    let name = |line: &str| Some(line.len() - line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?.len());
    functions(text, name, |line| !line.is_empty() && !line.starts_with(')'), 0)
}

/// Returns the functions of more than one line of a shell script: each ends with its brace.
pub fn shell_functions(text: &str) -> Vec<Item<'_>> {
    let name = |line: &str| (line.contains("() {") && !line.ends_with('}')).then_some(0);
    functions(text, name, |line| line == "}", 1)
}

/// `name_at` says where the name stands in a line that begins a function. The function
/// has `end_lines` of the first line that is indented no further and that `is_end` takes.
fn functions(
    text: &str,
    name_at: fn(&str) -> Option<usize>,
    is_end: fn(&str) -> bool,
    end_lines: usize,
) -> Vec<Item<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let function = |at: usize| {
        let first = lines[at].trim_start();
        let name = word(&first[name_at(first)?..]);
        let is_over = |line: &&str| indent(line) <= indent(lines[at]) && is_end(line.trim());
        let end = lines[at + 1..].iter().position(is_over).map_or(lines.len(), |inner| at + 1 + inner + end_lines);
        let blank_lines = lines[..end].iter().rev().take_while(|line| line.is_empty()).count();
        Some(Item { name, line: at + 1, size: end - blank_lines - at })
    };
    (0..lines.len()).filter_map(function).collect()
}
