//! The reboot waits as long as somebody at the console wants it to.

use super::super::effect::{Effect, Effects, TimerKind};
use super::super::{Engine, Rejected};
use crate::model::time::Tick;
use crate::model::Reboot;

impl Engine {
    /// Holds a reboot that is due, or releases it: it goes on with its whole delay then, so
    /// that there is time to leave.
    pub(in super::super) fn handle_hold(&mut self, now: Tick, hold: bool, out: &mut Effects) -> Result<(), Rejected> {
        match (self.reboot, hold) {
            (Reboot::Delivering | Reboot::Waiting, true) => {
                self.reboot = Reboot::Held;
                out.push(Effect::StopTimer(TimerKind::Reboot));
            }
            (Reboot::Held, true) => {}
            (Reboot::Held, false) => {
                self.reboot.begin(now, out);
                if self.is_running() {
                    out.push(Effect::AwaitDelivery);
                }
                if self.campaign.end.is_delivered {
                    self.reboot.handle_settled(now, self.settings.rebooting.after_ms, out);
                }
            }
            _ => return Err(Rejected::NoReboot),
        }
        Ok(())
    }
}
