//! The scanner accepts what serde_json accepts, and nothing else.

use super::damage::Random;
use super::*;
use crate::limits::DEPTH_MAX;
use crate::wire::scan;

/// Levels of a document that serde_json takes.
fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Differences that are meant: more than `DEPTH_MAX` levels are refused though
/// they are JSON, and numbers that no float can hold (1e999) are passed on.
/// `IgnoredAny` takes those too, but does not look into strings for UTF-8 and
/// surrogates: there `Value` is asked as well.
fn assert_agreement(document: &[u8]) {
    let ours = scan::check(document);
    let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(document);
    let text = String::from_utf8_lossy(document);
    match (&ours, &theirs) {
        (Ok(_), Err(error)) => panic!("taken by us alone ({error}): {text}"),
        (Err(error), Ok(_)) => {
            if let Ok(value) = serde_json::from_slice::<serde_json::Value>(document) {
                assert!(depth(&value) > DEPTH_MAX, "refused by us alone ({error}): {text}");
            }
        }
        _ => {}
    }
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"\"",
    "\\",
    "\\u00e9",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\\n",
    "\\x",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E9",
    "1e999",
    "-0.5e-3",
    "01",
    "true",
    "false",
    "null",
    "nul",
    " ",
    "\n",
    "\t",
    "\u{c}",
    "\u{a0}",
    "é",
    "\u{1f}",
    "\u{7f}",
    "\"k\":",
    "[1,2]",
    "{\"k\":\"v\"}",
    "NaN",
    "'",
];

#[test]
fn random_pieces_are_taken_as_serde_json_takes_them() {
    let mut random = Random(0x9e37_79b9);
    for _ in 0..30_000 {
        let n = random.below(8) + 1;
        let document: String = (0..n).map(|_| PIECES[random.below(PIECES.len())]).collect();
        assert_agreement(document.as_bytes());
        assert_agreement(format!("\"{document}\"").as_bytes());
        assert_agreement(format!("[{document}]").as_bytes());
    }
}

/// A random document, valid as it comes.
fn generate(random: &mut Random, levels: usize, out: &mut String) {
    let blank = ["", "", " ", "\n\t"][random.below(4)];
    match random.below(if levels == 0 { 5 } else { 7 }) {
        0 => out.push_str(["null", "true", "false"][random.below(3)]),
        1 => out.push_str(["0", "-1", "12.5", "3E+7", "1e999", "-0"][random.below(6)]),
        2..=4 => {
            out.push('"');
            (0..random.below(4))
                .for_each(|_| out.push_str(["x", "\\\"", "\\\\", "é", "\\ud83d\\ude00", "}"][random.below(6)]));
            out.push('"');
        }
        kind => {
            let brackets = if kind == 5 { "[]" } else { "{}" };
            out.push_str(&brackets[..1]);
            for n in 0..random.below(4) {
                let key = if kind == 5 { String::new() } else { format!("\"k{n}\"{blank}:") };
                out.push_str(&format!("{}{blank}{key}{blank}", if n > 0 { "," } else { "" }));
                generate(random, levels - 1, out);
                out.push_str(blank);
            }
            out.push_str(&brackets[1..]);
        }
    }
}

#[test]
fn generated_documents_are_taken_and_their_broken_kin_as_serde_json_does() {
    let mut random = Random(0x2545_f491);
    for _ in 0..3_000 {
        let mut document = String::new();
        generate(&mut random, 6, &mut document);
        assert!(scan::check(document.as_bytes()).is_ok(), "{document}");
        for _ in 0..5 {
            let mut bytes = document.clone().into_bytes();
            random.damage(&mut bytes);
            assert_agreement(&bytes);
        }
    }
}

#[test]
fn walking_a_document_finds_the_members_that_serde_json_finds() {
    let mut random = Random(0x1234_5678);
    for _ in 0..3_000 {
        let mut document = String::from("[ ");
        generate(&mut random, 5, &mut document);
        document.push(']');
        let node = crate::wire::node::Node::document(document.as_bytes()).unwrap();
        let value: serde_json::Value = match serde_json::from_str(&document) {
            Ok(value) => value,
            // A number that no float can hold.
            Err(_) => continue,
        };
        assert_same(node, &value);
    }
}

fn assert_same(node: crate::wire::node::Node<'_>, value: &serde_json::Value) {
    assert_eq!(&serde_json::from_str::<serde_json::Value>(node.raw()).unwrap(), value);
    if let serde_json::Value::Array(values) = value {
        let elements: Vec<_> = node.elements().unwrap().collect();
        assert_eq!(elements.len(), values.len());
        elements.into_iter().zip(values).for_each(|(node, value)| assert_same(node, value));
    }
    if let serde_json::Value::Object(values) = value {
        let members: Vec<_> = node.members().collect();
        assert_eq!(members.len(), values.len());
        for (key, node) in members {
            assert_same(node, &values[&key.chars().collect::<String>()]);
        }
    }
}
