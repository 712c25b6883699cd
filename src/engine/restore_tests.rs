//! Domains that cannot be undone become what they were committed to before.

use super::effect::TimerKind;
use super::event::Event;
use super::played::{ix, Course, SETTINGS};
use super::restore::Restore;
use super::{Grouping, Settings};
use crate::model::time::Tick;
use crate::model::{ActionStatus, DomainSet, Rollback, Status};

const GROUPING: Grouping = Grouping { rollback: Rollback::Device, reports_inconsistent: true, ..Grouping::DEFAULT };
const GROUPED: Settings = Settings { grouping: GROUPING, ..SETTINGS };

fn set(place: usize) -> DomainSet {
    [ix(place)].into_iter().collect()
}

/// Two domains: the first has failed its update, the second was updated. Of the first is kept
/// what it is committed to.
fn failed(settings: Settings) -> Course {
    let mut course = Course::new(settings);
    course.restorable = set(0);
    course.apply("a-1", 1, 2).unwrap();
    for status in [Status::Identified, Status::DownloadSuccess] {
        (0..2).for_each(|domain| drop(course.say(domain, status, true)));
    }
    course.say(1, Status::UpdateSuccess, true);
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Rollback>0 Rollback>1 Running");
    course.say(1, Status::RollbackSuccess, false);
    course
}

fn restoring(settings: Settings) -> Course {
    let mut course = failed(settings);
    assert_eq!(course.say(0, Status::RollbackFailure, false), "Cleanup>0");
    assert_eq!(course.say(0, Status::CleanupSuccess, false), "#desiredstate>0");
    course
}

fn stage(course: &Course) -> Restore {
    course.campaign().domain(ix(0)).unwrap().restore
}

#[test]
fn one_that_does_not_roll_back_is_led_through_what_it_was_committed_to() {
    let mut course = restoring(GROUPED);
    assert_eq!(course.say_restoring(0, Status::Identified, true), "#Download>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "", "that is of the activity before");
    assert_eq!(course.say_restoring(0, Status::DownloadSuccess, true), "#Update>0");
    assert_eq!(course.say_restoring(0, Status::UpdateSuccess, true), "#Activate>0");
    assert_eq!(course.say_restoring(0, Status::ActivationSuccess, true), "#Cleanup>0");
    let action = course.campaign().actions.of(ix(0)).next().unwrap();
    assert_eq!(action.status, Some(ActionStatus::Identified), "what leads it back is not told");
    assert_eq!(course.say_restoring(0, Status::CleanupSuccess, false), "Cleanup>1");
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory");
    assert_eq!(stage(&course), Restore::Restored);
    assert!(course.campaign().has_turned_back() && !course.campaign().is_any_inconsistent());
    let action = course.campaign().actions.of(ix(0)).next().unwrap();
    assert_eq!(action.status, Some(ActionStatus::UpdateFailure));
}

#[test]
fn one_that_has_nothing_to_do_for_it_has_its_cleanup_counted() {
    let mut course = restoring(GROUPED);
    assert_eq!(course.say_restoring(0, Status::Identified, false), "#Cleanup>0");
    course.say_restoring(0, Status::CleanupSuccess, false);
    assert_eq!(stage(&course), Restore::Restored);
    let mut course = restoring(GROUPED);
    assert_eq!(course.say_restoring(0, Status::Completed, false), "#Cleanup>0 Cleanup>1", "a bare word wants one");
    assert_eq!(stage(&course), Restore::Restored);
}

#[test]
fn it_is_tried_once_and_what_fails_is_cleaned_up_and_named() {
    let fails: [fn(&mut Course) -> String; 4] = [
        |course| course.say_restoring(0, Status::IdentificationFailed, false),
        |course| {
            course.say_restoring(0, Status::Identified, true);
            course.say_restoring(0, Status::DownloadFailure, true)
        },
        |course| course.say_restoring(0, Status::Incomplete, false),
        |course| course.timeout(TimerKind::Phase, 630_000),
    ];
    for fail in fails {
        let mut course = restoring(GROUPED);
        assert_eq!(fail(&mut course), "#Cleanup>0");
        assert_eq!(course.say_restoring(0, Status::CleanupSuccess, false), "Cleanup>1");
        assert_eq!(course.say(1, Status::CleanupSuccess, false), "IncompleteInconsistent inventory");
        assert_eq!(stage(&course), Restore::GivenUp);
    }
    // All went well but for the clean-up.
    let mut course = restoring(GROUPED);
    course.say_restoring(0, Status::Identified, false);
    assert_eq!(course.say_restoring(0, Status::CleanupFailure, false), "Cleanup>1");
    assert_eq!(stage(&course), Restore::GivenUp);
}

#[test]
fn the_clean_up_before_it_is_waited_for_in_vain_and_a_late_rollback_makes_it_needless() {
    let mut course = failed(GROUPED);
    course.say(0, Status::RollbackFailure, false);
    assert_eq!(course.timeout(TimerKind::Cleanup, 30_000), "#desiredstate>0");
    let mut course = failed(GROUPED);
    course.handle(Event::Hello(ix(0))).unwrap();
    assert_eq!(course.timeout(TimerKind::Cleanup, 30_000), "Cleanup>0");
    assert_eq!(course.say(0, Status::RollbackSuccess, false), "");
    assert_eq!(course.say(0, Status::CleanupSuccess, false), "Cleanup>1");
    assert!(!course.campaign().is_any_inconsistent());
}

#[test]
fn undoing_goes_on_in_order_when_one_is_restored() {
    let mut grouping = GROUPING;
    grouping.orders[0] = 90;
    let mut course = Course::new(Settings { grouping, ..SETTINGS });
    course.restorable = set(0);
    course.apply("a-1", 1, 2).unwrap();
    for status in [Status::Identified, Status::DownloadSuccess] {
        (0..2).for_each(|domain| drop(course.say(domain, status, true)));
    }
    course.say(0, Status::UpdateSuccess, true);
    assert_eq!(course.say(1, Status::UpdateFailure, true), "Rollback>0 Running");
    course.say(0, Status::RollbackFailure, false);
    course.say(0, Status::CleanupSuccess, false);
    course.say_restoring(0, Status::Identified, false);
    assert_eq!(course.say_restoring(0, Status::CleanupSuccess, false), "Rollback>1");
}

#[test]
fn one_that_rolls_back_only_until_activate_gets_no_rollback_after_it() {
    let grouping = Grouping { until_activate: set(0), ..GROUPING };
    for is_kept in [true, false] {
        let mut course = Course::new(Settings { grouping, ..SETTINGS });
        course.restorable = if is_kept { set(0) } else { DomainSet::EMPTY };
        course.apply("a-1", 1, 2).unwrap();
        for status in [Status::Identified, Status::DownloadSuccess, Status::UpdateSuccess] {
            (0..2).for_each(|domain| drop(course.say(domain, status, true)));
        }
        course.say(0, Status::ActivationSuccess, true);
        let first = if is_kept { "Rollback>1 Cleanup>0 Running" } else { "Rollback>1 Running" };
        let told = course.say(1, Status::ActivationFailure, true);
        assert_eq!(told, first);
    }
}

#[test]
fn one_that_has_committed_by_itself_is_restored() {
    let mut course = Course::new(GROUPED);
    course.restorable = set(0);
    course.apply("a-1", 1, 2).unwrap();
    for status in [Status::Identified, Status::DownloadSuccess] {
        (0..2).for_each(|domain| drop(course.say(domain, status, true)));
    }
    course.say(0, Status::Completed, true);
    assert_eq!(course.say(1, Status::UpdateFailure, true), "Rollback>1 Cleanup>0 Running");
    assert_eq!(course.say(0, Status::CleanupSuccess, false), "#desiredstate>0");
}

#[test]
fn a_start_goes_on_with_it_and_a_silent_agent_gets_it_again() {
    let mut course = restoring(GROUPED);
    course.say_restoring(0, Status::Identified, true);
    let saved = course.saved(set(0));
    course.handle(Event::Boot(&saved)).unwrap();
    course.link(true);
    course.now = Tick(100_000);
    assert_eq!(course.timeout(TimerKind::Repair, 160_000), "#desiredstate>0");
    assert_eq!(course.say_restoring(0, Status::Identified, true), "#Download>0");
}

#[test]
fn an_id_that_leaves_no_room_for_it_is_refused_where_it_can_happen() {
    let (fits, too_long) = ("a".repeat(248), "a".repeat(249));
    assert!(Course::new(GROUPED).apply(&fits, 1, 1).is_ok());
    assert_eq!(Course::new(GROUPED).apply(&too_long, 1, 1), Err(super::Rejected::LongId));
    assert!(Course::new(SETTINGS).apply(&too_long, 1, 1).is_ok());
}

#[test]
fn one_that_has_failed_alone_is_restored_when_its_group_is_turned_back_later() {
    let mut course = Course::new(Settings { grouping: Grouping { fail_alone: set(0), ..GROUPING }, ..SETTINGS });
    course.restorable = set(0);
    course.apply("a-1", 1, 2).unwrap();
    for status in [Status::Identified, Status::DownloadSuccess] {
        (0..2).for_each(|domain| drop(course.say(domain, status, true)));
    }
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Cleanup>0");
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::UpdateFailure, true), "Rollback>1 #desiredstate>0 Running");
}
