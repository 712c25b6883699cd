//! Clocks: which timers are set, and what follows when one expires.

use super::domain::{Domain, Ending, State, Wait};
use super::effect::{Effect, Effects, TimerKind};
use super::{Engine, Settings};
use crate::model::time::Tick;
use crate::model::{Command, Reason};

/// The timers that depend on where the domains are, and what they are set to.
const ARMED: [TimerKind; 4] = [TimerKind::Phase, TimerKind::Cleanup, TimerKind::Repair, TimerKind::Verify];
pub(super) type Armed = [Option<Tick>; ARMED.len()];

impl Engine {
    pub(super) fn handle_timeout(&mut self, now: Tick, kind: TimerKind, out: &mut Effects) {
        if let Some(place) = ARMED.iter().position(|armed| *armed == kind) {
            self.armed[place] = None;
        }
        if !self.is_running() {
            if kind == TimerKind::Reboot {
                let is_saved = self.settings.is_saved && !self.is_unsaved;
                self.reboot.handle_timeout(now, self.settings.rebooting.after_ms, is_saved, out);
            }
            return;
        }
        match kind {
            TimerKind::Reboot => self.handle_reboot_between(now, out),
            TimerKind::Verify => self.handle_verification_timeout(now, out),
            TimerKind::Repair => self.handle_repair_timeout(now, out),
            TimerKind::Feedback => self.running.handle_timeout(now, out),
            TimerKind::Consent => self.handle_consent_timeout(out),
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
    }

    /// Ends the waits for clean-ups and rollbacks that are over.
    fn end_waits(&mut self, now: Tick, out: &mut Effects) {
        for domain in self.campaign.participants().iter() {
            let Some(part) = self.campaign.domain(domain) else { continue };
            let state = part.state;
            let Some(wait) = self.wait_of(part).filter(|wait| wait.over() <= now) else { continue };
            let is_silent = wait.quiet <= now;
            let Settings { cleanup_timeout_ms, phase_timeout_ms, .. } = self.settings;
            let waited_ms = if is_silent { cleanup_timeout_ms } else { phase_timeout_ms };
            // The self-update agent never answers it, so what follows is done all the same
            // (docs/agents.md, "The self-update agent").
            match state {
                State::RollingBack(_) => {
                    let ending = if is_silent { Ending::Silent } else { Ending::Failed };
                    self.end_rollback(domain, ending, Reason::Silent(Some(Command::Rollback), waited_ms), out);
                }
                _ => self.end_cleanup(domain, Reason::Silent(Some(Command::Cleanup), waited_ms), out),
            }
        }
    }

    /// Returns how long a clean-up or rollback is waited for; none while it is not. A domain of a
    /// group that is turned back is waited for only while the broker has its `ROLLBACK` and
    /// agents can be heard.
    fn wait_of(&self, part: &Domain) -> Option<Wait> {
        match part.state {
            State::RollingBack(wait) if part.obligation.is_halted => {
                let heard = self.hears_since()?.after(self.settings.cleanup_timeout_ms);
                let wait = Wait { quiet: wait.quiet.max(heard), end: wait.end.max(heard) };
                part.obligation.times.is_taken.then_some(wait)
            }
            State::CleaningUp(wait) | State::RollingBack(wait) => Some(wait),
            _ => None,
        }
    }

    /// Sets the timers that depend on where the domains are.
    pub(super) fn arm(&mut self, out: &mut Effects) {
        let wait = |part: &Domain| self.wait_of(part).map(Wait::over).filter(|_| self.has_heard());
        let wanted = match self.is_running() {
            true => {
                let cleanup = self.campaign.domains.iter().flatten().filter_map(wait).min();
                [self.clock_due(), cleanup, self.repair_due(), self.verification_due()]
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
}
