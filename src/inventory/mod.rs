//! The device's inventory: what is known of each domain, and when all of it is
//! reported (protocol.md, "When the current state is reported").

mod rounds;
pub mod store;

pub use rounds::{ActivityId, Effect, Effects, Rounds};
