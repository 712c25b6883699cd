//! Messages to the broker.

use core::fmt;

/// Writes text. Called more than once for one message: same text each time.
pub type Write<'a> = &'a dyn Fn(&mut dyn fmt::Write) -> fmt::Result;

/// A message to the broker, always with QoS 1.
/// Its payload is body, detail, document and tail, one after the other.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Not empty, at most 65,535 bytes, no wildcards, no NUL.
    pub topic: &'a str,
    /// Whether the broker keeps it for new subscribers.
    pub retain: bool,
    /// How it may be dropped.
    pub class: Class,
    /// Stored.
    pub body: Write<'a>,
    /// Stored; the first to go when room is short.
    pub detail: Option<Write<'a>>,
    /// Not stored: encoded anew whenever it is sent.
    pub document: Option<Document>,
    /// The end of the payload.
    pub tail: &'static str,
}

/// How a message may be dropped before the broker has acknowledged it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Never: reports, which the backend may get twice.
    Keep,
    /// When the broker has lost the session in which it was begun: it is sent at most
    /// once in a session, and nobody knows whether it arrived. One that was not begun
    /// stays. Commands and desired states: an agent takes each of them once.
    Order,
    /// Never, and the caller finds it by this number as long as it waits: final
    /// statuses.
    Found(u64),
    /// If a newer one with the same key takes its place, or room is short.
    /// Connected, it takes the place of one that has not begun to be sent and
    /// has no document: each current state answers somebody, so it is let
    /// through. Without a link only the newest of a key is kept, but one that
    /// was sent in a session that is not clean is sent again [MQTT-4.4.0-1].
    Newest(u8),
    /// When the link goes: a request that is asked anew on the next.
    LinkBound,
}

impl Class {
    /// Whether it is never dropped for want of room.
    pub(super) fn is_kept(self) -> bool {
        matches!(self, Class::Keep | Class::Order | Class::Found(_))
    }
}

/// A message of [`Class::Found`] that the broker has not acknowledged, as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting<'a> {
    /// Its number.
    pub number: u64,
    /// Its topic.
    pub topic: &'a [u8],
    /// The beginning of its payload.
    pub body: &'a [u8],
    /// What follows, unless it was dropped for want of room.
    pub detail: &'a [u8],
    /// The end of its payload.
    pub tail: &'static str,
}

/// A document that is encoded when it is sent, by the caller's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Document(pub u8);

/// Encodes documents.
pub trait Documents {
    /// Writes the document; the same text each time while
    /// [`is_mid_document`](super::Session::is_mid_document). An error of `out`
    /// must be returned: it ends the pass early.
    ///
    /// # Errors
    /// Those of `out`.
    fn write(&self, document: Document, out: &mut dyn fmt::Write) -> fmt::Result;
}

/// Why a message was not taken. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishError {
    /// No room, even after all is dropped that may be: `OUTBOUND_BYTES` or
    /// `OUTBOUND_MAX`.
    Full,
    /// Its topic is not one; says why.
    Topic(&'static str),
}

impl std::error::Error for PublishError {}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PublishError::Full => "too many messages wait for the broker",
            PublishError::Topic(what) => what,
        })
    }
}
