//! Everything at once, again and again: activities and inventories as large as they may be,
//! console clients that ask and read nothing, and a broker that soon acknowledges nothing,
//! leaves a message half sent and breaks the connection.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use update_manager::limits::{INVENTORIES_MAX, LINK_STEADY_MS};

use crate::agents::enveloped;
use crate::bare::{suback, Bare, Message};
use crate::clients;
use crate::endpoint::Endpoint;
use crate::figures::peak_of;
use crate::largest;
use crate::link::envelope::topic;
use crate::processes::wait_until;
use crate::site::Build;

/// kB that may be resident at most, without TLS and with it. Without TLS, 700 are the binary,
/// 1,900 what is allocated at the start, 270 the message that is being received, 260 a request
/// of the console, and 150 stacks and small things. TLS adds a binary that is 850 larger.
pub const CEILING: [u64; 2] = [3_440, 4_470];

/// Seconds that it goes on, unless `LOAD_SECONDS` says otherwise; a cycle of two connections
/// takes some 25.
const SECONDS: u64 = 180;

/// How long the broker acknowledges at the beginning of a connection: what waits from the
/// connection before is delivered, or no desired state would be taken.
const ACKNOWLEDGING: Duration = Duration::from_millis(1_000);

/// When the broker breaks a connection. The next one follows a steady one soon.
const BROKEN_AFTER: Duration = Duration::from_millis(LINK_STEADY_MS + 1_000);

/// Between two bursts of requests and inventories.
const BURSTS: Duration = Duration::from_millis(1_500);

/// How long the manager may take no byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long console clients are held: less than the manager would bear with them.
const CLIENTS_STAY: Duration = Duration::from_secs(5);

pub fn go_on(build: &Build, count: usize) -> u64 {
    let seconds = std::env::var("LOAD_SECONDS").map_or(SECONDS, |text| text.parse().expect("LOAD_SECONDS: a number"));
    let endpoint = Endpoint::start(build.is_tls);
    let names = largest::domains(count);
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let console = endpoint.folder.file("console.sock");
    let config = json!({
        "isSaved": true, "currentStateDelay": "100ms", "reportFeedbackInterval": "100ms", "consoleSocket": console,
        "connection": { "acknowledgeTimeout": "8s", "cleanSession": false },
    });
    let manager = endpoint.manager(build, &domains, config);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut parties = Parties::new(&domains);
    std::thread::scope(|scope| {
        scope.spawn(|| hold_clients(&console, end));
        while Instant::now() < end {
            parties.serve(&mut endpoint.accept());
        }
    });
    parties.judge();
    peak_of(manager)
}

fn hold_clients(console: &Path, end: Instant) {
    wait_until("the console listens", PATIENCE, || console.exists());
    while Instant::now() < end {
        let _clients = clients::hold(console);
        std::thread::sleep(CLIENTS_STAY);
    }
}

/// The broker with all who speak to the manager by it.
struct Parties<'a> {
    domains: &'a [&'a str],
    is_acknowledging: bool,
    /// An activity has no end yet.
    is_running: bool,
    connections: u32,
    applied: u32,
    requests: u32,
    /// Activities that were `COMPLETED`, and those that were `INCOMPLETE`.
    ended: [BTreeSet<String>; 2],
    /// Bytes of the largest messages to the backend.
    report_max: usize,
    inventory_max: usize,
}

impl<'a> Parties<'a> {
    fn new(domains: &'a [&'a str]) -> Parties<'a> {
        Parties {
            domains,
            is_acknowledging: true,
            is_running: false,
            connections: 0,
            applied: 0,
            requests: 0,
            ended: Default::default(),
            report_max: 0,
            inventory_max: 0,
        }
    }

    /// One connection. Every other one is broken by the broker, with a desired state of which
    /// the end is missing; the others go on until the manager gives them up.
    fn serve(&mut self, bare: &mut Bare) {
        self.connections += 1;
        self.is_running = false;
        let start = Instant::now();
        let mut burst = start + ACKNOWLEDGING;
        while !bare.is_over {
            self.is_acknowledging = start.elapsed() < ACKNOWLEDGING;
            if self.connections % 2 == 0 && start.elapsed() > BROKEN_AFTER {
                let publish =
                    bare.publish_packet(&topic("device", "desiredstate"), self.next_desired_state().as_bytes());
                bare.try_send(&publish[..publish.len() - 1], PATIENCE);
                std::thread::sleep(Duration::from_millis(500));
                return;
            }
            if Instant::now() >= burst {
                burst += BURSTS;
                self.burst(bare);
            }
            if let Some((first, body)) = bare.packet(Duration::from_millis(20)) {
                self.handle(bare, first, &body);
            }
        }
    }

    /// Inventories of all domains, questions for them, and an activity if none runs.
    fn burst(&mut self, bare: &mut Bare) {
        for domain in self.domains {
            self.publish(bare, domain, "currentstate", &self.inventory("", domain));
        }
        for _ in 0..8 {
            self.requests += 1;
            let asked = largest::activity(&format!("get-{}-", self.requests));
            self.publish(bare, "device", "currentstate/get", &enveloped(&asked, "null"));
        }
        if !self.is_running {
            self.is_running = true;
            let desired = self.next_desired_state();
            self.publish(bare, "device", "desiredstate", &desired);
        }
    }

    /// The desired state of a new activity.
    fn next_desired_state(&mut self) -> String {
        self.applied += 1;
        largest::desired_state(&largest::activity(&format!("act-{}-", self.applied)), self.domains)
    }

    fn inventory(&self, activity: &str, domain: &str) -> String {
        largest::inventory(activity, domain, INVENTORIES_MAX / self.domains.len() - 512)
    }

    fn publish(&self, bare: &mut Bare, domain: &str, sub: &str, payload: &str) {
        let publish = bare.publish_packet(&topic(domain, sub), payload.as_bytes());
        bare.try_send(&publish, PATIENCE);
    }

    /// Answers a packet of the manager's (MQTT 3.1.1, 3.1 to 3.12).
    fn handle(&mut self, bare: &mut Bare, first: u8, body: &[u8]) {
        match first >> 4 {
            // CONNACK, with the session of the connection before.
            1 => bare.try_send(&[0x20, 2, u8::from(self.connections > 1), 0], PATIENCE),
            8 => bare.try_send(&suback(body), PATIENCE),
            10 => bare.try_send(&[0xb0, 2, body[0], body[1]], PATIENCE),
            12 => bare.try_send(&[0xd0, 0], PATIENCE),
            3 => {
                let (message, id) = Message::parse(first, body);
                if let Some([a, b]) = id.filter(|_| self.is_acknowledging) {
                    bare.try_send(&[0x40, 2, a, b], PATIENCE);
                }
                self.answer(bare, &message);
                true
            }
            _ => true,
        };
    }

    /// Answers as the agents, with as much as they may say; every other activity fails.
    fn answer(&mut self, bare: &mut Bare, message: &Message) {
        let Some((domain, sub)) = message.topic.split_once("update/") else { return };
        let activity = message.field("activityId");
        if domain == "device" {
            return self.note(sub, message);
        }
        if sub == "currentstate/get" {
            return self.publish(bare, domain, "currentstate", &self.inventory(activity, domain));
        }
        let statuses: &[&str] = match message.field("command") {
            "" => &["IDENTIFYING", "IDENTIFIED"],
            "DOWNLOAD" => &["DOWNLOADING", "DOWNLOAD_SUCCESS"],
            "UPDATE" if self.applied % 2 == 0 => &["UPDATING", "UPDATE_FAILURE"],
            "UPDATE" => &["UPDATING", "UPDATE_SUCCESS"],
            "ACTIVATE" => &["ACTIVATING", "ACTIVATION_SUCCESS"],
            "ROLLBACK" => &["ROLLBACK_SUCCESS"],
            _ => &["CLEANUP_SUCCESS"],
        };
        for status in statuses {
            let feedback = largest::feedback(activity, status, self.domains.len());
            self.publish(bare, domain, "desiredstatefeedback", &feedback);
        }
    }

    /// What the backend gets.
    fn note(&mut self, sub: &str, message: &Message) {
        let len = message.payload.len();
        if sub == "currentstate" {
            self.inventory_max = self.inventory_max.max(len);
        } else if sub == "desiredstatefeedback" {
            self.report_max = self.report_max.max(len);
            let ended = ["COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED"]
                .iter()
                .position(|end| *end == message.field("status"));
            self.is_running &= ended.is_none();
            if let Some(ended) = ended.and_then(|place| self.ended.get_mut(place)) {
                ended.insert(message.field("activityId").to_owned());
            }
        }
    }

    /// All of it has happened, and often.
    fn judge(&self) {
        let Parties { connections, applied, report_max, inventory_max, .. } = self;
        let (completed, incomplete) = (self.ended[0].len(), self.ended[1].len());
        let done = format!(
            "{connections} connections, {applied} desired states, {completed} completed, {incomplete} incomplete, \
             reports of up to {report_max} bytes, inventories of up to {inventory_max}"
        );
        assert!(*report_max > 200_000 && *inventory_max > 480_000, "{done}");
        assert!(*connections > 1 && completed > 1 && incomplete > 0, "{done}");
    }
}
