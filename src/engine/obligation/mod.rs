//! When something may have been lost: a message to an agent, its answer, or all that
//! the agent knew (docs/agent-api.md, "When something may have been lost").
//!
//! Agents exist that take each command once, and agents that take a desired state only
//! when idle. So nothing that leads forward is repeated on suspicion alone: a domain in
//! doubt gets the desired state again after a while, a few times at most, and is led
//! from its beginning to the phase of the others.
//!
//! ```text
//!          hello, start, lost session      resumeAfter without a word
//!   owing ────────────────────────────> suspected ───────────────────> repaired
//!     ^                                     │                             │
//!     ├──── a status of the phase owed ─────┘                             │
//!     ├──── the success that was owed: the agent was only slow ───────────┤
//!     └──── IDENTIFIED: started over, led again from DOWNLOAD ────────────┘
//! ```
//!
//! A *course* is a domain's way from a desired state that was sent to it. The *queue*
//! holds what it may still answer, so that a late answer is told from a new one.
//!
//! Invariants: mere silence sends no second repair; a command that leads forward is sent
//! once in a course; a domain that has failed or is turned back is never started over;
//! no clock fails a domain before the first link after a start, nor while a repair is
//! due. Deliberately absent: any counting of hellos, links or starts against a domain.

mod answers;
mod owed;
mod queue;
#[cfg(test)]
mod tests;

pub use owed::{Doubt, InDoubt, Obligation, Suspicion, Times};
pub use queue::{Order, Queue};

use super::domain::{Domain, State};
use super::effect::{Effect, Effects, Notice};
use super::event::Link;
use super::{Engine, Settings};
use crate::limits::{REPAIRS_MAX, SETTLE_MS};
use crate::model::time::Tick;
use crate::model::{DomainIx, DomainSet, Phase, Reason};

/// Whether and since when agents can be heard.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(super) struct Hearing {
    /// Since when on the present link: it is up, and our subscriptions hold.
    since: Option<Tick>,
    /// Whether they could be heard at any time since the start.
    has_begun: bool,
}

/// Events: what casts a suspicion, and when agents can be heard.
impl Engine {
    pub(super) fn handle_link(&mut self, now: Tick, link: Link, out: &mut Effects) {
        match link {
            Link::Down => self.hearing.since = None,
            // What the broker has kept comes now, before anything is judged.
            Link::Kept | Link::Subscribed => self.begin_hearing(now),
            Link::Fresh { unsent, dropped } => self.lose_session(now, unsent, dropped, out),
        }
    }

    /// The broker has lost our session. Before agents could be heard for the first time that
    /// is no news, since all that was saved is in doubt already, but for what was sent
    /// since the start. A message that is still to be sent is not lost.
    fn lose_session(&mut self, now: Tick, unsent: DomainSet, dropped: DomainSet, out: &mut Effects) {
        if !self.is_running() {
            return;
        }
        let lost = if self.hearing.has_begun { self.campaign.participants() } else { dropped };
        for domain in lost.without(unsent).iter() {
            if let Some(part) = self.campaign.domain_mut(domain).filter(|_| dropped.contains(domain)) {
                part.obligation.times.told_again = None;
            }
            self.cast(now, domain, Doubt::SessionLost, out);
        }
    }

    fn begin_hearing(&mut self, now: Tick) {
        if self.hearing.since.is_some() {
            return;
        }
        self.hearing.since = Some(now);
        let is_first = !core::mem::replace(&mut self.hearing.has_begun, true);
        for part in self.campaign.domains.iter_mut().flatten() {
            if let Some(suspicion) = &mut part.obligation.times.suspicion {
                suspicion.audible.get_or_insert(now);
            }
            if is_first {
                start_clock(part, now, &self.settings);
            }
        }
    }

    /// Since when agents can be heard on the present link; none while they cannot.
    pub(super) fn hears_since(&self) -> Option<Tick> {
        self.hearing.since
    }

    /// Whether agents could be heard at any time since the start.
    pub(super) fn has_heard(&self) -> bool {
        self.hearing.has_begun
    }

    /// Something of what was said to the domain, or of what it said, may be lost.
    pub(super) fn cast(&mut self, now: Tick, domain: DomainIx, doubt: Doubt, out: &mut Effects) {
        if !self.is_running() {
            return;
        }
        let audible = self.hearing.since.map(|_| now);
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if doubt == Doubt::Start(true) {
            part.note_boot();
        }
        part.evidence.is_sure &= !matches!(doubt, Doubt::Hello | Doubt::Start(true));
        match part.state {
            State::New | State::Failed(_) | State::RolledBack(_) | State::Done(_) => {}
            State::Ready(_) => part.obligation.is_remembered = !part.boot.is_open(),
            State::RollingBack(_) | State::CleaningUp(_) => self.tell_again(now, domain, out),
            State::Working(_) if part.is_wound_down() => {}
            State::Working(_) => {
                let was_booted = part.obligation.times.suspicion.is_some_and(|suspicion| suspicion.has_booted);
                if was_booted && doubt == Doubt::Hello && may_repair(part) {
                    return self.repair(now, domain, out);
                }
                if part.obligation.times.suspicion.is_none() {
                    out.push(Effect::Notice(Notice::Doubted(domain, doubt)));
                }
                let new = Suspicion { since: now, last: now, audible, has_booted: doubt == Doubt::Start(true) };
                part.obligation.times.suspicion.get_or_insert(new).last = now;
            }
        }
    }

    /// `ROLLBACK` and `CLEANUP` may come twice: they are sent again at once, but not
    /// more often than once in `resumeAfter`.
    fn tell_again(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let settings = self.settings;
        let has_begun = self.hearing.has_begun;
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let times = &mut part.obligation.times;
        if times.told_again.is_some_and(|at| now < at.after(settings.resume_after_ms)) {
            return;
        }
        times.told_again = Some(now);
        times.is_taken = false;
        if let (State::RollingBack(wait) | State::CleaningUp(wait), true) = (&mut part.state, has_begun) {
            wait.quiet = now.after(settings.cleanup_timeout_ms);
        }
        if let Some(Some(command)) = part.state.owed() {
            self.send(domain, Some(command), out);
            out.push(Effect::Notice(Notice::Repeated(domain, command)));
        }
    }
}

/// Repairs, and what else is due.
impl Engine {
    /// When the next repair is due, or what follows one.
    pub(super) fn repair_due(&self) -> Option<Tick> {
        let parts = self.campaign.domains.iter().enumerate();
        let due = |(place, part): (usize, &Option<Domain>)| {
            let (domain, part) = (DomainIx::new(place)?, part.as_ref()?);
            let boot_due = self.boot_due(domain, part);
            Tick::earliest(&[self.suspicion_due(domain, part), self.repeat_due(part), self.kept_due(part), boot_due])
        };
        parts.filter_map(due).min()
    }

    /// When the first clock of a domain is over.
    pub(super) fn clock_due(&self) -> Option<Tick> {
        self.campaign.domains.iter().flatten().filter_map(|part| self.clock_of(part)).min()
    }

    /// When the domain's clock is over: not while a repair is due, or a failure is kept.
    pub(super) fn clock_of(&self, part: &Domain) -> Option<Tick> {
        let Obligation { kept, times, .. } = &part.obligation;
        let waits = times.suspicion.is_some() && may_repair(part) || kept.is_some();
        times.clock.filter(|_| matches!(part.state, State::Working(_)) && !waits)
    }

    /// When a suspected domain is started over: `resumeAfter` past the last hello, but
    /// at most half of the phase's time past the first event.
    fn suspicion_due(&self, domain: DomainIx, part: &Domain) -> Option<Tick> {
        let suspicion = part.obligation.times.suspicion.filter(|_| may_repair(part))?;
        let (hearing, first) = (self.hearing.since?, suspicion.audible?);
        let resume_after_ms = self.settings.resume_after_ms;
        // A link that was away may bring what the broker has kept of the answer.
        let settled = hearing.after(SETTLE_MS.min(resume_after_ms));
        if suspicion.has_booted {
            return Some(first.after(self.settings.read_timeouts_ms[domain.place()]).max(settled));
        }
        let latest = first.after(self.settings.phase_timeout_ms / 2).max(settled);
        Some(suspicion.last.max(hearing).after(resume_after_ms).min(latest))
    }

    /// When a domain that is silent after a repair gets again what it owed before.
    fn repeat_due(&self, part: &Domain) -> Option<Tick> {
        let is_led = matches!(part.state, State::Working(phase) if phase != Phase::Identify);
        let since = part.obligation.times.repaired.filter(|_| is_led && !part.is_wound_down())?;
        Some(since.max(self.hearing.since?).after(self.settings.resume_after_ms))
    }

    /// When a failure that is kept counts.
    fn kept_due(&self, part: &Domain) -> Option<Tick> {
        let is_kept = part.obligation.kept.is_some() && matches!(part.state, State::Working(_));
        let since = part.obligation.times.kept.filter(|_| is_kept)?;
        Some(since.max(self.hearing.since?).after(self.settings.resume_after_ms))
    }

    pub(super) fn handle_repair_timeout(&mut self, now: Tick, out: &mut Effects) {
        self.handle_boot_timeout(now, out);
        for domain in self.campaign.domains_in(|s| matches!(s, State::Working(_))).iter() {
            let Some(part) = self.campaign.domain(domain) else { continue };
            let is_due = |due: Option<Tick>| due.is_some_and(|at| at <= now);
            if is_due(self.kept_due(part)) {
                self.give_in(now, domain, out);
            } else if is_due(self.suspicion_due(domain, part)) {
                self.repair(now, domain, out);
            } else if is_due(self.repeat_due(part)) {
                self.repeat(domain, out);
            }
        }
    }

    /// The domain gets the desired state again: it is started over.
    fn repair(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let settings = self.settings;
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let obligation = &mut part.obligation;
        obligation.repairs += 1;
        obligation.times.suspicion = None;
        obligation.times.repaired = Some(now);
        // An earlier one that is unanswered stays: the agent may get to both.
        let course = obligation.queue.last_course().max(obligation.course);
        obligation.queue.push(None, course.saturating_add(1));
        start_clock(part, now, &settings);
        out.push(self.message(domain, None));
        out.push(Effect::Notice(Notice::Repaired(domain)));
    }

    /// An agent that takes no desired state while it is busy may never have got the
    /// command that it owes an answer to.
    fn repeat(&mut self, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        part.obligation.times.repaired = None;
        if let Some(Some(command)) = part.state.owed() {
            self.send(domain, Some(command), out);
            out.push(Effect::Notice(Notice::Repeated(domain, command)));
        }
    }

    /// The domain has failed with the words that were kept, or is rolled back.
    fn give_in(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let kept = self.campaign.domain_mut(domain).and_then(|part| part.obligation.kept.take());
        if let Some(reason) = kept {
            self.fail(domain, reason, out);
        }
        self.drop_out(now, domain, out);
    }

    /// Silence past its clock: the domain has failed.
    pub(super) fn expire(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let Settings { phase_timeout_ms, phase_timeout_max_ms, .. } = self.settings;
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if !part.obligation.is_turning {
            let command = part.state.owed().flatten();
            let is_at_end = part.obligation.times.clock_end.is_some_and(|end| end <= now);
            let waited_ms = if is_at_end { phase_timeout_max_ms } else { phase_timeout_ms };
            self.fail(domain, Reason::Silent(command, waited_ms), out);
        }
        self.drop_out(now, domain, out);
    }

    /// What is known of a domain in doubt.
    pub(super) fn in_doubt_of(&self, domain: DomainIx) -> Option<InDoubt> {
        let part = self.campaign.domain(domain).filter(|part| matches!(part.state, State::Working(_)))?;
        let times = &part.obligation.times;
        if let (Some(since), Some(_)) = (times.kept, &part.obligation.kept) {
            return Some(InDoubt::FailureKept { since });
        }
        if let Some(Suspicion { since, .. }) = times.suspicion {
            return Some(InDoubt::Suspected { since, repair_at: self.suspicion_due(domain, part) });
        }
        times.repaired.map(|since| InDoubt::Repaired { since })
    }

    /// All that was saved is in doubt: neither clock runs until agents can be heard.
    pub(super) fn doubt_all(&mut self, now: Tick, has_booted: bool, out: &mut Effects) {
        for part in self.campaign.domains.iter_mut().flatten() {
            part.obligation.times = Times { kept: part.obligation.kept.as_ref().map(|_| now), ..Times::default() };
            if let State::RollingBack(wait) | State::CleaningUp(wait) = &mut part.state {
                *wait = super::domain::Wait::STOPPED;
            }
        }
        let domains = self.campaign.participants();
        domains.iter().for_each(|domain| self.cast(now, domain, Doubt::Start(has_booted), out));
    }
}

/// Whether the domain may be started over.
fn may_repair(part: &Domain) -> bool {
    let is_forward = matches!(part.state, State::Working(_)) && !part.is_wound_down();
    is_forward && part.obligation.repairs < REPAIRS_MAX
}

/// Whether the domain was started over, in this phase or before.
fn was_repaired(part: &Domain) -> bool {
    part.obligation.course > 0 || part.obligation.repairs > 0
}

/// The clock of what the domain owes begins anew.
fn start_clock(part: &mut Domain, now: Tick, settings: &Settings) {
    match &mut part.state {
        State::Working(_) => {
            let times = &mut part.obligation.times;
            times.clock = Some(now.after(settings.phase_timeout_ms));
            times.clock_end = Some(now.after(settings.phase_timeout_max_ms));
        }
        State::RollingBack(wait) | State::CleaningUp(wait) => *wait = settings.wait(now),
        _ => {}
    }
}
