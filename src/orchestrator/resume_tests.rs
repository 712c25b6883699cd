//! Saving before acting, and taking up what was saved: from every state that can
//! be reached.

use super::domain::State;
use super::effect::TimerKind;
use super::resume::Saved;
use super::tests::{asking, ended, feedback, ix, Course, SETTINGS};
use super::*;
use crate::model::text::Text;
use crate::model::{Command, Phase, Reason, Reboot, Status};

fn saved(before: &Course, reboot: Reboot, has_booted: bool) -> Saved {
    let finished = before.orchestrator.finished().unwrap().clone();
    Saved { campaign: before.campaign().clone(), reboot, has_booted, finished }
}

/// A process that starts with what another one had saved, not yet linked.
pub(super) fn booted(before: &Course, settings: Settings) -> Course {
    booted_with(before, settings, false)
}

/// The same; whether the host has booted as well.
pub(super) fn booted_with(before: &Course, settings: Settings, has_booted: bool) -> Course {
    let mut course = Course::offline(settings);
    course.now = before.now;
    let saved = saved(before, before.orchestrator.reboot(), has_booted);
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

/// An orchestrator that saves, what it did last, and the time.
struct Saver(Durable<Synchronised>, Effects, Tick);

impl Saver {
    fn new() -> Saver {
        let mut saver = Saver(Durable::new(Synchronised::new(SETTINGS)), Effects::new(), Tick(0));
        saver.handle(Event::Link(Link::Subscribed));
        saver
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        self.1.clear();
        self.0.handle(self.2, event, &mut self.1).unwrap();
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
    then.push(Effect::Send(ix(0), Command::Download));
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
    saver.2 = Tick(SETTINGS.phase_timeout_ms);
    assert_eq!(saver.handle(Event::Timeout(TimerKind::Phase)), [], "the save takes longer than the phase");
    assert_eq!(
        saver.handle(Event::Saved(2)),
        [Status::Identified, Status::Running]
            .map(Effect::Report)
            .into_iter()
            .chain([Effect::Save(3)])
            .collect::<Vec<_>>()
    );
    assert_eq!(saver.handle(Event::Saved(3)), [Effect::Send(ix(0), Command::Cleanup)]);
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
        assert_eq!(course.link(true), "");
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
