//! Which message of ours a domain's answer belongs to, and whether it counts
//! (docs/agent-api.md, "When something may have been lost").

use super::{may_repair, start_clock, was_repaired, Suspicion};
use crate::engine::domain::{Domain, State};
use crate::engine::effect::{Effect, Effects, Notice};
use crate::engine::event::Feedback;
use crate::engine::Engine;
use crate::model::time::Tick;
use crate::model::{Command, DomainIx, Phase, Status};

/// Answers: which message they belong to, and whether they count.
impl Engine {
    /// The message goes out now, and may be answered.
    pub(in crate::engine) fn send(&mut self, domain: DomainIx, command: Option<Command>, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.obligation.queue.push(command, part.obligation.course);
        }
        out.push(self.message(domain, command));
    }

    /// The domain owes an answer to what starts this phase from now on.
    pub(in crate::engine) fn oblige(&mut self, now: Tick, domain: DomainIx, phase: Phase, out: &mut Effects) {
        let (settings, hearing) = (self.settings, self.hearing);
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        part.state = State::Working(phase);
        part.obligation.answered();
        if hearing.has_begun {
            start_clock(part, now, &settings);
        }
        if core::mem::take(&mut part.obligation.is_remembered) {
            let audible = hearing.since.map(|_| now);
            part.obligation.times.suspicion = Some(Suspicion { since: now, last: now, audible, has_booted: false });
        }
        self.send(domain, phase.command(), out);
    }

    /// The domain has said something about the activity. What the broker delivers once
    /// more, or what is about an earlier phase, does not show that the agent still
    /// knows what it owes.
    pub(in crate::engine) fn hear(&mut self, domain: DomainIx, feedback: &Feedback<'_>) {
        self.campaign.starts.count = 0;
        let Some(part) = self.campaign.domain_mut(domain).filter(|_| !feedback.is_repeat) else { return };
        let times = &mut part.obligation.times;
        times.repaired = None;
        let State::Working(owed) = part.state else { return };
        let named = feedback.status.phase();
        // The self-update agent may download again during the update. The end of a download
        // that did not begin there is a late answer: nothing follows it.
        let falls_back = owed == Phase::Update
            && match feedback.status {
                Status::Downloading => true,
                Status::DownloadSuccess => part.fell_back,
                _ => false,
            };
        if named == Some(owed) || falls_back {
            times.suspicion = None;
        }
    }

    /// A domain that shows progress gets its whole time anew, up to the longest that it may
    /// take: its status has changed, or that of an action or how far it is (`has_moved`). One
    /// that was delivered again, or repeats itself, shows nothing.
    pub(in crate::engine) fn extend_clock(
        &mut self,
        now: Tick,
        domain: DomainIx,
        feedback: &Feedback<'_>,
        has_moved: bool,
    ) {
        let phase_timeout_ms = self.settings.phase_timeout_ms;
        let Some(part) = self.campaign.domain_mut(domain).filter(|_| !feedback.is_repeat) else { return };
        let times = &mut part.obligation.times;
        let is_news = times.status.replace(feedback.status) != Some(feedback.status);
        if let (true, Some(clock), Some(end)) = (is_news || has_moved, &mut times.clock, times.clock_end) {
            *clock = now.after(phase_timeout_ms).min(end).max(*clock);
        }
    }

    /// `IDENTIFIED` from a domain that had identified already: it answers the desired
    /// state that was sent again, so the agent has started over. It is led again from
    /// the download, and the phase of the others is not left by it.
    pub(in crate::engine) fn start_over(
        &mut self,
        now: Tick,
        domain: DomainIx,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let obligation = &mut part.obligation;
        // Also if the broker may have delivered it before: that of an earlier desired state
        // was acknowledged long before this one was sent again, so it is the only copy.
        let Some(order) = obligation.queue.take(None) else {
            return out.push(Effect::Notice(Notice::Ignored(domain, feedback.status)));
        };
        obligation.course = obligation.course.max(order.course);
        let remembers = feedback.remembers_all();
        if !remembers {
            part.note_new_course(part.state.phase());
        }
        let is_stopped = part.is_stopped();
        let obligation = &mut part.obligation;
        match part.state {
            State::Working(_) if obligation.is_turning => self.roll_back(now, domain, out),
            State::Working(_) | State::Ready(_) if is_stopped => {
                part.state = State::Ready(Phase::Identify);
                part.obligation.answered();
            }
            // Nothing is lost: it has just identified.
            State::Ready(Phase::Identify) => {}
            // It is where the others are to go: nothing leads it there.
            State::Working(_) | State::Ready(_) if remembers || feedback.actions.is_empty() => {
                part.rest();
                self.note_activated(domain);
            }
            State::Working(_) | State::Ready(_) => {
                obligation.times.suspicion = None;
                (part.fell_back, part.repeats) = (false, 0);
                let group = part.group;
                out.push(Effect::Notice(Notice::StartedOver(domain)));
                // It has not left its activation after all.
                self.end_verification(group, out);
                self.oblige(now, domain, Phase::Download, out);
            }
            // Nothing leads forward any more.
            _ => {}
        }
    }

    /// A failure of a domain that owes an answer to what started this phase: whether it
    /// belongs to an earlier message, is kept, or counts.
    pub(in crate::engine) fn judge(
        &mut self,
        now: Tick,
        domain: DomainIx,
        owed: Phase,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) {
        let (status, reason) = (feedback.status, self.reason_of(domain, feedback));
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let (fell_back, is_wound_down) = (part.fell_back, part.is_wound_down());
        let obligation = &mut part.obligation;
        let taken = obligation.queue.take_failure(status, obligation.course);
        let is_late = taken.is_some_and(|order| order.course < obligation.course);
        let is_new = taken.is_some_and(|order| order.course > obligation.course);
        // It says so of a phase that it has left well in this course.
        let is_over = |named: Phase| named < owed && !(named == Phase::Download && fell_back);
        if is_late || status.phase().is_some_and(is_over) && !is_new {
            return out.push(Effect::Notice(Notice::Ignored(domain, status)));
        }
        let is_again = taken.is_some_and(|order| obligation.queue.contains(order.command));
        if (is_again || obligation.has_repair()) && !is_wound_down {
            obligation.kept.get_or_insert(reason);
            obligation.times.kept.get_or_insert(now);
            out.push(Effect::Notice(Notice::FailureKept(domain, status)));
            if !part.obligation.has_repair() && may_repair(part) {
                self.repair(now, domain, out);
            }
            return;
        }
        let is_turning = obligation.is_turning;
        if is_new {
            part.note_new_course(Some(owed));
        }
        if !is_turning {
            self.fail(domain, reason, out);
        }
        self.drop_out(now, domain, out);
    }

    /// Whether a failure answers the `ROLLBACK` or `CLEANUP` that the domain owes an
    /// answer to, and no earlier message.
    pub(in crate::engine) fn is_answered(&mut self, domain: DomainIx, owed: Command, feedback: &Feedback<'_>) -> bool {
        let status = feedback.status;
        // The failure that was counted before, delivered once more.
        if feedback.is_repeat && status.phase().is_some() {
            return false;
        }
        let Some(part) = self.campaign.domain_mut(domain) else { return false };
        let obligation = &mut part.obligation;
        let taken = obligation.queue.take_failure(status, obligation.course);
        let is_owed = taken.map_or(true, |order| order.command == Some(owed));
        // One that was started over may still answer what nothing comes of any more.
        let is_late = status.phase().is_some() && was_repaired(part);
        is_owed && !is_late && !(owed == Command::Cleanup && status == Status::RollbackFailure)
    }

    /// Whether `INCOMPLETE` says only that the agent was started over after an
    /// activation that has counted.
    pub(in crate::engine) fn is_counted(&self, part: &Domain) -> bool {
        let is_well = part.failure.is_none() && !self.is_given_up(part);
        matches!(part.state, State::CleaningUp(_)) && is_well && was_repaired(part)
    }

    /// Whether a rollback has to wait for the domain's answer: one that was started over
    /// refuses a rollback until then.
    pub(in crate::engine) fn is_waited_for(&self, domain: DomainIx) -> bool {
        let is_led_again = |part: &Domain| matches!(part.state, State::Working(_)) && part.obligation.course > 0;
        self.campaign.domain(domain).is_some_and(is_led_again)
    }
}
