//! Which activity something belongs to, and whether a desired state is one that came
//! before.

use core::fmt;

use super::text::Text;

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
        Run(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
