//! Brings what comes in to the part that it is for, and what was decided to the part that
//! carries it out: session -> part -> engine -> part -> session. It makes no system call
//! and reads no clock, so a test can drive a whole manager with bytes and time. It logs,
//! for everybody inside.
//!
//! | part | speaks to | has |
//! | --- | --- | --- |
//! | `activity` | the engine | the engine, its effects and timers, what it wants to know of the end |
//! | `backend` | the backend, plain or as a twin | who we are, what waits for that, refusals, what is too large |
//! | `agents` | the agents | the parts of the desired state, what was heard, what was under way |
//! | `owner` | the owner | the question for consent |
//! | `inventory` | `crate::inventory` | the requests under way, what is known of each domain |
//! | `console` | the console | the answer that waits for a save |
//! | `subscriptions` | the broker | the filters that it has of us |
//! | `presence` | whoever follows `statusTopic` | since when we are there |
//! | `ending` | the broker | how far the good-bye is |
//! | `outside` | all parts | the session, the store, the names, the counters |
//!
//! In: bytes, time, results of saves, requests of the console. Out: bytes, points in time,
//! saves, answers, the wish to reboot. The transport is in `link`, what comes in in
//! `incoming`, what is saved in `saving`; here is what goes to the engine, and where its
//! effects go.
//!
//! Invariants: a part changes its own state only, and asks nothing of another one but what
//! is handed to it. The engine gets one event at a time, and its effects are carried out
//! before the next. Nothing is handled while a document is being sent.
//!
//! Deliberately absent: any decision about an activity.

mod activity;
mod agents;
mod backend;
mod console;
mod documents;
mod ending;
mod incoming;
mod inventory;
mod link;
pub(crate) mod message;
mod outside;
mod owner;
mod presence;
mod saving;
mod subscriptions;
pub(crate) mod timers;
mod wanted;

use core::fmt;

use crate::config::Config;
use crate::engine::{Campaign, Effect, Event, Orchestrator, Rejected};
use crate::inventory::{Effect as InventoryEffect, Effects as InventoryEffects};
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::mqtt::Options;
use crate::store::journal::Kind;
use crate::wire::topic::TopicError;
use activity::Activity;
use agents::{notices, Agents};
use backend::Backend;
use console::Console;
use ending::Ending;
use inventory::Inventory;
use outside::Outside;
use owner::Owner;
pub use presence::will;
use presence::Presence;
use subscriptions::Subscriptions;

/// A whole manager but for the system around it.
pub struct Manager {
    outside: Outside,
    activity: Activity,
    backend: Backend,
    agents: Agents,
    owner: Owner,
    inventory: Inventory,
    console: Console,
    subscriptions: Subscriptions,
    presence: Presence,
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
        engine: Box<dyn Orchestrator>,
        is_saved: bool,
        now: Now,
    ) -> Result<Manager, TopicError<'c>> {
        let is_twin = config.things_enabled;
        let is_owner_asked = !is_twin && !config.owner_consent_commands.is_empty();
        let read_timeouts_ms: Vec<u64> = config.agents.iter().map(|agent| agent.read_timeout_ms).collect();
        let connection = &config.connection;
        let (seed, clean_session) = (options.seed, options.clean_session);
        let names = outside::Names::new(config)?;
        let subscriptions = Subscriptions::new(&options, &names.topics, is_owner_asked);
        let owner = Owner::new(&names, is_twin, seed);
        let mut outside = Outside::new(names, options, is_saved);
        outside.store.journal.note(now, Kind::Started, None);
        Ok(Manager {
            outside,
            activity: Activity::new(engine),
            backend: Backend::new(is_twin),
            agents: Agents::new(),
            owner,
            inventory: Inventory::new(&read_timeouts_ms, config.current_state_delay_ms),
            console: Console::new(),
            subscriptions,
            presence: Presence::new(&connection.status_topic, now),
            ending: Ending::new(clean_session, connection.disconnect_timeout_ms),
        })
    }

    /// Deals with what was received; whether there was anything.
    pub fn handle_events(&mut self, now: Now) -> bool {
        let mut any = false;
        while let Some(event) = self.next_event(now) {
            any = true;
            self.handle_event(now, event);
        }
        self.backend.tell_what_waited(now, &mut self.outside, self.activity.campaign());
        let is_told = self.outside.session.unacknowledged() == 0 && !self.backend.has_waiting(&self.outside);
        if let Some(event) = self.activity.take_delivered(is_told) {
            let _ = self.decide(now, event);
        }
        if let Some(event) = self.activity.take_settled(is_told && self.inventory.is_idle()) {
            let _ = self.decide(now, event);
        }
        self.advance_ending(now);
        any
    }

    /// When `handle_timeout` is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let (session, store) = (self.outside.session.poll_timeout(), self.outside.store.poll_timeout());
        let (inventory, activity) = (self.inventory.poll_timeout(), self.activity.poll_timeout());
        Tick::earliest(&[session, inventory, activity, self.ending.poll_timeout(), store])
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        let session = &mut self.outside.session;
        if session.poll_timeout().is_some_and(|due| due <= now.tick) {
            session.handle_timeout(now.tick);
        }
        let effects = self.inventory.handle_timeout(now);
        self.carry_out_inventory(now, &effects);
        while let Some(event) = self.activity.take_timeout(now.tick) {
            // A timer of ours makes sense at any moment: nothing to reject.
            let _ = self.decide(now, event);
        }
        self.advance_ending(now);
    }

    /// The process is told to end: the running activity is reported, the broker
    /// gets a good-bye. Told twice, it ends at once.
    pub fn handle_terminate(&mut self, now: Now) {
        if !self.ending.has_begun() {
            log::info!("told to end");
            self.end_activity(now);
            self.presence.publish(now, &mut self.outside, false);
        }
        self.ending.begin(now.tick, &self.outside);
        self.advance_ending(now);
    }

    /// Whether the host is to be rebooted now. Said once; if it does not come to
    /// pass, `handle_reboot_failed`.
    pub fn poll_reboot(&mut self) -> bool {
        self.activity.take_reboot()
    }

    /// The host is still up.
    pub fn handle_reboot_failed(&mut self, now: Now) {
        let _ = self.decide(now, Event::RebootFailed);
    }

    /// Whether an activity runs, or its end is not told yet.
    pub fn is_busy(&self) -> bool {
        self.activity.is_busy()
    }

    /// Whether there is nothing more to do before the process ends.
    pub fn is_ended(&self) -> bool {
        self.ending.is_over()
    }

    /// The running activity or the last one, for those who look on.
    pub fn campaign(&self) -> Option<&Campaign> {
        self.activity.campaign()
    }

    /// The running activity and its phase, in one line for people.
    ///
    /// # Errors
    /// `out` fails.
    pub fn write_activity(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.activity.write(&self.outside, out)
    }

    /// Hands an event to the engine and carries out what it decides.
    fn decide(&mut self, now: Now, event: Event<'_>) -> Result<(), Rejected> {
        self.activity.handle(now, event)?;
        self.settle(now);
        Ok(())
    }

    /// Carries out what the engine has decided, but for what waits for a save.
    fn settle(&mut self, now: Now) {
        let question = self.owner.question_to_save(self.activity.campaign());
        let save = activity::ToSave { question, payload: self.agents.payload() };
        self.activity.observe(now, &mut self.outside, save);
        self.carry_out(now);
    }

    /// Hands each effect to the part that carries it out.
    fn carry_out(&mut self, now: Now) {
        let mut place = 0;
        // None of them hands an event to the engine, which would change them.
        while let Some(effect) = self.activity.effect(place) {
            place += 1;
            let Manager { outside, activity, backend, owner, .. } = self;
            let campaign = activity.campaign();
            match effect {
                Effect::Report(status) => backend.report(now, outside, campaign, status),
                Effect::Forward(domain) => agents::forward(now, outside, campaign, domain),
                Effect::Send(domain, command) => agents::command(now, outside, campaign, domain, command),
                Effect::AskConsent(phase) => {
                    owner.open(phase);
                    self.ask_owner(now);
                }
                Effect::CloseConsent => owner.close(now, outside),
                Effect::ReportInventory => self.report_inventory(now),
                Effect::Notice(notice) => notices::handle(now, outside, campaign, notice),
                Effect::AwaitDelivery | Effect::Reboot | Effect::SetTimer(..) | Effect::StopTimer(_) => {
                    activity.carry_out(effect);
                }
            }
        }
    }

    /// Does what the inventory wants done.
    fn carry_out_inventory(&mut self, now: Now, effects: &InventoryEffects) {
        for effect in effects {
            match effect {
                InventoryEffect::Ask(domains, activity) => {
                    agents::ask(now, &mut self.outside, *domains, Text::from_checked(activity));
                }
                InventoryEffect::Report(activity) => {
                    self.backend.report_inventory(now, &mut self.outside, Text::from_checked(activity));
                }
            }
        }
    }
}
