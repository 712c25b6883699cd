//! What serde_json makes of a message.

use serde_json::Value;
use update_manager::limits::DEPTH_MAX;
use update_manager::model::text::Text;
use update_manager::wire::scan;

/// Levels of a document that is JSON. Counted by its brackets: of a key that
/// stands twice a [`Value`] holds just the last.
fn depth(document: &[u8]) -> usize {
    let (mut depth, mut deepest, mut is_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in document {
        match byte {
            b'"' if !is_escaped => is_string = !is_string,
            b'{' | b'[' if !is_string => depth += 1,
            b'}' | b']' if !is_string => depth -= 1,
            _ => {}
        }
        is_escaped = *byte == b'\\' && !is_escaped;
        deepest = deepest.max(depth);
    }
    deepest
}

/// The document as serde_json reads it; none if it does not.
pub fn value(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// What we wrote, which has to be JSON. None only if it has a number in it that
/// no float can hold (1e999): those are passed on.
///
/// # Panics
/// It is no JSON.
pub fn written(text: &str) -> Option<Value> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        panic!("what was written is no JSON ({error}): {text}");
    }
    value(text.as_bytes())
}

/// The content of a text, unescaped.
pub fn plain(text: Text<'_>) -> String {
    text.chars().collect()
}

/// We take what serde_json takes and nothing else, but for more than `DEPTH_MAX`
/// levels, and for numbers that no float can hold, which are passed on.
/// `IgnoredAny` takes those too, but does not look into strings for UTF-8 and
/// surrogates: there `Value` is asked as well.
///
/// # Panics
/// It is not so.
pub fn assert_agreement(document: &[u8]) {
    let ours = scan::check(document);
    let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(document);
    match (&ours, &theirs) {
        // It has a limit of its own, far past ours.
        (Ok(_), Err(error)) => panic!("taken by us alone: {error}"),
        (Err(error), Ok(_)) if value(document).is_some() => {
            assert!(depth(document) > DEPTH_MAX, "refused by us alone: {error}");
        }
        _ => {}
    }
}
