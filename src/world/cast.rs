//! Agents as strict as those in the field (docs/agents.md): the containers agent, which
//! takes each command once and works through its messages one after the other, and
//! the self-update agent, which ignores what is out of turn. Both keep all in memory.
//!
//! What an agent does with a message is decided when it hears it: nothing but a later
//! message or a crash could change that.

use serde_json::{json, Value};

use crate::world::actors::{inventory, Actor, Said};
use crate::world::seen::{is_topic, text, topic, Seen};

/// What a command leads to.
pub struct Steps {
    pub interim: &'static str,
    pub success: &'static str,
    pub failure: &'static str,
}

const fn steps(interim: &'static str, success: &'static str, failure: &'static str) -> Steps {
    Steps { interim, success, failure }
}

pub fn steps_of(command: &str) -> Steps {
    match command {
        "DOWNLOAD" => steps("DOWNLOADING", "DOWNLOAD_SUCCESS", "DOWNLOAD_FAILURE"),
        "UPDATE" => steps("UPDATING", "UPDATE_SUCCESS", "UPDATE_FAILURE"),
        "ACTIVATE" => steps("ACTIVATING", "ACTIVATION_SUCCESS", "ACTIVATION_FAILURE"),
        "ROLLBACK" => steps("ROLLBACK", "ROLLBACK_SUCCESS", "ROLLBACK_FAILURE"),
        _ => steps("", "CLEANUP_SUCCESS", "CLEANUP_FAILURE"),
    }
}

/// How an agent works, whichever it is.
#[derive(Clone, Default)]
pub struct Manner {
    /// Milliseconds that each command takes, the desired state too.
    pub work_ms: u64,
    /// The same of one command, in place of it.
    pub slow_at: Option<(&'static str, u64)>,
    /// It says nothing on the way.
    pub is_quiet: bool,
    /// Milliseconds between two interim statuses; 0: only the first is sent.
    pub tells_ms: u64,
    /// The command that fails, `IDENTIFY` for the desired state.
    pub fails_at: &'static str,
    /// The command that it never answers.
    pub silent_at: &'static str,
    /// The command that is lost on its way, once.
    pub deaf_to: &'static str,
    /// It finds nothing to do.
    pub is_content: bool,
    /// Milliseconds that it takes to start anew.
    pub starts_ms: u64,
}

impl Manner {
    fn work(&self, command: &str) -> u64 {
        self.slow_at.filter(|(slow, _)| *slow == command).map_or(self.work_ms, |(_, ms)| ms)
    }

    /// Whether the command is lost on its way this time.
    fn misses(&mut self, command: &str) -> bool {
        let is_lost = !command.is_empty() && command == self.deaf_to;
        if is_lost {
            self.deaf_to = "";
        }
        is_lost
    }
}

/// What a message of the manager's asks of an agent: a command, `IDENTIFY` or `GET`.
pub fn order_of<'s>(domain: &str, seen: &'s Seen) -> Option<&'s str> {
    let is = |sub: &str| is_topic(&seen.topic, domain, sub);
    match seen.command() {
        _ if is("currentstate/get") => Some("GET"),
        _ if is("desiredstate") => Some("IDENTIFY"),
        command if is("desiredstate/command") => Some(command),
        _ => None,
    }
}

/// The actions that the desired state leads to.
fn actions_of(domain: &str, seen: &Seen) -> Value {
    let state = seen.json();
    let components = state["payload"]["domains"][0]["components"].as_array().cloned().unwrap_or_default();
    let action = |component: &Value| {
        let id = format!("{domain}:{}", text(component, "id"));
        json!({ "component": { "id": id, "version": component["version"] }, "status": "IDENTIFIED" })
    };
    components.iter().map(action).collect()
}

/// The containers agent.
pub struct Strict {
    domain: &'static str,
    manner: Manner,
    /// It takes no desired state while it has an activity.
    is_choosy: bool,
    activity: String,
    /// The last status that it has reported as reached, empty before the first.
    reached: &'static str,
    actions: Value,
    /// When it is done with all that it has heard, and when it is up again.
    busy_until: u64,
    up_at: u64,
}

impl Strict {
    pub fn new(domain: &'static str, manner: Manner) -> Strict {
        let (activity, actions) = (String::new(), json!([]));
        Strict { domain, manner, is_choosy: false, activity, reached: "", actions, busy_until: 0, up_at: 0 }
    }

    /// One that takes so many milliseconds for each command.
    pub fn paced(domain: &'static str, work_ms: u64) -> Strict {
        Strict::new(domain, Manner { work_ms, starts_ms: 1_000, ..Manner::default() })
    }

    /// The same that takes no desired state while it has an activity.
    pub fn choosy(self) -> Strict {
        Strict { is_choosy: true, ..self }
    }

    fn feedback(&self, at: u64, wall: u64, status: &str, message: &str) -> Said {
        let mut payload = json!({ "status": status });
        if !matches!(status, "IDENTIFYING" | "IDENTIFICATION_FAILED") {
            payload["actions"] = self.actions.clone();
        }
        if !message.is_empty() {
            payload["message"] = message.into();
        }
        let message = json!({ "activityId": self.activity, "timestamp": at, "payload": payload });
        Said::new(at - wall, topic(self.domain, "desiredstatefeedback"), message.to_string())
    }

    fn set_actions(&mut self, status: &str) {
        for action in self.actions.as_array_mut().into_iter().flatten() {
            action["status"] = status.into();
        }
    }

    /// A desired state takes the place of the one before.
    fn identify(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let begun = self.busy_until;
        self.activity = seen.activity().to_owned();
        self.actions = actions_of(self.domain, seen);
        self.reached = "";
        self.busy_until += self.manner.work("IDENTIFY");
        if self.manner.is_content {
            self.actions = json!([]);
            let said = ["IDENTIFYING", "COMPLETED"].map(|status| self.feedback(self.busy_until, wall, status, ""));
            self.activity.clear();
            return said.into();
        }
        if self.manner.fails_at == "IDENTIFY" {
            return vec![self.feedback(self.busy_until, wall, "IDENTIFICATION_FAILED", "cannot identify")];
        }
        self.reached = "IDENTIFIED";
        vec![self.feedback(begun, wall, "IDENTIFYING", ""), self.feedback(self.busy_until, wall, "IDENTIFIED", "")]
    }

    /// Why the command cannot be taken now.
    fn refusal(&self, command: &str) -> Option<String> {
        let needed = match command {
            "DOWNLOAD" => "IDENTIFIED",
            "UPDATE" => "DOWNLOAD_SUCCESS",
            "ACTIVATE" => "UPDATE_SUCCESS",
            "ROLLBACK" => match self.reached {
                "DOWNLOAD_SUCCESS" | "UPDATE_SUCCESS" | "ACTIVATION_SUCCESS" | "ACTIVATION_FAILURE" => return None,
                _ => "DOWNLOAD_SUCCESS",
            },
            _ => return None,
        };
        let refusal = || format!("{command} is possible only after status {needed} is reported");
        (self.reached != needed).then(refusal)
    }

    fn carry_out(&mut self, command: &'static str, wall: u64) -> Vec<Said> {
        let Steps { interim, success, failure } = steps_of(command);
        let begun = self.busy_until;
        if let Some(why) = self.refusal(command) {
            return vec![self.feedback(begun, wall, failure, &why)];
        }
        self.busy_until += self.manner.work(command);
        let mut said = Vec::new();
        if !interim.is_empty() && !self.manner.is_quiet {
            self.set_actions(interim);
            let tells = self.manner.tells_ms.max(1);
            let times = if self.manner.tells_ms == 0 { 1 } else { (self.busy_until - begun).div_ceil(tells).max(1) };
            said.extend((0..times).map(|n| self.feedback(begun + n * tells, wall, interim, "")));
        }
        if command == self.manner.fails_at {
            self.set_actions(failure);
            self.reached = failure;
            said.push(self.feedback(self.busy_until, wall, failure, ""));
            return said;
        }
        let last = core::mem::replace(&mut self.reached, success);
        if command != "CLEANUP" {
            self.set_actions(success);
        }
        said.push(self.feedback(self.busy_until, wall, success, ""));
        if command == "CLEANUP" {
            let end = if last == "ACTIVATION_SUCCESS" { "COMPLETED" } else { "INCOMPLETE" };
            said.push(self.feedback(self.busy_until, wall, end, ""));
            self.activity.clear();
        }
        said
    }
}

/// The command in a text that lives as long as the program.
fn known(command: &str) -> Option<&'static str> {
    ["DOWNLOAD", "UPDATE", "ACTIVATE", "ROLLBACK", "CLEANUP"].into_iter().find(|known| *known == command)
}

impl Actor for Strict {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let Some(order) = order_of(self.domain, seen).filter(|_| wall >= self.up_at) else { return Vec::new() };
        self.busy_until = self.busy_until.max(wall);
        if order == "GET" {
            let bytes = inventory(self.domain, seen.activity(), self.busy_until);
            return vec![Said::new(self.busy_until - wall, topic(self.domain, "currentstate"), bytes)];
        }
        if self.manner.misses(order) {
            return Vec::new();
        }
        if order == "IDENTIFY" {
            let is_taken = !self.is_choosy || self.activity.is_empty();
            return if is_taken { self.identify(seen, wall) } else { Vec::new() };
        }
        match known(order) {
            Some(command) if command != self.manner.silent_at && seen.activity() == self.activity => {
                self.carry_out(command, wall)
            }
            _ => Vec::new(),
        }
    }

    fn handle_crash(&mut self, wall: u64) -> Vec<Said> {
        self.activity.clear();
        self.reached = "";
        self.busy_until = 0;
        self.up_at = wall + self.manner.starts_ms;
        vec![Said::hello(self.manner.starts_ms, self.domain, self.up_at)]
    }

    fn handle_reconnect(&mut self, wall: u64) -> Vec<Said> {
        if wall < self.up_at {
            return Vec::new();
        }
        vec![Said::hello(0, self.domain, wall)]
    }

    fn behave(&mut self, fails_at: &'static str, is_content: bool) {
        (self.manner.fails_at, self.manner.is_content) = (fails_at, is_content);
    }

    fn domain(&self) -> &str {
        self.domain
    }
}

/// Where the self-update agent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Idle,
    /// It carries out the command, or has done so well.
    Doing(&'static str),
    Failed,
    /// It has found nothing to do, and waits for CLEANUP.
    Equal,
}

/// The self-update agent.
pub struct SelfUpdate {
    domain: &'static str,
    manner: Manner,
    at: At,
    /// Where it is when it has done what it does, and when that is.
    then: At,
    busy_until: u64,
    activity: String,
    up_at: u64,
}

/// Between two of its messages while it works.
const PROGRESS_MS: u64 = 5_000;

impl SelfUpdate {
    pub fn new(domain: &'static str, manner: Manner) -> SelfUpdate {
        SelfUpdate { domain, manner, at: At::Idle, then: At::Idle, busy_until: 0, activity: String::new(), up_at: 0 }
    }

    fn settle(&mut self, wall: u64) {
        if self.busy_until <= wall {
            self.at = self.then;
        }
    }

    fn begin(&mut self, at: At, then: At, until: u64) {
        (self.at, self.then, self.busy_until) = (at, then, until);
    }

    fn feedback(&self, after_ms: u64, wall: u64, status: &str, of_action: &str) -> Said {
        let action = || {
            json!({ "component": { "id": format!("{}:os-image", self.domain), "version": "2" },
                "status": of_action, "progress": 100, "message": "" })
        };
        let actions: Value = if of_action.is_empty() { json!([]) } else { json!([action()]) };
        // Its timestamps are in seconds.
        let message = json!({ "activityId": self.activity, "timestamp": (wall + after_ms) / 1_000,
            "payload": { "status": status, "message": "Self-update agent says so.", "actions": actions } });
        Said::new(after_ms, topic(self.domain, "desiredstatefeedback"), message.to_string())
    }

    fn identify(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        self.activity = seen.activity().to_owned();
        let ms = self.manner.work("IDENTIFY");
        let (then, status, of_action) = match () {
            () if self.manner.is_content => (At::Equal, "COMPLETED", ""),
            () if self.manner.fails_at == "IDENTIFY" => (At::Idle, "IDENTIFICATION_FAILED", ""),
            () => (At::Doing("IDENTIFY"), "IDENTIFIED", "IDENTIFIED"),
        };
        self.begin(then, then, wall + ms);
        vec![self.feedback(0, wall, "IDENTIFYING", ""), self.feedback(ms, wall, status, of_action)]
    }

    /// Whether the command is in its turn.
    fn takes(&self, command: &str, wall: u64) -> bool {
        let is_done = self.busy_until <= wall;
        match (command, self.at) {
            ("DOWNLOAD", At::Doing("IDENTIFY"))
            | ("UPDATE", At::Doing("DOWNLOAD"))
            | ("ACTIVATE", At::Doing("UPDATE")) => is_done,
            ("CLEANUP", At::Doing("ACTIVATE") | At::Failed | At::Equal) => true,
            ("ROLLBACK", At::Doing(_)) => true,
            _ => false,
        }
    }

    fn carry_out(&mut self, command: &'static str, wall: u64) -> Vec<Said> {
        if command == "ROLLBACK" {
            self.begin(At::Idle, At::Idle, wall);
            return Vec::new();
        }
        let Steps { interim, success, failure } = steps_of(command);
        let ms = self.manner.work(command);
        let is_bad = command == self.manner.fails_at;
        let then = match command {
            _ if is_bad => At::Failed,
            "CLEANUP" => At::Idle,
            _ => At::Doing(command),
        };
        let during = if command == "CLEANUP" { At::Idle } else { At::Doing(command) };
        self.begin(during, then, wall + ms);
        let mut said = Vec::new();
        if !self.manner.is_quiet && !interim.is_empty() {
            let times = ms.div_ceil(PROGRESS_MS).max(1);
            said.extend((0..times).map(|n| self.feedback(n * PROGRESS_MS, wall, interim, interim)));
        }
        match (is_bad, command) {
            (true, _) => said.push(self.feedback(ms, wall, failure, failure)),
            (false, "CLEANUP") => {
                said.extend(["CLEANUP_SUCCESS", "COMPLETE"].map(|status| self.feedback(ms, wall, status, "UPDATED")));
            }
            (false, _) => said.push(self.feedback(ms, wall, success, "UPDATED")),
        }
        if command == "UPDATE" {
            said.push(Said::new(ms, topic(self.domain, "desiredstatefeedback"), ""));
        }
        said
    }

    fn take(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let Some(order) = order_of(self.domain, seen) else { return Vec::new() };
        self.settle(wall);
        let is_idle = self.at == At::Idle && self.busy_until <= wall;
        if order == "GET" {
            let bytes = inventory(self.domain, seen.activity(), wall);
            let answer = Said::new(0, topic(self.domain, "currentstate"), bytes);
            return if is_idle { vec![answer] } else { Vec::new() };
        }
        if self.manner.misses(order) {
            return Vec::new();
        }
        if order == "IDENTIFY" {
            return if is_idle { self.identify(seen, wall) } else { Vec::new() };
        }
        match known(order) {
            Some(command) if command == self.manner.silent_at => Vec::new(),
            Some(command) if seen.activity() == self.activity && self.takes(command, wall) => {
                self.carry_out(command, wall)
            }
            _ => Vec::new(),
        }
    }

    fn hello(&self, after_ms: u64, wall: u64) -> Said {
        let bytes = inventory(self.domain, "", wall + after_ms);
        Said { retain: true, ..Said::new(after_ms, topic(self.domain, "currentstate"), bytes) }
    }
}

impl Actor for SelfUpdate {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        if order_of(self.domain, seen).is_none() {
            return Vec::new();
        }
        if wall >= self.up_at {
            return self.take(seen, wall);
        }
        // Its session is persistent: it hears it when it is up again.
        let late = self.up_at - wall;
        let said = self.take(seen, self.up_at);
        said.into_iter().map(|said| Said { after_ms: said.after_ms + late, ..said }).collect()
    }

    fn handle_crash(&mut self, wall: u64) -> Vec<Said> {
        self.activity.clear();
        self.up_at = wall + self.manner.starts_ms;
        self.begin(At::Idle, At::Idle, 0);
        vec![self.hello(self.manner.starts_ms, wall)]
    }

    fn handle_reconnect(&mut self, wall: u64) -> Vec<Said> {
        if wall < self.up_at {
            return Vec::new();
        }
        vec![self.hello(0, wall)]
    }

    fn behave(&mut self, fails_at: &'static str, is_content: bool) {
        (self.manner.fails_at, self.manner.is_content) = (fails_at, is_content);
    }

    fn domain(&self) -> &str {
        self.domain
    }
}
