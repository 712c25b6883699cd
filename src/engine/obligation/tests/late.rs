//! Rules 4 to 8: late answers, failures, rollbacks and clean-ups, and clocks.

use super::{repaired, MINUTE};
use crate::engine::effect::{Effect, Notice, TimerKind};
use crate::engine::event::{Event, Link};
use crate::engine::resume_tests::booted;
use crate::engine::tests::{action, asking, feedback, ix, Course, SETTINGS};
use crate::model::time::Tick;
use crate::model::{ActionStatus, Cause, Command, DomainSet, Phase, Reason, Status};

// Rule 4: late answers.

#[test]
fn the_late_success_of_what_was_owed_counts_as_if_there_had_been_no_repair() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "Cleanup>0");
}

#[test]
fn one_that_starts_over_after_its_late_success_is_led_again_and_the_phase_has_not_begun_for_it() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::ActivationFailure, true), "", "it answers what was sent before");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "Cleanup>0");
}

#[test]
fn while_one_starts_over_after_its_late_success_the_next_phase_begins_for_nobody() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Download);
    course.hello(0);
    course.repair_at(MINUTE);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "", "the other one still downloads");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0 Update>1");
}

#[test]
fn once_the_cleanup_is_sent_the_activation_that_was_counted_stands() {
    let mut course = repaired(Phase::Activate);
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "Cleanup>0");
    for status in [Status::Identified, Status::ActivationFailure, Status::Incomplete] {
        assert_eq!(course.say(0, status, true), "", "{status:?}");
    }
    assert_eq!(course.say(0, Status::CleanupSuccess, true), "Completed inventory");
}

#[test]
fn a_consent_is_not_asked_twice_when_a_domain_starts_over_meanwhile() {
    let mut course = Course::reach(asking(&[Phase::Update]), 2, Phase::Download);
    course.say(1, Status::DownloadSuccess, true);
    course.hello(0);
    course.repair_at(MINUTE);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update?");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.answer(true), "", "the one that has started over is waited for");
    let mut course = booted(&course, asking(&[Phase::Update]));
    assert_eq!(course.link(true), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0 Update>1");
}

#[test]
fn a_rollback_waits_for_the_answer_of_one_that_starts_over() {
    for answer in [Status::DownloadSuccess, Status::DownloadFailure] {
        let mut course = Course::reach(asking(&[Phase::Update]), 1, Phase::Download);
        course.hello(0);
        course.repair_at(MINUTE);
        course.say(0, Status::DownloadSuccess, true);
        assert_eq!(course.say(0, Status::Identified, true), "Download>0");
        assert_eq!(course.answer(false), "");
        course.hello(0);
        assert_eq!(course.repair_at(5 * MINUTE), "", "one that is turned back is never started over");
        assert_eq!(course.say(0, answer, true), "Rollback>0");
        assert_eq!(course.say(0, Status::RollbackSuccess, true), "Cleanup>0");
        assert_eq!(course.say(0, Status::CleanupSuccess, true), "Incomplete inventory");
        assert_eq!((course.campaign().end.cause, course.failure(0)), (Some(Cause::ConsentDenied), None));
    }
}

#[test]
fn a_suspicion_from_before_the_rollback_starts_nothing_over_and_stops_no_clock() {
    let mut course = Course::reach(asking(&[Phase::Update]), 1, Phase::Download);
    course.hello(0);
    course.repair_at(MINUTE);
    course.say(0, Status::DownloadSuccess, true);
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    course.hello(0);
    assert_eq!(course.answer(false), "");
    assert_eq!(course.repair_at(5 * MINUTE), "");
    assert_eq!(course.timeout(TimerKind::Phase, 11 * MINUTE), "Rollback>0");
}

#[test]
fn a_redelivered_identified_is_the_only_copy_of_the_answer_to_a_repair() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.say_again(0, Status::Identified), "Download>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
}

#[test]
fn one_that_has_nothing_left_to_do_after_a_repair_gets_no_command_before_its_cleanup() {
    for phase in [Phase::Download, Phase::Update, Phase::Activate] {
        let mut course = repaired(phase);
        assert_eq!(course.say(0, Status::Identified, false), "Cleanup>0", "{phase:?}");
    }
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    course.hello(0);
    course.repair_at(MINUTE);
    assert_eq!(course.say(0, Status::Identified, false), "");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>0 Cleanup>1");
}

#[test]
fn one_that_remembers_that_it_has_activated_gets_no_command_before_its_cleanup() {
    let mut course = repaired(Phase::Activate);
    let actions = [action(r#"{"id":"x","version":"1"}"#, "x", ActionStatus::ActivationSuccess)];
    course.handle(Event::Feedback(ix(0), feedback(Status::Identified, "", &actions))).unwrap();
    assert_eq!(course.told(), "Cleanup>0");
}

// Rule 5: the command once more.

#[test]
fn a_domain_that_says_nothing_after_a_repair_gets_its_command_once_more() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.repair_at(2 * MINUTE - 1), "");
    assert_eq!(course.repair_at(2 * MINUTE), "Update>0");
    assert_eq!(course.repair_at(3 * MINUTE), "", "once");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn any_word_after_a_repair_is_enough() {
    let mut course = repaired(Phase::Update);
    course.say(0, Status::Updating, true);
    assert_eq!(course.repair_at(2 * MINUTE), "");
}

#[test]
fn the_answer_to_a_repeated_command_belongs_to_the_course_before() {
    let mut course = repaired(Phase::Update);
    course.repair_at(2 * MINUTE);
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "", "to the repeated command");
    assert_eq!(course.say(0, Status::ActivationFailure, true), "", "to the command after the late success");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Cleanup>0", "this one counts");
}

// Rule 6: failures.

#[test]
fn a_failure_of_a_phase_that_was_left_well_in_this_course_is_ignored() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    assert_eq!(course.say(0, Status::DownloadFailure, true), "");
    assert!(course.out.contains(&Effect::Notice(Notice::Ignored(ix(0), Status::DownloadFailure))));
    course.say(0, Status::Downloading, true);
    assert_eq!(course.say(0, Status::DownloadFailure, true), "Cleanup>0", "but not if it downloads again");
}

#[test]
fn a_failure_while_a_repair_is_unanswered_counts_only_if_it_does_not_start_over() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.say_words(0, Status::UpdateFailure, "no space"), "");
    assert_eq!(course.timeout(TimerKind::Phase, 2 * MINUTE - 1), "");
    assert_eq!(course.repair_at(2 * MINUTE), "Cleanup>0");
    assert_eq!(course.failure(0), Some(&Reason::Words("no space".try_into().unwrap())));
    let mut course = repaired(Phase::Update);
    course.say_words(0, Status::UpdateFailure, "no space");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.repair_at(9 * MINUTE), "");
    assert_eq!(course.failure(0), None);
}

#[test]
fn a_failure_that_is_kept_is_kept_over_a_start() {
    let mut before = repaired(Phase::Update);
    before.say_words(0, Status::UpdateFailure, "no space");
    let mut course = booted(&before, SETTINGS);
    course.link(true);
    assert_eq!(course.repair_at(2 * MINUTE), "Cleanup>0");
    assert_eq!(course.failure(0), Some(&Reason::Words("no space".try_into().unwrap())));
}

#[test]
fn a_failure_to_a_command_that_was_sent_twice_starts_the_domain_over() {
    let mut course = repaired(Phase::Update);
    course.repair_at(2 * MINUTE);
    // The agent takes no desired state while busy, so the repair is lost.
    course.say(0, Status::UpdateFailure, true);
    assert_eq!(course.queue(0), [(None, 1), (Some(Command::Update), 0)]);
    assert_eq!(course.repair_at(3 * MINUTE), "Cleanup>0");
}

#[test]
fn any_other_failure_counts() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Cleanup>0", "of a phase to come");
    let mut course = repaired(Phase::Update);
    assert_eq!(course.say(0, Status::IdentificationFailed, true), "Cleanup>0", "it cannot start over");
}

#[test]
fn one_that_waits_for_the_others_and_cannot_start_over_has_failed() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    course.hello(0);
    course.repair_at(MINUTE);
    course.say(0, Status::UpdateSuccess, true);
    assert_eq!(course.say(0, Status::IdentificationFailed, true), "Cleanup>0");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
}

// Rule 7: CLEANUP and ROLLBACK.

#[test]
fn a_cleanup_is_sent_again_at_once_but_not_more_often_than_once_in_resume_after() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Cleanup);
    assert_eq!(course.hello(0), "Cleanup>0");
    course.now = Tick(MINUTE - 1);
    assert_eq!(course.hello(0), "");
    course.now = Tick(MINUTE);
    assert_eq!(course.relink(false), "Cleanup>0");
    let mut course = booted(&course, SETTINGS);
    assert_eq!(course.told(), "Identified Running Cleanup>0");
    assert_eq!(course.link(false), "", "it has just been sent again");
}

#[test]
fn a_cleanup_that_went_with_the_session_is_sent_again_and_one_that_is_still_to_be_sent_is_not() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Cleanup);
    assert_eq!(course.hello(0), "Cleanup>0");
    let one: DomainSet = [ix(0)].into_iter().collect();
    course.handle(Event::Link(Link::Fresh { unsent: DomainSet::EMPTY, dropped: one })).unwrap();
    assert_eq!(course.told(), "Cleanup>0");
    course.now = Tick(MINUTE);
    course.handle(Event::Link(Link::Fresh { unsent: one, dropped: DomainSet::EMPTY })).unwrap();
    assert_eq!(course.told(), "");
}

#[test]
fn a_rollback_failure_after_a_rollback_success_is_ignored() {
    let mut course = Course::reach(asking(&[Phase::Update]), 1, Phase::Download);
    course.say(0, Status::DownloadSuccess, true);
    assert_eq!(course.answer(false), "Rollback>0");
    assert_eq!(course.hello(0), "Rollback>0");
    assert_eq!(course.say(0, Status::RollbackSuccess, true), "Cleanup>0");
    assert_eq!(course.say(0, Status::RollbackFailure, true), "");
    assert_eq!(course.say(0, Status::CleanupSuccess, true), "Incomplete inventory");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().cleanup, None);
}

#[test]
fn a_rollback_failure_never_answers_a_cleanup() {
    let mut course = Course::reach(asking(&[Phase::Update]), 1, Phase::Download);
    course.say(0, Status::DownloadSuccess, true);
    course.answer(false);
    assert_eq!(course.say(0, Status::RollbackSuccess, true), "Cleanup>0");
    assert_eq!(course.say(0, Status::RollbackFailure, true), "", "though nothing else is left that it could answer");
    assert_eq!(course.say(0, Status::CleanupSuccess, true), "Incomplete inventory");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().cleanup, None);
}

#[test]
fn a_late_failure_of_what_was_sent_before_does_not_answer_a_cleanup() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    assert_eq!(course.timeout(TimerKind::Phase, 600_000), "Cleanup>0");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "");
    assert_eq!(course.say(0, Status::CleanupSuccess, true), "Incomplete inventory");
}

#[test]
fn a_domain_that_has_failed_never_gets_the_desired_state_again() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.say(0, Status::UpdateFailure, true);
    course.hello(0);
    let mut course = booted(&course, SETTINGS);
    course.link(false);
    assert_eq!(course.repair_at(9 * MINUTE), "");
}

// Rule 8: clocks.

#[test]
fn no_clock_runs_before_agents_can_be_heard() {
    let before = Course::reach(SETTINGS, 1, Phase::Update);
    let mut course = booted(&before, SETTINGS);
    assert_eq!(course.timeout(TimerKind::Phase, 90 * MINUTE), "");
    course.link(true);
    course.say(0, Status::Updating, true);
    assert_eq!(course.timeout(TimerKind::Phase, 100 * MINUTE - 1), "");
    assert_eq!(course.timeout(TimerKind::Phase, 100 * MINUTE), "Cleanup>0");
    let mut course = booted(&course, SETTINGS);
    assert_eq!(course.timeout(TimerKind::Cleanup, 200 * MINUTE), "");
    course.link(true);
    assert_eq!(course.timeout(TimerKind::Cleanup, 200 * MINUTE + 30_000), "Incomplete inventory");
}

#[test]
fn the_clock_of_what_begins_without_a_link_starts_with_the_link() {
    let mut course = Course::offline(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    assert_eq!(course.timeout(TimerKind::Phase, 30 * MINUTE), "");
    course.link(false);
    assert_eq!(course.timeout(TimerKind::Phase, 40 * MINUTE - 1), "");
    assert_eq!(course.timeout(TimerKind::Phase, 40 * MINUTE), "IdentificationFailed inventory");
}

#[test]
fn no_clock_ends_while_a_repair_is_due_and_a_repair_starts_it_anew_in_each_phase() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    course.say(1, Status::UpdateSuccess, true);
    course.now = Tick(570_000);
    course.hello(0);
    assert_eq!(course.timeout(TimerKind::Phase, 600_000), "");
    assert_eq!(course.repair_at(630_000), "desiredstate>0");
    course.now = Tick(1_200_000);
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    course.now = Tick(1_700_000);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.timeout(TimerKind::Phase, 2_299_999), "");
    assert_eq!(course.timeout(TimerKind::Phase, 2_300_000), "Cleanup>0 Activate>1");
    assert_eq!(course.failure(0), Some(&Reason::Silent(Some(Command::Update), 600_000)));
}

#[test]
fn hellos_links_and_starts_never_count_against_a_domain() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    for n in 0..100 {
        course.now = Tick(n * 1_000);
        course.hello(0);
        assert_eq!(course.relink(n % 2 == 0), "");
    }
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn a_second_update_that_the_agent_asks_for_is_none_of_these() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.say(0, Status::Downloading, true);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.queue(0), [(Some(Command::Update), 0)]);
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Cleanup>0");
}

#[test]
fn what_is_delivered_once_more_of_the_download_asks_for_no_second_update() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.say_again(0, Status::Downloading);
    assert_eq!(course.say_again(0, Status::DownloadSuccess), "");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn a_completed_without_actions_in_answer_to_a_repair_gets_one_cleanup() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.say(0, Status::Completed, false), "Cleanup>0 Completed inventory");
    assert!(course.campaign().domain(ix(0)).unwrap().state.is_done());
}
