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

    /// What the activity waits for is told at once.
    pub fn tell(&mut self, now: Tick, out: &mut Effects) {
        if self.began.is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows from a call.
    fn after(act: impl FnOnce(&mut Effects)) -> Vec<Effect> {
        let mut out = Effects::new();
        act(&mut out);
        out.to_vec()
    }

    #[test]
    fn a_timer_reports_what_has_changed_and_nothing_before_the_beginning_or_after_the_end() {
        let mut running = Running::new(1_000);
        let report = [Effect::Report(Status::Running)];
        assert_eq!(after(|out| running.changed(Tick(10), out)), []);
        assert_eq!(after(|out| running.begin(Tick(10), out)), report);
        assert_eq!(after(|out| running.handle_timeout(Tick(1_010), out)), [], "nothing has changed");
        let timer = [Effect::SetTimer(TimerKind::Feedback, Tick(2_010))];
        assert_eq!(after(|out| running.changed(Tick(1_510), out)), timer);
        assert_eq!(after(|out| running.changed(Tick(1_600), out)), [], "it runs already");
        assert_eq!(after(|out| running.handle_timeout(Tick(2_010), out)), report);
        assert_eq!(after(|out| running.end(out)), [], "no timer runs");
        running.begin(Tick(5_000), &mut Effects::new());
        running.changed(Tick(5_000), &mut Effects::new());
        assert_eq!(after(|out| running.end(out)), [Effect::StopTimer(TimerKind::Feedback)]);
        assert_eq!(after(|out| running.handle_timeout(Tick(6_000), out)), []);
        assert_eq!(after(|out| Running::new(0).begin(Tick(0), out)), []);
    }
}
