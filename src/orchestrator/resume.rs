//! Taking up a saved activity. Domains that had left the phase keep their result.
//! The others get their message again as soon as there is a link: the agent may
//! have missed it, or the answer was missed. An agent that does not react has
//! forgotten the activity: it gets the desired state again and is led, on its own,
//! to the phase that it was in. If it still does not react, the domain has failed.

use super::campaign::{Campaign, Cause};
use super::domain::{Reason, State, Wait};
use super::effect::{Effect, Effects, TimerKind};
use super::event::Feedback;
use super::finished::Finished;
use super::ids::{DomainIx, DomainSet};
use super::phase::{Command, Phase, Status};
use super::reboot::Reboot;
use super::synchronised::Synchronised;
use crate::limits::{RESUME_REACTION_MS, RESUMPTIONS_MAX};
use crate::time::Tick;

/// A campaign as it was saved.
#[derive(Debug)]
pub struct Saved {
    /// The campaign.
    pub campaign: Campaign,
    /// How far the reboot was.
    pub reboot: Reboot,
    /// Whether the host has booted since.
    pub has_booted: bool,
    /// The activities that had finished.
    pub finished: Finished,
}

impl Saved {
    /// Whether the end is as it was saved, so that all that follows can be said again
    /// without another save.
    pub(super) fn is_end(&self) -> bool {
        !self.campaign.is_running() && self.campaign.cause != Some(Cause::Unreadable)
    }
}

impl Synchronised {
    /// The process has started, with this saved.
    pub(super) fn handle_boot(&mut self, now: Tick, saved: &Saved, out: &mut Effects) {
        self.campaign.clone_from(&saved.campaign);
        self.finished = saved.finished.clone();
        self.begun = true;
        if let (true, Some(outcome)) = (self.campaign.is_running(), self.finished.outcome_of(&self.campaign)) {
            // An older state has come back. That it ended may not have been told.
            self.campaign.outcome = Some(outcome);
            self.campaign.asking = None;
        }
        if !self.campaign.is_running() {
            return self.resume_end(now, saved, out);
        }
        self.campaign.resumptions = self.campaign.resumptions.saturating_add(1);
        self.is_resuming = true;
        let reached = self.campaign.phase;
        for part in self.campaign.domains.iter_mut().flatten() {
            match &mut part.state {
                State::RollingBack(wait) | State::CleaningUp(wait) => *wait = self.settings.wait(now),
                // It was on the way to the phase of the others.
                State::Working(phase) if *phase < reached => part.replay = Some(reached),
                _ => {}
            }
        }
        self.set_cleanup_timer(out);
        // What was saved may not have been told.
        match self.campaign.is_identified() {
            false => out.push(Effect::Report(Status::Identifying)),
            true => {
                out.push(Effect::Report(Status::Identified));
                self.running.begin(now, out);
            }
        }
        match self.campaign.asking.take() {
            Some(phase) => self.ask(now, phase, out),
            None => out.push(Effect::SetTimer(TimerKind::Phase, now.after(self.settings.phase_timeout_ms))),
        }
        if self.campaign.resumptions > RESUMPTIONS_MAX {
            self.give_up(now, out);
        }
    }

    /// An activity that had ended: its end may still have to be told, and the host
    /// rebooted.
    fn resume_end(&mut self, now: Tick, saved: &Saved, out: &mut Effects) {
        if let (Some(outcome), None) = (self.campaign.outcome, self.finished.outcome_of(&self.campaign)) {
            self.remember(outcome);
        }
        if !self.campaign.is_delivered {
            if let Some(outcome) = self.campaign.outcome {
                out.push(Effect::Report(outcome));
                out.push(Effect::ReportInventory);
            }
            out.push(Effect::AwaitDelivery);
        }
        // Another boot: it has happened. The same one: what was triggered has failed.
        self.reboot = match saved.reboot {
            _ if saved.has_booted => Reboot::None,
            Reboot::Triggered | Reboot::None => Reboot::None,
            Reboot::Delivering | Reboot::Waiting => Reboot::Delivering,
            Reboot::Held => Reboot::Held,
        };
        if self.reboot != Reboot::Delivering {
            return;
        }
        self.reboot.begin(now, out);
        if self.campaign.is_delivered {
            self.reboot.handle_settled(now, self.settings.reboot_after_ms, out);
        }
    }

    /// There is a link: whoever owes an answer gets its message again.
    pub(super) fn handle_link_after_boot(&mut self, now: Tick, out: &mut Effects) {
        if !core::mem::take(&mut self.is_resuming) || !self.is_running() {
            return;
        }
        for domain in self.campaign.participants().iter() {
            self.tell_again(domain, out);
        }
        out.push(Effect::SetTimer(TimerKind::Resume, now.after(self.settings.reaction_ms())));
    }

    /// The broker has lost what was said to us meanwhile: these domains get their
    /// message again if they owe an answer. Their agents have not started anew, but
    /// may not hear us yet.
    pub(super) fn handle_forgotten(&mut self, now: Tick, domains: DomainSet, out: &mut Effects) {
        if !self.is_running() || self.is_resuming || self.told_again >= RESUMPTIONS_MAX {
            return;
        }
        self.told_again += 1;
        for domain in self.campaign.participants().iter().filter(|domain| domains.contains(*domain)) {
            self.say_again(domain, out);
        }
        self.missed = self.campaign.domains_in(|state| !matches!(state, State::Ready(_) | State::Done));
        if !self.missed.is_empty() {
            out.push(Effect::SetTimer(TimerKind::Resume, now.after(self.settings.reaction_ms())));
        }
    }

    /// An agent has started anew in the middle of a phase.
    pub(super) fn handle_restarted(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        if !self.is_running() {
            return;
        }
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if matches!(part.state, State::Ready(_)) {
            // Whether it has forgotten the activity shows when the next phase begins.
            part.is_heard = false;
        }
        if !part.is_owing() {
            return;
        }
        part.restarts = part.restarts.saturating_add(1);
        if part.restarts > RESUMPTIONS_MAX && matches!(part.state, State::Working(_)) {
            self.fail(domain, Reason::Lost(RESUMPTIONS_MAX), out);
            self.drop_out(now, domain, out);
            return self.advance(now, out);
        }
        self.tell_again(domain, out);
        out.push(Effect::SetTimer(TimerKind::Resume, now.after(self.settings.reaction_ms())));
    }

    /// Whoever owes an answer gets its message again, and has to react to it.
    fn tell_again(&mut self, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        part.is_heard = false;
        match (part.state, part.replay) {
            // On the way to the phase of the others: from the beginning again.
            (State::Working(phase), Some(target)) if phase < target => part.state = State::Working(Phase::Identify),
            // It may have forgotten more than the message that it did not answer.
            _ => part.replay = None,
        }
        self.say_again(domain, out);
    }

    fn say_again(&mut self, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain(domain) else { return };
        match part.state {
            State::Working(phase) => self.start(domain, phase, out),
            State::CleaningUp(_) => out.push(Effect::Send(domain, Command::Cleanup)),
            State::RollingBack(_) => out.push(Effect::Send(domain, Command::Rollback)),
            State::Ready(_) | State::Done => {}
        }
    }

    /// A phase has begun. Those that may have forgotten the activity have to react.
    pub(super) fn watch(&self, now: Tick, out: &mut Effects) {
        if self.campaign.domains.iter().flatten().any(|part| !part.is_heard && part.is_owing()) {
            out.push(Effect::SetTimer(TimerKind::Resume, now.after(self.settings.reaction_ms())));
        }
    }

    /// Those that have not reacted since get the desired state again, once; those that
    /// may have missed their message get it as well, but may go on in silence.
    pub(super) fn handle_resume_timeout(&mut self, now: Tick, out: &mut Effects) {
        let mut again = false;
        let missed = core::mem::take(&mut self.missed);
        for domain in self.campaign.domains_in(|s| matches!(s, State::CleaningUp(_) | State::RollingBack(_))).iter() {
            if missed.contains(domain) {
                self.say_again(domain, out);
            }
        }
        for domain in self.campaign.domains_in(|s| matches!(s, State::Working(_))).iter() {
            let Some(part) = self.campaign.domain_mut(domain) else { continue };
            let State::Working(phase) = part.state else { continue };
            if part.is_heard && !missed.contains(domain) {
                continue;
            }
            if part.replay.is_none() || part.is_heard {
                part.replay = part.replay.max(Some(phase));
                part.state = State::Working(Phase::Identify);
                out.push(Effect::Forward(domain));
                again |= !part.is_heard;
            } else {
                self.fail(domain, Reason::Silent(None, self.settings.reaction_ms()), out);
                self.drop_out(now, domain, out);
            }
        }
        if again {
            out.push(Effect::SetTimer(TimerKind::Resume, now.after(self.settings.reaction_ms())));
        }
        self.advance(now, out);
    }

    /// A domain that is led back to the phase of the others goes on by itself;
    /// whether it did.
    pub(super) fn lead_on(&mut self, domain: DomainIx, left: Phase, out: &mut Effects) -> bool {
        let Some(part) = self.campaign.domain_mut(domain) else { return false };
        let (Some(target), Some(next)) = (part.replay, left.next()) else { return false };
        if next > target {
            part.replay = None;
            return false;
        }
        part.state = State::Working(next);
        self.start(domain, next, out);
        true
    }

    /// Whether the status is what the phase of the others was to lead a domain to that
    /// is led back to it.
    pub(super) fn is_through(&mut self, domain: DomainIx, status: Status) -> bool {
        let phase = self.campaign.phase;
        let Some(part) = self.campaign.domain_mut(domain) else { return false };
        let is_through = part.is_heard && part.replay == Some(phase) && status == phase.success();
        if is_through {
            part.replay = None;
        }
        is_through
    }

    /// What starts the phase is sent to the domain.
    pub(super) fn start(&mut self, domain: DomainIx, phase: Phase, out: &mut Effects) {
        out.push(phase.command().map_or(Effect::Forward(domain), |command| Effect::Send(domain, command)));
    }

    /// It was taken up so often that something must be wrong with it.
    fn give_up(&mut self, now: Tick, out: &mut Effects) {
        for domain in self.campaign.domains_in(|s| matches!(s, State::Working(_))).iter() {
            self.fail(domain, Reason::Lost(RESUMPTIONS_MAX), out);
            self.drop_out(now, domain, out);
        }
        self.advance(now, out);
    }

    /// A domain reacts to what it was told again. What the broker has kept of an
    /// earlier phase, or delivers once more, does not show that the agent still knows
    /// the activity.
    pub(super) fn note_heard(&mut self, domain: DomainIx, feedback: &Feedback<'_>) {
        let status = feedback.status;
        if !feedback.is_repeat {
            self.missed.remove(domain);
        }
        if let Some(part) = self.campaign.domain_mut(domain).filter(|_| !feedback.is_repeat) {
            part.is_heard |= match part.state {
                State::Working(phase) => phase.is_told_by(status),
                State::Ready(_) => false,
                _ => true,
            };
        }
    }
}

impl super::Settings {
    /// How long an agent may take to react to what it is told again; half the phase
    /// at most, so that there is time for what follows.
    fn reaction_ms(&self) -> u64 {
        RESUME_REACTION_MS.min(self.phase_timeout_ms / 2)
    }

    pub(super) fn wait(&self, now: Tick) -> Wait {
        Wait { quiet: now.after(self.cleanup_timeout_ms), end: now.after(self.phase_timeout_ms) }
    }
}
