//! A desired state from a file or standard input.

use crate::config::values::shown;
use crate::validate::command;
use crate::wire::malformed::Malformed;
use crate::wire::{desired_state, scan, Envelope};

/// A desired state to be applied.
pub(super) struct Document {
    /// The activity that a whole message names, escaped as in JSON; empty if it names none.
    pub activity: String,
    /// The payload, as one line.
    pub payload: String,
}

/// Reads the desired state in `file`, `-` for standard input: a whole message, or its payload
/// alone.
///
/// # Errors
/// It cannot be read, is none, or has no domain.
pub(super) fn read(file: &str) -> Result<Document, String> {
    let name = if file == "-" { "standard input" } else { file };
    let bytes = command::read(file).map_err(|error| format!("{}: {error}", shown(name)))?;
    document(&bytes).map_err(|(place, what)| match place {
        Some((line, column)) => format!("{}:{line}:{column}: {what}", shown(name)),
        None => format!("{}: {what}", shown(name)),
    })
}

/// Line and column of a fault, if it has a place, and what it is.
type Fault = (Option<(usize, usize)>, String);

fn document(bytes: &[u8]) -> Result<Document, Fault> {
    let fault = |malformed: Malformed| {
        let before = bytes.get(..malformed.offset as usize).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let what = format!("{} {}", malformed.path, malformed.what);
        (Some((line, column)), what.trim_start().to_owned())
    };
    let text = scan::check(bytes).map_err(fault)?;
    let envelope = Envelope::of_file(bytes).map_err(fault)?;
    let span = envelope.payload();
    // What else is wrong with it, the manager tells the backend as well.
    if span.is_none() || desired_state::decode(&envelope).is_ok_and(|desired| desired.domains() == 0) {
        let what = "names no domain: nothing would be done; update-manager validate says more";
        return Err((None, what.to_owned()));
    }
    // Line ends stand between tokens only.
    let payload = span.map_or(text, |span| span.of(text)).replace(['\n', '\r'], " ");
    Ok(Document { activity: envelope.activity.as_json().to_owned(), payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_message_and_its_payload_alone_are_the_same_desired_state() {
        let payload = r#"{"domains":[{"id":"a","components":[]}]}"#;
        for (text, activity) in [
            (payload.to_owned(), ""),
            (format!("{{\"activityId\":\"one \\u0041\",\n\"timestamp\":1,\"payload\":{payload}}}"), "one \\u0041"),
            (format!("{{\"payload\":{payload},\"more\":[]}}"), ""),
        ] {
            let document = document(text.as_bytes()).map_err(|(_, what)| what).unwrap();
            assert_eq!((document.payload.as_str(), document.activity.as_str()), (payload, activity));
        }
    }

    #[test]
    fn what_would_do_nothing_is_refused_with_its_place() {
        let nothing = "names no domain: nothing would be done; update-manager validate says more";
        for (text, place, what) in [
            ("{}", None, nothing),
            (r#"{"domains":null}"#, None, nothing),
            (r#"{"desiredState":{"domains":[{"id":"a"}]}}"#, None, nothing),
            (r#"{"activityId":"a","payload":null}"#, None, nothing),
            (r#"{"activityId":"a","payload":{"payload":{}}}"#, None, nothing),
            ("{\n\"payload\":5}", Some((2, 11)), "payload is not an object"),
            ("{\"payload\":{},\n\"activityId\":5}", Some((2, 14)), "activityId is not a string"),
            ("[]", Some((1, 1)), "is not an object"),
            ("", Some((1, 1)), "is empty"),
        ] {
            assert_eq!(document(text.as_bytes()).err(), Some((place, what.to_owned())), "{text}");
        }
    }
}
