//! Whether the manager is there, told on a topic of its own (`statusTopic`):
//! retained, `online` with each connection, `offline` with the good-bye or, as the
//! last will, from the broker.
//!
//! In: that a connection was made or the process ends. Out: one message, and the last will.
//!
//! Invariant: without a topic nothing is told.
//!
//! Deliberately absent: the counters that are told; `outside` has them.

use core::fmt;

use super::outside::{message_to, Outside};
use crate::model::time::{Now, Tick};
use crate::mqtt::{Class, Message, Will};
use crate::wire::status::encode_presence;

/// Of statuses only the newest is of interest.
const STATUS: Class = Class::Newest(2);

/// What the broker says when it loses us; none without a topic.
pub fn will(topic: &str) -> Option<Will> {
    let mut payload = String::new();
    // Writing to a string cannot fail.
    let _ = encode_presence(&mut payload, false, None);
    (!topic.is_empty()).then(|| Will { topic: topic.to_owned(), payload })
}

/// What is told of the manager itself.
pub(super) struct Presence {
    /// Where; empty: nowhere.
    topic: String,
    started: Tick,
}

impl Presence {
    /// Since now, on this topic.
    pub(super) fn new(topic: &str, now: Now) -> Presence {
        Presence { topic: topic.to_owned(), started: now.tick }
    }

    /// When the process started.
    pub(super) fn started(&self) -> Tick {
        self.started
    }

    /// Tells that the manager is there, or leaves.
    pub(super) fn publish(&self, now: Now, outside: &mut Outside, online: bool) {
        if self.topic.is_empty() {
            return;
        }
        let uptime_s = now.tick.since(self.started) / 1000;
        let reconnects = u64::from(outside.session.status().reconnects);
        let counts = [uptime_s, reconnects, u64::from(outside.counters().refused())];
        let body = |out: &mut dyn fmt::Write| encode_presence(out, online, Some(counts));
        outside.send(now, Message { retain: true, ..message_to(&self.topic, STATUS, &body) });
    }
}
