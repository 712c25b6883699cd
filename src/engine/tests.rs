//! The course of an activity that `Lockstep` leads, in the cases that people know.

use super::actions::Change;
use super::effect::{Notice, TimerKind};
use super::event::{Action, DesiredState, Feedback, Part, Standing};
pub(crate) use super::played::SETTINGS;
pub(super) use super::played::{action, answer, feedback, ix, text, Course};
use super::*;
use crate::limits::DOMAINS_MAX;
use crate::model::{ActionStatus, ActivityKey, Cause, Command, Limit, Phase, Reason, Run, Status};

#[test]
fn all_domains_go_through_each_phase_together() {
    let mut course = Course::new(SETTINGS);
    assert_eq!(course.apply("a-1", 1, 2).unwrap(), "Identifying desiredstate>0 desiredstate>1");
    assert_eq!(course.say(0, Status::Identified, true), "");
    assert_eq!(course.say(1, Status::Identified, true), "Identified Running Download>0 Download>1");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0 Update>1");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>0 Activate>1");
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "");
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>0 Cleanup>1");
    assert_eq!(course.say(0, Status::CleanupSuccess, true), "");
    assert_eq!(course.say(1, Status::Completed, true), "Completed inventory");
    assert_eq!(
        course.handle(Event::Feedback(ix(1), feedback(Status::Completed, "", &[]))),
        Err(Rejected::WrongActivity)
    );
}

#[test]
fn a_domain_that_fails_is_cleaned_up_and_the_others_go_on() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Download);
    assert_eq!(course.say(0, Status::DownloadFailure, true), "Cleanup>0");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>1");
    assert_eq!(course.say(0, Status::CleanupSuccess, true), "");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>1");
    assert_eq!(course.say(1, Status::CleanupSuccess, true), "Incomplete inventory");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(Reason::Status(Status::DownloadFailure)));
}

#[test]
fn the_last_one_to_fail_does_not_hold_up_the_others() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Cleanup>0 Activate>1");
}

#[test]
fn nobody_is_commanded_when_one_cannot_identify() {
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 2).unwrap();
    assert_eq!(course.say(0, Status::IdentificationFailed, false), "");
    assert_eq!(course.say(1, Status::Identified, true), "IdentificationFailed inventory");
}

#[test]
fn a_domain_without_actions_is_done() {
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 2).unwrap();
    assert_eq!(course.say(0, Status::Identified, false), "");
    assert_eq!(course.say(1, Status::Identified, true), "Identified Running Download>1");
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    assert_eq!(course.say(0, Status::Identified, false), "Identified Completed inventory");
}

#[test]
fn completed_in_answer_to_the_desired_state_gets_one_cleanup_only_without_actions() {
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    assert_eq!(course.say(0, Status::Completed, false), "Cleanup>0 Identified Completed inventory");
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    assert_eq!(course.say(0, Status::Completed, true), "Identified Completed inventory");
}

#[test]
fn early_finals_end_the_domains_part() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    assert_eq!(course.say(0, Status::Completed, true), "");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::Incomplete, true), "Incomplete inventory");
}

#[test]
fn silent_domains_have_failed_at_the_phase_timeout() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    course.say(1, Status::UpdateSuccess, true);
    assert_eq!(course.timeout(TimerKind::Phase, 600_000), "Cleanup>0 Activate>1");
    let silent = Reason::Silent(Some(Command::Update), 600_000);
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(silent));
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 2).unwrap();
    course.say(1, Status::Identified, true);
    assert_eq!(course.timeout(TimerKind::Phase, 600_000), "IdentificationFailed inventory");
}

#[test]
fn a_cleanup_without_feedback_ends_and_does_not_undo_the_update() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Cleanup);
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Cleanup, Tick(30_000))));
    course.now = Tick(20_000);
    course.say(0, Status::Cleanup, false);
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Cleanup, Tick(50_000))), "any feedback extends the wait");
    assert_eq!(course.timeout(TimerKind::Cleanup, 49_999), "");
    assert_eq!(course.timeout(TimerKind::Cleanup, 50_000), "Completed inventory");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().cleanup, Some(Reason::Silent(Some(Command::Cleanup), 30_000)));
}

#[test]
fn feedback_extends_a_cleanup_to_the_phase_timeout_at_most() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Cleanup);
    for minute in 1..=30 {
        course.now = Tick(minute * 20_000);
        course.say(0, Status::Cleanup, false);
    }
    assert_eq!(course.timeout(TimerKind::Cleanup, 600_000), "Completed inventory");
    let waited = Reason::Silent(Some(Command::Cleanup), 600_000);
    assert_eq!(course.campaign().domain(ix(0)).unwrap().cleanup, Some(waited));
}

#[test]
fn update_is_sent_again_only_after_downloading_and_at_most_twice() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "", "a late answer is not a fall-back");
    for sent in ["Update>0", "Update>0", ""] {
        assert_eq!(course.say(0, Status::Downloading, true), "");
        assert_eq!(course.say(0, Status::DownloadSuccess, true), sent);
    }
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn once_answered_statuses_are_ignored_but_actions_merged() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Download);
    course.say(0, Status::DownloadSuccess, true);
    let late = [action(r#"{"id":"late"}"#, "late", ActionStatus::Identified)];
    course.handle(Event::Feedback(ix(0), feedback(Status::DownloadFailure, "", &late))).unwrap();
    assert_eq!(course.told(), "");
    assert!(course.out.contains(&Effect::Notice(Notice::Ignored(ix(0), Status::DownloadFailure))));
    assert_eq!(course.campaign().actions.count(ix(0)), 2);
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>0 Update>1");
}

pub(super) fn asking(phases: &[Phase]) -> Settings {
    Settings { consent: phases.iter().copied().collect(), ..SETTINGS }
}

#[test]
fn the_owner_is_asked_once_before_each_phase_that_needs_it() {
    let mut course = Course::new(asking(&[Phase::Download, Phase::Activate]));
    course.apply("a-1", 1, 2).unwrap();
    course.say(0, Status::Identified, true);
    assert_eq!(course.say(1, Status::Identified, true), "Identified Running Download?");
    assert_eq!(course.engine.waiting_on(), WaitingOn::Consent(Phase::Download));
    assert_eq!(course.say(1, Status::Downloading, true), "", "agents' feedback goes on being taken");
    assert_eq!(course.handle(answer("other", false)), Err(Rejected::WrongActivity));
    course.now = Tick(1_000_000);
    assert_eq!(course.answer(true), "Download>0 Download>1");
    let phase_end = Effect::SetTimer(TimerKind::Phase, Tick(1_600_000));
    assert!(course.out.contains(&phase_end), "the phase's clock starts after the answer");
    assert_eq!(course.handle(answer("a-1", true)), Err(Rejected::NotAsked));
    course.say(0, Status::DownloadSuccess, true);
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>0 Update>1");
    course.say(0, Status::UpdateSuccess, true);
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate?");
}

#[test]
fn refused_before_the_download_agents_clean_up_and_the_activity_ends_at_once() {
    let mut course = Course::new(asking(&[Phase::Download]));
    course.apply("a-1", 1, 1).unwrap();
    course.say(0, Status::Identified, true);
    assert_eq!(course.answer(false), "Cleanup>0 Incomplete inventory");
    assert_eq!(course.campaign().end.cause, Some(Cause::ConsentDenied));
}

#[test]
fn refused_or_late_before_another_phase_everything_is_rolled_back_and_cleaned_up() {
    let mut course = Course::reach(asking(&[Phase::Update]), 2, Phase::Download);
    course.say(0, Status::DownloadSuccess, true);
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update?");
    assert_eq!(course.timeout(TimerKind::Consent, 1_800_000), "Rollback>0 Rollback>1");
    assert_eq!((course.campaign().end.cause, course.campaign().end.waited_ms), (Some(Cause::ConsentLate), 1_800_000));
    assert_eq!(course.say(0, Status::RollbackSuccess, true), "Cleanup>0");
    assert_eq!(course.timeout(TimerKind::Cleanup, 1_830_000), "Cleanup>1", "no feedback to ROLLBACK is taken as done");
    assert_eq!(course.say(0, Status::Incomplete, true), "");
    assert_eq!(course.say(1, Status::CleanupSuccess, true), "Incomplete inventory");
    let failures = [0, 1].map(|domain| course.campaign().domain(ix(domain)).unwrap().failure.clone());
    assert_eq!(failures, [None, Some(Reason::Silent(Some(Command::Rollback), 30_000))]);
}

/// An activity of two domains, of which the second needs a reboot, brought to its end.
pub(super) fn ended(enabled: bool, second_has_actions: bool) -> Course {
    let rebooting = Rebooting { required: ix(1).into(), is_enabled: enabled, ..SETTINGS.rebooting };
    let mut course = Course::new(Settings { rebooting, ..SETTINGS });
    course.apply("a-1", 1, 2).unwrap();
    course.say(1, Status::Identified, second_has_actions);
    course.say(0, Status::Identified, true);
    let answers = [Status::DownloadSuccess, Status::UpdateSuccess, Status::ActivationSuccess, Status::CleanupSuccess];
    for status in answers {
        course.say(1, status, second_has_actions);
        course.say(0, status, true);
    }
    assert_eq!(course.campaign().end.outcome, Some(Status::Completed));
    course
}

#[test]
fn the_host_is_rebooted_once_after_everything_is_reported_and_the_delay() {
    let mut course = ended(true, true);
    assert_eq!(course.apply("a-2", 2, 1), Err(Rejected::RebootPending));
    course.now = Tick(5000);
    course.handle(Event::Delivered).unwrap();
    course.handle(Event::Settled).unwrap();
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Reboot, Tick(35_000))));
    assert_eq!(course.engine.waiting_on(), WaitingOn::Reboot);
    assert_eq!(course.timeout(TimerKind::Reboot, 35_000), "reboot");
    assert_eq!(course.timeout(TimerKind::Reboot, 36_000), "");
    assert_eq!(course.apply("a-2", 2, 1), Err(Rejected::RebootPending));
    course.handle(Event::RebootFailed).unwrap();
    assert!(course.apply("a-2", 2, 1).is_ok(), "a reboot that failed leaves the manager working");
}

#[test]
fn no_reboot_without_actions_of_a_domain_that_needs_it_or_when_turned_off() {
    assert!(!ended(true, false).engine.reboot().is_pending());
    let course = ended(false, true);
    assert!(!course.engine.reboot().is_pending());
    assert!(course.out.contains(&Effect::Notice(Notice::RebootDisabled)));
}

#[test]
fn a_question_is_closed_when_nobody_waits_for_its_answer() {
    let mut course = Course::reach(asking(&[Phase::Update]), 1, Phase::Download);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update?");
    assert_eq!(course.say(0, Status::Completed, true), "Completed inventory");
    assert!(course.out.contains(&Effect::CloseConsent));
}

#[test]
fn running_is_reported_once_in_an_interval_and_only_when_changed() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    let progress = |progress| Action { progress, ..action(r#"{"id":"x"}"#, "x", ActionStatus::Downloading) };
    for percent in [10, 20, 30] {
        course.now = Tick(u64::from(percent) * 10);
        course.handle(Event::Feedback(ix(0), feedback(Status::Downloading, "", &[progress(percent)]))).unwrap();
        assert_eq!(course.told(), "");
    }
    assert_eq!(course.timeout(TimerKind::Feedback, 1000), "Running");
    course.now = Tick(3500);
    course.handle(Event::Feedback(ix(0), feedback(Status::Downloading, "", &[progress(30)]))).unwrap();
    assert!(course.out.is_empty(), "unchanged: no timer, no report");
    course.handle(Event::Feedback(ix(0), feedback(Status::Downloading, "", &[progress(40)]))).unwrap();
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Feedback, Tick(4000))));
}

#[test]
fn an_interval_of_zero_means_no_running() {
    let mut course = Course::new(Settings { feedback_interval_ms: 0, ..SETTINGS });
    course.apply("a-1", 1, 1).unwrap();
    assert_eq!(course.say(0, Status::Identified, true), "Identified Download>0");
    assert_eq!(course.say(0, Status::Downloading, true), "");
}

#[test]
fn another_desired_state_is_rejected_while_one_is_applied() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    assert_eq!(course.apply("a-2", 2, 1), Err(Rejected::Busy));
    assert_eq!(course.apply("a-1", 3, 1), Err(Rejected::SameActivity));
}

#[test]
fn a_desired_state_without_a_served_domain_ends_at_once() {
    let mut course = Course::new(SETTINGS);
    let parts = [Part::new(text("nobody"), None)];
    let desired = DesiredState {
        key: ActivityKey { activity: text("a-1"), timestamp: 1, crc: 7 },
        run: Run(1),
        parts: &parts,
        rollback: None,
        standing: Standing::default(),
    };
    course.handle(Event::DesiredState(desired)).unwrap();
    assert_eq!(course.told(), "Incomplete");
    assert_eq!(course.campaign().end.cause, Some(Cause::NoSupportedDomain));
}

#[test]
fn termination_ends_a_running_activity_and_tells_agents_nothing() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    course.handle(Event::Terminate).unwrap();
    assert_eq!(course.told(), "Incomplete");
    assert_eq!(course.campaign().end.cause, Some(Cause::Terminated));
    course.handle(Event::Terminate).unwrap();
    assert_eq!(course.told(), "");
}

#[test]
fn actions_past_the_limit_fail_identification_and_are_dropped_later() {
    let over = Feedback { past_limit: Some(Limit::Actions), ..feedback(Status::Identified, "", &[]) };
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    course.handle(Event::Feedback(ix(0), over)).unwrap();
    assert_eq!(course.told(), "IdentificationFailed inventory");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(Reason::Limit(Limit::Actions)));
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    course.handle(Event::Feedback(ix(0), Feedback { status: Status::DownloadSuccess, ..over })).unwrap();
    assert_eq!(course.told(), "Update>0");
    assert!(course.out.contains(&Effect::Notice(Notice::ActionsDropped(ix(0)))));
}

#[test]
fn an_unknown_action_status_keeps_the_last_one() {
    let mut actions = actions::Actions::new();
    let known = action(r#"{"id":"x"}"#, "x", ActionStatus::Downloading);
    assert_eq!(actions.merge(ix(0), &known), Ok(Change::Progress));
    assert_eq!(actions.merge(ix(0), &known), Ok(Change::None));
    assert_eq!(actions.merge(ix(0), &Action { status: None, progress: 5, ..known }), Ok(Change::Progress));
    let kept = actions.iter().next().unwrap();
    assert_eq!((kept.status, kept.progress), (Some(ActionStatus::Downloading), 5));
    assert_eq!(
        actions.merge(ix(1), &known),
        Ok(Change::Progress),
        "the same component of another domain is another action"
    );
    let long = format!(r#"{{"id":"y","x":"{}"}}"#, "z".repeat(400));
    assert!(actions.merge(ix(0), &action(&long, "y", ActionStatus::Identified)).is_err());
}

#[test]
fn sets_of_domains_are_iterated_in_order() {
    let set: DomainSet = [ix(9), ix(2)].into_iter().collect();
    assert_eq!(set.iter().map(DomainIx::place).collect::<Vec<_>>(), [2, 9]);
    assert_eq!(set.without([ix(2)].into_iter().collect()).len(), 1);
    assert!(DomainIx::new(DOMAINS_MAX).is_none());
}

#[test]
fn a_question_is_withdrawn_when_nobody_waits_for_its_answer_any_more() {
    let mut course = Course::reach(asking(&[Phase::Update]), 2, Phase::Download);
    assert_eq!(course.say(0, Status::DownloadFailure, true), "Cleanup>0");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update?");
    course.say(1, Status::Incomplete, true);
    assert!(course.out.contains(&Effect::CloseConsent), "{:?}", course.out);
    assert!(course.campaign().is_running() && course.campaign().consent.asking.is_none());
}
