//! Doubts about an earlier phase, and messages that were lost before the first link.

use super::*;
use crate::engine::effect::{Effect, Notice};

#[test]
fn a_doubt_that_no_word_ended_begins_anew_with_the_next_command() {
    let mut course = booted(&Course::reach(SETTINGS, 2, Phase::Download), SETTINGS);
    course.link(true);
    // The broker delivers it once more: it may be from before the start.
    assert_eq!(course.say_again(0, Status::DownloadSuccess), "");
    course.say(1, Status::Downloading, true);
    course.now = Tick(8 * MINUTE);
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>0 Update>1");
    assert_eq!(course.repair_at(8 * MINUTE), "", "the doubt has just begun");
    assert_eq!(course.repair_at(9 * MINUTE), "desiredstate>0");
}

#[test]
fn a_rollback_that_is_lost_before_the_first_subscription_is_sent_again() {
    let mut before = Course::reach(SETTINGS, 1, Phase::Update);
    before.handle(Event::Cancel(false)).unwrap();
    assert_eq!(before.told(), "Rollback>0");
    let mut course = booted(&before, SETTINGS);
    assert_eq!(course.told(), "Identified Running Rollback>0");
    course.handle(Event::Link(Link::Down)).unwrap();
    let dropped = [ix(0)].into_iter().collect();
    course.handle(Event::Link(Link::Fresh { unsent: DomainSet::EMPTY, dropped })).unwrap();
    assert_eq!(course.told(), "Rollback>0");
}

#[test]
fn a_desired_state_that_is_lost_before_the_first_subscription_is_sent_again() {
    let mut course = Course::offline(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    let dropped = [ix(0)].into_iter().collect();
    course.handle(Event::Link(Link::Fresh { unsent: DomainSet::EMPTY, dropped })).unwrap();
    course.handle(Event::Link(Link::Subscribed)).unwrap();
    assert_eq!(course.repair_at(MINUTE), "desiredstate>0");
}

#[test]
fn a_late_failure_of_the_download_is_ignored_after_an_update_that_downloaded_again() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.say(0, Status::Downloading, true);
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::DownloadFailure, true), "");
    let is_ignored = |effect: &Effect| matches!(effect, Effect::Notice(Notice::Ignored(..)));
    assert!(course.out.iter().any(is_ignored));
    assert_eq!(course.failure(0), None);
}
