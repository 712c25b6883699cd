//! Finds the known word that a misspelt one was meant to be: a command, a flag, a key, a
//! domain.

use crate::limits::{NEAREST_CHARS_MAX, NEAREST_EDITS};

/// Returns the known word with the fewest edits to `word`, the first of several; none if
/// none is near. Case, and ASCII punctuation such as dashes, do not count.
pub fn nearest<T: AsRef<str>>(word: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let word = letters(word);
    let near = known.into_iter().filter_map(|known| Some((edits(&word, &letters(known.as_ref()))?, known)));
    near.min_by_key(|(edits, _)| *edits).map(|(_, known)| known)
}

/// Returns the question for the known word nearest to `word`, to follow a message; empty if
/// none is near.
pub fn hint<T: AsRef<str>>(word: &str, known: impl IntoIterator<Item = T>) -> String {
    question(nearest(word, known).as_ref().map(AsRef::as_ref))
}

/// Returns the same question for the word that was `meant`.
pub fn question(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}

fn letters(word: &str) -> Vec<char> {
    // Our words are ASCII; the tables for other letters would be 3 kB.
    let chars = word.chars().map(|c| c.to_ascii_lowercase());
    chars.filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric()).take(NEAREST_CHARS_MAX).collect()
}

/// Returns how many letters were added, left out, replaced or swapped with their neighbor;
/// none if there are too many for words of that length.
fn edits(a: &[char], b: &[char]) -> Option<usize> {
    let allowed = NEAREST_EDITS.iter().filter(|longer| a.len().max(b.len()) > **longer).count();
    (0..=allowed).find(|edits| is_within(a, b, *edits))
}

/// Whether at most `edits` make one of the other.
fn is_within(a: &[char], b: &[char], edits: usize) -> bool {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    match (&a[same..], &b[same..]) {
        (rest, []) | ([], rest) => rest.len() <= edits,
        _ if edits == 0 => false,
        (a @ [a0, a_rest @ ..], b @ [b0, b_rest @ ..]) => {
            let is_swapped = a_rest.first() == Some(b0) && b_rest.first() == Some(a0);
            let ways = [(a_rest, b), (a, b_rest), (a_rest, b_rest)];
            ways.into_iter().any(|(a, b)| is_within(a, b, edits - 1))
                || (is_swapped && is_within(&a[2..], &b[2..], edits - 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_the_one_that_was_meant() {
        let known = ["status", "watch", "apply", "connection", "phaseTimeout", "check-config", "id", "run"];
        for (word, meant) in [
            ("staus", "status"),
            ("statuss", "status"),
            ("statsu", "status"),
            ("stotus", "status"),
            ("wacth", "watch"),
            ("aplly", "apply"),
            ("conection", "connection"),
            ("conecton", "connection"),
            ("PHASE_TIMEOUT", "phaseTimeout"),
            ("phasetimout", "phaseTimeout"),
            ("checkconfig", "check-config"),
            ("ID", "id"),
        ] {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in ["", "-", "x", "ib", "rum", "stas", "conetio", "version", "\u{e9}tatus\u{e9}", &"x".repeat(100_000)]
        {
            assert_eq!(nearest(word, known), None, "{word}");
        }
    }

    #[test]
    fn of_several_words_the_nearest_is_found_wherever_it_stands() {
        assert_eq!(nearest("log-file-sise", ["log-file-side", "log-file-size"]), Some("log-file-side"));
        assert_eq!(nearest("log-file-size-", ["log-file-side", "log-file-size"]), Some("log-file-size"));
        assert_eq!(nearest("x", [""; 0]), None);
    }

    #[test]
    fn the_question_follows_a_message() {
        assert_eq!(hint("staus", ["status"]), "; did you mean `status`?");
        assert_eq!(hint("nothing", ["status"]), "");
    }
}
