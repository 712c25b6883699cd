//! The course of an activity as Eclipse Kanto's backends and agents know it: all
//! domains go through each phase together (protocol.md, "The activity").

use super::campaign::{Campaign, Cause, PastLimit};
use super::domain::{Reason, State};
use super::effect::{Effect, Effects, Notice, TimerKind};
use super::event::{DesiredState, Event, Feedback};
use super::finished::{Finished, One};
use super::ids::{DomainIx, DomainSet};
use super::phase::{Command, Phase, PhaseSet, Status};
use super::reboot::Reboot;
use super::running::Running;
use super::{Orchestrator, Rejected, WaitingOn};
use crate::limits::UPDATE_REPEATS_MAX;
use crate::time::Tick;

/// How long things are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// For a domain to leave a phase, in milliseconds.
    pub phase_timeout_ms: u64,
    /// For any feedback to `CLEANUP`, in milliseconds.
    pub cleanup_timeout_ms: u64,
    /// Between two `RUNNING`, in milliseconds; 0 for none at all.
    pub feedback_interval_ms: u64,
    /// The phases before which the owner is asked.
    pub consent: PhaseSet,
    /// For the owner to answer, in milliseconds.
    pub consent_timeout_ms: u64,
    /// The domains whose actions take effect with a reboot.
    pub reboot_required: DomainSet,
    /// Whether the host may be rebooted.
    pub reboot_enabled: bool,
    /// Between the reported end and the reboot, in milliseconds.
    pub reboot_after_ms: u64,
    /// Whether activities are saved.
    pub is_saved: bool,
}

/// One activity at a time, one phase at a time.
#[derive(Clone, Debug)]
pub struct Synchronised {
    pub(super) settings: Settings,
    /// The running activity or the last one; without meaning while `begun` is false.
    pub(super) campaign: Campaign,
    pub(super) begun: bool,
    pub(super) running: Running,
    pub(super) reboot: Reboot,
    pub(super) finished: Finished,
    /// Domains get their messages again with the next link.
    pub(super) is_resuming: bool,
    /// How often they got them in this phase because the broker had forgotten us.
    pub(super) told_again: u8,
    /// Those that have said nothing since: their agents may have come back to the broker
    /// after us, or have started anew and told nobody but the broker.
    pub(super) missed: DomainSet,
}

impl Orchestrator for Synchronised {
    fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        match event {
            Event::DesiredState(desired) => self.handle_desired_state(now, &desired, out),
            Event::Feedback(domain, feedback) => self.handle_feedback(now, domain, &feedback, out),
            Event::Restarted(domain) => {
                self.handle_restarted(now, domain, out);
                Ok(())
            }
            Event::ConsentReply(activity, approved) => self.handle_consent_reply(now, activity, approved, out),
            Event::Timeout(kind) => {
                self.handle_timeout(now, kind, out);
                Ok(())
            }
            Event::Terminate => {
                self.handle_terminate(out);
                Ok(())
            }
            Event::Cancel(force) => self.handle_cancel(now, force, out),
            Event::HoldReboot(hold) => self.handle_hold(now, hold, out),
            Event::Boot(saved) => {
                self.handle_boot(now, saved, out);
                Ok(())
            }
            Event::Delivered => {
                self.campaign.is_delivered = !self.is_running();
                Ok(())
            }
            Event::Settled => {
                self.reboot.handle_settled(now, self.settings.reboot_after_ms, out);
                Ok(())
            }
            Event::SaveFailed(_) => {
                self.campaign.is_unsaved = true;
                Ok(())
            }
            Event::RebootFailed => {
                self.reboot.handle_failed();
                Ok(())
            }
            Event::Link(true) => {
                self.handle_link_after_boot(now, out);
                Ok(())
            }
            Event::Forgotten(domains) => {
                self.handle_forgotten(now, domains, out);
                Ok(())
            }
            Event::Saved(_) | Event::Link(false) => Ok(()),
        }
    }

    fn campaign(&self) -> Option<&Campaign> {
        self.begun.then_some(&self.campaign)
    }

    fn waiting_on(&self) -> WaitingOn {
        let owes = |s| !matches!(s, State::Ready(_) | State::Done);
        if !self.is_running() {
            return match self.reboot {
                Reboot::None => WaitingOn::Nothing,
                Reboot::Delivering => WaitingOn::Link,
                Reboot::Waiting | Reboot::Held | Reboot::Triggered => WaitingOn::Reboot,
            };
        }
        match self.campaign.asking {
            Some(phase) => WaitingOn::Consent(phase),
            None => WaitingOn::Agents(self.campaign.domains_in(owes)),
        }
    }

    fn finished(&self) -> Option<&Finished> {
        Some(&self.finished)
    }

    fn reboot(&self) -> Reboot {
        self.reboot
    }
}

impl Synchronised {
    /// One that has not seen an activity yet.
    pub fn new(settings: Settings) -> Synchronised {
        Synchronised {
            settings,
            campaign: Campaign::new(),
            begun: false,
            running: Running::new(settings.feedback_interval_ms),
            reboot: Reboot::None,
            finished: Finished::default(),
            is_resuming: false,
            told_again: 0,
            missed: DomainSet::default(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.begun && self.campaign.is_running()
    }

    fn handle_desired_state(
        &mut self,
        now: Tick,
        desired: &DesiredState<'_>,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        let is_running = self.is_running();
        if is_running && self.campaign.is_activity(desired.activity) {
            return Err(Rejected::SameActivity);
        }
        // Even while another runs: it would have a second end.
        if self.finished.contains(desired) {
            return Err(Rejected::Redelivered);
        }
        if is_running {
            return Err(Rejected::Busy);
        }
        if self.reboot.is_pending() {
            return Err(Rejected::RebootPending);
        }
        self.campaign.begin(desired);
        self.begun = true;
        self.told_again = 0;
        self.missed = DomainSet::default();
        let domains = self.campaign.participants();
        if domains.is_empty() {
            self.campaign.cause = Some(Cause::NoSupportedDomain);
            self.close(Status::Incomplete, out);
            return Ok(());
        }
        out.push(Effect::Report(Status::Identifying));
        domains.iter().for_each(|domain| out.push(Effect::Forward(domain)));
        out.push(Effect::SetTimer(TimerKind::Phase, now.after(self.settings.phase_timeout_ms)));
        Ok(())
    }

    fn handle_feedback(
        &mut self,
        now: Tick,
        domain: DomainIx,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        if !self.is_running() || !self.campaign.is_activity(feedback.activity) {
            return Err(Rejected::WrongActivity);
        }
        let state = self.campaign.domain(domain).ok_or(Rejected::NotTakingPart)?.state;
        if state == State::Done {
            return Err(Rejected::Ended);
        }
        self.note_heard(domain, feedback);
        let past_limit = self.merge(now, domain, feedback, out);
        self.extend_wait(now, domain, out);
        match past_limit {
            Some(PastLimit(what, max)) if state == State::Working(Phase::Identify) && is_identified(feedback) => {
                self.fail(domain, Reason::Limit(what, max), out);
                self.set(domain, State::Done);
            }
            _ => self.answer(now, domain, state, feedback, out),
        }
        self.advance(now, out);
        Ok(())
    }

    /// Takes the actions in; says which limit one of them passed.
    fn merge(&mut self, now: Tick, domain: DomainIx, feedback: &Feedback<'_>, out: &mut Effects) -> Option<PastLimit> {
        let mut past_limit = feedback.past_limit;
        let mut changed = false;
        for action in feedback.actions {
            match self.campaign.actions.merge(domain, action) {
                Ok(this) => changed |= this,
                Err(limit) => past_limit = past_limit.or(Some(limit)),
            }
        }
        if changed {
            self.running.changed(now, out);
        }
        if past_limit.is_some() {
            out.push(Effect::Notice(Notice::ActionsDropped(domain)));
        }
        past_limit
    }

    /// A domain's feedback while it cleans up shows that it is at it.
    fn extend_wait(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let quiet = now.after(self.settings.cleanup_timeout_ms);
        if let Some(State::CleaningUp(wait) | State::RollingBack(wait)) =
            self.campaign.domain_mut(domain).map(|d| &mut d.state)
        {
            wait.quiet = quiet;
            self.set_cleanup_timer(out);
        }
    }

    /// What the status means for the domain.
    fn answer(&mut self, now: Tick, domain: DomainIx, state: State, feedback: &Feedback<'_>, out: &mut Effects) {
        let status = feedback.status;
        match (state, status) {
            (_, Status::Completed) => {
                // The self-update agent takes no further desired state before that.
                if state == State::Working(Phase::Identify) && self.campaign.actions.count(domain) == 0 {
                    out.push(Effect::Send(domain, Command::Cleanup));
                }
                self.set(domain, State::Done);
            }
            // It ends so because it was turned back.
            (_, Status::Incomplete) if self.campaign.cause.is_some() => self.set(domain, State::Done),
            (_, Status::Incomplete) => {
                self.fail(domain, Reason::of(status, feedback.message), out);
                self.set(domain, State::Done);
            }
            (_, Status::IncompleteInconsistent | Status::Superseded | Status::Unknown) => {
                out.push(Effect::Notice(Notice::Ignored(domain, status)));
            }
            (State::Working(phase), _) if status == phase.success() => {
                if self.lead_on(domain, phase, out) {
                    return;
                }
                let idle = phase == Phase::Identify && self.campaign.actions.count(domain) == 0;
                self.set(domain, if idle { State::Done } else { State::Ready(phase) });
            }
            // It was led back for its silence only, and has gone on all the same.
            (State::Working(_), _) if !feedback.is_repeat && self.is_through(domain, status) => {
                self.set(domain, State::Ready(self.campaign.phase));
            }
            (State::Working(_), _) if status.is_failure() => {
                self.fail(domain, Reason::of(status, feedback.message), out);
                self.drop_out(now, domain, out);
            }
            (State::Working(Phase::Update), Status::Downloading | Status::DownloadSuccess) => {
                self.fall_back(domain, status, out);
            }
            (State::RollingBack(_), _) if status == Status::RollbackSuccess || status.is_failure() => {
                self.clean_up(now, domain, out);
            }
            (State::CleaningUp(_), _) if status == Status::CleanupSuccess => self.set(domain, State::Done),
            (State::CleaningUp(_), _) if status.is_failure() => {
                self.end_cleanup(domain, Reason::of(status, feedback.message), out);
            }
            _ if is_answer(status) => out.push(Effect::Notice(Notice::Ignored(domain, status))),
            _ => {}
        }
    }

    /// The self-update agent may download again during `UPDATE` and then waits for
    /// a second one (agents.md).
    fn fall_back(&mut self, domain: DomainIx, status: Status, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if status == Status::Downloading {
            part.fell_back = true;
        } else if part.fell_back && part.repeats < UPDATE_REPEATS_MAX {
            part.fell_back = false;
            part.repeats += 1;
            out.push(Effect::Send(domain, Command::Update));
        } else {
            out.push(Effect::Notice(Notice::Ignored(domain, status)));
        }
    }

    fn handle_timeout(&mut self, now: Tick, kind: TimerKind, out: &mut Effects) {
        if !self.is_running() {
            if kind == TimerKind::Reboot {
                let is_saved = self.settings.is_saved && !self.campaign.is_unsaved;
                self.reboot.handle_timeout(now, self.settings.reboot_after_ms, is_saved, out);
            }
            return;
        }
        match kind {
            TimerKind::Reboot => return,
            TimerKind::Resume => return self.handle_resume_timeout(now, out),
            TimerKind::Feedback => return self.running.handle_timeout(now, out),
            TimerKind::Consent if self.campaign.asking.is_none() => return,
            TimerKind::Consent => self.turn_back(now, Cause::ConsentLate(self.settings.consent_timeout_ms), out),
            TimerKind::Phase => {
                let phase = self.campaign.phase;
                // Also one that is led to the phase of the others after a restart.
                for domain in self.campaign.domains_in(|s| matches!(s, State::Working(_))).iter() {
                    self.fail(domain, Reason::Silent(phase.command(), self.settings.phase_timeout_ms), out);
                    self.drop_out(now, domain, out);
                }
            }
            TimerKind::Cleanup => {
                let is_over = |s| matches!(s, State::CleaningUp(wait) if wait.over() <= now);
                for domain in self.campaign.domains_in(is_over).iter() {
                    let waited = match self.campaign.domain(domain).map(|part| part.state) {
                        Some(State::CleaningUp(wait)) if wait.quiet <= wait.end => self.settings.cleanup_timeout_ms,
                        _ => self.settings.phase_timeout_ms,
                    };
                    self.end_cleanup(domain, Reason::Silent(Some(Command::Cleanup), waited), out);
                }
                // The self-update agent never answers it: taken as done (agents.md).
                let is_over = |s| matches!(s, State::RollingBack(wait) if wait.over() <= now);
                for domain in self.campaign.domains_in(is_over).iter() {
                    self.clean_up(now, domain, out);
                }
                self.set_cleanup_timer(out);
            }
        }
        self.advance(now, out);
    }

    fn handle_terminate(&mut self, out: &mut Effects) {
        if self.is_running() {
            self.campaign.cause = Some(Cause::Terminated);
            self.close(Status::Incomplete, out);
        }
    }

    /// Goes on to the next phase, or to the end, if every domain has left this one.
    pub(super) fn advance(&mut self, now: Tick, out: &mut Effects) {
        if !self.campaign.domains_in(|s| matches!(s, State::Working(_))).is_empty() {
            return;
        }
        let phase = self.campaign.phase;
        let ready = self.campaign.domains_in(|s| s == State::Ready(phase));
        if self.campaign.asking.is_some() {
            if ready.is_empty() {
                self.close_consent(out);
            } else {
                return;
            }
        } else if phase == Phase::Identify {
            if self.campaign.has_failed() {
                return self.finish(now, Status::IdentificationFailed, out);
            }
            out.push(Effect::Report(Status::Identified));
            if !ready.is_empty() {
                self.running.begin(now, out);
            }
        }
        match phase.next() {
            Some(next) if !ready.is_empty() && self.settings.consent.contains(next) => self.ask(now, next, out),
            Some(next) if !ready.is_empty() => self.begin(now, next, ready, out),
            _ if self.campaign.domains_in(|s| s != State::Done).is_empty() => {
                let failed = self.campaign.has_failed() || self.campaign.cause.is_some();
                self.finish(now, if failed { Status::Incomplete } else { Status::Completed }, out);
            }
            _ => out.push(Effect::StopTimer(TimerKind::Phase)),
        }
    }

    /// Begins a phase in the domains that left the one before well.
    pub(super) fn begin(&mut self, now: Tick, phase: Phase, ready: DomainSet, out: &mut Effects) {
        self.campaign.phase = phase;
        self.campaign.resumptions = 0;
        self.told_again = 0;
        if phase == Phase::Cleanup {
            out.push(Effect::StopTimer(TimerKind::Phase));
            ready.iter().for_each(|domain| self.clean_up(now, domain, out));
            return;
        }
        for domain in ready.iter() {
            if let Some(part) = self.campaign.domain_mut(domain) {
                part.state = State::Working(phase);
                part.restarts = 0;
            }
            self.start(domain, phase, out);
        }
        self.watch(now, out);
        out.push(Effect::SetTimer(TimerKind::Phase, now.after(self.settings.phase_timeout_ms)));
    }

    /// A domain that has failed in a phase takes no further part.
    pub(super) fn drop_out(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        match self.campaign.phase {
            Phase::Identify => self.set(domain, State::Done),
            _ => self.clean_up(now, domain, out),
        }
    }

    fn clean_up(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        self.set(domain, State::CleaningUp(self.settings.wait(now)));
        out.push(Effect::Send(domain, Command::Cleanup));
        self.set_cleanup_timer(out);
    }

    /// A clean-up that failed or never ended does not undo an update (better.md).
    fn end_cleanup(&mut self, domain: DomainIx, reason: Reason, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.cleanup = Some(reason);
            part.state = State::Done;
            out.push(Effect::Notice(Notice::NotCleanedUp(domain)));
        }
    }

    pub(super) fn set_cleanup_timer(&self, out: &mut Effects) {
        let wait = |part: &super::domain::Domain| match part.state {
            State::CleaningUp(wait) | State::RollingBack(wait) => Some(wait.over()),
            _ => None,
        };
        if let Some(next) = self.campaign.domains.iter().flatten().filter_map(wait).min() {
            out.push(Effect::SetTimer(TimerKind::Cleanup, next));
        }
    }

    pub(super) fn fail(&mut self, domain: DomainIx, reason: Reason, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.failure.get_or_insert(reason);
            out.push(Effect::Notice(Notice::Failed(domain)));
        }
    }

    pub(super) fn set(&mut self, domain: DomainIx, state: State) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = state;
        }
    }

    /// The end of an activity that agents took part in.
    fn finish(&mut self, now: Tick, outcome: Status, out: &mut Effects) {
        self.close(outcome, out);
        out.push(Effect::ReportInventory);
        let needs_reboot = |domain: &DomainIx| self.campaign.actions.count(*domain) > 0;
        if outcome == Status::Completed && self.settings.reboot_required.iter().any(|domain| needs_reboot(&domain)) {
            match self.settings.reboot_enabled {
                true => self.reboot.begin(now, out),
                false => out.push(Effect::Notice(Notice::RebootDisabled)),
            }
        }
    }

    fn close(&mut self, outcome: Status, out: &mut Effects) {
        self.running.end(out);
        self.close_consent(out);
        out.push(Effect::StopTimer(TimerKind::Phase));
        out.push(Effect::StopTimer(TimerKind::Cleanup));
        out.push(Effect::StopTimer(TimerKind::Resume));
        self.campaign.outcome = Some(outcome);
        self.remember(outcome);
        out.push(Effect::Report(outcome));
        out.push(Effect::AwaitDelivery);
    }

    /// That the activity has ended.
    pub(super) fn remember(&mut self, outcome: Status) {
        self.finished.remember(One {
            activity: self.campaign.activity.clone(),
            timestamp: self.campaign.timestamp,
            crc: self.campaign.crc,
            outcome,
        });
    }
}

fn is_identified(feedback: &Feedback<'_>) -> bool {
    feedback.status == Status::Identified
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
