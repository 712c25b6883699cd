//! Brings what comes in to where it is decided about, and what was decided to
//! where it goes: session -> `inbound` -> engine or inventory ->
//! `outbound` -> session. It decides nothing about an activity, makes no system
//! call and reads no clock, so a test can drive a whole manager with bytes and
//! time. It logs, for everybody inside.

mod backend;
mod consent;
mod console;
mod ending;
mod inbound;
mod kept;
pub(crate) mod message;
mod outbound;
mod oversized;
mod refusals;
mod retained;
mod saving;
mod status;
mod timers;
mod twin;

use crate::config::Config;
use crate::engine::{Effects, Engine, Event, Link, Rejected};
use crate::inventory::inventories::Inventories;
use crate::inventory::{self, Rounds};
use crate::model::time::{Now, Tick};
use crate::model::{DomainIx, DomainSet, Phase};
use crate::mqtt::{Event as SessionEvent, LinkWish, Options, Session};
use crate::store::journal::Kind;
use crate::store::Store;
use crate::wire::things;
use crate::wire::topic::{Incoming, Outgoing, TopicError, Topics};
use consent::Question;
use console::Console;
use ending::Ending;
use kept::Kept;
use oversized::Skimmed;
use refusals::Refusals;
use retained::{Documents, Retained};
pub use status::will;
use status::Status;
pub(crate) use timers::Timers;
use twin::Twin;

/// What the engine still wants to know about the end of an activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delivery {
    /// When every report is at the broker.
    Reports,
    /// When the inventory is, too.
    Inventory,
    /// Nothing.
    Told,
}

/// A whole manager but for the system around it.
pub struct Manager {
    session: Box<Session>,
    engine: Box<Engine>,
    /// What it decides about one event; empty between two.
    effects: Effects,
    timers: Timers,
    rounds: Box<Rounds>,
    inventories: Inventories,
    desired: Retained,
    topics: Topics,
    /// The manager's own domain.
    manager: String,
    /// The agents' domains, in the order of the configuration.
    domains: Vec<String>,
    clean_session: bool,
    kept: Kept,
    /// The SUBSCRIBE of the present link that is not answered yet, 0 if there is none.
    subscribing: u16,
    /// Domains with a message of ours under way when the last link was lost.
    ordered: DomainSet,
    disconnect_timeout_ms: u64,
    /// What is known of a message that is too large to hold.
    skimmed: Skimmed,
    question: Option<Question>,
    /// None: the backend speaks on the plain topics.
    twin: Option<Twin>,
    /// Of ids of our own.
    random: u64,
    /// The id of the question that is open, or about to be asked, and its phase.
    asked: Option<(Phase, [u8; 16])>,
    /// Desired states that were refused.
    refusals: Refusals,
    delivery: Delivery,
    store: Store,
    status: Option<Status>,
    console: Console,
    /// The shell is to reboot the host.
    reboot_wanted: bool,
    ending: Ending,
}

impl Manager {
    /// A manager without a link, which saves its activities or does not. Allocates all
    /// that it will ever hold.
    ///
    /// # Errors
    /// Two domains would have the same topics, or one can have none; `config` does
    /// not let such a configuration through.
    pub fn new<'c>(
        config: &'c Config,
        options: Options,
        engine: Engine,
        is_saved: bool,
        now: Now,
    ) -> Result<Manager, TopicError<'c>> {
        let domains: Vec<&str> = config.agents.iter().map(|agent| agent.domain.as_str()).collect();
        let read_timeouts: Vec<u64> = config.agents.iter().map(|agent| agent.read_timeout_ms).collect();
        let seed = options.seed;
        let topics = Topics::new(&config.domain, &domains)?;
        let mut store = Store::new(is_saved);
        store.journal.note(now, Kind::Started, None);
        let is_owner_asked = !config.things_enabled && !config.owner_consent_commands.is_empty();
        Ok(Manager {
            kept: Kept::new(&options, &topics, is_owner_asked),
            topics,
            clean_session: options.clean_session,
            subscribing: 0,
            ordered: DomainSet::EMPTY,
            session: Session::new(options),
            engine: Box::new(engine),
            effects: Effects::new(),
            timers: Timers::default(),
            rounds: Box::new(Rounds::new(&read_timeouts, config.current_state_delay_ms)),
            inventories: Inventories::new(),
            desired: Retained::new(),
            manager: config.domain.clone(),
            domains: domains.into_iter().map(str::to_owned).collect(),
            disconnect_timeout_ms: config.connection.disconnect_timeout_ms,
            skimmed: Skimmed::default(),
            question: None,
            twin: config.things_enabled.then(Twin::default),
            random: seed | 1,
            asked: None,
            refusals: Refusals::default(),
            delivery: Delivery::Told,
            store,
            console: Console::new(now),
            status: Status::new(&config.connection.status_topic, now),
            reboot_wanted: false,
            ending: Ending::No,
        })
    }

    /// What is to be done about the transport. Ask after everything else.
    pub fn poll_link(&mut self, now: Now) -> LinkWish {
        self.session.poll_link(now.tick)
    }

    /// The transport is there.
    pub fn handle_link_up(&mut self, now: Now) {
        self.session.handle_link_up(now.tick);
    }

    /// The transport is gone or could not be made.
    pub fn handle_link_down(&mut self, now: Now) {
        self.session.handle_link_down(now.tick);
        self.handle_events(now);
        self.ending.handle_link_down(self.store.is_writing());
    }

    /// Where to read into; empty: do not read now.
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        self.session.receive_buffer()
    }

    /// So many bytes were read.
    pub fn handle_received(&mut self, now: Now, n: usize) {
        self.session.handle_received(now.tick, n);
    }

    /// Whether anything is to come from the broker by itself; see
    /// [`Session::is_awaiting`].
    pub fn is_awaiting(&self) -> bool {
        self.session.is_awaiting()
    }

    /// Whether the broker has accepted us and answered all subscriptions.
    pub fn is_settled(&self) -> bool {
        self.session.is_settled()
    }

    /// Whether events may be left that need something to be sent first; see
    /// [`Session::is_behind`].
    pub fn is_behind(&self) -> bool {
        self.session.is_behind()
    }

    /// Deals with what was received; whether there was anything.
    pub fn handle_events(&mut self, now: Now) -> bool {
        let mut any = false;
        // What a document is encoded from must not change while it is sent.
        while !self.session.is_mid_document() {
            let Some(event) = self.session.poll_event(now.tick) else { break };
            any = true;
            self.handle_event(now, event);
        }
        self.tell_what_waited(now);
        let is_told = self.session.unacknowledged() == 0 && !self.waits_for_identity();
        if self.delivery == Delivery::Reports && is_told {
            self.delivery = Delivery::Inventory;
            let _ = self.decide(now, Event::Delivered);
        }
        if self.delivery == Delivery::Inventory && is_told && self.rounds.is_idle() {
            self.delivery = Delivery::Told;
            let _ = self.decide(now, Event::Settled);
        }
        self.advance_ending(now);
        any
    }

    /// The next bytes for the transport; 0: none for now.
    pub fn poll_transmit(&mut self, now: Now, out: &mut [u8]) -> usize {
        let documents = Documents { desired: &self.desired, inventories: &self.inventories, manager: &self.manager };
        self.session.poll_transmit(now.tick, &documents, out)
    }

    /// When `handle_timeout` is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let (session, rounds) = (self.session.poll_timeout(), self.rounds.poll_timeout());
        Tick::earliest(&[session, rounds, self.timers.next(), self.ending.next(), self.store.poll_timeout()])
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.session.poll_timeout().is_some_and(|due| due <= now.tick) {
            self.session.handle_timeout(now.tick);
        }
        let mut effects = inventory::Effects::new();
        self.rounds.handle_timeout(now.tick, &mut effects);
        self.carry_out_inventory(now, effects);
        while let Some(kind) = self.timers.take_due(now.tick) {
            // A timer of ours makes sense at any moment: nothing to reject.
            let _ = self.decide(now, Event::Timeout(kind));
        }
        self.advance_ending(now);
    }

    /// The process is told to end: the running activity is reported, the broker
    /// gets a good-bye. Told twice, it ends at once.
    pub fn handle_terminate(&mut self, now: Now) {
        if self.ending.is_no() {
            log::info!("told to end");
            self.end_activity(now);
            self.publish_status(now, false);
        }
        self.ending.begin(now.tick, self.session.is_connected() || self.store.is_writing());
        self.advance_ending(now);
    }

    /// Whether the host is to be rebooted now. Said once; if it does not come to
    /// pass, `handle_reboot_failed`.
    pub fn poll_reboot(&mut self) -> bool {
        core::mem::take(&mut self.reboot_wanted)
    }

    /// The host is still up.
    pub fn handle_reboot_failed(&mut self, now: Now) {
        let _ = self.decide(now, Event::RebootFailed);
    }

    /// Whether an activity runs, or its end is not told yet.
    pub fn is_busy(&self) -> bool {
        self.delivery != Delivery::Told || !self.busy().is_empty()
    }

    /// Whether there is nothing more to do before the process ends.
    pub fn is_ended(&self) -> bool {
        self.ending.is_over()
    }

    fn handle_event(&mut self, now: Now, event: SessionEvent) {
        match event {
            SessionEvent::Connected { session_present } => {
                self.store.journal.note(now, Kind::Connected, None);
                log::info!("connected{}", if session_present { ", the broker kept the session" } else { "" });
                self.renew_subscriptions(now, session_present);
                self.publish_status(now, true);
                let link = self.link_of(session_present);
                let _ = self.decide(now, Event::Link(link));
                if self.twin.is_some() {
                    self.ask_edge(now);
                } else {
                    let mut effects = inventory::Effects::new();
                    self.rounds.handle_link_up(now, self.busy(), &mut effects);
                    self.carry_out_inventory(now, effects);
                    self.ask_again(now);
                }
            }
            SessionEvent::Lost(_) => {
                self.ordered = self.domains_with_orders();
                self.store.journal.note(now, Kind::Lost, None);
                // The rest of a message that was being skipped never comes.
                self.skimmed = Skimmed::default();
                self.store.drop_acknowledgements();
                let _ = self.decide(now, Event::Link(Link::Down));
            }
            SessionEvent::Subscribed { packet } => {
                self.handle_agents_subscribed(now, packet);
                self.handle_subscribed(now, packet);
            }
            SessionEvent::SubscribeRefused { filters, packet } => {
                self.handle_agents_subscribed(now, packet);
                let names = self.subscriptions();
                let refused = filters.iter().filter_map(|place| names.get(usize::from(*place)));
                refused.for_each(|name| log::error!("the broker refuses the subscription to {name}"));
            }
            SessionEvent::Unsubscribed { packet } => {
                self.handle_taken_back(now, packet);
                self.ending.handle_unsubscribed();
            }
            SessionEvent::Publish(publish) => {
                self.console.counters.messages = self.console.counters.messages.saturating_add(1);
                self.handle_publish(now, publish);
            }
            SessionEvent::Oversized { topic, len, part, last, dup, ack } => {
                self.skimmed.push(&part);
                if last {
                    self.handle_oversized(now, &topic, len, dup, ack);
                }
            }
        }
    }

    /// Hands an event to the engine and carries out what it decides.
    fn decide(&mut self, now: Now, event: Event<'_>) -> Result<(), Rejected> {
        self.effects.clear();
        self.engine.handle(now.tick, event, &mut self.effects)?;
        self.look(now);
        self.hold_back();
        self.carry_out(now);
        Ok(())
    }

    /// What a new link means to the messages to agents: those that were sent in a session
    /// that the broker has lost are gone.
    fn link_of(&mut self, session_present: bool) -> Link {
        let before = core::mem::take(&mut self.ordered);
        match session_present {
            true => Link::Kept,
            false => {
                let unsent = self.domains_with_orders();
                Link::Fresh { unsent, dropped: before.without(unsent) }
            }
        }
    }

    /// The domains to which a message of an activity is under way.
    fn domains_with_orders(&self) -> DomainSet {
        let waits = |outgoing: Outgoing| self.session.has_topic(self.topics.outgoing(outgoing).as_str());
        let has_orders =
            |domain: &DomainIx| waits(Outgoing::AgentDesiredState(*domain)) || waits(Outgoing::AgentCommand(*domain));
        DomainSet::first(self.domains.len()).iter().filter(has_orders).collect()
    }

    /// A SUBSCRIBE was answered: perhaps that of the agents' topics, so that they can be
    /// heard now.
    fn handle_agents_subscribed(&mut self, now: Now, packet: u16) {
        if self.subscribing == packet {
            self.subscribing = 0;
            let _ = self.decide(now, Event::Link(Link::Subscribed));
        }
    }

    /// The domains that take part in the running activity.
    fn busy(&self) -> DomainSet {
        let running = self.engine.campaign().filter(|campaign| campaign.is_running());
        running.map_or(DomainSet::EMPTY, |campaign| campaign.participants())
    }

    fn subscriptions(&self) -> Vec<String> {
        let name = |incoming: Incoming| self.topics.incoming(incoming).as_str().to_owned();
        let plain = self.topics.subscriptions();
        let Some(twin) = &self.twin else { return plain.map(name).collect() };
        let edge = std::iter::once(things::EDGE_RESPONSE.to_owned());
        let requests = twin.identity.iter().flat_map(|identity| things::RequestTopic::filters(identity));
        let requests = requests.map(|filter| filter.as_str().to_owned());
        edge.chain(requests).chain(plain.filter(inbound::is_agents).map(name)).collect()
    }

    fn unsubscribe(&mut self, now: Now) {
        let names = self.subscriptions();
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        self.session.unsubscribe(now.tick, &names);
    }
}
