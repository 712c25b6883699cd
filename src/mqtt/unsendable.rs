//! What is known of messages that the broker refuses for good, and what becomes of them.
//! `suspicion` finds them.
//!
//! What is learned is kept for a while: the successors of a refused message would end as many
//! connections.

use core::fmt;

use super::message::Class;
use crate::limits::{UNSENDABLE_FORGET_MS, UNSENDABLE_MAX};
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
    /// Its class.
    pub class: Class,
    /// What becomes of it.
    pub remedy: Remedy,
}

/// What is known of the messages that the broker refuses.
pub(super) struct Unsendable {
    /// Whether `retain` may be used.
    is_retain_allowed: bool,
    /// Whether the broker seems to refuse it.
    is_retain_refused: bool,
    /// Topics, and from how many bytes on the broker refuses messages to them. At most
    /// `UNSENDABLE_MAX`.
    lengths: Vec<(Vec<u8>, usize)>,
    /// When something was learned last.
    learned: Option<Tick>,
    /// What the caller was not told yet. At most three for each message.
    told: Vec<Refusal>,
}

impl Unsendable {
    /// Returns one that knows nothing yet; `retain` is whether messages may be retained.
    pub fn new(retain: bool) -> Unsendable {
        Unsendable {
            is_retain_allowed: retain,
            is_retain_refused: false,
            lengths: Vec::new(),
            learned: None,
            told: Vec::new(),
        }
    }

    /// Returns whether messages may be retained.
    pub fn may_retain(&self) -> bool {
        self.is_retain_allowed && !self.is_retain_refused
    }

    /// Returns whether no length is known.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Learns from a message to this topic that is refused, and returns what becomes of it.
    pub fn learn(&mut self, now: Tick, topic: &[u8], len: usize, is_retained: bool, has_detail: bool) -> Remedy {
        self.learned = Some(now);
        if is_retained {
            // If it is so already, then that was not why.
            self.is_retain_refused = self.may_retain();
            if self.is_retain_refused {
                return Remedy::Unretained;
            }
        }
        // Others that are a little shorter are not worth the connections to find out.
        let limit = len - len / 4;
        if let Some((_, known)) = self.lengths.iter_mut().find(|(known, _)| known == topic) {
            *known = limit.min(*known);
        } else if self.lengths.len() < UNSENDABLE_MAX {
            self.lengths.push((topic.to_vec(), limit));
        }
        match has_detail {
            true => Remedy::Trimmed,
            false => Remedy::Dropped,
        }
    }

    /// Returns what becomes of a message that was not sent yet, if it is known to be refused.
    /// Without a detail, all but `Newest` ones are tried: they must not get lost by a mistake.
    pub fn find(&self, topic: &[u8], len: usize, class: Class, has_detail: bool) -> Option<Remedy> {
        let is_refused = self.lengths.iter().any(|(known, limit)| known == topic && len >= *limit);
        match class {
            _ if !is_refused => None,
            _ if has_detail => Some(Remedy::Trimmed),
            Class::Newest(_) => Some(Remedy::Dropped),
            _ => None,
        }
    }

    /// Forgets what was learned long ago: the broker may have been mended since.
    pub fn forget_old(&mut self, now: Tick) {
        if self.learned.is_some_and(|at| now.since(at) >= UNSENDABLE_FORGET_MS) {
            (self.is_retain_refused, self.learned) = (false, None);
            self.lengths.clear();
        }
    }

    /// Notes a refusal for the caller.
    pub fn tell(&mut self, refusal: Refusal) {
        self.told.push(refusal);
    }

    /// Returns what the caller is to be told of, once.
    pub fn poll(&mut self) -> Option<Refusal> {
        (!self.told.is_empty()).then(|| self.told.remove(0))
    }
}
