//! The agents: sends them desired states, commands and requests, and reads their feedback.
//!
//! In: accepted desired states, effects of the engine and the inventory, feedback, and
//! changes of the link. Out: messages to the agents, and events for the engine.
//!
//! Invariants: an agent gets only parts of the desired state that was accepted last. If the
//! broker loses the session, the engine learns once which orders were lost with it.
//!
//! Deliberately absent: what an agent owes and when a command is repeated; the engine
//! decides that. The agents' inventories are in `inventory`.

pub(super) mod notices;
mod parts;

use core::fmt;

use heapless::Vec;

use super::documents::{is_for_agent, kept, part};
use super::outside::{enveloped, Names, Outside};
use super::wanted::Wanted;
use crate::console::view::Heard;
use crate::engine::event::{Action, Feedback};
use crate::engine::{Campaign, Event, Link, Rejected};
use crate::limits::{ACTIONS_MAX, HEARD_MAX};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{Command, DomainIx, DomainSet};
use crate::mqtt::{Class, Document, Message};
use crate::store::document::Payload;
use crate::wire::node::{Node, Versioned};
use crate::wire::topic::Outgoing;
use crate::wire::{activity, desired_state, encode, feedback, Envelope, Malformed};
use parts::Parts;

/// Holds what is known of the messages to and from the agents.
pub(super) struct Agents {
    /// The desired state of which each gets its part.
    parts: Parts,
    /// The last feedback of each in the running activity, by the domains' places.
    heard: std::vec::Vec<Option<Heard>>,
    /// The SUBSCRIBE of the present link while it is not answered; 0: none.
    subscribing: u16,
    /// Domains to which an order was under way when the last link was lost.
    ordered: DomainSet,
    /// Domains whose ROLLBACK the broker has not acknowledged yet.
    rolling_back: DomainSet,
}

impl Agents {
    /// Creates it without a desired state. Allocates the place of one.
    pub(super) fn new() -> Agents {
        Agents {
            parts: Parts::new(),
            heard: std::vec::Vec::new(),
            subscribing: 0,
            ordered: DomainSet::EMPTY,
            rolling_back: DomainSet::EMPTY,
        }
    }

    /// Takes an accepted desired state in place of the one before.
    pub(super) fn begin(&mut self, outside: &mut Outside, wanted: &Wanted<'_>) {
        for part in wanted.parts.iter().filter(|part| part.domain.is_none()) {
            log::warn!("{}: no agent for domain {}", wanted.key.activity, part.id);
        }
        self.heard = std::vec::Vec::new();
        outside.session.discard_documents(is_for_agent);
        self.parts.keep(wanted);
    }

    /// Takes the payload of a saved desired state if it has this checksum. Returns whether it
    /// does.
    pub(super) fn resume(&mut self, payload: &[u8], crc: u32, names: &Names) -> bool {
        let Ok(node) = Node::document(payload) else { return false };
        let envelope = Envelope::around(node);
        let Ok(state) = desired_state::decode(&envelope) else { return false };
        let wanted = Wanted::of(payload, None, &envelope, state, names).filter(|wanted| wanted.key.crc == crc);
        wanted.iter().for_each(|wanted| self.parts.keep(wanted));
        wanted.is_some()
    }

    /// Returns the payload of the desired state.
    pub(super) fn payload(&self) -> &Payload {
        self.parts.payload()
    }

    /// Encodes a domain's part of the desired state.
    pub(super) fn write_part(&self, domain: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        self.parts.write(domain, out)
    }

    /// Returns the components that a domain's part of the desired state wants; none if it has
    /// no part.
    pub(super) fn components(&self, domain: DomainIx) -> Option<impl Iterator<Item = Versioned<'_>>> {
        self.parts.components(domain)
    }

    /// Returns each agent's last feedback in the running activity, by the domains' places.
    pub(super) fn heard(&self) -> &[Option<Heard>] {
        &self.heard
    }

    /// Notes the SUBSCRIBE of the agents' topics on a new link.
    pub(super) fn await_subscription(&mut self, packet: u16) {
        self.subscribing = packet;
    }

    /// Handles the answer to a SUBSCRIBE. Returns an event if it was that of the agents'
    /// topics.
    pub(super) fn handle_subscribed(&mut self, packet: u16) -> Option<Event<'static>> {
        let is_it = self.subscribing == packet;
        is_it.then(|| {
            self.subscribing = 0;
            Event::Link(Link::Subscribed)
        })
    }

    /// Handles the loss of the link.
    pub(super) fn handle_lost(&mut self, outside: &Outside) {
        self.ordered = domains_with_orders(outside);
    }

    /// Handles a new connection. Returns the event for the engine: if the broker has lost the
    /// session, the orders that were sent in it are lost.
    pub(super) fn handle_connected(&mut self, outside: &Outside, session_present: bool) -> Event<'static> {
        let before = core::mem::take(&mut self.ordered);
        Event::Link(match session_present {
            true => Link::Kept,
            false => {
                let unsent = domains_with_orders(outside);
                let dropped = before.without(unsent);
                self.rolling_back = self.rolling_back.without(dropped);
                Link::Fresh { unsent, dropped }
            }
        })
    }

    /// Notes that a domain was sent ROLLBACK.
    pub(super) fn await_rollback(&mut self, domain: DomainIx) {
        self.rolling_back.insert(domain);
    }

    /// Returns the event that the broker has the ROLLBACK that went to a domain, once for each.
    pub(super) fn take_taken(&mut self, outside: &Outside) -> Option<Event<'static>> {
        let taken = self.rolling_back.iter().find(|domain| !has_orders(outside, *domain))?;
        self.rolling_back.remove(taken);
        Some(Event::Taken(taken))
    }

    /// Logs a feedback, and keeps it for the console if its activity runs.
    pub(super) fn hear(
        &mut self,
        names: &Names,
        campaign: Option<&Campaign>,
        domain: DomainIx,
        feedback: &Feedback<'_>,
    ) {
        let Feedback { activity, status, message, actions, .. } = feedback;
        log::debug!("[{}] {activity}: says {}, {} actions", names.domain(domain), status.name(), actions.len());
        if !campaign.is_some_and(|campaign| campaign.is_running() && campaign.is_of_domain(domain, feedback)) {
            return;
        }
        if self.heard.len() <= domain.place() {
            self.heard.resize(domain.place() + 1, None);
        }
        let words = message.cut(HEARD_MAX).as_json().to_owned();
        self.heard[domain.place()] = Some(Heard { status: *status, words });
    }
}

/// Sends the domain its part of the desired state.
pub(super) fn forward(now: Now, outside: &mut Outside, campaign: Option<&Campaign>, domain: DomainIx) {
    let Some(campaign) = campaign else { return };
    order(now, outside, Text::from_checked(&campaign.identity.activity), domain, Order::State(part(domain)));
}

/// Sends the domain a command.
pub(super) fn command(
    now: Now,
    outside: &mut Outside,
    campaign: Option<&Campaign>,
    domain: DomainIx,
    command: Command,
) {
    let Some(campaign) = campaign else { return };
    order(now, outside, Text::from_checked(&campaign.identity.activity), domain, Order::Command(command));
}

/// Sends the domain what it was committed to, or a command about it: in the activity in which
/// it is restored.
pub(super) fn restore(
    now: Now,
    outside: &mut Outside,
    campaign: Option<&Campaign>,
    domain: DomainIx,
    command: Option<Command>,
) {
    let original = campaign.map(|campaign| Text::from_checked(&campaign.identity.activity));
    // A desired state with a longer id is refused.
    let Some(id) = original.and_then(activity::restoring) else { return };
    let name = outside.names.domain(domain);
    if command.is_none() && outside.store.kept(name).is_none() {
        return log::error!("[{name}] {id}: what it was committed to is not kept any more");
    }
    let what = command.map_or(Order::State(kept(domain)), Order::Command);
    order(now, outside, Text::from_checked(&id), domain, what);
}

/// What a domain is sent.
enum Order {
    /// This desired state.
    State(Document),
    Command(Command),
}

fn order(now: Now, outside: &mut Outside, activity: Text<'_>, domain: DomainIx, order: Order) {
    let (command, document) = match order {
        Order::State(document) => (None, Some(document)),
        Order::Command(command) => (Some(command), None),
    };
    let what = command.map_or("desired state", Command::name);
    log::info!("[{}] {activity}: {what}", outside.names.domain(domain));
    let body = |out: &mut dyn fmt::Write| {
        encode::head(out, activity, now.wall)?;
        command.map_or(Ok(()), |command| encode::command(out, command))
    };
    let outgoing = command.map_or(Outgoing::AgentDesiredState(domain), |_| Outgoing::AgentCommand(domain));
    let topic = outside.names.topics.outgoing(outgoing);
    outside.send(now, Message { document, ..enveloped(&topic, Class::Order, &body) });
}

/// Asks these domains for their inventories, if there is a connection.
pub(super) fn ask(now: Now, outside: &mut Outside, domains: DomainSet, activity: Text<'_>) {
    if !outside.session.is_connected() {
        // The next connection asks all agents that are not busy, and the engine asks again.
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

/// Decodes a feedback. `actions` receives its actions. `is_repeat`: the broker may have
/// delivered it before.
///
/// # Errors
/// It is malformed.
pub(super) fn decode<'b, 'a: 'b>(
    bytes: &'a [u8],
    is_repeat: bool,
    actions: &'b mut Vec<Action<'a>, ACTIONS_MAX>,
) -> Result<Feedback<'b>, Malformed> {
    let envelope = Envelope::decode(bytes)?;
    let head = feedback::decode(&envelope, actions)?;
    Ok(Feedback {
        activity: envelope.activity,
        restores: activity::restored(envelope.activity),
        status: head.status,
        message: head.message,
        actions,
        is_repeat,
        past_limit: head.past_limit,
    })
}

/// Logs why the engine ignores a feedback.
pub(super) fn log_rejected(names: &Names, domain: DomainIx, feedback: &Feedback<'_>, rejected: Rejected) {
    let why = match rejected {
        Rejected::NotTakingPart => "the domain takes no part",
        Rejected::Ended => "the domain's part has ended",
        _ => "no such activity runs",
    };
    let Feedback { activity, status, .. } = feedback;
    log::info!("[{}] {activity}: {} ignored, {why}", names.domain(domain), status.name());
}

/// Returns whether an order to the domain is under way.
fn has_orders(outside: &Outside, domain: DomainIx) -> bool {
    let waits = |outgoing: Outgoing| outside.session.has_topic(outside.names.topics.outgoing(outgoing).as_str());
    waits(Outgoing::AgentDesiredState(domain)) || waits(Outgoing::AgentCommand(domain))
}

/// Returns the domains to which an order is under way.
fn domains_with_orders(outside: &Outside) -> DomainSet {
    let all = DomainSet::first(outside.names.domains.len());
    all.iter().filter(|domain| has_orders(outside, *domain)).collect()
}
