//! What is sent (docs/protocol.md, "Envelope" and "Payloads"): each function writes one piece, so that a document
//! can be sent in chunks, counted before it is written, and never is held whole.

use core::fmt::{self, Write};

use crate::model::text::Text;
use crate::model::{ActionStatus, Command, Status};

/// What ends an envelope, and a feedback.
pub const TAIL: &str = "}";

/// What ends the message of a feedback, after its actions.
pub const FEEDBACK_TAIL: &str = "}}";

/// The payload of a request for the current state.
pub const NULL: &str = "null";

/// Writes a message's text, escaped as in JSON; none if there is no message.
pub type Words<'w> = Option<&'w dyn Fn(&mut dyn Write) -> fmt::Result>;

/// The envelope up to its payload; [`TAIL`] ends it. `timestamp` is in
/// milliseconds since the Unix epoch.
///
/// # Errors
/// `out` fails, as with all functions here.
pub fn head(out: &mut dyn Write, activity: Text<'_>, timestamp: u64) -> fmt::Result {
    write_all(out, &["{\"activityId\":\"", activity.as_json(), "\",\"timestamp\":"])?;
    write!(out, "{timestamp},\"payload\":")
}

/// The payload of a command, and of the question for the owner's consent.
///
/// # Errors
/// `out` fails.
pub fn command(out: &mut dyn Write, command: Command) -> fmt::Result {
    write_all(out, &["{\"command\":\"", command.name(), "\"}"])
}

/// A feedback's payload up to its actions; [`TAIL`] ends it. Backends do not know
/// every status: see [`status_for_backend`](super::status::status_for_backend).
///
/// # Errors
/// `out` or `words` fails.
pub fn feedback_head(out: &mut dyn Write, status: Status, words: Words<'_>) -> fmt::Result {
    write_all(out, &["{\"status\":\"", status.name(), "\""])?;
    let Some(words) = words else {
        return Ok(());
    };
    out.write_str(",\"message\":\"")?;
    words(out)?;
    out.write_char('"')
}

/// An action, ready to be written.
#[derive(Clone, Copy, Debug)]
pub struct ActionView<'a> {
    /// The component object as it came.
    pub component: &'a str,
    /// Its status. Backends do not know every one: see
    /// [`action_status_for_backend`](super::status::action_status_for_backend).
    pub status: Option<ActionStatus>,
    /// Percent, 0 to 100.
    pub progress: u8,
    /// The agent's words, escaped as in JSON; may be empty.
    pub message: &'a str,
}

/// The actions in a feedback's payload; nothing if there are none.
///
/// # Errors
/// `out` fails.
pub fn feedback_actions<'a>(out: &mut dyn Write, actions: impl Iterator<Item = ActionView<'a>>) -> fmt::Result {
    let mut before = ",\"actions\":[";
    for view in actions {
        out.write_str(before)?;
        action(out, &view)?;
        before = ",";
    }
    match before {
        "," => out.write_char(']'),
        _ => Ok(()),
    }
}

fn action(out: &mut dyn Write, view: &ActionView<'_>) -> fmt::Result {
    write_all(out, &["{\"component\":", view.component])?;
    if let Some(status) = view.status {
        write_all(out, &[",\"status\":\"", status.name(), "\""])?;
    }
    if view.progress > 0 {
        write!(out, ",\"progress\":{}", view.progress)?;
    }
    if !view.message.is_empty() {
        write_all(out, &[",\"message\":\"", view.message, "\""])?;
    }
    out.write_char('}')
}

/// Without the formatter, which takes longer than the text itself.
fn write_all(out: &mut dyn Write, texts: &[&str]) -> fmt::Result {
    texts.iter().try_for_each(|text| out.write_str(text))
}

/// Counts the bytes that are written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Bytes so far.
    pub bytes: usize,
}

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        Ok(())
    }
}

/// Writes into a slice; a text that does not fit is left out whole, and fails.
#[derive(Debug)]
pub struct SliceWriter<'b> {
    slice: &'b mut [u8],
    len: usize,
}

impl<'b> SliceWriter<'b> {
    /// Writes from the start of `slice`.
    pub fn new(slice: &'b mut [u8]) -> SliceWriter<'b> {
        SliceWriter { slice, len: 0 }
    }

    /// What was written so far.
    pub fn written(&self) -> &[u8] {
        &self.slice[..self.len]
    }
}

impl Write for SliceWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.slice.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
