//! The envelope of every message (docs/protocol.md, "Envelope").

use super::malformed::{Key, Malformed, What};
use super::node::{self, Node};
use super::scan::Span;
use crate::limits::ACTIVITY_ID_MAX;
use crate::model::text::Text;

/// A message without its payload's meaning. The whole message was checked.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Its activity; empty if absent or null. At most `ACTIVITY_ID_MAX` bytes.
    pub activity: Text<'a>,
    /// Milliseconds since the Unix epoch; 0 if absent or null.
    pub timestamp: i64,
    payload: Option<Node<'a>>,
}

impl<'a> Envelope<'a> {
    /// Decodes a whole message. Its timestamp has to be written as an integer,
    /// as Eclipse Kanto's Update Manager wants it too: `1.0` and `1e3` are malformed.
    ///
    /// # Errors
    /// It is no JSON, not an object, or a key of the envelope has a wrong type,
    /// stands twice or is past its limit. [`activity_of`](super::activity_of) may
    /// still find its activity.
    pub fn decode(bytes: &'a [u8]) -> Result<Envelope<'a>, Malformed> {
        Envelope::of(Node::document(bytes)?, Key::Payload)
    }

    /// Decodes a desired state as a file has it: a whole message, or its payload alone.
    ///
    /// # Errors
    /// As of [`decode`](Envelope::decode).
    pub fn of_file(bytes: &'a [u8]) -> Result<Envelope<'a>, Malformed> {
        let document = Node::document(bytes)?.object()?;
        match Envelope::is_around(document) {
            true => Envelope::of(document, Key::Payload),
            false => Ok(Envelope::around(document)),
        }
    }

    /// Whether an object is a whole message, with its payload in it.
    pub(crate) fn is_around(object: Node<'a>) -> bool {
        object.members().any(|(name, _)| name.eq_str(Key::Payload.name()))
    }

    /// Decodes the object that has the envelope's keys, with its payload under
    /// `key`: in twin mode that is what the payload is (docs/twin-api.md, "Requests").
    ///
    /// # Errors
    /// As of [`decode`](Envelope::decode).
    pub(super) fn of(object: Node<'a>, key: Key) -> Result<Envelope<'a>, Malformed> {
        let [activity, timestamp, payload] = object.fields([Key::ActivityId, Key::Timestamp, key])?;
        let envelope = Envelope::bare(activity, timestamp)?;
        Ok(Envelope { payload: payload.map(Node::object).transpose()?, ..envelope })
    }

    /// Decodes the object that has the envelope's keys and no payload.
    ///
    /// # Errors
    /// As of [`decode`](Envelope::decode).
    pub(super) fn without_payload(object: Node<'a>) -> Result<Envelope<'a>, Malformed> {
        let [activity, timestamp] = object.fields([Key::ActivityId, Key::Timestamp])?;
        Envelope::bare(activity, timestamp)
    }

    fn bare(activity: Option<Node<'a>>, timestamp: Option<Node<'a>>) -> Result<Envelope<'a>, Malformed> {
        if let Some(node) = activity.filter(|node| node.raw().len() > ACTIVITY_ID_MAX + 2) {
            return Err(node.error(What::Longer(ACTIVITY_ID_MAX as u32)));
        }
        Ok(Envelope {
            activity: node::string(activity)?,
            timestamp: timestamp.map_or(Ok(0), |node| node.leaf("is not an integer of 64 bits"))?,
            payload: None,
        })
    }

    /// The envelope of a payload that has none.
    pub(crate) fn around(payload: Node<'a>) -> Envelope<'a> {
        Envelope { payload: Some(payload), ..Envelope::EMPTY }
    }

    /// The envelope of a message that says nothing.
    pub(super) const EMPTY: Envelope<'static> = Envelope { activity: Text::EMPTY, timestamp: 0, payload: None };

    /// Where its payload stands in the message; none if absent or null.
    pub fn payload(&self) -> Option<Span> {
        self.payload.map(|node| node.span())
    }

    /// Its payload, which has to be there; `noun` says what it is.
    ///
    /// # Errors
    /// It is absent or null.
    pub(super) fn require(&self, noun: &'static str) -> Result<Node<'a>, Malformed> {
        self.payload.ok_or_else(|| Malformed::new(What::Missing(noun), Default::default(), 0))
    }
}
