//! One domain's part in an activity.

use super::obligation::Obligation;
use crate::model::time::Tick;
use crate::model::{Command, Phase, Reason};

/// A domain that takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Where it is.
    pub state: State,
    /// Why it failed, if it did.
    pub failure: Option<Reason>,
    /// What to say of its clean-up, if that did not go well.
    pub cleanup: Option<Reason>,
    /// It has gone back to downloading since the last `UPDATE`.
    pub fell_back: bool,
    /// `UPDATE`s sent again because it went back to downloading.
    pub repeats: u8,
    /// What it owes, as far as it may have been lost.
    pub obligation: Obligation,
}

impl Domain {
    /// A part that begins in this state.
    pub fn new(state: State) -> Domain {
        let obligation = Obligation::default();
        Domain { state, failure: None, cleanup: None, fell_back: false, repeats: 0, obligation }
    }

    /// A part in this state that has got the message that it owes an answer to.
    pub fn owing(state: State) -> Domain {
        let mut part = Domain::new(state);
        if let Some(owed) = state.owed() {
            part.obligation.queue.push(owed, 0);
        }
        part
    }

    /// Whether it owes an answer.
    pub fn is_owing(&self) -> bool {
        self.state.owed().is_some()
    }
}

/// Where a domain is in its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It owes an answer to what starts the phase.
    Working(Phase),
    /// It has left the phase well and waits for the others.
    Ready(Phase),
    /// It owes an answer to `ROLLBACK`.
    RollingBack(Wait),
    /// It owes an answer to `CLEANUP`.
    CleaningUp(Wait),
    /// Its part has ended.
    Done,
}

impl State {
    /// What it owes an answer to, `Some(None)` for the desired state; none if it owes
    /// nothing.
    pub fn owed(self) -> Option<Option<Command>> {
        match self {
            State::Working(phase) => Some(phase.command()),
            State::RollingBack(_) => Some(Some(Command::Rollback)),
            State::CleaningUp(_) => Some(Some(Command::Cleanup)),
            State::Ready(_) | State::Done => None,
        }
    }

    /// Whether it is led forward.
    pub fn is_forward(self) -> bool {
        matches!(self, State::Working(_) | State::Ready(_))
    }

    /// The phase that it is about, if it is about one.
    pub fn phase(self) -> Option<Phase> {
        match self {
            State::Working(phase) | State::Ready(phase) => Some(phase),
            State::RollingBack(_) | State::CleaningUp(_) | State::Done => None,
        }
    }

    /// The state with this number, about this phase; its wait does not run.
    pub fn of_code(code: u8, phase: Option<Phase>) -> Option<State> {
        match code {
            1 => phase.map(State::Working),
            2 => phase.map(State::Ready),
            3 => Some(State::RollingBack(Wait::STOPPED)),
            4 => Some(State::CleaningUp(Wait::STOPPED)),
            5 => Some(State::Done),
            _ => None,
        }
    }

    /// The number by which it is saved, whatever the phase or the wait. A number is never
    /// given another meaning.
    pub fn code(self) -> u8 {
        match self {
            State::Working(_) => 1,
            State::Ready(_) => 2,
            State::RollingBack(_) => 3,
            State::CleaningUp(_) => 4,
            State::Done => 5,
        }
    }
}

/// How long a rollback or clean-up is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wait {
    /// Without any feedback it is over then; each feedback moves it.
    pub quiet: Tick,
    /// It is over then in any case.
    pub end: Tick,
}

impl Wait {
    /// One whose clock does not run yet.
    pub const STOPPED: Wait = Wait { quiet: Tick(u64::MAX), end: Tick(u64::MAX) };

    /// When it is over, as things stand.
    pub fn over(self) -> Tick {
        self.quiet.min(self.end)
    }
}
