//! Where JSON is spelled.

use std::collections::BTreeSet;

use crate::rust::{line_of, string};
use crate::shipped::shipped;
use crate::Source;

/// Where JSON may be spelled: in `wire`, and by the peers that `world` plays.
const FOLDERS: [&str; 2] = ["src/wire/", "src/world/"];

/// Returns each string of code elsewhere that has a part of JSON in it, tests left out.
/// `hints` are files whose strings show people how to write JSON; those that have no such
/// are among it.
pub fn spelled_elsewhere(sources: &[Source], hints: &[&str]) -> Vec<String> {
    let (mut flaws, mut needed) = (Vec::new(), BTreeSet::new());
    for (source, code) in shipped(sources) {
        let path = source.path.as_str();
        if FOLDERS.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let text: Vec<char> = source.text.chars().collect();
        let strings = code.match_indices('"').map(|(at, _)| (at, string(&text[at..])));
        for (at, string) in strings.filter(|(_, string)| is_json(string)) {
            if hints.contains(&path) {
                needed.insert(path);
            } else {
                flaws.push(format!("{path}:{}: JSON is spelled outside of src/wire: {string}", line_of(&code, at)));
            }
        }
    }
    let needless = hints.iter().filter(|path| !needed.contains(*path));
    flaws.extend(needless.map(|path| format!("{path}: needs no exception for JSON")));
    flaws
}

/// Returns whether an object begins in it, or a key ends.
fn is_json(string: &str) -> bool {
    string.contains("{\"") || string.contains("\":")
}
