//! Desired states that come once more: which are a redelivery, and which are wanted again
//! (docs/protocol.md, "Refusals").

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};

const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const DESIRED: &str = "deviceupdate/desiredstate";
const KEPT: &str = r#""connection": {"clientId": "um", "cleanSession": false}"#;

/// The process alone ends.
const KILL: Outage = Outage { fate: Fate::Whole, down_ms: 1_000, boots: false, agents_too: false };

/// The message of a desired state for one domain, always the same.
fn message(activity: &str) -> String {
    format!(r#"{{"activityId":"{activity}","timestamp":7,"payload":{}}}"#, desired_state(&["one"]))
}

/// A manager with a broker that keeps its session.
fn kept() -> World {
    World::with(&["one"], KEPT).joined_by(Obedient::new("one"))
}

/// The link breaks before the broker has the acknowledgement of what comes now; the broker
/// is back after so many milliseconds.
fn redelivered(world: &mut World, bytes: &str, away_ms: u64) {
    world.broker.misses_acks = true;
    world.publish(DESIRED, bytes);
    world.broker_goes();
    world.broker.misses_acks = false;
    world.run_for(away_ms);
    world.broker_comes();
    world.run_for(60_000);
}

#[test]
fn what_is_wanted_again_after_something_else_is_applied_again_and_a_repeat_of_the_last_is_not() {
    for is_saved in [false, true] {
        let config = configuration(&["one"], "");
        let world = if is_saved { World::saved(&config) } else { World::new(&config) };
        let mut world = world.joined_by(Obedient::new("one"));
        for (nth, activity) in ["b", "b", "a", "a", "b", "a", "b"].into_iter().enumerate() {
            world.publish(DESIRED, message(activity));
            world.run_for(60_000);
            if is_saved && nth == 3 {
                world.power_cut(KILL);
                world.run_for(60_000);
            }
        }
        assert_eq!(world.story("a"), [DONE, DONE].concat());
        assert_eq!(world.story("b"), [DONE, DONE, DONE].concat());
    }
}

#[test]
fn whoever_wants_something_again_while_another_activity_runs_is_told_so() {
    let mut world =
        World::plain(&["one", "two"]).joined_by(Obedient::new("one")).joined_by(Obedient::paced("two", 1_000));
    world.publish(DESIRED, message("a"));
    world.backend_applies("b", &desired_state(&["two"]));
    world.publish(DESIRED, message("a"));
    assert_eq!(world.last("a").message, "Another update activity in progress - b");
    world.run_for(600_000);
    assert_eq!(world.last("b").status, "COMPLETED");
    world.publish(DESIRED, message("a"));
    assert_eq!(world.story("a"), [&DONE[..], &["IDENTIFICATION_FAILED"], &DONE].concat());
}

#[test]
fn what_the_broker_delivers_once_more_is_held_against_all_that_is_remembered() {
    let mut world = kept();
    world.broker.misses_acks = true;
    world.publish(DESIRED, message("a"));
    world.broker.misses_acks = false;
    world.publish(DESIRED, message("b"));
    world.run_for(60_000);
    world.cut();
    world.await_link();
    world.run_for(60_000);
    assert_eq!(world.story("a"), DONE, "redelivered, though b came in between");
    assert_eq!(world.story("b"), DONE);
}

#[test]
fn what_the_broker_has_retained_is_held_against_all_that_is_remembered() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::new("one"));
    world.publish_retained(DESIRED, message("a"));
    world.publish(DESIRED, message("b"));
    for _ in 0..3 {
        world.cut();
        world.await_link();
        world.run_for(1_000);
    }
    assert_eq!(world.story("a"), DONE);
    assert_eq!(world.story("b"), DONE);
}

/// An activity that takes some minutes.
fn busy() -> World {
    let world = World::with(&["one", "two"], KEPT).joined_by(Obedient::new("one"));
    let mut world = world.joined_by(Obedient::paced("two", 20_000));
    world.backend_applies("slow", &desired_state(&["two"]));
    world
}

/// The backend sends it, and the first delivery does not arrive.
fn is_sent_and_lost(world: &mut World, bytes: &str) {
    world.broker.publish(world.now(), DESIRED, bytes.as_bytes(), false);
    world.broker_goes();
    world.broker_comes();
}

#[test]
fn a_refusal_is_not_held_against_what_is_sent_again_though_that_is_delivered_once_more() {
    let mut world = busy();
    world.publish(DESIRED, message("a"));
    is_sent_and_lost(&mut world, &message("a"));
    assert_eq!(world.story("a"), ["IDENTIFICATION_FAILED"; 2], "whoever sends it twice is told twice");
    world.run_for(600_000);
    assert_eq!(world.last("slow").status, "COMPLETED");
    is_sent_and_lost(&mut world, &message("a"));
    assert_eq!(world.story("a"), [&["IDENTIFICATION_FAILED"; 2][..], &DONE].concat());
}

#[test]
fn a_refusal_is_told_once_for_a_message_as_long_as_its_reason_lasts() {
    let mut world = busy();
    redelivered(&mut world, &message("a"), 1_000);
    assert_eq!(world.story("a"), ["IDENTIFICATION_FAILED"]);
    assert!(world.logged(&["a: a desired state that comes once more is ignored, it was refused"]));
    let mut world = busy();
    redelivered(&mut world, &message("a"), 600_000);
    assert_eq!(world.story("a"), [&["IDENTIFICATION_FAILED"][..], &DONE].concat(), "nothing is in its way any more");
}

#[test]
fn whatever_is_malformed_or_too_large_is_told_once_for_a_message() {
    let large = format!(r#"{{"activityId":"a","payload":{{"x":"{}"}}}}"#, "x".repeat(300_000));
    for refused in [r#"{"activityId":"a","payload":{"domains":[{}]}}"#, &large] {
        let mut world = kept();
        redelivered(&mut world, refused, 1_000);
        assert_eq!(world.story("a"), ["IDENTIFICATION_FAILED"]);
        world.publish(DESIRED, refused);
        assert_eq!(world.story("a").len(), 2, "sent again, it gets its answer");
        let mut world = World::plain(&["one"]);
        world.publish_retained(DESIRED, refused);
        world.cut();
        world.await_link();
        assert_eq!(world.story("a"), ["IDENTIFICATION_FAILED"], "retained by the broker");
    }
}
