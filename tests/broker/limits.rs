//! The largest that is applied, and the smallest that is refused.

use serde_json::{json, Value};

use crate::figures::sleeps;
use crate::link::envelope::{envelope, list, text};
use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{wait_until, Broker, Manager};
use crate::raw;
use update_manager::limits::{
    COMPONENTS_MAX, DOMAINS_MAX, INVENTORIES_MAX, INVENTORY_MAX, LOG_REPEATS_MAX, PAYLOAD_IN_MAX,
};

const DESIRED_STATE: &str = "deviceupdate/desiredstate";

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("domain-{i}")).collect()
}

fn world(domains: &[&str]) -> (Broker, Manager, Peers) {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), domains);
    let manager = Manager::start(&format!("tcp://{}", broker.address()), domains);
    peers.await_manager();
    (broker, manager, peers)
}

/// A message of exactly `len` bytes: the rest is in the first component's
/// configuration.
fn padded(activity: &str, mut desired: Value, len: usize) -> String {
    desired["domains"][0]["components"][0]["config"] = json!([{ "key": "padding", "value": "" }]);
    let bare = envelope(activity, desired.clone()).len();
    desired["domains"][0]["components"][0]["config"][0]["value"] = "x".repeat(len - bare).into();
    let message = envelope(activity, desired);
    assert_eq!(message.len(), len);
    message
}

/// The desired state is refused with words that name `limit`, and the next one
/// is applied.
fn assert_refused(peers: &mut Peers, activity: &str, limit: usize, sound: Value) {
    let last = peers.play_until("a final status", |said| said.is_final_of(activity));
    assert_eq!(last.status(), "IDENTIFICATION_FAILED");
    assert!(last.message().contains(&limit.to_string()), "{}", last.message());
    let next = format!("after-{activity}");
    peers.apply(&next, sound);
    assert_eq!(peers.finish(&next).status(), "COMPLETED");
    assert_eq!(peers.story(activity), ["IDENTIFICATION_FAILED"]);
}

#[test]
fn sixty_four_domains_with_256_components_in_256_kib_complete() {
    let names = names(DOMAINS_MAX);
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_broker, _manager, mut peers) = world(&domains);
    let desired = desired_state(&domains, COMPONENTS_MAX / DOMAINS_MAX);
    peers.publish(DESIRED_STATE, &padded("act", desired, PAYLOAD_IN_MAX), false);
    let last = peers.finish("act");
    assert_eq!(last.status(), "COMPLETED", "{}", last.message());
    assert_eq!(list(last.payload(), "actions").len(), COMPONENTS_MAX);
}

#[test]
fn one_byte_past_256_kib_is_refused() {
    let (_broker, _manager, mut peers) = world(&["containers"]);
    let desired = desired_state(&["containers"], 1);
    peers.publish(DESIRED_STATE, &padded("act", desired.clone(), PAYLOAD_IN_MAX + 1), false);
    assert_refused(&mut peers, "act", PAYLOAD_IN_MAX, desired);
}

#[test]
fn a_mebibyte_is_refused_where_its_activity_can_be_read() {
    let (broker, _manager, mut peers) = world(&["containers"]);
    let desired = desired_state(&["containers"], 1);
    let message = padded("act", desired.clone(), 1024 * 1024);
    raw::publish(&broker.address(), DESIRED_STATE, message.as_bytes());
    assert_refused(&mut peers, "act", PAYLOAD_IN_MAX, desired);
}

#[test]
fn a_mebibyte_of_nonsense_is_skipped_over_on_every_topic() {
    let (broker, mut manager, mut peers) = world(&["containers"]);
    for topic in [DESIRED_STATE, "containersupdate/desiredstatefeedback", "containersupdate/currentstate"] {
        raw::publish(&broker.address(), topic, &vec![b'a'; 1024 * 1024]);
    }
    peers.settle();
    assert!(manager.is_alive());
    peers.apply("act", desired_state(&["containers"], 1));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
}

/// Once it was thousands of times: the reactor's thread said again and again that there
/// is something to read, and did not vouch for it.
#[test]
fn at_rest_a_message_of_a_mebibyte_wakes_it_a_few_times() {
    const MESSAGES: u64 = 60;
    let (broker, manager, mut peers) = world(&["containers"]);
    peers.settle();
    let before = sleeps(manager.id());
    for _ in 0..MESSAGES {
        raw::publish(&broker.address(), "containersupdate/currentstate", &vec![b'a'; 1024 * 1024]);
    }
    peers.settle();
    let each = (sleeps(manager.id()) - before) / MESSAGES;
    // As often as it has read all before the broker has written more.
    assert!(each < 60, "{each} times");
}

#[test]
fn a_file_that_is_published_line_by_line_fills_no_log() {
    const LINES: usize = 2293;
    let (_broker, mut manager, mut peers) = world(&["containers"]);
    for n in 0..LINES {
        peers.publish(DESIRED_STATE, &format!("{}\"id\": \"containers\",", " ".repeat(n % 20)), false);
        if n % 16 == 0 {
            peers.flush();
        }
    }
    peers.settle();
    peers.apply("act", desired_state(&["containers"], 1));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    manager.terminate();
    assert_eq!(manager.said(" ERROR "), LOG_REPEATS_MAX as usize);
    let left_out = LINES - LOG_REPEATS_MAX as usize;
    assert_eq!(manager.said(&format!(" WARN  {left_out} more within 1m like: a desired state is refused: ")), 1);
}

#[test]
fn one_component_past_256_is_refused() {
    let (_broker, _manager, mut peers) = world(&["containers"]);
    peers.apply("act", desired_state(&["containers"], COMPONENTS_MAX + 1));
    assert_refused(&mut peers, "act", COMPONENTS_MAX, desired_state(&["containers"], COMPONENTS_MAX));
}

#[test]
fn one_domain_past_64_is_refused() {
    let names = names(DOMAINS_MAX + 1);
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let served = &domains[..DOMAINS_MAX];
    let (_broker, _manager, mut peers) = world(served);
    peers.apply("act", desired_state(&domains, 1));
    assert_refused(&mut peers, "act", DOMAINS_MAX, desired_state(served, 1));
}

/// A domain's inventory of exactly `len` bytes, without the envelope.
fn inventory(domain: &str, len: usize) -> Value {
    let make = |name: String| json!({ "softwareNodes": [{ "id": format!("{domain}-node"), "name": name }] });
    let bare = make(String::new()).to_string().len();
    make("x".repeat(len - bare))
}

/// As the agent, reports an inventory that nobody asked for.
fn report(peers: &mut Peers, domain: &str, len: usize) {
    let message = envelope("", inventory(domain, len));
    peers.publish(&format!("{domain}update/currentstate"), &message, false);
    peers.flush();
}

fn nodes(state: &Value) -> Vec<String> {
    list(state, "softwareNodes").iter().map(|node| text(node, "id").to_owned()).collect()
}

#[test]
fn inventories_of_64_kib_make_an_aggregate_of_512_kib_and_no_more() {
    let count = INVENTORIES_MAX / INVENTORY_MAX;
    let names: Vec<String> = (0..=count).map(|i| format!("d{i}")).collect();
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let broker = Broker::start();
    // Nobody answers as an agent, so that just what is reported here is known.
    let mut peers = Peers::connect(&broker.address(), &[]);
    let config = json!({ "currentStateDelay": "300ms" });
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &domains, config);
    peers.await_manager();
    for domain in &domains[..count] {
        report(&mut peers, domain, INVENTORY_MAX);
    }
    let full: Vec<String> =
        ["device-update-manager".into()].into_iter().chain((0..count).map(|i| format!("d{i}-node"))).collect();
    let state = peers.play_until("the aggregate", |said| said.is_state_of("") && nodes(said.payload()) == full);
    assert!(state.raw.len() > INVENTORIES_MAX);
    // What the lists hold is counted, not the keys and brackets around them.
    report(&mut peers, &names[0], INVENTORY_MAX + 64);
    report(&mut peers, &names[count], 1024);
    wait_until("both refusals are logged", PATIENCE, || manager.said("inventory refused") == 2);
    report(&mut peers, &names[0], 100);
    let state = peers.play_until("the next aggregate", |said| said.is_state_of("") && said.raw.len() < state.raw.len());
    assert_eq!(nodes(state.payload()), full);
}
