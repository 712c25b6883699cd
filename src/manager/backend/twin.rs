//! The identity of the digital twin (docs/twin-api.md), and the statuses that wait for it.
//!
//! In: an identity, and statuses that cannot be reported without one. Out: the identity, and
//! the statuses.
//!
//! Invariants: an identity is never forgotten, only replaced. Statuses wait for one activity
//! at a time, each once. An end waits in the journal instead, so that it is saved.
//!
//! Deliberately absent: messages; `report` sends them.

use std::rc::Rc;

use crate::model::{Run, Status};
use crate::wire::things::Identity;

/// Holds the twin's identity and what waits for it.
#[derive(Default)]
pub(super) struct Twin {
    /// As the edge has announced it last.
    identity: Option<Rc<Identity>>,
    /// Statuses of the running activity that wait: those before `RUNNING`, and that.
    waiting: heapless::Vec<Status, 3>,
    /// The activity that they are of.
    waiting_of: Run,
}

impl Twin {
    /// Returns the identity, if it is known.
    pub(super) fn identity(&self) -> Option<&Rc<Identity>> {
        self.identity.as_ref()
    }

    /// Sets the identity.
    pub(super) fn set_identity(&mut self, identity: Option<Identity>) {
        self.identity = identity.map(Rc::new);
    }

    /// Returns whether a status waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Keeps a status of the activity `run` until the identity is known. Its end makes the
    /// others obsolete.
    pub(super) fn wait(&mut self, run: Run, status: Status, is_end: bool) {
        if self.waiting_of != run || is_end {
            self.waiting.clear();
        }
        self.waiting_of = run;
        if !is_end && !self.waiting.contains(&status) {
            // There are no more than it has room for.
            let _ = self.waiting.push(status);
        }
    }

    /// Takes out all statuses. Returns those of the activity `own`, and drops others.
    pub(super) fn take_waiting(&mut self, own: Option<Run>) -> heapless::Vec<Status, 3> {
        let waiting = core::mem::take(&mut self.waiting);
        if own == Some(self.waiting_of) {
            waiting
        } else {
            heapless::Vec::new()
        }
    }
}
