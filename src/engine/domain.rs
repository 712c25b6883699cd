//! One domain's part in an activity: where it stands, as it is saved.

use super::boot::Boot;
use super::evidence::Evidence;
use super::group::Group;
use super::obligation::Obligation;
use super::restore::Restore;
use crate::model::table::table;
use crate::model::time::Tick;
use crate::model::{Command, Phase, Reason};

/// A domain that takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Where it is.
    pub state: State,
    /// The group that it belongs to.
    pub group: Group,
    /// The last phase that a policy had it begin, over all its courses; none before the
    /// first. A domain that was started over is led back to it.
    pub furthest: Option<Phase>,
    /// Why it failed, or was not rolled back, if it was so.
    pub failure: Option<Reason>,
    /// What to say of its rollback after a failure, or of its clean-up, if that did not go
    /// well.
    pub cleanup: Option<Reason>,
    /// It has gone back to downloading since the last `UPDATE`.
    pub fell_back: bool,
    /// `UPDATE`s sent again because it went back to downloading.
    pub repeats: u8,
    /// What it owes, as far as it may have been lost.
    pub obligation: Obligation,
    /// What shows whether it is as it was before.
    pub evidence: Evidence,
    /// How far it is with becoming what it was committed to.
    pub restore: Restore,
    /// What a boot of the host means for it.
    pub boot: Boot,
}

impl Domain {
    /// Returns a part in this state, in the first group.
    pub fn new(state: State) -> Domain {
        let obligation = Obligation::default();
        let (group, furthest) = (Group::default(), state.least());
        let evidence = Evidence::default();
        Domain {
            state,
            group,
            furthest,
            failure: None,
            cleanup: None,
            fell_back: false,
            repeats: 0,
            obligation,
            evidence,
            restore: Restore::No,
            boot: Boot::No,
        }
    }

    /// Returns a part in this state that has got the message that it owes an answer to.
    pub fn owing(state: State) -> Domain {
        let mut part = Domain::new(state);
        if let Some(owed) = state.owed() {
            part.obligation.queue.push(owed, 0);
        }
        part
    }

    /// It has nothing left to do, and is where the others are led to.
    pub(super) fn rest(&mut self) {
        self.state = State::Ready(Phase::Activate);
        self.obligation.answered();
    }

    /// Returns whether it owes an answer.
    pub fn is_owing(&self) -> bool {
        self.state.owed().is_some()
    }

    /// Returns whether it was given DOWNLOAD or more, so that there may be something to
    /// undo.
    pub fn has_begun(&self) -> bool {
        self.furthest > Some(Phase::Identify)
    }
}

/// Where a domain is in its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It has not been told anything.
    New,
    /// It owes an answer to what starts the phase.
    Working(Phase),
    /// It has left the phase well.
    Ready(Phase),
    /// It has failed in the phase, and nothing has followed yet.
    Failed(Phase),
    /// It owes an answer to `ROLLBACK`.
    RollingBack(Wait),
    /// `ROLLBACK` has ended, and nothing has followed yet.
    RolledBack(Ending),
    /// It owes an answer to `CLEANUP`.
    CleaningUp(Wait),
    /// Its part has ended.
    Done(Ended),
}

table! {
    /// How something ended that a domain was told to do.
    pub enum Ending {
        /// It said that it succeeded.
        Ok = 1 "ok",
        /// It said that it failed.
        Failed = 2 "failed",
        /// It said nothing in time.
        Silent = 3 "silent",
    }
}

table! {
    /// How a domain's part ended.
    pub enum Ended {
        /// It had nothing to do.
        Idle = 1 "idle",
        /// It said `COMPLETED`.
        Completed = 2 "completed",
        /// It said `INCOMPLETE`.
        Incomplete = 3 "incomplete",
        /// It failed to identify.
        Unidentified = 4 "unidentified",
        /// It was given `CLEANUP`, and has answered, or was waited for long enough.
        CleanedUp = 5 "cleaned up",
    }
}

impl State {
    /// Returns what it owes an answer to, `Some(None)` for the desired state; none if it
    /// owes nothing.
    pub fn owed(self) -> Option<Option<Command>> {
        match self {
            State::Working(phase) => Some(phase.command()),
            State::RollingBack(_) => Some(Some(Command::Rollback)),
            State::CleaningUp(_) => Some(Some(Command::Cleanup)),
            State::New | State::Ready(_) | State::Failed(_) | State::RolledBack(_) | State::Done(_) => None,
        }
    }

    /// Returns whether it is led forward.
    pub fn is_forward(self) -> bool {
        matches!(self, State::Working(_) | State::Ready(_))
    }

    /// Returns whether its part has ended.
    pub fn is_done(self) -> bool {
        matches!(self, State::Done(_))
    }

    /// Returns the phase that it is about, if it is about one.
    pub fn phase(self) -> Option<Phase> {
        match self {
            State::Working(phase) | State::Ready(phase) | State::Failed(phase) => Some(phase),
            State::New | State::RollingBack(_) | State::RolledBack(_) | State::CleaningUp(_) | State::Done(_) => None,
        }
    }

    /// Returns the least that a domain in this state was told to begin.
    fn least(self) -> Option<Phase> {
        match self {
            State::New => None,
            State::Working(phase) | State::Ready(phase) | State::Failed(phase) => Some(phase),
            State::RollingBack(_) | State::RolledBack(_) | State::CleaningUp(_) => Some(Phase::Download),
            State::Done(_) => Some(Phase::Identify),
        }
    }

    /// Returns the state with these numbers; its wait does not run. None if there is none.
    pub fn of_code([code, about]: [u8; 2]) -> Option<State> {
        let phase = Phase::of_code(about);
        match code {
            1 => phase.map(State::Working),
            2 => phase.map(State::Ready),
            3 => Some(State::RollingBack(Wait::STOPPED)),
            4 => Some(State::CleaningUp(Wait::STOPPED)),
            // 0.1.0 did not say how.
            5 => Some(State::Done(Ended::of_code(about).unwrap_or(Ended::CleanedUp))),
            6 => Some(State::New),
            7 => phase.map(State::Failed),
            8 => Ending::of_code(about).map(State::RolledBack),
            _ => None,
        }
    }

    /// Returns the numbers by which it is saved: its own, whatever the wait, and that of
    /// the phase or the end that it is about. A number is never given another meaning.
    pub fn code(self) -> [u8; 2] {
        match self {
            State::Working(phase) => [1, phase.code()],
            State::Ready(phase) => [2, phase.code()],
            State::RollingBack(_) => [3, 0],
            State::CleaningUp(_) => [4, 0],
            State::Done(ended) => [5, ended.code()],
            State::New => [6, 0],
            State::Failed(phase) => [7, phase.code()],
            State::RolledBack(ending) => [8, ending.code()],
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

    /// Returns when it is over, as things stand.
    pub fn over(self) -> Tick {
        self.quiet.min(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_as_it_was_saved() {
        Ending::check_table();
        Ended::check_table();
        let phases = Phase::ALL.into_iter().flat_map(|p| [State::Working(p), State::Ready(p), State::Failed(p)]);
        let others = [State::New, State::RollingBack(Wait::STOPPED), State::CleaningUp(Wait::STOPPED)];
        let endings = Ending::ALL.into_iter().map(State::RolledBack);
        let all = phases.chain(others).chain(endings).chain(Ended::ALL.into_iter().map(State::Done));
        let mut codes = std::collections::HashSet::new();
        for state in all {
            assert_eq!(State::of_code(state.code()), Some(state));
            assert!(codes.insert(state.code()), "{state:?}");
        }
        assert_eq!([[0, 1], [9, 1], [1, 0], [8, 9]].map(State::of_code), [None; 4]);
    }
}
