//! The only place that reads the clocks, and what else the system tells of itself.

#[cfg(feature = "agent")]
use std::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::limits::{STALL_GRACE_MS, STALL_MIN_MS};
use crate::model::time::{Now, Tick};

/// The monotonic clock, from its creation on, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Milliseconds since then in which this process stood still.
    stalled_ms: u64,
}

impl Clock {
    /// Starts at tick 0.
    pub fn start() -> Clock {
        Clock { start: Instant::now(), stalled_ms: 0 }
    }

    /// What the clocks show. A wall clock before 1970 shows 0.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { tick: self.tick(), wall: wall.as_millis() as u64 }
    }

    fn tick(&self) -> Tick {
        Tick((self.start.elapsed().as_millis() as u64).saturating_sub(self.stalled_ms))
    }

    /// Leaves out the time in which this process stood still: it was to go on at `due`, and
    /// does so more than [`STALL_MIN_MS`] later. What others say meanwhile may have to come
    /// by a new connection, so that the last [`STALL_GRACE_MS`] before `due` are left out
    /// too, as far as they are past `before`. Returns the milliseconds that are left out.
    pub fn leave_out_stall(&mut self, before: Tick, due: Tick) -> Option<u64> {
        let now = self.tick();
        if now <= due.after(STALL_MIN_MS) {
            return None;
        }
        let stalled_ms = now.since(before.max(Tick(due.0.saturating_sub(STALL_GRACE_MS))));
        self.stalled_ms += stalled_ms;
        Some(stalled_ms)
    }

    /// The point in time that a tick stands for; none if it is too far away.
    #[cfg(feature = "agent")]
    pub fn instant(&self, tick: Tick) -> Option<Instant> {
        // Rounded up, so that the tick has come when the timer runs off.
        self.start.checked_add(Duration::from_millis(tick.0.checked_add(self.stalled_ms)?))
    }
}

/// Which boot of the host this is: the kernel's random id, or what stands in the file that
/// `FILE_BOOT_ID` names, in hexadecimal digits; zeros without one.
pub fn boot() -> [u8; 16] {
    let file = std::env::var_os("FILE_BOOT_ID").unwrap_or_else(|| "/proc/sys/kernel/random/boot_id".into());
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut id = [0; 16];
    let digits = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8);
    for (place, digit) in digits.take(32).enumerate() {
        id[place / 2] = id[place / 2] << 4 | digit;
    }
    id
}

/// Memory that this process has in use, in KiB; 0 if the system does not say.
pub fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A clock that shows at least `ms`, and hardly more.
    fn at(ms: u64) -> Clock {
        Clock { start: Instant::now() - Duration::from_millis(ms), stalled_ms: 0 }
    }

    #[test]
    fn a_turn_that_is_a_little_late_counts() {
        let mut clock = at(100_000);
        assert_eq!(clock.leave_out_stall(Tick(1), Tick(99_500)), None);
        assert!(clock.now().tick >= Tick(100_000));
    }

    #[test]
    fn a_stall_and_the_time_to_hear_of_it_are_left_out() {
        let mut clock = at(100_000);
        let left_out = clock.leave_out_stall(Tick(1), Tick(50_000)).unwrap();
        assert!((50_000 + STALL_GRACE_MS..60_000 + STALL_GRACE_MS).contains(&left_out), "{left_out}");
        let now = clock.now().tick.0 + STALL_GRACE_MS;
        assert!((50_000..60_000).contains(&now), "{now}");
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut clock = at(100_000);
        assert!(clock.leave_out_stall(Tick(45_000), Tick(50_000)).is_some());
        let now = clock.now().tick.0;
        assert!((45_000..50_000).contains(&now), "{now}");
    }
}
