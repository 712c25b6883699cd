//! Bytes <-> domain types, borrowed (docs/protocol.md, docs/twin-api.md). No decisions, no heap, no
//! recursion: a message is first checked in full, then walked through, and what
//! is only passed on stays as it came.

pub mod activity;
#[cfg(feature = "agent")]
pub mod agent;
pub mod consent;
pub mod console;
pub mod desired_state;
pub mod encode;
pub mod envelope;
pub mod feedback;
pub mod find;
pub mod inventory;
pub mod json;
pub mod malformed;
pub mod node;
pub mod scan;
pub mod status;
#[cfg(test)]
mod tests;
pub mod things;
pub mod topic;

pub use envelope::Envelope;
pub use find::{activity_of, TextFinder};
pub use malformed::Malformed;
pub use scan::Span;
