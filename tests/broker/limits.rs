//! The largest that is applied, and the smallest that is refused.

use serde_json::{json, Value};

use crate::link::envelope::{envelope, list};
use crate::peers::{desired_state, Peers};
use crate::processes::{Broker, Manager};
use crate::raw;
use update_manager::limits::{COMPONENTS_MAX, DOMAINS_MAX, PAYLOAD_IN_MAX};

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
fn sixteen_domains_with_256_components_in_256_kib_complete() {
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

#[test]
fn one_component_past_256_is_refused() {
    let (_broker, _manager, mut peers) = world(&["containers"]);
    peers.apply("act", desired_state(&["containers"], COMPONENTS_MAX + 1));
    assert_refused(&mut peers, "act", COMPONENTS_MAX, desired_state(&["containers"], COMPONENTS_MAX));
}

#[test]
fn one_domain_past_16_is_refused() {
    let names = names(DOMAINS_MAX + 1);
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let served = &domains[..DOMAINS_MAX];
    let (_broker, _manager, mut peers) = world(served);
    peers.apply("act", desired_state(&domains, 1));
    assert_refused(&mut peers, "act", DOMAINS_MAX, desired_state(served, 1));
}
