//! One message to the broker, as it is kept until the broker has acknowledged it.

use core::mem::size_of;

use super::message::{Class, Document};
use crate::limits::OUTBOUND_ENTRY_BYTES;
use crate::model::time::Tick;

/// One message. Its topic, body and detail stand one after the other in the
/// arena, behind those of all earlier entries.
pub(super) struct Entry {
    pub topic: usize,
    pub body: usize,
    pub detail: usize,
    pub document: Option<Document>,
    /// Bytes of the document, since it was begun.
    pub document_len: u32,
    pub tail: &'static str,
    pub retain: bool,
    pub class: Class,
    /// 0 until it is first begun to be sent; from then on the same.
    pub id: u16,
    /// Whether it was begun on an earlier link too [MQTT-3.3.1-1].
    pub dup: bool,
    pub state: State,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum State {
    Queued,
    /// Begun at this time: bytes handed out.
    Sending {
        begun: Tick,
        done: usize,
    },
    /// Handed out completely at this time.
    Sent(Tick),
}

impl Entry {
    pub fn stored(&self) -> usize {
        self.topic + self.body + self.detail
    }

    /// Bytes of its payload, if it was begun.
    pub fn payload(&self) -> usize {
        self.body + self.detail + self.document_len as usize + self.tail.len()
    }

    pub fn is_sending(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    /// Whether it may be dropped for want of room.
    pub fn is_evictable(&self) -> bool {
        matches!(self.class, Class::Newest(_)) && !self.is_sending()
    }

    /// Bytes of detail that may be dropped for want of room.
    pub fn spare_detail(&self) -> usize {
        if self.is_sending() || self.is_evictable() {
            0
        } else {
            self.detail
        }
    }
}

const _: () = assert!(size_of::<Entry>() <= OUTBOUND_ENTRY_BYTES);
