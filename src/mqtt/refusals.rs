//! Messages that the broker refuses for good: it ends each connection when it gets one of
//! them, for it is retained or too large. MQTT 3.1.1 has no word for that, so the broker is
//! believed when connections end one after the other with the same message first in line.
//!
//! What is learned is kept: the message's successors would end as many connections.

use core::fmt;

use super::message::Class;
use crate::limits::{UNSENDABLE_FORGET_MS, UNSENDABLE_LINKS, UNSENDABLE_MAX};
use crate::model::time::Tick;

/// What becomes of a message that the broker refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// It and all others go without `retain`.
    Unretained,
    /// It goes without its detail.
    Trimmed,
    /// It does not go at all.
    Dropped,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Remedy::Unretained => "nothing is retained from now on",
            Remedy::Trimmed => "it goes without its details",
            Remedy::Dropped => "it is dropped",
        })
    }
}

/// A message that the broker refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its topic.
    pub topic: String,
    /// Bytes of its payload.
    pub len: usize,
    /// Whether it has the class [`Order`](Class::Order).
    pub is_order: bool,
    /// What becomes of it.
    pub remedy: Remedy,
}

/// What is known of the messages that the broker refuses.
pub(super) struct Refusals {
    /// The topic of the message that was first in line when the last link ended, and of how
    /// many links in a row it was; nothing to this topic was acknowledged since.
    suspect: Vec<u8>,
    links: u8,
    /// Links in a row that the broker has ended while messages waited, until none does.
    ended: u8,
    /// Whether `retain` is refused; none if that is not known.
    retained: Option<bool>,
    /// Bytes from which on messages with a detail are refused.
    detailed: usize,
    /// The same of messages of [`Class::Newest`], by their keys. At most `UNSENDABLE_MAX`.
    newest: Vec<(u8, usize)>,
    /// When something was learned last.
    learned: Option<Tick>,
    /// What the caller was not told yet. At most one for each message that waits.
    told: Vec<Refusal>,
}

impl Refusals {
    pub fn new() -> Refusals {
        Refusals {
            suspect: Vec::new(),
            links: 0,
            ended: 0,
            retained: None,
            detailed: usize::MAX,
            newest: Vec::new(),
            learned: None,
            told: Vec::new(),
        }
    }

    /// Whether `retain` is refused.
    pub fn has_retained(&self) -> bool {
        self.retained == Some(true)
    }

    /// Whether `retain` may be why a message is refused.
    pub fn may_be_retained(&self) -> bool {
        self.retained.is_none()
    }

    /// Whether anything is known.
    pub fn is_empty(&self) -> bool {
        self.learned.is_none()
    }

    /// Whether the next message is sent only when the one before is acknowledged. The loss of
    /// the link may take acknowledgements with it; then another one than the first in line
    /// is refused.
    pub fn is_careful(&self) -> bool {
        self.ended + 1 >= UNSENDABLE_LINKS
    }

    /// The link is lost for another reason, or no message waits any more.
    pub fn be_careless(&mut self) {
        self.clear();
        self.ended = 0;
    }

    /// The broker has ended a link with a message to this topic first in line. Returns
    /// whether it refuses it for good.
    pub fn handle_ended(&mut self, topic: &[u8]) -> bool {
        if self.suspect != topic {
            (self.suspect, self.links) = (topic.to_vec(), 0);
        }
        self.ended = self.ended.saturating_add(1);
        self.links += 1;
        let is_refused = self.links >= UNSENDABLE_LINKS;
        if is_refused {
            self.clear();
        }
        is_refused
    }

    /// A message to this topic is acknowledged.
    pub fn handle_ack(&mut self, topic: &[u8]) {
        if self.suspect == topic {
            self.clear();
        }
    }

    fn clear(&mut self) {
        (self.suspect, self.links) = (Vec::new(), 0);
    }

    /// Forgets what was learned long ago: the broker may have been mended since.
    pub fn forget_old(&mut self, now: Tick) {
        if self.learned.is_some_and(|at| now.since(at) >= UNSENDABLE_FORGET_MS) {
            *self = Refusals { told: core::mem::take(&mut self.told), ..Refusals::new() };
        }
    }

    /// Learns whether `retain` is refused.
    pub fn learn_retained(&mut self, now: Tick, is_refused: bool) {
        (self.retained, self.learned) = (Some(is_refused), Some(now));
    }

    /// Learns that a message with a detail is refused for its length.
    pub fn learn_detailed(&mut self, now: Tick, len: usize) {
        let len = len - len / 4;
        (self.detailed, self.learned) = (self.detailed.min(len), Some(now));
    }

    /// Learns that a message is refused for its length: one that is a little shorter is not
    /// worth the connections to find out. Of others than `Newest` ones each is tried: they
    /// must not get lost by a mistake.
    pub fn learn_dropped(&mut self, now: Tick, class: Class, len: usize) {
        let Class::Newest(key) = class else { return };
        let len = len - len / 4;
        self.learned = Some(now);
        if let Some((_, limit)) = self.newest.iter_mut().find(|(known, _)| *known == key) {
            *limit = len.min(*limit);
        } else if self.newest.len() < UNSENDABLE_MAX {
            self.newest.push((key, len));
        }
    }

    /// Whether a message of this length with a detail is refused.
    pub fn has_detailed(&self, len: usize) -> bool {
        len >= self.detailed
    }

    /// Whether a message of this length and class is refused.
    pub fn has(&self, class: Class, len: usize) -> bool {
        self.newest.iter().any(|(key, limit)| class == Class::Newest(*key) && len >= *limit)
    }

    pub fn tell(&mut self, refusal: Refusal) {
        self.told.push(refusal);
    }

    /// What the caller is to be told of, once.
    pub fn poll(&mut self) -> Option<Refusal> {
        (!self.told.is_empty()).then(|| self.told.remove(0))
    }
}
