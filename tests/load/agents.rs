//! Agents that answer at once, and the backend, as bare clients.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::bare::{Bare, Message};
use crate::link::envelope::topic;

/// How long anything that is owed is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Agents that run until they are dropped.
pub struct Agents {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Agents {
    /// One for each domain, each with `components` actions, in a thread of its own.
    pub fn start(port: u16, domains: &[&str], components: usize) -> Agents {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = domains.iter().map(|domain| {
            let mut bare = Bare::connect(port, &format!("agent-{domain}"));
            bare.subscribe(&["desiredstate", "desiredstate/command", "currentstate/get"].map(|sub| topic(domain, sub)));
            let (domain, stop) = ((*domain).to_owned(), Arc::clone(&stop));
            std::thread::spawn(move || serve(bare, |_| domain.clone(), components, &stop))
        });
        Agents { threads: threads.collect(), stop }
    }

    /// One client that is the agent of every domain there is.
    pub fn of_everybody(port: u16) -> Agents {
        let stop = Arc::new(AtomicBool::new(false));
        let mut bare = Bare::connect(port, "agents");
        bare.subscribe(&["+/desiredstate/command", "+/currentstate/get", "+/desiredstate"].map(str::to_owned));
        let is_done = Arc::clone(&stop);
        let domain_of = |message: &Message| message.topic.split("update/").next().unwrap_or_default().to_owned();
        let thread = std::thread::spawn(move || serve(bare, domain_of, 1, &is_done));
        Agents { threads: vec![thread], stop }
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn serve(mut bare: Bare, domain_of: impl Fn(&Message) -> String, components: usize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Some(message) = bare.next(Duration::from_millis(200)) else { continue };
        let domain = domain_of(&message);
        if domain == "device" {
            continue;
        }
        if let Some((sub, payload)) = answer(&message, &domain, components) {
            bare.publish(&topic(&domain, sub), payload.as_bytes());
        }
    }
}

/// What an agent says to a message, and where.
pub fn answer(message: &Message, domain: &str, components: usize) -> Option<(&'static str, String)> {
    let activity = message.field("activityId");
    if message.topic.ends_with("currentstate/get") {
        let payload = format!(r#"{{"softwareNodes":[{{"id":"{domain}-agent","version":"1","type":"APPLICATION"}}]}}"#);
        return Some(("currentstate", enveloped(activity, &payload)));
    }
    let status = match message.field("command") {
        "DOWNLOAD" => "DOWNLOAD_SUCCESS",
        "UPDATE" => "UPDATE_SUCCESS",
        "ACTIVATE" => "ACTIVATION_SUCCESS",
        "CLEANUP" => "CLEANUP_SUCCESS",
        "" if message.topic.ends_with("update/desiredstate") => "IDENTIFIED",
        _ => return None,
    };
    Some(("desiredstatefeedback", feedback(activity, domain, status, components)))
}

/// An agent's feedback with so many actions.
pub fn feedback(activity: &str, domain: &str, status: &str, components: usize) -> String {
    let action =
        |n| format!(r#"{{"component":{{"id":"{domain}:c{n}","version":"1.0.0"}},"status":"{status}","progress":50}}"#);
    let actions: Vec<String> = (0..components).map(action).collect();
    enveloped(activity, &format!(r#"{{"status":"{status}","actions":[{}]}}"#, actions.join(",")))
}

pub fn enveloped(activity: &str, payload: &str) -> String {
    format!(r#"{{"activityId":"{activity}","timestamp":1700000000000,"payload":{payload}}}"#)
}

/// A desired state with so many components for each domain.
pub fn desired_state(activity: &str, domains: &[&str], components: usize) -> String {
    let component = |n| format!(r#"{{"id":"c{n}","version":"1.0.0","config":[{{"key":"image","value":"r/i:1"}}]}}"#);
    let list: Vec<String> = (0..components).map(component).collect();
    let list = list.join(",");
    let domains: Vec<String> = domains.iter().map(|d| format!(r#"{{"id":"{d}","components":[{list}]}}"#)).collect();
    enveloped(activity, &format!(r#"{{"domains":[{}]}}"#, domains.join(",")))
}

/// Who applies desired states.
pub struct Backend {
    pub bare: Bare,
    device: String,
    activities: u32,
}

impl Backend {
    pub fn connect(port: u16, device: &str) -> Backend {
        let mut bare = Bare::connect(port, &format!("backend-{device}"));
        bare.subscribe(&["desiredstatefeedback", "currentstate"].map(|sub| topic(device, sub)));
        Backend { bare, device: device.to_owned(), activities: 0 }
    }

    /// Waits until the manager is there with what its agents have.
    pub fn await_manager(&mut self) {
        self.await_message("the first inventory", |message| message.field("activityId").starts_with("initial"));
    }

    pub fn await_message(&mut self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let end = Instant::now() + PATIENCE;
        loop {
            let message = self.bare.next(end.saturating_duration_since(Instant::now()));
            let message = message.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"));
            if wanted(&message) {
                return message;
            }
        }
    }

    /// A name that was not used yet.
    pub fn next_activity(&mut self) -> String {
        self.activities += 1;
        format!("{}-{:06}", self.device, self.activities)
    }

    pub fn apply(&mut self, desired: &str) {
        self.bare.publish(&topic(&self.device, "desiredstate"), desired.as_bytes());
    }

    /// Leads so many activities to their ends and inventories.
    pub fn pass_times(&mut self, times: usize, domains: &[&str], components: usize) {
        (0..times).for_each(|_| {
            self.pass(domains, components, true);
        });
    }

    /// Leads an activity to its end; how long that took. Then waits until the
    /// inventory that follows it was reported, if one follows.
    pub fn pass(&mut self, domains: &[&str], components: usize, inventory_follows: bool) -> Duration {
        let activity = self.next_activity();
        let desired = desired_state(&activity, domains, components);
        let start = Instant::now();
        self.apply(&desired);
        let is_end = |message: &Message| {
            let status = message.field("status");
            assert!(!status.contains("INCOMPLETE") && !status.contains("FAIL"), "{}", message.text());
            status == "COMPLETED" && message.field("activityId") == activity
        };
        self.await_message("the end of the activity", is_end);
        let took = start.elapsed();
        if inventory_follows {
            let state = topic(&self.device, "currentstate");
            self.await_message("its inventory", |m| m.topic == state && m.field("activityId") == activity);
        }
        took
    }
}
