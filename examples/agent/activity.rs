//! One activity of the agent: its actions, and how a command changes them.

use serde_json::{json, Value};

use crate::link::envelope::{list, text};

/// Something installed, or to be installed.
#[derive(Clone)]
pub struct Component {
    pub id: String,
    pub version: String,
}

/// The planned change of one component.
pub struct Action {
    pub component: Component,
    /// It is installed and no longer wanted.
    pub removes: bool,
    status: &'static str,
    percent: u8,
}

/// A desired state that is being applied.
pub struct Activity {
    pub id: String,
    pub actions: Vec<Action>,
    /// The last phase was a successful activation.
    pub activated: bool,
    domain: String,
    /// Titles, and the components that they name, as `domain:id`.
    baselines: Vec<(String, Vec<String>)>,
    running: Option<Running>,
    /// The last command that succeeded; empty if none did.
    reached: &'static str,
}

/// A command that is not yet answered.
#[derive(Clone)]
struct Running {
    phase: &'static Phase,
    baseline: String,
    fails: bool,
}

/// A command and the words of its answers.
struct Phase {
    command: &'static str,
    interim: &'static str,
    success: &'static str,
    failure: &'static str,
    /// Whether it works on the components one after the other.
    per_component: bool,
}

const fn phase(command: &'static str, [interim, success, failure]: [&'static str; 3], per_component: bool) -> Phase {
    Phase { command, interim, success, failure, per_component }
}

static PHASES: [Phase; 5] = [
    phase("DOWNLOAD", ["DOWNLOADING", "DOWNLOAD_SUCCESS", "DOWNLOAD_FAILURE"], true),
    phase("UPDATE", ["UPDATING", "UPDATE_SUCCESS", "UPDATE_FAILURE"], true),
    phase("ACTIVATE", ["ACTIVATING", "ACTIVATION_SUCCESS", "ACTIVATION_FAILURE"], true),
    phase("ROLLBACK", ["ROLLBACK", "ROLLBACK_SUCCESS", "ROLLBACK_FAILURE"], false),
    phase("CLEANUP", ["CLEANUP", "CLEANUP_SUCCESS", "CLEANUP_FAILURE"], false),
];

/// What is to be said next.
pub enum Progress {
    /// The command goes on.
    Interim(Value),
    /// It is answered.
    Answer(Value),
    /// It is answered, and with the second feedback the activity has ended.
    End(Value, Value),
}

impl Activity {
    /// Plans what makes `wanted` of `installed`.
    pub fn new<'a>(
        id: &str,
        domain: &str,
        wanted: impl Iterator<Item = (&'a str, &'a str)>,
        installed: &[Component],
        baselines: &[Value],
    ) -> Activity {
        let component = |(id, version): (&str, &str)| Component { id: id.into(), version: version.into() };
        let mut actions: Vec<Action> = wanted.map(|wanted| Action::new(component(wanted), false)).collect();
        for old in installed {
            if actions.iter().all(|action| action.component.id != old.id) {
                actions.push(Action::new(old.clone(), true));
            }
        }
        let names = |baseline: &Value| {
            let components = list(baseline, "components").iter().filter_map(Value::as_str);
            (text(baseline, "title").to_owned(), components.map(str::to_owned).collect())
        };
        let baselines = baselines.iter().map(names).collect();
        Activity {
            id: id.into(),
            actions,
            activated: false,
            domain: domain.into(),
            baselines,
            running: None,
            reached: "",
        }
    }

    /// Makes it `count` actions, the further ones with components of its own.
    pub fn resize(&mut self, count: usize) {
        for i in self.actions.len()..count {
            self.actions.push(Action::new(Component { id: format!("extra-{i}"), version: "1.0.0".into() }, false));
        }
        self.actions.truncate(count);
    }

    /// Starts a command for the baseline's components; an empty one means all.
    pub fn start(&mut self, command: &str, baseline: &str, fails: bool) {
        let Some(phase) = PHASES.iter().find(|phase| phase.command == command) else { return };
        // There is nothing to take back before the first download and after a rollback.
        let fails = fails || command == "ROLLBACK" && ["", "ROLLBACK"].contains(&self.reached);
        self.activated = self.activated && command == "CLEANUP";
        self.running = Some(Running { phase, baseline: baseline.into(), fails });
        for i in self.members(baseline).into_iter().filter(|_| phase.per_component) {
            self.actions[i].percent = 0;
        }
    }

    /// Goes on with the running command, by a quarter of a component.
    pub fn advance(&mut self) -> Option<Progress> {
        let running = self.running.take()?;
        let members = self.members(&running.baseline);
        let unfinished = members.into_iter().find(|&i| self.actions[i].percent < 100);
        match unfinished {
            Some(i) if running.phase.per_component && !self.actions[i].advance(&running) => {
                Some(self.answer(&running, false))
            }
            Some(i) if running.phase.per_component => {
                let changed =
                    json!({ "status": running.phase.interim, "actions": [self.actions[i].show(&self.domain)] });
                self.running = Some(running);
                Some(Progress::Interim(changed))
            }
            _ => Some(self.answer(&running, !running.fails)),
        }
    }

    fn answer(&mut self, running: &Running, success: bool) -> Progress {
        let Running { phase, baseline, .. } = running;
        let status = if success { phase.success } else { phase.failure };
        let mut feedback = json!({ "status": status, "actions": self.show(baseline) });
        if !success {
            feedback["message"] = format!("{} fails, as it was told to", phase.command).into();
        }
        if phase.command == "CLEANUP" {
            let end = if self.activated { "COMPLETED" } else { "INCOMPLETE" };
            return Progress::End(feedback, json!({ "status": end, "actions": self.show("") }));
        }
        self.activated = success && phase.command == "ACTIVATE";
        if success {
            self.reached = phase.command;
        }
        Progress::Answer(feedback)
    }

    /// The actions of a baseline as they are reported; an empty one means all.
    pub fn show(&self, baseline: &str) -> Vec<Value> {
        self.members(baseline).into_iter().map(|i| self.actions[i].show(&self.domain)).collect()
    }

    fn members(&self, baseline: &str) -> Vec<usize> {
        let named = self.baselines.iter().find(|(title, _)| title == baseline).map(|(_, components)| components);
        let is_member = |action: &Action| {
            let name = format!("{}:{}", self.domain, action.component.id);
            match named {
                Some(components) => components.contains(&name),
                // A component outside of all baselines is one of its own.
                None => baseline.is_empty() || baseline == name,
            }
        };
        (0..self.actions.len()).filter(|&i| is_member(&self.actions[i])).collect()
    }
}

impl Action {
    fn new(component: Component, removes: bool) -> Action {
        Action { component, removes, status: "IDENTIFIED", percent: 0 }
    }

    /// Whether it went well; one that is to fail does so half-way.
    fn advance(&mut self, running: &Running) -> bool {
        let &Phase { command, interim, success, failure, .. } = running.phase;
        let [working, done, failed] = match (self.removes, command) {
            (true, "UPDATE") => ["REMOVING", "REMOVAL_SUCCESS", "REMOVAL_FAILURE"],
            _ => [interim, success, failure],
        };
        if running.fails && self.percent >= 50 {
            self.status = failed;
            return false;
        }
        self.percent += 25;
        self.status = if self.percent < 100 { working } else { done };
        true
    }

    fn show(&self, domain: &str) -> Value {
        let component = json!({ "id": format!("{domain}:{}", self.component.id), "version": self.component.version });
        json!({ "component": component, "status": self.status, "progress": self.percent })
    }
}
