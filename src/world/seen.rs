//! A message as the broker saw it.

use std::cell::OnceCell;

use serde::Deserialize;
use serde_json::Value;

/// What ends the id of an activity in which a domain is restored.
pub const RESTORE: &str = "#restore";

/// Who a message is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Manager,
    Others,
}

/// A message that went through the broker.
#[derive(Debug)]
pub struct Seen {
    /// Milliseconds since the world began.
    pub at: u64,
    pub from: From,
    pub topic: String,
    pub bytes: Vec<u8>,
    pub retain: bool,
    /// The manager's, delivered on an earlier link already and not acknowledged.
    pub again: bool,
    /// Read when it is first asked for.
    brief: OnceCell<Brief>,
}

/// What of a message most want to know; empty where it does not stand.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Brief {
    activity_id: String,
    path: String,
    payload: Option<Payload>,
    /// A thing's.
    value: Option<Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Inner {
    activity_id: String,
    desired_state_feedback: Option<Payload>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    status: String,
    message: String,
    command: String,
}

/// A feedback of the manager's to the backend.
#[derive(Clone, Debug)]
pub struct Report {
    pub at: u64,
    pub activity: String,
    pub status: String,
    pub message: String,
    pub actions: Vec<Value>,
}

impl Report {
    /// Each action's status, by its component's identifier.
    pub fn actions(&self) -> Vec<(&str, &str)> {
        self.actions.iter().map(|action| (text(&action["component"], "id"), text(action, "status"))).collect()
    }

    pub fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "IDENTIFICATION_FAILED" | "COMPLETED" | "INCOMPLETE" | "INCOMPLETE_INCONSISTENT")
    }
}

impl Seen {
    pub fn new(at: u64, from: From, topic: &str, bytes: &[u8], retain: bool) -> Seen {
        let (topic, bytes) = (topic.to_owned(), bytes.to_vec());
        Seen { at, from, topic, bytes, retain, again: false, brief: OnceCell::new() }
    }

    /// Null if it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn brief(&self) -> &Brief {
        self.brief.get_or_init(|| serde_json::from_slice(&self.bytes).unwrap_or_default())
    }

    /// Its activity, empty if there is none.
    pub fn activity(&self) -> &str {
        let brief = self.brief();
        brief.value.as_ref().map_or(&brief.activity_id, |inner| &inner.activity_id)
    }

    /// The activity that it belongs to: that of its own, or the one that has failed and in
    /// whose place a domain is restored (docs/whole-device.md, "Restoring").
    pub fn main_activity(&self) -> &str {
        let activity = self.activity();
        activity.strip_suffix(RESTORE).unwrap_or(activity)
    }

    /// A thing's path, empty if there is none.
    pub fn path(&self) -> &str {
        &self.brief().path
    }

    /// Its status, empty if there is none.
    pub fn status(&self) -> &str {
        self.brief().payload.as_ref().map_or("", |payload| &payload.status)
    }

    /// Its command, empty if there is none.
    pub fn command(&self) -> &str {
        self.brief().payload.as_ref().map_or("", |payload| &payload.command)
    }

    /// The feedback to the backend that it is, plain or a thing's.
    pub fn report(&self) -> Option<Report> {
        let payload = self.feedback()?;
        let json = self.json();
        let whole = if self.topic == "e" { &json["value"]["desiredStateFeedback"] } else { &json["payload"] };
        Some(Report { actions: whole["actions"].as_array().cloned().unwrap_or_default(), ..self.told(payload) })
    }

    /// The same if it is a final one, without the actions.
    pub fn end(&self) -> Option<Report> {
        self.feedback().map(|payload| self.told(payload)).filter(Report::is_final)
    }

    fn feedback(&self) -> Option<&Payload> {
        match self.topic.as_str() {
            "deviceupdate/desiredstatefeedback" => self.brief().payload.as_ref(),
            "e" if self.brief().path.ends_with("/outbox/messages/feedback") => {
                self.brief().value.as_ref()?.desired_state_feedback.as_ref()
            }
            _ => None,
        }
    }

    fn told(&self, payload: &Payload) -> Report {
        let Payload { status, message, .. } = payload;
        let (activity, status, message) = (self.activity().to_owned(), status.clone(), message.clone());
        Report { at: self.at, activity, status, message, actions: Vec::new() }
    }
}

/// A string in `value`, empty if it is not there.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Topic `sub` of `domain`, say `containersupdate/desiredstate`.
pub fn topic(domain: &str, sub: &str) -> String {
    let domain = domain.replace('-', "");
    let suffix = if domain.ends_with("update") { "" } else { "update" };
    format!("{domain}{suffix}/{sub}")
}

/// Whether `name` is that topic, without making it: agents ask that of every message.
pub fn is_topic(name: &str, domain: &str, sub: &str) -> bool {
    let Some(begin) = name.strip_suffix(sub).and_then(|begin| begin.strip_suffix('/')) else { return false };
    let is_domain = |form: &str| form.chars().eq(domain.chars().filter(|letter| *letter != '-'));
    match domain.ends_with("update") {
        true => is_domain(begin),
        false => begin.strip_suffix("update").is_some_and(is_domain),
    }
}

#[test]
fn a_topic_is_known_as_it_is_made() {
    for domain in ["one", "self-update", "containers"] {
        for sub in ["desiredstate", "desiredstate/command"] {
            assert!(is_topic(&topic(domain, sub), domain, sub));
        }
        assert!(!is_topic(&topic(domain, "desiredstate/command"), domain, "desiredstate"));
        assert!(!is_topic(&topic("two", "desiredstate"), domain, "desiredstate"));
    }
}
