//! The broker is not there, or not for a while.

use std::time::Duration;

use serde_json::json;

use crate::activity::{COMMANDS, STORY};
use crate::link::envelope::envelope;
use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{free_port, wait_until, Broker, Manager};
use crate::raw;

const BOTH: [&str; 2] = ["containers", "self-update"];

#[test]
fn a_broker_absent_at_start_is_waited_for() {
    let mut broker = Broker::prepare(free_port("127.0.0.1"), "");
    let mut manager = Manager::start(&format!("tcp://{}", broker.address()), &BOTH);
    let refused = || manager.said("cannot connect") > 0;
    wait_until("the log tells of the absence", Duration::from_secs(5), refused);
    assert!(manager.is_alive());
    broker.resume();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    peers.await_manager();
    peers.apply("act", desired_state(&BOTH, 1));
    peers.finish("act");
    assert_eq!(peers.story("act"), STORY);
}

/// The broker is restarted while both agents owe the answer to `trigger`, with the
/// manager's session kept and with a clean one.
fn is_restarted_at(trigger: &str) {
    for clean in [false, true] {
        is_restarted_with(trigger, clean);
    }
}

fn is_restarted_with(trigger: &str, clean: bool) {
    let mut broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    let config = json!({ "connection": { "clientId": "um", "cleanSession": clean } });
    let _manager = Manager::start_with(&format!("tcp://{}", broker.address()), &BOTH, config);
    peers.await_manager();
    peers.hold(trigger);
    peers.apply("act", desired_state(&BOTH, 2));
    while peers.owed() < BOTH.len() {
        peers.play_until(trigger, |said| said.trigger() == trigger);
    }
    // What is not acknowledged to the manager by then would rightly come twice.
    peers.settle();
    broker.stop();
    broker.resume();
    peers.await_manager();
    peers.release();
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    peers.settle();
    assert_eq!(peers.story("act"), STORY);
    // What leads forward is sent once. In a session that was lost CLEANUP may come twice.
    let is_twice = |command: &str| clean && command == trigger && command == "CLEANUP";
    let twice = |command: &&'static str| std::iter::repeat(*command).take(1 + usize::from(is_twice(command)));
    let commands: Vec<&str> = COMMANDS.iter().flat_map(twice).collect();
    for domain in BOTH {
        assert_eq!(peers.commands(domain, "act"), commands);
    }
}

#[test]
fn a_broker_restarted_while_identifying_delays_the_activity_only() {
    is_restarted_at("desiredstate");
}

#[test]
fn a_broker_restarted_during_the_download_delays_the_activity_only() {
    is_restarted_at("DOWNLOAD");
}

#[test]
fn a_broker_restarted_during_the_update_delays_the_activity_only() {
    is_restarted_at("UPDATE");
}

#[test]
fn a_broker_restarted_during_the_activation_delays_the_activity_only() {
    is_restarted_at("ACTIVATE");
}

#[test]
fn a_broker_restarted_during_the_cleanup_delays_the_activity_only() {
    is_restarted_at("CLEANUP");
}

#[test]
fn a_final_status_of_while_the_broker_was_away_is_delivered_once() {
    let mut broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    let config = json!({ "phaseTimeout": "1s", "cleanupTimeout": "500ms" });
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &BOTH, config);
    peers.await_manager();
    peers.hold("DOWNLOAD");
    peers.apply("act", desired_state(&BOTH, 1));
    while peers.owed() < BOTH.len() {
        peers.play_until("DOWNLOAD", |said| said.trigger() == "DOWNLOAD");
    }
    peers.settle();
    broker.stop();
    wait_until("the activity ends", PATIENCE, || manager.said("INCOMPLETE") > 0);
    broker.resume();
    let last = peers.finish("act");
    assert_eq!(last.status(), "INCOMPLETE");
    for words in BOTH.map(|domain| format!("[{domain}] no answer to DOWNLOAD in 1s")) {
        assert!(last.message().contains(&words), "{}", last.message());
    }
    peers.settle();
    assert_eq!(peers.story("act"), ["IDENTIFYING", "IDENTIFIED", "RUNNING", "INCOMPLETE"]);
    for domain in BOTH {
        assert_eq!(peers.commands(domain, "act"), ["DOWNLOAD", "CLEANUP"]);
    }
}

#[test]
fn a_session_that_is_kept_misses_no_desired_state() {
    let mut broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    // It is kept by default; the folder of the tests may lie in memory.
    let config = json!({ "connection": { "cleanSession": false } });
    let _manager = Manager::start_with(&format!("tcp://{}", broker.address()), &BOTH, config);
    peers.await_manager();
    broker.stop();
    broker.resume();
    // The manager waits a moment before it tries again.
    let message = envelope("act", desired_state(&BOTH, 1));
    raw::publish(&broker.address(), "deviceupdate/desiredstate", message.as_bytes());
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    assert_eq!(peers.story("act"), STORY);
}
