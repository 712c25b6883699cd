//! A broker, a manager, an agent with its program, and a backend.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::link::envelope::{envelope, text};
use crate::link::Client;
use crate::processes::{Broker, Folder, Manager};

/// How long anything is waited for: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long an answer is waited for before it is asked for again.
const AGAIN: Duration = Duration::from_secs(3);

const FEEDBACK: &str = "deviceupdate/desiredstatefeedback";
const STATE: &str = "deviceupdate/currentstate";
const FINAL: [&str; 3] = ["COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED"];

/// The agent as a process.
pub struct Agent {
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, PathBuf)>,
    log: PathBuf,
    child: Child,
}

impl Agent {
    fn spawn(program: &Path, arguments: &[String], variables: &[(String, PathBuf)], log: &Path) -> Child {
        let file = File::options().create(true).append(true).open(log).unwrap();
        Command::new(env!("CARGO_BIN_EXE_update-manager"))
            .args(arguments)
            .arg("--exec")
            .arg(program)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap()
    }

    /// Kills it, and starts it again.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Agent::spawn(&self.program, &self.arguments, &self.variables, &self.log);
    }

    /// What it has logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Tells it to end, and starts it again; its exit code, and how long the end took.
    pub fn terminate_and_start(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        // SAFETY: a plain call; the child is not waited for yet, so the id is its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        let code = self.child.wait().unwrap().code();
        let time = start.elapsed();
        self.child = Agent::spawn(&self.program, &self.arguments, &self.variables, &self.log);
        (code, time)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It ends its program; if it does not, it is killed.
        // SAFETY: a plain call; the child is not waited for yet, so the id is its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        let end = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of them.
pub struct Bench {
    client: Client,
    pub agent: Agent,
    pub manager: Manager,
    pub folder: Folder,
    probes: u32,
    _broker: Broker,
}

/// What the manager told of an activity at its end.
#[derive(Debug)]
pub struct End {
    pub status: String,
    pub message: String,
    pub actions: Vec<Value>,
}

impl Bench {
    /// With an agent for `files` that calls `program`, which has these variables.
    pub fn start(program: &Path, variables: &[(&str, PathBuf)], arguments: &[&str]) -> Bench {
        let broker = Broker::start();
        let mut client = Client::connect(&broker.address(), "backend").unwrap();
        client.subscribe(&[FEEDBACK, STATE]).unwrap();
        let config = json!({ "reportFeedbackInterval": "100ms", "phaseTimeout": "40s" });
        let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &["files"], config);
        let folder = Folder::new();
        let config = manager.folder.file("config.json").display().to_string();
        let mut words = vec!["agent", "--domain", "files", "--config-file", &config];
        words.extend(arguments);
        let arguments: Vec<String> = words.into_iter().map(String::from).collect();
        let variables: Vec<(String, PathBuf)> =
            variables.iter().map(|(name, value)| (String::from(*name), value.clone())).collect();
        let log = folder.file("agent.log");
        let child = Agent::spawn(program, &arguments, &variables, &log);
        let agent = Agent { program: program.to_owned(), arguments, variables, log, child };
        let mut bench = Bench { client, agent, manager, folder, probes: 0, _broker: broker };
        bench.until("the agent's inventory", |topic, json| {
            topic == STATE && json.to_string().contains("files-update-agent")
        });
        bench
    }

    /// Applies a desired state.
    pub fn apply(&mut self, activity: &str, desired: Value) {
        self.client.publish("deviceupdate/desiredstate", &envelope(activity, desired), false);
        self.client.flush(PATIENCE).unwrap();
    }

    /// The next message that is wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&str, &Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (topic, raw) =
                self.client.next(left).unwrap_or_else(|| panic!("there is not {what}; {}", self.report()));
            let json: Value = serde_json::from_str(&raw).unwrap();
            if wanted(&topic, &json) {
                return json;
            }
        }
    }

    /// Waits for the activity's final status.
    pub fn end(&mut self, activity: &str) -> End {
        let is_final = |topic: &str, json: &Value| {
            topic == FEEDBACK
                && text(json, "activityId") == activity
                && FINAL.contains(&text(&json["payload"], "status"))
        };
        let json = self.until("a final status", is_final);
        let payload = &json["payload"];
        let actions = payload["actions"].as_array().cloned().unwrap_or_default();
        End { status: text(payload, "status").into(), message: text(payload, "message").into(), actions }
    }

    /// Waits until the current state was reported after the activity; its software.
    pub fn state_after(&mut self, activity: &str) -> Vec<String> {
        let json =
            self.until("the current state", |topic, json| topic == STATE && text(json, "activityId") == activity);
        let nodes = json["payload"]["softwareNodes"].as_array().cloned().unwrap_or_default();
        let node = |node: &Value| format!("{} {}", text(node, "id"), text(node, "version"));
        nodes.iter().map(node).filter(|node| node.starts_with("files:")).collect()
    }

    /// Waits until the manager has asked for the current state and has it.
    pub fn settle(&mut self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.probes += 1;
            let probe = format!("probe-{}", self.probes);
            self.client.publish("deviceupdate/currentstate/get", &envelope(&probe, Value::Null), false);
            // A manager that has just been killed does not hear it.
            if self.has(AGAIN, |topic, json| topic == STATE && text(json, "activityId") == probe) {
                return;
            }
        }
        panic!("the manager does not report the current state; {}", self.report());
    }

    /// Whether a message that is wanted comes in this time.
    pub fn has(&mut self, time: Duration, wanted: impl Fn(&str, &Value) -> bool) -> bool {
        let end = Instant::now() + time;
        while let Some((topic, raw)) = self.client.next(end.saturating_duration_since(Instant::now())) {
            if wanted(&topic, &serde_json::from_str(&raw).unwrap()) {
                return true;
            }
        }
        false
    }

    /// The end of both logs.
    pub fn report(&self) -> String {
        let tail = |text: &str| {
            text.lines().rev().take(25).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        let manager = std::fs::read_to_string(self.manager.folder.file("log")).unwrap_or_default();
        format!("the manager said:\n{}\nthe agent said:\n{}", tail(&manager), tail(&self.agent.logged()))
    }
}
