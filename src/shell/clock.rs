//! The only place that reads the clocks, and what else the system tells of itself.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::{Now, Tick};

/// The monotonic clock, from its creation on, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts at tick 0.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// What the clocks show. A wall clock before 1970 shows 0.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { tick: Tick(self.0.elapsed().as_millis() as u64), wall: wall.as_millis() as u64 }
    }

    /// The point in time that a tick stands for; none if it is too far away.
    #[cfg(feature = "agent")]
    pub fn instant(&self, tick: Tick) -> Option<Instant> {
        // Rounded up, so that the tick has come when the timer runs off.
        self.0.checked_add(std::time::Duration::from_millis(tick.0))
    }
}

/// Which boot of the host this is: the kernel's random id, zeros without one.
pub fn boot() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
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
