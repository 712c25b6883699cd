//! The digital twin (docs/twin-api.md): who we are, what is asked of us, and what is
//! told. Bytes <-> domain types, as in the rest of `wire`; what a request holds is
//! decoded by the code that decodes it in plain mode.

pub mod encode;
mod identity;
mod request;
mod topic;

pub use identity::Identity;
pub use request::{operation_of, Foreign, Reply, Request};
pub use topic::{Incoming, RequestTopic, EDGE_REQUEST, EDGE_RESPONSE, EVENTS};

use crate::model::text::Text;

/// What is asked of us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Apply a desired state.
    Apply,
    /// Report the current state.
    Refresh,
    /// The owner's answer.
    Consent,
}

impl Operation {
    const ALL: [Operation; 3] = [Operation::Apply, Operation::Refresh, Operation::Consent];

    /// As it is spelled on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Apply => "apply",
            Operation::Refresh => "refresh",
            Operation::Consent => "consent",
        }
    }
}

/// Whether `text` is what `parts` are, one after the other.
fn is(text: Text<'_>, parts: &[&str]) -> bool {
    text.chars().eq(parts.iter().flat_map(|part| part.chars()))
}
