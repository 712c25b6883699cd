//! The codes with which a process of ours ends.

/// It is done.
pub const DONE: u8 = 0;
/// It could not be done, or what the arguments name cannot be used.
pub const FAILED: u8 = 1;
/// The arguments are wrong.
pub const USAGE: u8 = 2;
/// No manager runs.
pub const NOT_RUNNING: u8 = 3;
/// The activity has ended other than `COMPLETED`.
pub const INCOMPLETE: u8 = 4;
