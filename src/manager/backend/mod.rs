//! The backend, on the plain topics or as a digital twin (things.md): who we are to it,
//! what it asks for, and what it is answered and reported.
//!
//! In: the backend's messages, the edge's, and effects of the engine and of the inventory.
//! Out: messages to the backend; what it wants of the other parts, as a [`Wish`].
//!
//! Invariants: each desired state that is not applied has one answer, however often the
//! broker delivers it. What cannot be reported before it is known who we are is reported
//! afterwards.
//!
//! Deliberately absent: the course of an activity, and when inventories are reported.

pub(super) mod admission;
pub(super) mod form;
mod oversized;
mod refusals;
pub(super) mod report;
mod request;
mod twin;

use std::rc::Rc;

use super::outside::{Names, Outside};
use super::wanted::Wanted;
use crate::engine::Event;
use crate::model::text::Text;
use crate::wire::things::{self, Identity, RequestTopic};
use crate::wire::topic::{Incoming, Topics};
use form::Form;
use oversized::Skimmed;
use refusals::Refusals;
use twin::Twin;

/// What is known of the backend.
pub(super) struct Backend {
    /// None: the backend speaks on the plain topics.
    twin: Option<Twin>,
    /// Desired states that were refused.
    refusals: Refusals,
    /// What is known of a message that is too large to hold.
    skimmed: Skimmed,
}

/// What the backend wants of the other parts.
pub(super) enum Wish<'a> {
    /// Nothing, or it is answered already.
    Nothing,
    /// A desired state is to be applied.
    Apply(Box<Wanted<'a>>),
    /// The current state is to be reported under this activity.
    Get(Text<'a>),
    /// The engine is to know this.
    Tell(Event<'a>),
}

/// Where a message comes from.
pub(super) enum Origin<'t> {
    /// The edge, which says who we are.
    Edge,
    /// The backend, as a request to a thing.
    Thing(RequestTopic<'t>),
    /// Anybody, on a plain topic.
    Plain(Incoming),
}

impl Backend {
    pub(super) fn new(is_twin: bool) -> Backend {
        Backend { twin: is_twin.then(Twin::default), refusals: Refusals::default(), skimmed: Skimmed::default() }
    }

    pub(super) fn is_twin(&self) -> bool {
        self.twin.is_some()
    }

    /// Whether we are a twin that does not know yet which requests are for it.
    pub(super) fn is_thing_unknown(&self) -> bool {
        self.twin.as_ref().is_some_and(|twin| twin.identity().is_none())
    }

    /// Which thing we are, as a twin that knows.
    pub(super) fn identity(&self) -> Option<&Rc<Identity>> {
        self.twin.as_ref()?.identity()
    }

    /// How the backend is spoken to; none before a twin knows who it is.
    pub(super) fn form(&self) -> Option<Form> {
        match &self.twin {
            None => Some(Form::Plain),
            Some(twin) => twin.identity().cloned().map(Form::Thing),
        }
    }

    /// Who we were when that was saved counts until the edge says otherwise: requests that
    /// the broker has kept come before that.
    pub(super) fn resume(&mut self, thing: Option<&(String, String)>) {
        if let Some(twin) = &mut self.twin {
            twin.set_identity(thing.and_then(|(thing, tenant)| Identity::of(thing, tenant)));
        }
    }

    /// The edge says who we are; the filters of requests to us, if that is news.
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

    /// What came in, by its topic. As a twin the plain topics of the backend are
    /// none of ours.
    pub(super) fn classify<'t>(&self, topics: &Topics, topic: &'t str) -> Option<Origin<'t>> {
        let Some(twin) = &self.twin else { return topics.classify(topic).map(Origin::Plain) };
        match things::Incoming::classify(topic, twin.identity().map(|identity| &**identity)) {
            Some(things::Incoming::EdgeResponse) => Some(Origin::Edge),
            Some(things::Incoming::Request(request)) => Some(Origin::Thing(request)),
            None => topics.classify(topic).filter(is_agents).map(Origin::Plain),
        }
    }

    /// The filters of all that comes in, but for the owner's answers.
    pub(super) fn filters(&self, names: &Names) -> Vec<String> {
        let name = |incoming: Incoming| names.topics.incoming(incoming).as_str().to_owned();
        let plain = names.topics.subscriptions();
        let Some(twin) = &self.twin else { return plain.map(name).collect() };
        let edge = std::iter::once(things::EDGE_RESPONSE.to_owned());
        let requests = twin.identity().into_iter().flat_map(|identity| RequestTopic::filters(identity));
        let requests = requests.map(|filter| filter.as_str().to_owned());
        edge.chain(requests).chain(plain.filter(is_agents).map(name)).collect()
    }

    /// Whether anything waits until we know who we are.
    pub(super) fn has_waiting(&self, outside: &Outside) -> bool {
        let has_status = self.twin.as_ref().is_some_and(Twin::has_waiting);
        has_status || outside.store.journal.past().any(|past| past.is_untold)
    }
}

fn is_agents(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::AgentFeedback(_) | Incoming::AgentInventory(_))
}
