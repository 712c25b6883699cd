//! The orchestrator in every state that it can reach, with the rules checked on
//! each step: breadth first, every event in every state. `tests/sim --states` goes
//! through all that three domains can reach, the gate's unit tests through fewer.

use std::collections::{HashSet, VecDeque};

use update_manager::limits::RESUMPTIONS_MAX;
use update_manager::orchestrator::campaign::Cause;
use update_manager::orchestrator::check::Check;
use update_manager::orchestrator::domain::{Domain, State};
use update_manager::orchestrator::effect::{Effect, Notice, TimerKind};
use update_manager::orchestrator::event::{Action, DesiredState, Feedback, Part};
use update_manager::orchestrator::ids::{DomainIx, DomainSet};
use update_manager::orchestrator::phase::{ActionStatus, Phase, PhaseSet, Status};
use update_manager::orchestrator::resume::Saved;
use update_manager::orchestrator::{Campaign, Effects, Event, Orchestrator, Rejected, Settings, Synchronised};
use update_manager::text::Text;
use update_manager::time::Tick;

/// Past every timeout.
const LATE: Tick = Tick(10_000_000);

/// How often is as good as more often.
const TIMES: u8 = RESUMPTIONS_MAX + 1;

const NAMES: [&str; 3] = ["one", "two", "three"];

fn settings(consent: bool) -> Settings {
    let asking = [Phase::Download, Phase::Update, Phase::Activate].into_iter().filter(|_| consent);
    Settings {
        phase_timeout_ms: 600_000,
        cleanup_timeout_ms: 30_000,
        feedback_interval_ms: 1000,
        consent: asking.collect::<PhaseSet>(),
        consent_timeout_ms: 1_800_000,
        reboot_required: DomainSet::EMPTY,
        reboot_enabled: true,
        reboot_after_ms: 30_000,
        is_saved: false,
    }
}

fn ix(place: usize) -> DomainIx {
    DomainIx::new(place).unwrap()
}

fn text(raw: &str) -> Text<'_> {
    Text::parse(raw).unwrap()
}

/// An orchestrator under check.
#[derive(Clone)]
struct Course {
    orchestrator: Synchronised,
    check: Check,
    out: Effects,
}

impl Course {
    /// Of so many domains, all of them identifying.
    fn new(settings: Settings, domains: usize) -> Course {
        let mut course =
            Course { orchestrator: Synchronised::new(settings), check: Check::new(true), out: Effects::new() };
        course.apply("a-1", domains).unwrap();
        course
    }

    fn handle(&mut self, now: Tick, event: Event<'_>) -> Result<(), Rejected> {
        self.out.clear();
        let result = self.orchestrator.handle(now, event, &mut self.out);
        if let Err(rule) = self.check.step(&event, result, &self.out, self.orchestrator.campaign()) {
            panic!("broken: {rule}\nafter {event:?}: {result:?} {:?}\n{:?}", self.out, self.campaign());
        }
        result
    }

    fn apply(&mut self, activity: &str, domains: usize) -> Result<(), Rejected> {
        let parts: Vec<Part> = (0..domains).map(|n| Part { id: text(NAMES[n]), domain: Some(ix(n)) }).collect();
        let desired = DesiredState { activity: text(activity), timestamp: 1, crc: 7, parts: &parts };
        self.handle(Tick(0), Event::DesiredState(desired))
    }

    fn say(&mut self, domain: DomainIx, status: Status, with_action: bool) {
        let component = r#"{"id":"x","version":"1"}"#;
        let status_of_action = Some(ActionStatus::Identified);
        let action = Action { id: text("x"), component, status: status_of_action, progress: 0, message: Text::EMPTY };
        let (actions, message) = (if with_action { &[action][..] } else { &[] }, Text::EMPTY);
        let feedback = Feedback { activity: text("a-1"), status, message, actions, is_repeat: false, past_limit: None };
        let _ = self.handle(Tick(0), Event::Feedback(domain, feedback));
    }

    fn campaign(&self) -> &Campaign {
        self.orchestrator.campaign().unwrap()
    }

    /// What a process does that starts with what was saved of this, until it has a link.
    fn boot(&mut self) {
        let finished = self.orchestrator.finished().cloned().unwrap_or_default();
        let mut campaign = self.campaign().clone();
        for part in campaign.domains.iter_mut().flatten() {
            let unsaved = Domain::new(part.state);
            (part.is_heard, part.restarts, part.replay) = (unsaved.is_heard, unsaved.restarts, unsaved.replay);
        }
        let saved = Saved { campaign, reboot: self.orchestrator.reboot(), has_booted: false, finished };
        self.handle(Tick(0), Event::Boot(&saved)).unwrap();
        if self.check.is_running() {
            self.handle(Tick(0), Event::Link(true)).unwrap();
        }
    }
}

/// What tells two states apart. Domains of the same kind stand for each other, so
/// they are kept in order.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    phase: Phase,
    asking: Option<Phase>,
    outcome: Option<Status>,
    is_turned_back: bool,
    resumptions: u8,
    domains: Vec<[u8; 7]>,
}

impl Key {
    fn of(course: &Course) -> Key {
        let campaign = course.campaign();
        let part = |place: usize| {
            let part = campaign.domain(ix(place))?;
            let (state, phase) = match part.state {
                State::Working(phase) => (1, phase as u8),
                State::Ready(phase) => (2, phase as u8),
                State::RollingBack(_) => (3, 0),
                State::CleaningUp(_) => (4, 0),
                State::Done => (5, 0),
            };
            let has_actions = u8::from(campaign.actions.count(ix(place)) > 0);
            let flags = [part.failure.is_some(), part.cleanup.is_some(), part.fell_back, part.is_heard].map(u8::from);
            let flags = flags.into_iter().enumerate().map(|(bit, flag)| flag << bit).sum();
            let replay = part.replay.map_or(0, |phase| 1 + phase as u8);
            Some([state, phase, has_actions, flags, part.repeats, part.restarts.min(TIMES), replay])
        };
        let mut domains: Vec<_> = (0..3).filter_map(part).collect();
        domains.sort_unstable();
        Key {
            phase: campaign.phase,
            asking: campaign.asking,
            outcome: campaign.outcome,
            is_turned_back: matches!(campaign.cause, Some(Cause::ConsentDenied | Cause::ConsentLate(_))),
            resumptions: campaign.resumptions.min(TIMES),
            domains,
        }
    }
}

/// What is to be gone through.
#[derive(Clone, Copy)]
struct Plan {
    domains: usize,
    consent: bool,
    /// Agents and the manager start anew as well.
    restarts: bool,
}

/// What was seen on the way.
struct Reach {
    states: usize,
    /// Steps from a state to another, or to itself.
    transitions: usize,
}

/// A state, and the same again for each event to be tried in.
struct Place {
    course: Course,
    key: Key,
    next: Course,
}

impl Place {
    fn new(course: Course) -> Place {
        Place { key: Key::of(&course), next: course.clone(), course }
    }

    /// Tries an event; where it leads to if that is somewhere else.
    fn step(&mut self, take: &dyn Fn(&mut Course)) -> Option<Course> {
        take(&mut self.next);
        let is_notice = |effect: &Effect| matches!(effect, Effect::Notice(Notice::Ignored(..)));
        if self.next.check == self.course.check
            && self.next.out.iter().all(is_notice)
            && Key::of(&self.next) == self.key
        {
            // Nothing has come of it.
            return None;
        }
        Some(core::mem::replace(&mut self.next, self.course.clone()))
    }
}

/// Goes to every state that can be reached, and hands each to `each`.
fn visit(plan: Plan, each: &mut dyn FnMut(&Course)) -> Reach {
    let Plan { domains, consent, restarts } = plan;
    let start = Course::new(settings(consent), domains);
    let mut seen = HashSet::from([Key::of(&start)]);
    let (mut open, mut transitions, mut feedbacks) = (VecDeque::from([start]), 0, 0);
    while let Some(course) = open.pop_front() {
        each(&course);
        let mut place = Place::new(course);
        let mut step = |take: &dyn Fn(&mut Course)| {
            transitions += 1;
            if let Some(next) = place.step(take).filter(|next| next.check.is_running()) {
                if seen.insert(Key::of(&next)) {
                    open.push_back(next);
                }
            }
        };
        for kind in TimerKind::ALL {
            step(&|next| next.handle(LATE, Event::Timeout(kind)).unwrap());
        }
        for approved in [true, false] {
            step(&|next| {
                let _ = next.handle(Tick(0), Event::ConsentReply(text("a-1"), approved));
            });
        }
        step(&|next| next.handle(Tick(0), Event::Terminate).unwrap());
        step(&|next| next.handle(Tick(0), Event::Link(true)).unwrap());
        step(&|next| assert_eq!(next.apply("a-2", domains), Err(Rejected::Busy)));
        if restarts {
            (0..domains).for_each(|n| step(&|next| next.handle(Tick(0), Event::Restarted(ix(n))).unwrap()));
            step(&Course::boot);
        }
        for domain in (0..domains).map(ix) {
            for status in Status::ALL {
                [false, true].iter().for_each(|with_action| step(&|next| next.say(domain, status, *with_action)));
                feedbacks += 2;
            }
        }
    }
    assert_eq!(feedbacks, seen.len() * domains * Status::ALL.len() * 2, "every status in every state");
    Reach { states: seen.len(), transitions }
}

#[test]
fn the_statuses_tried_are_all_there_are() {
    assert!(Status::ALL.into_iter().enumerate().all(|(place, status)| status as usize == place));
    assert_eq!(Status::ALL[Status::ALL.len() - 1], Status::Unknown, "the last one declared");
}

fn reach(plan: Plan) -> Reach {
    let reach = visit(plan, &mut |_| {});
    let Plan { domains, consent, restarts } = plan;
    let (with, anew) = (if consent { ", consent" } else { "" }, if restarts { ", restarts" } else { "" });
    println!("{domains} domains{with}{anew}: {} states, {} transitions", reach.states, reach.transitions);
    reach
}

#[test]
fn every_state_that_two_domains_can_reach_meets_every_event() {
    let Reach { states, transitions } = reach(Plan { domains: 2, consent: false, restarts: false });
    assert!(states > 1_000 && transitions > 100_000, "{states} states, {transitions} transitions");
}

#[test]
fn every_state_that_a_domain_can_reach_meets_every_start_anew() {
    let Reach { states, transitions } = reach(Plan { domains: 1, consent: false, restarts: true });
    assert!(states > 1_000 && transitions > 60_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_a_domain_can_reach_meets_every_answer_of_the_owner_and_start_anew() {
    let Reach { states, transitions } = reach(Plan { domains: 1, consent: true, restarts: true });
    assert!(states > 3_700 && transitions > 220_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_three_domains_can_reach_meets_every_event() {
    let Reach { states, transitions } = reach(Plan { domains: 3, consent: false, restarts: false });
    assert!(states > 16_000 && transitions > 2_500_000, "{states} states, {transitions} transitions");
}

#[test]
#[ignore = "tests/sim --states runs it"]
fn every_state_that_three_domains_can_reach_meets_every_answer_of_the_owner() {
    let Reach { states, transitions } = reach(Plan { domains: 3, consent: true, restarts: false });
    assert!(states > 29_000 && transitions > 4_500_000, "{states} states, {transitions} transitions");
}

/// From every state a start leads to one end, even if nobody ever says a word again.
#[test]
fn an_activity_ends_wherever_it_is_taken_up() {
    let mut taken_up = 0;
    for plan in [(2, false), (1, true)].map(|(domains, consent)| Plan { domains, consent, restarts: false }) {
        visit(plan, &mut |before| {
            let mut course = before.clone();
            course.boot();
            let mut steps = 0;
            while course.check.is_running() {
                steps += 1;
                assert!(steps < 20, "no end after {:?}", before.campaign());
                for kind in [TimerKind::Resume, TimerKind::Consent, TimerKind::Phase, TimerKind::Cleanup] {
                    course.handle(Tick(steps * LATE.0), Event::Timeout(kind)).unwrap();
                }
            }
            taken_up += 1;
        });
    }
    assert!(taken_up > 400, "{taken_up}");
}
