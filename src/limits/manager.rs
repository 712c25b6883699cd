//! Messages on their way between the parties.

use super::DOMAINS_MAX;

/// Bytes that must be free among the messages to the broker before a desired
/// state is looked at, so that a flood of bad ones cannot push out commands:
/// each gets an answer.
pub const ANSWER_ROOM: usize = DOMAINS_MAX * 1024;

/// The same in messages: what an activity needs at once, and some.
pub const ANSWER_ROOM_MESSAGES: usize = 4 * DOMAINS_MAX;

/// Refused desired states that are remembered, to tell those that the broker delivers
/// once more. Few wait while something is saved.
pub const REFUSALS_MAX: usize = 16;

/// Requests to the twin that are remembered, to handle each once behind a connector that
/// delivers it by several forms of topic. The copies come one behind the other.
pub const REPEATS_MAX: usize = 16;

/// Filters that the broker may have in our session: those of 64 domains and of a twin
/// take 133, and an earlier configuration had as many. Past it the oldest that are not
/// wanted any more are forgotten; they are taken back when a message comes by them.
pub const FILTERS_MAX: usize = 2 * (8 + 2 * DOMAINS_MAX);

/// Bytes of filters that are taken back at once. With all subscriptions they fit
/// `CONTROL_BYTES`.
pub const TAKEN_BACK_BYTES: usize = 2048;

/// Bytes of a peer's text in one log line.
pub const LOGGED_MAX: usize = 512;

/// Bytes of an agent's last words that are kept to be shown. The rest is cut off.
pub const HEARD_MAX: usize = 128;

/// Milliseconds that a last report is waited for to be acknowledged when the
/// process is told to end. With the rest of the good-bye it stays below 2 s.
pub const DRAIN_MS: u64 = 1000;

/// Milliseconds for the broker to answer the good-bye.
pub const UNSUBSCRIBE_MS: u64 = 300;
