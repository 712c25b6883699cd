//! Points in time as values. Only the shell reads a clock.

use core::fmt;

/// A point on the monotonic clock, in milliseconds since some fixed start.
/// All timeouts are decided by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// The point `ms` milliseconds later.
    pub fn after(self, ms: u64) -> Tick {
        Tick(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this point; 0 if it is not earlier.
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first of these points, if there is any.
    pub fn earliest(points: &[Option<Tick>]) -> Option<Tick> {
        points.iter().copied().flatten().min()
    }
}

/// What the clocks show. `wall` only goes into envelopes and logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// The monotonic clock.
    pub tick: Tick,
    /// Milliseconds since the Unix epoch.
    pub wall: u64,
}

/// Milliseconds, shown as people write them: `10m`, `1m30s`, `250ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duration(pub u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let (h, m, s, ms) = (self.0 / 3_600_000, self.0 / 60_000 % 60, self.0 / 1000 % 60, self.0 % 1000);
        for (n, unit) in [(h, "h"), (m, "m"), (s, "s"), (ms, "ms")] {
            if n > 0 {
                write!(f, "{n}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_without_empty_units() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (2000, "2s"),
            (90_000, "1m30s"),
            (600_000, "10m"),
            (3_600_000, "1h"),
            (3_661_001, "1h1m1s1ms"),
        ] {
            assert_eq!(Duration(ms).to_string(), text);
        }
    }
}
