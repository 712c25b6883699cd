//! The good-bye: the last report is acknowledged and what is to be saved is saved, the
//! subscriptions are ended if the session is clean, then DISCONNECT. Each step has its own
//! short limit, so that a broker that is gone holds nothing up. Without a broker only the
//! save is waited for.

use super::Manager;
use crate::limits::{DRAIN_MS, UNSUBSCRIBE_MS};
use crate::model::time::{Now, Tick};

/// How far the good-bye is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    No,
    Draining(Tick),
    Unsubscribing(Tick),
    Leaving,
    Disconnecting(Tick),
    Over,
}

impl Ending {
    pub(super) fn is_no(self) -> bool {
        self == Ending::No
    }

    pub(super) fn is_over(self) -> bool {
        self == Ending::Over
    }

    pub(super) fn next(self) -> Option<Tick> {
        match self {
            Ending::Draining(until) | Ending::Unsubscribing(until) | Ending::Disconnecting(until) => Some(until),
            Ending::No | Ending::Leaving | Ending::Over => None,
        }
    }

    /// `is_busy`: there is something to be said to the broker, or to be saved.
    pub(super) fn begin(&mut self, now: Tick, is_busy: bool) {
        *self = match self {
            Ending::No if is_busy => Ending::Draining(now.after(DRAIN_MS)),
            _ => Ending::Over,
        };
    }

    pub(super) fn handle_unsubscribed(&mut self) {
        if matches!(self, Ending::Unsubscribing(_)) {
            *self = Ending::Leaving;
        }
    }

    /// The link is lost; `is_saving`: a save is still waited for.
    pub(super) fn handle_link_down(&mut self, is_saving: bool) {
        match self {
            Ending::No => {}
            Ending::Draining(_) if is_saving => {}
            _ => *self = Ending::Over,
        }
    }
}

impl Manager {
    pub(super) fn advance_ending(&mut self, now: Now) {
        match self.ending {
            Ending::Draining(until) if !self.is_draining() || until <= now.tick => {
                if !self.session.is_connected() {
                    self.ending = Ending::Over;
                } else if self.clean_session {
                    self.unsubscribe(now);
                    self.ending = Ending::Unsubscribing(now.tick.after(UNSUBSCRIBE_MS));
                } else {
                    self.leave(now);
                }
            }
            Ending::Unsubscribing(until) if until <= now.tick => self.leave(now),
            Ending::Leaving => self.leave(now),
            Ending::Disconnecting(until) if until <= now.tick => self.ending = Ending::Over,
            _ => {}
        }
    }

    /// Whether a report waits for the broker, or something is being saved.
    fn is_draining(&self) -> bool {
        self.session.is_connected() && self.session.unacknowledged() > 0 || self.store.is_writing()
    }

    fn leave(&mut self, now: Now) {
        self.session.disconnect(now.tick);
        self.ending = Ending::Disconnecting(now.tick.after(self.disconnect_timeout_ms));
    }
}
