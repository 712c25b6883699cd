//! When activities began and how long they took, by the manager's own clocks.

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::clock::EPOCH;
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};

const ONE: [&str; 1] = ["one"];

/// The process alone ends.
const KILL: Outage = Outage { fate: Fate::Whole, down_ms: 1_000, boots: false, agents_too: false };

/// Milliseconds of ten years.
const YEARS: i64 = 10 * 365 * 86_400_000;

/// A world whose agent takes two seconds for each of its messages, with an activity that has
/// run for three.
fn begun(timestamp: &str) -> World {
    let mut world = World::saved(&configuration(&ONE, "")).joined_by(Obedient::paced("one", 2_000));
    wants(&mut world, timestamp);
    world.run_for(3_000);
    world
}

fn wants(world: &mut World, timestamp: &str) {
    let payload = desired_state(&ONE);
    world.publish(
        "deviceupdate/desiredstate",
        format!(r#"{{"activityId":"a-1","timestamp":{timestamp},"payload":{payload}}}"#),
    );
}

/// When the last activity began, and how long it took.
fn last(world: &mut World) -> (u64, u64) {
    let history = world.asks(r#"{"command":"history","json":true}"#).0;
    let last = history["data"]["history"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    let number = |key: &str| last[key].as_u64().unwrap_or_else(|| panic!("{key} in {history}"));
    (number("begun"), number("tookMs"))
}

#[test]
fn a_desired_states_timestamp_is_not_the_beginning_of_its_activity() {
    // In seconds, of a clock that is slow, and of one that is fast.
    for timestamp in ["1700000000", "1699999000000", "1700000900000", "-7"] {
        let mut world = begun(timestamp);
        world.power_cut(KILL);
        world.run_for(120_000);
        assert_eq!(world.last("a-1").status, "COMPLETED");
        let (begun, took_ms) = last(&mut world);
        assert_eq!(begun, EPOCH, "{timestamp}");
        assert!((10_000..120_000).contains(&took_ms), "{timestamp}: {took_ms} ms");
    }
}

#[test]
fn a_clock_that_is_set_makes_no_activity_longer_or_shorter() {
    for (set_ms, restarts) in [(YEARS, false), (-YEARS, false), (YEARS, true), (-YEARS, true)] {
        let mut world = begun("1700000000000");
        world.clock.wall_ms = set_ms;
        if restarts {
            world.power_cut(KILL);
        }
        world.run_for(120_000);
        assert_eq!(world.last("a-1").status, "COMPLETED");
        let (begun, took_ms) = last(&mut world);
        assert_eq!(begun, EPOCH);
        assert!((10_000..120_000).contains(&took_ms), "{took_ms} ms, the clock set by {set_ms} ms");
        // It ended somewhat less than two minutes ago, whatever the clock says.
        let (_, text) = world.asks(r#"{"command":"status"}"#);
        assert!(text.contains("COMPLETED 1m") && text.contains(" ago"), "{text}");
    }
}

#[test]
fn whoever_waits_hears_of_the_end_by_the_clock_as_it_is_then() {
    let mut world = begun("1700000000000");
    world.clock.wall_ms = YEARS;
    let since = world.wall() + YEARS.unsigned_abs();
    world.run_for(120_000);
    let (ended, _) = world.asks(&format!(r#"{{"command":"watch","timestamp":{since}}}"#));
    assert_eq!((ended["exit"].as_u64(), ended["activityId"].as_str()), (Some(0), Some("a-1")));
    let later = since + 120_000;
    assert!(world.asks(&format!(r#"{{"command":"watch","timestamp":{later}}}"#)).0["exit"].is_null());
}

#[test]
fn an_activity_that_is_taken_up_twice_has_lasted_through_all_of_its_parts() {
    let mut world = begun("1700000000");
    for _ in 0..2 {
        world.power_cut(KILL);
        world.run_for(4_000);
        assert_eq!(world.last("a-1").status, "RUNNING");
    }
    world.run_for(240_000);
    let (begun, took_ms) = last(&mut world);
    assert_eq!((begun, world.last("a-1").status.as_str()), (EPOCH, "COMPLETED"));
    assert!((10_000..30_000).contains(&took_ms), "{took_ms} ms");
}
