//! What the manager does when something may have been lost, rule by rule, with agents
//! whose every word is written here: suspicion and repair. `late` goes on.

use crate::courses::{end_of, orders, orders_at, times, world, KILL, ORDERS};
use update_manager::world::actors::{desired_state, inventory};
use update_manager::world::power::Outage;
use update_manager::world::scenario::World;

const ONE: &[&str] = &["one"];
const BOTH: &[&str] = &["one", "two"];
const BOOT: Outage = Outage { boots: true, ..KILL };

pub fn says(world: &mut World, domain: &str, status: &str) {
    tells(world, domain, status, "");
}

pub fn tells(world: &mut World, domain: &str, status: &str, words: &str) {
    let action = format!(r#"{{"component":{{"id":"{domain}:app","version":"2"}},"status":"IDENTIFIED"}}"#);
    let payload = format!(r#"{{"status":"{status}","message":"{words}","actions":[{action}]}}"#);
    world.agent_says(domain, format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
    // What is decided now is saved and sent in the same millisecond.
    world.run_for(1);
}

pub fn says_hello(world: &mut World, domain: &str) {
    let wall = world.wall();
    world.agent_has(domain, inventory(domain, &format!("initial-current-state-{wall}"), wall));
    world.run_for(1);
}

/// The domains owe an answer to this command.
pub fn owing_by(domains: &[&str], order: &str, more: &str) -> World {
    let mut world = world(domains, false, more);
    world.backend_applies("a-1", &desired_state(domains));
    for success in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS"] {
        if times(&world, domains[0], order) > 0 {
            break;
        }
        domains.iter().for_each(|domain| says(&mut world, domain, success));
    }
    assert_eq!(times(&world, domains[0], order), 1);
    world
}

pub fn owing(order: &str, more: &str) -> World {
    owing_by(ONE, order, more)
}

/// When the desired state was sent to domain `one`.
pub fn forwarded(world: &World) -> Vec<u64> {
    orders_at(world, "one").into_iter().filter(|(_, order)| order == "IDENTIFY").map(|(at, _)| at).collect()
}

/// The desired state comes once more about so many milliseconds after this moment, and
/// no sooner.
pub fn assert_repaired_at(world: &mut World, at: u64, case: &str) {
    let before = forwarded(world).len();
    let wait = at - world.now();
    world.run_for(wait.saturating_sub(50));
    assert_eq!(forwarded(world).len(), before, "{case}: not before {at}");
    world.run_for(100);
    assert_eq!(forwarded(world).len(), before + 1, "{case}: repaired at {at}");
}

// Rule 1: suspicion.

#[test]
fn a_domain_that_owes_an_answer_is_suspected_at_its_hello_and_repaired_after_resume_after() {
    for order in &ORDERS[..4] {
        let mut world = owing(order, "");
        world.run_for(5_000);
        says_hello(&mut world, "one");
        let at = world.now() + 10_000;
        assert_repaired_at(&mut world, at, order);
    }
}

#[test]
fn a_domain_that_owes_an_answer_is_suspected_at_a_start_of_the_managers() {
    for order in &ORDERS[..4] {
        let mut world = owing(order, "");
        world.run_for(5_000);
        world.power_cut(KILL);
        world.await_link();
        world.run_for(9_000);
        assert_eq!(forwarded(&world).len(), 1, "{order}: nothing is repeated on suspicion alone");
        world.run_for(2_000);
        assert_eq!(forwarded(&world).len(), 2, "{order}");
    }
}

#[test]
fn a_domain_that_owes_an_answer_is_suspected_when_the_broker_has_lost_the_session() {
    let mut world = owing("UPDATE", "");
    world.broker_goes();
    world.broker.forget_session();
    world.broker_comes();
    let at = world.now() + 10_000;
    world.run_for(9_000);
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "UPDATE"]);
    world.run_for(at + 1_000 - world.now());
    assert_eq!(forwarded(&world).len(), 2);
}

#[test]
fn a_link_that_breaks_over_a_session_that_is_kept_is_no_suspicion() {
    let mut world = owing("UPDATE", "");
    for _ in 0..3 {
        world.cut();
        world.await_link();
    }
    world.run_for(200_000);
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "UPDATE"]);
}

#[test]
fn a_feedback_that_names_the_phase_ends_the_suspicion() {
    for (order, status) in [
        ("IDENTIFY", "IDENTIFYING"),
        ("DOWNLOAD", "DOWNLOADING"),
        ("UPDATE", "UPDATING"),
        ("UPDATE", "DOWNLOADING"),
        ("ACTIVATE", "ACTIVATING"),
    ] {
        let mut world = owing(order, "");
        says_hello(&mut world, "one");
        world.run_for(9_000);
        says(&mut world, "one", status);
        world.run_for(100_000);
        assert_eq!(forwarded(&world).len(), 1, "{order}, {status}");
    }
}

#[test]
fn a_feedback_of_another_phase_does_not_end_the_suspicion() {
    for (order, status) in [("UPDATE", "IDENTIFIED"), ("ACTIVATE", "UPDATING"), ("ACTIVATE", "UPDATE_SUCCESS")] {
        let mut world = owing(order, "");
        says_hello(&mut world, "one");
        world.run_for(5_000);
        says(&mut world, "one", status);
        world.run_for(6_000);
        assert_eq!(forwarded(&world).len(), 2, "{order}, {status}");
    }
}

#[test]
fn an_inventory_that_was_asked_for_or_kept_by_the_broker_is_no_hello() {
    let mut world = owing("UPDATE", "");
    let (asked, wall) = (world.asked("one"), world.wall());
    world.agent_has("one", inventory("one", asked.last().unwrap(), wall));
    world.run_for(100_000);
    assert_eq!(forwarded(&world).len(), 1, "asked for");

    let mut world = crate::courses::world(ONE, false, "");
    let wall = world.wall();
    world.publish_retained("oneupdate/currentstate", inventory("one", "", wall));
    world.backend_applies("a-1", &desired_state(ONE));
    says(&mut world, "one", "IDENTIFIED");
    world.cut();
    world.await_link();
    world.run_for(100_000);
    assert_eq!(forwarded(&world).len(), 1, "kept by the broker");
}

#[test]
fn an_inventory_without_an_activity_or_with_an_old_timestamp_is_a_hello() {
    for bytes in [inventory("one", "", 7), inventory("one", "initial-current-state-7", 7), r#"{"payload":{}}"#.into()] {
        let mut world = owing("DOWNLOAD", "");
        world.agent_has("one", &bytes);
        let at = world.now() + 10_000;
        assert_repaired_at(&mut world, at, &bytes);
    }
}

#[test]
fn a_hello_of_a_domain_that_owes_nothing_counts_from_its_next_command() {
    for kill in [false, true] {
        let mut world = owing_by(BOTH, "DOWNLOAD", "");
        says(&mut world, "one", "DOWNLOAD_SUCCESS");
        says_hello(&mut world, "one");
        world.run_for(100_000);
        assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD"]);
        if kill {
            world.power_cut(KILL);
            world.await_link();
        }
        says(&mut world, "two", "DOWNLOAD_SUCCESS");
        assert_eq!(orders(&world, "one").last().unwrap(), "UPDATE");
        let at = world.now() + 10_000;
        assert_repaired_at(&mut world, at, "from its command on");
        assert_eq!(times(&world, "two", "IDENTIFY"), 1);
    }
}

// Rule 2: repair.

#[test]
fn a_repaired_domain_gets_the_same_activity_and_is_led_to_the_phase_of_the_others() {
    let mut world = owing_by(BOTH, "ACTIVATE", "");
    says_hello(&mut world, "one");
    world.run_for(11_000);
    let sent = world.sent_to("oneupdate/desiredstate");
    assert_eq!((sent.len(), sent[1].activity()), (2, "a-1"));
    let payload = |n: usize| sent[n].json()["payload"].clone();
    assert_eq!(payload(0), payload(1));
    for status in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS"] {
        says(&mut world, "one", status);
    }
    assert_eq!(orders(&world, "one")[4..], ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE"]);
    assert_eq!(times(&world, "two", "CLEANUP"), 0);
    says(&mut world, "two", "ACTIVATION_SUCCESS");
    assert_eq!(times(&world, "two", "CLEANUP"), 0, "the others wait");
    says(&mut world, "one", "ACTIVATION_SUCCESS");
    assert_eq!((times(&world, "one", "CLEANUP"), times(&world, "two", "CLEANUP")), (1, 1));
}

#[test]
fn a_suspicion_counts_from_the_last_hello_but_at_most_half_a_phase_from_the_first() {
    let mut world = owing("UPDATE", r#", "phaseTimeout": "2m""#);
    says_hello(&mut world, "one");
    let first = world.now();
    world.run_for(8_000);
    says_hello(&mut world, "one");
    let last = world.now();
    assert_repaired_at(&mut world, last + 10_000, "from the last hello");

    let mut world = owing("UPDATE", r#", "phaseTimeout": "2m""#);
    says_hello(&mut world, "one");
    let begun = world.now();
    assert!(begun < first + 100, "the same course");
    while world.now() < begun + 55_000 {
        world.run_for(5_000);
        says_hello(&mut world, "one");
    }
    assert_repaired_at(&mut world, begun + 60_000, "half a phase from the first");
}

#[test]
fn resume_after_is_a_minute_or_half_a_phase() {
    for (more, expected) in [
        (r#""phaseTimeout": "10m""#, 60_000),
        (r#""phaseTimeout": "30s""#, 15_000),
        (r#""phaseTimeout": "10m", "resumeAfter": "5s""#, 5_000),
        (r#""phaseTimeout": "30s", "resumeAfter": "25s""#, 15_000),
    ] {
        let mut world = World::with(ONE, more);
        world.backend_applies("a-1", &desired_state(ONE));
        // Its id is not to be that of the manager's own question.
        world.run_for(1_000);
        says_hello(&mut world, "one");
        let at = world.now() + expected;
        assert_repaired_at(&mut world, at, more);
    }
}

#[test]
fn no_repair_goes_out_before_the_manager_is_subscribed_again() {
    let mut world = owing("UPDATE", "");
    world.power_cut(KILL);
    world.broker.reachable = false;
    world.run_for(300_000);
    world.broker_comes();
    let up = world.now();
    world.run_for(9_000);
    assert_eq!(forwarded(&world).len(), 1);
    world.run_for(2_000);
    assert_eq!(forwarded(&world).len(), 2, "{up}");
}

#[test]
fn what_the_broker_has_kept_is_taken_before_a_domain_is_repaired() {
    let mut world = owing("UPDATE", "");
    world.power_cut(Outage { down_ms: 60_000, ..KILL });
    world.run_for(1_000);
    says(&mut world, "one", "UPDATE_SUCCESS");
    world.run_for(60_000);
    world.await_link();
    world.run_for(1_000);
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE"]);
}

#[test]
fn after_a_boot_of_the_host_the_first_hello_brings_the_repair_at_once_and_once() {
    let mut world = owing("UPDATE", "");
    world.power_cut(BOOT);
    world.await_link();
    world.run_for(3_000);
    assert_eq!(forwarded(&world).len(), 1);
    says_hello(&mut world, "one");
    world.run_for(10);
    assert_eq!(forwarded(&world).len(), 2, "at its first hello");
    says_hello(&mut world, "one");
    world.run_for(9_000);
    assert_eq!(forwarded(&world).len(), 2, "once for a boot");
}

#[test]
fn after_a_boot_without_a_hello_the_repair_waits_for_the_read_timeout() {
    let agents = r#""agents": {"one": {"readTimeout": "17s"}}, "resumeAfter": "5s", "phaseTimeout": "4m""#;
    let session = r#""connection": {"clientId": "um", "cleanSession": false}"#;
    let mut world = World::saved(&format!(r#"{{"thingsEnabled": false, {agents}, {session}}}"#));
    world.backend_applies("a-1", &desired_state(ONE));
    says(&mut world, "one", "IDENTIFIED");
    world.power_cut(BOOT);
    world.await_link();
    world.run_for(16_000);
    assert_eq!(forwarded(&world).len(), 1);
    world.run_for(2_000);
    assert_eq!(forwarded(&world).len(), 2);
}

// Rule 3: how often.

#[test]
fn mere_silence_brings_no_other_repair() {
    let mut world = owing("DOWNLOAD", "");
    says_hello(&mut world, "one");
    assert_ne!(end_of(&mut world, "a-1", 3_600_000), "COMPLETED");
    assert_eq!(forwarded(&world).len(), 2);
}

#[test]
fn a_phase_has_at_most_three_repairs_also_over_starts() {
    for kill in [false, true] {
        let mut world = owing("UPDATE", "");
        for _ in 0..5 {
            if kill {
                world.power_cut(KILL);
                world.await_link();
            } else {
                says_hello(&mut world, "one");
            }
            world.run_for(11_000);
            // It takes the repair, and is lost again.
            for status in ["IDENTIFIED", "DOWNLOAD_SUCCESS"] {
                says(&mut world, "one", status);
            }
        }
        assert_eq!(forwarded(&world).len(), 4, "kill {kill}");
    }
}
