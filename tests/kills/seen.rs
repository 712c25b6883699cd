//! What the broker showed of the activities, and whether it may be so.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::time::Instant;

use serde_json::Value;

use crate::courses::Courses;
use crate::groups::{Groups, Patience, Turned};
use crate::link::envelope::{now_ms, text};

const FEEDBACK: &str = "deviceupdate/desiredstatefeedback";
const FINAL: [&str; 4] = ["COMPLETED", "INCOMPLETE", "INCOMPLETE_INCONSISTENT", "IDENTIFICATION_FAILED"];

/// Messages that are kept for a failure's report.
const TAIL: usize = 80;

/// How an activity ended.
#[derive(Clone, Debug)]
pub struct End {
    pub status: String,
    pub message: String,
    /// How often the same status was told again.
    pub repeats: u32,
}

pub struct Seen {
    start: Instant,
    pub ends: HashMap<String, End>,
    /// Activities of which anything was told.
    told: HashMap<String, u32>,
    /// Activities that were judged: nothing more may be said of them, but the same
    /// end by each manager that was killed before it knew that the end was told.
    closed: HashMap<String, u32>,
    /// How often that was so.
    pub late: u64,
    /// Hashes of whole messages, for one of QoS 1 may come twice.
    hashes: HashSet<u64>,
    tail: Vec<String>,
    /// Commands to the domains of activities that are not judged yet.
    courses: Courses,
    /// The same, of activities in groups.
    pub groups: Groups,
    /// Messages that came twice, byte for byte.
    pub duplicates: u32,
}

impl Seen {
    pub fn new(resume_after_ms: u64, patience: Patience) -> Seen {
        Seen {
            start: Instant::now(),
            ends: HashMap::new(),
            told: HashMap::new(),
            closed: HashMap::new(),
            late: 0,
            hashes: HashSet::new(),
            tail: Vec::new(),
            courses: Courses::new(resume_after_ms),
            groups: Groups::new(patience),
            duplicates: 0,
        }
    }

    /// Takes a message in.
    ///
    /// # Errors
    /// It must not be.
    pub fn take(&mut self, topic: &str, raw: &str) -> Result<(), String> {
        let json: Value = serde_json::from_str(raw).map_err(|error| format!("no JSON on {topic}: {error}: {raw}"))?;
        let (activity, payload) = (text(&json, "activityId"), &json["payload"]);
        let (status, command) = (text(payload, "status"), text(payload, "command"));
        let at_ms = self.start.elapsed().as_millis();
        let is_probe = activity.starts_with("probe-");
        let is_progress = status.ends_with("ING");
        if !is_probe && !is_progress {
            self.tail.push(format!("{at_ms:>7} {topic} {activity} {status}{command} {}", text(payload, "message")));
        }
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..TAIL);
        }
        let is_told = topic == FEEDBACK;
        let is_asked = topic.ends_with("/desiredstate") && topic != "deviceupdate/desiredstate" || !command.is_empty();
        let is_answer = !is_told && topic.ends_with("/desiredstatefeedback");
        if !is_told && !is_asked && !is_answer {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        (topic, raw).hash(&mut hasher);
        if !self.hashes.insert(hasher.finish()) {
            self.duplicates += 1;
            return Ok(());
        }
        let at = json["timestamp"].as_u64().unwrap_or_default();
        let domain = topic.split('/').next().unwrap_or_default().trim_end_matches("update");
        if is_answer {
            self.courses.answer(activity, domain, at, status);
            self.groups.answer(activity, domain, at, status);
            return Ok(());
        }
        if let Some(repeats) = self.closed.get_mut(activity) {
            let is_same = is_told && self.ends.get(activity).is_some_and(|end| end.status == status);
            if !is_same || *repeats == 0 {
                return Err(format!("{activity}: {topic} {status}{command} long after its end"));
            }
            *repeats -= 1;
            self.late += 1;
            return Ok(());
        }
        let end = self.ends.get_mut(activity);
        match end {
            Some(end) if is_asked => return Err(format!("{activity}: {topic} {command} after {}", end.status)),
            Some(end) if end.status != status => return Err(format!("{activity}: {status} after {}", end.status)),
            Some(end) => end.repeats += 1,
            None if is_told => {
                let message = text(payload, "message");
                self.groups.tell(activity, at, status, message)?;
                if FINAL.contains(&status) {
                    let (status, message) = (status.to_owned(), message.to_owned());
                    self.ends.insert(activity.to_owned(), End { status, message, repeats: 0 });
                }
            }
            None => {}
        }
        if is_asked {
            self.courses.ask(activity, domain, at, command)?;
            self.groups.ask(activity, domain, at, command)?;
        }
        if is_told {
            *self.told.entry(activity.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    /// Adds a line of the caller's own to the messages.
    pub fn note(&mut self, words: &str) {
        self.tail.push(format!("{:>7} -- {words}", self.start.elapsed().as_millis()));
    }

    /// The activity is judged. A manager that starts anew tells an end once more when
    /// it has saved it, and may answer a probe before that: so many repeats may come.
    /// Returns how many desired states and commands were sent again, and what became of
    /// its groups.
    pub fn close(&mut self, activity: &str, repeats: u32) -> ((u32, u32), Turned) {
        self.closed.insert(activity.to_owned(), repeats);
        (self.courses.close(activity), self.groups.close(activity))
    }

    /// The manager has lost what was on its way to it.
    pub fn lose_session(&mut self) {
        self.courses.lose_session(now_ms());
        self.groups.lose_session(now_ms());
    }

    /// Whether the backend was told anything of the activity.
    pub fn is_told(&self, activity: &str) -> bool {
        self.told.contains_key(activity)
    }

    /// The last messages, without progress.
    pub fn tail(&self) -> String {
        self.tail[self.tail.len().saturating_sub(TAIL)..].join("\n")
    }
}
