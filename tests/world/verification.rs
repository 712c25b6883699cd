//! The verification command and the inventories between the engine and the outside
//! (docs/whole-device.md, "Commit"). What follows from them is in the tests of the engine.

use update_manager::engine::group::Group;
use update_manager::world::actors::{desired_state, inventory_of, Obedient, Shown};
use update_manager::world::checks::Says;
use update_manager::world::disk::{Disk, Fate};
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::topic;

const BOTH: [&str; 2] = ["one", "two"];

const COMMAND: &str = r#""rollback": "device", "verifyCommand": "/usr/bin/verify", "verifyTimeout": "1m""#;

const OLD: Shown = &[("app", "1")];
const NEW: Shown = &[("app", "2")];

/// A world of two agents to whom everything succeeds.
fn world(more: &str) -> World {
    World::with(&BOTH, more).joined_by(Obedient::new("two")).joined_by(Obedient::new("one"))
}

/// Wants `act` to be applied, and what came of it so much later.
fn apply(world: &mut World, ms: u64) -> String {
    world.backend_applies("act", &desired_state(&BOTH));
    go_on(world, ms)
}

fn go_on(world: &mut World, ms: u64) -> String {
    world.run_for(ms);
    end(world)
}

/// The last report of the activity: its status, and its message if it has one.
fn end(world: &World) -> String {
    let report = world.last("act");
    let colon = if report.message.is_empty() { "" } else { ": " };
    format!("{}{colon}{}", report.status, report.message)
}

/// A world in which the first agent is to show in its inventory what is wanted.
fn showing(more: &str, one: Obedient) -> World {
    let agents = r#""agents": {"one": {"verifyInventory": "always"}, "two": {}}"#;
    let keys = r#""thingsEnabled": false, "rollback": "device", "verifyTimeout": "1m""#;
    World::new(&format!("{{{keys}, {agents}{more}}}")).joined_by(one).joined_by(Obedient::new("two"))
}

fn inventories_asked(world: &World, domain: &str) -> usize {
    world.asked(domain).iter().filter(|activity| *activity == "act").count()
}

#[test]
fn the_command_is_called_for_each_group_with_its_domains() {
    let mut world = world(&COMMAND.replace("device", "baseline"));
    world.backend_applies("act", &desired_state(&["two", "one"]));
    world.run_for(100);
    // Groups are numbered as the desired state names their domains.
    assert_eq!(world.called(), ["act two", "act one"]);
    assert_eq!(world.ends()[0].status, "COMPLETED");
    let mut world = self::world(COMMAND);
    world.backend_applies("act", &desired_state(&["two", "one"]));
    world.run_for(100);
    assert_eq!(world.called(), ["act one two"], "in the order of the configuration");
}

#[test]
fn without_a_command_none_is_called() {
    let mut world = world(r#""rollback": "device""#);
    assert_eq!(apply(&mut world, 100), "COMPLETED");
    assert_eq!(world.called().len(), 0);
}

#[test]
fn a_command_that_wants_patience_is_called_again() {
    let mut world = world(COMMAND);
    world.verdicts(0, [Says::NotYet, Says::NotYet]);
    assert_ne!(apply(&mut world, 2_500), "COMPLETED");
    assert_eq!(world.called().len(), 2);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE"]);
    world.run_for(1_000);
    assert_eq!(world.called().len(), 3);
    assert_eq!(end(&world), "COMPLETED");
}

#[test]
fn the_words_of_a_bad_verdict_reach_the_backend() {
    let mut world = world(COMMAND);
    world.verdicts(0, [Says::Bad("no \"network\"")]);
    let end = apply(&mut world, 100);
    assert!(end.starts_with("INCOMPLETE") && end.contains("no \"network\""), "{end}");
    assert_eq!(world.commands("two"), ["DOWNLOAD", "UPDATE", "ACTIVATE", "ROLLBACK", "CLEANUP"]);
}

#[test]
fn a_call_without_an_answer_is_ended_and_its_verdict_dropped() {
    let mut world = world(COMMAND);
    world.verdicts(0, [Says::Nothing]);
    let end = apply(&mut world, 61_000);
    assert!(end.contains("not verified in 1m") && !end.contains("signal"), "{end}");
    assert_eq!(world.company.checks.ended, [(60_000, Group::default())]);
    assert_eq!(world.called().len(), 1);
}

#[test]
fn a_cancelled_activity_ends_its_call() {
    let mut world = world(&format!(r#"{COMMAND}, "consoleControl": true"#));
    world.verdicts(0, [Says::Nothing]);
    apply(&mut world, 1_000);
    world.commanded("cancel");
    world.run_for(1_000);
    assert!(end(&world).starts_with("INCOMPLETE: cancelled"), "{}", end(&world));
    assert_eq!(world.company.checks.ended.len(), 1);
}

#[test]
fn the_end_of_the_process_ends_the_call_and_says_nothing_of_the_group() {
    let mut world = World::begin(&configuration(&BOTH, COMMAND), Some(Disk::default()));
    world.settle();
    let mut world = world.joined_by(Obedient::new("one")).joined_by(Obedient::new("two"));
    world.verdicts(0, [Says::Nothing, Says::Nothing]);
    apply(&mut world, 1_000);
    world.terminate();
    assert_eq!(world.company.checks.ended.len(), 1);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE"]);
    world.run_for(120_000);
    assert_eq!(world.called().len(), 1, "nobody is asked any more");
}

#[test]
fn the_command_is_called_anew_after_a_power_cut() {
    let mut world = World::begin(&configuration(&BOTH, COMMAND), Some(Disk::default()));
    world.settle();
    let mut world = world.joined_by(Obedient::new("one")).joined_by(Obedient::new("two"));
    world.verdicts(0, [Says::Nothing]);
    apply(&mut world, 1_000);
    world.power_cut(Outage { fate: Fate::Whole, down_ms: 1_000, boots: false, agents_too: false });
    world.run_for(120_000);
    assert_eq!(world.called(), ["act one two", "act one two"]);
    assert_eq!(end(&world), "COMPLETED");
    assert_eq!(world.company.checks.ended, []);
}

#[test]
fn an_inventory_is_asked_for_under_the_activity_until_it_shows_what_is_wanted() {
    let mut world = showing("", Obedient::new("one").showing([OLD, &[], NEW]));
    world.backend_applies("act", &desired_state(&BOTH));
    for (ms, times) in [(500, 1), (1_000, 2)] {
        assert_ne!(go_on(&mut world, ms), "COMPLETED");
        assert_eq!((inventories_asked(&world, "one"), inventories_asked(&world, "two")), (times, 0));
        assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE"]);
    }
    assert_eq!(go_on(&mut world, 2_000), "COMPLETED");
    // The third time, and for the report at the end.
    assert_eq!(inventories_asked(&world, "one"), 4);
}

#[test]
fn an_inventory_that_comes_unasked_counts_and_a_retained_one_does_not() {
    for is_retained in [false, true] {
        let mut world = showing("", Obedient::new("one").showing([OLD]));
        let (topic, inventory) = (topic("one", "currentstate"), inventory_of("one", "its-own", u64::MAX >> 12, NEW));
        if is_retained {
            world.publish_retained(&topic, &inventory);
        }
        apply(&mut world, 100);
        match is_retained {
            // The broker delivers it once more.
            true => world.cut(),
            false => world.publish(&topic, &inventory),
        }
        world.await_link();
        world.run_for(100);
        assert!(world.logged(&["[one] its-own: inventory"]));
        assert_eq!(end(&world) == "COMPLETED", !is_retained, "retained: {is_retained}");
    }
}

#[test]
fn an_inventory_that_never_shows_it_turns_the_group_back() {
    let mut world = showing("", Obedient::new("one").showing([OLD]));
    let end = apply(&mut world, 120_000);
    assert!(end.starts_with("INCOMPLETE") && end.contains("[one]"), "{end}");
}

#[test]
fn the_answer_of_an_agent_is_no_hello_and_no_report() {
    let mut world = showing(r#", "currentStateDelay": "0s""#, Obedient::new("one").showing([OLD]));
    world.run_for(30_000);
    let reports = world.states().len();
    apply(&mut world, 10_000);
    assert!(inventories_asked(&world, "one") > 2);
    assert_eq!(world.states().len(), reports);
    assert!(!world.logged(&["in doubt"]));
    // A late one, while the next activity waits for that agent.
    world.run_for(120_000);
    world.agent_dies("one");
    world.backend_applies("next", &desired_state(&BOTH));
    let wall = world.wall();
    world.agent_has("one", inventory_of("one", "act", wall, NEW));
    assert!(!world.logged(&["in doubt"]));
    world.agent_has("one", inventory_of("one", "another", wall, NEW));
    assert!(world.logged(&["[one] next: in doubt"]));
}
