//! Taking up what was saved: from every state that can be reached.

use super::domain::State;
use super::effect::{Notice, TimerKind};
use super::resume::Saved;
use super::tests::{asking, ended, ix, Course, SETTINGS};
use super::*;
use crate::limits::STARTS_MAX;
use crate::model::{Phase, Reason, Reboot, Status};

fn saved(before: &Course, reboot: Reboot, has_booted: bool) -> Saved {
    Saved { campaign: before.campaign().clone(), reboot, has_booted, is_whole: true, restorable: DomainSet::EMPTY }
}

/// A process that starts with what another one had saved, not yet linked.
pub(super) fn booted(before: &Course, settings: Settings) -> Course {
    booted_with(before, settings, false)
}

/// The same; whether the host has booted as well.
pub(super) fn booted_with(before: &Course, settings: Settings, has_booted: bool) -> Course {
    let mut course = Course::offline(settings);
    course.now = before.now;
    let saved = saved(before, before.engine.reboot(), has_booted);
    course.handle(Event::Boot(&saved)).unwrap();
    course
}

#[test]
fn domains_that_left_the_phase_keep_their_result_and_nobody_is_told_anything_again() {
    let mut before = Course::reach(SETTINGS, 2, Phase::Update);
    before.say(0, Status::UpdateSuccess, true);
    let mut course = booted(&before, SETTINGS);
    assert_eq!(course.told(), "Identified Running", "a cut may have come before it was told");
    assert_eq!(course.link(true), "");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>0 Activate>1");
}

#[test]
fn an_activity_is_taken_up_ten_times_without_a_word_and_no_more() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    for _ in 0..10 {
        course = booted(&course, SETTINGS);
        assert_eq!(course.campaign().domain(ix(0)).unwrap().state, State::Working(Phase::Download));
    }
    let mut heard = course.clone();
    course = booted(&course, SETTINGS);
    assert_eq!(course.told(), "Identified Running Cleanup>0");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(Reason::Lost(10)));
    course = booted(&course, SETTINGS);
    assert_eq!(course.told(), "Identified Running Cleanup>0 Incomplete inventory", "it ends if it never gets further");
    heard.link(true);
    heard.say(0, Status::Downloading, true);
    heard = booted(&heard, SETTINGS);
    assert_eq!(heard.told(), "Identified Running", "any feedback shows that it gets on");
}

#[test]
fn a_start_while_only_the_owner_is_waited_for_does_not_count() {
    let mut course = Course::new(asking(&[Phase::Download]));
    course.apply("a-1", 1, 1).unwrap();
    course.say(0, Status::Identified, true);
    for _ in 0..=STARTS_MAX {
        course = booted(&course, asking(&[Phase::Download]));
    }
    course.link(true);
    assert_eq!(course.answer(true), "Download>0");
    course = booted(&course, asking(&[Phase::Download]));
    assert_eq!(course.campaign().domain(ix(0)).unwrap().state, State::Working(Phase::Download));
}

#[test]
fn an_open_question_is_asked_again_with_its_clock_anew() {
    let mut before = Course::new(asking(&[Phase::Download]));
    before.apply("a-1", 1, 1).unwrap();
    assert_eq!(before.say(0, Status::Identified, true), "Identified Running Download?");
    let mut course = booted(&before, asking(&[Phase::Download]));
    assert_eq!(course.told(), "Identified Running Download?");
    assert_eq!(course.link(true), "");
    assert_eq!(course.answer(true), "Download>0");
}

#[test]
fn an_end_that_was_not_delivered_is_told_again_and_one_that_was_is_not() {
    let mut before = ended(false, true);
    assert_eq!(booted(&before, SETTINGS).told(), "Completed inventory");
    before.handle(Event::Delivered).unwrap();
    assert_eq!(booted(&before, SETTINGS).told(), "");
}

#[test]
fn the_host_is_rebooted_once_whatever_happens_around_it() {
    let mut before = ended(true, true);
    before.handle(Event::Delivered).unwrap();
    let boot = |reboot, has_booted| {
        let mut course = Course::new(SETTINGS);
        course.handle(Event::Boot(&saved(&before, reboot, has_booted))).unwrap();
        course
    };
    let due = Effect::SetTimer(TimerKind::Reboot, Tick(30_000));
    assert!(boot(Reboot::Waiting, false).out.contains(&due), "not yet triggered: it follows after its delay");
    assert!(boot(Reboot::Delivering, false).out.contains(&due));
    for (reboot, has_booted) in [(Reboot::Triggered, false), (Reboot::Triggered, true), (Reboot::Waiting, true)] {
        let course = boot(reboot, has_booted);
        assert!(!course.engine.reboot().is_pending(), "{reboot:?} {has_booted}");
    }
}

#[test]
fn a_saved_end_that_the_broker_does_not_take_holds_the_reboot_up_for_a_minute_only() {
    let mut course = ended(true, true);
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Reboot, Tick(60_000))));
    let mut unsaved = course.clone();
    unsaved.timeout(TimerKind::Reboot, 60_000);
    assert_eq!(unsaved.engine.reboot(), Reboot::Delivering, "what is not saved would be lost");
    assert!(unsaved.out.is_empty(), "nothing is waited for but the broker");
    course.engine.settings.is_saved = true;
    course.timeout(TimerKind::Reboot, 60_000);
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Reboot, Tick(90_000))));
    assert_eq!(course.timeout(TimerKind::Reboot, 90_000), "reboot");
}

#[test]
fn a_reboot_that_is_due_does_not_come_if_reboots_were_turned_off_meanwhile() {
    let mut before = ended(true, true);
    before.handle(Event::Delivered).unwrap();
    for reboot in [Reboot::Waiting, Reboot::Held, Reboot::Delivering] {
        let mut course =
            Course::offline(Settings { rebooting: Rebooting { is_enabled: false, ..SETTINGS.rebooting }, ..SETTINGS });
        course.handle(Event::Boot(&saved(&before, reboot, false))).unwrap();
        assert_eq!(course.engine.reboot(), Reboot::None);
        assert!(course.out.contains(&Effect::Notice(Notice::RebootDisabled)));
    }
}

#[test]
fn a_reboot_goes_on_when_what_could_not_be_saved_is_saved() {
    let mut course = ended(true, true);
    course.engine.settings.is_saved = true;
    course.handle(Event::Unsaved(true)).unwrap();
    course.timeout(TimerKind::Reboot, 60_000);
    assert_eq!(course.engine.reboot(), Reboot::Delivering, "what is not saved would be lost");
    course.handle(Event::Unsaved(false)).unwrap();
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Reboot, Tick(120_000))), "the broker is waited for anew");
    course.timeout(TimerKind::Reboot, 120_000);
    assert_eq!(course.timeout(TimerKind::Reboot, 150_000), "reboot");
}
