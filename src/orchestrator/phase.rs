//! The phases of an activity, the commands that start them, and the statuses
//! that are told of them (protocol.md, "Payloads").

/// A part of an activity that all domains go through together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Phase {
    /// Agents find out what they would do.
    Identify,
    /// Agents fetch what they need.
    Download,
    /// Agents install.
    Update,
    /// Agents put the new into use.
    Activate,
    /// Agents remove what is no longer needed.
    Cleanup,
}

/// What an agent is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Command {
    /// Starts [`Phase::Download`].
    Download,
    /// Starts [`Phase::Update`].
    Update,
    /// Starts [`Phase::Activate`].
    Activate,
    /// Undo what was done so far.
    Rollback,
    /// Starts [`Phase::Cleanup`]; also ends the part of a domain that failed.
    Cleanup,
}

/// Status of an activity, or of a phase, in a feedback.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)]
pub enum Status {
    Identifying,
    Identified,
    IdentificationFailed,
    Running,
    Completed,
    Incomplete,
    IncompleteInconsistent,
    Superseded,
    Downloading,
    DownloadSuccess,
    DownloadFailure,
    Updating,
    UpdateSuccess,
    UpdateFailure,
    Activating,
    ActivationSuccess,
    ActivationFailure,
    Rollback,
    RollbackSuccess,
    RollbackFailure,
    Cleanup,
    CleanupSuccess,
    CleanupFailure,
    /// One that this program does not know.
    Unknown,
}

/// Status of an action in a feedback.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)]
pub enum ActionStatus {
    Identified,
    Downloading,
    DownloadSuccess,
    DownloadFailure,
    Updating,
    UpdateSuccess,
    UpdateFailure,
    Removing,
    RemovalSuccess,
    RemovalFailure,
    Activating,
    ActivationSuccess,
    ActivationFailure,
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
        match self {
            Phase::Identify => Status::Identified,
            Phase::Download => Status::DownloadSuccess,
            Phase::Update => Status::UpdateSuccess,
            Phase::Activate => Status::ActivationSuccess,
            Phase::Cleanup => Status::CleanupSuccess,
        }
    }
}

impl Status {
    /// All there are, in the order of their declaration.
    pub const ALL: [Status; 24] = [
        Status::Identifying,
        Status::Identified,
        Status::IdentificationFailed,
        Status::Running,
        Status::Completed,
        Status::Incomplete,
        Status::IncompleteInconsistent,
        Status::Superseded,
        Status::Downloading,
        Status::DownloadSuccess,
        Status::DownloadFailure,
        Status::Updating,
        Status::UpdateSuccess,
        Status::UpdateFailure,
        Status::Activating,
        Status::ActivationSuccess,
        Status::ActivationFailure,
        Status::Rollback,
        Status::RollbackSuccess,
        Status::RollbackFailure,
        Status::Cleanup,
        Status::CleanupSuccess,
        Status::CleanupFailure,
        Status::Unknown,
    ];

    /// Whether it ends in `_FAILURE` or `_FAILED`.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Status::IdentificationFailed
                | Status::DownloadFailure
                | Status::UpdateFailure
                | Status::ActivationFailure
                | Status::RollbackFailure
                | Status::CleanupFailure
        )
    }
}

impl Status {
    /// The phase that it names; none of a rollback, a clean-up, or the whole activity.
    pub fn phase(self) -> Option<Phase> {
        match self {
            Status::Identifying | Status::Identified | Status::IdentificationFailed => Some(Phase::Identify),
            Status::Downloading | Status::DownloadSuccess | Status::DownloadFailure => Some(Phase::Download),
            Status::Updating | Status::UpdateSuccess | Status::UpdateFailure => Some(Phase::Update),
            Status::Activating | Status::ActivationSuccess | Status::ActivationFailure => Some(Phase::Activate),
            _ => None,
        }
    }

    /// What it answers if it is a success or a failure, `Some(None)` for the desired
    /// state; none if it names no phase.
    pub fn answers(self) -> Option<Option<Command>> {
        match self {
            Status::Rollback | Status::RollbackSuccess | Status::RollbackFailure => Some(Some(Command::Rollback)),
            Status::Cleanup | Status::CleanupSuccess | Status::CleanupFailure => Some(Some(Command::Cleanup)),
            _ => self.phase().map(Phase::command),
        }
    }
}

/// A set of phases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PhaseSet(u8);

impl PhaseSet {
    /// No phase.
    pub const NONE: PhaseSet = PhaseSet(0);

    /// Adds `phase`.
    pub fn insert(&mut self, phase: Phase) {
        self.0 |= 1 << phase as u8;
    }

    /// Whether `phase` is in it.
    pub fn contains(self, phase: Phase) -> bool {
        self.0 & (1 << phase as u8) != 0
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
