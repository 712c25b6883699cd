//! What is saved, and what is remembered.

use super::{
    ACTIVITY_ID_MAX, CONFIG_VALUE_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, FILTERS_MAX, PAYLOAD_IN_MAX, REQUEST_FILTER_MAX,
};

/// Effects that wait for a save. A flash that hangs holds up all that one activity
/// can decide: for each domain its part and five commands, each once however often they
/// are repeated; and some.
pub const HELD_MAX: usize = 32 * DOMAINS_MAX;

/// Milliseconds until a write that failed is tried again, the first time. Each further
/// pause is twice as long.
pub const SAVE_RETRY_MIN_MS: u64 = 1_000;

/// The same at most: a disk that works again does not stay unused for long, and one that
/// does not is not worn out.
pub const SAVE_RETRY_MAX_MS: u64 = 300_000;

/// Versions that are skipped if a slot cannot be read: it may hold a newer one, which must
/// not come back when it can be read again. An activity of 64 domains writes some hundred.
pub const VERSIONS_SKIPPED: u32 = 1 << 16;

/// Activities that are counted: one a millisecond for thousands of years. A saved number
/// beyond it is damage.
pub const RUN_MAX: u64 = 1 << 48;

/// Finished activities that are remembered, to tell a redelivery from a new one.
pub const FINISHED_MAX: usize = 32;

/// Bytes of why an activity was not `COMPLETED`, escaped as in JSON, as it is
/// remembered. The rest is cut off.
pub const PAST_REASON_MAX: usize = 256;

/// Events that are remembered for whoever asks what happened. An activity of two
/// domains has some 20.
pub const EVENTS_MAX: usize = 200;

/// Final reports of activities that wait for the broker's acknowledgement; past it no
/// desired state is taken.
pub const REPORTS_MAX: usize = 8;

/// Bytes of a piece of a text in a record: a field's length has 16 bits.
pub const RECORD_PIECE_MAX: usize = 32 * 1024;

/// Bytes of a record that is read: a desired state and its frame.
pub const SAVED_RECORD_MAX: usize = PAYLOAD_IN_MAX + 1024;

/// Bytes of the saved actions' components. Those of a usual activity take a third.
pub const SAVED_ACTIONS_MAX: usize = 24 * 1024;

/// Domains for which the part of the desired state that they are committed to is kept: all
/// that can be configured. One that is not configured any more may come back, so its part
/// is kept while there is room; past it the oldest go.
pub const KEPT_MAX: usize = DOMAINS_MAX;

/// Bytes of the saved parts that domains are committed to. Those of the largest desired
/// state fit, unless its domains share long baselines; past it the oldest go.
pub const SAVED_KEPT_MAX: usize = SAVED_RECORD_MAX;

/// Bytes of a saved state: 256 for each domain, with the longest name and everything set,
/// 4 KiB for all else, and what each domain is committed to, by its name.
pub const SAVED_STATE_MAX: usize = 4 * 1024 + DOMAINS_MAX * 256 + KEPT_MAX * (11 + DOMAIN_ID_MAX);

/// Bytes of how far the actions are in the saved state, which goes with each of its
/// writes: status and progress of some 60 actions with short names.
pub const SAVED_PROGRESS_MAX: usize = 1024;

/// Bytes of a domain's own words about its failure in the saved state.
pub const SAVED_WORDS_MAX: usize = 128;

/// The same of all domains together, who share them. With 16 failed a state stays
/// below 2 KiB.
pub const SAVED_WORDS_ALL: usize = 512;

/// Bytes of the saved history: of `FINISHED_MAX` activities with the longest names
/// and reasons, and of the last events.
pub const SAVED_HISTORY_MAX: usize = 64
    + FINISHED_MAX * (ACTIVITY_ID_MAX + 16 + PAST_REASON_MAX + 19 + 20)
    + DOMAINS_MAX * (DOMAIN_ID_MAX + 3)
    + EVENTS_MAX * 11;

/// Bytes of the actions in the saved reports of earlier activities. Status and words
/// are saved besides; with all else that an activity writes they stay below 64 KiB.
pub const SAVED_DETAILS_MAX: usize = 12 * 1024;

/// Bytes of the saved session: its client ID and its filters.
pub const SAVED_SESSION_MAX: usize = 64 + CONFIG_VALUE_MAX + FILTERS_MAX * (3 + REQUEST_FILTER_MAX);

const _: () = assert!(HELD_MAX >= (1 + 5) * DOMAINS_MAX + 64);
