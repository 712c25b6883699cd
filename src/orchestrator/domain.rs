//! One domain's part in an activity.

use heapless::String;

use super::phase::{Command, Phase, Status};
use crate::limits::REASON_MAX;
use crate::time::Tick;

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
    /// It has said something since the activity was taken up.
    pub is_heard: bool,
    /// How often its agent has started anew in this phase.
    pub restarts: u8,
    /// It has forgotten the activity and is led to this phase by itself.
    pub replay: Option<Phase>,
    /// `UPDATE`s sent again because it went back to downloading.
    pub repeats: u8,
}

impl Domain {
    /// A part that begins in this state.
    pub fn new(state: State) -> Domain {
        Domain {
            state,
            failure: None,
            cleanup: None,
            fell_back: false,
            is_heard: true,
            restarts: 0,
            replay: None,
            repeats: 0,
        }
    }
}

impl Domain {
    /// Whether it owes an answer.
    pub fn is_owing(&self) -> bool {
        !matches!(self.state, State::Ready(_) | State::Done)
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
    /// One number for each state, whatever the phase or the wait: to see whether it is
    /// another one than before.
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
    /// When it is over, as things stand.
    pub fn over(self) -> Tick {
        self.quiet.min(self.end)
    }
}

/// Why a domain failed.
// As large as its words: the core does not allocate, so they cannot be boxed.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The agent's own words, escaped as in JSON.
    Words(String<REASON_MAX>),
    /// The status with which it failed, without words.
    Status(Status),
    /// No answer to the command (`None`: the desired state) in so many milliseconds.
    Silent(Option<Command>, u64),
    /// It was in a phase that was taken up so many times.
    Lost(u8),
    /// It needs more of something than there may be: what, and the limit.
    Limit(&'static str, usize),
}
