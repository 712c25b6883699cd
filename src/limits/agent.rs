//! The client for agents in Rust.

/// Bytes of a message's payload that an agent's client takes. The whole aggregated
/// inventory fits; the rest of a longer one is cut off.
pub const CLIENT_PAYLOAD_MAX: usize = 1024 * 1024;

/// Messages that wait for the client's caller. A manager sends an agent few before
/// it has an answer. Past it nothing is read.
pub const CLIENT_INBOX_MAX: usize = 64;

/// Bytes of their payloads; one more message may go past it.
pub const CLIENT_INBOX_BYTES: usize = CLIENT_PAYLOAD_MAX;
