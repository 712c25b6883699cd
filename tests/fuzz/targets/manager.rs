//! A whole manager: the far end speaks MQTT as a broker does, and what it brings is arbitrary.
//!
//! The first piece of the input says how the manager is configured, by letters;
//! each other one is a step: a letter, and what belongs to it.
#![no_main]

use std::sync::OnceLock;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mqttbytes::v4::Packet;
use serde_json::Value;
use update_manager::config::{load, Config, Order};
use update_manager::console::view::Host;
use update_manager::engine::{Engine, Policies};
use update_manager::limits::PAYLOAD_IN_MAX;
use update_manager::manager::{will, Manager, Reply};
use update_manager::model::time::{Now, Tick};
use update_manager::mqtt::{LinkWish, Options};
use update_manager::shell;
use update_manager_fuzz::broker::{connack, covers, packets, publish, small, suback};
use update_manager_fuzz::{json, log_everything, pieces, was_message_lost};

/// What a step's letter publishes on.
const TOPICS: [(u8, &str); 14] = [
    (b'd', "deviceupdate/desiredstate"),
    (b'o', "deviceupdate/desiredstate/command"),
    (b'g', "deviceupdate/currentstate/get"),
    (b'c', "deviceupdate/ownerconsentfeedback"),
    (b'f', "containersupdate/desiredstatefeedback"),
    (b'F', "selfupdate/desiredstatefeedback"),
    (b'i', "containersupdate/currentstate"),
    (b'I', "selfupdate/currentstate"),
    (b'e', "edge/thing/response"),
    (b'a', "command///req/id-1/apply"),
    (b'r', "c//test.ns:edge:device/q/id-2/refresh"),
    (b'n', "command//test.ns:edge:device/req/id-3/consent"),
    (b'u', "c///q//"),
    (b's', "status/of/mine"),
];

/// In a payload, the correlation id of the last question to the owner.
const QUESTION: &[u8] = b"%Q";

const FINAL: [&str; 3] = ["COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED"];

/// Steps of time in which an activity that is left alone has to have ended.
const TURNS_MAX: usize = 2000;

fuzz_target!(|input: &[u8]| {
    log_everything();
    let mut steps = pieces(input);
    let mut world = World::new(steps.next().unwrap_or_default());
    for step in steps.take(64) {
        world.take(step);
        world.follow();
    }
    world.end();
});

/// The configuration of these letters. Few differ, so each is made once.
fn config(letters: &[u8]) -> &'static Config {
    static CONFIGS: OnceLock<Vec<Config>> = OnceLock::new();
    let configs = CONFIGS.get_or_init(|| {
        let one = |n: usize| {
            let is = |bit: usize| n >> bit & 1 == 1;
            let things = format!("--things-enabled={}", is(0));
            let consent = if is(1) { "--owner-consent-commands=download,update,activate" } else { "--domain=device" };
            let reboot = format!("--containers-reboot-required={}", is(2));
            let session = format!("--mqtt-conn-clean-session={}", !is(3));
            let status = if is(3) { "--mqtt-conn-status-topic=status/of/mine" } else { "--reboot-after=1s" };
            let args = [
                &things,
                consent,
                &reboot,
                &session,
                status,
                "--domains=containers,self-update",
                "--mqtt-conn-client-id=me",
                "--phase-timeout=5s",
                "--cleanup-timeout=2s",
                "--owner-consent-timeout=4s",
                "--current-state-delay=1s",
                "--report-feedback-interval=1s",
                "--containers-read-timeout=2s",
            ];
            match load(&args, &|_| None) {
                Ok(Order::Run(loaded)) => loaded.config,
                other => panic!("a good configuration: {other:?}"),
            }
        };
        (0..16).map(one).collect()
    });
    let bit = |(bit, letter): (usize, &u8)| usize::from(letters.contains(letter)) << bit;
    &configs[b"tcrp".iter().enumerate().map(bit).sum::<usize>()]
}

/// The broker's end of the link, or of the last one.
#[derive(Default)]
struct Link {
    is_up: bool,
    /// What the manager sent and the broker has not read.
    wire: BytesMut,
    filters: Vec<String>,
}

struct World {
    config: &'static Config,
    manager: Manager,
    now: Now,
    link: Link,
    /// The broker answers nothing.
    is_mute: bool,
    /// Bytes that the transport takes at once.
    window: usize,
    next_id: u16,
    question: String,
    /// The activity that the backend was told has begun, and not ended.
    running: Option<String>,
    /// The telling cannot be followed: something was lost for want of room.
    is_blind: bool,
    /// A message that is too large has come. One is enough: it takes long.
    had_large: bool,
}

impl World {
    fn new(letters: &[u8]) -> World {
        let config = config(letters);
        let settings = shell::settings(&config, false);
        let options = Options {
            clean_session: config.connection.is_clean(false),
            retain: config.connection.retain,
            will: will(&config.connection.status_topic),
            seed: 7,
            ..Options::new("me")
        };
        let now = Now { tick: Tick(1000), wall: 1_700_000_000_000 };
        let manager = Manager::new(config, options, Engine::new(settings, Policies::default()), 7, false, now)
            .expect("good domains");
        let mut world = World {
            config,
            manager,
            now,
            link: Link::default(),
            is_mute: false,
            window: 4096,
            next_id: 1,
            question: String::new(),
            running: None,
            is_blind: false,
            had_large: false,
        };
        world.follow();
        world
    }

    fn take(&mut self, step: &[u8]) {
        let Some((&letter, rest)) = step.split_first() else { return };
        let number = rest.iter().take(6).fold(0u64, |n, b| n * 10 + u64::from(b.wrapping_sub(b'0') % 10));
        match letter {
            b'+' => self.pass(number),
            b'-' => self.link_down(),
            b'!' => self.manager.handle_terminate(self.now),
            b'm' => self.is_mute = !self.is_mute,
            b'w' => self.window = (number as usize).clamp(1, 4096),
            b'b' => self.feed(rest),
            b'q' => self.ask(rest),
            b'R' if self.manager.poll_reboot() => self.manager.handle_reboot_failed(self.now),
            // What is too large, of this beginning.
            b'l' if !self.had_large => {
                self.had_large = true;
                let mut payload = rest.to_vec();
                payload.resize(PAYLOAD_IN_MAX + 1, b' ');
                self.publish(TOPICS[0].1, &payload);
                self.publish(TOPICS[9].1, &payload);
            }
            // A topic of one's own before the first line's end.
            b't' => {
                let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                let topic = String::from_utf8_lossy(&rest[..end.min(1100)]).into_owned();
                self.publish(&topic, rest.get(end + 1..).unwrap_or_default());
            }
            _ => {
                let Some((_, topic)) = TOPICS.iter().find(|(known, _)| *known == letter) else { return };
                self.publish(topic, rest);
            }
        }
    }

    /// Somebody at the console asks; the answer is one line of JSON.
    fn ask(&mut self, line: &[u8]) {
        let host = Host {
            broker: &"tcp://127.0.0.1:1883",
            may_control: true,
            resident_kib: || 1,
            link_error: "",
            configuration: &String::new,
        };
        let (mut out, mut from) = (String::new(), None);
        loop {
            let mut piece = String::new();
            let reply = self.manager.handle_console(self.now, &host, line, from, &mut piece);
            out.push_str(&piece);
            match reply {
                Reply::Later => return,
                Reply::Whole => break,
                Reply::Piece(place) => from = Some(place),
                Reply::Cut => panic!("nothing has changed meanwhile"),
            }
        }
        assert_eq!(out.find('\n'), Some(out.len() - 1), "an answer is one line: {out}");
        json::written(&out);
    }

    /// The broker brings a message if it was asked for, at QoS 1.
    fn publish(&mut self, topic: &str, payload: &[u8]) {
        if !self.link.is_up || !self.link.filters.iter().any(|filter| covers(filter, topic)) {
            return;
        }
        let mut filled = Vec::with_capacity(payload.len());
        let mut rest = payload;
        while let Some(at) = rest.windows(QUESTION.len()).position(|w| w == QUESTION) {
            filled.extend_from_slice(&rest[..at]);
            filled.extend_from_slice(self.question.as_bytes());
            rest = &rest[at + QUESTION.len()..];
        }
        filled.extend_from_slice(rest);
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.feed(&publish(topic, 1, self.next_id, false, &filled));
    }

    /// One turn of the loop after another, until there is nothing more to do now.
    fn follow(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.manager.is_ended() {
                return;
            }
            match self.manager.poll_link(self.now) {
                LinkWish::Open => {
                    self.manager.handle_link_up(self.now);
                    self.link = Link { is_up: true, ..Link::default() };
                }
                LinkWish::Close(_) => self.link_down(),
                LinkWish::Wait(_) | LinkWish::Keep => {}
            }
            let any = self.manager.handle_events(self.now);
            if !self.transmit() && !any {
                return;
            }
        }
        panic!("the loop does not come to rest");
    }

    fn link_down(&mut self) {
        if self.link.is_up {
            self.link.is_up = false;
            self.manager.handle_link_down(self.now);
        }
    }

    /// Hands received bytes in, as many as are taken.
    fn feed(&mut self, mut bytes: &[u8]) {
        for _ in 0..TURNS_MAX {
            let room = self.manager.receive_buffer();
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            self.manager.handle_received(self.now, n);
            let any = self.manager.handle_events(self.now);
            // What is not taken yet waits for the rest of a document, or is lost.
            if bytes.is_empty() || (n == 0 && !any && !self.transmit()) || !self.link.is_up {
                return;
            }
        }
    }

    fn transmit(&mut self) -> bool {
        if !self.link.is_up {
            return false;
        }
        let mut out = vec![0; self.window];
        let n = self.manager.poll_transmit(self.now, &mut out);
        self.link.wire.extend_from_slice(&out[..n]);
        for packet in packets(&mut self.link.wire) {
            let answer = self.read(packet);
            if !self.is_mute && !answer.is_empty() {
                self.feed(&answer);
            }
        }
        n > 0
    }

    /// What the broker makes of a packet, and its answer.
    fn read(&mut self, packet: Packet) -> Vec<u8> {
        match packet {
            Packet::Connect(_) => connack(false, 0),
            Packet::Publish(message) => {
                self.listen(&message.topic, &message.payload, message.dup);
                small(0x40, message.pkid)
            }
            Packet::Subscribe(request) => {
                let codes = vec![1; request.filters.len()];
                self.link.filters.extend(request.filters.into_iter().map(|filter| filter.path));
                suback(request.pkid, &codes)
            }
            Packet::Unsubscribe(request) => {
                self.link.filters.retain(|filter| !request.topics.contains(filter));
                small(0xb0, request.pkid)
            }
            Packet::PingReq => vec![0xd0, 0],
            // PUBREC and PUBCOMP answer to what the input itself made up.
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_) | Packet::Disconnect => Vec::new(),
            packet => panic!("the manager does not send that: {packet:?}"),
        }
    }

    /// What the manager tells is JSON, and the course of an activity makes sense.
    fn listen(&mut self, topic: &str, payload: &[u8], is_repeat: bool) {
        assert!(!topic.contains(['+', '#']) && !topic.is_empty());
        if topic == "edge/thing/request" {
            return assert!(payload.is_empty());
        }
        let text = std::str::from_utf8(payload).expect("what is told is UTF-8");
        let Some(message) = json::written(text) else { return };
        if let Some(id) = message["headers"]["correlation-id"].as_str().filter(|_| topic == "e") {
            id.clone_into(&mut self.question);
        }
        if topic == "deviceupdate/desiredstatefeedback" && !is_repeat {
            self.follow_feedback(&message);
        }
    }

    /// Each activity that was told to be identifying gets one final status before
    /// the next begins.
    fn follow_feedback(&mut self, message: &Value) {
        self.is_blind |= was_message_lost();
        if self.is_blind {
            return;
        }
        let activity = message["activityId"].as_str().expect("an activity").to_owned();
        let status = message["payload"]["status"].as_str().expect("a status");
        let is_running = self.running.as_ref() == Some(&activity);
        match status {
            "IDENTIFYING" => {
                assert_eq!(self.running, None, "one activity at a time");
                self.running = Some(activity);
            }
            "IDENTIFIED" | "RUNNING" => assert!(is_running, "{status} of what does not run"),
            "COMPLETED" => assert!(self.running.take() == Some(activity), "completed though it did not run"),
            // Also of a desired state that was refused, or that nobody serves.
            _ => {
                assert!(FINAL.contains(&status), "{status}");
                if is_running {
                    self.running = None;
                }
            }
        }
    }

    /// So many milliseconds pass, with all that falls due in them.
    fn pass(&mut self, ms: u64) {
        let end = self.now.tick.after(ms);
        for _ in 0..TURNS_MAX {
            let Some(due) = self.manager.poll_timeout().filter(|due| *due <= end) else { break };
            self.move_to(due);
            self.manager.handle_timeout(self.now);
            self.follow();
            if self.manager.is_ended() {
                return;
            }
        }
        self.move_to(end);
    }

    fn move_to(&mut self, tick: Tick) {
        let tick = tick.max(self.now.tick);
        self.now = Now { tick, wall: self.now.wall + tick.since(self.now.tick) };
    }

    /// Left alone with a broker that is there, a running activity ends, and the
    /// backend hears of it.
    fn end(&mut self) {
        self.is_mute = false;
        self.window = 4096;
        // A broker that fell silent is noticed, and comes back.
        self.link_down();
        self.follow();
        self.pass(200_000);
        assert!(!self.link.is_up || !self.link.filters.is_empty() || self.manager.is_ended());
        let is_followed = !self.is_blind && !was_message_lost() && !self.manager.is_ended();
        if is_followed && !self.config.things_enabled {
            assert_eq!(self.running, None, "the backend waits for ever");
        }
        self.manager.handle_terminate(self.now);
        self.follow();
        self.pass(10_000);
        assert!(self.manager.is_ended(), "it does not end");
    }
}
