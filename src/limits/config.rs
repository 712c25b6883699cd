//! The configuration and the log.

use super::{DOMAINS_MAX, DOMAIN_ID_MAX};

/// Bytes of the configuration file. All keys with 64 domains take 20 KiB.
pub const CONFIG_FILE_MAX: usize = 64 * 1024;

/// Bytes of one configured value. Tokens that serve as passwords take up to 2 KiB;
/// a string in MQTT ends at 65,535.
pub const CONFIG_VALUE_MAX: usize = 4096;

/// Bytes of the list of all domains, with the longest names and a comma after each.
pub const CONFIG_DOMAINS_MAX: usize = DOMAINS_MAX * (DOMAIN_ID_MAX + 1);

/// Hours of the longest duration; Go's durations end there, within the hour.
pub const CONFIG_DURATION_HOURS_MAX: u64 = 2_562_047;

/// Warnings about the configuration that are kept: more than there are keys besides
/// those of the agents.
pub const CONFIG_WARNINGS_MAX: usize = 64;

/// Bytes of a text from outside in a message about the configuration.
pub const CONFIG_SHOWN_MAX: usize = 256;

/// Letters above which one edit, and a second one, may lie between a misspelt word and the
/// one that was meant: in shorter words each letter makes another word.
pub const NEAREST_EDITS: [usize; 2] = [3, 7];

/// Letters of a word that is compared with known ones: a domain and a component fit.
pub const NEAREST_CHARS_MAX: usize = 512;

/// Lines that are said of arguments that cannot be taken. What is missing and how to
/// see the usage fit; an argument of many lines does not fill the console.
pub const CONFIG_SAID_LINES_MAX: usize = 8;

/// Bytes of a line in the log. A domain's own words and an activity's identifier
/// fit; the rest is cut off.
pub const LOG_LINE_MAX: usize = 2048;

/// Bytes of the log that wait for the thread that writes them: what a start and a large
/// activity log, and hundreds of lines beside it, while a disk is busy.
pub const LOG_QUEUE_MAX: usize = 64 * 1024;

/// Bytes of memory for such lines that are kept when they are written: a usual burst fits.
pub const LOG_QUEUE_KEPT: usize = 4 * 1024;

/// Warnings or errors of one kind that are written within [`LOG_REPEATS_MS`]: enough to see
/// what is wrong, and that it goes on.
pub const LOG_REPEATS_MAX: u32 = 10;

/// Milliseconds after which it is told how many of a kind were left out.
pub const LOG_REPEATS_MS: u64 = 60_000;

/// Kinds of warnings and errors that are told apart: some for each domain of most gateways.
pub const LOG_KINDS_MAX: usize = 32;

/// Bytes of a line that its kind is known by and shown with.
pub const LOG_KIND_WORDS_MAX: usize = 120;

/// Milliseconds that the end of the process waits for the log to be written.
pub const LOG_END_MS: u64 = 1000;

/// Old log files, also when the configuration sets no limit (0): with the default
/// size they take 2 GB, and finding the newest takes 8 KB.
pub const LOG_FILES_OLD_MAX: u64 = 1000;

/// Megabytes of a log file when the configuration says 0, as in the reference.
pub const LOG_FILE_MB_UNSET: u64 = 100;

/// Milliseconds until a log file that cannot be written, or a thread that writes, is tried
/// again.
pub const LOG_RETRY_MS: u64 = 10_000;

/// Milliseconds between two looks for log files that are too old: a day, the unit
/// of their age.
pub const LOG_PRUNE_MS: u64 = 86_400_000;
