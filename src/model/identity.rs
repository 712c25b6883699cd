//! Which activity something belongs to, and whether a desired state is one that came
//! before.

use core::fmt;

use super::text::Text;
use crate::limits::RUN_MAX;

/// The content of a desired state: two with the same key are the same one, delivered or
/// sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActivityKey<'a> {
    /// The activity's identifier.
    pub activity: Text<'a>,
    /// The envelope's timestamp in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// CRC-32 of the payload.
    pub crc: u32,
}

/// Which activity it is, among all that this manager has accepted: they are counted, and
/// the count is saved. The first one is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Run(pub u64);

impl Run {
    /// Before the first.
    pub const NONE: Run = Run(0);

    /// The one that follows.
    pub fn next(self) -> Run {
        Run(self.0.saturating_add(1))
    }

    /// As it was saved: eight bytes, the least significant one first. None if they are not
    /// eight, or say a number that no manager gets to: none would follow it.
    pub fn of_bytes(bytes: &[u8]) -> Option<Run> {
        let run = u64::from_le_bytes(bytes.try_into().ok()?);
        (run <= RUN_MAX).then_some(Run(run))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_run_is_one_that_another_can_follow() {
        let read = |run: u64| Run::of_bytes(&run.to_le_bytes());
        assert_eq!([read(0), read(RUN_MAX)], [Some(Run(0)), Some(Run(RUN_MAX))]);
        assert_eq!([read(RUN_MAX + 1), read(u64::MAX)], [None, None]);
        assert_eq!([Run::of_bytes(&[1; 7]), Run::of_bytes(&[])], [None, None]);
    }
}
