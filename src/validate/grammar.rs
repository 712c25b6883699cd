//! What is no JSON: where, and what was meant.

use super::sentence;
use crate::wire::Malformed;

/// The line and the character in it, from 1, of a byte.
pub(super) fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at.min(bytes.len())];
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    // Every byte that does not continue a character begins one.
    let column = before[start..].iter().filter(|b| **b & 0xc0 != 0x80).count() + 1;
    (line, column)
}

/// What is wrong, what to write instead, and where.
pub(super) fn explain(bytes: &[u8], malformed: &Malformed) -> (String, &'static str, usize) {
    let at = (malformed.offset as usize).min(bytes.len());
    let what = sentence(malformed);
    let rest = &bytes[at..];
    let last = bytes[..at].iter().rposition(|b| !b.is_ascii_whitespace());
    let comma = last.filter(|last| bytes[*last] == b',');
    if let (Some(comma), Some(b'}' | b']')) = (comma, rest.first()) {
        return ("a comma stands before the closing bracket".into(), "leave the comma out", comma);
    }
    let instead = match rest.first() {
        _ if what.contains("byte order mark") => "save it as UTF-8 without a byte order mark",
        _ if what.contains("not UTF-8") => "save it as UTF-8",
        _ if what.contains("is empty") => "write {\"domains\": [...]}",
        _ if what.contains("levels") => "nest it less deep",
        _ if what.contains("surrogate") => "write the character itself",
        _ if what.contains("control character") => "close the string with \", or write \\n for the end of a line",
        _ if what.contains("escape") => "write \\\\ for a backslash",
        _ if what.contains("number") => "write a number as 1, -1 or 1.5, or as a string: \"01\"",
        None => "close each string, [ and {",
        Some(b'/' | b'#') => "leave the comment out: JSON has none",
        Some(b'\'') => "write \" for each '",
        Some(b',') if comma.is_some() => "leave one comma out",
        Some(b'=') => "write : for =",
        Some(b'}' | b']') if what.contains("its end") => "leave the bracket out, or open it before",
        _ if what.contains("its end") => "keep one desired state in one file",
        _ if what.contains("a key") => "write keys in double quotes: \"domains\"",
        _ if what.contains("a colon") => "write a colon between the key and its value",
        Some(b'"' | b'{' | b'[' | b'0'..=b'9') if what.contains("a comma") => "write a comma before it",
        Some(b'}') if what.contains("a comma") => "write ] before it",
        Some(b']') if what.contains("a comma") => "write } before it",
        _ if starts_with_word(rest) => "write true, false and null in small letters",
        _ if what.contains("a value") => "write texts in double quotes",
        _ => "",
    };
    (what, instead, at)
}

fn starts_with_word(rest: &[u8]) -> bool {
    let is_word = |word: &&str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    ["true", "false", "null", "none"].iter().any(is_word)
}
