//! The course of an activity that `Together` leads: groups, order, verification, turning back.

use super::effect::TimerKind;
use super::event::{DesiredState, Event, Link, Moment, Part, Shown, Standing, Verdict};
use super::group::Group;
use super::tests::{feedback, ix, Course, SETTINGS};
use super::{Checks, Grouping, Rebooting, Rejected, Settings};
use crate::limits::DOMAINS_MAX;
use crate::model::text::Text;
use crate::model::time::Tick;
use crate::model::{ActionStatus, ActivityKey, DomainSet, Phase, Rollback, Run, Status};

const GROUPING: Grouping = Grouping { rollback: Rollback::Device, reports_inconsistent: true, ..Grouping::DEFAULT };

fn with(grouping: Grouping) -> Settings {
    Settings { grouping, ..SETTINGS }
}

fn device() -> Settings {
    with(GROUPING)
}

fn ordered(orders: &[u8]) -> Settings {
    let mut grouping = GROUPING;
    grouping.orders[..orders.len()].copy_from_slice(orders);
    with(grouping)
}

fn checked(checks: Checks) -> Settings {
    with(Grouping { checks, ..GROUPING })
}

const COMMAND: Checks = Checks { has_command: true, ..Grouping::DEFAULT.checks };

fn domains(places: &[usize]) -> DomainSet {
    places.iter().map(|place| ix(*place)).collect()
}

fn inconsistent(course: &Course) -> Vec<usize> {
    let campaign = course.campaign();
    let is_so = |place: &usize| campaign.domain(ix(*place)).is_some_and(|part| campaign.is_inconsistent(part));
    (0..DOMAINS_MAX).filter(is_so).collect()
}

impl Course {
    fn verdict(&mut self, verdict: Verdict<'_>) -> String {
        self.handle(Event::Checked(Group::default(), verdict)).unwrap();
        self.told()
    }

    fn shown(&mut self, domain: usize, shown: Shown<'_>) -> String {
        self.handle(Event::Shown(ix(domain), shown, Moment::Any)).unwrap();
        self.told()
    }
}

#[test]
fn a_failure_turns_the_whole_group_back() {
    let mut course = Course::reach(device(), 2, Phase::Update);
    assert_eq!(course.campaign().policy, "together");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Running");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Rollback>0 Rollback>1");
    assert_eq!(course.say(0, Status::RollbackSuccess, false), "");
    assert_eq!(course.say(1, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1");
    assert!(course.campaign().actions.iter().all(|action| action.status == Some(ActionStatus::UpdateFailure)));
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::Incomplete, false), "Incomplete inventory");
    assert!(course.campaign().has_turned_back() && inconsistent(&course).is_empty());
}

#[test]
fn a_domain_whose_download_failed_has_nothing_to_undo() {
    let mut course = Course::reach(device(), 2, Phase::Download);
    assert_eq!(course.say(1, Status::DownloadFailure, true), "Running");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Rollback>0");
    assert_eq!(course.say(0, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1");
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory");
}

#[test]
fn activation_goes_by_order_and_undoing_the_other_way() {
    let mut course = Course::reach(ordered(&[10, 90, 10]), 3, Phase::Update);
    (0..2).for_each(|domain| drop(course.say(domain, Status::UpdateSuccess, true)));
    assert_eq!(course.say(2, Status::UpdateSuccess, true), "Activate>0 Activate>2");
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "");
    assert_eq!(course.say(2, Status::ActivationSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::ActivationFailure, true), "Rollback>1 Running");
    assert_eq!(course.say(1, Status::RollbackSuccess, false), "Rollback>0 Rollback>2");
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(course.say(2, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1 Cleanup>2");
}

#[test]
fn without_groups_the_next_in_order_begins_when_all_before_have_left() {
    let mut settings = ordered(&[10, 90]);
    settings.grouping.rollback = Rollback::None;
    let mut course = Course::reach(settings, 2, Phase::Update);
    course.say(0, Status::UpdateSuccess, true);
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::ActivationFailure, true), "Cleanup>0 Activate>1");
    course.say(0, Status::Incomplete, false);
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>1");
    assert_eq!(course.say(1, Status::Completed, false), "Incomplete inventory");
    assert!(inconsistent(&course).is_empty(), "nothing is inconsistent where each stands for itself");
}

#[test]
fn groups_of_baselines_do_not_wait_for_each_other() {
    let mut course = Course::new(with(Grouping { rollback: Rollback::Baseline, ..GROUPING }));
    course.groups = [0, 0, 1];
    course.apply("a-1", 1, 3).unwrap();
    (0..3).for_each(|domain| drop(course.say(domain, Status::Identified, true)));
    assert_eq!(course.say(2, Status::DownloadSuccess, true), "Update>2");
    assert_eq!(course.say(2, Status::UpdateSuccess, true), "Activate>2");
    assert_eq!(course.say(0, Status::DownloadFailure, true), "Running");
    assert_eq!(course.say(2, Status::ActivationSuccess, true), "Cleanup>2");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Rollback>1");
    assert_eq!(course.say(2, Status::Completed, false), "");
    assert_eq!(course.say(1, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1");
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory");
}

#[test]
fn a_domain_that_fails_alone_takes_nobody_along() {
    let mut course = Course::new(with(Grouping { fail_alone: domains(&[1]), ..GROUPING }));
    course.apply("a-1", 1, 3).unwrap();
    assert_eq!(course.say(1, Status::IdentificationFailed, false), "");
    course.say(0, Status::Identified, true);
    assert_eq!(course.say(2, Status::Identified, true), "Identified Running Download>0 Download>2");
    let mut course = Course::reach(with(Grouping { fail_alone: domains(&[1]), ..GROUPING }), 2, Phase::Update);
    assert_eq!(course.say(1, Status::UpdateFailure, true), "Cleanup>1");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "Cleanup>0");
    course.say(1, Status::CleanupSuccess, false);
    assert_eq!(course.say(0, Status::Completed, false), "Incomplete inventory");
}

#[test]
fn a_domain_without_an_agent_refuses_the_whole() {
    let mut course = Course::new(device());
    let text = Text::from_checked;
    let parts = [Part::new(text("d0"), Some(ix(0))), Part::new(text("nobody"), None)];
    let key = ActivityKey { activity: text("a-1"), timestamp: 1, crc: 7 };
    for parts in [&parts[..], &parts[1..]] {
        let standing = Standing::default();
        let desired = DesiredState { key, run: Run(1), parts, rollback: None, standing };
        course.handle(Event::DesiredState(desired)).unwrap();
        assert_eq!(course.told(), "Identifying IdentificationFailed inventory");
    }
}

#[test]
fn what_is_not_known_to_be_undone_is_inconsistent() {
    // A rollback that fails.
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.say(0, Status::UpdateFailure, true);
    course.say(1, Status::UpdateSuccess, true);
    course.say(0, Status::RollbackFailure, false);
    course.say(1, Status::RollbackSuccess, false);
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "IncompleteInconsistent inventory");
    assert_eq!(inconsistent(&course), [0]);
    // Silence before ACTIVATE, by a domain that has answered.
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.say(0, Status::UpdateFailure, true);
    course.say(1, Status::UpdateSuccess, true);
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(course.timeout(TimerKind::Cleanup, 30_000), "Cleanup>0 Cleanup>1");
    assert!(inconsistent(&course).is_empty());
    assert_eq!(course.campaign().domain(ix(1)).unwrap().failure, None);
    // The same after a hello.
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.say(1, Status::UpdateSuccess, true);
    course.handle(Event::Hello(ix(1))).unwrap();
    course.say(0, Status::UpdateFailure, true);
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(course.timeout(TimerKind::Cleanup, 30_000), "Cleanup>0 Cleanup>1 Running");
    assert_eq!(inconsistent(&course), [1]);
    // Silence to the last command, and to ROLLBACK.
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.say(1, Status::UpdateSuccess, true);
    assert_eq!(course.timeout(TimerKind::Phase, 600_000), "Rollback>0 Rollback>1 Running");
    course.say(1, Status::RollbackSuccess, false);
    course.timeout(TimerKind::Cleanup, 630_000);
    assert_eq!(inconsistent(&course), [0]);
    // One that has committed by itself.
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.say(1, Status::Completed, true);
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Rollback>0 Running");
    assert_eq!(
        course.say(0, Status::RollbackSuccess, false),
        "Cleanup>1 Cleanup>0",
        "it holds what it needs to go back"
    );
    course.say(0, Status::CleanupSuccess, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "IncompleteInconsistent inventory");
    assert_eq!(inconsistent(&course), [1]);
}

#[test]
fn one_that_was_given_cleanup_when_it_committed_by_itself_gets_no_second_one() {
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.handle(Event::Hello(ix(1))).unwrap();
    assert_eq!(course.timeout(TimerKind::Repair, 60_000), "desiredstate>1");
    assert_eq!(course.say(1, Status::Completed, false), "Cleanup>1");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Rollback>0 Running");
    assert_eq!(course.say(0, Status::RollbackSuccess, false), "Cleanup>0");
    assert_eq!(course.say(0, Status::CleanupSuccess, false), "IncompleteInconsistent inventory");
    assert_eq!(inconsistent(&course), [1]);
}

#[test]
fn a_process_that_ends_in_between_says_which_domains_it_leaves_there() {
    let mut course = Course::reach(device(), 2, Phase::Download);
    course.say(1, Status::DownloadFailure, true);
    course.handle(Event::Terminate).unwrap();
    assert_eq!(course.told(), "IncompleteInconsistent");
    assert_eq!(inconsistent(&course), [0]);
}

#[test]
fn incomplete_is_a_failure_like_any_other() {
    let mut course = Course::reach(device(), 2, Phase::Update);
    assert_eq!(course.say(0, Status::Incomplete, true), "Running");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Rollback>0 Rollback>1");
    assert_eq!(course.say(1, Status::Incomplete, false), "Running");
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(inconsistent(&course), [1]);
}

#[test]
fn what_takes_effect_with_a_boot_is_not_undone_by_a_word_after_one() {
    for (has_booted, expected) in [(false, &[][..]), (true, &[1])] {
        let settings = Settings { rebooting: Rebooting { required: domains(&[1]), ..SETTINGS.rebooting }, ..device() };
        let mut course = Course::reach(settings, 2, Phase::Activate);
        course.say(1, Status::ActivationSuccess, true);
        let mut course = super::resume_tests::booted_with(&course, settings, has_booted);
        course.link(true);
        course.say(0, Status::ActivationFailure, true);
        (0..2).for_each(|domain| drop(course.say(domain, Status::RollbackSuccess, false)));
        assert_eq!(inconsistent(&course), expected);
    }
}

#[test]
fn actions_that_were_undone_have_failed_whatever_an_agent_repeats() {
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.say(1, Status::UpdateFailure, true);
    course.say(0, Status::UpdateSuccess, true);
    (0..2).for_each(|domain| drop(course.say(domain, Status::RollbackSuccess, true)));
    course.say(0, Status::CleanupSuccess, true);
    assert!(course.campaign().actions.iter().all(|action| action.status == Some(ActionStatus::UpdateFailure)));
}

#[test]
fn what_was_turned_back_is_old_whatever_word_ends_its_part() {
    for last in [Status::CleanupSuccess, Status::Incomplete, Status::Completed] {
        let mut course = Course::reach(device(), 2, Phase::Update);
        course.say(0, Status::DownloadFailure, true);
        course.say(0, Status::UpdateFailure, true);
        course.say(1, Status::UpdateSuccess, true);
        (0..2).for_each(|domain| drop(course.say(domain, Status::RollbackSuccess, false)));
        course.say(0, Status::CleanupSuccess, false);
        assert_eq!(course.say(1, last, false), "Incomplete inventory", "{last:?}");
        assert_eq!(course.campaign().domain(ix(1)).unwrap().failure, None);
    }
}

#[test]
fn a_committed_domain_that_ends_incomplete_is_named_though_another_group_was_given_up() {
    let mut course = Course::new(with(Grouping { rollback: Rollback::Baseline, ..GROUPING }));
    course.groups = [0, 1, 1];
    course.apply("a-1", 1, 2).unwrap();
    (0..2).for_each(|domain| drop(course.say(domain, Status::Identified, true)));
    course.say(0, Status::DownloadSuccess, true);
    course.say(0, Status::UpdateSuccess, true);
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "Cleanup>0");
    course.handle(Event::Cancel(false)).unwrap();
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Rollback>1");
    course.say(1, Status::RollbackSuccess, false);
    course.say(0, Status::Incomplete, false);
    assert!(course.campaign().domain(ix(0)).unwrap().failure.is_some());
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory");
}

#[test]
fn what_was_given_update_before_it_was_started_over_is_not_old_by_its_word() {
    let mut course = Course::reach(device(), 2, Phase::Update);
    course.handle(Event::Hello(ix(0))).unwrap();
    assert_eq!(course.timeout(TimerKind::Repair, 60_000), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    course.say(1, Status::UpdateFailure, true);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Rollback>0 Rollback>1", "it is not led on");
    course.say(0, Status::RollbackSuccess, false);
    course.say(1, Status::RollbackSuccess, false);
    assert_eq!(inconsistent(&course), [0]);
}

#[test]
fn silence_counts_from_when_the_broker_has_the_rollback_and_the_agent_can_be_heard() {
    let turned = |is_broker_silent: bool| {
        let mut course = Course::reach(device(), 2, Phase::Update);
        course.is_broker_silent = is_broker_silent;
        course.say(0, Status::UpdateSuccess, true);
        assert_eq!(course.say(1, Status::UpdateFailure, true), "Rollback>0 Rollback>1 Running");
        course.say(1, Status::RollbackSuccess, false);
        course
    };
    // The broker takes it late, or refuses it.
    let mut course = turned(true);
    assert_eq!(course.timeout(TimerKind::Cleanup, 3_600_000), "");
    course.handle(Event::Taken(ix(0))).unwrap();
    assert_eq!(course.timeout(TimerKind::Cleanup, 3_629_999), "");
    assert_eq!(course.timeout(TimerKind::Cleanup, 3_630_000), "Cleanup>0 Cleanup>1");
    assert!(inconsistent(&course).is_empty());
    let mut course = turned(true);
    course.handle(Event::Refused(ix(0), 100)).unwrap();
    assert_eq!((course.told(), inconsistent(&course)), ("Cleanup>0 Cleanup>1 Running".to_owned(), vec![0]));
    // The link goes meanwhile: what the agent said comes when it is back.
    let mut course = turned(false);
    course.handle(Event::Link(Link::Down)).unwrap();
    assert_eq!(course.timeout(TimerKind::Cleanup, 200_000), "");
    course.handle(Event::Link(Link::Kept)).unwrap();
    assert_eq!(course.timeout(TimerKind::Cleanup, 229_999), "");
    assert_eq!(course.timeout(TimerKind::Cleanup, 230_000), "Cleanup>0 Cleanup>1");
    assert!(inconsistent(&course).is_empty());
    // One that goes on speaking and never answers is not silent.
    let mut course = turned(false);
    for second in (20..600).step_by(20) {
        course.now = Tick(second * 1000);
        assert_eq!(course.say(0, Status::Updating, false), "");
    }
    assert_eq!(course.timeout(TimerKind::Cleanup, 600_000), "Cleanup>0 Cleanup>1 Running");
    assert_eq!(inconsistent(&course), [0]);
}

#[test]
fn a_rollback_that_was_waited_for_in_vain_and_comes_late_counts() {
    let mut course = Course::reach(device(), 1, Phase::Activate);
    course.say(0, Status::ActivationFailure, true);
    assert_eq!(course.timeout(TimerKind::Cleanup, 30_000), "Cleanup>0");
    assert_eq!(inconsistent(&course), [0]);
    course.say(0, Status::RollbackSuccess, false);
    assert_eq!(course.say(0, Status::CleanupSuccess, false), "Incomplete inventory");
    assert!(inconsistent(&course).is_empty());
}

#[test]
fn who_is_busy_is_waited_for_and_not_started_over() {
    let mut course = Course::reach(device(), 2, Phase::Update);
    assert_eq!(course.say(0, Status::UpdateFailure, true), "Running");
    course.handle(Event::Hello(ix(1))).unwrap();
    assert_eq!(course.engine.in_doubt(ix(1)), None);
    assert_eq!(course.timeout(TimerKind::Phase, 600_000), "Rollback>0 Rollback>1 Running");
}

#[test]
fn cleanup_waits_until_the_command_says_that_all_is_good() {
    let mut course = Course::reach(checked(COMMAND), 2, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "check>0");
    assert_eq!(course.verdict(Verdict::NotYet), "");
    for (again, now) in [1_000, 3_000, 7_000, 15_000, 25_000].into_iter().enumerate() {
        assert_eq!(course.timeout(TimerKind::Verify, now - 1), "", "{again}");
        assert_eq!(course.timeout(TimerKind::Verify, now), "check>0", "{again}");
        course.verdict(Verdict::NotYet);
    }
    assert_eq!(course.timeout(TimerKind::Verify, 35_000), "check>0");
    assert_eq!(course.verdict(Verdict::Good), "Cleanup>0 Cleanup>1");
    assert_eq!(course.handle(Event::Cancel(true)), Err(Rejected::Ending));
}

#[test]
fn a_bad_verdict_turns_the_group_back_with_its_reason() {
    for rollback in [Rollback::Device, Rollback::None] {
        let mut settings = checked(COMMAND);
        settings.grouping.rollback = rollback;
        let mut course = Course::reach(settings, 2, Phase::Activate);
        course.say(0, Status::ActivationSuccess, true);
        course.say(1, Status::ActivationSuccess, true);
        assert_eq!(course.verdict(Verdict::Bad(Text::from_checked("no network"))), "Rollback>0 Rollback>1 Running");
        assert_eq!(course.campaign().groups.flaws, "no network");
        course.say(0, Status::RollbackSuccess, false);
        assert_eq!(course.say(1, Status::RollbackSuccess, false), "Cleanup>0 Cleanup>1");
    }
}

#[test]
fn a_group_that_is_not_verified_in_time_is_turned_back() {
    let mut course = Course::reach(checked(COMMAND), 1, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    course.verdict(Verdict::NotYet);
    assert_eq!(course.timeout(TimerKind::Verify, 1_000), "check>0");
    assert_eq!(course.timeout(TimerKind::Verify, 300_000), "endcheck>0 Rollback>0 Running");
    assert_eq!(course.campaign().groups.flaws, "not verified in 5m");
}

#[test]
fn checks_have_to_hold_for_the_stable_time() {
    let mut course = Course::reach(checked(Checks { stable_ms: 2_500, ..COMMAND }), 1, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    assert_eq!(course.verdict(Verdict::Good), "");
    assert_eq!(course.timeout(TimerKind::Verify, 1_000), "check>0");
    course.verdict(Verdict::NotYet);
    assert_eq!(course.timeout(TimerKind::Verify, 2_000), "check>0");
    assert_eq!(course.verdict(Verdict::Good), "", "it counts from the beginning");
    for now in [3_000, 4_000] {
        assert_eq!(course.timeout(TimerKind::Verify, now), "check>0");
        assert_eq!(course.verdict(Verdict::Good), "");
    }
    assert_eq!(course.timeout(TimerKind::Verify, 4_500), "check>0", "it is asked at the end of the time");
    assert_eq!(course.verdict(Verdict::Good), "Cleanup>0");
}

fn of_inventories(stable_ms: u64, fail_alone: DomainSet) -> Settings {
    let checks = Checks { inventories: domains(&[1]), stable_ms, ..Grouping::DEFAULT.checks };
    with(Grouping { checks, fail_alone, ..GROUPING })
}

#[test]
fn an_inventory_has_to_show_what_is_wanted() {
    let mut course = Course::reach(of_inventories(0, DomainSet::EMPTY), 2, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "inventory>1");
    assert_eq!(course.shown(1, Shown::Missing(Text::from_checked("x"))), "");
    assert_eq!(course.timeout(TimerKind::Verify, 1_000), "inventory>1");
    assert_eq!(course.timeout(TimerKind::Verify, 11_000), "inventory>1", "an agent may not have got it");
    assert_eq!(course.shown(1, Shown::All), "Cleanup>0 Cleanup>1");
    course.shown(1, Shown::Other(Text::from_checked("x 1 instead of 2")));
    course.say(0, Status::Completed, false);
    assert_eq!(course.say(1, Status::Completed, false), "IncompleteInconsistent inventory");
    assert_eq!(inconsistent(&course), [1]);
}

#[test]
fn an_inventory_that_never_shows_it_turns_back_the_group_or_the_domain_alone() {
    let mut course = Course::reach(of_inventories(0, DomainSet::EMPTY), 2, Phase::Activate);
    (0..2).for_each(|domain| drop(course.say(domain, Status::ActivationSuccess, true)));
    assert_eq!(course.timeout(TimerKind::Verify, 300_000), "Rollback>0 Rollback>1 Running");
    let mut course = Course::reach(of_inventories(0, domains(&[1])), 2, Phase::Activate);
    (0..2).for_each(|domain| drop(course.say(domain, Status::ActivationSuccess, true)));
    assert_eq!(course.timeout(TimerKind::Verify, 300_000), "Rollback>1 Cleanup>0");
    assert_eq!(course.say(1, Status::RollbackSuccess, false), "Cleanup>1");
    course.say(0, Status::Completed, false);
    assert_eq!(course.say(1, Status::CleanupSuccess, false), "Incomplete inventory");
}

#[test]
fn verification_begins_anew_with_a_start() {
    let mut course = Course::reach(checked(COMMAND), 1, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    course.verdict(Verdict::NotYet);
    let mut course = super::resume_tests::booted(&course, checked(COMMAND));
    assert_eq!(course.told(), "Identified Running check>0");
    assert_eq!(course.verdict(Verdict::Good), "Cleanup>0");
}

#[test]
fn a_cancellation_turns_back_all_that_is_not_committed_in_every_phase() {
    let mut course = Course::reach(checked(COMMAND), 2, Phase::Activate);
    course.handle(Event::Cancel(false)).unwrap();
    assert_eq!(course.told(), "Running");
    course.say(0, Status::ActivationSuccess, true);
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Rollback>0 Rollback>1");
    assert_eq!(course.handle(Event::Cancel(false)), Err(Rejected::Ending));
    let mut course = Course::reach(checked(COMMAND), 1, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    course.handle(Event::Cancel(false)).unwrap();
    assert_eq!(course.told(), "endcheck>0 Rollback>0 Running");
    let mut course = Course::reach(checked(COMMAND), 1, Phase::Activate);
    assert_eq!(course.say(0, Status::Completed, true), "check>0");
    course.handle(Event::Cancel(false)).unwrap();
    assert_eq!(course.told(), "endcheck>0 Cleanup>0 Running");
    let mut settings = checked(COMMAND);
    settings.grouping.rollback = Rollback::None;
    let mut course = Course::reach(settings, 1, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    course.handle(Event::Cancel(false)).unwrap();
    assert_eq!(course.told(), "endcheck>0 Rollback>0");
}

#[test]
fn progress_moves_the_clock_and_repetition_does_not() {
    let settings = Settings { phase_timeout_max_ms: 1_500_000, ..SETTINGS };
    let mut course = Course::reach(settings, 1, Phase::Download);
    for (now, status, due) in [
        (500_000, Status::Downloading, 1_100_000),
        (600_000, Status::Downloading, 1_100_000),
        (1_000_000, Status::Updating, 1_500_000),
    ] {
        course.now = Tick(now);
        course.handle(Event::Feedback(ix(0), feedback(status, "", &[]))).unwrap();
        assert_eq!(course.engine.clock_due(), Some(Tick(due)), "{now}");
    }
    assert_eq!(course.timeout(TimerKind::Phase, 1_500_000), "Cleanup>0");
    assert_eq!(DOMAINS_MAX, Grouping::DEFAULT.orders.len());
}
