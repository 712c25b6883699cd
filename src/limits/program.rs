//! Programs that are run.

/// Milliseconds between the wish that the program ends, and its end.
pub const PROGRAM_TERM_MS: u64 = 5000;

/// Milliseconds between two looks whether it has ended, once its outputs have.
pub const PROGRAM_LOOK_MS: u64 = 5;

/// Bytes that one call may print on each output: thousands of lines of progress. Past it only
/// the last line counts.
pub const PROGRAM_OUTPUT_MAX: usize = 1024 * 1024;

/// Lines of one call that go into the log.
pub const PROGRAM_LOGGED_MAX: u32 = 256;

/// Bytes of a script's first line, as far as the kernel reads it.
pub const SCRIPT_FIRST_LINE_MAX: u64 = 256;
