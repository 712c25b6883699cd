//! An agent against a broker that speaks bytes, over a Unix socket.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{json, Value};

use super::*;
use crate::limits::{CLIENT_INBOX_MAX, CLIENT_PAYLOAD_MAX};

/// How long anything that has to come is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The broker's socket; removed at the end.
struct Broker {
    path: PathBuf,
    listener: UnixListener,
}

impl Broker {
    fn new() -> Broker {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("um-agent-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        Broker { path, listener }
    }

    fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    fn agent(&self) -> Agent {
        Agent::connect("fonts", &self.address()).unwrap()
    }

    /// Accepts a link, and all that it begins with.
    fn greet(&self) -> Link {
        let mut link = self.accept();
        let (kind, body) = link.packet();
        assert_eq!((kind, &body[2..6]), (0x82, &[0, 24, b'f', b'o'][..]), "SUBSCRIBE");
        assert_eq!(body[2..].split(|b| *b == 1).filter(|filter| !filter.is_empty()).count(), 3);
        link.0.write_all(&[0x90, 5, body[0], body[1], 1, 1, 1]).unwrap();
        link
    }

    fn accept(&self) -> Link {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut link = Link(stream);
        assert_eq!(link.packet().0, 0x10, "CONNECT");
        link.0.write_all(&[0x20, 2, 0, 0]).unwrap();
        link
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The broker's end of a link.
struct Link(UnixStream);

impl Link {
    /// The next packet: its first byte, and what follows the fixed header.
    fn packet(&mut self) -> (u8, Vec<u8>) {
        let mut byte = [0];
        self.0.read_exact(&mut byte).unwrap();
        let kind = byte[0];
        let (mut len, mut shift) = (0, 0);
        loop {
            self.0.read_exact(&mut byte).unwrap();
            len |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).unwrap();
        (kind, body)
    }

    /// The next message of the agent's, not acknowledged: packet id, topic, content.
    fn unacknowledged(&mut self) -> ([u8; 2], String, Value) {
        loop {
            let (kind, body) = self.packet();
            if kind == 0x40 {
                continue;
            }
            assert_eq!(kind & 0xf7, 0x32, "a PUBLISH at QoS 1, not retained, {body:?}");
            let (topic, rest) = body[2..].split_at(usize::from(u16::from_be_bytes([body[0], body[1]])));
            let content = serde_json::from_slice(&rest[2..]).unwrap();
            return ([rest[0], rest[1]], String::from_utf8(topic.to_vec()).unwrap(), content);
        }
    }

    /// The next message of the agent's, acknowledged.
    fn message(&mut self) -> (String, Value) {
        let (id, topic, content) = self.unacknowledged();
        self.0.write_all(&[0x40, 2, id[0], id[1]]).unwrap();
        (topic, content)
    }

    /// Sends a message to the agent at QoS 0.
    fn send(&mut self, topic: &str, payload: &[u8]) {
        self.send_as(0x30, topic, payload);
    }

    /// The same with another first byte.
    fn send_as(&mut self, first: u8, topic: &str, payload: &[u8]) {
        let mut len = 2 + topic.len() + payload.len();
        let mut bytes = vec![first];
        while len >= 128 {
            bytes.push((len % 128) as u8 | 0x80);
            len /= 128;
        }
        bytes.extend([len as u8, 0, topic.len() as u8]);
        bytes.extend(topic.as_bytes());
        bytes.extend(payload);
        self.0.write_all(&bytes).unwrap();
    }
}

/// Plays the broker on a thread beside the agent, which goes on with `next` until
/// the broker has seen all that it wants; what it was asked meanwhile.
fn play(agent: &mut Agent, broker: impl FnOnce() + Send) -> Vec<Request> {
    thread::scope(|scope| {
        let broker = scope.spawn(broker);
        let mut asked = Vec::new();
        while !broker.is_finished() {
            asked.extend(agent.next(Duration::from_millis(5)));
        }
        broker.join().unwrap();
        // What was sent last may still be underway.
        asked.extend(std::iter::from_fn(|| agent.next(Duration::from_millis(50))));
        asked
    })
}

/// An agent that is connected, and the broker's end of its link.
fn connected(broker: &Broker) -> (Agent, Link) {
    let mut agent = broker.agent();
    let mut link = None;
    let asked = play(&mut agent, || link = Some(broker.greet()));
    assert!(matches!(&asked[..], [Request::CurrentStateGet { .. }]), "{asked:?}");
    (agent, link.unwrap())
}

fn without_time(mut message: (String, Value)) -> (String, Value) {
    assert!(message.1["timestamp"].take().as_u64() > Some(1_600_000_000_000));
    message
}

#[test]
fn each_new_link_asks_for_the_inventory_once_all_is_subscribed() {
    let broker = Broker::new();
    let mut agent = broker.agent();
    for connections in 1..3 {
        let mut link = None;
        let asked = play(&mut agent, || link = Some(broker.greet()));
        let [Request::CurrentStateGet { activity }] = &asked[..] else { panic!("{asked:?}") };
        assert!(activity.starts_with("initial-current-state-1"), "{activity}");
        assert_eq!(agent.status().reconnects, connections - 1);
        let mut inventory = Inventory::new("fonts", "1.0");
        let (id, version) = (agent.node_id("serif"), "2".to_owned());
        inventory.add_software(SoftwareNode { id, version, kind: SoftwareType::Data, ..SoftwareNode::default() });
        inventory.add_hardware(HardwareNode { id: "hw".into(), addressable: true, ..HardwareNode::default() });
        agent.inventory(activity, &inventory).unwrap();
        let root = json!({
            "id": "fonts-update-agent", "version": "1.0", "name": "Update agent for fonts", "type": "APPLICATION",
            "parameters": [{ "key": "domain", "value": "fonts" }],
        });
        let payload = json!({
            "hardwareNodes": [{ "id": "hw", "addressable": true }],
            "softwareNodes": [root, { "id": "fonts:serif", "version": "2", "type": "DATA" }],
            "associations": [
                { "sourceId": "fonts-update-agent", "targetId": "fonts:serif" },
                { "sourceId": "fonts-update-agent", "targetId": "hw" },
            ],
        });
        let message = json!({ "activityId": activity, "timestamp": null, "payload": payload });
        let said = without_time(link.as_mut().unwrap().message());
        assert_eq!(said, ("fontsupdate/currentstate".to_owned(), message));
    }
}

#[test]
fn a_refused_subscription_is_asked_for_again_on_the_same_link_and_on_the_next() {
    let broker = Broker::new();
    let connection = connection(&broker.address()).unwrap();
    let connection = Connection { client_id: "a".into(), clean_session: Some(false), ..connection };
    let mut agent = Agent::connect_with("fonts", connection).unwrap();
    let asked = play(&mut agent, || {
        let mut link = broker.accept();
        let (_, first) = link.packet();
        link.0.write_all(&[0x90, 5, first[0], first[1], 1, 0x80, 1]).unwrap();
        let (kind, body) = link.packet();
        assert_eq!((kind, body.iter().filter(|byte| **byte == 1).count()), (0x82, 1), "the refused one alone");
        link.0.write_all(&[0x90, 3, body[0], body[1], 0x80]).unwrap();
    });
    assert_eq!(asked.len(), 1);
    let asked = play(&mut agent, || {
        let (stream, _) = broker.listener.accept().unwrap();
        let mut link = Link(stream);
        link.packet();
        // The session is kept, and lacks a subscription.
        link.0.write_all(&[0x20, 2, 1, 0]).unwrap();
        let (kind, body) = link.packet();
        assert_eq!(kind, 0x82, "SUBSCRIBE");
        link.0.write_all(&[0x90, 5, body[0], body[1], 1, 1, 1]).unwrap();
    });
    assert_eq!(asked.len(), 1, "it greets when all is subscribed");
}

#[test]
fn what_the_manager_sends_is_handed_over_unescaped_and_without_the_domain() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    let desired = json!({ "activityId": "a\"1", "timestamp": 1, "payload": {
        "baselines": [{ "title": "all", "preconditions": "none", "components": ["fonts:serif", "other:x"] }],
        "domains": [{
            "id": "fonts", "config": [{ "key": "k", "value": "v\n" }],
            "components": [{ "id": "serif", "version": "2", "config": [{ "key": "size", "value": "12" }] }, { "id": "é" }],
        }],
    }});
    let asked = play(&mut agent, || {
        link.send("fontsupdate/desiredstate", desired.to_string().as_bytes());
        link.send("fontsupdate/other", b"{}");
        let command = br#"{"activityId":"a","payload":{"command":"UPDATE","baseline":"all"}}"#;
        link.send("fontsupdate/desiredstate/command", command);
        link.send("fontsupdate/desiredstate/command", br#"{"activityId":"a","payload":{"command":"CLEANUP"}}"#);
        link.send("fontsupdate/currentstate/get", br#"{"timestamp":1,"payload":null}"#);
    });
    let config = vec![("size".into(), "12".into())];
    let serif = Component { id: "serif".into(), version: "2".into(), config };
    let json = desired["payload"].to_string();
    let desired = DesiredState {
        components: vec![serif, Component { id: "é".into(), ..Component::default() }],
        baselines: vec![Baseline {
            title: "all".into(),
            preconditions: "none".into(),
            components: vec!["serif".into()],
            ..Baseline::default()
        }],
        config: vec![("k".into(), "v\n".into())],
        json,
    };
    let command =
        |command, baseline: &str| Request::Command { activity: "a".into(), command, baseline: baseline.into() };
    assert_eq!(
        asked,
        [
            Request::DesiredState { activity: "a\"1".into(), desired },
            command(Command::Update, "all"),
            command(Command::Cleanup, ""),
            Request::CurrentStateGet { activity: String::new() },
        ]
    );
}

#[test]
fn feedback_is_written_as_the_protocol_has_it() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    let mut action = Action::new("serif", "2");
    (action.status, action.progress, action.message) = (ActionStatus::Downloading, 250, "\"half\"\n".into());
    agent.feedback("a\\1", Status::Downloading, "", &[action]).unwrap();
    agent.feedback("a", Status::IdentificationFailed, "no \u{1}", &[]).unwrap();
    let component = json!({ "id": "fonts:serif", "version": "2" });
    let action = json!({ "component": component, "status": "DOWNLOADING", "progress": 100, "message": "\"half\"\n" });
    let payload = json!({ "status": "DOWNLOADING", "actions": [action] });
    let said = without_time(link.message());
    let topic = "fontsupdate/desiredstatefeedback".to_owned();
    assert_eq!(said, (topic, json!({ "activityId": "a\\1", "timestamp": null, "payload": payload })));
    let (_, second) = link.message();
    assert_eq!(second["payload"], json!({ "status": "IDENTIFICATION_FAILED", "message": "no \u{1}" }));
    agent.disconnect(PATIENCE).unwrap();
    assert_eq!(link.packet(), (0xe0, vec![]), "DISCONNECT");
}

#[test]
fn what_the_broker_has_not_acknowledged_is_sent_again_and_only_the_newest_progress() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    agent.feedback("a", Status::DownloadSuccess, "", &[]).unwrap();
    let (_, _, first) = link.unacknowledged();
    drop(link);
    // Notices the loss.
    assert_eq!(agent.next(Duration::from_millis(20)), None);
    for status in [Status::Updating, Status::Updating, Status::UpdateSuccess] {
        agent.feedback("a", status, "", &[]).unwrap();
    }
    let mut said = Vec::new();
    play(&mut agent, || {
        let mut link = broker.greet();
        said.extend((0..3).map(|_| link.message().1));
    });
    assert_eq!(said[0], first);
    let statuses: Vec<_> = said.iter().map(|message| message["payload"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["DOWNLOAD_SUCCESS", "UPDATING", "UPDATE_SUCCESS"]);
    assert_eq!(agent.disconnect(PATIENCE).map_err(|error| error.kind()), Ok(()));
}

#[test]
fn malformed_messages_are_told_and_skipped() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    let desired = "fontsupdate/desiredstate";
    let command = "fontsupdate/desiredstate/command";
    let cases: [(&str, &[u8], &str, &str); 9] = [
        (desired, b"", "", "message is empty (byte 0)"),
        (desired, br#"{"activityId":"a""#, "a", "message ends too early (byte 17)"),
        (desired, br#"{"activityId":"a"}"#, "a", "desired state is missing"),
        (
            desired,
            br#"{"activityId":"a","payload":{"domains":[null]}}"#,
            "a",
            "payload.domains[0] is not an object (byte 40)",
        ),
        (desired, br#"{"activityId":"a","payload":{"domains":[{"id":"x"}]}}"#, "a", "the agent's domain is missing"),
        (command, br#"{"activityId":"a","payload":{}}"#, "a", "payload.command is missing (byte 28)"),
        (
            command,
            br#"{"activityId":"a","payload":{"command":"DANCE"}}"#,
            "a",
            "payload.command is not a command (byte 39)",
        ),
        (command, b"\xff", "", "message is not UTF-8 (byte 0)"),
        ("fontsupdate/currentstate/get", b"[]", "", "message is not an object (byte 0)"),
    ];
    let asked = play(&mut agent, || {
        cases.iter().for_each(|(topic, payload, ..)| link.send(topic, payload));
        link.send("fontsupdate/currentstate/get", br#"{"activityId":"last"}"#);
    });
    let expected = cases.iter().map(|(topic, _, activity, error)| Request::Malformed {
        activity: (*activity).into(),
        is_desired_state: *topic == desired,
        error: (*error).into(),
    });
    let last = Request::CurrentStateGet { activity: "last".into() };
    assert_eq!(asked, expected.chain([last]).collect::<Vec<_>>());
}

#[test]
fn a_damaged_message_is_understood_or_malformed_and_never_more() {
    let topics = Topics::new("fonts").unwrap();
    let whole = br#"{"activityId":"a","payload":{"baselines":[{"title":"b","components":["fonts:x"]}],"domains":[{"id":"fonts","config":[{"key":"k","value":"v"}],"components":[{"id":"x","version":"1"}]}]}}"#;
    let decode = |payload: Vec<u8>| {
        let (topic, len) = ("fontsupdate/desiredstate".to_owned(), payload.len());
        request::decode(&Message { topic, payload, len, is_retained: false }, &topics, "fonts").unwrap()
    };
    for at in 0..whole.len() {
        assert!(matches!(decode(whole[..at].to_vec()), Request::Malformed { is_desired_state: true, .. }), "{at}");
        for byte in *b"\"\\{}[],:0n\xff" {
            let mut damaged = whole.to_vec();
            damaged[at] = byte;
            let is_own = |request| match request {
                Request::DesiredState { desired, .. } => desired.components.iter().all(|c| !c.id.is_empty()),
                request => matches!(request, Request::Malformed { is_desired_state: true, .. }),
            };
            assert!(is_own(decode(damaged)), "{byte} at {at}");
        }
    }
}

#[test]
fn a_message_past_the_limit_is_told_by_its_beginning() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    let mut payload = br#"{"activityId":"big","payload":{"x":""#.to_vec();
    payload.resize(CLIENT_PAYLOAD_MAX + 1, b'x');
    let asked = play(&mut agent, || link.send("fontsupdate/desiredstate", &payload));
    let error = format!("message has {} bytes, at most {CLIENT_PAYLOAD_MAX} are taken", payload.len());
    assert_eq!(asked, [Request::Malformed { activity: "big".into(), is_desired_state: true, error }]);
}

#[test]
fn what_the_broker_kept_from_another_time_is_no_request() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    let asked = play(&mut agent, || {
        let command = br#"{"activityId":"a","payload":{"command":"UPDATE"}}"#;
        link.send_as(0x31, "fontsupdate/desiredstate/command", command);
        link.send_as(0x31, "fontsupdate/desiredstate", br#"{"activityId":"a","payload":{"domains":[{"id":"fonts"}]}}"#);
        link.send("fontsupdate/currentstate/get", b"{}");
    });
    assert_eq!(asked, [Request::CurrentStateGet { activity: String::new() }]);
}

#[test]
fn what_is_not_taken_is_bounded_and_nothing_of_it_is_lost() {
    let broker = Broker::new();
    let (mut agent, mut link) = connected(&broker);
    let ask = |n: usize| format!(r#"{{"activityId":"{n}"}}"#);
    let count = 3 * CLIENT_INBOX_MAX;
    (0..count).for_each(|n| link.send("fontsupdate/currentstate/get", ask(n).as_bytes()));
    agent.client.wait(Duration::from_millis(20), |_| false).unwrap_err();
    assert_eq!(agent.client.waiting(), CLIENT_INBOX_MAX);
    for n in 0..count {
        assert_eq!(agent.next(PATIENCE), Some(Request::CurrentStateGet { activity: n.to_string() }));
    }
}

#[test]
fn an_agent_that_only_looks_gets_on_too() {
    let broker = Broker::new();
    let mut agent = broker.agent();
    let mut asked = None;
    thread::scope(|scope| {
        let link = scope.spawn(|| broker.greet());
        while asked.is_none() {
            asked = agent.next(Duration::ZERO);
            thread::yield_now();
        }
        link.join().unwrap();
    });
    assert!(matches!(asked, Some(Request::CurrentStateGet { .. })));
}

#[test]
fn what_cannot_be_an_agent_is_refused() {
    let refused = |domain, address| Agent::connect(domain, address).map(drop).unwrap_err().to_string();
    assert_eq!(refused("a/b", "localhost"), r#"domain "a/b" has a character that no topic may have"#);
    assert!(refused("a", "ws://localhost").contains("WebSocket"));
    let connection =
        Connection { clean_session: Some(false), client_id: "a\0".into(), ..connection("localhost").unwrap() };
    let error = Agent::connect_with("a", connection).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the client id has a NUL character");
}

#[test]
fn the_usual_connection_is_that_of_the_configuration() {
    let Ok(crate::config::Order::Run(loaded)) = crate::config::load(&["--mqtt-conn-broker=tcp://u:p@host"], &|_| None)
    else {
        panic!("a broker's address is enough of a configuration");
    };
    assert!(loaded.config.connection == connection("tcp://u:p@host").unwrap());
}
