//! An agent's feedback (docs/agent-api.md, "Feedback"; docs/agents.md, "Every agent").

use core::fmt::{self, Write};

use heapless::Vec;

use super::encode::{self, ActionView, Words};
use super::envelope::Envelope;
use super::malformed::{Key, Malformed};
use super::node::{self, Node};
use super::status;
use crate::engine::event::Action;
use crate::limits::{ACTIONS_MAX, ACTION_COMPONENT_MAX};
use crate::model::text::Text;
use crate::model::{Limit, Status};

/// A feedback apart from its actions.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Its status; `Unknown` if it is not one of the protocol.
    pub status: Status,
    /// The agent's words, whole; may be empty.
    pub message: Text<'a>,
    /// The limit past which actions are that were left out. None if all are there.
    pub past_limit: Option<Limit>,
}

/// Decodes the payload; its actions replace those in `actions`, in order.
///
/// # Errors
/// It is missing or has no status, something has a wrong type, an action has no
/// component with an identifier, or a progress is not an integer from 0 to 255.
/// `actions` is empty then.
pub fn decode<'a>(envelope: &Envelope<'a>, actions: &mut Vec<Action<'a>, ACTIONS_MAX>) -> Result<Head<'a>, Malformed> {
    actions.clear();
    let head = decode_into(envelope, actions);
    if head.is_err() {
        actions.clear();
    }
    head
}

fn decode_into<'a>(envelope: &Envelope<'a>, actions: &mut Vec<Action<'a>, ACTIONS_MAX>) -> Result<Head<'a>, Malformed> {
    let payload = envelope.require("feedback")?;
    let [status, message, listed] = payload.fields([Key::Status, Key::Message, Key::Actions])?;
    let status = status.ok_or_else(|| payload.missing(Key::Status))?.string()?;
    let mut head = Head { status: status::status(status), message: node::string(message)?, past_limit: None };
    for node in node::elements(listed)? {
        let action = action(node)?;
        if action.component.len() > ACTION_COMPONENT_MAX {
            head.past_limit = head.past_limit.or(Some(Limit::Component));
        } else if actions.push(action).is_err() {
            head.past_limit = head.past_limit.or(Some(Limit::Actions));
        }
    }
    Ok(head)
}

fn action(node: Node<'_>) -> Result<Action<'_>, Malformed> {
    let [component, status, progress, message] =
        node.fields([Key::Component, Key::Status, Key::Progress, Key::Message])?;
    let component = component.ok_or_else(|| node.missing(Key::Component))?;
    let [id, version] = component.fields([Key::Id, Key::Version])?;
    node::string(version)?;
    Ok(Action {
        id: id.ok_or_else(|| component.missing(Key::Id))?.name()?,
        component: component.raw(),
        status: status::action_status(node::string(status)?),
        progress: progress.map_or(Ok(0), percent)?,
        message: node::string(message)?,
    })
}

/// The identifier in a component object that was checked before; none if it has none.
pub fn component_id(component: &str) -> Option<Text<'_>> {
    let [id] = Node::document(component.as_bytes()).ok()?.fields([Key::Id]).ok()?;
    id?.name().ok()
}

/// The version in a component object that was checked before; empty if it has none.
pub fn component_version(component: &str) -> Text<'_> {
    let fields = Node::document(component.as_bytes()).and_then(|node| node.fields([Key::Version]));
    fields.and_then(|[version]| node::string(version)).unwrap_or_default()
}

/// Agents count in a byte, and some go past the end: what they say besides must not get lost.
fn percent(node: Node<'_>) -> Result<u8, Malformed> {
    let percent: u8 = node.leaf("is not an integer from 0 to 100")?;
    Ok(percent.min(100))
}

/// Encodes the payload as an agent does.
///
/// # Errors
/// `out` fails.
pub fn encode(out: &mut dyn Write, status: Status, message: Text<'_>, actions: &[Action<'_>]) -> fmt::Result {
    let words = |out: &mut dyn Write| out.write_str(message.as_json());
    let words: Words<'_> = if message.is_empty() { None } else { Some(&words) };
    encode::feedback_head(out, status, words)?;
    let actions = actions.iter().map(|action| ActionView {
        component: action.component,
        status: action.status,
        progress: action.progress,
        message: action.message.as_json(),
    });
    encode::feedback_actions(out, actions)?;
    out.write_str(encode::TAIL)
}
