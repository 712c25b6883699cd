//! A desired state that is half sent to an agent: what has to wait until the rest is out.

use serde_json::Value;
use update_manager::console::view::Host;
use update_manager::manager::Reply;
use update_manager::world::actors::desired_state;
use update_manager::world::clock::EPOCH;
use update_manager::world::scenario::World;

const TO_AGENT: &str = "oneupdate/desiredstate";
const FROM_BACKEND: &str = "deviceupdate/desiredstate";

/// Bytes that the transport takes at once, fewer than the agent's message has.
const TAKEN: usize = 64;

/// A manager whose transport has taken only the beginning of the agent's part of `a-1`.
fn half_sent() -> World {
    let mut world = World::with(&["one"], r#""cleanupTimeout": "1s""#);
    let wanted = format!(r#"{{"activityId":"a-1","timestamp":1,"payload":{}}}"#, desired_state(&["one"]));
    arrives(&mut world, FROM_BACKEND, &wanted);
    let mut sent = Vec::new();
    while !sent.windows(TO_AGENT.len()).any(|part| part == TO_AGENT.as_bytes()) {
        let mut out = [0; TAKEN];
        let len = world.manager.poll_transmit(world.clock.now(), &mut out);
        assert!(len > 0, "the agent gets its part");
        world.broker.handle(world.clock.elapsed, &out[..len]);
        sent.extend_from_slice(&out[..len]);
    }
    assert!(world.sent_to(TO_AGENT).is_empty(), "not all of it");
    world
}

/// The manager reads a message; nothing is sent.
fn arrives(world: &mut World, topic: &str, bytes: &str) {
    let now = world.clock.now();
    world.broker.publish(world.clock.elapsed, topic, bytes.as_bytes(), false);
    let read = world.broker.read(world.manager.receive_buffer());
    world.manager.handle_received(now, read);
    world.manager.handle_events(now);
}

/// Asks once, and sends nothing; the answer, if there is one.
fn ask_once(world: &mut World, request: &str) -> Option<Value> {
    let configuration = &String::new;
    let host = Host { broker: &"broker", may_control: true, resident_kib: || 0, link_error: "", configuration };
    let mut answer = String::new();
    let reply = world.manager.handle_console(world.clock.now(), &host, request.as_bytes(), None, &mut answer);
    let is_answered = reply == Reply::Whole;
    assert_eq!(is_answered, !answer.is_empty(), "{answer}");
    is_answered.then(|| serde_json::from_str(&answer).unwrap())
}

/// A request for another version than that of `a-1`.
fn apply(activity: &str) -> String {
    let payload = desired_state(&["one"]).replace(r#""2""#, r#""3""#);
    format!(r#"{{"command":"apply","activityId":"{activity}","timestamp":{EPOCH},"payload":{payload}}}"#)
}

/// The versions that the agent was sent, by activity.
fn versions(world: &World) -> Vec<(String, String)> {
    let version = |json: &Value| json["payload"]["domains"][0]["components"][0]["version"].as_str().map(str::to_owned);
    let sent = world.sent_to(TO_AGENT);
    sent.iter().map(|seen| (seen.activity().to_owned(), version(&seen.json()).unwrap_or_default())).collect()
}

#[test]
fn a_desired_state_from_the_console_waits_and_whoever_only_looks_does_not() {
    let mut world = half_sent();
    assert_eq!(ask_once(&mut world, &apply("a-2")), None);
    let status = ask_once(&mut world, r#"{"command":"status","json":true}"#).unwrap();
    assert_eq!(status["data"]["activity"]["id"], "a-1");
    world.settle();
    assert_eq!(versions(&world), [("a-1".to_owned(), "2".to_owned())]);
    let answer = ask_once(&mut world, &apply("a-2")).unwrap();
    assert_eq!(answer["error"], "a-2: refused: Another update activity in progress - a-1");
}

#[test]
fn a_desired_state_from_the_console_waits_also_if_the_activity_has_ended() {
    let mut world = half_sent();
    assert_eq!(ask_once(&mut world, r#"{"command":"cancel"}"#).unwrap()["exit"], 0);
    world.clock.elapsed += 1_000;
    world.manager.handle_timeout(world.clock.now());
    assert!(!world.manager.campaign().unwrap().is_running());
    assert_eq!(ask_once(&mut world, &apply("a-2")), None);
    world.settle();
    assert_eq!(ask_once(&mut world, &apply("a-2")).unwrap()["exit"], 0);
    world.settle();
    let expected = [("a-1", "2"), ("a-2", "3")].map(|(activity, version)| (activity.to_owned(), version.to_owned()));
    assert_eq!(versions(&world), expected, "what is half sent is sent to its end");
    assert_eq!(world.link.losses, 0);
}

#[test]
fn a_message_from_the_broker_waits() {
    let mut world = half_sent();
    arrives(&mut world, FROM_BACKEND, r#"{"activityId":"a-2","timestamp":1,"payload":{"domains":[{}]}}"#);
    let messages = |world: &mut World| {
        let status = ask_once(world, r#"{"command":"status","json":true}"#).unwrap();
        status["data"]["counters"]["messages"].as_u64().unwrap()
    };
    assert_eq!(messages(&mut world), 1);
    world.settle();
    assert_eq!(messages(&mut world), 2);
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
}
