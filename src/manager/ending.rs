//! The shutdown: the broker acknowledges the last report and the last save completes, the
//! subscriptions of a clean session are ended, then DISCONNECT goes out. Without a broker
//! the process waits only for the save.
//!
//! In: the request to end, changes of the link, and time. Out: UNSUBSCRIBE, DISCONNECT, and
//! whether the process may end.
//!
//! Invariants: each step has a short timeout, so that a broker that is gone delays nothing.
//! A second request ends the process at once.
//!
//! Deliberately absent: what becomes of the running activity; see `saving`.

use super::outside::Outside;
use crate::limits::{DRAIN_MS, UNSUBSCRIBE_MS};
use crate::model::time::Tick;

/// The step that the shutdown is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    No,
    Draining(Tick),
    Unsubscribing(Tick),
    Leaving,
    Disconnecting(Tick),
    Over,
}

/// Holds the progress of the shutdown.
pub(super) struct Ending {
    stage: Stage,
    /// Whether the broker drops the session with the link.
    clean_session: bool,
    disconnect_timeout_ms: u64,
}

impl Ending {
    /// Creates one that has not begun.
    pub(super) fn new(clean_session: bool, disconnect_timeout_ms: u64) -> Ending {
        Ending { stage: Stage::No, clean_session, disconnect_timeout_ms }
    }

    /// Returns whether the process was told to end.
    pub(super) fn has_begun(&self) -> bool {
        self.stage != Stage::No
    }

    /// Returns whether the process may end now.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Returns when the current step times out.
    pub(super) fn poll_timeout(&self) -> Option<Tick> {
        match self.stage {
            Stage::Draining(until) | Stage::Unsubscribing(until) | Stage::Disconnecting(until) => Some(until),
            Stage::No | Stage::Leaving | Stage::Over => None,
        }
    }

    /// Begins the shutdown, or ends it if it has begun already.
    pub(super) fn begin(&mut self, now: Tick, outside: &Outside) {
        let is_busy = outside.session.is_connected() || outside.store.is_writing();
        self.stage = match self.stage {
            Stage::No if is_busy => Stage::Draining(now.after(DRAIN_MS)),
            _ => Stage::Over,
        };
    }

    /// Handles the answer to an UNSUBSCRIBE.
    pub(super) fn handle_unsubscribed(&mut self) {
        if matches!(self.stage, Stage::Unsubscribing(_)) {
            self.stage = Stage::Leaving;
        }
    }

    /// Handles the loss of the link. The last save may still be under way.
    pub(super) fn handle_link_down(&mut self, outside: &Outside) {
        match self.stage {
            Stage::No => {}
            Stage::Draining(_) if outside.store.is_writing() => {}
            _ => self.stage = Stage::Over,
        }
    }

    /// Takes the next step if it is due. Returns whether the caller is to end all
    /// subscriptions now.
    #[must_use]
    pub(super) fn advance(&mut self, now: Tick, outside: &mut Outside) -> bool {
        match self.stage {
            Stage::Draining(until) if !is_draining(outside) || until <= now => {
                if !outside.session.is_connected() {
                    self.stage = Stage::Over;
                } else if self.clean_session {
                    self.stage = Stage::Unsubscribing(now.after(UNSUBSCRIBE_MS));
                    return true;
                } else {
                    self.leave(now, outside);
                }
            }
            Stage::Unsubscribing(until) if until <= now => self.leave(now, outside),
            Stage::Leaving => self.leave(now, outside),
            Stage::Disconnecting(until) if until <= now => self.stage = Stage::Over,
            _ => {}
        }
        false
    }

    fn leave(&mut self, now: Tick, outside: &mut Outside) {
        outside.session.disconnect(now);
        self.stage = Stage::Disconnecting(now.after(self.disconnect_timeout_ms));
    }
}

/// Returns whether a report waits for the broker, or a save is under way.
fn is_draining(outside: &Outside) -> bool {
    outside.session.is_connected() && outside.session.unacknowledged() > 0 || outside.store.is_writing()
}
