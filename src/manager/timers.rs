//! The engine's timers, as points in time.
//!
//! In: when each is due. Out: the next such point, and the timers that have expired.
//!
//! Invariant: a timer expires once.
//!
//! Deliberately absent: the meaning of a timer.

use crate::engine::effect::TimerKind;
use crate::model::time::Tick;

/// When each timer runs off; those that are not set are `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timers([Option<Tick>; TimerKind::ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, kind: TimerKind, at: Option<Tick>) {
        self.0[kind as usize] = at;
    }

    pub(super) fn at(&self, kind: TimerKind) -> Option<Tick> {
        self.0[kind as usize]
    }

    pub(crate) fn next(&self) -> Option<Tick> {
        Tick::earliest(&self.0)
    }

    /// Takes one out that has run off.
    pub(crate) fn take_due(&mut self, now: Tick) -> Option<TimerKind> {
        let due = |kind: &TimerKind| self.0[*kind as usize].is_some_and(|at| at <= now);
        let kind = TimerKind::ALL.into_iter().find(due)?;
        self.set(kind, None);
        Some(kind)
    }
}
