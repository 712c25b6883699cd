//! What somebody at the console asks for: the end of the running activity, and that
//! a reboot waits.

use super::course::Engine;
use super::domain::State;
use super::effect::Effects;
use super::Rejected;
use crate::model::time::Tick;
use crate::model::{Cause, Phase};

impl Engine {
    /// All domains that are at it are turned back. Those that put the new into use
    /// are only stopped by `force`: halfway through, old and new may both be gone.
    pub(super) fn handle_cancel(&mut self, now: Tick, force: bool, out: &mut Effects) -> Result<(), Rejected> {
        if !self.is_running() {
            return Err(Rejected::NotRunning);
        }
        let is_ending = self.campaign.cause.is_some();
        if is_ending || self.campaign.domains_in(State::is_forward).is_empty() {
            return Err(Rejected::Ending);
        }
        if self.campaign.phase == Phase::Activate && !force {
            return Err(Rejected::Activating);
        }
        self.turn_back(now, Cause::Cancelled, out);
        self.advance(now, out);
        Ok(())
    }

    pub(super) fn handle_hold(&mut self, now: Tick, hold: bool, out: &mut Effects) -> Result<(), Rejected> {
        match hold {
            true => self.reboot.hold(out),
            false => self.reboot.release(now, self.campaign.is_delivered, self.settings.reboot_after_ms, out),
        }
    }
}
