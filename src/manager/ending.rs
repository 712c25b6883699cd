//! The good-bye: the last report is acknowledged and what is to be saved is saved, the
//! subscriptions are ended if the session is clean, then DISCONNECT. Without a broker only
//! the save is waited for.
//!
//! In: that the process is told to end, what becomes of the link and of the last save,
//! time. Out: UNSUBSCRIBE and DISCONNECT, and that it is over.
//!
//! Invariants: each step has its own short limit, so that a broker that is gone holds
//! nothing up. Told twice, it is over at once.
//!
//! Deliberately absent: what becomes of the running activity.

use super::outside::Outside;
use crate::limits::{DRAIN_MS, UNSUBSCRIBE_MS};
use crate::model::time::Tick;

/// How far the good-bye is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    No,
    Draining(Tick),
    Unsubscribing(Tick),
    Leaving,
    Disconnecting(Tick),
    Over,
}

/// The good-bye.
pub(super) struct Ending {
    stage: Stage,
    /// The broker forgets the session with the link, so the subscriptions are ended too.
    clean_session: bool,
    disconnect_timeout_ms: u64,
}

impl Ending {
    /// Not begun.
    pub(super) fn new(clean_session: bool, disconnect_timeout_ms: u64) -> Ending {
        Ending { stage: Stage::No, clean_session, disconnect_timeout_ms }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.stage != Stage::No
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn poll_timeout(&self) -> Option<Tick> {
        match self.stage {
            Stage::Draining(until) | Stage::Unsubscribing(until) | Stage::Disconnecting(until) => Some(until),
            Stage::No | Stage::Leaving | Stage::Over => None,
        }
    }

    /// The process is told to end.
    pub(super) fn begin(&mut self, now: Tick, outside: &Outside) {
        let is_busy = outside.session.is_connected() || outside.store.is_writing();
        self.stage = match self.stage {
            Stage::No if is_busy => Stage::Draining(now.after(DRAIN_MS)),
            _ => Stage::Over,
        };
    }

    /// An UNSUBSCRIBE is answered.
    pub(super) fn handle_unsubscribed(&mut self) {
        if matches!(self.stage, Stage::Unsubscribing(_)) {
            self.stage = Stage::Leaving;
        }
    }

    /// The link is lost; a save may still be waited for.
    pub(super) fn handle_link_down(&mut self, outside: &Outside) {
        match self.stage {
            Stage::No => {}
            Stage::Draining(_) if outside.store.is_writing() => {}
            _ => self.stage = Stage::Over,
        }
    }

    /// Takes the next step if it is due; whether all subscriptions are to be ended now.
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

/// Whether a report waits for the broker, or something is being saved.
fn is_draining(outside: &Outside) -> bool {
    outside.session.is_connected() && outside.session.unacknowledged() > 0 || outside.store.is_writing()
}
