//! Save before act: what an orchestrator decides is held back until the campaign
//! that it depends on is saved.
//!
//! ```text
//!   event -> inner -> effects ──────────────────────────────> out, if nothing changed
//!                        └─ campaign changed: Save{n}, hold ──┐
//!   Saved{n} ─────────────────────────────────────────────────┴─> out
//! ```
//!
//! A save takes the campaign as it is when it begins, so it covers all that was
//! held before. What comes while it runs waits for the next one. Timers and
//! notices are never held: a slow flash delays the activity, not the clock.

use super::campaign::Campaign;
use super::domain::Domain;
use super::effect::{Effect, Effects};
use super::event::Event;
use super::repair::{InDoubt, Queue};
use super::{Orchestrator, Rejected, WaitingOn};
use crate::limits::{DOMAINS_MAX, HELD_MAX};
use crate::model::time::Tick;
use crate::model::{Cause, Command, DomainIx, Phase, Reboot, Status};

/// An orchestrator whose effects follow the save that they depend on.
#[derive(Clone, Debug)]
pub struct Durable<O> {
    inner: O,
    /// At most `HELD_MAX`; their place is allocated once.
    held: Vec<Effect>,
    /// What `inner` decides; empty between two events.
    effects: Effects,
    /// How many of those held follow the save that runs.
    covered: usize,
    /// The save that runs.
    saving: Option<u32>,
    /// What was last handed out to be saved.
    saved: Mark,
    sequence: u32,
    /// Saving failed: the activity goes on in memory.
    is_broken: bool,
}

/// What of a campaign is worth a save when it changes: not progress.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Mark {
    begun: bool,
    timestamp: i64,
    crc: u32,
    phase: Option<Phase>,
    asking: Option<Phase>,
    outcome: Option<Status>,
    cause: Option<Cause>,
    is_delivered: bool,
    approved: Option<Phase>,
    has_starts: bool,
    domains: heapless::Vec<Part, DOMAINS_MAX>,
    reboot: Reboot,
}

impl Mark {
    /// Whether it differs from `other` at most in what the domains have done.
    fn is_but_for_domains(&self, other: &Mark) -> bool {
        let rest = |mark: &Mark| {
            (mark.begun, mark.timestamp, mark.crc, mark.phase, mark.asking, mark.outcome, mark.cause, mark.is_delivered)
        };
        rest(self) == rest(other) && self.approved == other.approved && self.reboot == other.reboot
    }
}

/// The same of a domain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Part {
    state: u8,
    has_failed: bool,
    keeps_failure: bool,
    repeats: u8,
    course: u8,
    repairs: u8,
    is_remembered: bool,
    is_turning: bool,
    queue: Queue,
}

impl Part {
    fn of(part: &Domain) -> Part {
        let obligation = &part.obligation;
        Part {
            state: part.state.code(),
            has_failed: part.failure.is_some(),
            keeps_failure: obligation.kept.is_some(),
            repeats: part.repeats,
            course: obligation.course,
            repairs: obligation.repairs,
            is_remembered: obligation.is_remembered,
            is_turning: obligation.is_turning,
            queue: obligation.queue.clone(),
        }
    }
}

impl<O: Orchestrator> Durable<O> {
    /// Around `inner`.
    pub fn new(inner: O) -> Durable<O> {
        Durable {
            inner,
            held: Vec::with_capacity(HELD_MAX),
            effects: Effects::new(),
            covered: 0,
            saving: None,
            saved: Mark::default(),
            sequence: 0,
            is_broken: false,
        }
    }

    fn mark(&self) -> Mark {
        let Some(campaign) = self.inner.campaign() else { return Mark::default() };
        Mark {
            begun: true,
            timestamp: campaign.timestamp,
            crc: campaign.crc,
            phase: Some(campaign.phase),
            asking: campaign.asking,
            outcome: campaign.outcome,
            cause: campaign.cause,
            is_delivered: campaign.is_delivered,
            approved: campaign.approved,
            has_starts: campaign.starts > 0,
            domains: campaign.domains.iter().map(|part| part.as_ref().map(Part::of).unwrap_or_default()).collect(),
            reboot: self.inner.reboot(),
        }
    }

    /// Lets out what the finished save covers, and begins the next if it is needed.
    fn release(&mut self, out: &mut Effects) {
        self.saving = None;
        let covered = core::mem::take(&mut self.covered);
        self.held.iter().take(covered).for_each(|effect| out.push(*effect));
        self.held.rotate_left(covered);
        self.held.truncate(self.held.len() - covered);
        self.save_if_needed(out);
    }

    fn save_if_needed(&mut self, out: &mut Effects) {
        if self.saving.is_some() {
            return;
        }
        let mark = self.mark();
        if self.held.is_empty() && mark == self.saved {
            return;
        }
        if self.is_broken {
            self.held.iter().for_each(|effect| out.push(*effect));
            self.held.clear();
            self.saved = mark;
            return;
        }
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.saving = Some(self.sequence);
        self.covered = self.held.len();
        let before = core::mem::replace(&mut self.saved, mark);
        // A domain's result alone: lost, its agent is told once more what it has done.
        let is_result = self.held.is_empty() && before.is_but_for_domains(&self.saved);
        out.push(if is_result { Effect::SaveIfCheap(self.sequence) } else { Effect::Save(self.sequence) });
    }

    fn is_running(&self) -> bool {
        self.inner.campaign().is_some_and(Campaign::is_running)
    }

    /// What the domain was to do next must not be begun any more: its part has ended
    /// before the command was let out.
    fn forget_steps(&mut self, domain: DomainIx) {
        let is_step = |effect: &Effect| matches!(effect, Effect::Send(to, Command::Download | Command::Update | Command::Activate) if *to == domain);
        self.covered -= self.held.iter().take(self.covered).filter(|effect| is_step(effect)).count();
        self.held.retain(|effect| !is_step(effect));
    }

    fn hold(&mut self, effect: Effect, out: &mut Effects) {
        let is_progress = effect == Effect::Report(Status::Running);
        match effect {
            Effect::SetTimer(..) | Effect::StopTimer(_) | Effect::Notice(_) => out.push(effect),
            // One is enough: it tells what is known when it goes out.
            _ if is_progress && self.held.contains(&effect) => {}
            Effect::Forward(_) | Effect::Send(..) if self.held.contains(&effect) => {}
            _ => {
                // A download begins a course: what was to follow in the one before is over.
                if let Effect::Send(domain, Command::Rollback | Command::Cleanup | Command::Download) = effect {
                    self.forget_steps(domain);
                }
                assert!(self.held.len() < HELD_MAX, "an activity decides no more than {HELD_MAX} things at once");
                self.held.push(effect);
            }
        }
    }
}

impl<O: Orchestrator> Orchestrator for Durable<O> {
    fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        match event {
            Event::Saved(sequence) if self.saving == Some(sequence) => self.release(out),
            Event::SaveFailed(sequence) if self.saving == Some(sequence) => {
                self.is_broken = true;
                self.inner.handle(now, event, out)?;
                self.release(out);
            }
            Event::Saved(_) | Event::SaveFailed(_) => {}
            // A new activity would mix with what is still held of the last.
            Event::DesiredState(desired) if !self.held.is_empty() && !self.is_running() => {
                if self.campaign().is_some_and(|last| last.is_activity(desired.activity)) {
                    return Err(Rejected::SameActivity);
                }
                let is_known = self.finished().is_some_and(|finished| finished.contains(&desired));
                return Err(if is_known { Rejected::Redelivered } else { Rejected::Busy });
            }
            // It is saved, and taken up at the next start.
            Event::Terminate if !self.is_broken => {}
            _ => {
                if matches!(event, Event::DesiredState(_)) && !self.is_running() {
                    self.is_broken = false;
                }
                let is_end_saved = matches!(&event, Event::Boot(saved) if saved.is_end());
                self.effects.clear();
                self.inner.handle(now, event, &mut self.effects)?;
                if is_end_saved {
                    // What is told again must not keep the next activity waiting.
                    self.saved = self.mark();
                }
                let waits = self.saving.is_some() || self.mark() != self.saved;
                for place in 0..self.effects.len() {
                    let effect = self.effects[place];
                    match waits {
                        true => self.hold(effect, out),
                        false => out.push(effect),
                    }
                }
                self.save_if_needed(out);
            }
        }
        Ok(())
    }

    fn campaign(&self) -> Option<&Campaign> {
        self.inner.campaign()
    }

    fn waiting_on(&self) -> WaitingOn {
        match self.saving {
            Some(_) => WaitingOn::Save,
            None => self.inner.waiting_on(),
        }
    }

    fn finished(&self) -> Option<&super::finished::Finished> {
        self.inner.finished()
    }

    fn reboot(&self) -> Reboot {
        self.inner.reboot()
    }

    fn in_doubt(&self, domain: DomainIx) -> Option<InDoubt> {
        self.inner.in_doubt(domain)
    }
}
