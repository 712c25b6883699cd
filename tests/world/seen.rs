//! A message as the broker saw it.

use std::cell::OnceCell;

use serde_json::Value;

/// Who a message is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Manager,
    Others,
}

/// A message that went through the broker.
#[derive(Clone, Debug)]
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
    json: OnceCell<Value>,
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
        matches!(self.status.as_str(), "IDENTIFICATION_FAILED" | "COMPLETED" | "INCOMPLETE")
    }
}

impl Seen {
    pub fn new(at: u64, from: From, topic: &str, bytes: &[u8], retain: bool) -> Seen {
        let (topic, bytes) = (topic.to_owned(), bytes.to_vec());
        Seen { at, from, topic, bytes, retain, again: false, json: OnceCell::new() }
    }

    /// Null if it is no JSON.
    pub fn json(&self) -> &Value {
        self.json.get_or_init(|| serde_json::from_slice(&self.bytes).unwrap_or_default())
    }

    /// Its activity, empty if there is none.
    pub fn activity(&self) -> String {
        let json = self.json();
        let envelope = if json["value"].is_object() { &json["value"] } else { json };
        text(envelope, "activityId").to_owned()
    }

    /// Its status and the like, in the payload.
    pub fn payload_text(&self, key: &str) -> String {
        text(&self.json()["payload"], key).to_owned()
    }

    /// The feedback to the backend that it is, plain or a thing's.
    pub fn report(&self) -> Option<Report> {
        if self.topic != "e" && self.topic != "deviceupdate/desiredstatefeedback" {
            return None;
        }
        let json = self.json();
        let (envelope, payload) = match self.topic.as_str() {
            "deviceupdate/desiredstatefeedback" => (json, &json["payload"]),
            "e" if text(json, "path").ends_with("/outbox/messages/feedback") => {
                (&json["value"], &json["value"]["desiredStateFeedback"])
            }
            _ => return None,
        };
        Some(Report {
            at: self.at,
            activity: text(envelope, "activityId").to_owned(),
            status: text(payload, "status").to_owned(),
            message: text(payload, "message").to_owned(),
            actions: payload["actions"].as_array().cloned().unwrap_or_default(),
        })
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
