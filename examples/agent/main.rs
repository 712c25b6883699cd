//! An update agent: installs nothing, but keeps to the protocol in all it says.
//!
//!     cargo run --features agent --example agent -- --domain containers --broker localhost:1883
//!
//! What it has and does is kept in memory, or over a restart in a file. Flags make
//! it slow, failing or silent, and let it behave like one of four kinds of agents.

use std::error::Error;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use argh::FromArgs;
use log::LevelFilter;
use update_manager::agent::{Action, Agent, Command, DesiredState, HardwareNode, Inventory, PublishError};
use update_manager::agent::{Request, SoftwareNode, Status};
use update_manager::logging::{self, Settings};

use activity::{Activity, Progress, Then};
use memory::Memory;
use slots::{Boots, Slots};
use strict::{is_hello, refusal, Like, Waiting};

mod activity;
mod memory;
mod slots;
mod strict;

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
    /// the kind of agent: tolerant (remembers, needs --state), forgetful (remembers nothing),
    /// strict (the same, and takes each command once, in order) or silent (the same, and
    /// reports nothing on the way); default: tolerant with --state, else forgetful
    #[argh(option)]
    like: Option<Like>,
    /// milliseconds that pass before it reports anything about a command (default: 0)
    #[argh(option, default = "0")]
    busy: u64,
    /// the only phase that is busy: download, update, activate, rollback or cleanup (default: all)
    #[argh(option, default = "String::new()")]
    busy_in: String,
    /// what the host boots after ACTIVATE, if that takes effect with a boot of the host: new, or
    /// old, where it falls back (needs --state)
    #[argh(option)]
    boots: Option<Boots>,
    /// print nothing
    #[argh(switch)]
    quiet: bool,
}

struct Example {
    flags: Flags,
    like: Like,
    agent: Agent,
    memory: Memory,
    /// When the running command has its next progress.
    due: Option<Instant>,
    /// The last status that it answered with, for a strict one.
    reached: Status,
    waiting: Waiting,
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags: Flags = argh::from_env();
    let like = flags.like.unwrap_or(if flags.state.is_some() { Like::Tolerant } else { Like::Forgetful });
    if flags.state.is_some() != (like == Like::Tolerant) {
        return Err("--state is needed by a tolerant agent, and by no other".into());
    }
    if flags.boots.is_some() && flags.state.is_none() {
        return Err("--boots needs --state".into());
    }
    if !flags.quiet {
        // What keeps it from the broker is told in the log alone.
        let (level, file) = (LevelFilter::Warn, String::new());
        logging::start(&Settings { level, file, file_size_mb: 0, file_count: 0, file_max_age_days: 0 });
    }
    let agent = Agent::connect(&flags.domain, &flags.broker)?;
    let mut memory = flags.state.as_deref().map(memory::load).unwrap_or_default();
    memory.slots = flags.boots.map(|boots| Slots::load(memory.slots.take(), &memory.installed, boots));
    let unanswered = memory.activity.as_ref().and_then(|activity| activity.running());
    let unanswered = unanswered.map(|(command, baseline)| (command, baseline.to_owned()));
    let mut due = None;
    if let (Some(activity), Some((command, baseline))) = (&mut memory.activity, unanswered) {
        activity.start(command, baseline, flags.fail.eq_ignore_ascii_case(command.name()));
        due = Some(Instant::now());
    }
    let (reached, waiting) = (Status::Identified, Waiting::default());
    let mut example = Example { flags, like, agent, memory, due, reached, waiting };
    loop {
        example.serve()?;
    }
}

impl Example {
    fn serve(&mut self) -> Result<(), PublishError> {
        let wait = self.due.map_or(Duration::from_secs(1), |due| due.saturating_duration_since(Instant::now()));
        if let Some(request) = self.agent.next(wait) {
            match self.is_occupied() && !is_hello(&request) {
                true => self.waiting.push(request),
                false => self.take(request)?,
            }
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.progress()?;
            // Only now: what was not said yet is said after a restart.
            self.remember();
        }
        while !self.is_occupied() {
            let Some(request) = self.waiting.pop() else { break };
            self.take(request)?;
        }
        Ok(())
    }

    /// Whether a command is under way, and the agent does one thing at a time.
    fn is_occupied(&self) -> bool {
        self.like.is_strict() && self.due.is_some()
    }

    fn take(&mut self, request: Request) -> Result<(), PublishError> {
        match request {
            Request::DesiredState { activity, desired } => self.identify(activity, desired),
            Request::Command { activity, command, baseline } => self.start(&activity, command, baseline),
            Request::CurrentStateGet { activity } => self.report_inventory(&activity),
            Request::Malformed { activity, is_desired_state, error } => {
                self.say(&format!("skipped: {error}"));
                match is_desired_state {
                    true => self.feedback(&activity, Status::IdentificationFailed, &error, &[]),
                    false => Ok(()),
                }
            }
        }
    }

    /// Takes a desired state; it replaces a running one without a word, unless that is
    /// activated and takes effect with a boot.
    fn identify(&mut self, id: String, desired: DesiredState) -> Result<(), PublishError> {
        self.say(&format!("desired state {id}"));
        let known = self.memory.activity.as_ref().filter(|activity| activity.id == id && activity.activated);
        if let Some(actions) = known.filter(|_| self.memory.slots.is_some()).map(Activity::actions) {
            return self.feedback(&id, Status::Identified, "", &actions);
        }
        self.due = None;
        self.memory.activity = None;
        if self.flags.silent == "identify" {
            return Ok(());
        }
        if self.flags.fail == "identify" {
            return self.feedback(&id, Status::IdentificationFailed, "it fails, as it was told to", &[]);
        }
        self.feedback(&id, Status::Identifying, "", &[])?;
        sleep(Duration::from_millis(self.flags.delay));
        let mut activity = Activity::new(id, desired, &self.memory.installed);
        if let Some(count) = self.flags.actions {
            activity.resize(count);
        }
        let actions = activity.actions();
        if actions.is_empty() {
            return self.feedback(&activity.id, Status::Completed, "", &[]);
        }
        let id = activity.id.clone();
        self.memory.activity = Some(activity);
        self.reached = Status::Identified;
        self.remember();
        self.feedback(&id, Status::Identified, "", &actions)
    }

    /// Starts a command; one of an activity that is not known is ignored.
    fn start(&mut self, id: &str, command: Command, baseline: String) -> Result<(), PublishError> {
        let name = command.name();
        self.say(&format!("{name} {baseline}"));
        let Some(activity) = self.memory.activity.as_mut().filter(|activity| activity.id == id) else { return Ok(()) };
        if self.flags.silent.eq_ignore_ascii_case(name) {
            self.due = None;
            self.remember();
            return Ok(());
        }
        if self.like.is_strict() {
            if let Some((status, message)) = refusal(command, self.reached) {
                let actions = activity.actions();
                return self.feedback(id, status, &message, &actions);
            }
        }
        activity.start(command, baseline, self.flags.fail.eq_ignore_ascii_case(name));
        if let Some(slots) = &mut self.memory.slots {
            slots.begin(command, activity, &self.memory.installed);
        }
        let is_busy = self.flags.busy_in.is_empty() || self.flags.busy_in.eq_ignore_ascii_case(name);
        let busy = Duration::from_millis(if is_busy { self.flags.busy } else { 0 });
        self.due = Some(Instant::now() + busy);
        self.remember();
        Ok(())
    }

    /// Says how far the running command is, and goes on with it.
    fn progress(&mut self) -> Result<(), PublishError> {
        self.due = None;
        let Some(mut activity) = self.memory.activity.take() else { return Ok(()) };
        let id = activity.id.clone();
        if let Some(Progress { status, message, actions, then }) = activity.advance() {
            let goes_on = matches!(then, Then::GoesOn);
            if !goes_on || self.like != Like::Silent {
                self.feedback(&id, status, message, &actions)?;
            }
            if !goes_on {
                self.reached = status;
            }
            match then {
                Then::GoesOn => self.due = Some(Instant::now() + Duration::from_millis(self.flags.delay)),
                Then::IsAnswered => {}
                Then::Ends(status) => {
                    self.feedback(&id, status, "", &activity.actions())?;
                    self.memory.end(&activity);
                    return Ok(());
                }
            }
        }
        self.memory.activity = Some(activity);
        Ok(())
    }

    fn remember(&self) {
        if let Some(path) = &self.flags.state {
            memory::save(path, &self.memory);
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
        for (id, version) in self.memory.in_use() {
            let (id, version) = (self.agent.node_id(id), version.clone());
            inventory.add_software(SoftwareNode { id, version, ..SoftwareNode::default() });
        }
        self.agent.inventory(id, &inventory)?;
        self.say("ready, inventory reported");
        Ok(())
    }

    fn feedback(&mut self, id: &str, status: Status, message: &str, actions: &[Action]) -> Result<(), PublishError> {
        self.say(status.name());
        self.agent.feedback(id, status, message, actions)
    }

    fn say(&self, words: &str) {
        if !self.flags.quiet {
            println!("[{}] {words}", self.flags.domain);
        }
    }
}
