//! All domains go through each phase together, as Eclipse Kanto's backends and agents know
//! it (docs/protocol.md, "The activity").

use super::{finish, identify, lead, turn_back, Policy, Step, View};

/// The policy of every activity, unless somebody brings another.
///
/// A phase begins when every domain has left the one before. A domain that fails gets
/// CLEANUP at once and takes no further part; the others go on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lockstep;

impl Policy for Lockstep {
    fn name(&self) -> &'static str {
        "lockstep"
    }

    fn next(&self, view: &View<'_>) -> Step {
        turn_back(view)
            .or_else(|| identify(view))
            .or_else(|| lead(view, view.domains()))
            .unwrap_or_else(|| finish(view))
    }
}
