//! The time in the world, which goes by only when nothing else happens.

use crate::model::time::{Now, Tick};

/// The wall clock when the world begins.
pub const EPOCH: u64 = 1_700_000_000_000;

/// What the monotonic clock shows then.
const START: u64 = 10_000;

#[derive(Default)]
pub struct Clock {
    /// Milliseconds since the world began.
    pub elapsed: u64,
    /// What the manager's wall clock shows besides.
    pub wall_ms: i64,
}

impl Clock {
    /// What the manager's clocks show.
    pub fn now(&self) -> Now {
        Now { tick: Tick(START + self.elapsed), wall: self.wall().saturating_add_signed(self.wall_ms) }
    }

    /// What a peer's wall clock shows, in milliseconds.
    pub fn wall(&self) -> u64 {
        EPOCH + self.elapsed
    }

    /// Milliseconds from the beginning of the world to this time, 0 before it.
    pub fn elapsed_at(tick: Tick) -> u64 {
        tick.0.saturating_sub(START)
    }
}
