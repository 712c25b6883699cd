//! What goes over the console's socket (docs/console.md): a request is one line of
//! JSON, and so is its answer. A desired state to be applied has the keys of the
//! protocol's envelope in its request, so that it is taken like a backend's.

use core::fmt::{self, Write};

use super::malformed::{Key, Malformed, What};
use super::node::{self, Node};
use crate::model::text::{Escaping, Text};

macro_rules! asks {
    ($($ask:ident = $name:literal,)*) => {
        /// What is asked for.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum Ask { $($ask,)* }

        const ASKS: &[(Ask, &str)] = &[$((Ask::$ask, $name),)*];
    };
}

asks! {
    Status = "status",
    Watch = "watch",
    Inventory = "inventory",
    History = "history",
    Report = "report",
    Apply = "apply",
    Approve = "approve",
    Deny = "deny",
    Cancel = "cancel",
    Hold = "hold",
    Release = "release",
}

impl Ask {
    /// Whether it only looks.
    pub fn is_harmless(self) -> bool {
        matches!(self, Ask::Status | Ask::Watch | Ask::Inventory | Ask::History | Ask::Report)
    }

    /// As it is spelled.
    pub fn name(self) -> &'static str {
        ASKS.iter().find(|(ask, _)| *ask == self).map_or("", |(_, name)| name)
    }
}

/// A request, without a desired state that it may carry.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked for.
    pub ask: Ask,
    /// The activity that is meant; empty: the one that runs.
    pub activity: Text<'a>,
    /// Whether the answer is to be JSON rather than text for people.
    pub json: bool,
    /// Whether an activity is to be cancelled in any phase, or applied although the last
    /// one cannot be saved.
    pub force: bool,
    /// Width and height of the terminal that shows the answer; 0: it is none.
    pub screen: (u16, u16),
    /// Since when the next activity is waited for, in milliseconds since the Unix
    /// epoch; 0: it is not.
    pub since: u64,
}

/// Decodes a request.
///
/// # Errors
/// It is no JSON, asks for nothing that there is, or a key has a wrong type.
pub fn decode(line: &[u8]) -> Result<Request<'_>, Malformed> {
    let request = Node::document(line)?;
    let [command, activity, json, force, columns, rows, since] = request.fields([
        Key::Command,
        Key::ActivityId,
        Key::Json,
        Key::Force,
        Key::Columns,
        Key::Rows,
        Key::Timestamp,
    ])?;
    let command = command.ok_or_else(|| request.missing(Key::Command))?;
    let name = command.string()?;
    let ask = ASKS.iter().find(|(_, known)| name.eq_str(known));
    let (ask, _) = ask.ok_or_else(|| command.error(What::Is("is not a command of the console")))?;
    let flag = |node: Option<Node<'_>>| node.map_or(Ok(false), |node| node.leaf("is neither true nor false"));
    let size = |node: Option<Node<'_>>| node.map_or(Ok(0), |node| node.leaf("is not a size"));
    Ok(Request {
        ask: *ask,
        activity: node::string(activity)?,
        json: flag(json)?,
        force: flag(force)?,
        screen: (size(columns)?, size(rows)?),
        since: since.filter(|_| *ask == Ask::Watch).map_or(Ok(0), |node| node.leaf("is not a time"))?,
    })
}

/// Encodes a request; `desired` is a desired state and when it is wanted, in
/// milliseconds since the Unix epoch.
///
/// # Errors
/// `out` fails, as with all functions here.
pub fn encode(out: &mut dyn Write, request: &Request<'_>, desired: Option<(u64, &str)>) -> fmt::Result {
    write!(out, "{{\"command\":\"{}\"", request.ask.name())?;
    for (key, is_set) in [(Key::Json, request.json), (Key::Force, request.force)] {
        if is_set {
            write!(out, ",\"{}\":true", key.name())?;
        }
    }
    for (key, size) in [(Key::Columns, request.screen.0), (Key::Rows, request.screen.1)] {
        if size > 0 {
            write!(out, ",\"{}\":{size}", key.name())?;
        }
    }
    if !request.activity.is_empty() {
        write!(out, ",\"activityId\":\"{}\"", request.activity.as_json())?;
    }
    if request.since > 0 {
        write!(out, ",\"timestamp\":{}", request.since)?;
    }
    if let Some((timestamp, payload)) = desired {
        write!(out, ",\"timestamp\":{timestamp},\"payload\":{payload}")?;
    }
    out.write_str("}\n")
}

/// An answer. What it lacks is empty or none.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// To be shown to people.
    pub text: Text<'a>,
    /// JSON, as it stands in the answer.
    pub data: &'a str,
    /// Why there is no answer, for people.
    pub error: Text<'a>,
    /// The activity that it is about.
    pub activity: Text<'a>,
    /// How whoever asked is to end; none: it goes on.
    pub exit: Option<u8>,
}

/// Decodes an answer.
///
/// # Errors
/// It is none.
pub fn decode_answer(line: &[u8]) -> Result<Answer<'_>, Malformed> {
    let [text, data, error, activity, exit] =
        Node::document(line)?.fields([Key::Text, Key::Data, Key::Error, Key::ActivityId, Key::Exit])?;
    Ok(Answer {
        text: node::string(text)?,
        data: data.map_or("", |node| node.raw()),
        error: node::string(error)?,
        activity: node::string(activity)?,
        exit: exit.map(|node| node.leaf("is not an exit code")).transpose()?,
    })
}

/// Writes a text or, if `json`, data: what `write` writes.
///
/// # Errors
/// `out` or `write` fails.
pub fn encode_answer(
    out: &mut dyn Write,
    json: bool,
    write: &mut dyn FnMut(&mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    if json {
        out.write_str("{\"data\":")?;
        return write(out);
    }
    out.write_str("{\"text\":\"")?;
    write(&mut Escaping(out))?;
    out.write_char('"')
}

/// Writes whether the desired state of `activity` was taken, and if not, why: the data of
/// the answer to [`Ask::Apply`]. `why` is escaped as in JSON; what is empty is left out.
///
/// # Errors
/// `out` fails.
pub fn encode_taken(out: &mut dyn Write, activity: Text<'_>, is_taken: bool, why: &str) -> fmt::Result {
    out.write_char('{')?;
    if !activity.is_empty() {
        write!(out, "\"id\":\"{}\",", activity.as_json())?;
    }
    write!(out, "\"taken\":{is_taken}")?;
    if !why.is_empty() {
        write!(out, ",\"reason\":\"{why}\"")?;
    }
    out.write_char('}')
}

/// Writes why there is no answer.
///
/// # Errors
/// `out` fails.
pub fn encode_error(out: &mut dyn Write, why: &dyn fmt::Display) -> fmt::Result {
    out.write_str("{\"error\":\"")?;
    write!(Escaping(out), "{why}")?;
    out.write_char('"')
}

/// Told to a client that there is no room for, whole.
pub const FULL: &[u8] = b"{\"error\":\"too many consoles are open\",\"exit\":1}\n";

/// Told to a client whose request is too long, whole.
pub const TOO_LONG: &[u8] = b"{\"error\":\"the request is too long\",\"exit\":1}\n";

/// Ends an answer.
///
/// # Errors
/// `out` fails.
pub fn encode_end(out: &mut dyn Write, activity: &str, exit: Option<u8>) -> fmt::Result {
    if !activity.is_empty() {
        write!(out, ",\"activityId\":\"{activity}\"")?;
    }
    if let Some(exit) = exit {
        write!(out, ",\"exit\":{exit}")?;
    }
    out.write_str("}\n")
}
