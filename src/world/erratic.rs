//! An agent that does anything that agents do, and some that they should not.

use std::fmt::Write;

use crate::world::actors::{inventory, Actor, Said};
use crate::world::seen::{topic, Seen};

/// A small generator of random numbers: xorshift, seeded well apart.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.number() >> 11) % n
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Statuses that may come at any time.
const STATUSES: [&str; 26] = [
    "IDENTIFYING",
    "IDENTIFIED",
    "IDENTIFICATION_FAILED",
    "RUNNING",
    "COMPLETED",
    "COMPLETE",
    "INCOMPLETE",
    "INCOMPLETE_INCONSISTENT",
    "SUPERSEDED",
    "DOWNLOADING",
    "DOWNLOAD_SUCCESS",
    "DOWNLOAD_FAILURE",
    "UPDATING",
    "UPDATE_SUCCESS",
    "UPDATE_FAILURE",
    "ACTIVATING",
    "ACTIVATION_SUCCESS",
    "ACTIVATION_FAILURE",
    "ROLLBACK",
    "ROLLBACK_SUCCESS",
    "ROLLBACK_FAILURE",
    "CLEANUP",
    "CLEANUP_SUCCESS",
    "CLEANUP_FAILURE",
    "VERIFYING",
    "",
];

/// Messages that mean nothing.
const NOISE: [&str; 6] = ["", "null", "{", "{\"payload\":{}}", "{\"activityId\":7}", "\u{0}"];

/// Where an agent hears and speaks.
struct Topics {
    state: String,
    command: String,
    get: String,
    feedback: String,
    inventory: String,
}

impl Topics {
    fn new(domain: &str) -> Topics {
        Topics {
            state: topic(domain, "desiredstate"),
            command: topic(domain, "desiredstate/command"),
            get: topic(domain, "currentstate/get"),
            feedback: topic(domain, "desiredstatefeedback"),
            inventory: topic(domain, "currentstate"),
        }
    }
}

/// How one agent behaves, in percent.
pub struct Erratic {
    domain: String,
    topics: Topics,
    random: Random,
    silence: u64,
    failure: u64,
    noise: u64,
}

impl Erratic {
    pub fn new(domain: &str, mut random: Random) -> Erratic {
        let [silence, failure, noise] = [[0, 0, 5, 30], [0, 5, 10, 30], [0, 0, 20, 50]].map(|of| random.of(&of));
        Erratic { domain: domain.to_owned(), topics: Topics::new(domain), random, silence, failure, noise }
    }

    fn delay(&mut self) -> u64 {
        let most = self.random.of(&[1, 100, 2_000, 40_000]);
        self.random.below(most)
    }

    fn feedback(&mut self, activity: &str, status: &str) -> Vec<u8> {
        let mut actions = String::new();
        for n in 0..self.random.below(3) {
            let comma = if n == 0 { "" } else { "," };
            let id = format!("{}:c{n}", self.domain);
            let (status, progress) = (self.random.of(&STATUSES), self.random.below(101));
            let component = format!(r#"{{"id":"{id}","version":"1"}}"#);
            write!(actions, r#"{comma}{{"component":{component},"progress":{progress},"status":"{status}"}}"#).unwrap();
        }
        let message = match self.random.percent(30) {
            true => self.random.of(&[r#","message":"words""#, r#","message":"\"quoted\"\n""#, r#","message":"""#]),
            false => "",
        };
        let timestamp = self.random.below(1 << 40);
        format!(
            r#"{{"activityId":"{activity}","payload":{{"actions":[{actions}]{message},"status":"{status}"}},"timestamp":{timestamp}}}"#
        )
        .into()
    }

    /// One status after the other, some twice, with noise between.
    fn say(&mut self, activity: &str, statuses: &[&str]) -> Vec<Said> {
        let mut said = Vec::new();
        let mut after_ms = 0;
        for status in statuses {
            after_ms += self.delay();
            let mut bytes = vec![self.feedback(activity, status)];
            if self.random.percent(self.noise) {
                bytes.push(bytes[0].clone());
                let noise = self.random.of(&NOISE);
                bytes.push(noise.into());
                let stray = self.random.of(&STATUSES);
                if self.random.percent(20) {
                    bytes.push(self.feedback(activity, stray));
                }
                bytes.push(self.feedback("a-0", stray));
            }
            for bytes in bytes {
                said.push(Said::new(after_ms, self.topics.feedback.clone(), bytes));
            }
        }
        said
    }

    fn answer(&mut self, command: &str) -> Vec<&'static str> {
        let [interim, success, failure] = match command {
            "" => ["IDENTIFYING", "IDENTIFIED", "IDENTIFICATION_FAILED"],
            "DOWNLOAD" => ["DOWNLOADING", "DOWNLOAD_SUCCESS", "DOWNLOAD_FAILURE"],
            "UPDATE" => ["UPDATING", "UPDATE_SUCCESS", "UPDATE_FAILURE"],
            "ACTIVATE" => ["ACTIVATING", "ACTIVATION_SUCCESS", "ACTIVATION_FAILURE"],
            "ROLLBACK" => ["ROLLBACK", "ROLLBACK_SUCCESS", "ROLLBACK_FAILURE"],
            _ => ["CLEANUP", "CLEANUP_SUCCESS", "CLEANUP_FAILURE"],
        };
        let mut statuses = vec![interim; self.random.below(3) as usize];
        if command == "UPDATE" && self.random.percent(15) {
            // Back to downloading, then it waits for a second UPDATE.
            statuses.extend(["DOWNLOADING", "DOWNLOAD_SUCCESS"]);
            return statuses;
        }
        statuses.push(if self.random.percent(self.failure) { failure } else { success });
        if self.random.percent(10) {
            statuses.pop();
            statuses.push(self.random.of(&["COMPLETED", "INCOMPLETE", "UPDATE_FAILURE", "COMPLETE"]));
        }
        if command == "CLEANUP" {
            statuses.push(self.random.of(&["COMPLETED", "INCOMPLETE", "COMPLETE"]));
        }
        statuses
    }
}

impl Actor for Erratic {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let is = |topic: &str| seen.topic == topic;
        let wanted = is(&self.topics.state) || is(&self.topics.command);
        let asked = is(&self.topics.get);
        if !(wanted || asked) || self.random.percent(self.silence) {
            return Vec::new();
        }
        let activity = seen.activity();
        if asked {
            let bytes = inventory(&self.domain, activity, wall);
            return vec![Said::new(self.delay(), self.topics.inventory.clone(), bytes)];
        }
        let statuses = self.answer(seen.command());
        self.say(activity, &statuses)
    }

    fn handle_crash(&mut self, wall: u64) -> Vec<Said> {
        vec![Said::hello(self.delay(), &self.domain, wall)]
    }

    fn handle_reconnect(&mut self, wall: u64) -> Vec<Said> {
        vec![Said::hello(self.delay(), &self.domain, wall)]
    }

    fn domain(&self) -> &str {
        &self.domain
    }
}
