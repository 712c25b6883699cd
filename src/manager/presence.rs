//! Announces on a topic of its own (`statusTopic`) whether the manager is online:
//! retained, `online` when it hears on a connection all that it should, `offline` while the
//! broker refuses it a subscription, at the shutdown or, as the last will, from the broker.
//!
//! In: answers to SUBSCRIBE, or the shutdown. Out: one message, and the last will.
//!
//! Invariant: without a topic nothing is announced.
//!
//! Deliberately absent: the counters that it publishes; `outside` holds them.

use core::fmt;

use super::outside::{message_to, Outside};
use crate::model::time::{Now, Tick};
use crate::mqtt::{Class, Message, Will};
use crate::wire::status::encode_presence;

/// Of statuses only the newest is of interest.
const STATUS: Class = Class::Newest(2);

/// Returns the last will, which the broker publishes when it loses us; none without a topic.
pub fn will(topic: &str) -> Option<Will> {
    let mut payload = String::new();
    // Writing to a string cannot fail.
    let _ = encode_presence(&mut payload, false, None);
    (!topic.is_empty()).then(|| Will { topic: topic.to_owned(), payload })
}

/// Holds the topic, and the time of the start.
pub(super) struct Presence {
    /// Empty: nothing is announced.
    topic: String,
    started: Tick,
    /// What was said last on this link.
    said: Option<bool>,
}

impl Presence {
    /// Creates it for a process that starts now.
    pub(super) fn new(topic: &str, now: Now) -> Presence {
        Presence { topic: topic.to_owned(), started: now.tick, said: None }
    }

    /// Returns when the process started.
    pub(super) fn started(&self) -> Tick {
        self.started
    }

    /// Handles the loss of the link.
    pub(super) fn handle_lost(&mut self) {
        self.said = None;
    }

    /// Publishes whether the manager is online, its uptime and its counters, unless that was
    /// said on this link.
    pub(super) fn publish(&mut self, now: Now, outside: &mut Outside, online: bool) {
        if self.topic.is_empty() || self.said == Some(online) {
            return;
        }
        self.said = Some(online);
        let uptime_s = now.tick.since(self.started) / 1000;
        let reconnects = u64::from(outside.session.status().reconnects);
        let counts = [uptime_s, reconnects, u64::from(outside.counters().refused())];
        let body = |out: &mut dyn fmt::Write| encode_presence(out, online, Some(counts));
        outside.send(now, Message { retain: true, ..message_to(&self.topic, STATUS, &body) });
    }
}
