//! The agents: what is sent to them and heard from them.
//!
//! In: desired states to be led through the agents, effects of the engine and of the
//! inventory, messages on the agents' topics, and what becomes of the link. Out: messages
//! to the agents, and the engine's events that theirs are.
//!
//! Invariants: an agent gets a part of the desired state that was accepted last, and of no
//! other. A message of an activity that was under way when the broker lost the session is
//! known to be lost, once.
//!
//! Deliberately absent: what an agent owes, and when it is told again; that is for the
//! engine. Their inventories are in `inventory`.

pub(super) mod notices;
mod parts;

use core::fmt;

use heapless::Vec;

use super::activity::runs;
use super::documents::{is_part, part};
use super::outside::{enveloped, Names, Outside};
use super::wanted::Wanted;
use crate::console::view::Heard;
use crate::engine::event::{Action, Feedback};
use crate::engine::{Campaign, Event, Link, Rejected};
use crate::limits::{ACTIONS_MAX, HEARD_MAX};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{Command, DomainIx, DomainSet};
use crate::mqtt::{Class, Message};
use crate::wire::node::Node;
use crate::wire::topic::Outgoing;
use crate::wire::{desired_state, encode, feedback, Envelope, Malformed};
use parts::Parts;

/// What is known of the messages to and from the agents.
pub(super) struct Agents {
    /// The desired state of which each gets its part.
    parts: Parts,
    /// What each said last, by the domains' places.
    heard: std::vec::Vec<Option<Heard>>,
    /// The SUBSCRIBE of the present link that is not answered yet, 0 if there is none.
    subscribing: u16,
    /// Domains with a message of ours under way when the last link was lost.
    ordered: DomainSet,
}

impl Agents {
    /// Without a desired state. Allocates the place of one.
    pub(super) fn new() -> Agents {
        Agents { parts: Parts::new(), heard: std::vec::Vec::new(), subscribing: 0, ordered: DomainSet::EMPTY }
    }

    /// A desired state was accepted: its parts take the place of those before.
    pub(super) fn begin(&mut self, outside: &mut Outside, wanted: &Wanted<'_>) {
        for part in wanted.parts.iter().filter(|part| part.domain.is_none()) {
            log::warn!("{}: no agent for domain {}", wanted.key.activity, part.id);
        }
        // What was said before is of no interest any more.
        self.heard = std::vec::Vec::new();
        outside.session.discard_documents(is_part);
        self.parts.keep(wanted);
    }

    /// Keeps the payload of a saved desired state; whether it is the one with this checksum.
    pub(super) fn resume(&mut self, payload: &[u8], crc: u32, names: &Names) -> bool {
        let Ok(node) = Node::document(payload) else { return false };
        let envelope = Envelope::around(node);
        let Ok(state) = desired_state::decode(&envelope) else { return false };
        let wanted = Wanted::of(payload, &envelope, state, names).filter(|wanted| wanted.key.crc == crc);
        wanted.iter().for_each(|wanted| self.parts.keep(wanted));
        wanted.is_some()
    }

    /// The payload of the desired state that is kept.
    pub(super) fn payload(&self) -> &[u8] {
        self.parts.payload()
    }

    /// Encodes a domain's part of the desired state.
    pub(super) fn write_part(&self, domain: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        self.parts.write(domain, out)
    }

    /// What each agent said last in the running activity, by the domains' places.
    pub(super) fn heard(&self) -> &[Option<Heard>] {
        &self.heard
    }

    /// The agents' topics are subscribed to with this SUBSCRIBE.
    pub(super) fn await_subscription(&mut self, packet: u16) {
        self.subscribing = packet;
    }

    /// A SUBSCRIBE was answered: perhaps that of the agents' topics, so that they can be
    /// heard now.
    pub(super) fn handle_subscribed(&mut self, packet: u16) -> Option<Event<'static>> {
        let is_it = self.subscribing == packet;
        is_it.then(|| {
            self.subscribing = 0;
            Event::Link(Link::Subscribed)
        })
    }

    /// The link is lost.
    pub(super) fn handle_lost(&mut self, outside: &Outside) {
        self.ordered = domains_with_orders(outside);
    }

    /// What a new link means to the messages to agents: those that were sent in a session
    /// that the broker has lost are gone.
    pub(super) fn handle_connected(&mut self, outside: &Outside, session_present: bool) -> Event<'static> {
        let before = core::mem::take(&mut self.ordered);
        Event::Link(match session_present {
            true => Link::Kept,
            false => {
                let unsent = domains_with_orders(outside);
                Link::Fresh { unsent, dropped: before.without(unsent) }
            }
        })
    }

    /// Takes note of a feedback and logs it.
    pub(super) fn hear(
        &mut self,
        names: &Names,
        campaign: Option<&Campaign>,
        domain: DomainIx,
        feedback: &Feedback<'_>,
    ) {
        let Feedback { activity, status, message, actions, .. } = feedback;
        log::debug!("[{}] {activity}: says {}, {} actions", names.domain(domain), status.name(), actions.len());
        if !runs(campaign, *activity) {
            return;
        }
        if self.heard.len() <= domain.place() {
            self.heard.resize(domain.place() + 1, None);
        }
        let words = message.cut(HEARD_MAX).as_json().to_owned();
        self.heard[domain.place()] = Some(Heard { status: *status, words });
    }
}

/// Gives the domain its part of the desired state.
pub(super) fn forward(now: Now, outside: &mut Outside, campaign: Option<&Campaign>, domain: DomainIx) {
    let Some(campaign) = campaign else { return };
    let activity = Text::from_checked(&campaign.activity);
    log::info!("[{}] {activity}: desired state", outside.names.domain(domain));
    let body = |out: &mut dyn fmt::Write| encode::head(out, activity, now.wall);
    let topic = outside.names.topics.outgoing(Outgoing::AgentDesiredState(domain));
    let message = enveloped(&topic, Class::Order, &body);
    outside.send(now, Message { document: Some(part(domain)), ..message });
}

/// Gives the domain a command.
pub(super) fn command(
    now: Now,
    outside: &mut Outside,
    campaign: Option<&Campaign>,
    domain: DomainIx,
    command: Command,
) {
    let Some(campaign) = campaign else { return };
    let activity = Text::from_checked(&campaign.activity);
    log::info!("[{}] {activity}: {}", outside.names.domain(domain), command.name());
    let body = |out: &mut dyn fmt::Write| {
        encode::head(out, activity, now.wall)?;
        encode::command(out, command)
    };
    let topic = outside.names.topics.outgoing(Outgoing::AgentCommand(domain));
    outside.send(now, enveloped(&topic, Class::Order, &body));
}

/// Asks these domains for their inventories.
pub(super) fn ask(now: Now, outside: &mut Outside, domains: DomainSet, activity: Text<'_>) {
    if !outside.session.is_connected() {
        // The next connection asks all agents anyway.
        return;
    }
    let body = |out: &mut dyn fmt::Write| {
        encode::head(out, activity, now.wall)?;
        out.write_str(encode::NULL)
    };
    for domain in domains.iter() {
        log::debug!("[{}] {activity}: asked for its inventory", outside.names.domain(domain));
        let topic = outside.names.topics.outgoing(Outgoing::AgentCurrentStateGet(domain));
        outside.send(now, enveloped(&topic, Class::LinkBound, &body));
    }
}

/// Decodes a feedback; its actions are put into `actions`.
pub(super) fn decode<'b, 'a: 'b>(
    bytes: &'a [u8],
    is_repeat: bool,
    actions: &'b mut Vec<Action<'a>, ACTIONS_MAX>,
) -> Result<Feedback<'b>, Malformed> {
    let envelope = Envelope::decode(bytes)?;
    let head = feedback::decode(&envelope, actions)?;
    Ok(Feedback {
        activity: envelope.activity,
        status: head.status,
        message: head.message,
        actions,
        is_repeat,
        past_limit: head.past_limit,
    })
}

/// Logs why the engine does nothing with a feedback.
pub(super) fn log_rejected(names: &Names, domain: DomainIx, feedback: &Feedback<'_>, rejected: Rejected) {
    let why = match rejected {
        Rejected::NotTakingPart => "the domain takes no part",
        Rejected::Ended => "the domain's part has ended",
        _ => "no such activity runs",
    };
    let Feedback { activity, status, .. } = feedback;
    log::info!("[{}] {activity}: {} ignored, {why}", names.domain(domain), status.name());
}

/// The domains to which a message of an activity is under way.
fn domains_with_orders(outside: &Outside) -> DomainSet {
    let waits = |outgoing: Outgoing| outside.session.has_topic(outside.names.topics.outgoing(outgoing).as_str());
    let has_orders =
        |domain: &DomainIx| waits(Outgoing::AgentDesiredState(*domain)) || waits(Outgoing::AgentCommand(*domain));
    DomainSet::first(outside.names.domains.len()).iter().filter(has_orders).collect()
}
