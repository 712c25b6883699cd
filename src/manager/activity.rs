//! The engine and its surroundings: the effects that are not carried out yet, the timers,
//! and the confirmations that the engine waits for at the end of an activity.
//!
//! In: events for the engine, and the results of saves. Out: effects in order, and the
//! state that the store saves.
//!
//! Invariants: an effect leaves after the save that it depends on, or after that save has
//! failed, since the store holds such effects back. The engine gets no event while its
//! effects are being carried out.
//!
//! Deliberately absent: messages and topics. The part that speaks to a party carries out
//! the effects that are messages to it; only timers, the reboot and the wait for delivery
//! are carried out here.

use core::fmt;

use super::message;
use super::outside::Outside;
use super::timers::Timers;
use super::wanted::Wanted;
use crate::engine::effect::TimerKind;
use crate::engine::event::Standing;
use crate::engine::obligation::InDoubt;
use crate::engine::{Campaign, Effect, Effects, Engine, Event, Rejected, WaitingOn};
use crate::limits::PAST_REASON_MAX;
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{DomainIx, DomainSet, Phase, Reboot, Run};
use crate::mqtt::Session;
use crate::store::document::Payload;
use crate::store::format::Draft;
use crate::store::journal::Kind;
use crate::store::state::Beside;
use crate::store::{Content, Failure, Job, Written};

/// The confirmation that the engine waits for at the end of an activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delivery {
    /// That the broker has every report.
    Reports,
    /// That it has the inventory too.
    Inventory,
    /// None.
    Told,
}

/// Holds the engine, its effects and its timers.
pub(super) struct Activity {
    engine: Box<Engine>,
    /// The effects of the last event.
    effects: Effects,
    /// The effects that the last save released.
    released: Effects,
    timers: Timers,
    delivery: Delivery,
    /// The engine wants the host to be rebooted, and the shell does not know it yet.
    is_reboot_wanted: bool,
}

/// The state of other parts that is saved together with the engine's.
#[derive(Clone, Copy)]
pub(super) struct ToSave<'a> {
    /// The phase that the owner is asked about, and the question's UUID.
    pub(super) question: Option<(Phase, [u8; 16])>,
    /// The payload of the desired state.
    pub(super) payload: &'a Payload,
}

impl Activity {
    /// Creates it without an activity. Allocates the places of all effects.
    pub(super) fn new(engine: Box<Engine>) -> Activity {
        Activity {
            engine,
            effects: Effects::new(),
            released: Effects::new(),
            timers: Timers::default(),
            delivery: Delivery::Told,
            is_reboot_wanted: false,
        }
    }

    /// Returns the running activity or the last one.
    pub(super) fn campaign(&self) -> Option<&Campaign> {
        self.engine.campaign()
    }

    fn running(&self) -> Option<&Campaign> {
        self.campaign().filter(|campaign| campaign.is_running())
    }

    /// Returns whether this activity runs.
    pub(super) fn runs(&self, activity: Text<'_>) -> bool {
        runs(self.campaign(), activity)
    }

    /// Returns the domains that take part in the running activity.
    pub(super) fn busy(&self) -> DomainSet {
        self.running().map_or(DomainSet::EMPTY, Campaign::participants)
    }

    /// Returns whether an activity runs, or the report of its end is still under way.
    pub(super) fn is_busy(&self) -> bool {
        self.delivery != Delivery::Told || !self.busy().is_empty()
    }

    pub(super) fn reboot(&self) -> Reboot {
        self.engine.reboot()
    }

    pub(super) fn in_doubt(&self, domain: DomainIx) -> Option<InDoubt> {
        self.engine.in_doubt(domain)
    }

    /// Returns what the activity waits for. A save comes first, since effects wait for it.
    pub(super) fn waiting_on(&self, outside: &Outside) -> WaitingOn {
        if outside.store.is_saving() {
            return WaitingOn::Save;
        }
        self.engine.waiting_on()
    }

    /// Returns when the wait ends at the latest.
    pub(super) fn until(&self, waiting_on: WaitingOn) -> Option<Tick> {
        let kinds: &[TimerKind] = match waiting_on {
            WaitingOn::Nothing | WaitingOn::Save => &[],
            WaitingOn::Agents(_) => &[TimerKind::Phase, TimerKind::Cleanup],
            WaitingOn::Consent(_) => &[TimerKind::Consent],
            WaitingOn::Verification => return self.engine.verification_end(),
            WaitingOn::Link | WaitingOn::Reboot => &[TimerKind::Reboot],
        };
        kinds.iter().filter_map(|kind| self.timers.at(*kind)).min()
    }

    /// Writes the running activity and its phase in one line for people.
    pub(super) fn write(&self, outside: &Outside, out: &mut dyn fmt::Write) -> fmt::Result {
        if !outside.session.is_connected() {
            out.write_str("no broker, ")?;
        }
        let Some(campaign) = self.running() else { return out.write_str("no activity") };
        write!(out, "activity {}: ", Text::from_checked(&campaign.identity.activity))?;
        if campaign.consent.asking.is_some() {
            out.write_str("the owner's consent to ")?;
        }
        let phase = campaign.consent.asking.unwrap_or_else(|| campaign.present_phase());
        out.write_str(phase.name())?;
        match outside.store.failure() {
            Some(why) => write!(out, ", not saved: {why}"),
            None => Ok(()),
        }
    }

    /// Hands an event to the engine. `observe` has to follow.
    pub(super) fn handle(&mut self, now: Now, event: Event<'_>) -> Result<(), Rejected> {
        self.effects.clear();
        self.engine.handle(now.tick, event, &mut self.effects)
    }

    /// Hands a desired state to the engine, to become the activity `run`. `observe` has to
    /// follow.
    pub(super) fn begin(
        &mut self,
        now: Now,
        wanted: &Wanted<'_>,
        run: Run,
        standing: Standing,
    ) -> Result<(), Rejected> {
        self.handle(now, Event::DesiredState(wanted.event(run, standing)))?;
        // A confirmation that is still awaited is one of the activity before.
        self.delivery = Delivery::Told;
        Ok(())
    }

    /// Notes changes of the activity in the journal, and hands the effects that depend on a
    /// save to the store.
    pub(super) fn observe(&mut self, now: Now, outside: &mut Outside, save: ToSave<'_>) {
        if let Some(campaign) = self.engine.campaign() {
            let domains = &outside.names.domains;
            let reason = || {
                let mut words = String::new();
                // A string takes all that is written to it.
                let _ = message::write(campaign, domains, false, &mut words);
                Text::from_checked(&words).cut(PAST_REASON_MAX).as_json().to_owned()
            };
            outside.store.journal.look(now, campaign, self.engine.reboot(), &reason);
        }
        let content = content(&self.engine, save, &outside.names.domains, &outside.session);
        outside.store.observe(&content, &mut self.effects);
    }

    /// Tells the store that the present state is the one that was saved.
    pub(super) fn adopt(&self, outside: &mut Outside, save: ToSave<'_>) {
        outside.store.adopt(&content(&self.engine, save, &outside.names.domains, &outside.session));
    }

    /// Returns what is to be written now; none if nothing is.
    pub(super) fn poll_write(
        &mut self,
        now: Now,
        outside: &mut Outside,
        save: ToSave<'_>,
        session: &mut dyn FnMut() -> Option<Draft>,
    ) -> Option<Job> {
        let content = content(&self.engine, save, &outside.names.domains, &outside.session);
        outside.store.poll_write(now, &content, session)
    }

    /// Takes the result of a save and logs it. `release` has to follow.
    pub(super) fn handle_written(&mut self, now: Now, outside: &mut Outside, result: Result<(), Failure>) -> Written {
        let why = result.as_ref().err().map(|failure| failure.why.clone()).unwrap_or_default();
        self.released.clear();
        let Outside { store, session, .. } = outside;
        let written = store.handle_written(now, result, &mut self.released, &mut |ack| session.acknowledge(ack));
        match written.is_failing {
            None if written.is_gone => log::warn!("what was saved is gone, it is written anew: {why}"),
            None if !why.is_empty() && store.failure().is_none() => {
                log::warn!("what is saved beside the activity cannot be written: {why}");
            }
            None => {}
            Some(true) => {
                log::error!("the activity could not be saved and goes on in memory: {why}");
                store.journal.note(now, Kind::Unsaved, None);
            }
            Some(false) => log::info!("what could not be saved is saved now"),
        }
        written
    }

    /// Makes the effects that the last save released the ones to be carried out.
    pub(super) fn release(&mut self) {
        core::mem::swap(&mut self.effects, &mut self.released);
    }

    /// Returns whether a running activity could not be resumed after a restart.
    pub(super) fn is_lost_at_end(&self, outside: &Outside) -> bool {
        self.running().is_some_and(|campaign| !outside.store.keeps(campaign.identity.run))
    }

    /// Returns the effect in this place of the list.
    pub(super) fn effect(&self, place: usize) -> Option<Effect> {
        self.effects.get(place).copied()
    }

    /// Carries out an effect that needs no other part.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::SetTimer(kind, at) => self.timers.set(kind, Some(at)),
            Effect::StopTimer(kind) => self.timers.set(kind, None),
            Effect::AwaitDelivery => self.delivery = Delivery::Reports,
            Effect::Reboot => self.is_reboot_wanted = true,
            _ => {}
        }
    }

    /// Returns the event that the broker has all reports, once, if `is_told` and the engine
    /// waits for it.
    pub(super) fn take_delivered(&mut self, is_told: bool) -> Option<Event<'static>> {
        let is_due = self.delivery == Delivery::Reports && is_told;
        is_due.then(|| {
            self.delivery = Delivery::Inventory;
            Event::Delivered
        })
    }

    /// Returns the event that the broker has the inventory too, once, if `is_told` and the
    /// engine waits for it.
    pub(super) fn take_settled(&mut self, is_told: bool) -> Option<Event<'static>> {
        let is_due = self.delivery == Delivery::Inventory && is_told;
        is_due.then(|| {
            self.delivery = Delivery::Told;
            Event::Settled
        })
    }

    /// Returns whether the host is to be rebooted now; true only once.
    pub(super) fn take_reboot(&mut self) -> bool {
        core::mem::take(&mut self.is_reboot_wanted)
    }

    /// Returns when the next timer expires.
    pub(super) fn poll_timeout(&self) -> Option<Tick> {
        self.timers.next()
    }

    /// Returns the event of a timer that has expired, and clears that timer.
    pub(super) fn take_timeout(&mut self, now: Tick) -> Option<Event<'static>> {
        self.timers.take_due(now).map(Event::Timeout)
    }
}

/// Returns whether the campaign is that of `activity`, and runs.
pub(super) fn runs(campaign: Option<&Campaign>, activity: Text<'_>) -> bool {
    campaign.is_some_and(|campaign| campaign.is_running() && campaign.is_activity(activity))
}

/// Returns all that the store saves of the manager.
fn content<'a>(engine: &'a Engine, save: ToSave<'a>, names: &'a [String], session: &'a Session) -> Content<'a> {
    let ToSave { question, payload } = save;
    let beside = Beside { reboot: engine.reboot(), question, ..Beside::default() };
    let is_grouped = engine.settings().grouping.is_in_use();
    Content { campaign: engine.campaign(), names, beside, payload, session, is_grouped }
}
