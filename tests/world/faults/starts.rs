//! What a start finds: a disk that can only be read, a folder that had vanished, another
//! configuration, some records alone.

use update_manager::store::format::Kind;
use update_manager::store::slots::Slot;

use super::slots::updating;
use super::*;

// Read-only at the start

#[test]
fn from_a_disk_that_can_only_be_read_the_running_activity_is_led_to_its_end() {
    let (mut world, _) = updating();
    disk(&mut world).add(Fault::ReadOnly);
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(world.commands("one"), ALL);
    assert_end(&world, "a-1", "COMPLETED", UNSAVED);
    applies(&mut world, "a-2");
    let why = "the end of a-1 cannot be saved: Read-only file system (os error 30)";
    assert_end(&world, "a-2", "IDENTIFICATION_FAILED", why);
}

#[test]
fn from_a_disk_that_can_only_be_read_a_finished_activity_is_known() {
    let mut world = saving(Obedient::new("one"));
    let wanted = format!(r#"{{"activityId":"a-1","timestamp":1700000000000,"payload":{}}}"#, desired_state(&ONE));
    world.publish("deviceupdate/desiredstate", &wanted);
    world.run_for(60_000);
    disk(&mut world).add(Fault::ReadOnly);
    world.power_cut(BOOT);
    world.run_for(60_000);
    world.publish("deviceupdate/desiredstate", &wanted);
    world.run_for(60_000);
    assert!(world.logged(&["a-1: desired state ignored, it was applied already"]));
    assert_end(&world, "a-1", "COMPLETED", "");
    // Of what cannot be saved nothing is unfinished on the disk.
    applies(&mut world, "a-2");
    world.run_for(60_000);
    assert_end(&world, "a-2", "COMPLETED", UNSAVED);
}

#[test]
fn from_a_disk_that_can_only_be_read_ends_that_were_not_delivered_are_told() {
    let mut world = saving(Obedient::new("one"));
    world.broker.acknowledges = false;
    for activity in ["a-1", "a-2"] {
        applies(&mut world, activity);
        world.run_for(10_000);
    }
    disk(&mut world).add(Fault::ReadOnly);
    let cut = world.now();
    world.power_cut(BOOT);
    world.broker.acknowledges = true;
    world.run_for(60_000);
    assert_eq!(ends_since(&world, cut), ["a-1 COMPLETED", "a-2 COMPLETED"]);
}

// The folder vanishes

#[test]
fn a_folder_that_vanishes_is_made_again_with_all_that_is_needed() {
    let mut world = paced();
    applies(&mut world, "a-0");
    world.run_for(600_000);
    applies(&mut world, "a-1");
    world.run_for(5 * PACE_MS);
    let before = world.commands("one").len();
    disk(&mut world).vanish();
    world.run_for(2 * PACE_MS);
    assert!(world.logged(&["what was saved is gone, it is written anew"]));
    for kind in [Kind::Document, Kind::Actions, Kind::History, Kind::Session] {
        assert!(disk(&mut world).newest_of(kind).is_some(), "{}", kind.name());
    }
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(world.commands("one")[before - 2..], ALL);
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.message.as_str(), last.actions.len()), ("COMPLETED", "", 1));
    assert!(world.asks(r#"{"command":"history"}"#).1.contains("COMPLETED a-0\n"));
    assert_end(&world, "a-0", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

#[test]
fn a_folder_that_vanishes_takes_no_end_that_waits_for_the_broker() {
    let mut world = saving(Obedient::paced("one", 1_000));
    world.broker.acknowledges = false;
    for activity in ["a-1", "a-2", "a-3"] {
        applies(&mut world, activity);
        world.run_for(if activity == "a-3" { 3_000 } else { 20_000 });
    }
    disk(&mut world).vanish();
    world.run_for(2_000);
    let cut = world.now();
    world.power_cut(KILL);
    world.broker.acknowledges = true;
    world.run_for(60_000);
    assert_eq!(ends_since(&world, cut), ["a-1 COMPLETED", "a-2 COMPLETED", "a-3 COMPLETED"]);
}

#[test]
fn a_folder_that_vanishes_while_nothing_can_be_written_is_made_again() {
    let (mut world, _) = updating();
    world.expects_error("could not be saved");
    disk(&mut world).add(Fault::Once(None));
    // A change whose write fails; before the next try there is no folder.
    await_command(&mut world, "ACTIVATE");
    assert!(world.is_unsaved());
    disk(&mut world).vanish();
    world.run_for(2_000);
    assert!(!world.is_unsaved() && world.logged(&["what was saved is gone, it is written anew"]));
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(world.commands("one"), ALL);
    assert_end(&world, "a-1", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

// The configuration changes

#[test]
fn a_domain_that_is_gone_for_one_start_is_led_on() {
    // Its answer to DOWNLOAD comes later, or is lost meanwhile.
    for gone_ms in [3_000, 35_000] {
        let mut world = World::saved(&configuration(&TWO, KEPT))
            .joined_by(Obedient::paced("one", PACE_MS))
            .joined_by(Obedient::paced("two", PACE_MS + PACE_MS / 4));
        world.run_for(1_000);
        world.backend_applies("a-1", &desired_state(&TWO));
        await_command(&mut world, "DOWNLOAD");
        world.run_for(PACE_MS / 2);
        world.config = parse(&configuration(&["two"], KEPT));
        world.power_cut(KILL);
        world.run_for(gone_ms);
        world.config = parse(&configuration(&TWO, KEPT));
        world.power_cut(KILL);
        assert!(world.ends().is_empty(), "the other one still downloads");
        world.run_for(600_000);
        assert_eq!(world.commands("two"), ALL);
        let again = if gone_ms == 3_000 { &[][..] } else { &["DOWNLOAD"] };
        assert_eq!(world.commands("one"), [again, &ALL].concat(), "gone for {gone_ms} ms");
        assert_end(&world, "a-1", "COMPLETED", "");
        assert_eq!(world.last("a-1").actions().len(), 2);
        assert_over_for_good(&mut world);
    }
}

/// An activity of `one`, which has downloaded, and of `two`, which has not, when `one` is
/// not configured any more.
fn with_one_gone() -> World {
    let mut world = World::saved(&configuration(&TWO, KEPT))
        .joined_by(Obedient::new("one"))
        .joined_by(Obedient::paced("two", PACE_MS));
    world.run_for(1_000);
    world.backend_applies("a-1", &desired_state(&TWO));
    await_command(&mut world, "DOWNLOAD");
    world.run_for(PACE_MS / 2);
    world.config = parse(&configuration(&["two"], KEPT));
    world.power_cut(KILL);
    world
}

/// Waits until `two` has got this command.
fn await_two(world: &mut World, command: &str) {
    for _ in 0..6_000 {
        if world.commands("two").iter().any(|one| one == command) {
            return;
        }
        world.run_for(100);
    }
    panic!("no {command}");
}

/// `one` is configured again.
fn with_one_again(world: &mut World) {
    world.config = parse(&configuration(&TWO, KEPT));
    world.power_cut(KILL);
    world.run_for(600_000);
}

#[test]
fn a_domain_that_comes_back_when_the_others_are_further_is_led_to_them() {
    let mut world = with_one_gone();
    await_two(&mut world, "ACTIVATE");
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    with_one_again(&mut world);
    assert_eq!(world.commands("one"), ALL);
    assert_end(&world, "a-1", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

#[test]
fn a_domain_that_comes_back_after_its_activity_was_cancelled_is_turned_back_as_well() {
    let mut world = with_one_gone();
    world.run_for(PACE_MS / 4);
    let (_, text) = world.asks_unless_busy(r#"{"command":"cancel"}"#, true).unwrap();
    assert!(text.contains("cancelled"), "{text}");
    await_two(&mut world, "ROLLBACK");
    with_one_again(&mut world);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "ROLLBACK", "CLEANUP"]);
    assert_end(&world, "a-1", "INCOMPLETE", "cancelled at the console");
    assert_over_for_good(&mut world);
}

// Identity

/// All records of these kinds are damaged.
fn damages(world: &mut World, kinds: &[Kind]) {
    for kind in kinds {
        (0..2).for_each(|_| disk(world).damage(*kind));
    }
}

#[test]
fn activities_are_counted_on_when_only_the_history_is_left() {
    let mut world = paced();
    world.expects_error("is moved aside");
    for activity in ["a-1", "a-2"] {
        applies(&mut world, activity);
        world.run_for(600_000);
    }
    damages(&mut world, &[Kind::State, Kind::Document, Kind::Actions, Kind::Reports]);
    world.power_cut(KILL);
    world.run_for(60_000);
    applies(&mut world, "a-3");
    world.run_for(5 * PACE_MS);
    // Were it counted as one of those before, it would be known to have ended.
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_end(&world, "a-3", "COMPLETED", "");
    assert_eq!(world.commands("one").len(), 3 * ALL.len());
    assert_over_for_good(&mut world);
}

#[test]
fn activities_are_counted_on_when_only_the_reports_are_left() {
    for is_key_left in [false, true] {
        let mut world = saving(Obedient::paced("one", 1_000));
        world.expects_error("is moved aside");
        world.expects_error("cannot be read");
        world.broker.acknowledges = false;
        for activity in ["a-1", "a-2", "a-3"] {
            applies(&mut world, activity);
            world.run_for(if activity == "a-3" { 5_500 } else { 20_000 });
        }
        assert_eq!(disk(&mut world).newest_of(Kind::Reports).map(|(slot, _)| slot), Some(Slot::B));
        // Of what is damaged it is still known whose it is.
        damages(&mut world, &[Kind::State, Kind::Document, Kind::Actions, Kind::History]);
        if !is_key_left {
            disk(&mut world).remove(&[Kind::State, Kind::Document, Kind::Actions, Kind::History]);
        }
        world.power_cut(KILL);
        world.run_for(10);
        applies(&mut world, "a-4");
        world.run_for(20_000);
        let cut = world.now();
        world.power_cut(KILL);
        world.broker.acknowledges = true;
        world.run_for(60_000);
        let lost: &[&str] = if is_key_left { &["a-3 INCOMPLETE"] } else { &[] };
        let expected = [&["a-1 COMPLETED", "a-2 COMPLETED"], lost, &["a-4 COMPLETED"]].concat();
        assert_eq!(ends_since(&world, cut), expected);
    }
}

#[test]
fn activities_with_equal_contents_and_timestamps_are_two() {
    let mut world = paced();
    for activity in ["a-1", "a-2"] {
        let payload = desired_state(&ONE);
        let wanted = format!(r#"{{"activityId":"{activity}","timestamp":1700000000000,"payload":{payload}}}"#);
        world.publish("deviceupdate/desiredstate", wanted);
        world.run_for(5 * PACE_MS);
        world.power_cut(BOOT);
        // The clock of the host begins anew with each boot.
        world.clock.wall_ms = -1_600_000_000_000;
        world.run_for(600_000);
        assert_end(&world, activity, "COMPLETED", "");
    }
    assert_over_for_good(&mut world);
}

#[test]
fn an_activity_that_is_taken_up_before_it_has_identified_keeps_its_actions() {
    let mut world = paced();
    applies(&mut world, "a-1");
    world.run_for(PACE_MS);
    world.power_cut(KILL);
    await_command(&mut world, "CLEANUP");
    world.run_for(1_000);
    world.power_cut(KILL);
    world.run_for(1_000);
    world.agent_says("one", r#"{"activityId":"a-1","payload":{"status":"CLEANUP_SUCCESS"}}"#);
    world.run_for(1_000);
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.actions.len()), ("COMPLETED", 1));
}
