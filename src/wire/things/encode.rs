//! What is told to the twin and answered (docs/twin-api.md), key by key as Eclipse
//! Kanto's Update Manager has it. As in [`wire::encode`](super::super::encode) each function
//! writes one piece.

use core::fmt::{self, Write};

use super::super::encode;
use super::{Identity, Reply};
use crate::model::text::{Escaped, Text};
use crate::model::Command;

/// What ends a report of the inventory, after the document.
pub const INVENTORY_TAIL: &str = "}}";

/// What ends a report of a feedback, after its actions.
pub const FEEDBACK_TAIL: &str = "}}}";

const JSON_HEADERS: &str = r#""content-type":"application/json","response-required":false}"#;

/// The message that makes the feature, whole; `domain` is the manager's own.
///
/// # Errors
/// `out` fails, as with all functions here.
pub fn feature(out: &mut dyn Write, identity: &Identity, domain: &str) -> fmt::Result {
    topic(out, identity, &["twin/commands/modify"])?;
    out.write_str(r#""response-required":false},"path":"/features/UpdateManager","#)?;
    out.write_str(r#""value":{"definition":["com.bosch.iot.suite.edge.update:UpdateManager:1.0.0"],"#)?;
    write!(out, r#""properties":{{"domain":"{}"}}}}}}"#, Escaped(domain))
}

/// The report of the inventory up to its document; [`INVENTORY_TAIL`] ends it.
/// `timestamp` is in milliseconds since the Unix epoch.
///
/// # Errors
/// `out` fails.
pub fn inventory_head(
    out: &mut dyn Write,
    identity: &Identity,
    activity: Text<'_>,
    timestamp: u64,
    domain: &str,
) -> fmt::Result {
    topic(out, identity, &["twin/commands/modify"])?;
    write!(out, r#"{JSON_HEADERS},"path":"/features/UpdateManager/properties""#)?;
    value(out, activity, timestamp)?;
    write!(out, r#""domain":"{}","inventory":"#, Escaped(domain))
}

/// The report of a feedback up to the payload that it has in plain mode too:
/// [`feedback_head`](encode::feedback_head) and
/// [`feedback_actions`](encode::feedback_actions) follow, [`FEEDBACK_TAIL`] ends it.
///
/// # Errors
/// `out` fails.
pub fn feedback_head(out: &mut dyn Write, identity: &Identity, activity: Text<'_>, timestamp: u64) -> fmt::Result {
    topic(out, identity, &["live/messages/feedback"])?;
    out.write_str(JSON_HEADERS)?;
    outbox(out, "feedback")?;
    value(out, activity, timestamp)?;
    out.write_str(r#""desiredStateFeedback":"#)
}

/// The question for the owner's consent, whole. `correlation_id`, a fresh UUID,
/// will be that of the answer.
///
/// # Errors
/// `out` fails.
pub fn consent(
    out: &mut dyn Write,
    identity: &Identity,
    activity: Text<'_>,
    timestamp: u64,
    correlation_id: &str,
    command: Command,
) -> fmt::Result {
    topic(out, identity, &["live/messages/consent"])?;
    out.write_str(r#""content-type":"application/json","correlation-id":""#)?;
    write!(out, r#"{}","response-required":true}}"#, Escaped(correlation_id))?;
    outbox(out, "consent")?;
    value(out, activity, timestamp)?;
    out.write_str(r#""ownerConsent":"#)?;
    encode::command(out, command)?;
    out.write_str("}}")
}

/// What a request is answered.
#[derive(Clone, Copy)]
pub enum Answer<'w> {
    /// It was taken.
    Taken,
    /// It was not; writes why, escaped as in JSON.
    Refused(&'w dyn Fn(&mut dyn Write) -> fmt::Result),
}

impl Answer<'_> {
    /// The status; it is also part of the answer's topic.
    pub fn status(self) -> u16 {
        match self {
            Answer::Taken => 204,
            Answer::Refused(_) => 400,
        }
    }
}

/// An answer, whole; its topic is [`RequestTopic::answer`](super::RequestTopic::answer).
///
/// # Errors
/// `out` or the words fail.
pub fn answer(out: &mut dyn Write, identity: &Identity, reply: &Reply<'_>, answer: Answer<'_>) -> fmt::Result {
    topic(out, identity, &["live/messages/", reply.subject])?;
    if let Answer::Refused(_) = answer {
        out.write_str(r#""content-type":"application/json","#)?;
    }
    if let Some(id) = reply.correlation_id {
        write!(out, r#""correlation-id":"{}","#, id.as_json())?;
    }
    out.write_str(r#""response-required":false}"#)?;
    outbox(out, reply.subject)?;
    let status = answer.status();
    if let Answer::Refused(words) = answer {
        write!(out, r#","value":{{"error":"messages:parameter.invalid","status":{status},"message":""#)?;
        words(out)?;
        out.write_str(r#""}"#)?;
    }
    write!(out, r#","status":{status}}}"#)
}

/// All up to the headers.
fn topic(out: &mut dyn Write, identity: &Identity, rest: &[&str]) -> fmt::Result {
    write!(out, r#"{{"topic":"{}/{}/things/"#, identity.namespace(), Escaped(identity.name()))?;
    rest.iter().try_for_each(|part| write!(out, "{}", Escaped(part)))?;
    out.write_str(r#"","headers":{"#)
}

fn outbox(out: &mut dyn Write, message: &str) -> fmt::Result {
    write!(out, r#","path":"/features/UpdateManager/outbox/messages/{}""#, Escaped(message))
}

/// The beginning of a value.
fn value(out: &mut dyn Write, activity: Text<'_>, timestamp: u64) -> fmt::Result {
    write!(out, r#","value":{{"activityId":"{}","timestamp":{timestamp},"#, activity.as_json())
}
