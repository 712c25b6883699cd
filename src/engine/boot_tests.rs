//! The boot that a group waits for before its commit, and what is asked after it.

use super::boot::Boot;
use super::effect::TimerKind;
use super::event::{Event, Feedback, Link, Moment, Shown};
use super::played::{action, feedback, ix, Course, SETTINGS};
use super::resume::Saved;
use super::{Grouping, Settings};
use crate::model::text::Text;
use crate::model::{ActionStatus, DomainSet, Phase, Reason, Reboot, Rollback, Status};

fn set(place: usize) -> DomainSet {
    [ix(place)].into_iter().collect()
}

/// The first domain takes effect with a boot.
fn settings() -> Settings {
    let mut settings = SETTINGS;
    settings.grouping =
        Grouping { rollback: Rollback::Device, boots: set(0), reports_inconsistent: true, ..Grouping::DEFAULT };
    settings.rebooting.required = set(0);
    settings
}

/// Two domains have activated, and the host is rebooted.
fn triggered() -> Course {
    let mut course = Course::reach(settings(), 2, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Running", "the backend is told what it waits for");
    assert!(course.campaign().boots.is_due);
    trigger(&mut course);
    course
}

fn trigger(course: &mut Course) {
    course.handle(Event::Delivered).unwrap();
    course.handle(Event::Settled).unwrap();
    assert_eq!(course.engine.reboot(), Reboot::Waiting);
    assert_eq!(course.timeout(TimerKind::Reboot, 30_000), "reboot");
}

/// The manager starts anew, after a boot of the host or without one.
fn start(course: &mut Course, has_booted: bool) -> String {
    let saved = Saved { has_booted, ..course.saved(DomainSet::EMPTY) };
    course.handle(Event::Link(Link::Down)).unwrap();
    course.handle(Event::Boot(&saved)).unwrap();
    let told = course.told();
    course.link(true);
    told
}

fn booted() -> Course {
    let mut course = triggered();
    start(&mut course, true);
    course
}

fn hello(course: &mut Course, domain: usize) -> String {
    course.handle(Event::Hello(ix(domain))).unwrap();
    course.told()
}

fn shown(course: &mut Course, domain: usize, shown: Shown<'_>, moment: Moment) -> String {
    course.handle(Event::Shown(ix(domain), shown, moment)).unwrap();
    course.told()
}

/// The agent says that it remembers what it has activated.
fn remembers(course: &mut Course, domain: usize) -> String {
    let actions = [action(r#"{"id":"x","version":"1"}"#, "x", ActionStatus::ActivationSuccess)];
    let said: Feedback<'_> = feedback(Status::Identified, "", &actions);
    course.handle(Event::Feedback(ix(domain), said)).unwrap();
    course.told()
}

fn boot_of(course: &Course, domain: usize) -> Boot {
    course.campaign().domain(ix(domain)).unwrap().boot
}

/// Both are in use after the boot.
fn confirmed() -> Course {
    let mut course = booted();
    assert_eq!(hello(&mut course, 0), "booted?>0");
    assert_eq!(shown(&mut course, 0, Shown::All, Moment::SinceBoot), "desiredstate>0");
    assert_eq!(hello(&mut course, 1), "desiredstate>1");
    assert_eq!(remembers(&mut course, 0), "");
    course
}

#[test]
fn the_group_is_committed_when_the_host_has_booted_and_all_agents_have_confirmed_it() {
    let mut course = confirmed();
    assert_eq!(remembers(&mut course, 1), "Cleanup>0 Cleanup>1");
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Completed inventory");
    assert_eq!(course.engine.reboot(), Reboot::None, "it was booted already");
}

#[test]
fn one_that_has_nothing_to_do_after_it_still_gets_its_clean_up_and_one_that_has_forgotten_is_led_on() {
    let mut course = confirmed();
    assert_eq!(course.say(1, Status::Identified, false), "Cleanup>0 Cleanup>1");
    let mut course = confirmed();
    assert_eq!(course.say(1, Status::Completed, false), "Cleanup>0 Cleanup>1");
    let mut course = confirmed();
    assert_eq!(course.say(1, Status::Identified, true), "Download>1");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>1");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>0 Cleanup>1");
}

#[test]
fn silent_agents_are_asked_and_told_after_their_read_timeout() {
    let mut course = booted();
    assert_eq!(course.timeout(TimerKind::Repair, 49_999), "");
    assert_eq!(course.timeout(TimerKind::Repair, 50_000), "booted?>0 desiredstate>1");
    assert_eq!(course.timeout(TimerKind::Repair, 60_000), "booted?>0", "it is asked again");
    assert_eq!(course.timeout(TimerKind::Repair, 70_000), "desiredstate>0");
}

#[test]
fn only_what_was_asked_for_since_the_boot_counts() {
    let mut course = booted();
    assert_eq!(shown(&mut course, 0, Shown::Other(Text::from_checked("x")), Moment::Any), "");
    assert_eq!(shown(&mut course, 0, Shown::All, Moment::SinceBoot), "", "it was not asked yet");
    hello(&mut course, 0);
    assert_eq!(shown(&mut course, 0, Shown::All, Moment::Any), "");
    assert_eq!(boot_of(&course, 0), Boot::Asked);
}

#[test]
fn a_boot_of_the_old_version_turns_the_group_back_without_another_one() {
    let mut course = booted();
    hello(&mut course, 0);
    let other = Shown::Other(Text::from_checked("os in version 1, not 2"));
    assert_eq!(shown(&mut course, 0, other, Moment::SinceBoot), "Rollback>0 Rollback>1 Running");
    let failure = course.campaign().domain(ix(0)).unwrap().failure.clone();
    assert!(matches!(failure, Some(Reason::Words(words)) if words.ends_with("os in version 1, not 2")));
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(course.say(1, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1");
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory");
}

#[test]
fn undoing_what_was_booted_takes_a_second_boot_that_shows_it() {
    let answers: [(Shown<'_>, Status); 2] =
        [(Shown::Other(Text::from_checked("1")), Status::Incomplete), (Shown::All, Status::IncompleteInconsistent)];
    for (answer, end) in answers {
        let mut course = confirmed();
        course.engine.campaign.groups.restorable = set(0);
        assert_eq!(course.say(1, Status::IdentificationFailed, false), "Rollback>0 Rollback>1 Running");
        course.say(1, Status::RollbackSuccess, false);
        assert_eq!(course.say(0, Status::RollbackSuccess, false), "Running", "it is not restored");
        course.now = crate::model::time::Tick(0);
        trigger(&mut course);
        start(&mut course, true);
        assert_eq!(hello(&mut course, 1), "", "nobody else is asked");
        assert_eq!(hello(&mut course, 0), "booted?>0");
        assert_eq!(shown(&mut course, 0, answer, Moment::SinceBoot), "Cleanup>0 Cleanup>1");
        course.say(0, Status::CleanupSuccess, false);
        course.say(1, Status::CleanupSuccess, false);
        // The second one had activated, and does not know of it any more.
        let is_old = !course.campaign().is_inconsistent(course.campaign().domain(ix(0)).unwrap());
        assert_eq!(is_old, end == Status::Incomplete);
        assert_eq!(course.engine.reboot(), Reboot::None);
    }
}

#[test]
fn what_was_restored_is_asked_alone_after_the_boot_that_shows_it() {
    for (answer, is_old) in [(Shown::Other(Text::from_checked("1")), true), (Shown::All, false)] {
        let mut course = confirmed();
        course.engine.campaign.groups.restorable = set(0);
        course.say(1, Status::IdentificationFailed, false);
        course.say(1, Status::RollbackSuccess, false);
        assert!(course.say(0, Status::RollbackFailure, false).starts_with("Cleanup>0"));
        assert_eq!(course.say(0, Status::CleanupSuccess, false), "#desiredstate>0");
        assert_eq!(course.say_restoring(0, Status::Identified, false), "#Cleanup>0");
        assert_eq!(course.say_restoring(0, Status::CleanupSuccess, false), "Running");
        course.now = crate::model::time::Tick(0);
        trigger(&mut course);
        start(&mut course, true);
        assert_eq!(hello(&mut course, 0), "booted?>0");
        assert_eq!(shown(&mut course, 0, answer, Moment::SinceBoot), "Cleanup>1", "it has cleaned up before");
        let part = course.campaign().domain(ix(0)).unwrap();
        let failure = Some(Reason::Status(Status::RollbackFailure));
        assert_eq!((course.campaign().is_inconsistent(part), &part.failure), (!is_old, &failure));
        assert!(course.say(1, Status::CleanupSuccess, false).starts_with("Incomplete"));
    }
}

#[test]
fn a_boot_that_somebody_else_causes_is_that_boot() {
    let mut course = Course::reach(settings(), 2, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    start(&mut course, true);
    assert_eq!(boot_of(&course, 0), Boot::Due);
    assert_eq!(hello(&mut course, 0), "booted?>0");
    shown(&mut course, 0, Shown::All, Moment::SinceBoot);
    remembers(&mut course, 0);
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>0 Cleanup>1");
}

/// A release before the boot before the commit has led the activity, or the key was not set.
#[test]
fn a_boot_counts_for_what_had_activated_before_boots_were_noted() {
    for (has_booted, expected) in [(true, Boot::Due), (false, Boot::Owed)] {
        let mut course = Course::reach(settings(), 2, Phase::Activate);
        course.say(0, Status::ActivationSuccess, true);
        course.engine.campaign.domains[0].as_mut().unwrap().boot = Boot::No;
        start(&mut course, has_booted);
        assert_eq!(boot_of(&course, 0), expected);
        course.say(1, Status::ActivationSuccess, true);
        assert_eq!(course.campaign().boots.is_due, !has_booted);
    }
}

#[test]
fn one_that_has_ended_by_itself_takes_effect_with_a_boot_since() {
    for has_booted in [false, true] {
        let mut course = Course::reach(settings(), 2, Phase::Activate);
        course.say(0, Status::Completed, true);
        start(&mut course, has_booted);
        assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>1");
        assert!(course.say(1, Status::CleanupSuccess, true).starts_with("Completed"));
        course.handle(Event::Delivered).unwrap();
        course.handle(Event::Settled).unwrap();
        assert_eq!(course.engine.reboot() == Reboot::None, has_booted);
    }
}

#[test]
fn one_that_ends_by_itself_after_a_boot_has_taken_effect() {
    let mut course = Course::reach(settings(), 2, Phase::Activate);
    start(&mut course, true);
    assert_eq!(hello(&mut course, 0), "desiredstate>0");
    assert_eq!(course.say(0, Status::Completed, false), "Cleanup>0");
    course.say(1, Status::ActivationSuccess, true);
    assert!(course.say(1, Status::CleanupSuccess, true).starts_with("Completed"));
    course.handle(Event::Delivered).unwrap();
    course.handle(Event::Settled).unwrap();
    assert_eq!(course.engine.reboot(), Reboot::None);
}

#[test]
fn one_that_has_activated_since_the_boot_is_not_told_again_at_a_start() {
    let mut course = Course::reach(settings(), 2, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    start(&mut course, true);
    course.say(1, Status::ActivationSuccess, true);
    start(&mut course, false);
    assert_eq!((boot_of(&course, 0), boot_of(&course, 1)), (Boot::Due, Boot::No));
}

#[test]
fn a_start_without_a_boot_triggers_it_again_and_a_host_that_stays_up_has_failed() {
    let mut course = triggered();
    start(&mut course, false);
    assert!(course.campaign().boots.is_due);
    trigger(&mut course);
    course.handle(Event::RebootFailed).unwrap();
    assert_eq!(course.timeout(TimerKind::Reboot, 630_000), "Rollback>0 Rollback>1 Running");
    assert_eq!(course.campaign().groups.flaws, "the host has not rebooted in 10m");
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(course.say(1, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1");
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory", "nothing was booted");
}

#[test]
fn it_can_be_held_at_the_console_and_a_cancellation_takes_it_back() {
    let mut course = Course::reach(settings(), 1, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    course.handle(Event::HoldReboot(true)).unwrap();
    start(&mut course, false);
    assert_eq!(course.engine.reboot(), Reboot::Held);
    course.handle(Event::HoldReboot(false)).unwrap();
    assert_eq!(course.engine.reboot(), Reboot::Delivering);
    course.handle(Event::Cancel(false)).unwrap();
    assert_eq!(course.told(), "Rollback>0 Running");
    assert_eq!((course.engine.reboot(), course.campaign().boots.is_due), (Reboot::None, false));
}

#[test]
fn without_it_a_committed_group_is_owed_its_boot_even_if_the_activity_is_incomplete() {
    let mut settings = settings();
    settings.grouping.boots = DomainSet::EMPTY;
    settings.grouping.rollback = Rollback::Baseline;
    let mut course = Course::new(settings);
    course.groups = [0, 1, 2];
    course.apply("a-1", 1, 2).unwrap();
    (0..2).for_each(|domain| drop(course.say(domain, Status::Identified, true)));
    course.say(1, Status::DownloadFailure, true);
    for status in [Status::DownloadSuccess, Status::UpdateSuccess, Status::ActivationSuccess] {
        course.say(0, status, true);
    }
    course.say(1, Status::CleanupSuccess, false);
    assert_eq!(course.say(0, Status::CleanupSuccess, false), "Incomplete inventory");
    assert_eq!(course.engine.reboot(), Reboot::Delivering);
}
