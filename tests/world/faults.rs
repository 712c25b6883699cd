//! A disk that fails: what goes on meanwhile, what the backend hears of it, and what a
//! restart finds afterwards.

mod slots;
mod starts;

use update_manager::store::format::Kind;
use update_manager::store::slots::Slot;

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::{Disk, Fate, Fault};
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::{From, Report, Seen};
use update_manager::world::settings::parse;

/// The process alone ends.
const KILL: Outage = Outage { fate: Fate::Lost, down_ms: 300, boots: false, agents_too: false };

/// The whole host loses its power.
const BOOT: Outage = Outage { fate: Fate::Lost, down_ms: 300, boots: true, agents_too: true };

const KEPT: &str = r#""phaseTimeout": "12h", "connection": {"clientId": "um", "cleanSession": false}"#;

const ONE: [&str; 1] = ["one"];
const TWO: [&str; 2] = ["one", "two"];

/// All commands of an activity that succeeds.
const ALL: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];

const FULL: &str = "No space left on device (os error 28)";
const UNSAVED: &str = "the activity could not be saved";
const BLOCKED: &str = "the end of a-1 cannot be saved: No space left on device (os error 28)";

/// Between two messages of the agent, in milliseconds.
const PACE_MS: u64 = 20_000;

/// A manager that saves, with a session that the broker keeps, and an agent.
fn saving(agent: Obedient) -> World {
    let mut world = World::saved(&configuration(&ONE, KEPT)).joined_by(agent);
    world.expects_error("could not be saved");
    world.run_for(1_000);
    world
}

fn paced() -> World {
    saving(Obedient::paced("one", PACE_MS))
}

fn disk(world: &mut World) -> &mut Disk {
    world.disk.as_mut().unwrap()
}

/// From now on nothing can be written.
fn fills_the_disk(world: &mut World) {
    fills_the_disk_after(world, 0);
}

/// So many more writes are done, and then none.
fn fills_the_disk_after(world: &mut World, writes: usize) {
    let disk = disk(world);
    disk.fails = Some((disk.operations() + writes, FULL));
}

fn applies(world: &mut World, activity: &str) {
    world.backend_applies(activity, &desired_state(&ONE));
}

/// The same at the console; the error that it answers.
fn applies_at_console(world: &mut World, activity: &str, more: &str) -> String {
    let (wall, payload) = (world.wall(), desired_state(&ONE));
    let request =
        format!(r#"{{"command":"apply","activityId":"{activity}","timestamp":{wall}{more},"payload":{payload}}}"#);
    let (answer, _) = world.asks_unless_busy(&request, true).unwrap();
    answer["error"].as_str().unwrap_or_default().to_owned()
}

/// When the agent got this command for the first time.
fn commanded_at(world: &World, command: &str) -> Option<u64> {
    world.commands_at("one").into_iter().find(|(_, one)| one == command).map(|(at, _)| at)
}

fn await_command(world: &mut World, command: &str) {
    for _ in 0..6_000 {
        if commanded_at(world, command).is_some() {
            return;
        }
        world.run_for(100);
    }
    panic!("no {command}");
}

/// The final reports that the manager has sent since then, those that it had sent before too.
fn ends_since(world: &World, since: u64) -> Vec<String> {
    let sent = world.broker.seen.iter().filter(|seen| seen.from == From::Manager && seen.at >= since);
    let ends = sent.filter_map(Seen::report).filter(Report::is_final);
    ends.map(|report| format!("{} {}", report.activity, report.status)).collect()
}

/// Status and message of an activity's only end.
fn end_of(world: &World, activity: &str) -> (String, String) {
    let ends: Vec<Report> = world.ends().into_iter().filter(|end| end.activity == activity).collect();
    assert_eq!(ends.len(), 1, "final statuses of {activity}");
    (ends[0].status.clone(), ends[0].message.clone())
}

fn assert_end(world: &World, activity: &str, status: &str, message: &str) {
    assert_eq!(end_of(world, activity), (status.to_owned(), message.to_owned()), "{activity}");
}

/// After a restart nothing is told and nothing is commanded.
fn assert_over_for_good(world: &mut World) {
    let (cut, before) = (world.now(), world.commands("one"));
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(ends_since(world, cut), [""; 0], "told once more");
    assert_eq!(world.commands("one"), before, "commanded once more");
}

// After a write has failed

#[test]
fn what_waits_for_a_write_that_fails_goes_out_at_once_and_nothing_waits_after_it() {
    let mut world = paced();
    world.slow_disk(1_000);
    fills_the_disk(&mut world);
    let begun = world.now();
    applies(&mut world, "a-1");
    world.run_for(999);
    assert!(world.sent_to("oneupdate/desiredstate").is_empty() && world.story("a-1").is_empty());
    world.run_for(1);
    assert_eq!(world.sent_to("oneupdate/desiredstate").len(), 1);
    assert_eq!(world.story("a-1"), ["IDENTIFYING"]);
    assert!(world.logged(&["the activity could not be saved and goes on in memory", FULL]));
    world.run_for(600_000);
    let times: Vec<u64> = world.commands_at("one").into_iter().map(|(at, _)| at - begun - 1_000).collect();
    assert_eq!(times, [2 * PACE_MS, 4 * PACE_MS, 6 * PACE_MS, 8 * PACE_MS]);
    assert_end(&world, "a-1", "COMPLETED", UNSAVED);
}

/// When writes were begun in the next so many seconds, in seconds from now.
fn writes_in(world: &mut World, seconds: u64) -> Vec<u64> {
    let mut all = Vec::new();
    for second in 1..=seconds {
        let before = disk(world).operations();
        world.run_for(1_000);
        (before..disk(world).operations()).for_each(|_| all.push(second));
    }
    all
}

#[test]
fn a_write_that_fails_is_tried_again_after_a_pause_that_grows_to_five_minutes() {
    let mut world = saving(Obedient::new("two"));
    fills_the_disk(&mut world);
    world.run_for(500);
    let before = disk(&mut world).operations();
    applies(&mut world, "a-1");
    assert_eq!(disk(&mut world).operations(), before + 1);
    // 1, 2, 4 to 256, then each time 300 seconds after the one before.
    let expected = [1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1_111, 1_411];
    assert_eq!(writes_in(&mut world, 1_500), expected);
}

#[test]
fn each_change_is_tried_at_once_and_the_manager_that_ends_tries_once_more() {
    let mut world = paced();
    fills_the_disk(&mut world);
    applies(&mut world, "a-1");
    world.run_for(2 * PACE_MS - 1);
    let before = disk(&mut world).operations();
    world.run_for(1);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    assert_eq!(disk(&mut world).operations(), before + 1, "a change");
    world.run_for(1_000);
    let before = disk(&mut world).operations();
    disk(&mut world).mend();
    world.terminate();
    assert!(disk(&mut world).operations() > before, "the end");
    world.run_for(10_000);
    assert!(world.is_ended());
    assert!(world.ends().is_empty(), "it goes on at the next start");
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_end(&world, "a-1", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

#[test]
fn a_manager_that_ends_without_a_broker_tries_once_more() {
    let mut world = paced();
    fills_the_disk(&mut world);
    applies(&mut world, "a-1");
    world.run_for(3 * PACE_MS);
    world.broker_goes();
    disk(&mut world).mend();
    world.slow_disk(100);
    world.terminate();
    world.run_for(10_000);
    assert!(world.is_ended());
    world.broker.reachable = true;
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_end(&world, "a-1", "COMPLETED", "");
}

#[test]
fn a_manager_that_ends_waits_for_a_disk_that_hangs_a_second_at_most() {
    for has_broker in [false, true] {
        let mut world = paced();
        fills_the_disk(&mut world);
        applies(&mut world, "a-1");
        world.run_for(3 * PACE_MS);
        if !has_broker {
            world.broker_goes();
        }
        world.slow_disk(600_000);
        world.terminate();
        world.run_for(900);
        assert!(!world.is_ended());
        world.run_for(200);
        assert!(world.is_ended());
    }
}

#[test]
fn a_manager_that_ends_tells_the_end_of_an_activity_that_it_could_not_save() {
    let mut world = paced();
    fills_the_disk(&mut world);
    applies(&mut world, "a-1");
    world.run_for(3 * PACE_MS);
    world.expects_error("is moved aside to document.corrupt");
    world.slow_disk(100);
    world.terminate();
    world.run_for(10_000);
    assert!(world.is_ended());
    let (status, message) = end_of(&world, "a-1");
    assert!(status == "INCOMPLETE" && message.contains(UNSAVED), "{message}");
    disk(&mut world).mend();
    assert_over_for_good(&mut world);
}

// The disk works again

#[test]
fn an_activity_is_saved_again_when_the_disk_works_again_in_the_middle() {
    for writes in 0..2 {
        let mut world = paced();
        fills_the_disk_after(&mut world, writes);
        let begun = world.now();
        applies(&mut world, "a-1");
        await_command(&mut world, "DOWNLOAD");
        assert!(world.is_unsaved());
        disk(&mut world).mend();
        await_command(&mut world, "UPDATE");
        assert!(world.logged(&["what could not be saved is saved now"]) && !world.is_unsaved());
        // A save before act holds again: a write takes that long, and a job waits for its end.
        world.slow_disk(3_000);
        await_command(&mut world, "ACTIVATE");
        assert_eq!(commanded_at(&world, "ACTIVATE"), Some(begun + 6 * PACE_MS + 6_000), "after {writes} writes");
        world.slow_disk(0);
        world.power_cut(KILL);
        world.run_for(600_000);
        assert_eq!(world.commands("one"), ALL, "after {writes} writes");
        assert_end(&world, "a-1", "COMPLETED", "");
        assert_over_for_good(&mut world);
    }
}

#[test]
fn nothing_comes_back_when_the_disk_works_again_after_the_end() {
    for writes in 0..8 {
        let mut world = paced();
        fills_the_disk_after(&mut world, writes);
        applies(&mut world, "a-1");
        world.run_for(600_000);
        assert_eq!(world.last("a-1").status, "COMPLETED");
        disk(&mut world).mend();
        world.run_for(300_000);
        assert!(!world.is_unsaved(), "after {writes} writes");
        assert_over_for_good(&mut world);
        assert_eq!(world.commands("one"), ALL);
        applies(&mut world, "a-2");
        world.run_for(600_000);
        assert_end(&world, "a-2", "COMPLETED", "");
    }
}

// A disk that fails for ever

/// An activity that has begun on the disk and ended on a full one.
fn ended_unsaved() -> World {
    let mut world = paced();
    fills_the_disk_after(&mut world, 1);
    applies(&mut world, "a-1");
    world.run_for(600_000);
    assert_end(&world, "a-1", "COMPLETED", UNSAVED);
    world
}

#[test]
fn while_the_record_of_an_unfinished_activity_cannot_be_replaced_the_next_is_refused() {
    let mut world = ended_unsaved();
    applies(&mut world, "a-2");
    assert_end(&world, "a-2", "IDENTIFICATION_FAILED", BLOCKED);
    assert_eq!(applies_at_console(&mut world, "a-3", ""), format!("a-3: refused: {BLOCKED}"));
    assert_eq!(*world.accepted.borrow(), ["a-1"]);
    disk(&mut world).mend();
    world.run_for(300_000);
    applies(&mut world, "a-4");
    world.run_for(600_000);
    assert_end(&world, "a-4", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

#[test]
fn a_refused_activity_is_taken_at_once_when_it_is_wanted_again_on_a_disk_that_works_again() {
    let mut world = ended_unsaved();
    disk(&mut world).mend();
    applies(&mut world, "a-2");
    assert_end(&world, "a-2", "IDENTIFICATION_FAILED", BLOCKED);
    world.run_for(10);
    applies(&mut world, "a-3");
    world.run_for(600_000);
    assert_end(&world, "a-3", "COMPLETED", "");
}

#[test]
fn the_console_overrides_a_record_that_cannot_be_replaced() {
    let mut world = ended_unsaved();
    assert_eq!(applies_at_console(&mut world, "a-2", r#","force":true"#), "");
    world.run_for(600_000);
    assert_end(&world, "a-2", "COMPLETED", UNSAVED);
    disk(&mut world).mend();
    world.run_for(300_000);
    assert_over_for_good(&mut world);
}

#[test]
fn the_next_activity_is_taken_if_the_last_one_was_never_saved_or_its_end_was() {
    for is_saved in [false, true] {
        let mut world = paced();
        if !is_saved {
            fills_the_disk(&mut world);
        }
        applies(&mut world, "a-1");
        world.run_for(600_000);
        assert_end(&world, "a-1", "COMPLETED", if is_saved { "" } else { UNSAVED });
        fills_the_disk(&mut world);
        applies(&mut world, "a-2");
        world.run_for(600_000);
        assert_end(&world, "a-2", "COMPLETED", UNSAVED);
        applies(&mut world, "a-3");
        world.run_for(600_000);
        assert_end(&world, "a-3", "COMPLETED", UNSAVED);
    }
}

// What waits

#[test]
fn an_end_that_waits_for_the_broker_survives_a_disk_that_fails_once() {
    for fault in [Fault::Once(None), Fault::Once(Some((Kind::Document, Slot::B)))] {
        for ms in [0, 500, 3_000] {
            let mut world = saving(Obedient::paced("one", 1_000));
            world.broker.acknowledges = false;
            applies(&mut world, "a-1");
            world.run_for(20_000);
            disk(&mut world).add(fault);
            applies(&mut world, "a-2");
            assert!(disk(&mut world).has_failed);
            world.run_for(ms);
            let cut = world.now();
            world.power_cut(KILL);
            world.broker.acknowledges = true;
            world.run_for(60_000);
            let ends = ends_since(&world, cut);
            assert_eq!(ends[0], "a-1 COMPLETED", "{fault:?} after {ms} ms");
            // Saved again after a second.
            let expected: &[&str] = if ms > 1_000 { &["a-1 COMPLETED", "a-2 COMPLETED"] } else { &ends_of_first() };
            assert_eq!(ends, expected, "{fault:?} after {ms} ms");
        }
    }
}

fn ends_of_first() -> [&'static str; 1] {
    ["a-1 COMPLETED"]
}

/// When the manager acknowledged the messages on this topic.
fn acknowledged_at(world: &World, topic: &str) -> Vec<u64> {
    world.broker.taken.iter().filter(|taken| taken.topic == topic).map(|taken| taken.at).collect()
}

const IDENTIFIED: &str = concat!(
    r#"{"activityId":"a-1","payload":{"status":"IDENTIFIED","actions":"#,
    r#"[{"component":{"id":"one:app","version":"2"},"status":"IDENTIFIED"}]}}"#
);

#[test]
fn what_is_received_is_acknowledged_after_its_save() {
    let mut world = saving(Obedient::new("two"));
    world.slow_disk(2_000);
    let wanted = world.now();
    applies(&mut world, "a-1");
    world.run_for(10_000);
    // One write, which takes that long, and the end of the job.
    assert_eq!(acknowledged_at(&world, "deviceupdate/desiredstate"), [wanted + 4_000]);
    let said = world.now();
    world.agent_says("one", IDENTIFIED);
    world.run_for(10_000);
    assert_eq!(acknowledged_at(&world, "oneupdate/desiredstatefeedback"), [said + 4_000]);
    assert_eq!(commanded_at(&world, "DOWNLOAD"), Some(said + 4_000));
}

#[test]
fn what_is_received_while_saving_fails_is_acknowledged_at_once() {
    let mut world = saving(Obedient::new("two"));
    fills_the_disk(&mut world);
    world.slow_disk(2_000);
    let wanted = world.now();
    applies(&mut world, "a-1");
    world.run_for(10_000);
    assert_eq!(acknowledged_at(&world, "deviceupdate/desiredstate"), [wanted + 2_000], "with the first failure");
    let said = world.now();
    world.agent_says("one", IDENTIFIED);
    world.run_for(10_000);
    assert_eq!(acknowledged_at(&world, "oneupdate/desiredstatefeedback"), [said]);
    assert_eq!(commanded_at(&world, "DOWNLOAD"), Some(said));
}
