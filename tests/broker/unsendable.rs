//! Brokers that end the connection for what they refuse.

use std::time::Duration;

use serde_json::json;

use crate::link::Client;
use crate::peers::{desired_state, Peers, STATE};
use crate::presence::TOPIC;
use crate::processes::{wait_until, Broker, Manager};

const BOTH: [&str; 2] = ["containers", "self-update"];
const COMMANDS: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
/// Long enough for all trials of two messages.
const TRIALS: Duration = Duration::from_secs(240);
const CONNECTED: &str = "INFO  connected";

fn world(lines: &str, connection: serde_json::Value) -> (Broker, Manager, Peers) {
    let broker = Broker::start_with(lines);
    let peers = Peers::connect(&broker.address(), &BOTH);
    let config = json!({ "connection": connection });
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &BOTH, config);
    (broker, manager, peers)
}

/// Waits until the first message is held back.
fn await_suspicion(manager: &Manager, peers: &mut Peers) {
    wait_until("the manager suspects a message", TRIALS, || {
        peers.play(Duration::from_millis(100), |_| false);
        manager.said(CONNECTED) == 4
    });
}

#[test]
#[ignore = "the trials take minutes; tests/run trials"]
fn at_a_broker_without_retain_activities_complete_before_and_after_the_manager_knows() {
    let (_broker, manager, mut peers) = world("retain_available false", json!({}));
    await_suspicion(&manager, &mut peers);
    peers.apply("act", desired_state(&BOTH, 1));
    let last = peers.play_until("a final status", |said| said.is_final_of("act"));
    assert_eq!((last.status(), manager.said("the broker refuses")), ("COMPLETED", 0));
    peers.play(TRIALS, |said| said.topic == STATE).expect("the current state");
    assert_eq!(manager.said(&format!("{STATE}: the broker refuses a message of")), 1);
    // The log comes a little later: three trials after the four until the suspicion.
    wait_until("the log has the last trial", TRIALS, || manager.said(CONNECTED) == 7);
    peers.apply("next", desired_state(&BOTH, 2));
    assert_eq!(peers.finish("next").status(), "COMPLETED");
    assert_eq!(manager.said(CONNECTED), 7, "it is learned once");
}

#[test]
#[ignore = "the trials take minutes; tests/run trials"]
fn a_last_will_and_a_status_that_may_not_be_retained_go_without() {
    let broker = Broker::start_with("retain_available false");
    let mut watcher = Client::connect(&broker.address(), "watcher").unwrap();
    watcher.subscribe(&[TOPIC]).unwrap();
    let config = json!({ "connection": { "statusTopic": TOPIC } });
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &BOTH, config);
    let mut next = || watcher.next(TRIALS).expect("the manager says something").1;
    while !next().contains("online") {}
    manager.signal(libc::SIGKILL);
    while !next().contains("offline") {}
}

#[test]
fn without_retain_in_the_configuration_such_a_broker_ends_no_connection() {
    let (_broker, manager, mut peers) =
        world("retain_available false", json!({ "statusTopic": TOPIC, "retain": false }));
    peers.await_manager();
    peers.apply("act", desired_state(&BOTH, 1));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    assert_eq!(manager.said(CONNECTED), 1);
}

#[test]
#[ignore = "the trials take minutes; tests/run trials"]
fn a_report_and_a_current_state_past_the_brokers_limit_end_no_activity() {
    let (_broker, manager, mut peers) = world("max_packet_size 20000", json!({}));
    peers.await_manager();
    // Of each domain the half fits.
    peers.apply("act", desired_state(&BOTH, 128));
    let last = peers.play(TRIALS, |said| said.is_final_of("act")).expect("a final status");
    assert_eq!(last.status(), "COMPLETED", "{}", last.message());
    assert!(last.payload()["actions"].is_null(), "the actions are left out");
    for domain in BOTH {
        assert_eq!(peers.commands(domain, "act"), COMMANDS);
    }
    assert!(manager.said("it goes without its details") > 0);
    let dropped = || manager.said(&format!("{STATE}: the broker refuses a message of"));
    wait_until("the current state is dropped", TRIALS, || {
        peers.play(Duration::from_millis(100), |_| false);
        dropped() >= 2 && manager.said("it is dropped") > 0
    });
    peers.apply("small", desired_state(&BOTH, 1));
    assert_eq!(peers.finish("small").status(), "COMPLETED");
}
