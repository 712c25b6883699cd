//! The manager: all of the program but for the system around it. It passes messages to the
//! parts that understand them, their events to the engine, and the engine's effects to the
//! parts that carry them out:
//!
//! ```text
//! session -> incoming -> part -> engine -> store (holds back) -> part -> session
//! ```
//!
//! It makes no system call and reads no clock, so a test can drive a whole manager with
//! bytes and time. It logs for everything inside.
//!
//! | part | speaks to | owns |
//! | --- | --- | --- |
//! | `activity` | the engine | the engine, its effects, its timers, the wait for delivery |
//! | `backend` | the backend, on plain topics or as a twin | identity, reports that wait for it, refusals, oversized messages |
//! | `agents` | the agents | the parts of the desired state, last feedbacks, orders under way |
//! | `owner` | the owner | the question for consent |
//! | `inventory` | `crate::inventory` | open rounds, the inventories |
//! | `verification` | the verification command | the checks of the groups |
//! | `console` | the console | an answer that waits for a save |
//! | `subscriptions` | the broker | the filters in our session |
//! | `presence` | subscribers of `statusTopic` | the topic, the time of the start |
//! | `ending` | the broker | the progress of the shutdown |
//! | `outside` | all parts | session, store, names, counters |
//!
//! In: bytes, time, results of saves, verdicts, requests of the console. Out: bytes, timeouts,
//! saves, checks, answers, and the request to reboot the host. `link` handles the transport, `incoming`
//! what is received, `saving` what is saved; this file hands events to the engine and its
//! effects to the parts.
//!
//! Invariants: no part writes the state of another, and a part reads of another only what
//! it gets as an argument. The engine gets one event at a time, and its effects are carried
//! out before the next. No message is handled while a document is being sent.
//!
//! Deliberately absent: decisions about an activity.

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
mod verification;
pub(crate) mod wanted;

use core::fmt;

use crate::config::Config;
use crate::engine::{Campaign, Effect, Engine, Event, Rejected};
use crate::inventory::{Effect as InventoryEffect, Effects as InventoryEffects};
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::Command;
use crate::mqtt::Options;
use crate::store::journal::Kind;
use crate::wire::topic::TopicError;
use activity::Activity;
use agents::{notices, Agents};
use backend::Backend;
use console::Console;
pub use console::{Place, Reply};
use ending::Ending;
use inventory::Inventory;
use outside::Outside;
use owner::Owner;
pub use presence::will;
use presence::Presence;
use subscriptions::Subscriptions;
pub use verification::Call;
use verification::Verification;

/// A whole manager, without the system around it.
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
    verification: Verification,
}

impl Manager {
    /// Creates a manager without a link. `ids` is random, for the ids of questions; `is_saved`:
    /// activities are saved. Allocates all
    /// that it will ever hold.
    ///
    /// # Errors
    /// Two domains would have the same topics, or one can have none; `config` does
    /// not let such a configuration through.
    pub fn new<'c>(
        config: &'c Config,
        options: Options,
        engine: Engine,
        ids: u128,
        is_saved: bool,
        now: Now,
    ) -> Result<Manager, TopicError<'c>> {
        let is_twin = config.things_enabled;
        let is_owner_asked = !is_twin && !config.owner_consent_commands.is_empty();
        let read_timeouts_ms: Vec<u64> = config.agents.iter().map(|agent| agent.read_timeout_ms).collect();
        let connection = &config.connection;
        let clean_session = options.clean_session;
        let names = outside::Names::new(config)?;
        let subscriptions = Subscriptions::new(&options, &names.topics, is_owner_asked);
        let owner = Owner::new(&names, is_twin, ids);
        let mut outside = Outside::new(names, options, is_saved);
        outside.store.journal.note(now, Kind::Started, None);
        Ok(Manager {
            outside,
            activity: Activity::new(Box::new(engine)),
            backend: Backend::new(is_twin),
            agents: Agents::new(),
            owner,
            inventory: Inventory::new(&read_timeouts_ms, config.current_state_delay_ms),
            console: Console::new(),
            subscriptions,
            presence: Presence::new(&connection.status_topic, now),
            ending: Ending::new(clean_session, connection.disconnect_timeout_ms),
            verification: Verification::new(),
        })
    }

    /// Handles what was received. Returns whether there was anything.
    pub fn handle_events(&mut self, now: Now) -> bool {
        let mut any = false;
        while let Some(event) = self.next_event(now) {
            any = true;
            self.handle_event(now, event);
        }
        while let Some(event) = self.agents.take_taken(&self.outside) {
            let _ = self.decide(now, event);
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

    /// Returns when `handle_timeout` is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        let (session, store) = (self.outside.session.poll_timeout(), self.outside.store.poll_timeout());
        let (inventory, activity) = (self.inventory.poll_timeout(), self.activity.poll_timeout());
        let subscriptions = self.subscriptions.poll_timeout().filter(|_| !self.ending.has_begun());
        Tick::earliest(&[session, inventory, activity, self.ending.poll_timeout(), store, subscriptions])
    }

    /// Handles all timeouts that have expired at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        let session = &mut self.outside.session;
        if session.poll_timeout().is_some_and(|due| due <= now.tick) {
            session.handle_timeout(now.tick);
        }
        self.ask_for_refused(now);
        let effects = self.inventory.handle_timeout(now);
        self.carry_out_inventory(now, &effects);
        while let Some(event) = self.activity.take_timeout(now.tick) {
            // The engine accepts its own timers at any moment.
            let _ = self.decide(now, event);
        }
        self.advance_ending(now);
    }

    /// Begins the shutdown, on SIGTERM. A second call ends the process at once.
    pub fn handle_terminate(&mut self, now: Now) {
        if !self.ending.has_begun() {
            log::info!("told to end");
            self.end_activity(now);
            self.verification.end_all();
            self.presence.publish(now, &mut self.outside, false);
        }
        self.ending.begin(now.tick, &self.outside);
        self.advance_ending(now);
    }

    /// Returns whether the host is to be rebooted now; true only once. If the reboot fails,
    /// `handle_reboot_failed` has to follow.
    pub fn poll_reboot(&mut self) -> bool {
        self.activity.take_reboot()
    }

    /// Handles a reboot that has failed.
    pub fn handle_reboot_failed(&mut self, now: Now) {
        let _ = self.decide(now, Event::RebootFailed);
    }

    /// Returns whether an activity runs, or the report of its end is still under way.
    pub fn is_busy(&self) -> bool {
        self.activity.is_busy()
    }

    /// Returns whether the process may end now.
    pub fn is_ended(&self) -> bool {
        self.ending.is_over()
    }

    /// Returns the running activity or the last one.
    pub fn campaign(&self) -> Option<&Campaign> {
        self.activity.campaign()
    }

    /// Writes the running activity and its phase in one line for people.
    ///
    /// # Errors
    /// `out` fails.
    pub fn write_activity(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if self.outside.session.is_connected() && self.backend.is_thing_unknown() {
            out.write_str("no identity, ")?;
        }
        self.activity.write(&self.outside, out)
    }

    /// Hands an event to the engine and carries out its effects.
    ///
    /// # Errors
    /// The engine rejects the event; nothing has changed then.
    fn decide(&mut self, now: Now, event: Event<'_>) -> Result<(), Rejected> {
        self.activity.handle(now, event)?;
        self.settle(now);
        Ok(())
    }

    /// Carries out the engine's effects, except those that wait for a save.
    fn settle(&mut self, now: Now) {
        let question = self.owner.question_to_save(self.activity.campaign());
        let save = activity::ToSave { question, payload: self.agents.payload() };
        self.activity.observe(now, &mut self.outside, save);
        self.carry_out(now);
    }

    /// Hands each effect to the part that carries it out.
    fn carry_out(&mut self, now: Now) {
        let mut place = 0;
        // No effect hands an event to the engine, which would change the list.
        while let Some(effect) = self.activity.effect(place) {
            place += 1;
            let Manager { outside, activity, agents, backend, owner, inventory, verification, .. } = self;
            let campaign = activity.campaign();
            match effect {
                Effect::Report(status) => backend.report(now, outside, campaign, status),
                Effect::Forward(domain) => agents::forward(now, outside, campaign, domain),
                Effect::Send(domain, command) => {
                    agents::command(now, outside, campaign, domain, command);
                    if command == Command::Rollback {
                        agents.await_rollback(domain);
                    }
                }
                Effect::Restore(domain, command) => agents::restore(now, outside, campaign, domain, command),
                Effect::AskConsent(phase) => {
                    owner.open(phase);
                    self.ask_owner(now);
                }
                Effect::CloseConsent => owner.close(now, outside),
                Effect::ReportInventory => self.report_inventory(now),
                Effect::Notice(notice) => notices::handle(now, outside, campaign, notice),
                Effect::Check(group) => verification.begin(group),
                Effect::EndCheck(group) => verification.end(group),
                Effect::AskInventory(domain) => verification::ask(now, outside, inventory, campaign, domain),
                Effect::AskBooted(domain) => verification::ask_booted(now, outside, inventory, campaign, domain),
                Effect::AwaitDelivery | Effect::Reboot | Effect::SetTimer(..) | Effect::StopTimer(_) => {
                    activity.carry_out(effect);
                }
            }
        }
        if self.activity.busy().is_empty() {
            self.verification.end_all();
        }
    }

    /// Carries out the inventory's effects.
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
