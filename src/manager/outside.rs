//! What all parts of the manager use: the session with the broker, the store, the names
//! from the configuration, and the count of what came in.
//!
//! In: messages to be sent, acknowledgements to be given. Out: the session and the store
//! themselves, of which each part calls only methods.
//!
//! Invariants: the names never change. What counts as refused stands in the journal too.
//!
//! Deliberately absent: any decision, and the state of any part.

use crate::config::Config;
use crate::console::view::Counters;
use crate::limits::{ANSWER_ROOM, ANSWER_ROOM_MESSAGES, REPORTS_MAX};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::DomainIx;
use crate::mqtt::{Ack, Class, Message, Options, Session, Write};
use crate::store::journal::Kind;
use crate::store::Store;
use crate::wire::topic::{TopicError, Topics};
use crate::wire::{activity_of, encode, Malformed};

/// The session, the store, the names and the counters.
pub(super) struct Outside {
    pub(super) session: Box<Session>,
    pub(super) store: Store,
    pub(super) names: Names,
    counters: Counters,
}

/// What things are called.
pub(super) struct Names {
    pub(super) topics: Topics,
    /// The manager's own domain.
    pub(super) manager: String,
    /// The agents' domains, in the order of the configuration.
    pub(super) domains: Vec<String>,
}

impl Names {
    pub(super) fn new(config: &Config) -> Result<Names, TopicError<'_>> {
        let domains: Vec<&str> = config.agents.iter().map(|agent| agent.domain.as_str()).collect();
        Ok(Names {
            topics: Topics::new(&config.domain, &domains)?,
            manager: config.domain.clone(),
            domains: domains.into_iter().map(str::to_owned).collect(),
        })
    }

    pub(super) fn domain(&self, domain: DomainIx) -> &str {
        &self.domains[domain.place()]
    }

    /// The domain with this name, if an agent serves it.
    pub(super) fn find(&self, name: Text<'_>) -> Option<DomainIx> {
        self.domains.iter().position(|known| name.eq_str(known)).and_then(DomainIx::new)
    }
}

impl Outside {
    /// Without a link; activities are saved or not. Allocates all that it will ever hold.
    pub(super) fn new(names: Names, options: Options, is_saved: bool) -> Outside {
        Outside { names, session: Session::new(options), store: Store::new(is_saved), counters: Counters::default() }
    }

    /// Sends a message, or logs that it is lost.
    pub(super) fn send(&mut self, now: Now, message: Message<'_>) {
        send(&mut self.session, now, message);
    }

    /// Acknowledges a message, after the save if one may depend on it.
    pub(super) fn acknowledge(&mut self, ack: Option<Ack>) {
        if let Some(ack) = ack.and_then(|ack| self.store.acknowledge(ack)) {
            self.session.acknowledge(ack);
        }
    }

    /// Whether an answer still leaves room for what an activity needs.
    pub(super) fn has_answer_room(&self) -> bool {
        self.session.has_room(ANSWER_ROOM, ANSWER_ROOM_MESSAGES)
    }

    /// How many more final reports may wait for the broker.
    pub(super) fn report_room(&self) -> usize {
        REPORTS_MAX.saturating_sub(self.session.found().count())
    }

    /// Whether an activity has room for what it needs at once, and for its end among
    /// those that the broker has not acknowledged.
    pub(super) fn has_activity_room(&self) -> bool {
        self.has_answer_room() && self.report_room() > 0
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn count_message(&mut self) {
        self.counters.messages = self.counters.messages.saturating_add(1);
    }

    pub(super) fn count_oversized(&mut self) {
        self.count_message();
        self.counters.oversized = self.counters.oversized.saturating_add(1);
    }

    pub(super) fn count_malformed(&mut self, now: Now) {
        self.counters.malformed = self.counters.malformed.saturating_add(1);
        self.store.journal.note_last(now, Kind::Malformed);
    }

    pub(super) fn count_refused(&mut self, now: Now) {
        self.counters.desired_states = self.counters.desired_states.saturating_add(1);
        self.store.journal.note_last(now, Kind::Refused);
    }

    /// Counts a message that is ignored, and logs one line that names topic, activity and
    /// place.
    pub(super) fn ignore_malformed(&mut self, now: Now, topic: &str, bytes: &[u8], malformed: &Malformed) {
        self.count_malformed(now);
        match activity_of(bytes) {
            Some(activity) => log::warn!("{topic}: {activity}: message ignored: {malformed}"),
            None => log::warn!("{topic}: message ignored: {malformed}"),
        }
    }
}

/// Sends a message, or logs that it is lost.
pub(super) fn send(session: &mut Session, now: Now, message: Message<'_>) {
    if let Err(error) = session.publish(now.tick, message) {
        log::error!("a message to {} is lost: {error}", message.topic);
    }
}

/// A message that is its body alone.
pub(super) fn message_to<'a>(topic: &'a str, class: Class, body: Write<'a>) -> Message<'a> {
    Message { topic, retain: false, class, body, detail: None, document: None, tail: "" }
}

/// A message that is an envelope around what its body writes.
pub(super) fn enveloped<'a>(topic: &'a str, class: Class, body: Write<'a>) -> Message<'a> {
    Message { tail: encode::TAIL, ..message_to(topic, class, body) }
}
