//! The device's inventory: what is known of each domain, what it lacks, and when all of it
//! is reported (docs/protocol.md, "When the current state is reported").

pub mod difference;
pub mod inventories;
mod rounds;

pub use rounds::{ActivityId, Effect, Effects, Rounds};
