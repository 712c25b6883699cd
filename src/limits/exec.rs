//! The agent that runs an executable.

/// Milliseconds of a call of the program unless another limit is given: below the
/// manager's for a phase, so that the agent is the one who says so.
pub const EXEC_STEP_MS: u64 = 540_000;

/// The same of one that only looks: below the manager's patience for an inventory.
pub const EXEC_LOOK_UP_MS: u64 = 30_000;

/// Milliseconds that what is left of an earlier program has to be gone.
pub const EXEC_ORPHAN_MS: u64 = 10_000;

/// Milliseconds between two reports of progress.
pub const EXEC_PROGRESS_MS: u64 = 1000;

/// Milliseconds without a report while the program works: below what a manager waits
/// for an agent that cleans up.
pub const EXEC_BEAT_MS: u64 = 10_000;

/// Bytes of a line that the program prints.
pub const EXEC_LINE_MAX: usize = 4096;

/// Components of the program's inventory. A manager takes 64 KiB of it.
pub const EXEC_INSTALLED_MAX: usize = 1024;

/// Milliseconds that the agent waits without anything to do: it only wakes to look.
pub const EXEC_IDLE_MS: u64 = 10_000;

/// Milliseconds after which a report that found no room is tried again.
pub const EXEC_AGAIN_MS: u64 = 500;

/// Milliseconds that its last reports may take; what is lost of them is asked for again.
pub const EXEC_GOOD_BYE_MS: u64 = 1000;
