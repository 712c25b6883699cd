//! The console, and the check of a desired state.

use super::{INVENTORIES_MAX, PAYLOAD_IN_MAX};

/// Clients of the console at a time: a person, a script, and some more.
pub const CONSOLE_CLIENTS_MAX: usize = 4;

/// Groups that are shown on one screen, each in a line of its own.
pub const SHOWN_GROUPS_MAX: usize = 4;

/// Bytes of a request: a desired state, and what stands around it.
pub const CONSOLE_REQUEST_MAX: usize = PAYLOAD_IN_MAX + 512;

/// Milliseconds that a client of the console has to ask, and to take its answer; and
/// those that our own client waits for the manager. It answers at once, unless a slow
/// disk or a busy machine holds it up.
pub const CONSOLE_CLIENT_MS: u64 = 10_000;

/// Milliseconds that an answer which waited for a save is kept for its client, who asks for it
/// every `CONSOLE_SPACING_MS`. Past it that client is gone.
pub const CONSOLE_HELD_MS: u64 = 1000;

/// Milliseconds between two clients that are let in, and between two requests of one:
/// no person notices, and a flood costs next to nothing.
pub const CONSOLE_SPACING_MS: u64 = 20;

/// Milliseconds without new clients when the system has no room for one.
pub const CONSOLE_PAUSE_MS: u64 = 1000;

/// Clients that wait to be let in; whoever comes then waits outside.
pub const CONSOLE_QUEUE: i32 = 8;

/// Bytes taken from a client at once: a request without a desired state.
pub const CONSOLE_CHUNK: usize = 4096;

/// Bytes of a piece in which a client takes the inventory: of all but one of the clients
/// together they are less than `CONSOLE_OTHERS_MAX`.
pub const CONSOLE_PIECE: usize = 8 * 1024;

/// Bytes of the largest answer that is held whole, a report: of 64 domains with the longest
/// names and words, `FINISHED_MAX` activities and `EVENTS_MAX` events.
pub const CONSOLE_REPORT_BYTES: usize = 128 * 1024;

/// Bytes that all but one of the console's clients may hold together, of requests and of
/// answers each: then one may hold the largest. All but a desired state and a report
/// are less.
pub const CONSOLE_OTHERS_MAX: usize = 32 * 1024;

/// Milliseconds after which whoever follows an activity asks again: it looks live, and
/// a line of 115,200 baud carries it.
pub const CONSOLE_FOLLOW_MS: u64 = 200;

/// Levels of the inventory that are shown: past it the associations go in circles.
pub const CONSOLE_LEVELS_MAX: usize = 8;

/// Bytes of an answer that a client of the console takes: all inventories, and some.
pub const CONSOLE_ANSWER_MAX: usize = 2 * INVENTORIES_MAX;

/// Findings that are shown of one desired state: once those are mended, it is checked again.
pub const FINDINGS_MAX: usize = 100;

/// Bytes that are read of a desired state's file: with blanks it may be larger than
/// a message.
pub const DESIRED_FILE_MAX: usize = 4 * PAYLOAD_IN_MAX;

/// Bytes of the description beside an agent's executable: ours have less than 2,000.
pub const DESCRIPTION_MAX: usize = 16_384;
