//! Saving before acting, and taking up what was saved: from every state that can
//! be reached.

use super::domain::{Reason, State};
use super::effect::TimerKind;
use super::phase::{Phase, Status};
use super::reboot::Reboot;
use super::resume::Saved;
use super::tests::{asking, ended, feedback, ix, Course, SETTINGS};
use super::*;
use crate::text::Text;

fn saved(before: &Course, reboot: Reboot, has_booted: bool) -> Saved {
    let finished = before.orchestrator.finished().unwrap().clone();
    Saved { campaign: before.campaign().clone(), reboot, has_booted, finished }
}

/// A process that starts with what another one had saved.
fn booted(before: &Course, settings: Settings) -> Course {
    let mut course = Course::new(settings);
    let saved = saved(before, before.orchestrator.reboot(), false);
    course.handle(Event::Boot(&saved)).unwrap();
    course
}

fn link(course: &mut Course) -> String {
    course.handle(Event::Link(true)).unwrap();
    course.told()
}

#[test]
fn domains_that_left_the_phase_keep_their_result_and_the_others_get_their_message_again() {
    let mut before = Course::reach(SETTINGS, 2, Phase::Update);
    before.say(0, Status::UpdateSuccess, true);
    let mut course = booted(&before, SETTINGS);
    assert_eq!(course.told(), "Identified Running", "a cut may have come before it was told");
    assert_eq!(link(&mut course), "Update>1");
    assert_eq!(link(&mut course), "", "once");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>0 Activate>1");
}

#[test]
fn while_identifying_the_desired_state_is_given_again() {
    let mut before = Course::new(SETTINGS);
    before.apply("a-1", 1, 2).unwrap();
    before.say(1, Status::Identified, true);
    let mut course = booted(&before, SETTINGS);
    assert_eq!(course.told(), "Identifying");
    assert_eq!(link(&mut course), "desiredstate>0");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0", "and once more if it does not react");
    assert_eq!(course.say(0, Status::Identified, true), "Identified Running Download>0 Download>1");
}

#[test]
fn an_agent_that_forgot_is_led_to_the_phase_of_the_others() {
    let before = Course::reach(SETTINGS, 2, Phase::Activate);
    let mut course = booted(&before, SETTINGS);
    link(&mut course);
    assert_eq!(course.say(0, Status::ActivationSuccess, true), "");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>1");
    assert_eq!(course.say(1, Status::Identified, true), "Download>1");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>1");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>0 Cleanup>1");
}

/// A domain that has forgotten the activity, and was given the desired state again.
fn led_back() -> Course {
    let before = Course::reach(SETTINGS, 1, Phase::Update);
    let mut course = booted(&before, SETTINGS);
    assert_eq!(link(&mut course), "Update>0");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    course
}

#[test]
fn an_agent_that_starts_anew_while_it_is_led_is_led_from_the_beginning() {
    let mut course = led_back();
    course.handle(Event::Restarted(ix(0))).unwrap();
    assert_eq!(course.told(), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn a_domain_that_was_led_when_the_manager_ended_is_led_again() {
    let mut before = led_back();
    // A record does not hold it.
    before.orchestrator.campaign.domain_mut(ix(0)).unwrap().replay = None;
    let mut course = booted(&before, SETTINGS);
    assert_eq!(link(&mut course), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn an_agent_that_does_not_react_at_all_has_failed() {
    let before = Course::reach(SETTINGS, 1, Phase::Download);
    let mut course = booted(&before, SETTINGS);
    link(&mut course);
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0");
    assert_eq!(course.timeout(TimerKind::Resume, 60_000), "Cleanup>0");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(Reason::Silent(None, 30_000)));
}

#[test]
fn an_agent_that_starts_anew_gets_its_message_again_three_times_in_a_phase() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Update);
    course.say(1, Status::UpdateSuccess, true);
    course.handle(Event::Restarted(ix(1))).unwrap();
    assert_eq!(course.told(), "", "it owes nothing");
    for _ in 0..3 {
        course.handle(Event::Restarted(ix(0))).unwrap();
        assert_eq!(course.told(), "Update>0");
    }
    course.handle(Event::Restarted(ix(0))).unwrap();
    assert_eq!(course.told(), "Cleanup>0 Activate>1");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(Reason::Lost(3)));
}

#[test]
fn an_agent_that_starts_anew_and_forgets_is_led_on() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.handle(Event::Restarted(ix(0))).unwrap();
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn an_activity_is_taken_up_three_times_in_a_phase_and_no_more() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    for _ in 0..3 {
        course = booted(&course, SETTINGS);
        assert_eq!(course.campaign().domain(ix(0)).unwrap().state, State::Working(Phase::Download));
    }
    course = booted(&course, SETTINGS);
    assert_eq!(course.told(), "Identified Running Cleanup>0");
    assert_eq!(course.campaign().domain(ix(0)).unwrap().failure, Some(Reason::Lost(3)));
}

#[test]
fn an_open_question_is_asked_again_with_its_clock_anew() {
    let mut before = Course::new(asking(&[Phase::Download]));
    before.apply("a-1", 1, 1).unwrap();
    assert_eq!(before.say(0, Status::Identified, true), "Identified Running Download?");
    let mut course = booted(&before, asking(&[Phase::Download]));
    assert_eq!(course.told(), "Identified Running Download?");
    assert_eq!(link(&mut course), "");
    assert_eq!(course.answer(true), "Download>0");
}

#[test]
fn an_end_that_was_not_delivered_is_told_again_and_one_that_was_is_not() {
    let mut before = ended(false, true);
    assert_eq!(booted(&before, SETTINGS).told(), "Completed inventory");
    before.handle(Event::Delivered).unwrap();
    let mut course = booted(&before, SETTINGS);
    assert_eq!(course.told(), "");
    assert_eq!(course.apply("a-1", 1, 2), Err(Rejected::Redelivered), "it is known to be finished");
}

#[test]
fn an_end_that_is_told_again_after_a_start_keeps_no_activity_waiting() {
    let before = ended(false, true);
    let mut saver = Saver::new();
    let told = saver.handle(Event::Boot(&saved(&before, Reboot::None, false)));
    assert_eq!(told, [Effect::Report(Status::Completed), Effect::ReportInventory, Effect::AwaitDelivery]);
    assert_eq!(saver.apply_as("a-2"), [Effect::Save(1)]);
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
        assert!(!course.orchestrator.reboot().is_pending(), "{reboot:?} {has_booted}");
    }
}

#[test]
fn a_saved_end_that_the_broker_does_not_take_holds_the_reboot_up_for_a_minute_only() {
    let mut course = ended(true, true);
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Reboot, Tick(60_000))));
    let mut unsaved = course.clone();
    unsaved.timeout(TimerKind::Reboot, 60_000);
    assert_eq!(unsaved.orchestrator.reboot(), Reboot::Delivering, "what is not saved would be lost");
    course.orchestrator.settings.is_saved = true;
    course.timeout(TimerKind::Reboot, 60_000);
    assert!(course.out.contains(&Effect::SetTimer(TimerKind::Reboot, Tick(90_000))));
    assert_eq!(course.timeout(TimerKind::Reboot, 90_000), "reboot");
}

/// An orchestrator that saves, and what it did last.
struct Saver(Durable<Synchronised>, Effects);

impl Saver {
    fn new() -> Saver {
        Saver(Durable::new(Synchronised::new(SETTINGS)), Effects::new())
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        self.1.clear();
        self.0.handle(Tick(0), event, &mut self.1).unwrap();
        let lasting =
            |effect: &&Effect| !matches!(effect, Effect::SetTimer(..) | Effect::StopTimer(_) | Effect::Notice(_));
        self.1.iter().filter(lasting).copied().collect()
    }

    fn apply(&mut self) -> Vec<Effect> {
        self.apply_as("a-1")
    }

    fn apply_as(&mut self, activity: &str) -> Vec<Effect> {
        let id = Text::from_checked("d0");
        let parts = [event::Part { id, domain: Some(ix(0)) }];
        let activity = Text::from_checked(activity);
        self.handle(Event::DesiredState(event::DesiredState { activity, timestamp: 1, crc: 1, parts: &parts }))
    }

    fn say(&mut self, status: Status) -> Vec<Effect> {
        self.say_as("a-1", status)
    }

    fn say_as(&mut self, activity: &str, status: Status) -> Vec<Effect> {
        let component = r#"{"id":"x"}"#;
        let id = Text::from_checked("x");
        let action = event::Action { id, component, status: None, progress: 0, message: Text::EMPTY };
        let activity = Text::from_checked(activity);
        self.handle(Event::Feedback(ix(0), event::Feedback { activity, ..feedback(status, "", &[action]) }))
    }
}

#[test]
fn nothing_is_done_before_it_is_saved() {
    let mut saver = Saver::new();
    assert_eq!(saver.apply(), [Effect::Save(1)]);
    assert_eq!(saver.0.waiting_on(), WaitingOn::Save);
    assert_eq!(saver.handle(Event::Saved(7)), [], "another save's end means nothing");
    assert_eq!(saver.handle(Event::Saved(1)), [Effect::Report(Status::Identifying), Effect::Forward(ix(0))]);
    assert_eq!(saver.say(Status::Identifying), [], "progress is not worth a save");
    assert_eq!(saver.say(Status::Identified), [Effect::Save(2)]);
    let begun = [Status::Identified, Status::Running].map(Effect::Report);
    let mut then = begun.to_vec();
    then.push(Effect::Send(ix(0), phase::Command::Download));
    assert_eq!(saver.handle(Event::Saved(2)), then);
}

#[test]
fn what_is_decided_while_a_save_runs_waits_for_the_next_one() {
    let mut saver = Saver::new();
    saver.apply();
    assert_eq!(saver.say(Status::Identified), [], "the first save runs");
    let told = saver.handle(Event::Saved(1));
    assert_eq!(told, [Effect::Report(Status::Identifying), Effect::Forward(ix(0)), Effect::Save(2)]);
    assert_eq!(saver.handle(Event::Saved(2)).len(), 3);
    assert_eq!(saver.0.waiting_on(), WaitingOn::Agents([ix(0)].into_iter().collect()));
}

#[test]
fn a_command_that_waits_for_a_save_is_not_given_when_its_phase_is_over() {
    let mut saver = Saver::new();
    saver.apply();
    saver.handle(Event::Saved(1));
    assert_eq!(saver.say(Status::Identified), [Effect::Save(2)]);
    assert_eq!(saver.handle(Event::Timeout(TimerKind::Phase)), [], "the save takes longer than the phase");
    assert_eq!(
        saver.handle(Event::Saved(2)),
        [Status::Identified, Status::Running]
            .map(Effect::Report)
            .into_iter()
            .chain([Effect::Save(3)])
            .collect::<Vec<_>>()
    );
    assert_eq!(saver.handle(Event::Saved(3)), [Effect::Send(ix(0), phase::Command::Cleanup)]);
}

#[test]
fn an_activity_that_cannot_be_saved_goes_on_in_memory_and_says_so() {
    let mut saver = Saver::new();
    saver.apply();
    assert_eq!(saver.handle(Event::SaveFailed(1)).len(), 2);
    assert!(saver.0.campaign().unwrap().is_unsaved);
    assert_eq!(saver.say(Status::Identified).len(), 3, "no further save is tried for this activity");
    assert_eq!(
        saver.handle(Event::Terminate),
        [Effect::Report(Status::Incomplete), Effect::AwaitDelivery],
        "it ends with the process"
    );
}

#[test]
fn a_saved_activity_does_not_end_with_the_process() {
    let mut saver = Saver::new();
    saver.apply();
    saver.handle(Event::Saved(1));
    assert_eq!(saver.handle(Event::Terminate), []);
    assert!(saver.0.campaign().unwrap().is_running());
}

#[test]
fn what_the_broker_kept_of_an_earlier_phase_is_no_reaction() {
    let before = Course::reach(SETTINGS, 1, Phase::Update);
    let mut course = booted(&before, SETTINGS);
    assert_eq!(link(&mut course), "Update>0");
    course.say(0, Status::Identified, true);
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0");
}

#[test]
fn what_the_broker_delivers_once_more_is_no_reaction() {
    let before = Course::reach(SETTINGS, 1, Phase::Update);
    let mut course = booted(&before, SETTINGS);
    link(&mut course);
    let again = event::Feedback { is_repeat: true, ..feedback(Status::UpdateSuccess, "", &[]) };
    course.handle(Event::Feedback(ix(0), again)).unwrap();
    assert_eq!(course.told(), "Activate>0");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0", "it has forgotten the activity");
}

#[test]
fn a_broker_that_forgot_makes_domains_get_their_message_again_three_times_in_a_phase() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Download);
    let forgotten = |course: &mut Course, domains: &[usize]| {
        course.handle(Event::Forgotten(domains.iter().map(|place| ix(*place)).collect())).unwrap();
        course.told()
    };
    course.say(1, Status::DownloadSuccess, true);
    assert_eq!(forgotten(&mut course, &[1]), "", "what is still under way comes anyway");
    assert_eq!(forgotten(&mut course, &[0, 1]), "Download>0");
    assert_eq!(forgotten(&mut course, &[0, 1]), "Download>0");
    assert_eq!(forgotten(&mut course, &[0, 1]), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0 Update>1");
    assert_eq!(forgotten(&mut course, &[0]), "Update>0");
    assert!(course.campaign().domains.iter().flatten().all(|part| part.restarts == 0), "no agent has started anew");
}

#[test]
fn whoever_may_have_missed_its_message_is_led_to_it_once_more() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Download);
    course.handle(Event::Forgotten([ix(0)].into_iter().collect())).unwrap();
    assert_eq!(course.told(), "Download>0");
    course.say(1, Status::Downloading, true);
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0", "the other one was heard");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "", "it may work in silence");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    course.handle(Event::Forgotten([].into_iter().collect())).unwrap();
    assert_eq!(course.told(), "", "the broker takes it yet");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0 desiredstate>1", "but maybe for nobody");
    course.say(0, Status::DownloadSuccess, true);
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>0 Update>1");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "");
}

#[test]
fn whoever_may_have_missed_the_order_to_clean_up_gets_it_once_more() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Cleanup);
    course.handle(Event::Forgotten([ix(0)].into_iter().collect())).unwrap();
    assert_eq!(course.told(), "Cleanup>0");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "Cleanup>0");
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "");
}

#[test]
fn a_finished_activity_that_comes_again_while_the_next_end_is_saved_is_ignored() {
    let mut saver = Saver::new();
    saver.apply();
    saver.handle(Event::Saved(1));
    saver.say(Status::IdentificationFailed);
    saver.handle(Event::Saved(2));
    saver.apply_as("a-2");
    saver.handle(Event::Saved(3));
    saver.say_as("a-2", Status::IdentificationFailed);
    let rejected = |saver: &mut Saver, activity| {
        let desired = event::DesiredState { activity: Text::from_checked(activity), timestamp: 1, crc: 1, parts: &[] };
        saver.0.handle(Tick(0), Event::DesiredState(desired), &mut Effects::new())
    };
    assert_eq!(rejected(&mut saver, "a-1"), Err(Rejected::Redelivered));
    assert_eq!(rejected(&mut saver, "a-2"), Err(Rejected::SameActivity));
    assert_eq!(rejected(&mut saver, "a-3"), Err(Rejected::Busy));
}

#[test]
fn an_old_state_that_comes_back_commands_nothing_for_a_finished_activity() {
    let old = Course::reach(SETTINGS, 2, Phase::Activate);
    for outcome in [true, false] {
        let after = ended(false, outcome);
        let finished = after.orchestrator.finished().unwrap().clone();
        let state = Saved { campaign: old.campaign().clone(), reboot: Reboot::None, has_booted: true, finished };
        let mut course = Course::new(SETTINGS);
        course.handle(Event::Boot(&state)).unwrap();
        let end = after.campaign().outcome.unwrap();
        assert_eq!(course.told(), format!("{end:?} inventory"), "that it ended may not have been told");
        assert_eq!(link(&mut course), "");
    }
}

#[test]
fn an_end_that_was_saved_is_known_as_finished_though_the_history_was_not() {
    let before = ended(false, true);
    let state = Saved { finished: Default::default(), ..saved(&before, Reboot::None, false) };
    let mut course = Course::new(SETTINGS);
    course.handle(Event::Boot(&state)).unwrap();
    assert_eq!(course.apply("a-1", 1, 2), Err(Rejected::Redelivered));
}

#[test]
fn an_agent_that_forgets_while_it_waits_for_the_others_is_led_on_from_the_next_phase() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Download);
    course.say(0, Status::DownloadSuccess, true);
    course.handle(Event::Restarted(ix(0))).unwrap();
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>0 Update>1");
    course.say(1, Status::Updating, true);
    assert_eq!(course.timeout(TimerKind::Resume, 30_000), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
}
