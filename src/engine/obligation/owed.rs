//! What a domain owes, as far as it may have been lost.

use super::queue::Queue;
use crate::model::time::Tick;
use crate::model::{Reason, Status};

/// What a domain owes, and what is known of whether it may have been lost.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Obligation {
    /// The course that the domain is in; the first one is 0. The next one begins when
    /// the domain answers the desired state that was sent to it again.
    pub course: u8,
    /// The messages that it may still answer.
    pub queue: Queue,
    /// How often it was started over in this phase of the others.
    pub repairs: u8,
    /// Something may have been lost while it owed nothing: the suspicion begins with
    /// its next command.
    pub is_remembered: bool,
    /// It is to be rolled back as soon as it has answered.
    pub is_turning: bool,
    /// Its group is turned back: it is waited for, but neither led on nor started over.
    pub is_halted: bool,
    /// A failure that counts unless the domain starts over.
    pub kept: Option<Reason>,
    /// The times, which are not saved: they begin anew with each start.
    pub times: Times,
}

/// The times of an obligation.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Times {
    /// It may have lost its message, or we its answer.
    pub suspicion: Option<Suspicion>,
    /// Since when the first word after a repair is awaited.
    pub repaired: Option<Tick>,
    /// Since when a failure is kept.
    pub kept: Option<Tick>,
    /// When `ROLLBACK` or `CLEANUP` was last sent again.
    pub told_again: Option<Tick>,
    /// The broker has the `ROLLBACK` that was sent last.
    pub is_taken: bool,
    /// When its clock is over; none while it does not run.
    pub clock: Option<Tick>,
    /// When it is over whatever progress the domain makes.
    pub clock_end: Option<Tick>,
    /// Since when its inventory is asked for after a boot.
    pub asked: Option<Tick>,
    /// When it was asked last.
    pub asked_again: Option<Tick>,
    /// It has said meanwhile that it has nothing to do.
    pub is_content: bool,
    /// The last status that the domain has reported.
    pub status: Option<Status>,
}

/// The suspicion that a domain has lost its message, or we its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspicion {
    /// When the first event came that cast it.
    pub since: Tick,
    /// When the last such event came.
    pub last: Tick,
    /// From when on the agent could be heard after the first event; none as long as it
    /// could not.
    pub audible: Option<Tick>,
    /// The host has booted: the agent has certainly started anew.
    pub has_booted: bool,
}

/// What casts a suspicion on a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Our own start; whether the host has booted as well.
    Start(bool),
    /// The agent says that it is connected.
    Hello,
    /// The broker has lost our session.
    SessionLost,
}

/// What is known of a domain in doubt, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InDoubt {
    /// Its message or its answer may be lost.
    Suspected {
        /// Since when.
        since: Tick,
        /// When it is started over if it says nothing; none as long as it cannot be
        /// heard, or was started over too often.
        repair_at: Option<Tick>,
    },
    /// It was started over and has not answered since then.
    Repaired {
        /// When the desired state was sent again.
        since: Tick,
    },
    /// It reported a failure, which counts if it does not start over.
    FailureKept {
        /// When the failure was reported.
        since: Tick,
    },
}

impl Obligation {
    /// Nothing is awaited of the domain any more but the answer to what it gets next.
    pub fn settle(&mut self) {
        self.is_remembered = false;
        self.is_turning = false;
        self.kept = None;
        self.times = Times { told_again: self.times.told_again, ..Times::default() };
    }

    /// What was owed is answered: no failure of it is kept, and it is not repeated. If it is
    /// not certain that the agent still knows the activity, the suspicion begins again with
    /// the next command.
    pub fn answered(&mut self) {
        self.is_remembered |= self.times.suspicion.take().is_some();
        self.kept = None;
        let Times { told_again, status, .. } = self.times;
        self.times = Times { told_again, status, ..Times::default() };
    }

    /// Whether a desired state that was sent to the domain again is unanswered.
    pub fn has_repair(&self) -> bool {
        self.queue.has_repair(self.course)
    }
}
