//! Restore: a domain that cannot be undone becomes what it was committed to before
//! (docs/whole-device.md, "Restoring").
//!
//! ```text
//!   not undone ─> CLEANUP ─> IDENTIFY ... ACTIVATE, CLEANUP of what it was committed to ─> restored
//!                                   └── a failure ─> CLEANUP ─> inconsistent
//! ```
//!
//! Towards the agent, all but the first CLEANUP belongs to an activity of its own. The domain is
//! led through it like one that was started over, without gates and without the others.
//!
//! Invariants: it is tried once; its actions are not told. Deliberately absent: what the
//! domain was committed to, which `store::kept` has.

use super::domain::{Domain, Ended, Ending, State};
use super::effect::{Effect, Effects, Notice};
use super::event::Feedback;
use super::obligation::Obligation;
use super::Engine;
use crate::model::table::table;
use crate::model::time::Tick;
use crate::model::{ActionStatus, Command, DomainIx, Phase, Reason};

table! {
    /// How far a domain is with becoming what it was committed to.
    #[derive(Default)]
    pub enum Restore {
        /// It has not begun to.
        #[default]
        No = 0 "no",
        /// It cleans up what it could not undo.
        Clearing = 1 "clearing",
        /// It has cleaned up.
        Cleared = 2 "cleared",
        /// It is led through what it was committed to.
        Leading = 3 "leading",
        /// That has failed, and it cleans up.
        Failed = 4 "failed",
        /// It is what it was committed to.
        Restored = 5 "restored",
        /// It is not.
        GivenUp = 6 "given up",
    }
}

impl Restore {
    /// Returns whether something is awaited of the domain for it.
    pub fn is_under_way(self) -> bool {
        matches!(self, Restore::Clearing) || self.is_apart()
    }

    /// Returns whether the domain is in an activity of its own.
    pub fn is_apart(self) -> bool {
        matches!(self, Restore::Leading | Restore::Failed)
    }
}

impl Domain {
    /// Returns whether nothing leads it forward any more: its group is turned back.
    pub(super) fn is_stopped(&self) -> bool {
        self.obligation.is_halted && self.restore != Restore::Leading
    }

    /// Returns whether nothing leads it forward any more, though it may still owe an answer.
    pub(super) fn is_wound_down(&self) -> bool {
        self.obligation.is_turning || self.is_stopped()
    }
}

impl Engine {
    /// The domain is to become what it was committed to: it cleans up first, unless it has.
    pub(super) fn restore(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let has_cleaned = part.evidence.was_cleaned || part.state == State::Done(Ended::CleanedUp);
        if part.restore == Restore::Cleared || has_cleaned {
            return self.lead_back(now, domain, out);
        }
        part.restore = Restore::Clearing;
        part.evidence.was_cleaned = true;
        part.obligation.is_halted = true;
        self.clean_up(now, domain, out);
    }

    /// The domain gets what it was committed to.
    fn lead_back(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        part.restore = Restore::Leading;
        // From now on it goes on by itself, as one that was started over.
        part.furthest = Some(Phase::Activate);
        (part.fell_back, part.repeats) = (false, 0);
        part.obligation = Obligation { is_halted: true, ..Obligation::default() };
        out.push(Effect::Notice(Notice::Restoring(domain)));
        self.oblige(now, domain, Phase::Identify, out);
    }

    /// A domain that is restored has left this phase well. `is_idle`: it has nothing to do.
    /// Returns whether it is such a domain, and has no further phase.
    pub(super) fn is_led_back(
        &mut self,
        now: Tick,
        domain: DomainIx,
        phase: Phase,
        is_idle: bool,
        out: &mut Effects,
    ) -> bool {
        let is_restored = self.campaign.domain(domain).is_some_and(|part| part.restore == Restore::Leading);
        let is_last = is_restored && (phase == Phase::Activate || phase == Phase::Identify && is_idle);
        if is_last {
            self.clean_up(now, domain, out);
        }
        is_last
    }

    /// What the domain was to become has failed: it cleans up. Returns whether it was
    /// restored.
    pub(super) fn fail_restore(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) -> bool {
        let Some(part) = self.campaign.domain_mut(domain) else { return false };
        if part.restore != Restore::Leading {
            return part.restore.is_under_way();
        }
        part.restore = Restore::Failed;
        self.clean_up(now, domain, out);
        true
    }

    /// A step of the restoring has ended with what it was to clean up. Returns whether it
    /// was one.
    pub(super) fn end_restore(&mut self, domain: DomainIx) -> bool {
        let Some(part) = self.campaign.domain_mut(domain) else { return false };
        match part.restore {
            // It was slow to roll back, and has said so meanwhile.
            Restore::Clearing if part.evidence.is_old => part.restore = Restore::GivenUp,
            Restore::Clearing => {
                part.restore = Restore::Cleared;
                part.state = State::RolledBack(Ending::Failed);
                part.obligation = Obligation { is_halted: true, ..Obligation::default() };
                return true;
            }
            Restore::Leading => {
                part.restore = Restore::Restored;
                part.evidence.is_old = true;
                part.cleanup = None;
                self.campaign.actions.set_all(domain, ActionStatus::UpdateFailure);
            }
            Restore::Failed => part.restore = Restore::GivenUp,
            _ => return false,
        }
        let Some(part) = self.campaign.domain_mut(domain) else { return true };
        part.state = State::Done(Ended::CleanedUp);
        part.obligation = Obligation::default();
        true
    }

    /// No further step follows to restore the domain.
    pub(super) fn give_up_restore(&mut self, domain: DomainIx) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.restore = match part.restore {
                Restore::No if matches!(part.state, State::RollingBack(_) | State::CleaningUp(_)) => Restore::GivenUp,
                Restore::Clearing | Restore::Cleared => Restore::GivenUp,
                Restore::Leading if matches!(part.state, State::CleaningUp(_)) => Restore::Failed,
                restore => restore,
            };
        }
    }

    /// A domain does not become what it was committed to, for this reason. Returns whether it
    /// was to.
    pub(super) fn miss_restore(&mut self, domain: DomainIx, reason: &Reason, out: &mut Effects) -> bool {
        let Some(part) = self.campaign.domain_mut(domain).filter(|part| part.restore.is_apart()) else { return false };
        if part.restore == Restore::Leading {
            part.cleanup = Some(reason.clone());
            out.push(Effect::Notice(Notice::NotRestored(domain)));
        }
        // Its clean-up does not make good what has failed.
        if matches!(part.state, State::CleaningUp(_)) {
            part.restore = Restore::Failed;
        }
        true
    }

    /// What the domain is sent: of the activity, or of the one in which it is restored.
    pub(super) fn message(&self, domain: DomainIx, command: Option<Command>) -> Effect {
        let is_apart = self.campaign.domain(domain).is_some_and(|part| part.restore.is_apart());
        match command {
            _ if is_apart => Effect::Restore(domain, command),
            Some(command) => Effect::Send(domain, command),
            None => Effect::Forward(domain),
        }
    }
}

impl super::Campaign {
    /// Returns whether a feedback is of what the domain does at this moment: of the activity, or
    /// of the one in which the domain is restored.
    pub fn is_of_domain(&self, domain: DomainIx, feedback: &Feedback<'_>) -> bool {
        match self.domain(domain).is_some_and(|part| part.restore.is_apart()) {
            true => feedback.restores.is_some_and(|original| self.is_activity(original)),
            false => self.is_activity(feedback.activity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_read_as_it_was_saved() {
        Restore::check_table();
    }
}
