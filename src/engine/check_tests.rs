//! Each rule is broken on purpose: a check that could not fail would prove nothing.

use super::check::Check;
use super::domain::State;
use super::effect::{Notice, TimerKind};
use super::event::{Action, ConsentAnswer, DesiredState, Part, Standing};
use super::group::Group;
use super::policy::Fault;
use super::resume::Saved;
use super::tests::{feedback, ix};
use super::*;
use crate::model::text::Text;
use crate::model::time::Tick;
use crate::model::{ActivityKey, Command, Reason, Run, Status};

type Broken = Result<(), &'static str>;

/// A check that follows what it is told.
struct Course(Check);

const TIMER: Effect = Effect::SetTimer(TimerKind::Phase, Tick(1));

impl Course {
    /// Nothing has happened but that agents can be heard.
    fn new() -> Course {
        let mut course = Course(Check::new());
        course.step(Event::Link(Link::Subscribed), &[]).unwrap();
        course
    }

    /// The first two domains identify.
    fn begun() -> Course {
        let mut course = Course::new();
        let begin = [Effect::Report(Status::Identifying), Effect::Forward(ix(0)), Effect::Forward(ix(1)), TIMER];
        course.apply(&begin).unwrap();
        course
    }

    /// They have identified, and the backend knows.
    fn identified() -> Course {
        let mut course = Course::begun();
        course.say(0, Status::Identified, &[]).unwrap();
        course.say(1, Status::Identified, &[Effect::Report(Status::Identified)]).unwrap();
        course
    }

    /// It has completed.
    fn completed() -> Course {
        let mut course = Course::identified();
        course.step(Event::Unsaved(false), &[Effect::Report(Status::Completed)]).unwrap();
        course
    }

    fn apply(&mut self, out: &[Effect]) -> Broken {
        let parts = [0, 1].map(|place| Part::new(Text::from_checked("d"), Some(ix(place))));
        let key = ActivityKey { activity: Text::from_checked("a-1"), timestamp: 1, crc: 7 };
        self.step(
            Event::DesiredState(DesiredState {
                key,
                run: Run(1),
                parts: &parts,
                rollback: None,
                standing: Standing::default(),
            }),
            out,
        )
    }

    fn say(&mut self, domain: usize, status: Status, out: &[Effect]) -> Broken {
        self.step(Event::Feedback(ix(domain), feedback(status, "", &[])), out)
    }

    fn step(&mut self, event: Event<'_>, out: &[Effect]) -> Broken {
        self.0.step(&event, Ok(()), &effects(out), None)
    }

    /// Something happens, and this is done.
    fn does(mut self, out: &[Effect]) -> Broken {
        self.step(Event::Unsaved(false), out)
    }
}

fn effects(all: &[Effect]) -> Effects {
    let mut out = Effects::new();
    all.iter().for_each(|effect| out.push(*effect));
    out
}

fn send(place: usize, command: Command) -> Effect {
    Effect::Send(ix(place), command)
}

fn failed(place: usize) -> Effect {
    Effect::Notice(Notice::Failed(ix(place)))
}

/// The campaign of an activity that runs, with an action of a domain that takes no part.
fn campaign() -> Campaign {
    let parts = [Part::new(Text::from_checked("d"), Some(ix(0)))];
    let key = ActivityKey { activity: Text::from_checked("a-1"), timestamp: 1, crc: 7 };
    let mut campaign = Campaign::new();
    campaign.begin(&DesiredState { key, run: Run(1), parts: &parts, rollback: None, standing: Standing::default() });
    campaign
}

/// Breaks each rule about the activity once.
fn of_activity() -> Vec<(&'static str, Broken)> {
    let mut course = Course::begun();
    let busy = course.0.step(&Event::Unsaved(false), Err(Rejected::Busy), &effects(&[TIMER]), None);
    let mut ended = campaign();
    ended.end.outcome = Some(Status::Incomplete);
    let not_told = Course::begun().0.step(&Event::Unsaved(false), Ok(()), &Effects::new(), Some(&ended));
    let mut strange = campaign();
    let action = Action {
        id: Text::from_checked("x"),
        component: r#"{"id":"x"}"#,
        status: None,
        progress: 0,
        message: Text::EMPTY,
    };
    strange.actions.merge(ix(5), &action).unwrap();
    let of_nobody = Course::begun().0.step(&Event::Unsaved(false), Ok(()), &Effects::new(), Some(&strange));
    let reply = Event::ConsentReply(ConsentAnswer::undated(Text::from_checked("a-1"), true));
    let ask = Effect::AskConsent(Phase::Download);
    let reboots = [Effect::Reboot, Effect::Reboot];
    vec![
        ("nothing is done about what is rejected", busy),
        ("an activity ends with its final status", not_told),
        ("actions are those of domains that take part", of_nobody),
        (
            "a running activity has a timer that moves it on, or waits for the broker",
            Course::identified().does(&[Effect::StopTimer(TimerKind::Phase)]),
        ),
        ("one activity at a time", Course::begun().apply(&[])),
        ("an answer counts for the question that is open", Course::identified().step(reply, &[])),
        ("only a running activity is cancelled", Course::completed().step(Event::Cancel(true), &[])),
        ("one question at a time", Course::identified().does(&[ask, ask])),
        ("only an open question is closed", Course::identified().does(&[Effect::CloseConsent])),
        ("there is something that is waited for to be delivered", Course::new().does(&[Effect::AwaitDelivery])),
        (
            "no more reboots in an activity than it may have",
            Course::identified().does(&[Effect::Reboot, Effect::Reboot, Effect::Reboot]),
        ),
        (
            "the host is rebooted only after an activity that may have been committed",
            Course::new().does(&[Effect::Reboot]),
        ),
        ("one reboot after an activity", Course::completed().does(&reboots)),
        ("nothing is asked about a boot after the final status", Course::completed().does(&[Effect::AskBooted(ix(0))])),
        ("nothing is verified after the final status", Course::completed().does(&[Effect::Check(Group::default())])),
        ("the inventory is reported after the end", Course::begun().does(&[Effect::ReportInventory])),
        (
            "the policy takes no step that makes no sense",
            Course::begun().does(&[Effect::Notice(Notice::Fault(Fault::Held))]),
        ),
        ("nothing is reported before the first activity", Course::new().does(&[Effect::Report(Status::Running)])),
        ("nothing is reported after the final status", Course::completed().does(&[Effect::Report(Status::Running)])),
        ("the statuses come in the order of the protocol", Course::begun().does(&[Effect::Report(Status::Running)])),
        (
            "an activity ends when every domain has left its phase",
            Course::begun().does(&[Effect::Report(Status::Incomplete)]),
        ),
        ("no question outlives its activity", Course::identified().does(&[ask, Effect::Report(Status::Incomplete)])),
    ]
}

/// The same of the rules about what a domain is told.
fn of_domains() -> Vec<(&'static str, Broken)> {
    let ask = Effect::AskConsent(Phase::Download);
    vec![
        ("nothing is forwarded after the final status", Course::completed().does(&[Effect::Forward(ix(0))])),
        ("only domains that take part are spoken to", Course::begun().does(&[Effect::Forward(ix(5))])),
        ("a domain that failed is not started over", Course::begun().does(&[failed(0), Effect::Forward(ix(0))])),
        ("only a domain that owes an answer is started over", Course::identified().does(&[Effect::Forward(ix(0))])),
        ("nothing is commanded after the final status", Course::completed().does(&[send(0, Command::Cleanup)])),
        (
            "no phase begins before the owner has answered",
            Course::identified().does(&[ask, send(0, Command::Download)]),
        ),
        (
            "a domain that failed is not led forward",
            Course::identified().does(&[failed(0), send(0, Command::Download)]),
        ),
        (
            "a domain that is turned back or cleaned up is not led forward",
            Course::identified().does(&[send(0, Command::Rollback), send(0, Command::Download)]),
        ),
        ("a domain is cleaned up before it is restored", Course::identified().does(&[Effect::Restore(ix(0), None)])),
        (
            "no command that leads forward goes out twice in a course",
            Course::identified().does(&[send(0, Command::Download), send(0, Command::Download)]),
        ),
    ]
}

fn all() -> Vec<(&'static str, Broken)> {
    [of_activity(), of_domains()].concat()
}

#[test]
fn each_rule_can_be_broken_and_is_then_named() {
    for (rule, broken) in all() {
        assert_eq!(broken, Err(rule));
    }
}

#[test]
fn every_rule_of_the_check_is_among_them() {
    let source = include_str!("check.rs");
    let rules: Vec<&str> = source.lines().filter(|line| line.contains("rule(")).filter_map(quoted).collect();
    let tried: Vec<&str> = all().into_iter().map(|(rule, _)| rule).collect();
    assert!(rules.len() >= tried.len(), "{rules:?}");
    for rule in rules {
        assert!(tried.contains(&rule), "{rule}");
    }
}

/// The first text in quotes.
fn quoted(line: &str) -> Option<&str> {
    line.split('"').nth(1)
}

#[test]
fn a_domain_that_failed_before_a_start_is_not_led_on_after_it() {
    let mut campaign = campaign();
    let part = campaign.domain_mut(ix(0)).unwrap();
    (part.state, part.failure) = (State::Ready(Phase::Identify), Some(Reason::Status(Status::UpdateFailure)));
    let saved =
        Saved { campaign, reboot: Reboot::None, has_booted: false, is_whole: true, restorable: DomainSet::EMPTY };
    let mut course = Course::new();
    let broken = course.step(Event::Boot(&saved), &[send(0, Command::Download)]);
    assert_eq!(broken, Err("a domain that failed is not led forward"));
}

#[test]
fn progress_is_no_answer() {
    let mut course = Course::begun();
    course.say(0, Status::Identifying, &[]).unwrap();
    let broken = course.does(&[Effect::Report(Status::Incomplete)]);
    assert_eq!(broken, Err("an activity ends when every domain has left its phase"));
}
