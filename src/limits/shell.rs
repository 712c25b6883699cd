//! The process: what it waits for, TLS, a reboot.

use super::{ACTIVITY_ID_MAX, WRITE_CHUNK};

/// Turns of the loop in which more keeps coming, before it looks at what is due: each
/// takes a chunk of what the broker has sent.
pub const TURNS_MAX: u32 = 64;

/// Milliseconds that the loop is late at which this process has stood still: stopped, or
/// out of processor time. No turn takes a tenth of that.
pub const STALL_MIN_MS: u64 = 1000;

/// Milliseconds that others have after such a stall: the broker may have given us up
/// meanwhile, so that a new connection is made before what they said comes.
pub const STALL_GRACE_MS: u64 = 10_000;

/// Bytes of the line about the running activity that the service manager shows:
/// an activity's identifier and some words. The rest is cut off.
pub const ACTIVITY_TOLD_MAX: usize = ACTIVITY_ID_MAX + 64;

/// Bytes of the file with the authorities to trust. Debian's with all that there
/// are takes 220 KB.
pub const TLS_CA_FILE_MAX: usize = 512 * 1024;

/// Bytes of the file with our certificate, and of that with its key. What TLS
/// allows to be shown is less.
pub const TLS_OWN_FILE_MAX: usize = 64 * 1024;

/// Bytes that wait encrypted for the socket, but for a record's head and tail.
pub const TLS_OUT_MAX: usize = WRITE_CHUNK;

/// Names in a broker's certificate that are told if none of them is the broker's; the
/// rest is counted, so that the line fits the log.
pub const TLS_NAMES_TOLD_MAX: usize = 8;

/// Milliseconds that a reboot command has to bring the host down.
pub const REBOOT_COMMAND_MS: u64 = 60_000;

/// Milliseconds that `sync` may take before a reboot goes on without it.
pub const REBOOT_SYNC_MS: u64 = 10_000;

/// Milliseconds that the kernel has for its sync and for its remount.
pub const REBOOT_PAUSE_MS: u64 = 1000;

/// Milliseconds after which a reboot that was triggered has failed.
pub const REBOOT_FAILED_MS: u64 = 5000;

/// Milliseconds between two looks whether a reboot command or `sync` is over.
pub const REBOOT_LOOK_MS: u64 = 100;
