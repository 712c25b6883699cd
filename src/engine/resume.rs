//! Taking up a saved activity. Domains that had left the phase keep their result. The
//! others are in doubt: their message may not have been sent, or its answer was missed
//! (`repair`).

use super::campaign::Campaign;
use super::course::Engine;
use super::domain::{State, Wait};
use super::effect::{Effect, Effects};
use crate::limits::STARTS_MAX;
use crate::model::time::Tick;
use crate::model::{Cause, Phase, Reason, Reboot, Status};

/// A campaign as it was saved.
#[derive(Debug)]
pub struct Saved {
    /// The campaign.
    pub campaign: Campaign,
    /// How far the reboot was.
    pub reboot: Reboot,
    /// Whether the host has booted since.
    pub has_booted: bool,
}

impl Engine {
    /// The process has started, with this saved.
    pub(super) fn handle_boot(&mut self, now: Tick, saved: &Saved, out: &mut Effects) {
        self.campaign.clone_from(&saved.campaign);
        self.campaign.is_taken_up = true;
        self.begun = true;
        if !self.campaign.is_running() {
            return self.resume_end(now, saved, out);
        }
        if self.campaign.domains.iter().flatten().any(|part| part.is_owing()) {
            self.campaign.starts = self.campaign.starts.saturating_add(1);
        }
        // What was saved may not have been told.
        match self.campaign.is_identified() {
            false => out.push(Effect::Report(Status::Identifying)),
            true => {
                out.push(Effect::Report(Status::Identified));
                self.running.begin(now, out);
            }
        }
        if let Some(phase) = self.campaign.asking.take() {
            self.ask(now, phase, out);
        }
        self.doubt_all(now, saved.has_booted, out);
        if self.campaign.starts > STARTS_MAX {
            self.give_up(now, out);
        }
        self.catch_up(now, out);
        if !self.campaign.gone.is_empty() {
            // The others may have waited for a domain that is not configured any more.
            if self.campaign.participants().is_empty() {
                self.campaign.cause.get_or_insert(Cause::NoSupportedDomain);
            }
            self.advance(now, out);
        }
    }

    /// A domain that was not configured for a while is led to where the others are by now,
    /// or turned back as they were.
    fn catch_up(&mut self, now: Tick, out: &mut Effects) {
        let is_turned_back = self.campaign.cause.is_some();
        let phase = self.campaign.phase;
        for domain in self.campaign.domains_in(State::is_forward).iter() {
            let Some(part) = self.campaign.domain(domain) else { continue };
            match part.state {
                State::Working(_) | State::Ready(_) if is_turned_back && !part.obligation.is_turning => {
                    let has_begun = part.state != State::Working(Phase::Identify);
                    self.turn_back_one(now, domain, has_begun, out);
                }
                State::Ready(left) if left < phase => match left.next() {
                    Some(next) if next != Phase::Cleanup => self.oblige(now, domain, next, out),
                    _ => self.clean_up(now, domain, out),
                },
                _ => {}
            }
        }
    }

    /// An activity that had ended: its end may still have to be told, and the host
    /// rebooted.
    fn resume_end(&mut self, now: Tick, saved: &Saved, out: &mut Effects) {
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

    /// It was taken up so often that something must be wrong with it. Nobody is waited
    /// for whom the start before gave up already.
    fn give_up(&mut self, now: Tick, out: &mut Effects) {
        for domain in self.campaign.participants().iter() {
            match self.campaign.domain(domain).map(|part| part.state) {
                Some(State::Working(_)) => {
                    self.fail(domain, Reason::Lost(STARTS_MAX), out);
                    self.drop_out(now, domain, out);
                }
                Some(State::RollingBack(_) | State::CleaningUp(_)) => self.end(domain),
                _ => {}
            }
        }
        self.advance(now, out);
    }

    /// The wait for a rollback or clean-up that begins now: its clock does not run
    /// before agents can be heard.
    pub(super) fn first_wait(&self, now: Tick) -> Wait {
        match self.has_heard() {
            true => self.settings.wait(now),
            false => Wait::STOPPED,
        }
    }
}

impl super::Settings {
    pub(super) fn wait(&self, now: Tick) -> Wait {
        Wait { quiet: now.after(self.cleanup_timeout_ms), end: now.after(self.phase_timeout_ms) }
    }
}
