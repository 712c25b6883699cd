//! Those around the manager who answer on their own.

use std::collections::VecDeque;

use serde_json::{json, Value};

use crate::world::seen::{is_topic, text, topic, Seen};

/// Somebody who hears what the manager says.
pub trait Actor {
    /// What is to be said about it. `wall` is the time in milliseconds since the
    /// Unix epoch.
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said>;

    /// Its process ends and starts anew; what it says then.
    fn handle_crash(&mut self, _wall: u64) -> Vec<Said> {
        Vec::new()
    }

    /// Its connection is lost and made again while it goes on; what it says then.
    fn handle_reconnect(&mut self, _wall: u64) -> Vec<Said> {
        Vec::new()
    }

    /// From now on this command fails, `IDENTIFY` for the desired state, and no other; or it
    /// finds nothing to do.
    fn behave(&mut self, _fails_at: &'static str, _is_content: bool) {}

    /// The domain that it serves, empty if it is no agent.
    fn domain(&self) -> &str {
        ""
    }
}

impl Actor for Box<dyn Actor> {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        (**self).handle(seen, wall)
    }

    fn handle_crash(&mut self, wall: u64) -> Vec<Said> {
        (**self).handle_crash(wall)
    }

    fn handle_reconnect(&mut self, wall: u64) -> Vec<Said> {
        (**self).handle_reconnect(wall)
    }

    fn behave(&mut self, fails_at: &'static str, is_content: bool) {
        (**self).behave(fails_at, is_content);
    }

    fn domain(&self) -> &str {
        (**self).domain()
    }
}

/// A message that is said some time later.
#[derive(Clone, Debug)]
pub struct Said {
    pub after_ms: u64,
    pub topic: String,
    pub bytes: Vec<u8>,
    /// The broker is to keep it.
    pub retain: bool,
}

impl Said {
    pub fn new(after_ms: u64, topic: String, bytes: impl Into<Vec<u8>>) -> Said {
        Said { after_ms, topic, bytes: bytes.into(), retain: false }
    }

    /// The inventory that an agent sends on each connection, under an id of its own.
    pub fn hello(after_ms: u64, domain: &str, wall: u64) -> Said {
        // Its clock is not the manager's: with the same millisecond its hello would have the
        // name of a question of the manager's, and would pass for the answer.
        let bytes = inventory(domain, &format!("initial-current-state-{}", wall + 1), wall);
        Said::new(after_ms, topic(domain, "currentstate"), bytes)
    }
}

/// Somebody who is gone.
pub struct Nobody;

impl Actor for Nobody {
    fn handle(&mut self, _seen: &Seen, _wall: u64) -> Vec<Said> {
        Vec::new()
    }
}

/// Components, each with its version, as an inventory shows them.
pub type Shown<'a> = &'a [(&'a str, &'a str)];

/// An agent to whom everything succeeds, or all but one thing.
pub struct Obedient {
    domain: &'static str,
    /// Between what it hears and its answer, and between two of its messages.
    pace_ms: u64,
    actions: Value,
    /// The command that fails, `IDENTIFY` for the desired state.
    fails_at: &'static str,
    /// The command that it never answers.
    is_silent_at: &'static str,
    is_forgetful: bool,
    /// What it takes to start anew, in milliseconds.
    starts_ms: u64,
    /// It finds nothing to do.
    is_content: bool,
    /// Its message in each feedback.
    words: &'static str,
    /// The components that its inventory shows, with their versions, each time that it is asked.
    shows: VecDeque<Shown<'static>>,
    /// The activity that it takes part in.
    activity: String,
}

impl Obedient {
    /// One that answers at once.
    pub fn new(domain: &'static str) -> Obedient {
        Obedient::paced(domain, 0)
    }

    /// One that takes so many milliseconds for each of its messages.
    pub fn paced(domain: &'static str, pace_ms: u64) -> Obedient {
        Obedient {
            domain,
            pace_ms,
            actions: json!([]),
            fails_at: "",
            is_silent_at: "",
            is_forgetful: false,
            starts_ms: 1_000,
            is_content: false,
            words: "",
            shows: VecDeque::from([&[("app", "1")][..]]),
            activity: String::new(),
        }
    }

    /// The same to whom this command fails, `IDENTIFY` for the desired state.
    pub fn failing_at(self, command: &'static str) -> Obedient {
        Obedient { fails_at: command, ..self }
    }

    /// The same that never answers this command.
    pub fn silent_at(self, command: &'static str) -> Obedient {
        Obedient { is_silent_at: command, ..self }
    }

    /// The same that forgets the activity when it crashes, and then ignores it.
    pub fn forgetful(self, is_forgetful: bool) -> Obedient {
        Obedient { is_forgetful, ..self }
    }

    /// The same that takes so many milliseconds to start anew.
    pub fn starting_in(self, starts_ms: u64) -> Obedient {
        Obedient { starts_ms, ..self }
    }

    /// The same that finds nothing to do.
    pub fn content(self) -> Obedient {
        Obedient { is_content: true, ..self }
    }

    /// The same that says this in each feedback.
    pub fn saying(self, words: &'static str) -> Obedient {
        Obedient { words, ..self }
    }

    /// The same whose inventory shows these components with these versions: a list for each
    /// time that it is asked, the last one from then on.
    pub fn showing<const N: usize>(self, lists: [Shown<'static>; N]) -> Obedient {
        Obedient { shows: lists.into(), ..self }
    }

    fn show(&mut self) -> Shown<'static> {
        let shown = self.shows.front().copied().unwrap_or_default();
        if self.shows.len() > 1 {
            self.shows.pop_front();
        }
        shown
    }

    fn say(&mut self, activity: &str, wall: u64, statuses: [(&str, &str); 2]) -> Vec<Said> {
        let mut said = Vec::new();
        for (status, of_actions) in statuses.into_iter().filter(|(status, _)| !status.is_empty()) {
            for action in self.actions.as_array_mut().into_iter().flatten() {
                action["status"] = of_actions.into();
            }
            let after_ms = self.pace_ms * (said.len() as u64 + 1);
            let mut payload = json!({ "status": status, "actions": self.actions });
            if !self.words.is_empty() {
                payload["message"] = self.words.into();
            }
            let message = json!({ "activityId": activity, "timestamp": wall, "payload": payload });
            let topic = topic(self.domain, "desiredstatefeedback");
            said.push(Said::new(after_ms, topic, message.to_string()));
        }
        said
    }

    fn identify(&mut self, state: &Value) {
        let components = state["payload"]["domains"][0]["components"].as_array().into_iter().flatten();
        let action = |component: &Value| {
            let id = format!("{}:{}", self.domain, text(component, "id"));
            json!({ "component": { "id": id, "version": component["version"] } })
        };
        self.actions = components.filter(|_| !self.is_content).map(action).collect();
    }
}

impl Actor for Obedient {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let is = |sub: &str| is_topic(&seen.topic, self.domain, sub);
        let activity = seen.activity();
        if is("currentstate/get") {
            let bytes = inventory_of(self.domain, activity, wall, self.show());
            return vec![Said::new(self.pace_ms, topic(self.domain, "currentstate"), bytes)];
        }
        if is("desiredstate") {
            self.identify(&seen.json());
            self.activity = activity.to_owned();
            if self.fails_at == "IDENTIFY" {
                return self.say(activity, wall, [("IDENTIFYING", ""), ("IDENTIFICATION_FAILED", "")]);
            }
            return self.say(activity, wall, [("IDENTIFYING", "IDENTIFIED"), ("IDENTIFIED", "IDENTIFIED")]);
        }
        let command = seen.command();
        if !is("desiredstate/command") || command == self.is_silent_at || activity != self.activity {
            return Vec::new();
        }
        let statuses = match command {
            "DOWNLOAD" if self.fails_at == "DOWNLOAD" => {
                [("DOWNLOADING", "DOWNLOADING"), ("DOWNLOAD_FAILURE", "DOWNLOAD_FAILURE")]
            }
            "UPDATE" if self.fails_at == "UPDATE" => [("UPDATING", "UPDATING"), ("UPDATE_FAILURE", "UPDATE_FAILURE")],
            "ACTIVATE" if self.fails_at == "ACTIVATE" => {
                [("ACTIVATING", "ACTIVATING"), ("ACTIVATION_FAILURE", "ACTIVATION_FAILURE")]
            }
            "DOWNLOAD" => [("DOWNLOADING", "DOWNLOADING"), ("DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS")],
            "UPDATE" => [("UPDATING", "UPDATING"), ("UPDATE_SUCCESS", "UPDATE_SUCCESS")],
            "ACTIVATE" => [("ACTIVATING", "ACTIVATING"), ("ACTIVATION_SUCCESS", "ACTIVATION_SUCCESS")],
            "ROLLBACK" if self.fails_at == "ROLLBACK" => [("", ""), ("ROLLBACK_FAILURE", "UPDATE_FAILURE")],
            "ROLLBACK" => [("", ""), ("ROLLBACK_SUCCESS", "UPDATE_FAILURE")],
            "CLEANUP" if self.fails_at == "CLEANUP" => [("", ""), ("CLEANUP_FAILURE", "UPDATE_SUCCESS")],
            _ => [("CLEANUP_SUCCESS", "UPDATE_SUCCESS"), ("COMPLETED", "UPDATE_SUCCESS")],
        };
        self.say(activity, wall, statuses)
    }

    /// Every agent tells its inventory when it connects (docs/agents.md, "Every agent").
    fn handle_crash(&mut self, wall: u64) -> Vec<Said> {
        if self.is_forgetful {
            self.activity.clear();
        }
        vec![Said::hello(self.starts_ms, self.domain, wall)]
    }

    fn handle_reconnect(&mut self, wall: u64) -> Vec<Said> {
        vec![Said::hello(0, self.domain, wall)]
    }

    fn behave(&mut self, fails_at: &'static str, is_content: bool) {
        (self.fails_at, self.is_content) = (fails_at, is_content);
    }

    fn domain(&self) -> &str {
        self.domain
    }
}

/// An owner who answers each question after so many milliseconds, in plain mode.
pub struct Owner {
    pub answer: &'static str,
    pub after_ms: u64,
}

impl Actor for Owner {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        if seen.topic != "deviceupdate/ownerconsent" {
            return Vec::new();
        }
        // No two answers are made at the same moment.
        let place = ["DOWNLOAD", "UPDATE", "ACTIVATE"].iter().position(|command| *command == seen.command());
        let timestamp = wall + place.unwrap_or_default() as u64;
        let payload = json!({ "status": self.answer });
        let reply = json!({ "activityId": seen.activity(), "timestamp": timestamp, "payload": payload });
        let topic = "deviceupdate/ownerconsentfeedback".to_owned();
        vec![Said::new(self.after_ms, topic, reply.to_string())]
    }
}

/// An inventory of one agent and one component.
pub fn inventory(domain: &str, activity: &str, wall: u64) -> String {
    inventory_of(domain, activity, wall, &[("app", "1")])
}

/// An inventory of one agent and these components.
pub fn inventory_of(domain: &str, activity: &str, wall: u64, components: Shown<'_>) -> String {
    let parameters = format!(r#"[{{"key":"domain","value":"{domain}"}}]"#);
    let root =
        format!(r#"{{"id":"{domain}-update-agent","parameters":{parameters},"type":"APPLICATION","version":"1.0.0"}}"#);
    let node =
        |(id, version): &(&str, &str)| format!(r#",{{"id":"{domain}:{id}","type":"CONTAINER","version":"{version}"}}"#);
    let nodes: String = components.iter().map(node).collect();
    let payload = format!(r#"{{"softwareNodes":[{root}{nodes}]}}"#);
    format!(r#"{{"activityId":"{activity}","payload":{payload},"timestamp":{wall}}}"#)
}

/// A desired state of one component for each domain.
pub fn desired_state(domains: &[&str]) -> String {
    let domain = |id: &&str| json!({ "id": id, "components": [{ "id": "app", "version": "2" }] });
    json!({ "domains": domains.iter().map(domain).collect::<Vec<_>>() }).to_string()
}
