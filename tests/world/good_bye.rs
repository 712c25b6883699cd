//! The end of the process: what it waits for, and for how long.

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::{configuration, World};

/// Milliseconds that the broker or the disk is waited for at most.
const DRAIN_MS: u64 = 1_000;

/// Milliseconds that the broker has to take the subscriptions back.
const UNSUBSCRIBE_MS: u64 = 300;

/// Milliseconds of each write, and again until its job is over.
const SYNC_MS: u64 = 200;

/// A manager of whose messages the broker has not acknowledged one.
fn unacknowledged() -> World {
    let mut world = World::plain(&["one"]);
    world.broker.acknowledges = false;
    world.backend_asks("get");
    world.agent_has("one", r#"{"activityId":"get","payload":{"softwareNodes":[]}}"#);
    world.run_for(100);
    assert_eq!(world.states_of().last().map(String::as_str), Some("get"));
    world
}

/// A manager in the middle of a save. The broker acknowledges all or nothing.
fn saving(acknowledges: bool) -> World {
    let mut world = World::saved(&configuration(&["one"], "")).joined_by(Obedient::new("one").silent_at("DOWNLOAD"));
    world.run_for(1_000);
    world.broker.acknowledges = acknowledges;
    if !acknowledges {
        world.backend_asks("get");
        world.run_for(10_000);
    }
    world.slow_disk(SYNC_MS);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world
}

/// Milliseconds until the process has ended, in tens.
fn ended_after(world: &mut World) -> u64 {
    let begun = world.now();
    while !world.is_ended() {
        world.run_for(10);
        assert!(world.now() < begun + 10_000, "it ends");
    }
    world.now() - begun
}

#[test]
fn with_nothing_under_way_it_ends_at_once_with_its_subscriptions() {
    let mut world = World::plain(&["one"]);
    assert!(world.broker.has_filter("deviceupdate/desiredstate"));
    world.terminate();
    assert!(world.is_ended());
    assert!(!world.broker.has_filter("deviceupdate/desiredstate"));
}

#[test]
fn a_message_that_is_not_acknowledged_is_waited_for_a_second() {
    let mut world = unacknowledged();
    world.terminate();
    assert_eq!(ended_after(&mut world), DRAIN_MS);
}

#[test]
fn a_save_is_waited_for_and_not_longer() {
    let mut world = saving(true);
    world.terminate();
    assert_eq!(ended_after(&mut world), 2 * SYNC_MS);
}

#[test]
fn without_a_broker_nothing_but_a_save_is_waited_for() {
    let mut world = unacknowledged();
    world.broker_goes();
    world.terminate();
    assert!(world.is_ended());
    let mut world = saving(false);
    world.broker_goes();
    world.terminate();
    assert_eq!(ended_after(&mut world), 2 * SYNC_MS);
}

#[test]
fn a_link_that_is_lost_meanwhile_ends_the_wait_for_the_broker_and_not_that_for_a_save() {
    let mut world = unacknowledged();
    world.terminate();
    world.run_for(100);
    assert!(!world.is_ended());
    world.broker_goes();
    assert!(world.is_ended());
    let mut world = saving(false);
    world.terminate();
    world.run_for(100);
    world.broker_goes();
    assert_eq!(ended_after(&mut world), 2 * SYNC_MS - 100);
}

#[test]
fn a_broker_that_takes_nothing_more_is_left_when_its_time_is_over() {
    let mut world = World::with(&["one"], r#""connection": {"disconnectTimeout": "2s"}"#);
    world.manager.handle_terminate(world.clock.now());
    // The answer to UNSUBSCRIBE, and the end of the link.
    for ms in [UNSUBSCRIBE_MS, 2_000] {
        let due = world.clock.now().tick.after(ms);
        assert_eq!(world.manager.poll_timeout(), Some(due));
        world.clock.elapsed += ms - 1;
        world.manager.handle_timeout(world.clock.now());
        assert!(!world.is_ended());
        world.clock.elapsed += 1;
        world.manager.handle_timeout(world.clock.now());
    }
    assert!(world.is_ended());
}

#[test]
fn told_twice_it_waits_for_nothing() {
    let mut world = unacknowledged();
    world.terminate();
    assert!(!world.is_ended());
    world.terminate();
    assert!(world.is_ended());
}
