//! The course of an activity as Eclipse Kanto's backends and agents know it: all
//! domains go through each phase together (protocol.md, "The activity").

use super::campaign::Campaign;
use super::domain::{State, Wait};
use super::effect::{Effect, Effects, Notice, TimerKind};
use super::event::{DesiredState, Event, Feedback};
use super::obligation::{Doubt, Hearing, InDoubt, Obligation};
use super::running::Running;
use super::{Orchestrator, Rejected, WaitingOn};
use crate::limits::DOMAINS_MAX;
use crate::model::time::Tick;
use crate::model::{Cause, Command, DomainIx, DomainSet, Limit, Phase, PhaseSet, Reason, Reboot, Status};

/// How long things are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// For a domain to leave a phase, in milliseconds.
    pub phase_timeout_ms: u64,
    /// For a word of a domain in doubt before it is started over, in milliseconds; at
    /// most half of the phase timeout.
    pub resume_after_ms: u64,
    /// For each domain's agent to say that it is connected after the host has booted,
    /// in milliseconds, by the domain's place.
    pub read_timeouts_ms: [u64; DOMAINS_MAX],
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
pub struct Engine {
    pub(super) settings: Settings,
    /// The running activity or the last one; without meaning while `begun` is false.
    pub(super) campaign: Campaign,
    pub(super) begun: bool,
    pub(super) running: Running,
    pub(super) reboot: Reboot,
    /// What is decided cannot be saved at this moment.
    pub(super) is_unsaved: bool,
    pub(super) hearing: Hearing,
    armed: Armed,
}

/// The timers that depend on where the domains are, and what they are set to.
const ARMED: [TimerKind; 3] = [TimerKind::Phase, TimerKind::Cleanup, TimerKind::Repair];
type Armed = [Option<Tick>; ARMED.len()];

impl Orchestrator for Engine {
    fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        self.handle_event(now, event, out)?;
        self.arm(out);
        Ok(())
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

    fn reboot(&self) -> Reboot {
        self.reboot
    }

    fn in_doubt(&self, domain: DomainIx) -> Option<InDoubt> {
        self.in_doubt_of(domain)
    }
}

impl Engine {
    fn handle_event(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        match event {
            Event::DesiredState(desired) => self.handle_desired_state(now, &desired, out),
            Event::Feedback(domain, feedback) => self.handle_feedback(now, domain, &feedback, out),
            Event::Hello(domain) => {
                self.cast(now, domain, Doubt::Hello, out);
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
            Event::Unsaved(is_unsaved) => {
                self.is_unsaved = is_unsaved;
                Ok(())
            }
            Event::RebootFailed => {
                self.reboot.handle_failed();
                Ok(())
            }
            Event::Link(link) => {
                self.handle_link(now, link, out);
                Ok(())
            }
        }
    }

    /// One that has not seen an activity yet.
    pub fn new(settings: Settings) -> Engine {
        Engine {
            settings,
            campaign: Campaign::new(),
            begun: false,
            running: Running::new(settings.feedback_interval_ms),
            reboot: Reboot::None,
            is_unsaved: false,
            hearing: Hearing::default(),
            armed: Armed::default(),
        }
    }

    /// How long things are waited for.
    pub fn settings(&self) -> Settings {
        self.settings
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
        if is_running && self.campaign.is_activity(desired.key.activity) {
            return Err(Rejected::SameActivity);
        }
        if is_running {
            return Err(Rejected::Busy);
        }
        if self.reboot.is_pending() {
            return Err(Rejected::RebootPending);
        }
        self.campaign.begin(desired);
        self.begun = true;
        let domains = self.campaign.participants();
        if domains.is_empty() {
            self.campaign.cause = Some(Cause::NoSupportedDomain);
            self.close(Status::Incomplete, out);
            return Ok(());
        }
        out.push(Effect::Report(Status::Identifying));
        domains.iter().for_each(|domain| self.oblige(now, domain, Phase::Identify, out));
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
        self.hear(domain, feedback);
        let past_limit = self.merge(now, domain, feedback, out);
        self.extend_wait(now, domain);
        match past_limit {
            Some(limit) if state == State::Working(Phase::Identify) && is_identified(feedback) => {
                self.fail(domain, Reason::Limit(limit), out);
                self.end(domain);
            }
            _ => self.answer(now, domain, state, feedback, out),
        }
        self.advance(now, out);
        Ok(())
    }

    /// Takes the actions in; says which limit one of them passed.
    fn merge(&mut self, now: Tick, domain: DomainIx, feedback: &Feedback<'_>, out: &mut Effects) -> Option<Limit> {
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
    fn extend_wait(&mut self, now: Tick, domain: DomainIx) {
        let quiet = now.after(self.settings.cleanup_timeout_ms);
        if let Some(State::CleaningUp(wait) | State::RollingBack(wait)) =
            self.campaign.domain_mut(domain).map(|d| &mut d.state)
        {
            wait.quiet = quiet;
        }
    }

    fn handle_timeout(&mut self, now: Tick, kind: TimerKind, out: &mut Effects) {
        if let Some(place) = ARMED.iter().position(|armed| *armed == kind) {
            self.armed[place] = None;
        }
        if !self.is_running() {
            if kind == TimerKind::Reboot {
                let is_saved = self.settings.is_saved && !self.is_unsaved;
                self.reboot.handle_timeout(now, self.settings.reboot_after_ms, is_saved, out);
            }
            return;
        }
        match kind {
            TimerKind::Reboot => return,
            TimerKind::Repair => return self.handle_repair_timeout(now, out),
            TimerKind::Feedback => return self.running.handle_timeout(now, out),
            TimerKind::Consent if self.campaign.asking.is_none() => return,
            TimerKind::Consent => {
                self.campaign.waited_ms = self.settings.consent_timeout_ms;
                self.turn_back(now, Cause::ConsentLate, out);
            }
            TimerKind::Phase => {
                for domain in self.campaign.participants().iter() {
                    let clock = self.campaign.domain(domain).and_then(|part| self.clock_of(part));
                    if clock.is_some_and(|at| at <= now) {
                        self.expire(now, domain, out);
                    }
                }
            }
            TimerKind::Cleanup => self.end_waits(now, out),
        }
        self.advance(now, out);
    }

    /// Ends the waits for clean-ups and rollbacks that are over.
    fn end_waits(&mut self, now: Tick, out: &mut Effects) {
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
    }

    /// Sets the timers that depend on where the domains are.
    fn arm(&mut self, out: &mut Effects) {
        let has_heard = self.has_heard();
        let wait = |part: &super::domain::Domain| match part.state {
            State::CleaningUp(wait) | State::RollingBack(wait) if has_heard => Some(wait.over()),
            _ => None,
        };
        let wanted = match self.is_running() {
            true => {
                let cleanup = self.campaign.domains.iter().flatten().filter_map(wait).min();
                [self.clock_due(), cleanup, self.repair_due()]
            }
            false => Armed::default(),
        };
        for (place, kind) in ARMED.into_iter().enumerate() {
            match wanted[place] {
                now if now == self.armed[place] => {}
                Some(at) => out.push(Effect::SetTimer(kind, at)),
                None => out.push(Effect::StopTimer(kind)),
            }
        }
        self.armed = wanted;
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
        } else if !self.campaign.is_identified() {
            if self.campaign.has_failed() {
                return self.finish(now, Status::IdentificationFailed, out);
            }
            out.push(Effect::Report(Status::Identified));
            if !ready.is_empty() {
                self.running.begin(now, out);
            }
        }
        match phase.next() {
            Some(next) if !ready.is_empty() && self.needs_consent(next) => self.ask(now, next, out),
            Some(next) if !ready.is_empty() => self.begin(now, next, ready, out),
            _ if self.campaign.domains_in(|s| s != State::Done).is_empty() => {
                let failed = self.campaign.has_failed() || self.campaign.cause.is_some();
                self.finish(now, if failed { Status::Incomplete } else { Status::Completed }, out);
            }
            _ => {}
        }
    }

    /// Begins a phase in the domains that left the one before well.
    pub(super) fn begin(&mut self, now: Tick, phase: Phase, ready: DomainSet, out: &mut Effects) {
        self.campaign.phase = phase;
        self.campaign.approved = None;
        if phase == Phase::Cleanup {
            return ready.iter().for_each(|domain| self.clean_up(now, domain, out));
        }
        for domain in ready.iter() {
            if let Some(part) = self.campaign.domain_mut(domain) {
                part.obligation.repairs = 0;
            }
            self.oblige(now, domain, phase, out);
        }
    }

    /// A domain that has failed in a phase takes no further part; one that is to be
    /// rolled back is, now that it has answered.
    pub(super) fn drop_out(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let is_turning = self.campaign.domain(domain).is_some_and(|part| part.obligation.is_turning);
        match self.campaign.phase {
            _ if is_turning => self.roll_back(now, domain, out),
            Phase::Identify => self.end(domain),
            _ => self.clean_up(now, domain, out),
        }
    }

    pub(super) fn clean_up(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        self.undo(now, domain, State::CleaningUp, Command::Cleanup, out);
    }

    pub(super) fn roll_back(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        self.undo(now, domain, State::RollingBack, Command::Rollback, out);
    }

    fn undo(&mut self, now: Tick, domain: DomainIx, state: fn(Wait) -> State, command: Command, out: &mut Effects) {
        let wait = self.first_wait(now);
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = state(wait);
            part.obligation.settle();
            self.send(domain, Some(command), out);
        }
    }

    /// The domain's part has ended.
    pub(super) fn end(&mut self, domain: DomainIx) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = State::Done;
            part.obligation = Obligation::default();
        }
    }

    /// A clean-up that failed or never ended does not undo an update (better.md).
    pub(super) fn end_cleanup(&mut self, domain: DomainIx, reason: Reason, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.cleanup = Some(reason);
            out.push(Effect::Notice(Notice::NotCleanedUp(domain)));
        }
        self.end(domain);
    }

    pub(super) fn fail(&mut self, domain: DomainIx, reason: Reason, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.failure.get_or_insert(reason);
            out.push(Effect::Notice(Notice::Failed(domain)));
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
        self.campaign.outcome = Some(outcome);
        out.push(Effect::Report(outcome));
        out.push(Effect::AwaitDelivery);
    }
}

fn is_identified(feedback: &Feedback<'_>) -> bool {
    feedback.status == Status::Identified
}
