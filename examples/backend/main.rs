//! A backend: applies a desired state and shows what becomes of it.
//!
//!     cargo run --features agent --example backend -- --broker localhost:1883 desired-state.json
//!
//! Plain text, 80 columns. Ends with 0 if the activity ends COMPLETED.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::FromArgs;
use serde_json::Value;

use link::envelope::{envelope, list, now_ms, text, topic};
use link::Client;

#[path = "../../tests/link/mod.rs"]
mod link;
mod tree;

/// Applies a desired state and shows what becomes of it.
#[derive(FromArgs)]
struct Flags {
    /// the broker's address, with a user where it wants one, as in
    /// tcp://backend:password@localhost:1883 (default: localhost:1883)
    #[argh(option, default = "String::from(\"localhost:1883\")")]
    broker: String,
    /// the manager's own domain (default: device)
    #[argh(option, default = "String::from(\"device\")")]
    domain: String,
    /// the activity's identifier (default: one made of the time)
    #[argh(option, default = "format!(\"activity-{}\", now_ms())")]
    activity: String,
    /// seconds until it gives up (default: 60)
    #[argh(option, default = "60")]
    timeout: u64,
    /// file with the desired state alone: an object with baselines and domains
    #[argh(positional)]
    file: String,
}

/// How long the current state may follow the end of an activity. It does not if nothing was
/// done.
const STATE_WAIT: Duration = Duration::from_secs(5);

/// After which silence it says what it waits for.
const SILENCE: Duration = Duration::from_secs(2);

/// One activity as it is shown.
struct Show {
    flags: Flags,
    start: Instant,
    /// Status and progress of each component, as last shown.
    shown: HashMap<String, (String, u64)>,
    /// Commands already shown.
    commands: Vec<String>,
    /// Whether the manager has said anything of it.
    is_heard: bool,
    outcome: Option<String>,
}

fn main() -> ExitCode {
    match run(argh::from_env()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("backend: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> std::io::Result<bool> {
    let desired = read(&flags.file)?;
    let mut client = Client::connect(&flags.broker, &format!("backend-{}", std::process::id()))?;
    let state = topic(&flags.domain, "currentstate");
    // A backend hears the first two; the commands show the phases as they begin.
    client.subscribe(&[
        topic(&flags.domain, "desiredstatefeedback"),
        state.clone(),
        "+/desiredstate/command".into(),
    ])?;
    println!("desired state {}", flags.activity);
    for domain in list(&desired, "domains") {
        for component in list(domain, "components") {
            println!("  {:<40} {}", component_name(text(domain, "id"), component), text(component, "version"));
        }
    }
    let end = Duration::from_secs(flags.timeout);
    // The broker keeps the last current state: with it the manager is there.
    if client.next(end.min(SILENCE)).is_none() {
        eprintln!("backend: waiting for a current state on {state}");
        let what = "no manager runs, or the user has no right to read it";
        client.next(end.saturating_sub(SILENCE)).ok_or_else(|| timed_out(&state, what))?;
    }
    let wish = topic(&flags.domain, "desiredstate");
    client.publish(&wish, &envelope(&flags.activity, desired), false);
    let mut show = Show {
        flags,
        start: Instant::now(),
        shown: HashMap::new(),
        commands: Vec::new(),
        is_heard: false,
        outcome: None,
    };
    println!("\n   time");
    let mut until = end;
    while let Some(left) = until.checked_sub(show.start.elapsed()) {
        let Some((topic, payload)) = client.next(left) else { break };
        let message: Value = serde_json::from_str(&payload).unwrap_or_default();
        if text(&message, "activityId") != show.flags.activity {
            continue;
        }
        let payload = &message["payload"];
        match topic.rsplit('/').next() {
            Some("command") => show.command(text(payload, "command")),
            Some("desiredstatefeedback") => {
                show.feedback(payload);
                if show.outcome.is_some() {
                    until = end.min(show.start.elapsed() + STATE_WAIT);
                }
            }
            _ if topic == state && show.outcome.is_some() => {
                println!("\ncurrent state");
                tree::print(payload);
                break;
            }
            _ => {}
        }
    }
    client.disconnect();
    match &show.outcome {
        Some(outcome) => Ok(outcome == "COMPLETED"),
        None if show.is_heard => {
            show.line(&format!("given up after {} s", show.flags.timeout));
            Ok(false)
        }
        None => Err(timed_out(&wish, "the manager says nothing of the activity, or the user has no right to write it")),
    }
}

/// The desired state in a file.
fn read(file: &str) -> std::io::Result<Value> {
    let desired: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let wrong = match &desired["payload"] {
        Value::Null if list(&desired, "domains").is_empty() => "names no domain",
        Value::Null => return Ok(desired),
        _ => "holds a whole message: write its payload alone into the file",
    };
    Err(std::io::Error::new(ErrorKind::InvalidData, format!("{file} {wrong}")))
}

fn timed_out(topic: &str, what: &str) -> std::io::Error {
    std::io::Error::new(ErrorKind::TimedOut, format!("{topic}: {what}"))
}

fn component_name(domain: &str, component: &Value) -> String {
    format!("{domain}:{}", text(component, "id"))
}

impl Show {
    fn line(&self, words: &str) {
        println!("{:>6.2}s  {words}", self.start.elapsed().as_secs_f64());
    }

    fn command(&mut self, command: &str) {
        if !self.commands.iter().any(|shown| shown == command) {
            self.line(command);
            self.commands.push(command.to_owned());
        }
    }

    fn feedback(&mut self, payload: &Value) {
        self.is_heard = true;
        for action in list(payload, "actions") {
            self.action(action);
        }
        let status = text(payload, "status");
        if status == "RUNNING" {
            return;
        }
        let message = text(payload, "message");
        self.line(format!("{status}  {message}").trim_end());
        if ["COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED"].contains(&status) {
            self.outcome = Some(status.to_owned());
        }
    }

    /// Shows an action, if it has changed.
    fn action(&mut self, action: &Value) {
        let component = &action["component"];
        let (id, status) = (text(component, "id"), text(action, "status"));
        // Not every agent sends a progress.
        let percent = match status.ends_with("_SUCCESS") {
            true => 100,
            false => action["progress"].as_u64().unwrap_or_default().min(100),
        };
        let now = (status.to_owned(), percent);
        if self.shown.get(id) != Some(&now) {
            let filled = percent as usize / 10;
            let bar = format!("{}{}", "#".repeat(filled), ".".repeat(10 - filled));
            let name = format!("{id} {}", text(component, "version"));
            self.line(&format!("  {name:<33.33} {status:<17.17} {bar} {percent:>3}%"));
            self.shown.insert(id.to_owned(), now);
        }
    }
}
