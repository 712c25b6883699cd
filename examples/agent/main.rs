//! An update agent: installs nothing, but keeps to the protocol in all it says.
//!
//!     cargo run --features agent --example agent -- --domain containers --broker localhost:1883
//!
//! What it has and does is kept in memory, or over a restart in a file. Flags make
//! it slow, failing or silent.

use std::error::Error;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use argh::FromArgs;
use update_manager::agent::{Action, Agent, Command, DesiredState, HardwareNode, Inventory, PublishError};
use update_manager::agent::{Request, SoftwareNode, Status};
use update_manager::wire::status::{command_name, status_name};

use activity::{Activity, Installed, Progress, Then};

mod activity;
mod memory;

/// An update agent that installs nothing.
#[derive(FromArgs)]
struct Flags {
    /// the domain that it serves (default: containers)
    #[argh(option, default = "String::from(\"containers\")")]
    domain: String,
    /// the broker's address (default: localhost:1883)
    #[argh(option, default = "String::from(\"localhost:1883\")")]
    broker: String,
    /// how many actions it identifies (default: one per component that changes or stays)
    #[argh(option)]
    actions: Option<usize>,
    /// milliseconds that a quarter of a component's progress takes (default: 0)
    #[argh(option, default = "0")]
    delay: u64,
    /// the phase that it fails: identify, download, update, activate or cleanup
    #[argh(option, default = "String::new()")]
    fail: String,
    /// the phase in which it says nothing
    #[argh(option, default = "String::new()")]
    silent: String,
    /// the file in which it remembers its activity over a restart (default: it forgets)
    #[argh(option)]
    state: Option<PathBuf>,
    /// print nothing
    #[argh(switch)]
    quiet: bool,
}

struct Example {
    flags: Flags,
    agent: Agent,
    installed: Vec<Installed>,
    activity: Option<Activity>,
    /// When the running command has its next progress.
    due: Option<Instant>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags: Flags = argh::from_env();
    let agent = Agent::connect(&flags.domain, &flags.broker)?;
    let (installed, mut activity) = flags.state.as_deref().map(memory::load).unwrap_or_default();
    let unanswered = activity.as_ref().and_then(|activity| activity.running());
    let unanswered = unanswered.map(|(command, baseline)| (command, baseline.to_owned()));
    let mut due = None;
    if let (Some(activity), Some((command, baseline))) = (&mut activity, unanswered) {
        activity.start(command, baseline, flags.fail.eq_ignore_ascii_case(command_name(command)));
        due = Some(Instant::now());
    }
    let mut example = Example { flags, agent, installed, activity, due };
    loop {
        example.serve()?;
    }
}

impl Example {
    fn serve(&mut self) -> Result<(), PublishError> {
        let wait = self.due.map_or(Duration::from_secs(1), |due| due.saturating_duration_since(Instant::now()));
        match self.agent.next(wait) {
            Some(Request::DesiredState { activity, desired }) => self.identify(activity, desired)?,
            Some(Request::Command { activity, command, baseline }) => self.start(&activity, command, baseline),
            Some(Request::CurrentStateGet { activity }) => self.report_inventory(&activity)?,
            Some(Request::Malformed { activity, is_desired_state, error }) => {
                self.say(&format!("skipped: {error}"));
                if is_desired_state {
                    self.feedback(&activity, Status::IdentificationFailed, &error, &[])?;
                }
            }
            None => {}
        }
        match self.due {
            Some(due) if due <= Instant::now() => {
                self.progress()?;
                // Only now: what was not said yet is said after a restart.
                self.remember();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes a desired state; it replaces a running one without a word.
    fn identify(&mut self, id: String, desired: DesiredState) -> Result<(), PublishError> {
        self.say(&format!("desired state {id}"));
        self.due = None;
        self.activity = None;
        if self.flags.silent == "identify" {
            return Ok(());
        }
        if self.flags.fail == "identify" {
            return self.feedback(&id, Status::IdentificationFailed, "it fails, as it was told to", &[]);
        }
        self.feedback(&id, Status::Identifying, "", &[])?;
        sleep(Duration::from_millis(self.flags.delay));
        let mut activity = Activity::new(id, desired, &self.installed);
        if let Some(count) = self.flags.actions {
            activity.resize(count);
        }
        let actions = activity.actions();
        if actions.is_empty() {
            return self.feedback(&activity.id, Status::Completed, "", &[]);
        }
        let id = activity.id.clone();
        self.activity = Some(activity);
        self.remember();
        self.feedback(&id, Status::Identified, "", &actions)
    }

    /// Starts a command; one of an activity that is not known is ignored.
    fn start(&mut self, id: &str, command: Command, baseline: String) {
        let name = command_name(command);
        self.say(&format!("{name} {baseline}"));
        let Some(activity) = self.activity.as_mut().filter(|activity| activity.id == id) else { return };
        let silent = self.flags.silent.eq_ignore_ascii_case(name);
        self.due = None;
        if !silent {
            activity.start(command, baseline, self.flags.fail.eq_ignore_ascii_case(name));
            self.due = Some(Instant::now());
        }
        self.remember();
    }

    /// Says how far the running command is, and goes on with it.
    fn progress(&mut self) -> Result<(), PublishError> {
        self.due = None;
        let Some(mut activity) = self.activity.take() else { return Ok(()) };
        let id = activity.id.clone();
        if let Some(Progress { status, message, actions, then }) = activity.advance() {
            self.feedback(&id, status, message, &actions)?;
            match then {
                Then::GoesOn => self.due = Some(Instant::now() + Duration::from_millis(self.flags.delay)),
                Then::IsAnswered => {}
                Then::Ends(status) => {
                    self.feedback(&id, status, "", &activity.actions())?;
                    self.installed = activity.installed().unwrap_or(std::mem::take(&mut self.installed));
                    return Ok(());
                }
            }
        }
        self.activity = Some(activity);
        Ok(())
    }

    fn remember(&self) {
        if let Some(path) = &self.flags.state {
            memory::save(path, &self.installed, self.activity.as_ref());
        }
    }

    fn report_inventory(&mut self, id: &str) -> Result<(), PublishError> {
        let domain = &self.flags.domain;
        let mut inventory = Inventory::new(domain, "1.0.0");
        inventory.add_hardware(HardwareNode {
            id: format!("{domain}-host"),
            version: "1".into(),
            name: "What it runs on".into(),
            addressable: true,
            ..HardwareNode::default()
        });
        for (id, version) in &self.installed {
            let (id, version) = (self.agent.node_id(id), version.clone());
            inventory.add_software(SoftwareNode { id, version, ..SoftwareNode::default() });
        }
        self.agent.inventory(id, &inventory)?;
        self.say("ready, inventory reported");
        Ok(())
    }

    fn feedback(&mut self, id: &str, status: Status, message: &str, actions: &[Action]) -> Result<(), PublishError> {
        self.say(status_name(status));
        self.agent.feedback(id, status, message, actions)
    }

    fn say(&self, words: &str) {
        if !self.flags.quiet {
            println!("[{}] {words}", self.flags.domain);
        }
    }
}
