//! Observers of an engine: tests check each step with one.

use std::fmt;
use std::rc::Rc;

use super::campaign::Campaign;
use super::effect::Effects;
use super::event::Event;
use super::Rejected;

/// Observes an engine.
pub trait Observer {
    /// An event is about to be handled.
    fn before(&self, event: &Event<'_>);

    /// The event was handled: the answer, what is to be done, and the campaign after it.
    fn after(&self, event: &Event<'_>, result: Result<(), Rejected>, out: &Effects, campaign: Option<&Campaign>);
}

/// The observers of an engine.
#[derive(Clone, Default)]
pub(super) struct Observers(pub(super) Option<Rc<dyn Observer>>);

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "observed" } else { "unobserved" })
    }
}
