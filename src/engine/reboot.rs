//! The reboot after an activity that needs one: first everything is reported, then
//! a while for people, then it is triggered, once.

use super::effect::{Effect, Effects, TimerKind};
use crate::limits::REBOOT_DELIVERY_MS;
use crate::model::time::Tick;
use crate::model::Reboot;

impl Reboot {
    /// The activity that needs it has ended.
    pub(super) fn begin(&mut self, now: Tick, out: &mut Effects) {
        *self = Reboot::Delivering;
        out.push(Effect::SetTimer(TimerKind::Reboot, now.after(REBOOT_DELIVERY_MS)));
    }

    /// Everything is at the broker; it follows `after_ms` later.
    pub(super) fn handle_settled(&mut self, now: Tick, after_ms: u64, out: &mut Effects) {
        if *self == Reboot::Delivering {
            *self = Reboot::Waiting;
            out.push(Effect::SetTimer(TimerKind::Reboot, now.after(after_ms)));
        }
    }

    /// The delay is over, or the broker was waited for long enough: what is saved
    /// is reported after the reboot.
    pub(super) fn handle_timeout(&mut self, now: Tick, after_ms: u64, is_saved: bool, out: &mut Effects) {
        match self {
            Reboot::Delivering if is_saved => self.handle_settled(now, after_ms, out),
            Reboot::Waiting => {
                *self = Reboot::Triggered;
                out.push(Effect::Reboot);
            }
            _ => {}
        }
    }

    /// The host is still up: it is not tried again.
    pub(super) fn handle_failed(&mut self) {
        if *self == Reboot::Triggered {
            *self = Reboot::None;
        }
    }
}
