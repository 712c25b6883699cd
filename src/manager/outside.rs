//! What all parts share: the session with the broker, the store, the names from the
//! configuration, and the counters of incoming messages.
//!
//! In: messages to send, acknowledgements, and what there is to count. Out: bytes of the
//! session, through `link`, and the counters.
//!
//! Invariants: the names never change. Session and store keep their own invariants; a part
//! calls their methods and sees none of their fields but the journal.
//!
//! Deliberately absent: decisions, and state that belongs to one part.

use crate::config::Config;
use crate::console::view::Counters;
use crate::limits::{ANSWER_ROOM, ANSWER_ROOM_MESSAGES, REPORTS_MAX};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{DomainIx, DomainSet};
use crate::mqtt::{Ack, Class, Message, Options, Session, Write};
use crate::store::journal::Kind;
use crate::store::Store;
use crate::wire::topic::{Outgoing, TopicError, Topics};
use crate::wire::{activity_of, encode, Malformed};

/// Holds the session, the store, the names and the counters.
pub(super) struct Outside {
    pub(super) session: Box<Session>,
    pub(super) store: Store,
    pub(super) names: Names,
    counters: Counters,
}

/// Holds the names of domains and topics.
pub(super) struct Names {
    pub(super) topics: Topics,
    /// The manager's own domain.
    pub(super) manager: String,
    /// The agents' domains, in the order of the configuration.
    pub(super) domains: Vec<String>,
}

impl Names {
    /// Takes the names from a configuration.
    ///
    /// # Errors
    /// Two domains would have the same topics, or one can have none.
    pub(super) fn new(config: &Config) -> Result<Names, TopicError<'_>> {
        let domains: Vec<&str> = config.agents.iter().map(|agent| agent.domain.as_str()).collect();
        Ok(Names {
            topics: Topics::new(&config.domain, &domains)?,
            manager: config.domain.clone(),
            domains: domains.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Returns the name of an agent's domain.
    pub(super) fn domain(&self, domain: DomainIx) -> &str {
        &self.domains[domain.place()]
    }

    /// Finds the domain whose desired states or commands go to this topic.
    pub(super) fn domain_of_order(&self, topic: &str) -> Option<DomainIx> {
        let is_it = |outgoing: Outgoing| self.topics.outgoing(outgoing).as_str() == topic;
        let is_of =
            |domain: &DomainIx| is_it(Outgoing::AgentDesiredState(*domain)) || is_it(Outgoing::AgentCommand(*domain));
        DomainSet::first(self.domains.len()).iter().find(is_of)
    }

    /// Finds the domain with this name; none if no agent serves it.
    pub(super) fn find(&self, name: Text<'_>) -> Option<DomainIx> {
        self.domains.iter().position(|known| name.eq_str(known)).and_then(DomainIx::new)
    }
}

impl Outside {
    /// Creates it without a link. `is_saved`: activities are saved. Allocates all that it
    /// will ever hold.
    pub(super) fn new(names: Names, options: Options, is_saved: bool) -> Outside {
        Outside { names, session: Session::new(options), store: Store::new(is_saved), counters: Counters::default() }
    }

    /// Sends a message; if there is no room for it, logs that it is lost.
    pub(super) fn send(&mut self, now: Now, message: Message<'_>) {
        send(&mut self.session, now, message);
    }

    /// Acknowledges a message, after the save that may depend on it.
    pub(super) fn acknowledge(&mut self, ack: Option<Ack>) {
        if let Some(ack) = ack.and_then(|ack| self.store.acknowledge(ack)) {
            self.session.acknowledge(ack);
        }
    }

    /// Returns whether an answer still leaves room for the messages of an activity.
    pub(super) fn has_answer_room(&self) -> bool {
        self.session.has_room(ANSWER_ROOM, ANSWER_ROOM_MESSAGES)
    }

    /// Returns how many more final reports may wait for the broker.
    pub(super) fn report_room(&self) -> usize {
        REPORTS_MAX.saturating_sub(self.session.found().count())
    }

    /// Returns whether there is room for the first messages of an activity, and for its
    /// final report among those that the broker has not acknowledged.
    pub(super) fn has_activity_room(&self) -> bool {
        self.has_answer_room() && self.report_room() > 0
    }

    /// Returns the counts so far.
    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Counts a message that came in.
    pub(super) fn count_message(&mut self) {
        self.counters.messages = self.counters.messages.saturating_add(1);
    }

    /// Counts a message that came in and is too large.
    pub(super) fn count_oversized(&mut self) {
        self.count_message();
        self.counters.oversized = self.counters.oversized.saturating_add(1);
    }

    /// Counts a malformed message, and notes it in the journal.
    pub(super) fn count_malformed(&mut self, now: Now) {
        self.counters.malformed = self.counters.malformed.saturating_add(1);
        self.store.journal.note_last(now, Kind::Malformed);
    }

    /// Counts a refused desired state, and notes it in the journal.
    pub(super) fn count_refused(&mut self, now: Now) {
        self.counters.desired_states = self.counters.desired_states.saturating_add(1);
        self.store.journal.note_last(now, Kind::Refused);
    }

    /// Counts a malformed message that nobody answers, and logs one line with its topic, its
    /// activity, and where the flaw is.
    pub(super) fn ignore_malformed(&mut self, now: Now, topic: &str, bytes: &[u8], malformed: &Malformed) {
        self.count_malformed(now);
        match activity_of(bytes) {
            Some(activity) => log::warn!("{topic}: {activity}: message ignored: {malformed}"),
            None => log::warn!("{topic}: message ignored: {malformed}"),
        }
    }
}

/// Sends a message; if there is no room for it, logs that it is lost.
pub(super) fn send(session: &mut Session, now: Now, message: Message<'_>) {
    if let Err(error) = session.publish(now.tick, message) {
        log::error!("a message to {} is lost: {error}", message.topic);
    }
}

/// Returns a message whose payload is its body alone.
pub(super) fn message_to<'a>(topic: &'a str, class: Class, body: Write<'a>) -> Message<'a> {
    Message { topic, retain: false, class, body, detail: None, document: None, tail: "" }
}

/// Returns a message whose body begins an envelope, which is ended here.
pub(super) fn enveloped<'a>(topic: &'a str, class: Class, body: Write<'a>) -> Message<'a> {
    Message { tail: encode::TAIL, ..message_to(topic, class, body) }
}
