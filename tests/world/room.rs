//! Room among the messages that wait for the broker: an activity begins only if its own
//! have room, and what is known already is no reason to complain.

use update_manager::limits::{ANSWER_ROOM_MESSAGES, OUTBOUND_MAX, PAYLOAD_IN_MAX};
use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::World;
use update_manager::world::seen::From;

/// Messages beside which an activity has room.
const WAITING_MAX: usize = OUTBOUND_MAX - ANSWER_ROOM_MESSAGES;

const DESIRED: &str = "deviceupdate/desiredstate";
const REFUSED: &str = "too many messages wait for the broker";
const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];

fn world(agent: Obedient) -> World {
    let mut world = World::plain(&["one"]).joined_by(agent);
    world.run_for(1_000);
    world
}

/// The message of a desired state, always the same.
fn message(activity: &str) -> String {
    format!(r#"{{"activityId":"{activity}","timestamp":7,"payload":{}}}"#, desired_state(&["one"]))
}

/// From now on so many messages wait for the broker: answers to what is malformed.
fn fill(world: &mut World, messages: usize) {
    let sent = |world: &World| world.broker.seen.iter().filter(|seen| seen.from == From::Manager).count();
    world.broker.acknowledges = false;
    let before = sent(world);
    for n in 0..messages {
        world.publish(DESIRED, format!(r#"{{"activityId":"b-{n}","payload":{{"domains":[{{}}]}}}}"#));
    }
    assert_eq!(sent(world) - before, messages);
}

#[test]
fn an_activity_begins_beside_as_many_messages_as_leave_it_room() {
    let mut world = world(Obedient::new("one"));
    fill(&mut world, WAITING_MAX);
    world.publish(DESIRED, message("a-1"));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn with_one_message_more_a_desired_state_is_refused_and_the_console_hears_why() {
    let mut world = world(Obedient::new("one"));
    fill(&mut world, WAITING_MAX + 1);
    world.expects_error("a desired state is not taken: too many messages wait for the broker");
    world.publish(DESIRED, message("a-1"));
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.message.as_str()), ("IDENTIFICATION_FAILED", REFUSED));
    assert_eq!(world.applies("a-2", &desired_state(&["one"]))["error"], format!("a-2: refused: {REFUSED}"));
    assert!(world.accepted.borrow().is_empty() && world.commands("one").is_empty());
}

#[test]
fn what_runs_or_was_applied_is_ignored_also_without_room() {
    for (agent, story) in [(Obedient::new("one").silent_at("DOWNLOAD"), &DONE[..3]), (Obedient::new("one"), &DONE)] {
        let mut world = world(agent);
        world.publish(DESIRED, message("a-1"));
        world.run_for(60_000);
        assert_eq!(world.story("a-1"), story);
        fill(&mut world, WAITING_MAX + 1);
        world.publish(DESIRED, message("a-1"));
        assert_eq!(world.story("a-1"), story, "no answer, and no error in the log");
        assert!(world.logged(&["a-1: desired state ignored"]));
    }
}

#[test]
fn what_runs_is_ignored_also_if_it_is_too_large() {
    let mut world = world(Obedient::new("one").silent_at("DOWNLOAD"));
    world.publish(DESIRED, message("a-1"));
    let large = "x".repeat(PAYLOAD_IN_MAX);
    world.publish(DESIRED, format!(r#"{{"activityId":"a-1","payload":"{large}"}}"#));
    assert_eq!(world.story("a-1"), DONE[..3]);
    assert!(world.logged(&["a-1: desired state ignored, this activity runs already"]));
}

#[test]
fn of_a_flood_of_refusals_the_report_has_the_last() {
    let mut world = world(Obedient::new("one"));
    fill(&mut world, 3);
    world.agent_says("one", "{");
    world.agent_says("one", "{");
    let (_, report) = world.asks(r#"{"command":"report"}"#);
    let counts = ["desired state refused", "malformed message ignored"].map(|event| report.matches(event).count());
    assert_eq!(counts, [1, 1], "{report}");
}
