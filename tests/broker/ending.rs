//! The manager is told to end.

use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{free_port, wait_until, Broker, Manager};

const ONE: [&str; 1] = ["containers"];

/// A manager with an activity whose download is not answered, and saved nowhere.
fn downloading() -> (Broker, Manager, Peers) {
    downloading_with(json!({ "stateDir": "" }))
}

fn downloading_with(config: Value) -> (Broker, Manager, Peers) {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &ONE);
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &ONE, config);
    peers.await_manager();
    peers.hold("DOWNLOAD");
    peers.apply("act", desired_state(&ONE, 1));
    peers.play_until("DOWNLOAD", |said| said.trigger() == "DOWNLOAD");
    (broker, manager, peers)
}

fn assert_ends_well(manager: &mut Manager) {
    let (code, time) = manager.terminate();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(2), "it took {time:?}");
}

#[test]
fn a_running_activity_is_reported_incomplete_and_the_agents_are_sent_nothing() {
    let (_broker, mut manager, mut peers) = downloading();
    assert_ends_well(&mut manager);
    let last = peers.play_until("a final status", |said| said.is_final_of("act"));
    assert_eq!((last.status(), last.message()), ("INCOMPLETE", "update manager terminated"));
    assert!(peers.play(Duration::from_millis(200), |_| false).is_none());
    assert_eq!(peers.commands("containers", "act"), ["DOWNLOAD"]);
}

/// Ended by `signal` in the middle of the download and started again, it waits for the
/// answer, sends no command twice, and leads the activity to its one end.
fn assert_taken_up_after(signal: i32) {
    let (_broker, mut manager, mut peers) = downloading_with(json!({}));
    let start = Instant::now();
    manager.restart(signal);
    peers.await_manager();
    let took = start.elapsed();
    println!("from the end to the first message of the next start: {took:?}");
    // With SIGTERM the good-bye comes first.
    assert!(signal != libc::SIGKILL || took < Duration::from_secs(1), "it took {took:?}");
    peers.release();
    let last = peers.play_until("a final status", |said| said.is_final_of("act"));
    assert_eq!(last.status(), "COMPLETED");
    assert_eq!(peers.commands("containers", "act"), ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
    assert!(peers.play(Duration::from_millis(200), |said| said.is_final_of("act")).is_none(), "one end");
}

#[test]
fn a_saved_activity_survives_a_kill() {
    assert_taken_up_after(libc::SIGKILL);
}

#[test]
fn a_saved_activity_survives_the_managers_good_end() {
    assert_taken_up_after(libc::SIGTERM);
}

#[test]
fn the_broker_is_told_that_the_session_ends() {
    let (broker, mut manager, _peers) = downloading();
    let disconnects = broker.said("Received DISCONNECT from");
    let unsubscribes = broker.said("Received UNSUBSCRIBE from");
    assert_ends_well(&mut manager);
    wait_until("the broker gets DISCONNECT", PATIENCE, || broker.said("Received DISCONNECT from") > disconnects);
    assert!(broker.said("Received UNSUBSCRIBE from") > unsubscribes);
}

#[test]
fn a_broker_that_hangs_does_not_hold_it_up() {
    let (broker, mut manager, _peers) = downloading();
    broker.freeze();
    assert_ends_well(&mut manager);
}

#[test]
fn a_broker_that_is_gone_does_not_hold_it_up() {
    let (mut broker, mut manager, _peers) = downloading();
    broker.stop();
    assert_ends_well(&mut manager);
}

#[test]
fn a_broker_that_never_was_does_not_hold_it_up() {
    let address = format!("tcp://127.0.0.1:{}", free_port("127.0.0.1"));
    let mut manager = Manager::start(&address, &ONE);
    wait_until("the log tells of the absence", PATIENCE, || manager.said("cannot connect") > 0);
    assert_ends_well(&mut manager);
}
