//! What went on in a world: over the wire and in the log.

use serde_json::Value;

use crate::world::journal;
use crate::world::scenario::World;
use crate::world::seen::{text, topic, From, Report, Seen};

impl World {
    /// All that the manager has sent to a topic, but not what it had to send again.
    pub fn sent_to(&self, topic: &str) -> Vec<&Seen> {
        self.sent().filter(|seen| seen.topic == topic).collect()
    }

    pub fn sent(&self) -> impl Iterator<Item = &Seen> {
        self.broker.seen.iter().filter(|seen| seen.from == From::Manager && !seen.again)
    }

    /// All feedback to the backend about an activity.
    pub fn reports(&self, activity: &str) -> Vec<Report> {
        self.sent().filter(|seen| seen.activity() == activity).filter_map(Seen::report).collect()
    }

    /// All final statuses.
    pub fn ends(&self) -> Vec<Report> {
        self.sent().filter_map(Seen::end).collect()
    }

    /// The statuses of an activity as the backend got them.
    pub fn story(&self, activity: &str) -> Vec<String> {
        self.reports(activity).into_iter().map(|report| report.status).collect()
    }

    /// The last feedback about an activity.
    pub fn last(&self, activity: &str) -> Report {
        self.reports(activity).pop().expect("a report")
    }

    /// The commands that a domain got, of all activities.
    pub fn commands(&self, domain: &str) -> Vec<String> {
        self.commands_at(domain).into_iter().map(|(_, command)| command).collect()
    }

    /// The same with the time at which they came, in milliseconds.
    pub fn commands_at(&self, domain: &str) -> Vec<(u64, String)> {
        let sent = self.sent_to(&topic(domain, "desiredstate/command"));
        sent.into_iter().map(|seen| (seen.at, seen.command().to_owned())).collect()
    }

    /// The activities under which a domain was asked for its inventory.
    pub fn asked(&self, domain: &str) -> Vec<String> {
        let sent = self.sent_to(&topic(domain, "currentstate/get"));
        sent.into_iter().map(|seen| seen.activity().to_owned()).collect()
    }

    /// The current states that were reported, plain: time and message.
    pub fn states(&self) -> Vec<(u64, Value)> {
        self.sent_to("deviceupdate/currentstate").into_iter().map(|seen| (seen.at, seen.json())).collect()
    }

    /// The activities with which the current state was reported, plain.
    pub fn states_of(&self) -> Vec<String> {
        self.states().iter().map(|(_, state)| text(state, "activityId").to_owned()).collect()
    }

    /// All that went over the wire and into the log, in one number: the same for the
    /// same seed, on each machine.
    pub fn digest(&self) -> u64 {
        let mut digest = 0;
        let mut take = |bytes: &[u8]| {
            for chunk in bytes.chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                digest = (digest ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            }
        };
        for seen in &self.broker.seen {
            take(&seen.at.to_le_bytes());
            take(&[seen.from as u8, u8::from(seen.retain), u8::from(seen.again)]);
            take(seen.topic.as_bytes());
            take(&seen.bytes);
        }
        self.reboots.iter().for_each(|at| take(&at.to_le_bytes()));
        journal::each(|_, line| take(line.as_bytes()));
        digest
    }

    /// Whether a line of the log has all of these parts.
    pub fn logged(&self, parts: &[&str]) -> bool {
        journal::lines().iter().any(|(_, line)| parts.iter().all(|part| line.contains(part)))
    }

    /// What went over the wire and into the log, for whoever looks into a failure.
    pub fn print(&self) {
        for seen in &self.broker.seen {
            let body = String::from_utf8_lossy(&seen.bytes);
            let body: String = body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
            let arrow = if seen.from == From::Manager { "->" } else { "<-" };
            let again = if seen.again { " (again)" } else { "" };
            println!("{:>9} {arrow} {}{again} {body}", seen.at, seen.topic);
        }
        journal::lines().iter().for_each(|(level, line)| println!("{level:<5} {line}"));
    }
}
