//! Answers of the console that wait for a save (docs/console.md).

use serde_json::Value;
use update_manager::console::view::Host;
use update_manager::manager::Reply;
use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::clock::EPOCH;
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};

const ONE: [&str; 1] = ["one"];

/// A slow sync.
const SYNC_MS: u64 = 3_000;

const CANCEL: &str = r#"{"command":"cancel"}"#;
const APPROVE: &str = r#"{"command":"approve"}"#;

fn slow(more: &str) -> World {
    let mut world = World::saved(&configuration(&ONE, more)).joined_by(Obedient::new("one").silent_at("UPDATE"));
    world.run_for(10_000);
    world.slow_disk(SYNC_MS);
    world
}

fn apply(activity: &str) -> String {
    let payload = desired_state(&ONE);
    format!(r#"{{"command":"apply","activityId":"{activity}","timestamp":{EPOCH},"payload":{payload}}}"#)
}

/// Asks once, as the shell does every 20 ms; the answer, if there is one.
fn ask_once(world: &mut World, request: &str) -> Option<Value> {
    let configuration = &String::new;
    let host = Host { broker: &"broker", may_control: true, resident_kib: || 0, link_error: "", configuration };
    let mut answer = String::new();
    let reply = world.manager.handle_console(world.clock.now(), &host, request.as_bytes(), None, &mut answer);
    let is_answered = reply == Reply::Whole;
    world.run_for(0);
    assert_eq!(is_answered, !answer.is_empty(), "{answer}");
    is_answered.then(|| serde_json::from_str(&answer).unwrap())
}

#[test]
fn apply_answers_after_the_save_however_slow_the_disk_is() {
    let mut world = slow("");
    let before = world.now();
    assert_eq!(world.asks(&apply("a-1")).1, "a-1: begun\n");
    assert!(world.now() >= before + SYNC_MS, "{} ms", world.now() - before);
    world.power_cut(Outage { fate: Fate::Lost, down_ms: 1_000, boots: true, agents_too: false });
    world.run_for(1_000);
    let status = world.asks(r#"{"command":"status","json":true}"#).0;
    assert_eq!(status["data"]["activity"]["id"], "a-1", "what was told is there after a power cut");
}

#[test]
fn a_power_cut_before_the_save_leaves_nothing_and_nothing_was_answered() {
    for (ms, fate) in [(0, Fate::Lost), (20, Fate::Lost), (SYNC_MS - 20, Fate::Lost), (20, Fate::Head(500))] {
        let mut world = slow("");
        assert_eq!(ask_once(&mut world, &apply("a-1")), None);
        world.run_for(ms);
        assert_eq!(ask_once(&mut world, &apply("a-1")), None, "after {ms} ms");
        world.power_cut(Outage { fate, down_ms: 1_000, boots: false, agents_too: false });
        world.run_for(60_000);
        world.await_link();
        let status = world.asks(r#"{"command":"status","json":true}"#).0;
        assert!(status["data"]["activity"].is_null(), "{status}");
        assert!(world.commands("one").is_empty());
    }
}

#[test]
fn whoever_asks_meanwhile_takes_nobodys_answer_and_repeats_nothing() {
    let mut world = slow(r#""ownerConsentCommands": ["download", "update"]"#);
    world.asks(&apply("a-1"));
    world.run_for(SYNC_MS * 4);
    assert_eq!(ask_once(&mut world, APPROVE), None);
    assert_eq!(ask_once(&mut world, CANCEL), None, "one change at a time");
    let answer = (0..1_000).find_map(|_| {
        world.run_for(20);
        assert_eq!(ask_once(&mut world, CANCEL), None, "its turn comes when the other has its answer");
        ask_once(&mut world, APPROVE)
    });
    assert_eq!(answer.unwrap()["text"], "a-1: consent to DOWNLOAD given\n");
    assert_eq!(world.asks(CANCEL).0["exit"], 0);
    world.run_for(600_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "ROLLBACK", "CLEANUP"]);
    assert_eq!(world.last("a-1").message, "cancelled at the console");
}

#[test]
fn an_answer_that_nobody_takes_is_not_given_to_whoever_asks_the_same_later() {
    let mut world = slow(r#""ownerConsentCommands": ["download", "update"]"#);
    world.asks(&apply("a-1"));
    world.run_for(SYNC_MS * 4);
    // Who asked is gone.
    assert_eq!(ask_once(&mut world, APPROVE), None);
    world.run_for(SYNC_MS * 10);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    assert_eq!(world.asks(APPROVE).1, "a-1: consent to UPDATE given\n");
    world.run_for(SYNC_MS * 4);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE"]);
    // And holds nobody up.
    assert_eq!(ask_once(&mut world, CANCEL), None);
    world.run_for(600_000);
    assert_eq!(world.asks(&apply("a-2")).1, "a-2: begun\n");
}
