//! An update agent: installs nothing, but keeps to the protocol in all it says.
//!
//!     cargo run --example agent -- --domain containers --broker localhost:1883
//!
//! Its inventory is kept in memory. Flags make it slow, failing or silent.

use std::thread::sleep;
use std::time::{Duration, Instant};

use argh::FromArgs;
use serde_json::{json, Value};

use activity::{Activity, Component, Progress};
use link::envelope::{envelope, list, now_ms, text, topic};
use link::Client;

mod activity;
#[path = "../../tests/link/mod.rs"]
mod link;

/// An update agent that keeps its inventory in memory.
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
    /// print nothing
    #[argh(switch)]
    quiet: bool,
}

struct Agent {
    flags: Flags,
    client: Client,
    installed: Vec<Component>,
    activity: Option<Activity>,
    /// When the running command has its next progress.
    due: Option<Instant>,
}

fn main() -> std::io::Result<()> {
    let flags: Flags = argh::from_env();
    let client = Client::connect(&flags.broker, &format!("agent-{}-{}", flags.domain, std::process::id()))?;
    let mut agent = Agent { flags, client, installed: Vec::new(), activity: None, due: None };
    agent.serve()
}

impl Agent {
    fn serve(&mut self) -> std::io::Result<()> {
        let topics = ["desiredstate", "desiredstate/command", "currentstate/get"].map(|sub| self.topic(sub));
        self.client.subscribe(&topics)?;
        self.say("ready");
        let mut greeted = 0;
        loop {
            if greeted != self.client.connections() {
                greeted = self.client.connections();
                self.report_inventory(&format!("initial-current-state-{}", now_ms()));
            }
            let wait = self.due.map_or(Duration::from_secs(1), |due| due.saturating_duration_since(Instant::now()));
            if let Some((topic, payload)) = self.client.next(wait) {
                match serde_json::from_str::<Value>(&payload) {
                    Ok(message) => self.handle(&topic, &message),
                    Err(error) => self.say(&format!("ignored a message on {topic}: {error}")),
                }
            }
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.progress();
            }
        }
    }

    fn handle(&mut self, topic: &str, message: &Value) {
        let activity = text(message, "activityId");
        let payload = &message["payload"];
        match topic.split_once('/').map_or("", |(_, sub)| sub) {
            "desiredstate" => self.identify(activity, payload),
            "desiredstate/command" => self.command(activity, text(payload, "command"), text(payload, "baseline")),
            "currentstate/get" => self.report_inventory(activity),
            _ => {}
        }
    }

    /// Takes a desired state; it replaces a running one without a word.
    fn identify(&mut self, id: &str, desired: &Value) {
        self.say(&format!("desired state {id}"));
        self.due = None;
        self.activity = None;
        if self.flags.silent == "identify" {
            return;
        }
        if self.flags.fail == "identify" {
            let words = "identification fails, as it was told to";
            return self.feedback(id, json!({ "status": "IDENTIFICATION_FAILED", "message": words }));
        }
        self.feedback(id, json!({ "status": "IDENTIFYING" }));
        sleep(Duration::from_millis(self.flags.delay));
        let ours = list(desired, "domains").iter().find(|domain| text(domain, "id") == self.flags.domain);
        let wanted = ours.map_or(&[][..], |domain| list(domain, "components"));
        let wanted = wanted.iter().map(|component| (text(component, "id"), text(component, "version")));
        let mut activity = Activity::new(id, &self.flags.domain, wanted, &self.installed, list(desired, "baselines"));
        if let Some(count) = self.flags.actions {
            activity.resize(count);
        }
        if activity.actions.is_empty() {
            return self.feedback(id, json!({ "status": "COMPLETED" }));
        }
        self.feedback(id, json!({ "status": "IDENTIFIED", "actions": activity.show("") }));
        self.activity = Some(activity);
    }

    /// Starts a command; one of an activity that is not known is ignored.
    fn command(&mut self, id: &str, command: &str, baseline: &str) {
        let Some(activity) = self.activity.as_mut().filter(|activity| activity.id == id) else { return };
        let silent = self.flags.silent.eq_ignore_ascii_case(command);
        let fails = self.flags.fail.eq_ignore_ascii_case(command);
        self.due = None;
        if !silent {
            activity.start(command, baseline, fails);
            self.due = Some(Instant::now());
        }
        self.say(&format!("{command} {baseline}"));
    }

    /// Says how far the running command is, and goes on with it.
    fn progress(&mut self) {
        let Some(activity) = &mut self.activity else { return };
        let id = activity.id.clone();
        let progress = activity.advance();
        self.due = None;
        match progress {
            None => {}
            Some(Progress::Interim(payload)) => {
                self.due = Some(Instant::now() + Duration::from_millis(self.flags.delay));
                self.feedback(&id, payload);
            }
            Some(Progress::Answer(payload)) => self.feedback(&id, payload),
            Some(Progress::End(payload, last)) => {
                if let Some(Activity { actions, activated: true, .. }) = self.activity.take() {
                    self.installed = actions.into_iter().filter(|a| !a.removes).map(|a| a.component).collect();
                }
                self.feedback(&id, payload);
                self.feedback(&id, last);
            }
        }
    }

    fn report_inventory(&mut self, id: &str) {
        let domain = &self.flags.domain;
        let root = format!("{domain}-update-agent");
        let hardware = format!("{domain}-host");
        let mut nodes = vec![json!({
            "id": root, "version": "1.0.0", "name": format!("Update agent for {domain}"), "type": "APPLICATION",
            "parameters": [{ "key": "domain", "value": domain }],
        })];
        let mut associations = vec![json!({ "sourceId": root, "targetId": hardware })];
        for component in &self.installed {
            let id = format!("{domain}:{}", component.id);
            associations.push(json!({ "sourceId": root, "targetId": id }));
            nodes.push(json!({ "id": id, "version": component.version, "type": "CONTAINER" }));
        }
        let payload = json!({
            "hardwareNodes": [{ "id": hardware, "version": "1", "name": "What it runs on", "addressable": true }],
            "softwareNodes": nodes, "associations": associations,
        });
        let topic = self.topic("currentstate");
        self.client.publish(&topic, &envelope(id, payload), false);
    }

    fn feedback(&mut self, id: &str, payload: Value) {
        self.say(text(&payload, "status"));
        let topic = self.topic("desiredstatefeedback");
        self.client.publish(&topic, &envelope(id, payload), false);
    }

    fn topic(&self, sub: &str) -> String {
        topic(&self.flags.domain, sub)
    }

    fn say(&self, words: &str) {
        if !self.flags.quiet {
            println!("[{}] {words}", self.flags.domain);
        }
    }
}
