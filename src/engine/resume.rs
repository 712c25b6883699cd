//! Taking up a saved activity. Domains that had left the phase keep their result. The
//! others are in doubt: their message may not have been sent, or its answer was missed
//! (`obligation`).

use super::campaign::Campaign;
use super::domain::{Ended, State};
use super::effect::{Effect, Effects, Notice};
use super::Engine;
use crate::limits::STARTS_MAX;
use crate::model::time::Tick;
use crate::model::{Cause, DomainSet, Reason, Reboot, Status};

/// A campaign as it was saved.
#[derive(Debug)]
pub struct Saved {
    /// The campaign.
    pub campaign: Campaign,
    /// How far the reboot was.
    pub reboot: Reboot,
    /// Whether the host has booted since.
    pub has_booted: bool,
    /// Whether all of it can be read, its desired state too: otherwise a running activity
    /// ends.
    pub is_whole: bool,
    /// Domains of which is kept what they are committed to.
    pub restorable: DomainSet,
}

impl Engine {
    /// The process has started, with this saved.
    pub(super) fn handle_boot(&mut self, now: Tick, saved: &Saved, out: &mut Effects) {
        self.campaign.clone_from(&saved.campaign);
        self.campaign.starts.is_taken_up = true;
        self.campaign.groups.forget_checks();
        self.campaign.groups.restorable = saved.restorable;
        self.begun = true;
        if self.campaign.is_running() && !saved.is_whole {
            // What is left of it does not suffice to go on: that it has ended is told. Its
            // question must not become that of the next activity.
            self.campaign.consent.asking = None;
            self.campaign.end.cause = Some(Cause::Unreadable);
            self.campaign.end.outcome = Some(self.unfinished());
        }
        if !self.campaign.is_running() {
            return self.resume_end(now, saved, out);
        }
        if self.campaign.domains.iter().flatten().any(|part| part.is_owing()) {
            self.campaign.starts.count = self.campaign.starts.count.saturating_add(1);
        }
        // What was saved may not have been told.
        if let Some(status) = self.campaign.announced {
            out.push(Effect::Report(status));
        }
        if self.campaign.announced == Some(Status::Identified) {
            self.running.begin(now, out);
        }
        self.take_up_boot(saved);
        self.tell_of_turning_back(now, out);
        if self.policies.find(&self.campaign.policy).is_none() {
            self.campaign.consent.asking = None;
            self.give_up(Cause::NoPolicy, out);
        }
        if let Some(phase) = self.campaign.consent.asking.take() {
            self.ask(now, phase, out);
        }
        self.doubt_all(now, saved.has_booted, out);
        if self.campaign.starts.count > STARTS_MAX {
            self.lose(now, out);
        }
        if self.campaign.participants().is_empty() {
            self.campaign.end.cause.get_or_insert(Cause::NoSupportedDomain);
        }
    }

    /// An activity that had ended: its end may still have to be told, and the host
    /// rebooted.
    fn resume_end(&mut self, now: Tick, saved: &Saved, out: &mut Effects) {
        if !self.campaign.end.is_delivered {
            if let Some(outcome) = self.campaign.end.outcome {
                out.push(Effect::Report(outcome));
                out.push(Effect::ReportInventory);
            }
            out.push(Effect::AwaitDelivery);
        }
        // Another boot: it has happened. The same one: what was triggered has failed.
        self.reboot = match saved.reboot {
            _ if saved.has_booted => Reboot::None,
            // Somebody has turned reboots off since.
            reboot if reboot.is_pending() && !self.settings.rebooting.is_enabled => {
                out.push(Effect::Notice(Notice::RebootDisabled));
                Reboot::None
            }
            Reboot::Triggered | Reboot::None => Reboot::None,
            Reboot::Delivering | Reboot::Waiting => Reboot::Delivering,
            Reboot::Held => Reboot::Held,
        };
        if self.reboot != Reboot::Delivering {
            return;
        }
        self.reboot.begin(now, out);
        if self.campaign.end.is_delivered {
            self.reboot.handle_settled(now, self.settings.rebooting.after_ms, out);
        }
    }

    /// Gives up what has been resumed so often that something must be wrong with it. Domains
    /// that the previous start already gave up on are not waited for.
    fn lose(&mut self, now: Tick, out: &mut Effects) {
        for domain in self.campaign.participants().iter() {
            self.give_up_restore(domain);
            match self.campaign.domain(domain).map(|part| part.state) {
                Some(State::Working(_)) => {
                    self.fail(domain, Reason::Lost(STARTS_MAX), out);
                    self.drop_out(now, domain, out);
                }
                Some(State::RollingBack(_)) => {
                    self.fail(domain, Reason::Lost(STARTS_MAX), out);
                    self.end(domain, Ended::CleanedUp);
                }
                Some(State::CleaningUp(_)) => self.end(domain, Ended::CleanedUp),
                _ => {}
            }
        }
    }
}
