//! Slots that cannot be read or written, or are none.

use update_manager::store::format::Kind;
use update_manager::store::slots::Slot;

use super::*;

/// An activity whose agent has just been told to update, with two states on the disk.
pub(super) fn updating() -> (World, Slot) {
    let mut world = paced();
    applies(&mut world, "a-1");
    await_command(&mut world, "UPDATE");
    world.run_for(PACE_MS / 2);
    let (slot, _) = disk(&mut world).newest_of(Kind::State).unwrap();
    (world, slot)
}

#[test]
fn of_a_slot_that_cannot_be_read_the_other_one_counts_and_is_not_overwritten_first() {
    let (mut world, newest) = updating();
    world.expects_error("Input/output error");
    // Its first record of the next start goes where none can be read.
    disk(&mut world).add(Fault::Read(Kind::State, newest.other()));
    disk(&mut world).add(Fault::Slot(Kind::State, newest));
    let before = disk(&mut world).operations();
    world.power_cut(KILL);
    world.run_for(1_000);
    assert!(world.logged(&[&newest.other().name(Kind::State), "Input/output error"]));
    assert!(disk(&mut world).operations() > before && !disk(&mut world).has_failed);
    disk(&mut world).mend();
    world.run_for(600_000);
    assert_eq!(world.commands("one"), ALL);
    assert_end(&world, "a-1", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

#[test]
fn of_a_newest_state_that_cannot_be_read_the_one_before_is_led_to_the_end() {
    for is_mended in [false, true] {
        let (mut world, newest) = updating();
        world.expects_error("Input/output error");
        disk(&mut world).add(Fault::Read(Kind::State, newest));
        world.power_cut(BOOT);
        world.run_for(600_000);
        assert_end(&world, "a-1", "COMPLETED", "");
        if is_mended {
            // What it holds is not newer than what was written since.
            disk(&mut world).mend();
        }
        assert_over_for_good(&mut world);
    }
}

#[test]
fn a_folder_in_the_place_of_a_slot_is_moved_aside() {
    for slot in Slot::ALL {
        let (mut world, _) = updating();
        world.expects_error("is moved aside to state.corrupt");
        disk(&mut world).add(Fault::Folder(Kind::State, slot));
        world.run_for(600_000);
        assert!(world.logged(&[&slot.name(Kind::State), "is moved aside to state.corrupt"]));
        assert_end(&world, "a-1", "COMPLETED", "");
        assert!(!disk(&mut world).is_unsound(), "it is replaced");
        assert_over_for_good(&mut world);
        assert_eq!(world.commands("one"), ALL);
    }
}

#[test]
fn of_a_folder_in_the_place_of_a_slot_at_the_start_the_other_slot_counts() {
    let (mut world, newest) = updating();
    world.expects_error("Input/output error");
    world.expects_error("is moved aside to state.corrupt");
    disk(&mut world).add(Fault::Folder(Kind::State, newest.other()));
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(world.commands("one"), ALL);
    assert_end(&world, "a-1", "COMPLETED", "");
    assert_over_for_good(&mut world);
}

/// Three activities one after the other with a slot that can never be written, and a power
/// cut in the last one.
fn with_a_bad_slot(kind: Kind, slot: Slot) {
    let mut world = paced();
    world.expects_error("is moved aside");
    world.expects_error("cannot be moved aside");
    disk(&mut world).add(Fault::Slot(kind, slot));
    for activity in ["a-1", "a-2", "a-3"] {
        applies(&mut world, activity);
        world.run_for(600_000);
        let (status, message) = end_of(&world, activity);
        assert_eq!(status, "COMPLETED", "{activity}, {}", slot.name(kind));
        // When the end is told, its own save is still to come.
        let is_late = matches!(kind, Kind::Actions | Kind::History);
        assert!(message.is_empty() || is_late, "{activity}, {}: {message}", slot.name(kind));
    }
    assert_over_for_good(&mut world);
    applies(&mut world, "a-4");
    world.run_for(7 * PACE_MS);
    let before = world.commands("one").len();
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(end_of(&world, "a-4").0, "COMPLETED");
    assert_eq!(world.commands("one")[before - 3..], ALL, "{}", slot.name(kind));
    assert_over_for_good(&mut world);
}

#[test]
fn a_slot_that_can_never_be_written_loses_no_activity() {
    for kind in [Kind::State, Kind::Document, Kind::Actions, Kind::History, Kind::Reports, Kind::Session] {
        for slot in Slot::ALL {
            with_a_bad_slot(kind, slot);
        }
    }
}

#[test]
fn a_slot_of_the_reports_that_can_never_be_written_holds_up_nothing_once_they_are_delivered() {
    let mut world = saving(Obedient::paced("one", 1_000));
    world.expects_error("is moved aside");
    disk(&mut world).add(Fault::Slot(Kind::Reports, Slot::B));
    world.broker.acknowledges = false;
    for activity in ["a-1", "a-2"] {
        applies(&mut world, activity);
        world.run_for(20_000);
        assert_end(&world, activity, "COMPLETED", "");
    }
    world.broker.acknowledges = true;
    world.cut();
    world.run_for(60_000);
    applies(&mut world, "a-3");
    world.run_for(60_000);
    assert_eq!(end_of(&world, "a-3").0, "COMPLETED");
    assert_eq!(disk(&mut world).newest_of(Kind::Reports).map(|(slot, _)| slot), Some(Slot::A));
    let cut = world.now();
    world.power_cut(KILL);
    world.run_for(60_000);
    // That it was delivered could not be saved.
    assert_eq!(ends_since(&world, cut), ["a-1 COMPLETED"]);
}

const BESIDE: &str = "what is saved beside the activity cannot be written";

#[test]
fn a_session_that_cannot_be_written_is_a_warning_and_holds_up_no_activity() {
    let mut disk = Disk::default();
    disk.add(Fault::Slot(Kind::Session, Slot::A));
    let mut world = World::begin(&configuration(&ONE, KEPT), Some(disk)).joined_by(Obedient::new("one"));
    world.expects_error("session.a is moved aside to session.corrupt");
    world.run_for(1_000);
    assert!(world.logged(&[BESIDE, "Input/output error"]) && !world.is_unsaved());
    applies(&mut world, "a-1");
    world.run_for(60_000);
    assert_end(&world, "a-1", "COMPLETED", "");
}

#[test]
fn neither_a_good_write_nor_an_activity_that_cannot_be_saved_is_told_as_a_failure_beside_it() {
    let mut world = paced();
    applies(&mut world, "a-1");
    world.run_for(3 * PACE_MS);
    fills_the_disk(&mut world);
    world.run_for(600_000);
    assert!(disk(&mut world).has_failed && world.is_unsaved() && !world.logged(&[BESIDE]));
    assert!(!world.logged(&["what was saved is gone"]));
}

#[test]
fn a_session_that_could_not_be_written_is_saved_when_the_disk_works_again() {
    let mut disk = Disk::default();
    disk.add(Fault::Once(Some((Kind::Session, Slot::A))));
    let mut world = World::begin(&configuration(&ONE, KEPT), Some(disk));
    world.settle();
    assert!(self::disk(&mut world).has_failed && world.link.is_up);
    assert_eq!(self::disk(&mut world).newest_of(Kind::Session), None);
    world.run_for(1_000);
    assert!(self::disk(&mut world).newest_of(Kind::Session).is_some());
}
