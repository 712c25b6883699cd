//! One activity of the agent: its actions, and how a command changes them.

use update_manager::agent::{Action, ActionStatus, Baseline, Command, DesiredState, Status};

/// Something installed: identifier and version.
pub type Installed = (String, String);

/// A desired state that is being applied.
pub struct Activity {
    pub id: String,
    pub planned: Vec<Planned>,
    pub baselines: Vec<Baseline>,
    pub running: Option<Running>,
    /// The last command that succeeded.
    pub reached: Option<Command>,
    /// The last phase was a successful activation.
    pub activated: bool,
}

/// The planned change of one component.
pub struct Planned {
    pub action: Action,
    /// It is installed and no longer wanted.
    pub removes: bool,
}

/// A command that is not yet answered.
pub struct Running {
    phase: &'static Phase,
    baseline: String,
    fails: bool,
}

/// A command, and the statuses that tell that it goes on, succeeded, failed.
struct Phase {
    command: Command,
    statuses: [Status; 3],
    /// The same for each component, if it works on them one after the other.
    of_actions: Option<[ActionStatus; 3]>,
}

const REMOVAL: [ActionStatus; 3] = [ActionStatus::Removing, ActionStatus::RemovalSuccess, ActionStatus::RemovalFailure];

static PHASES: [Phase; 5] = [
    Phase {
        command: Command::Download,
        statuses: [Status::Downloading, Status::DownloadSuccess, Status::DownloadFailure],
        of_actions: Some([ActionStatus::Downloading, ActionStatus::DownloadSuccess, ActionStatus::DownloadFailure]),
    },
    Phase {
        command: Command::Update,
        statuses: [Status::Updating, Status::UpdateSuccess, Status::UpdateFailure],
        of_actions: Some([ActionStatus::Updating, ActionStatus::UpdateSuccess, ActionStatus::UpdateFailure]),
    },
    Phase {
        command: Command::Activate,
        statuses: [Status::Activating, Status::ActivationSuccess, Status::ActivationFailure],
        of_actions: Some([ActionStatus::Activating, ActionStatus::ActivationSuccess, ActionStatus::ActivationFailure]),
    },
    Phase {
        command: Command::Rollback,
        statuses: [Status::Rollback, Status::RollbackSuccess, Status::RollbackFailure],
        of_actions: None,
    },
    Phase {
        command: Command::Cleanup,
        statuses: [Status::Cleanup, Status::CleanupSuccess, Status::CleanupFailure],
        of_actions: None,
    },
];

/// What is to be said next.
pub struct Progress {
    pub status: Status,
    pub message: &'static str,
    pub actions: Vec<Action>,
    /// Whether the command goes on, is answered, or has ended the activity with this.
    pub then: Then,
}

pub enum Then {
    GoesOn,
    IsAnswered,
    Ends(Status),
}

impl Activity {
    /// Plans what makes `desired` of `installed`.
    pub fn new(id: String, desired: DesiredState, installed: &[Installed]) -> Activity {
        let planned = |id: &str, version: &str, removes| Planned { action: Action::new(id, version), removes };
        let wanted = desired.components.iter();
        let mut all: Vec<Planned> = wanted.map(|wanted| planned(&wanted.id, &wanted.version, false)).collect();
        for (id, version) in installed {
            if all.iter().all(|other| other.action.id != *id) {
                all.push(planned(id, version, true));
            }
        }
        Activity { id, planned: all, baselines: desired.baselines, running: None, reached: None, activated: false }
    }

    /// Makes it `count` actions, the further ones with components of its own.
    pub fn resize(&mut self, count: usize) {
        for i in self.planned.len()..count {
            self.planned.push(Planned { action: Action::new(format!("extra-{i}"), "1.0.0"), removes: false });
        }
        self.planned.truncate(count);
    }

    /// Its actions as they are reported.
    pub fn actions(&self) -> Vec<Action> {
        self.planned.iter().map(|planned| planned.action.clone()).collect()
    }

    /// What is installed once it is activated.
    pub fn wanted(&self) -> Vec<Installed> {
        let stays = self.planned.iter().filter(|planned| !planned.removes).map(|planned| &planned.action);
        stays.map(|action| (action.id.clone(), action.version.clone())).collect()
    }

    /// Starts a command for the baseline's components; an empty one means all.
    pub fn start(&mut self, command: Command, baseline: String, fails: bool) {
        let Some(phase) = PHASES.iter().find(|phase| phase.command == command) else { return };
        // There is nothing to take back before the first download and after a rollback.
        let fails = fails || command == Command::Rollback && matches!(self.reached, None | Some(Command::Rollback));
        self.activated = self.activated && command == Command::Cleanup;
        for i in self.members(&baseline).into_iter().filter(|_| phase.of_actions.is_some()) {
            self.planned[i].action.progress = 0;
        }
        self.running = Some(Running { phase, baseline, fails });
    }

    /// The command that is not yet answered, and its baseline.
    pub fn running(&self) -> Option<(Command, &str)> {
        self.running.as_ref().map(|running| (running.phase.command, running.baseline.as_str()))
    }

    /// Goes on with the running command, by a quarter of a component.
    pub fn advance(&mut self) -> Option<Progress> {
        let running = self.running.take()?;
        let Some(of_actions) = running.phase.of_actions else { return Some(self.answer(&running, !running.fails)) };
        let members = self.members(&running.baseline);
        match members.into_iter().find(|&i| self.planned[i].action.progress < 100) {
            None => Some(self.answer(&running, !running.fails)),
            Some(i) if !self.planned[i].advance(&running, of_actions) => Some(self.answer(&running, false)),
            Some(i) => {
                let actions = vec![self.planned[i].action.clone()];
                let status = running.phase.statuses[0];
                self.running = Some(running);
                Some(Progress { status, message: "", actions, then: Then::GoesOn })
            }
        }
    }

    fn answer(&mut self, running: &Running, success: bool) -> Progress {
        let Phase { command, statuses: [_, succeeded, failed], .. } = *running.phase;
        let actions = self.members(&running.baseline).into_iter().map(|i| self.planned[i].action.clone()).collect();
        let (status, message) = if success { (succeeded, "") } else { (failed, "it fails, as it was told to") };
        if command == Command::Cleanup {
            let end = if self.activated { Status::Completed } else { Status::Incomplete };
            return Progress { status, message, actions, then: Then::Ends(end) };
        }
        self.activated = success && command == Command::Activate;
        if success {
            self.reached = Some(command);
        }
        Progress { status, message, actions, then: Then::IsAnswered }
    }

    /// The places of a baseline's actions; an empty one means all.
    fn members(&self, baseline: &str) -> Vec<usize> {
        let named = self.baselines.iter().find(|named| named.title == baseline);
        let is_member = |id: &String| match named {
            Some(named) => named.components.contains(id),
            // A component outside of all baselines is one of its own.
            None => baseline.is_empty() || baseline.split_once(':').is_some_and(|(_, name)| name == id),
        };
        (0..self.planned.len()).filter(|&i| is_member(&self.planned[i].action.id)).collect()
    }
}

impl Planned {
    /// Whether it went well; one that is to fail does so half-way.
    fn advance(&mut self, running: &Running, of_actions: [ActionStatus; 3]) -> bool {
        let [working, done, failed] = match (self.removes, running.phase.command) {
            (true, Command::Update) => REMOVAL,
            _ => of_actions,
        };
        if running.fails && self.action.progress >= 50 {
            self.action.status = failed;
            return false;
        }
        self.action.progress += 25;
        self.action.status = if self.action.progress < 100 { working } else { done };
        true
    }
}
