//! When `RUNNING` is reported: the first at once, then at the end of an interval
//! in which the actions have changed (docs/protocol.md, "RUNNING").

use super::effect::{Effect, Effects, TimerKind};
use crate::model::time::Tick;
use crate::model::Status;

/// Keeps `RUNNING` to at most one in an interval, without a timer that ticks
/// when nothing changes.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// 0: never reported.
    interval_ms: u64,
    /// When the last interval began; none before the first report.
    began: Option<Tick>,
    changed: bool,
    timer: bool,
    /// How many reasons to turn something back were told.
    reasons: usize,
}

impl Running {
    /// For an interval of so many milliseconds; 0 for no `RUNNING` at all.
    pub fn new(interval_ms: u64) -> Running {
        Running { interval_ms, ..Running::default() }
    }

    /// The activity begins to run.
    pub fn begin(&mut self, now: Tick, out: &mut Effects) {
        if self.interval_ms > 0 {
            self.report(now, out);
        }
    }

    /// Actions have changed.
    pub fn changed(&mut self, now: Tick, out: &mut Effects) {
        let Some(began) = self.began else { return };
        self.changed = true;
        if !self.timer {
            self.timer = true;
            let intervals = now.since(began) / self.interval_ms + 1;
            out.push(Effect::SetTimer(TimerKind::Feedback, began.after(intervals.saturating_mul(self.interval_ms))));
        }
    }

    /// Something is turned back, for so many reasons: that is told at once if it is news.
    pub fn turned_back(&mut self, now: Tick, reasons: usize, out: &mut Effects) {
        if reasons > self.reasons && self.began.is_some() {
            self.reasons = reasons;
            self.report(now, out);
        }
    }

    /// An interval has ended.
    pub fn handle_timeout(&mut self, now: Tick, out: &mut Effects) {
        self.timer = false;
        if self.changed && self.began.is_some() {
            self.report(now, out);
        }
    }

    /// The activity has ended.
    pub fn end(&mut self, out: &mut Effects) {
        if self.timer {
            out.push(Effect::StopTimer(TimerKind::Feedback));
        }
        *self = Running::new(self.interval_ms);
    }

    fn report(&mut self, now: Tick, out: &mut Effects) {
        self.began = Some(now);
        self.changed = false;
        out.push(Effect::Report(Status::Running));
    }
}
