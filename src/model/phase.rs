//! The phases of an activity, the commands that start them, and the statuses
//! that are told of them (docs/protocol.md, "The activity" and "Statuses").

use super::table::table;

table! {
    /// A part of an activity that all domains go through together.
    pub enum Phase {
        /// Agents find out what they would do.
        Identify = 1 "IDENTIFY",
        /// Agents fetch what they need.
        Download = 2 "DOWNLOAD",
        /// Agents install.
        Update = 3 "UPDATE",
        /// Agents put the new into use.
        Activate = 4 "ACTIVATE",
        /// Agents remove what is no longer needed.
        Cleanup = 5 "CLEANUP",
    }
}

table! {
    /// What an agent is told to do.
    pub enum Command {
        /// Starts [`Phase::Download`].
        Download = 1 "DOWNLOAD",
        /// Starts [`Phase::Update`].
        Update = 2 "UPDATE",
        /// Starts [`Phase::Activate`].
        Activate = 3 "ACTIVATE",
        /// Undo what was done so far.
        Rollback = 4 "ROLLBACK",
        /// Starts [`Phase::Cleanup`]; also ends the part of a domain that failed.
        Cleanup = 5 "CLEANUP",
    }
}

table! {
    /// Status of an activity, or of a phase, in a feedback.
    #[allow(missing_docs)]
    pub enum Status {
        Identifying = 1 "IDENTIFYING",
        Identified = 2 "IDENTIFIED",
        IdentificationFailed = 3 "IDENTIFICATION_FAILED",
        Running = 4 "RUNNING",
        Completed = 5 "COMPLETED",
        Incomplete = 6 "INCOMPLETE",
        IncompleteInconsistent = 7 "INCOMPLETE_INCONSISTENT",
        Superseded = 8 "SUPERSEDED",
        Downloading = 9 "DOWNLOADING",
        DownloadSuccess = 10 "DOWNLOAD_SUCCESS",
        DownloadFailure = 11 "DOWNLOAD_FAILURE",
        Updating = 12 "UPDATING",
        UpdateSuccess = 13 "UPDATE_SUCCESS",
        UpdateFailure = 14 "UPDATE_FAILURE",
        Activating = 15 "ACTIVATING",
        ActivationSuccess = 16 "ACTIVATION_SUCCESS",
        ActivationFailure = 17 "ACTIVATION_FAILURE",
        Rollback = 18 "ROLLBACK",
        RollbackSuccess = 19 "ROLLBACK_SUCCESS",
        RollbackFailure = 20 "ROLLBACK_FAILURE",
        Cleanup = 21 "CLEANUP",
        CleanupSuccess = 22 "CLEANUP_SUCCESS",
        CleanupFailure = 23 "CLEANUP_FAILURE",
        /// One that this program does not know.
        Unknown = 24 "UNKNOWN",
    }
}

table! {
    /// Status of an action in a feedback.
    #[allow(missing_docs)]
    pub enum ActionStatus {
        Identified = 1 "IDENTIFIED",
        Downloading = 2 "DOWNLOADING",
        DownloadSuccess = 3 "DOWNLOAD_SUCCESS",
        DownloadFailure = 4 "DOWNLOAD_FAILURE",
        Updating = 5 "UPDATING",
        UpdateSuccess = 6 "UPDATE_SUCCESS",
        UpdateFailure = 7 "UPDATE_FAILURE",
        Removing = 8 "REMOVING",
        RemovalSuccess = 9 "REMOVAL_SUCCESS",
        RemovalFailure = 10 "REMOVAL_FAILURE",
        Activating = 11 "ACTIVATING",
        ActivationSuccess = 12 "ACTIVATION_SUCCESS",
        ActivationFailure = 13 "ACTIVATION_FAILURE",
    }
}

impl Phase {
    /// The phase that follows; none after the clean-up.
    pub fn next(self) -> Option<Phase> {
        match self {
            Phase::Identify => Some(Phase::Download),
            Phase::Download => Some(Phase::Update),
            Phase::Update => Some(Phase::Activate),
            Phase::Activate => Some(Phase::Cleanup),
            Phase::Cleanup => None,
        }
    }

    /// The command that starts it; the desired state itself starts the first.
    pub fn command(self) -> Option<Command> {
        match self {
            Phase::Identify => None,
            Phase::Download => Some(Command::Download),
            Phase::Update => Some(Command::Update),
            Phase::Activate => Some(Command::Activate),
            Phase::Cleanup => Some(Command::Cleanup),
        }
    }

    /// The status with which an agent says that it succeeded.
    pub fn success(self) -> Status {
        self.command().map_or(Status::Identified, Command::success)
    }
}

impl Command {
    /// The status with which an agent says that it is at it.
    pub fn working(self) -> Status {
        self.statuses()[0]
    }

    /// The status with which it says that it succeeded.
    pub fn success(self) -> Status {
        self.statuses()[1]
    }

    /// The status with which it says that it failed.
    pub fn failure(self) -> Status {
        self.statuses()[2]
    }

    fn statuses(self) -> [Status; 3] {
        match self {
            Command::Download => [Status::Downloading, Status::DownloadSuccess, Status::DownloadFailure],
            Command::Update => [Status::Updating, Status::UpdateSuccess, Status::UpdateFailure],
            Command::Activate => [Status::Activating, Status::ActivationSuccess, Status::ActivationFailure],
            Command::Rollback => [Status::Rollback, Status::RollbackSuccess, Status::RollbackFailure],
            Command::Cleanup => [Status::Cleanup, Status::CleanupSuccess, Status::CleanupFailure],
        }
    }
}

impl Status {
    /// Whether it ends in `_FAILURE` or `_FAILED`.
    pub fn is_failure(self) -> bool {
        self == Status::IdentificationFailed || Command::ALL.into_iter().any(|command| command.failure() == self)
    }

    /// The command that it is about, if it is about one.
    fn command(self) -> Option<Command> {
        Command::ALL.into_iter().find(|command| command.statuses().contains(&self))
    }

    /// The phase that it names; none of a rollback, a clean-up, or the whole activity.
    pub fn phase(self) -> Option<Phase> {
        if let Status::Identifying | Status::Identified | Status::IdentificationFailed = self {
            return Some(Phase::Identify);
        }
        let forward = [Phase::Download, Phase::Update, Phase::Activate].into_iter();
        self.command().and_then(|command| forward.clone().find(|phase| phase.command() == Some(command)))
    }

    /// What it answers if it is a success or a failure, `Some(None)` for the desired
    /// state; none if it names no phase.
    pub fn answers(self) -> Option<Option<Command>> {
        self.command().map(Some).or_else(|| self.phase().map(Phase::command))
    }
}

impl ActionStatus {
    /// Whether it ends in `_FAILURE`.
    pub fn is_failure(self) -> bool {
        use ActionStatus::{ActivationFailure, DownloadFailure, RemovalFailure, UpdateFailure};
        matches!(self, DownloadFailure | UpdateFailure | RemovalFailure | ActivationFailure)
    }
}

/// A set of phases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct PhaseSet(u8);

impl PhaseSet {
    /// No phase.
    pub const NONE: PhaseSet = PhaseSet(0);

    /// Adds `phase`.
    pub fn insert(&mut self, phase: Phase) {
        self.0 |= 1 << phase.code();
    }

    /// Whether `phase` is in it.
    pub fn contains(self, phase: Phase) -> bool {
        self.0 & (1 << phase.code()) != 0
    }

    /// Whether none is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Phase> for PhaseSet {
    fn from_iter<I: IntoIterator<Item = Phase>>(phases: I) -> PhaseSet {
        phases.into_iter().fold(PhaseSet::NONE, |mut set, phase| {
            set.insert(phase);
            set
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_as_it_is_written() {
        Phase::check_table();
        Command::check_table();
        Status::check_table();
        ActionStatus::check_table();
    }
}
