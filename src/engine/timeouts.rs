//! Clocks: which timers are set, and what follows when one expires.

use super::domain::{Domain, Ending, State, Wait};
use super::effect::{Effect, Effects, TimerKind};
use super::Engine;
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
            TimerKind::Reboot => {}
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
        let settings = self.settings;
        let waited = |wait: Wait| match wait.quiet <= wait.end {
            true => settings.cleanup_timeout_ms,
            false => settings.phase_timeout_ms,
        };
        for domain in self.campaign.participants().iter() {
            match self.campaign.domain(domain).map(|part| part.state) {
                Some(State::CleaningUp(wait)) if wait.over() <= now => {
                    self.end_cleanup(domain, Reason::Silent(Some(Command::Cleanup), waited(wait)), out);
                }
                // The self-update agent never answers it, so what follows is done all the same
                // (docs/agents.md, "The self-update agent").
                Some(State::RollingBack(wait)) if wait.over() <= now => {
                    let reason = Reason::Silent(Some(Command::Rollback), waited(wait));
                    self.end_rollback(domain, Ending::Silent, reason, out);
                }
                _ => {}
            }
        }
    }

    /// Sets the timers that depend on where the domains are.
    pub(super) fn arm(&mut self, out: &mut Effects) {
        let has_heard = self.has_heard();
        let wait = |part: &Domain| match part.state {
            State::CleaningUp(wait) | State::RollingBack(wait) if has_heard => Some(wait.over()),
            _ => None,
        };
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
