//! All whom the manager talks to, played by one client: the backend and the
//! agents. Whatever the manager says is recorded, in the broker's order.

use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::link::envelope::{envelope, list, text, topic};
use crate::link::Client;
use update_manager::agent::{connection, Connection};

/// How long anything the manager owes is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const FEEDBACK: &str = "deviceupdate/desiredstatefeedback";
pub const STATE: &str = "deviceupdate/currentstate";
const FINAL: [&str; 3] = ["COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED"];

/// Something the manager said.
#[derive(Clone, Debug)]
pub struct Said {
    pub topic: String,
    pub raw: String,
    pub json: Value,
}

impl Said {
    pub fn activity(&self) -> &str {
        text(&self.json, "activityId")
    }

    pub fn payload(&self) -> &Value {
        &self.json["payload"]
    }

    pub fn status(&self) -> &str {
        text(self.payload(), "status")
    }

    pub fn message(&self) -> &str {
        text(self.payload(), "message")
    }

    /// What it asks of an agent: a command, or the name of its topic.
    pub fn trigger(&self) -> &str {
        match self.sub() {
            "desiredstate/command" => text(self.payload(), "command"),
            sub => sub,
        }
    }

    /// The topic past its first level.
    pub fn sub(&self) -> &str {
        self.topic.split_once('/').map_or("", |(_, sub)| sub)
    }

    pub fn is_state_of(&self, activity: &str) -> bool {
        self.topic == STATE && self.activity() == activity
    }

    pub fn is_final_of(&self, activity: &str) -> bool {
        self.topic == FEEDBACK && self.activity() == activity && FINAL.contains(&self.status())
    }
}

/// An agent that answers at once and well.
struct Agent {
    domain: String,
    /// Actions of its running activity, as they are reported.
    components: Vec<Value>,
}

pub struct Peers {
    client: Client,
    agents: Vec<Agent>,
    pub said: Vec<Said>,
    /// What is not answered until `release`: a command, or a topic's last part.
    held: String,
    owed: Vec<Said>,
    probes: u32,
}

impl Peers {
    /// Peers that have everything subscribed. The broker keeps their session,
    /// so they miss nothing over its restart.
    pub fn connect(broker: &str, domains: &[&str]) -> Peers {
        let connection = connection(broker).unwrap();
        Peers::connect_as(Connection { client_id: "peers".into(), clean_session: Some(false), ..connection }, domains)
    }

    /// The same over another connection.
    pub fn connect_as(connection: Connection, domains: &[&str]) -> Peers {
        let mut client = Client::connect_with(connection).unwrap();
        client.subscribe(&[FEEDBACK, STATE]).unwrap();
        for domain in domains {
            let topics = ["desiredstate", "desiredstate/command", "currentstate/get"].map(|sub| topic(domain, sub));
            client.subscribe(&topics).unwrap();
        }
        let agents = domains.iter().map(|&d| Agent { domain: d.to_owned(), components: Vec::new() }).collect();
        Peers { client, agents, said: Vec::new(), held: String::new(), owed: Vec::new(), probes: 0 }
    }

    /// Publishes as whoever may.
    pub fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        self.client.publish(topic, payload, retain);
    }

    /// Waits until the broker has all that was published.
    pub fn flush(&mut self) {
        self.client.flush(PATIENCE).unwrap();
    }

    /// As the backend: applies a desired state.
    pub fn apply(&mut self, activity: &str, desired: Value) {
        self.publish("deviceupdate/desiredstate", &envelope(activity, desired), false);
    }

    /// From here on the agents leave this unanswered.
    pub fn hold(&mut self, trigger: &str) {
        self.held = trigger.to_owned();
    }

    /// How many messages the agents owe an answer.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// The agents answer what they left unanswered, and all from here on.
    pub fn release(&mut self) {
        self.held.clear();
        for owed in std::mem::take(&mut self.owed) {
            self.answer(&owed);
        }
    }

    /// Plays on until the manager says what is waited for.
    pub fn play_until(&mut self, what: &str, wanted: impl Fn(&Said) -> bool) -> Said {
        self.play(PATIENCE, wanted).unwrap_or_else(|| panic!("the manager does not say {what}; {}", self.tell()))
    }

    /// Plays on for `time`, or until the manager says what is waited for.
    pub fn play(&mut self, time: Duration, wanted: impl Fn(&Said) -> bool) -> Option<Said> {
        let end = Instant::now() + time;
        loop {
            let (topic, raw) = self.client.next(end.saturating_duration_since(Instant::now()))?;
            let json = serde_json::from_str(&raw)
                .unwrap_or_else(|error| panic!("the manager says no JSON on {topic}: {error}: {raw:.200}"));
            let said = Said { topic, raw, json };
            self.said.push(said.clone());
            if !self.held.is_empty() && said.trigger() == self.held {
                self.owed.push(said.clone());
            } else {
                self.answer(&said);
            }
            if wanted(&said) {
                return Some(said);
            }
        }
    }

    /// Plays until the manager is subscribed: it has reported the current state.
    pub fn await_manager(&mut self) {
        self.play_until("that it is there", |said| {
            said.topic == STATE && said.activity().starts_with("initial-current-state-")
        });
    }

    /// Plays until the manager has taken all that was sent to it before.
    pub fn settle(&mut self) {
        self.probes += 1;
        let probe = format!("probe-{}", self.probes);
        self.publish("deviceupdate/currentstate/get", &envelope(&probe, Value::Null), false);
        self.play_until("the current state that is asked for", |said| said.is_state_of(&probe));
    }

    /// Plays until the activity has ended and its current state was reported;
    /// the final feedback.
    pub fn finish(&mut self, activity: &str) -> Said {
        let last = self.play_until("a final status", |said| said.is_final_of(activity));
        self.play_until("the current state afterwards", |said| said.is_state_of(activity));
        last
    }

    /// The statuses told of an activity.
    pub fn story(&self, activity: &str) -> Vec<&str> {
        let told = self.said.iter().filter(|said| said.topic == FEEDBACK && said.activity() == activity);
        told.map(Said::status).collect()
    }

    /// The commands that a domain got for an activity.
    pub fn commands(&self, domain: &str, activity: &str) -> Vec<&str> {
        let topic = topic(domain, "desiredstate/command");
        let sent = self.said.iter().filter(|said| said.topic == topic && said.activity() == activity);
        sent.map(Said::trigger).collect()
    }

    fn tell(&self) -> String {
        let line = |said: &Said| format!("{} {} {}{}", said.topic, said.activity(), said.trigger(), said.status());
        let lines: Vec<String> = self.said.iter().map(line).collect();
        format!("it said:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"))
    }

    /// As the agent that is asked, if one is.
    fn answer(&mut self, said: &Said) {
        let Some(place) = self.agents.iter().position(|agent| said.topic == topic(&agent.domain, said.sub())) else {
            return;
        };
        let activity = said.activity();
        let agent = &mut self.agents[place];
        if said.sub() == "currentstate/get" {
            let payload = inventory(&agent.domain, &agent.components);
            let topic = topic(&agent.domain, "currentstate");
            return self.client.publish(&topic, &envelope(activity, payload), false);
        }
        if said.sub() == "desiredstate" {
            let domains = list(said.payload(), "domains");
            let id = &agent.domain;
            let component = |c: &Value| json!({ "id": format!("{id}:{}", text(c, "id")), "version": c["version"] });
            agent.components = domains.iter().flat_map(|d| list(d, "components")).map(component).collect();
        }
        let (status, of_actions) = success(said.trigger());
        let actions: Vec<Value> =
            agent.components.iter().map(|c| json!({ "component": c, "status": of_actions })).collect();
        let topic = topic(&agent.domain, "desiredstatefeedback");
        let feedback = |status| envelope(activity, json!({ "status": status, "actions": actions }));
        self.client.publish(&topic, &feedback(status), false);
        if status == "CLEANUP_SUCCESS" {
            self.client.publish(&topic, &feedback("COMPLETED"), false);
        }
    }
}

/// The status that answers, and that of the actions.
fn success(trigger: &str) -> (&'static str, &'static str) {
    match trigger {
        "DOWNLOAD" => ("DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS"),
        "UPDATE" => ("UPDATE_SUCCESS", "UPDATE_SUCCESS"),
        "ACTIVATE" => ("ACTIVATION_SUCCESS", "ACTIVATION_SUCCESS"),
        "CLEANUP" => ("CLEANUP_SUCCESS", "ACTIVATION_SUCCESS"),
        "ROLLBACK" => ("ROLLBACK_SUCCESS", "IDENTIFIED"),
        _ => ("IDENTIFIED", "IDENTIFIED"),
    }
}

fn inventory(domain: &str, components: &[Value]) -> Value {
    let root = format!("{domain}-update-agent");
    let mut nodes = vec![json!({
        "id": root, "version": "1.0.0", "type": "APPLICATION", "parameters": [{ "key": "domain", "value": domain }],
    })];
    nodes.extend(components.iter().map(|c| json!({ "id": c["id"], "version": c["version"], "type": "CONTAINER" })));
    let association = |c: &Value| json!({ "sourceId": root, "targetId": c["id"] });
    let associations: Vec<Value> = components.iter().map(association).collect();
    json!({ "softwareNodes": nodes, "associations": associations })
}

/// A desired state of `count` components for each domain.
pub fn desired_state(domains: &[&str], count: usize) -> Value {
    let components: Vec<Value> = (0..count).map(|i| json!({ "id": format!("c{i}"), "version": "1.0.0" })).collect();
    let domains: Vec<Value> = domains.iter().map(|id| json!({ "id": id, "components": components })).collect();
    json!({ "domains": domains })
}
