//! Whether the manager is there, told on a topic of its own (`statusTopic`):
//! retained, `online` with each connection, `offline` with the good-bye or, as the
//! last will, from the broker.

use core::fmt;

use super::outbound::message_to;
use super::Manager;
use crate::model::text::Text;
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
pub(super) struct Status {
    topic: String,
    started: Tick,
}

impl Status {
    pub(super) fn new(topic: &str, now: Now) -> Option<Status> {
        (!topic.is_empty()).then(|| Status { topic: topic.to_owned(), started: now.tick })
    }
}

impl Manager {
    /// The running activity and its phase, in one line for people.
    ///
    /// # Errors
    /// `out` fails.
    pub fn write_activity(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if !self.session.is_connected() {
            out.write_str("no broker, ")?;
        }
        let running = self.engine.campaign().filter(|campaign| campaign.is_running());
        let Some(campaign) = running else { return out.write_str("no activity") };
        write!(out, "activity {}: ", Text::from_checked(&campaign.identity.activity))?;
        if campaign.consent.asking.is_some() {
            out.write_str("the owner's consent to ")?;
        }
        let phase = campaign.consent.asking.unwrap_or(campaign.phase);
        out.write_str(phase.name())?;
        match self.failure() {
            Some(why) => write!(out, ", not saved: {why}"),
            None => Ok(()),
        }
    }

    pub(super) fn publish_status(&mut self, now: Now, online: bool) {
        let Some(status) = &self.status else { return };
        let uptime_s = now.tick.since(status.started) / 1000;
        let counts =
            [uptime_s, u64::from(self.session.status().reconnects), u64::from(self.console.counters.refused())];
        let body = |out: &mut dyn fmt::Write| encode_presence(out, online, Some(counts));
        let topic = status.topic.clone();
        self.send(now, Message { retain: true, ..message_to(&topic, STATUS, &body) });
    }
}
