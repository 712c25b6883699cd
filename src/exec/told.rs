//! What each line says that the program prints.

use crate::model::text::Text;
use crate::wire::malformed::Key;
use crate::wire::node::{self, Node};

/// What a line says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// How far a component is; in an inventory, that it is there.
    Component {
        /// Its identifier.
        id: String,
        /// Its version; may be empty.
        version: String,
        /// Percent, 0 to 100.
        percent: Option<u8>,
        /// In words; may be empty.
        message: String,
        /// Whether it has failed.
        is_failed: bool,
    },
    /// Something about the domain as a whole.
    Message(String),
    /// Nothing but a line for the log.
    Line,
}

/// What `line` says.
pub fn parse(line: &str) -> Told {
    let parsed = if line.starts_with('{') { parse_json(line) } else { parse_plain(line) };
    parsed.unwrap_or(Told::Line)
}

fn parse_plain(line: &str) -> Option<Told> {
    let (word, rest) = cut(line);
    if word == "message" {
        return Some(Told::Message(rest.to_owned()));
    }
    let (id, rest) = cut(rest);
    if id.is_empty() {
        return None;
    }
    let (version, percent, message, is_failed) = match word {
        "component" => (rest, None, "", false),
        "failed" => ("", None, rest, true),
        "progress" => {
            let (percent, message) = cut(rest);
            let percent: u64 = percent.trim_end_matches('%').parse().ok()?;
            ("", Some(percent.min(100) as u8), message, false)
        }
        _ => return None,
    };
    let (id, version, message) = (id.to_owned(), version.to_owned(), message.to_owned());
    Some(Told::Component { id, version, percent, message, is_failed })
}

/// The first word, and what follows it.
fn cut(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim())
}

fn parse_json(line: &str) -> Option<Told> {
    let node = Node::document(line.as_bytes()).ok()?;
    let [component, status, progress, message] =
        node.fields([Key::Component, Key::Status, Key::Progress, Key::Message]).ok()?;
    let plain = |node| node::string(node).ok().map(|text: Text<'_>| text.chars().collect::<String>());
    let message = plain(message)?;
    let Some(component) = component else { return (!message.is_empty()).then_some(Told::Message(message)) };
    let [id, version] = component.fields([Key::Id, Key::Version]).ok()?;
    let percent = progress.map(|node| node.leaf::<u64>("")).transpose().ok()?;
    let status = plain(status)?;
    Some(Told::Component {
        id: plain(Some(id?)).filter(|id| !id.is_empty())?,
        version: plain(version)?,
        percent: percent.map(|percent| percent.min(100) as u8),
        message,
        is_failed: status.ends_with("_FAILURE"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(id: &str, version: &str, percent: Option<u8>, message: &str, is_failed: bool) -> Told {
        Told::Component { id: id.into(), version: version.into(), percent, message: message.into(), is_failed }
    }

    #[test]
    fn plain_lines_and_json_say_the_same() {
        for (plain, json, told) in [
            (
                "progress one 40 layer 2 of 5",
                r#"{"component":{"id":"one"},"progress":40,"message":"layer 2 of 5"}"#,
                component("one", "", Some(40), "layer 2 of 5", false),
            ),
            (
                "progress\tone\t140%",
                r#"{"component":{"id":"one"},"progress":140}"#,
                component("one", "", Some(100), "", false),
            ),
            (
                "failed one no space left",
                r#"{"component":{"id":"one"},"status":"UPDATE_FAILURE","message":"no space left"}"#,
                component("one", "", None, "no space left", true),
            ),
            (
                "component one 1.0",
                r#"{"component":{"id":"one","version":"1.0"}}"#,
                component("one", "1.0", None, "", false),
            ),
            (
                "component one 1.0 beta  2",
                r#"{"component":{"id":"one","version":"1.0 beta  2"}}"#,
                component("one", "1.0 beta  2", None, "", false),
            ),
            (
                "component\tone\t2024-01-01 12:00 \t",
                r#"{"component":{"id":"one","version":"2024-01-01 12:00"}}"#,
                component("one", "2024-01-01 12:00", None, "", false),
            ),
            (
                "progress one 300",
                r#"{"component":{"id":"one"},"progress":300}"#,
                component("one", "", Some(100), "", false),
            ),
            ("message no network", r#"{"message":"no network"}"#, Told::Message("no network".into())),
        ] {
            assert_eq!(parse(plain), told, "{plain}");
            assert_eq!(parse(json), told, "{json}");
        }
    }

    #[test]
    fn anything_else_is_a_line_for_the_log() {
        for line in [
            "fetching",
            "progress",
            "progress one",
            "progress one much",
            "progress one -1",
            "component",
            "{",
            "{}",
            "[]",
            r#"{"component":"one"}"#,
            r#"{"component":{"id":""}}"#,
            r#"{"component":{"id":"a"},"progress":"4"}"#,
            r#"{"message":4}"#,
        ] {
            assert_eq!(parse(line), Told::Line, "{line}");
        }
    }
}
