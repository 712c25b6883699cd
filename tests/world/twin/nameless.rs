//! A twin that works before it knows who it is.

use update_manager::limits::{FINISHED_MAX, REPORTS_MAX};

use super::*;

const SAVED: &str = r#"{"agents": {"one": {}}}"#;
const STATUS: &str = r#"{"command":"status"}"#;

/// One that saves its activities. A is applied at the console and ends INCOMPLETE, then
/// B is, whose update takes 5 s for each message of its agent.
fn at_work(restarts: bool) -> World {
    let mut world = World::saved(SAVED).joined_by(Obedient::paced("one", 5_000));
    let unknown = r#"{"domains":[{"id":"another","components":[{"id":"x"}]}]}"#;
    assert_eq!(world.applies("A", unknown)["exit"], 0);
    world.run_for(1_000);
    if restarts {
        restart(&mut world);
    }
    assert_eq!(world.applies("B", &desired_state(&["one"]))["exit"], 0);
    world.run_for(6_000);
    world
}

fn restart(world: &mut World) {
    world.power_cut(Outage { fate: Fate::Lost, down_ms: 1_000, boots: true, agents_too: false });
    world.run_for(1_000);
    world.await_link();
}

#[test]
fn each_report_that_waited_for_the_identity_is_of_its_own_activity() {
    for restarts in [false, true] {
        let mut world = at_work(restarts);
        if restarts {
            restart(&mut world);
        }
        assert!(world.sent_to("e").is_empty());
        edge_says(&mut world, "ns:name");
        assert_eq!(world.story("A"), ["INCOMPLETE"], "with a restart: {restarts}");
        assert!(!world.last("A").message.is_empty());
        let story = world.story("B");
        assert!(!story.is_empty() && story.iter().all(|status| DONE[..3].contains(&status.as_str())), "{story:?}");
        world.run_for(120_000);
        assert_eq!(world.last("B").status, "COMPLETED");
        assert_eq!(world.story("A").len(), 1);
        assert_eq!(world.ends().len(), 2, "each ends once");
    }
}

#[test]
fn what_a_running_activity_has_come_to_waits_for_the_identity_in_order() {
    let mut world = nameless("").joined_by(Obedient::paced("one", 5_000));
    assert_eq!(world.applies("B", &desired_state(&["one"]))["exit"], 0);
    world.run_for(11_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    edge_says(&mut world, "ns:name");
    assert_eq!(world.story("B"), DONE[..3]);
    edge_says(&mut world, "ns:other");
    assert_eq!(world.story("B"), DONE[..3], "once");
}

#[test]
fn an_end_that_waits_for_the_identity_outlives_a_power_cut_at_any_moment() {
    let fates = [Fate::Lost, Fate::Head(500), Fate::Whole];
    // After that many milliseconds of writes that take 100 each.
    for (after_ms, fate) in (0..12).flat_map(|n| fates.map(|fate| (n * 50, fate))) {
        let mut world = World::saved(SAVED).joined_by(Obedient::new("one"));
        world.slow_disk(100);
        assert_eq!(world.applies("A", &desired_state(&["one"]))["exit"], 0);
        world.run_for(after_ms);
        let outage = Outage { fate, down_ms: 1_000, boots: false, agents_too: false };
        world.power_cut(outage);
        world.run_for(120_000);
        assert_eq!(world.applies("B", &desired_state(&["one"]))["exit"], 0);
        world.run_for(after_ms);
        world.power_cut(outage);
        world.run_for(120_000);
        edge_says(&mut world, "ns:name");
        // And while it is told.
        world.power_cut(outage);
        world.run_for(60_000);
        edge_says(&mut world, "ns:name");
        world.run_for(60_000);
        for activity in ["A", "B"] {
            assert_eq!(world.last(activity).status, "COMPLETED", "{activity} at {after_ms} ms, {fate:?}");
        }
    }
}

#[test]
fn more_ends_than_are_told_at_once_all_wait_for_the_identity() {
    let mut world = World::saved(SAVED).joined_by(Obedient::new("one"));
    let names: Vec<String> = (0..REPORTS_MAX + 4).map(|n| format!("a-{n}")).collect();
    for name in &names {
        assert_eq!(world.applies(name, &desired_state(&["one"]))["exit"], 0);
        world.run_for(1_000);
    }
    edge_says(&mut world, "ns:name");
    world.run_for(1_000);
    for name in &names {
        assert_eq!(world.last(name).status, "COMPLETED", "{name}");
    }
    assert_eq!(world.ends().len(), names.len());
}

#[test]
fn an_end_that_is_forgotten_before_the_identity_has_come_is_logged() {
    let mut world = nameless("").joined_by(Obedient::new("one"));
    for n in 0..=FINISHED_MAX {
        assert!(!world.logged(&["its end is never reported"]));
        world.applies(&format!("a-{n}"), &desired_state(&["one"]));
        world.run_for(1_000);
    }
    assert!(world.logged(&["a-0: its end is never reported"]));
    world.expects_error("its end is never reported");
}

#[test]
fn status_says_that_no_identity_has_come_and_what_is_needed() {
    let mut world = nameless("").joined_by(Obedient::paced("one", 5_000));
    assert!(world.logged(&["thingsEnabled"]));
    let (_, text) = world.asks(STATUS);
    assert!(text.contains("\nthing      no identity has come on edge/thing/response\n"), "{text}");
    assert!(text.contains("\nwaits for  the identity from the connector, or thingsEnabled: false\n"), "{text}");
    let json = world.asks(r#"{"command":"status","json":true}"#).0;
    assert_eq!(json["data"]["thing"], json!({ "known": false }));
    // What an activity waits for comes first; the identity is missing all the same.
    world.applies("B", &desired_state(&["one"]));
    let (_, text) = world.asks(STATUS);
    assert!(text.contains("\nthing      no identity has come") && text.contains("\nwaits for  one, at most"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
    edge_says(&mut world, "ns:namę\u{202e}");
    let (_, text) = world.asks(STATUS);
    assert!(!text.contains("identity") && !text.contains("thing "), "{text}");
    let json = world.asks(r#"{"command":"status","json":true}"#).0;
    assert_eq!(json["data"]["thing"], json!({ "known": true, "id": "ns:namę\u{202e}" }));
}

#[test]
fn the_service_manager_is_told_that_no_identity_has_come() {
    let told = |world: &World| {
        let mut line = String::new();
        world.manager.write_activity(&mut line).unwrap();
        line
    };
    let mut world = nameless("");
    assert_eq!(told(&world), "no identity, no activity");
    world.broker_goes();
    assert_eq!(told(&world), "no broker, no activity", "which comes first");
    world.broker_comes();
    edge_says(&mut world, "ns:name");
    assert_eq!(told(&world), "no activity");
}

#[test]
fn status_has_nothing_of_a_thing_in_plain_mode() {
    let mut world = World::plain(&["one"]);
    let (_, text) = world.asks(STATUS);
    assert!(text.contains("\nwaits for  nothing\n") && !text.contains("thing "), "{text}");
    assert!(world.asks(r#"{"command":"status","json":true}"#).0["data"]["thing"].is_null());
}

#[test]
fn a_desired_state_on_the_plain_topics_does_nothing_and_status_tells_why() {
    let mut world = nameless("").joined_by(Obedient::new("one"));
    world.backend_applies("p-1", &desired_state(&["one"]));
    world.run_for(1_000);
    assert!(world.story("p-1").is_empty());
    let (_, text) = world.asks(STATUS);
    assert!(text.contains("\nactivity   none\n") && text.contains("or thingsEnabled: false\n"), "{text}");
}

#[test]
fn a_reboot_that_waits_for_the_identity_says_so() {
    let mut world = World::saved(r#"{"agents": {"one": {"rebootRequired": true}}}"#).joined_by(Obedient::new("one"));
    world.applies("A", &desired_state(&["one"]));
    world.run_for(100);
    let (_, text) = world.asks(STATUS);
    assert!(text.contains("\nwaits for  the identity, to report the end before the reboot, at most"), "{text}");
    edge_says(&mut world, "ns:name");
    world.run_for(60_000);
    assert_eq!((world.reboots.len(), world.last("A").status.as_str()), (1, "COMPLETED"));
}
