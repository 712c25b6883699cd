//! Activities from the desired state to the final status.

use serde_json::{json, Value};

use crate::link::envelope::{envelope, list, text};
use crate::link::Client;
use crate::peers::{desired_state, Peers, PATIENCE, STATE};
use crate::processes::{Broker, Manager};

const BOTH: [&str; 2] = ["containers", "self-update"];
pub const STORY: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
pub const COMMANDS: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];

fn world() -> (Broker, Manager, Peers) {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    let manager = Manager::start(&format!("tcp://{}", broker.address()), &BOTH);
    peers.await_manager();
    (broker, manager, peers)
}

#[test]
fn two_domains_go_through_all_phases_together() {
    let (_broker, _manager, mut peers) = world();
    peers.apply("act", desired_state(&BOTH, 2));
    let last = peers.finish("act");
    assert_eq!(list(last.payload(), "actions").len(), 4);
    assert_eq!(peers.story("act"), STORY);
    for domain in BOTH {
        assert_eq!(peers.commands(domain, "act"), COMMANDS);
    }
    let sent = peers.said.iter().map(|said| said.trigger()).filter(|trigger| COMMANDS.contains(trigger));
    assert_eq!(sent.collect::<Vec<_>>(), COMMANDS.map(|command| [command; 2]).concat());
}

#[test]
fn a_domains_part_is_passed_on_byte_for_byte() {
    let containers = r#"{ "id":"containers", "x-unknown": {"a":[1, 2.50, null, -0.0e1]}, "config": [],
        "components":[{"version":"","id":"d\u0061ta", "config":[{"key":"k\/","value":"\ud83d\ude00 café\t"}]}
        ,{"id" : "nginx" , "version":"2"}],"":"" }"#;
    let selfupdate = r#"{"id":"self-update","components":[{"id":"os","version":"3","future":false}]}"#;
    let baselines = json!([
        { "title": "both", "description": "d", "x": 1, "components": ["self-update:os", "containers:nginx"] },
        { "title": "one", "components": ["self-update:os"] },
    ]);
    let (_broker, _manager, mut peers) = world();
    let message = format!(
        r#"{{"activityId":"act","timestamp":1,"payload":{{"baselines":{baselines},"domains":[{containers},{selfupdate}]}}}}"#
    );
    peers.publish("deviceupdate/desiredstate", &message, false);
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    let part = |topic: &str| peers.said.iter().find(|said| said.topic == topic).unwrap();
    let (first, second) = (part("containersupdate/desiredstate"), part("selfupdate/desiredstate"));
    assert!(first.raw.contains(containers) && !first.raw.contains(selfupdate), "{}", first.raw);
    assert!(second.raw.contains(selfupdate) && !second.raw.contains(containers), "{}", second.raw);
    let both = |component: &str| json!({ "title": "both", "description": "d", "x": 1, "components": [component] });
    assert_eq!(first.payload()["baselines"], json!([both("containers:nginx")]));
    assert_eq!(second.payload()["baselines"], json!([both("self-update:os"), baselines[1]]));
}

#[test]
fn the_current_state_afterwards_is_kept_by_the_broker() {
    let (broker, _manager, mut peers) = world();
    peers.apply("act", desired_state(&BOTH, 1));
    peers.finish("act");
    let mut late = Client::connect(&broker.address(), "late").unwrap();
    late.subscribe(&[STATE]).unwrap();
    let (_, state) = late.next(PATIENCE).expect("a retained current state");
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(text(&state, "activityId"), "act");
    let nodes: Vec<&str> = list(&state["payload"], "softwareNodes").iter().map(|node| text(node, "id")).collect();
    let expected = [
        "device-update-manager",
        "containers-update-agent",
        "containers:c0",
        "self-update-update-agent",
        "self-update:c0",
    ];
    assert_eq!(nodes, expected);
}

#[test]
fn a_redelivered_desired_state_is_ignored_and_a_newer_one_is_not() {
    let (_broker, _manager, mut peers) = world();
    let message = envelope("act", desired_state(&BOTH, 1));
    peers.publish("deviceupdate/desiredstate", &message, false);
    peers.finish("act");
    peers.publish("deviceupdate/desiredstate", &message, false);
    peers.settle();
    assert_eq!(peers.story("act"), STORY);
    let mut newer: Value = serde_json::from_str(&message).unwrap();
    newer["timestamp"] = json!(newer["timestamp"].as_u64().unwrap() + 1);
    peers.publish("deviceupdate/desiredstate", &newer.to_string(), false);
    peers.finish("act");
    assert_eq!(peers.story("act"), [STORY, STORY].concat());
}

#[test]
fn a_retained_desired_state_is_applied_once_also_over_a_reconnection() {
    let mut broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    peers.publish("deviceupdate/desiredstate", &envelope("act", desired_state(&BOTH, 1)), true);
    let _manager = Manager::start(&format!("tcp://{}", broker.address()), &BOTH);
    peers.finish("act");
    broker.stop();
    broker.resume();
    peers.await_manager();
    peers.settle();
    assert_eq!(peers.story("act"), STORY);
}

#[test]
fn somebodys_own_orchestration_takes_one_domain_after_the_other() {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    let _manager = Manager::start_example("one_by_one", &format!("tcp://{}", broker.address()), &BOTH);
    peers.await_manager();
    peers.apply("act", desired_state(&BOTH, 2));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    let sent = peers.said.iter().filter(|said| COMMANDS.contains(&said.trigger())).map(|said| said.topic.as_str());
    let topics = ["containersupdate/desiredstate/command", "selfupdate/desiredstate/command"];
    assert_eq!(sent.collect::<Vec<_>>(), topics.map(|topic| [topic; 4]).concat());
}
