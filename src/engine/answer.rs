//! What a domain's feedback means for it: an answer to what it owes, progress, or nothing
//! (docs/protocol.md, "The activity", step 5). What may belong to an earlier message is judged in
//! `obligation`.

use super::domain::{Ended, Ending, State};
use super::effect::{Effect, Effects, Notice};
use super::event::Feedback;
use super::restore::Restore;
use super::Engine;
use crate::limits::UPDATE_REPEATS_MAX;
use crate::model::time::Tick;
use crate::model::{Command, DomainIx, Phase, Rollback, Status};

impl Engine {
    /// What the status means for the domain.
    pub(super) fn answer(
        &mut self,
        now: Tick,
        domain: DomainIx,
        state: State,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) {
        let status = feedback.status;
        match (state, status) {
            (_, Status::Completed) => self.complete(domain, state, feedback, out),
            (_, Status::Incomplete) => self.answer_incomplete(now, domain, state, feedback, out),
            (_, Status::IncompleteInconsistent | Status::Superseded | Status::Unknown) => {
                out.push(Effect::Notice(Notice::Ignored(domain, status)));
            }
            (State::Working(phase), _) if status == phase.success() => {
                self.take_answer(domain, phase.command());
                let is_over = phase == Phase::Identify && self.confirm(domain, Some(feedback), out)
                    || self.is_led_back(now, domain, phase, feedback.actions.is_empty(), out);
                if !is_over {
                    self.leave(now, domain, phase, out);
                }
            }
            (_, Status::Identified) => self.start_over(now, domain, feedback, out),
            (State::Working(phase), _) if status.is_failure() => self.judge(now, domain, phase, feedback, out),
            (State::Working(Phase::Update), Status::Downloading | Status::DownloadSuccess) => {
                self.fall_back(domain, feedback, out);
            }
            (State::Ready(_), Status::IdentificationFailed) => self.lose_plan(now, domain, feedback, out),
            (State::RollingBack(_), Status::RollbackSuccess) => {
                self.take_answer(domain, Some(Command::Rollback));
                self.leave_rollback(domain, Ending::Ok);
            }
            (State::RollingBack(_), _) if status.is_failure() => {
                match self.is_answered(domain, Command::Rollback, feedback) {
                    true => self.end_rollback(domain, Ending::Failed, self.reason_of_rollback(domain, feedback), out),
                    false => out.push(Effect::Notice(Notice::Ignored(domain, status))),
                }
            }
            (State::RolledBack(_) | State::CleaningUp(_), Status::RollbackSuccess) if self.undo_late(domain) => {}
            (State::CleaningUp(_), Status::CleanupSuccess) => self.end(domain, Ended::CleanedUp),
            (State::CleaningUp(_), _) if status.is_failure() => {
                match self.is_answered(domain, Command::Cleanup, feedback) {
                    true => self.end_cleanup(domain, self.reason_of(domain, feedback), out),
                    false => out.push(Effect::Notice(Notice::Ignored(domain, status))),
                }
            }
            _ if is_answer(status) => {
                if let Some(command) = status.answers() {
                    self.take_answer(domain, command);
                }
                out.push(Effect::Notice(Notice::Ignored(domain, status)));
            }
            _ => {}
        }
    }

    /// `COMPLETED` ends the domain's part at any time.
    fn complete(&mut self, domain: DomainIx, state: State, feedback: &Feedback<'_>, out: &mut Effects) {
        if self.is_content_after_boot(domain) || self.confirm(domain, None, out) {
            return;
        }
        let has_actions = self.campaign.actions.count(domain) > 0;
        let is_forward = state.is_forward();
        let is_restart = self.campaign.domain(domain).is_some_and(|part| is_forward && part.obligation.has_repair());
        let is_apart = self.campaign.domain(domain).is_some_and(|part| part.restore.is_apart());
        let has_work = if is_apart { !feedback.actions.is_empty() } else { has_actions };
        let is_first = state == State::Working(Phase::Identify) && !has_work;
        // The self-update agent takes no further desired state before that.
        let is_cleaned = is_first || is_restart && feedback.actions.is_empty();
        if is_cleaned {
            out.push(self.message(domain, Some(Command::Cleanup)));
        }
        if self.end_restore(domain) {
            return;
        }
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        // What was turned back is not committed by the word with which it ends.
        if part.obligation.is_halted && matches!(state, State::CleaningUp(_)) {
            return self.end(domain, Ended::CleanedUp);
        }
        part.evidence.has_committed = has_actions;
        part.evidence.was_cleaned |= is_cleaned;
        self.end(domain, Ended::Completed);
    }

    fn answer_incomplete(
        &mut self,
        now: Tick,
        domain: DomainIx,
        state: State,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) {
        let Some(part) = self.campaign.domain(domain) else { return };
        if self.is_counted(part) {
            return out.push(Effect::Notice(Notice::Ignored(domain, feedback.status)));
        }
        if part.restore.is_under_way() {
            return self.end_incomplete(now, domain, state, feedback, out);
        }
        // One that was turned back ends so, and has not failed.
        if !self.is_given_up(part) {
            self.fail(domain, self.reason_of(domain, feedback), out);
        }
        let is_grouped = self.campaign.groups.rollback != Rollback::None;
        match state {
            // It is undone, and cleaned up, as after any failure.
            State::Working(_) | State::Ready(_) if is_grouped => self.drop_out(now, domain, out),
            State::RollingBack(_) if is_grouped => {
                self.end_rollback(domain, Ending::Failed, self.reason_of_rollback(domain, feedback), out);
            }
            _ => self.end(domain, Ended::Incomplete),
        }
    }

    /// A domain that is restored says that it has failed, or has ended its clean-up.
    fn end_incomplete(
        &mut self,
        now: Tick,
        domain: DomainIx,
        state: State,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) {
        let reason = self.reason_of(domain, feedback);
        match state {
            State::CleaningUp(_) => self.end_cleanup(domain, reason, out),
            _ => {
                self.fail(domain, reason, out);
                self.drop_out(now, domain, out);
            }
        }
    }

    /// The domain was started over while it waited for the others, and cannot identify.
    fn lose_plan(&mut self, now: Tick, domain: DomainIx, feedback: &Feedback<'_>, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if !part.obligation.has_repair() {
            return out.push(Effect::Notice(Notice::Ignored(domain, feedback.status)));
        }
        part.obligation.queue.take(None);
        part.note_new_course(part.state.phase());
        self.fail(domain, self.reason_of(domain, feedback), out);
        self.drop_out(now, domain, out);
    }

    /// A success takes what it answers from what the domain may still answer.
    fn take_answer(&mut self, domain: DomainIx, command: Option<Command>) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.obligation.queue.take(command);
        }
    }

    /// The domain has left this phase well. One that was started over goes on by itself
    /// to where it was.
    fn leave(&mut self, now: Tick, domain: DomainIx, phase: Phase, out: &mut Effects) {
        let has_actions = self.campaign.actions.count(domain) > 0;
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        // Those of what it is restored to are not among them.
        let is_idle = phase == Phase::Identify && !has_actions && part.restore == Restore::No;
        part.evidence.is_sure = true;
        // A download again belongs to the update that is over.
        part.fell_back = false;
        let next = phase.next().filter(|next| Some(*next) <= part.furthest);
        match next {
            _ if part.obligation.is_turning => self.roll_back(now, domain, out),
            _ if is_idle => self.end(domain, Ended::Idle),
            Some(next) if !part.is_stopped() => self.oblige(now, domain, next, out),
            _ => {
                part.state = State::Ready(phase);
                part.obligation.answered();
                if phase == Phase::Activate {
                    self.note_activated(domain);
                }
            }
        }
    }

    /// The self-update agent may download again during `UPDATE` and then waits for
    /// a second one (docs/agents.md, "The self-update agent").
    fn fall_back(&mut self, domain: DomainIx, feedback: &Feedback<'_>, out: &mut Effects) {
        let status = feedback.status;
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if status == Status::Downloading {
            // What the broker delivers once more may be of the download before.
            part.fell_back |= !feedback.is_repeat;
        } else if part.obligation.queue.take(Some(Command::Download)).is_some() {
            // It answers a `DOWNLOAD` that was sent twice.
            part.fell_back = false;
            out.push(Effect::Notice(Notice::Ignored(domain, status)));
        } else if part.fell_back && part.is_stopped() {
            // It waits for the second one, which it does not get.
            part.state = State::Ready(Phase::Download);
            part.evidence.is_sure = true;
            part.obligation.answered();
        } else if part.fell_back && part.repeats < UPDATE_REPEATS_MAX {
            part.fell_back = false;
            part.repeats += 1;
            part.obligation.queue.forget(Command::Update);
            self.send(domain, Some(Command::Update), out);
        } else {
            out.push(Effect::Notice(Notice::Ignored(domain, status)));
        }
    }
}

/// Whether a status claims the end of something, so that it is worth a log line
/// when it means nothing.
fn is_answer(status: Status) -> bool {
    status.is_failure()
        || matches!(
            status,
            Status::Identified
                | Status::DownloadSuccess
                | Status::UpdateSuccess
                | Status::ActivationSuccess
                | Status::RollbackSuccess
                | Status::CleanupSuccess
        )
}
