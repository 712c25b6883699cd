//! The backend, on plain topics or as a digital twin (docs/twin-api.md): reads what it asks for,
//! answers it, and sends reports.
//!
//! In: the backend's messages, the identity that the edge announces, effects of the engine
//! and the inventory. Out: messages to the backend, and a [`Wish`] for the other parts.
//!
//! Invariants: a desired state that is refused gets one answer, however often the broker
//! delivers it. A request that a connector delivers by several forms of topic is handled once.
//! A report that has to wait for the twin's identity is sent when it is known.
//!
//! Deliberately absent: the course of an activity, and when inventories are reported.

pub(super) mod admission;
pub(super) mod form;
mod oversized;
mod refusals;
mod repeats;
pub(super) mod report;
mod request;
mod twin;

use std::rc::Rc;

use super::outside::{Names, Outside};
use super::wanted::Wanted;
use crate::console::view::Thing;
use crate::engine::Event;
use crate::model::text::Text;
use crate::wire::things::{self, Identity, RequestTopic};
use crate::wire::topic::{Incoming, Topics};
use form::Form;
use oversized::Skimmed;
use refusals::Refusals;
use repeats::Repeats;
use twin::Twin;

/// Holds how the backend is spoken to, and what it was refused.
pub(super) struct Backend {
    /// None on plain topics.
    twin: Option<Twin>,
    /// Desired states that were refused.
    refusals: Refusals,
    /// Requests to the twin that came last.
    repeats: Repeats,
    /// The oversized message that is being received.
    skimmed: Skimmed,
}

/// What the backend asks of the other parts.
pub(super) enum Wish<'a> {
    /// Nothing: the message is answered or ignored already.
    Nothing,
    /// To apply a desired state.
    Apply(Box<Wanted<'a>>),
    /// To report the current state under this activity.
    Get(Text<'a>),
    /// To hand this event to the engine.
    Tell(Event<'a>),
}

/// The sender of a message, by its topic.
pub(super) enum Origin<'t> {
    /// The edge, with the twin's identity.
    Edge,
    /// The backend, as a request to a thing.
    Thing(RequestTopic<'t>),
    /// Any party, on a plain topic.
    Plain(Incoming),
}

impl Backend {
    /// Creates it; a twin has no identity yet.
    pub(super) fn new(is_twin: bool) -> Backend {
        Backend {
            twin: is_twin.then(Twin::default),
            refusals: Refusals::default(),
            repeats: Repeats::default(),
            skimmed: Skimmed::default(),
        }
    }

    /// Returns whether the backend is spoken to as a twin.
    pub(super) fn is_twin(&self) -> bool {
        self.twin.is_some()
    }

    /// Returns whether this is a twin that does not know its identity yet.
    pub(super) fn is_thing_unknown(&self) -> bool {
        self.twin.as_ref().is_some_and(|twin| twin.identity().is_none())
    }

    /// Returns the twin's identity, if it is known.
    pub(super) fn identity(&self) -> Option<&Rc<Identity>> {
        self.twin.as_ref()?.identity()
    }

    /// Returns as whom the backend knows the device.
    pub(super) fn thing(&self) -> Thing<'_> {
        match (&self.twin, self.identity()) {
            (None, _) => Thing::None,
            (Some(_), None) => Thing::Unknown,
            (Some(_), Some(identity)) => Thing::Known(identity.device_id()),
        }
    }

    /// Returns the form of messages to the backend; none for a twin without identity.
    pub(super) fn form(&self) -> Option<Form> {
        match &self.twin {
            None => Some(Form::Plain),
            Some(twin) => twin.identity().cloned().map(Form::Thing),
        }
    }

    /// Takes the saved identity of a twin. It holds until the edge announces another one,
    /// since requests that the broker has kept arrive before that.
    pub(super) fn resume(&mut self, thing: Option<&(String, String)>) {
        if let Some(twin) = &mut self.twin {
            twin.set_identity(thing.and_then(|(thing, tenant)| Identity::of(thing, tenant)));
        }
    }

    /// Handles the identity that the edge announces. Returns the filters of requests to it;
    /// none if it is malformed or known already.
    pub(super) fn handle_edge(&mut self, topic: &str, bytes: &[u8]) -> Option<Vec<String>> {
        let identity = match Identity::decode(bytes) {
            Ok(identity) => identity,
            Err(malformed) => {
                log::error!("{topic}: refused: {malformed}");
                return None;
            }
        };
        if self.identity().is_some_and(|known| **known == identity) {
            log::debug!("{topic}: nothing new");
            return None;
        }
        log::info!("the device is {:?}", identity.device_id());
        let filters = RequestTopic::filters(&identity);
        if let Some(twin) = &mut self.twin {
            twin.set_identity(Some(identity));
        }
        Some(filters.iter().map(|filter| filter.as_str().to_owned()).collect())
    }

    /// Returns the sender of a message; none if it is not for us, as are the plain topics of
    /// the backend for a twin.
    pub(super) fn classify<'t>(&self, topics: &Topics, topic: &'t str) -> Option<Origin<'t>> {
        let Some(twin) = &self.twin else { return topics.classify(topic).map(Origin::Plain) };
        match things::Incoming::classify(topic, twin.identity().map(|identity| &**identity)) {
            Some(things::Incoming::EdgeResponse) => Some(Origin::Edge),
            Some(things::Incoming::Request(request)) => Some(Origin::Thing(request)),
            None => topics.classify(topic).filter(is_agents).map(Origin::Plain),
        }
    }

    /// Returns the filters of all messages but the owner's answers.
    pub(super) fn filters(&self, names: &Names) -> Vec<String> {
        let mut filters = Vec::new();
        if let Some(twin) = &self.twin {
            filters.push(things::EDGE_RESPONSE.to_owned());
            if let Some(identity) = twin.identity() {
                filters.extend(RequestTopic::filters(identity).map(|filter| filter.as_str().to_owned()));
            }
        }
        for incoming in names.topics.subscriptions() {
            if self.twin.is_none() || is_agents(&incoming) {
                filters.push(names.topics.incoming(incoming).as_str().to_owned());
            }
        }
        filters
    }

    /// Returns whether a report waits for the twin's identity.
    pub(super) fn has_waiting(&self, outside: &Outside) -> bool {
        let has_status = self.twin.as_ref().is_some_and(Twin::has_waiting);
        has_status || outside.store.journal.past().any(|past| past.is_untold)
    }
}

fn is_agents(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::AgentFeedback(_) | Incoming::AgentInventory(_))
}
