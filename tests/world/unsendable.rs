//! Messages that the broker refuses for good: it ends the connection on which one comes.

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::{Disk, Fate};
use update_manager::world::erratic::Random;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::From;

const STATE: &str = "deviceupdate/currentstate";
const FEEDBACK: &str = "deviceupdate/desiredstatefeedback";
/// Connections that the broker ends before a message counts as refused.
const LINKS: u32 = 6;
const KEPT: &str = r#""connection": {"clientId": "um", "cleanSession": false}"#;

/// A world in which nothing has come to pass yet.
fn world(more: &str, refuse: impl Fn(&mut World)) -> World {
    let mut world = World::begin(&configuration(&["one", "two"], more), Some(Disk::default()));
    world.expects_error("the broker refuses a message");
    refuse(&mut world);
    world.joined_by(Obedient::new("one")).joined_by(Obedient::new("two"))
}

fn count(world: &World, topic: &str, is_retained: bool) -> usize {
    let ours = world.broker.seen.iter().filter(|seen| seen.from == From::Manager && seen.topic == topic);
    ours.filter(|seen| seen.retain == is_retained).count()
}

fn refuse_retain(world: &mut World) {
    world.broker.refuses.retain = true;
}

fn larger_than(len: usize) -> impl Fn(&mut World) {
    move |world| world.broker.refuses.larger_than = Some(len)
}

fn assert_completes(world: &mut World, activity: &str) {
    world.backend_applies(activity, &desired_state(&["one", "two"]));
    world.run_for(120_000);
    assert_eq!(world.last(activity).status, "COMPLETED");
}

/// A desired state with a component whose version is this long.
fn long(len: usize) -> String {
    desired_state(&["one", "two"]).replacen(r#""version":""#, &format!(r#""version":"{}"#, "1".repeat(len)), 1)
}

#[test]
fn at_a_broker_without_retain_the_current_state_goes_without_after_three_trials() {
    for session in ["", KEPT] {
        let mut world = world(session, refuse_retain);
        world.run_for(180_000);
        assert!(world.logged(&[STATE, "the broker refuses a message of", "nothing is retained from now on"]));
        assert_eq!(world.broker.refuses.ended, LINKS);
        assert!(count(&world, STATE, false) > 0);
        assert_completes(&mut world, "a-1");
        assert_eq!(world.broker.refuses.ended, LINKS, "it is learned once");
    }
}

#[test]
fn a_status_topic_and_a_last_will_that_are_refused_go_without_retain() {
    let announced = r#""connection": {"statusTopic": "device/update-manager"}"#;
    let mut world = world(announced, refuse_retain);
    world.run_for(600_000);
    assert!(count(&world, "device/update-manager", false) > 0);
    assert_completes(&mut world, "a-1");
    let ended = world.broker.refuses.ended;
    world.cut();
    world.await_link();
    world.run_for(60_000);
    assert_eq!(world.broker.refuses.ended, ended);
}

#[test]
fn without_retain_in_the_configuration_such_a_broker_ends_nothing() {
    let off = r#""connection": {"statusTopic": "device/update-manager", "retain": false}"#;
    let mut world = world(off, refuse_retain);
    assert_completes(&mut world, "a-1");
    assert_eq!(world.broker.refuses.ended, 0);
}

#[test]
fn a_current_state_that_is_too_large_is_left_out_and_the_next_ones_end_no_connection() {
    let mut world = world("", larger_than(400));
    world.run_for(300_000);
    assert!(world.logged(&[STATE, "the broker refuses a message of", "it is dropped"]));
    assert_eq!((world.broker.refuses.ended, count(&world, STATE, true) + count(&world, STATE, false)), (2 * LINKS, 0));
    world.backend_asks("b-1");
    world.run_for(60_000);
    assert_eq!(world.broker.refuses.ended, 2 * LINKS);
    world.cut();
    world.await_link();
    world.run_for(60_000);
    assert_eq!(world.broker.refuses.ended, 2 * LINKS);
    // What was learned by mistake, or is out of date, is forgotten.
    world.broker.refuses.larger_than = None;
    world.run_for(24 * 3_600_000);
    world.cut();
    world.await_link();
    world.run_for(10_000);
    assert_eq!(count(&world, STATE, true), 1, "retained, since that was not why");
}

#[test]
fn a_report_that_is_too_large_goes_without_its_actions() {
    let mut world = world("", |_| {});
    world.run_for(1_000);
    // The messages to the agents are shorter.
    world.broker.refuses.larger_than = Some(220);
    assert_completes(&mut world, "a-1");
    assert!(world.logged(&[FEEDBACK, "the broker refuses a message of", "it goes without its details"]));
    let ended = world.broker.refuses.ended;
    assert!((LINKS..=2 * LINKS).contains(&ended), "{ended}: the current state is too large as well");
}

#[test]
fn a_command_that_is_refused_fails_its_domain_and_the_others_are_told_at_once() {
    for session in ["", KEPT] {
        let mut world = world(session, |_| {});
        world.run_for(1_000);
        world.broker.refuses.topic = Some("oneupdate/desiredstate/command".to_owned());
        world.backend_applies("a-1", &desired_state(&["one", "two"]));
        world.run_for(300_000);
        let last = world.last("a-1");
        assert_eq!(last.status, "INCOMPLETE");
        assert!(last.message.contains("[one] the broker refuses the message to its agent, "), "{}", last.message);
        assert!(!last.message.contains("[two]"), "{}", last.message);
        assert!(world.logged(&["oneupdate/desiredstate/command: the broker refuses a message of", "it is dropped"]));
        // For DOWNLOAD and for CLEANUP, and those that took other acknowledgements along.
        let ended = world.broker.refuses.ended;
        assert!((2 * LINKS..=2 * LINKS + 4).contains(&ended), "{ended}");
        world.broker.refuses.topic = None;
        assert_completes(&mut world, "a-2");
    }
}

#[test]
fn a_desired_state_that_is_too_large_for_an_agents_topic_fails_the_domain_with_its_size() {
    let mut world = world("", |_| {});
    world.run_for(1_000);
    world.broker.refuses.larger_than = Some(2_000);
    // The backend's way to the broker is another one.
    world.backend_applies("a-1", &long(3_000));
    world.run_for(300_000);
    let last = world.last("a-1");
    assert_ne!(last.status, "COMPLETED");
    assert!(last.message.contains("[one] the broker refuses the message to its agent, "), "{}", last.message);
    world.backend_applies("a-2", &desired_state(&["one", "two"]));
    world.run_for(60_000);
    assert_eq!(world.last("a-2").status, "COMPLETED");
}

#[test]
fn while_one_agents_command_is_held_back_the_others_go_on() {
    let mut world = world(KEPT, |_| {});
    world.run_for(1_000);
    world.broker.refuses.topic = Some("oneupdate/desiredstate/command".to_owned());
    world.backend_applies("a-1", &desired_state(&["one", "two"]));
    world.run_for(50_000);
    assert_eq!(world.commands("two"), ["DOWNLOAD"]);
    assert!(world.link.is_up);
    // What the broker refused for a while only is not given up.
    world.broker.refuses.topic = None;
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
    assert!(!world.logged(&["the broker refuses a message"]));
}

#[test]
fn an_end_that_is_refused_with_all_that_was_saved_of_it_is_told_in_a_shorter_form() {
    let mut world = world(KEPT, |_| {});
    world.run_for(1_000);
    world.broker.acknowledges = false;
    for activity in ["a-1", "a-2"] {
        world.backend_applies(activity, &desired_state(&["one", "two"]));
        world.run_for(1_000);
        assert_eq!(world.last(activity).status, "COMPLETED");
    }
    let cut = world.now();
    world.power_cut(Outage { fate: Fate::Lost, down_ms: 300, boots: true, agents_too: true });
    world.broker.acknowledges = true;
    world.broker.refuses.larger_than = Some(220);
    world.run_for(300_000);
    let ends: Vec<_> = world.ends().into_iter().filter(|end| end.at > cut).collect();
    let mut ends: Vec<_> =
        ends.iter().map(|end| (end.activity.as_str(), end.status.as_str(), end.actions.len())).collect();
    ends.sort_unstable();
    assert_eq!(ends, [("a-1", "COMPLETED", 0), ("a-2", "COMPLETED", 0)]);
    assert!(world.logged(&[FEEDBACK, "the broker refuses a message of", "it is dropped"]));
}

#[test]
fn on_a_line_that_breaks_now_and_then_a_refused_message_is_found_all_the_same() {
    let mut world = world(KEPT, refuse_retain);
    for _ in 0..4 {
        world.run_for(95_000);
        world.cut();
        world.await_link();
    }
    assert!(world.logged(&[STATE, "nothing is retained from now on"]));
    assert_completes(&mut world, "a-1");
}

/// The links break at random, mostly shortly after a message, and at times the broker
/// acknowledges nothing; no message is given up.
#[test]
fn links_that_break_by_chance_are_no_refusal() {
    for seed in 1..=60 {
        let mut random = Random::new(seed);
        let mut world = world(random.of(&["", KEPT]), |_| {});
        world.run_for(1_000);
        let breaks = random.of(&[10, 40, 70]);
        for step in 0..60 {
            if step % 20 == 0 {
                world.backend_applies(&format!("a-{step}"), &desired_state(&["one", "two"]));
            }
            world.broker.acknowledges = random.percent(60);
            let most = random.of(&[10, 1_000, 6_000, 40_000]);
            world.run_for(random.below(most));
            if random.percent(breaks) {
                world.cut();
                world.await_link();
            }
        }
        world.broker.acknowledges = true;
        world.run_for(1_000_000);
        assert!(!world.logged(&["the broker refuses a message"]), "seed {seed}");
        assert!(world.reports("a-40").iter().any(|report| report.is_final()), "seed {seed}");
    }
}
