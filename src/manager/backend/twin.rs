//! Who we are as a digital twin (things.md, 1), and what waits until that is known.
//!
//! In: what the edge says, and reports that cannot be sent yet. Out: our identity, and
//! the reports when there is one.
//!
//! Invariants: once known, an identity is only replaced. Statuses wait for one activity at
//! a time, each once; ends are marked in the journal, so that they are saved.
//!
//! Deliberately absent: messages. `report` sends what waited.

use std::rc::Rc;

use crate::model::{Run, Status};
use crate::wire::things::Identity;

/// What the twin needs to know.
#[derive(Default)]
pub(super) struct Twin {
    /// Who we are, as the edge last said.
    identity: Option<Rc<Identity>>,
    /// What was to be reported of the activity that runs before anybody knew who we are:
    /// the statuses before `RUNNING`, and that.
    waiting: heapless::Vec<Status, 3>,
    /// Which activity that is.
    waiting_of: Run,
}

impl Twin {
    pub(super) fn identity(&self) -> Option<&Rc<Identity>> {
        self.identity.as_ref()
    }

    /// Who we are, now or as it was saved.
    pub(super) fn set_identity(&mut self, identity: Option<Identity>) {
        self.identity = identity.map(Rc::new);
    }

    /// Whether a status waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Keeps a status of the activity `run` for later; with its end the others are of no
    /// interest any more.
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

    /// Takes out what waits; of the activity `own`, nothing of another one.
    pub(super) fn take_waiting(&mut self, own: Option<Run>) -> heapless::Vec<Status, 3> {
        let waiting = core::mem::take(&mut self.waiting);
        if own == Some(self.waiting_of) {
            waiting
        } else {
            heapless::Vec::new()
        }
    }
}
