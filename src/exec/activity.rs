//! What an activity is in a domain that a program serves, what is done about it, and
//! what is said of it.

use super::plan::{self, Change, Installed, Planned};
use crate::agent::{Action, ActionStatus, Command, DesiredState, Status};

/// What the program is called for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// What is installed, because somebody wants to know.
    Inventory,
    /// The same, to compare it with what is wanted.
    Look,
    /// Whether the plan can be followed.
    Identify,
    /// What a command asks for.
    Phase(Command),
    /// What was begun and not activated is undone, before it is cleaned up.
    Undo,
    /// The same for an activity that another one takes the place of.
    SettleUndo,
    /// The clean-up of such an activity.
    SettleCleanup,
}

impl Step {
    /// The command that the program gets.
    pub fn word(self) -> &'static str {
        match self {
            Step::Inventory | Step::Look => "inventory",
            Step::Identify => "identify",
            Step::Phase(Command::Download) => "download",
            Step::Phase(Command::Update) => "update",
            Step::Phase(Command::Activate) => "activate",
            Step::Phase(Command::Rollback) | Step::Undo | Step::SettleUndo => "rollback",
            Step::Phase(Command::Cleanup) | Step::SettleCleanup => "cleanup",
        }
    }
}

/// How a call of the program has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is not a command of the program's.
    NotMine,
    /// It has failed, with these words.
    Failed(String),
}

/// A desired state that is being applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activity {
    /// Its identifier.
    pub id: String,
    /// What is wanted.
    pub desired: DesiredState,
    /// What has to change.
    pub plan: Vec<Planned>,
    /// All is fetched.
    pub is_downloaded: bool,
    /// The update was begun, and not rolled back.
    pub is_begun: bool,
    /// The update succeeded.
    pub is_updated: bool,
    /// The activation succeeded.
    pub is_activated: bool,
    /// The program knows none of the commands so far that change anything.
    pub is_untouched: bool,
    /// The command that is not answered yet.
    pub running: Option<Command>,
    /// The last answer: to which command, whether it is a success, and its words.
    pub last: Option<(Command, bool, String)>,
    /// The words of the first failure; may be empty.
    pub failure: String,
}

impl Activity {
    /// The plan was saved without its statuses: each change has that of the last command that
    /// was done well, so that one that has activated all says so.
    pub(super) fn recall_statuses(&mut self) {
        let done = [(Command::Activate, self.is_activated), (Command::Update, self.is_updated)];
        let done = done.into_iter().chain([(Command::Download, self.is_downloaded)]).find(|(_, is_done)| *is_done);
        let Some((command, _)) = done.filter(|_| !matches!(self.last, Some((Command::Rollback, ..)))) else { return };
        for planned in self.plan.iter_mut().filter(|planned| planned.change != Change::Keep) {
            if let Some([_, success, _]) = of_change(command, planned.change) {
                (planned.action.status, planned.action.progress) = (success, 100);
            }
        }
    }
}

/// How the last activity has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// Its identifier.
    pub id: String,
    /// `COMPLETED` or `INCOMPLETE`.
    pub status: Status,
    /// Why, if it is not `COMPLETED`.
    pub message: String,
}

/// What is to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// How far an activity is.
    Feedback {
        /// The activity.
        activity: String,
        /// Its status, or its phase's.
        status: Status,
        /// In words; may be empty.
        message: String,
        /// The actions, all of them.
        actions: Vec<Action>,
    },
    /// What is installed, with the activity that asks.
    Inventory(String, Vec<Installed>),
}

/// What is to be done, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Call the program.
    Run(Step),
    /// End the program with all that it started; nothing of it is of interest.
    Kill,
    /// Save the activity and the end, before anything that follows.
    Save,
    /// Save what is installed, likewise.
    SaveInstalled,
    /// Say it.
    Say(Said),
}

/// A report.
pub(super) fn feedback(activity: &str, status: Status, message: &str, actions: Vec<Action>) -> Said {
    Said::Feedback { activity: activity.to_owned(), status, message: message.to_owned(), actions }
}

/// The same, to be made.
pub(super) fn say(activity: &str, status: Status, message: &str, actions: Vec<Action>) -> Effect {
    Effect::Say(feedback(activity, status, message, actions))
}

/// What is reported of a plan.
pub(super) fn actions(plan: &[Planned]) -> Vec<Action> {
    plan.iter().filter(plan::is_change).map(|planned| planned.action.clone()).collect()
}

/// That a component of it goes on, succeeded, failed; none if the command is not about components.
fn of_actions(command: Command) -> Option<[ActionStatus; 3]> {
    use ActionStatus::*;
    match command {
        Command::Download => Some([Downloading, DownloadSuccess, DownloadFailure]),
        Command::Update => Some([Updating, UpdateSuccess, UpdateFailure]),
        Command::Activate => Some([Activating, ActivationSuccess, ActivationFailure]),
        Command::Rollback | Command::Cleanup => None,
    }
}

/// The same of a component as it changes.
pub(super) fn of_change(command: Command, change: Change) -> Option<[ActionStatus; 3]> {
    match (command, change) {
        (Command::Update, Change::Remove) => {
            Some([ActionStatus::Removing, ActionStatus::RemovalSuccess, ActionStatus::RemovalFailure])
        }
        _ => of_actions(command),
    }
}
