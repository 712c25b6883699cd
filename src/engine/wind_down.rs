//! Winds a domain down: it fails, is rolled back, cleans up, and its part ends. How it is
//! led forward is in `step` and `obligation`.

use super::domain::{Domain, Ended, Ending, State, Wait};
use super::effect::{Effect, Effects, Notice};
use super::obligation::Obligation;
use super::Engine;
use crate::model::time::Tick;
use crate::model::{Command, DomainIx, Reason};

impl Engine {
    /// The broker refuses for good what the domain is to get: there will be no answer.
    pub(super) fn handle_refused(&mut self, now: Tick, domain: DomainIx, bytes: u32, out: &mut Effects) {
        if !self.is_running() {
            return;
        }
        let reason = Reason::Refused(bytes);
        match self.campaign.domain(domain).map(|part| part.state) {
            Some(State::Working(_)) => {
                self.fail(domain, reason, out);
                self.drop_out(now, domain, out);
            }
            Some(State::RollingBack(_)) => self.end_rollback(domain, Ending::Failed, reason, out),
            Some(State::CleaningUp(_)) => self.end_cleanup(domain, reason, out),
            _ => {}
        }
    }

    /// The broker has the domain's ROLLBACK: from now on it is waited for.
    pub(super) fn handle_taken(&mut self, now: Tick, domain: DomainIx) {
        let wait = self.first_wait(now);
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if let (State::RollingBack(running), true) = (&mut part.state, part.obligation.is_halted) {
            *running = wait;
            part.obligation.times.is_taken = true;
        }
    }

    /// The domain has failed in a phase. One that is to be rolled back is, now that it has
    /// answered; one that has not identified has no part to end.
    pub(super) fn drop_out(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        if self.fail_restore(now, domain, out) {
            return;
        }
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if part.obligation.is_turning {
            return self.roll_back(now, domain, out);
        }
        if !part.has_begun() {
            return self.end(domain, Ended::Unidentified);
        }
        let phase = self.phase_of_failure(domain);
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        part.state = State::Failed(phase);
        part.note_failure(phase);
        part.obligation.settle();
    }

    /// The domain is rolled back: at once, or as soon as it has answered.
    pub(super) fn turn(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        match self.is_waited_for(domain) {
            true => {
                if let Some(part) = self.campaign.domain_mut(domain) {
                    part.obligation.is_turning = true;
                }
            }
            false => self.roll_back(now, domain, out),
        }
    }

    pub(super) fn roll_back(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.evidence.was_rolled_back = true;
            // The agent may have begun another course already.
            if part.obligation.has_repair() {
                part.note_new_course(part.furthest);
            }
        }
        self.undo(now, domain, State::RollingBack, Command::Rollback, out);
    }

    pub(super) fn clean_up(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        self.undo(now, domain, State::CleaningUp, Command::Cleanup, out);
    }

    fn undo(&mut self, now: Tick, domain: DomainIx, state: fn(Wait) -> State, command: Command, out: &mut Effects) {
        let wait = self.first_wait(now);
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = state(wait);
            part.close_boot();
            part.obligation.settle();
            self.send(domain, Some(command), out);
        }
    }

    /// The wait for a rollback or clean-up that begins now: its clock does not run
    /// before agents can be heard.
    fn first_wait(&self, now: Tick) -> Wait {
        match self.has_heard() {
            true => self.settings.wait(now),
            false => Wait::STOPPED,
        }
    }

    /// `ROLLBACK` has ended without a success, for this reason.
    pub(super) fn end_rollback(&mut self, domain: DomainIx, ending: Ending, reason: Reason, out: &mut Effects) {
        self.leave_rollback(domain, ending);
        // Silence may be all that such an agent ever says (docs/agents.md, "The self-update
        // agent").
        let is_back = |part: &Domain| part.obligation.is_halted && part.evidence.is_old;
        match self.campaign.domain_mut(domain) {
            Some(part) if is_back(part) => {}
            Some(part) if part.failure.is_some() => drop(part.cleanup.get_or_insert(reason)),
            _ => self.fail(domain, reason, out),
        }
    }

    pub(super) fn leave_rollback(&mut self, domain: DomainIx, ending: Ending) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = State::RolledBack(ending);
        }
        self.judge_rollback(domain, ending);
    }

    /// A clean-up that failed or never ended does not undo an update.
    pub(super) fn end_cleanup(&mut self, domain: DomainIx, reason: Reason, out: &mut Effects) {
        self.miss_restore(domain, &reason, out);
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.cleanup.get_or_insert(reason);
            out.push(Effect::Notice(Notice::NotCleanedUp(domain)));
        }
        self.end(domain, Ended::CleanedUp);
    }

    /// The domain's part has ended, or a step of its restoring.
    pub(super) fn end(&mut self, domain: DomainIx, ended: Ended) {
        if self.end_restore(domain) {
            return;
        }
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = State::Done(ended);
            part.close_boot();
            part.obligation = Obligation::default();
        }
    }

    pub(super) fn fail(&mut self, domain: DomainIx, reason: Reason, out: &mut Effects) {
        if self.miss_restore(domain, &reason, out) {
            return;
        }
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.failure.get_or_insert(reason);
            out.push(Effect::Notice(Notice::Failed(domain)));
        }
    }
}

impl super::Settings {
    pub(super) fn wait(&self, now: Tick) -> Wait {
        Wait { quiet: now.after(self.cleanup_timeout_ms), end: now.after(self.phase_timeout_ms) }
    }
}
