//! Every capacity of the program, each with its reason, in a file for each topic.
//!
//! Nothing in the program grows past what stands here: a message that would is
//! refused, and the refusal names the limit.

mod activity;
#[cfg(feature = "agent")]
mod agent;
mod config;
mod console;
#[cfg(feature = "exec")]
mod exec;
mod inventory;
mod manager;
mod mqtt;
mod program;
mod saving;
mod shell;
mod wire;

pub use activity::*;
#[cfg(feature = "agent")]
pub use agent::*;
pub use config::*;
pub use console::*;
#[cfg(feature = "exec")]
pub use exec::*;
pub use inventory::*;
pub use manager::*;
pub use mqtt::*;
pub use program::*;
pub use saving::*;
pub use shell::*;
pub use wire::*;

/// Domains (and so agents) that one manager serves. A set of them fits 64 bits.
pub const DOMAINS_MAX: usize = 64;

/// Bytes of a domain's identifier; it becomes part of topics.
pub const DOMAIN_ID_MAX: usize = 64;

/// Bytes of an activity's identifier, escaped as in JSON. Backends use UUIDs.
pub const ACTIVITY_ID_MAX: usize = 256;

const _: () = assert!(DOMAINS_MAX <= 64, "a set of domains is 64 bits");

// All together

/// Bytes that a TLS connection holds: what was read and is not yet a whole record,
/// and what waits encrypted for the socket.
#[cfg(feature = "tls")]
const TLS_BYTES: usize = 36 * 1024 + TLS_OUT_MAX;

#[cfg(not(feature = "tls"))]
const TLS_BYTES: usize = 0;

/// What can grow, and to how many bytes. All of it is there from the start, with the link,
/// with a client of the console or a call of a command; what is never filled takes no memory.
pub const BUFFERS: [(&str, usize); 15] = [
    ("messages from the broker", RECEIVE_BUFFER),
    ("messages to the broker", OUTBOUND_BYTES + OUTBOUND_MAX * OUTBOUND_ENTRY_BYTES),
    ("desired state", SAVED_RECORD_MAX),
    ("parts that domains are committed to", SAVED_KEPT_MAX),
    ("inventories", INVENTORIES_MAX),
    ("actions", ACTIONS_MAX * ACTION_BYTES),
    ("domains of the activity", DOMAINS_MAX * PART_BYTES),
    ("finished activities", FINISHED_MAX * (ACTIVITY_ID_MAX + PAST_REASON_MAX + 96)),
    ("decisions", (HELD_MAX + 2 * EFFECTS_MAX) * EFFECT_BYTES),
    ("acknowledgements, subscriptions", (1 << 16) / 8 + 8 * INBOUND_MAX + 16 * REQUESTS_MAX + CONTROL_BYTES),
    ("subscriptions that the broker keeps", FILTERS_MAX * REQUEST_FILTER_MAX),
    ("output of the verification command", DOMAINS_MAX * VERIFY_PRINTED_MAX),
    ("socket and TLS", WRITE_CHUNK + TLS_BYTES),
    ("clients of the console", CONSOLE_REQUEST_MAX + CONSOLE_REPORT_BYTES + 2 * CONSOLE_OTHERS_MAX),
    (
        "saving",
        SAVED_RECORD_MAX
            + SAVED_KEPT_MAX
            + SAVED_ACTIONS_MAX
            + SAVED_HISTORY_MAX
            + 6 * SAVED_STATE_MAX
            + SAVED_SESSION_MAX,
    ),
];
