//! The engine in every state that it can reach, with the rules checked on
//! each step: breadth first, every event in every state. `tests/sim --states` goes
//! through all that three domains can reach, the gate's unit tests through fewer.

use std::collections::{HashSet, VecDeque};

use super::in_lockstep::InLockstep;
use super::settings::policies;
use crate::engine::check::Check;
use crate::engine::domain::Domain;
use crate::engine::effect::{Effect, Notice, TimerKind};
use crate::engine::event::{Action, ConsentAnswer, DesiredState, Feedback, Part, Standing};
use crate::engine::group::GroupSet;
use crate::engine::obligation::Order;
use crate::engine::resume::Saved;
use crate::engine::{Campaign, Effects, Engine, Event, Grouping, Link, Rebooting, Rejected, Settings};
use crate::limits::{DOMAINS_MAX, SAVED_STATE_MAX, STARTS_MAX};
use crate::model::text::Text;
use crate::model::time::Tick;
use crate::model::{ActionStatus, ActivityKey, Cause, DomainIx, DomainSet, Phase, PhaseSet, Run, Status};
use crate::store::actions;
use crate::store::format::{Draft, Fields, Kind, HEADER};
use crate::store::journal::Times;
use crate::store::state::{self, Beside};

/// Messages that a domain may still answer in the states that are gone on from. More come
/// only of repairs that were lost one after the other, and say nothing new; the random
/// worlds and the fuzzer meet them.
const QUEUED_MAX: usize = 4;

/// Milliseconds past every timeout.
const LATE_MS: u64 = 10_000_000;

const NAMES: [&str; 3] = ["one", "two", "three"];

fn settings(consent: bool) -> Settings {
    let asking = [Phase::Download, Phase::Update, Phase::Activate].into_iter().filter(|_| consent);
    Settings {
        phase_timeout_ms: 600_000,
        phase_timeout_max_ms: 600_000,
        resume_after_ms: 60_000,
        read_timeouts_ms: [20_000; DOMAINS_MAX],
        cleanup_timeout_ms: 30_000,
        feedback_interval_ms: 1000,
        consent: asking.collect::<PhaseSet>(),
        consent_timeout_ms: 1_800_000,
        rebooting: Rebooting { required: DomainSet::EMPTY, is_enabled: true, after_ms: 30_000 },
        is_saved: false,
        grouping: Grouping::DEFAULT,
    }
}

fn ix(place: usize) -> DomainIx {
    DomainIx::new(place).unwrap()
}

fn text(raw: &str) -> Text<'_> {
    Text::parse(raw).unwrap()
}

/// An engine under check.
#[derive(Clone)]
struct Course {
    engine: Engine,
    check: Check,
    in_lockstep: InLockstep,
    out: Effects,
    /// It goes on with each timeout, past all of them.
    now: Tick,
}

impl Course {
    /// Of so many domains, all of them identifying.
    fn new(settings: Settings, domains: usize) -> Course {
        let (engine, check) = (Engine::new(settings, policies()), Check::new());
        let in_lockstep = InLockstep::default();
        let mut course = Course { engine, check, in_lockstep, out: Effects::new(), now: Tick(0) };
        course.handle(Event::Link(Link::Subscribed)).unwrap();
        course.apply("a-1", domains).unwrap();
        course
    }

    /// A timer runs off, whenever it was set.
    fn expire(&mut self, kind: TimerKind) {
        self.now = self.now.after(LATE_MS);
        self.handle(Event::Timeout(kind)).unwrap();
    }

    fn handle(&mut self, event: Event<'_>) -> Result<(), Rejected> {
        self.out.clear();
        let result = self.engine.handle(self.now, event, &mut self.out);
        let rules = self.check.step(&event, result, &self.out, self.engine.campaign());
        let promise = result.map_or(Ok(()), |()| self.in_lockstep.step(&event, &self.out, self.engine.campaign()));
        if let Err(rule) = rules.and(promise) {
            panic!("broken: {rule}\nafter {event:?}: {result:?} {:?}\n{:?}", self.out, self.campaign());
        }
        result
    }

    fn apply(&mut self, activity: &str, domains: usize) -> Result<(), Rejected> {
        let parts: Vec<Part> = (0..domains).map(|n| Part::new(text(NAMES[n]), Some(ix(n)))).collect();
        let desired = DesiredState {
            key: ActivityKey { activity: text(activity), timestamp: 1, crc: 7 },
            run: Run(1),
            parts: &parts,
            rollback: None,
            standing: Standing::default(),
        };
        self.handle(Event::DesiredState(desired))
    }

    fn say(&mut self, domain: DomainIx, status: Status, with_action: bool, is_repeat: bool) {
        let component = r#"{"id":"x","version":"1"}"#;
        let status_of_action = Some(ActionStatus::Identified);
        let action = Action { id: text("x"), component, status: status_of_action, progress: 0, message: Text::EMPTY };
        let (actions, message) = ([action], Text::EMPTY);
        let actions = if with_action { &actions[..] } else { &[] };
        let feedback =
            Feedback { activity: text("a-1"), restores: None, status, message, actions, is_repeat, past_limit: None };
        let _ = self.handle(Event::Feedback(domain, feedback));
    }

    fn campaign(&self) -> &Campaign {
        self.engine.campaign().unwrap()
    }

    /// What a process does that starts with what was saved of this, until it has a link.
    fn boot(&mut self, has_booted: bool) {
        self.boot_after(self.campaign().starts.count, has_booted);
    }

    /// The same after so many starts without a word.
    fn boot_after(&mut self, starts: u8, has_booted: bool) {
        let names = NAMES.map(str::to_owned);
        let beside = Beside { reboot: self.engine.reboot(), ..Beside::default() };
        let write = |out: &mut Fields<'_>| {
            state::encode(self.campaign(), &names, &beside, out);
            state::encode_along(self.campaign(), 1, Times::default(), out);
        };
        let state = Draft::new(Kind::State, HEADER + SAVED_STATE_MAX, write).unwrap();
        let actions = actions::encode(self.campaign(), &names, b"").unwrap();
        let state::Saved { mut campaign, beside, progress, .. } =
            state::decode(&state.bytes[HEADER..], &names).unwrap();
        actions::decode(&actions.bytes[HEADER..], &names, &mut campaign);
        progress.apply(&mut campaign);
        campaign.starts.count = starts;
        let (reboot, restorable) = (beside.reboot, DomainSet::EMPTY);
        let saved = Saved { campaign, reboot, has_booted, is_whole: true, restorable };
        self.engine = Engine::new(self.engine.settings(), self.engine.policies());
        self.handle(Event::Boot(&saved)).unwrap();
        if self.check.is_running() {
            self.link(false);
        }
    }

    /// The most messages that one domain may still answer.
    fn most_queued(&self) -> usize {
        let parts = self.campaign().domains.iter().flatten();
        parts.map(|part| part.obligation.queue.iter().count()).max().unwrap_or(0)
    }

    /// The link is lost and made again at once.
    fn relink(&mut self, session_present: bool) {
        self.handle(Event::Link(Link::Down)).unwrap();
        self.link(session_present);
    }

    fn link(&mut self, session_present: bool) {
        let fresh = Link::Fresh { unsent: DomainSet::EMPTY, dropped: DomainSet::EMPTY };
        self.handle(Event::Link(if session_present { Link::Kept } else { fresh })).unwrap();
        self.handle(Event::Link(Link::Subscribed)).unwrap();
    }
}

/// What tells two states apart. Domains of the same kind stand for each other, so
/// they are kept in order. Times do not count: what is due is due after any timeout.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    phase: Phase,
    asking: Option<Phase>,
    approved: Option<Phase>,
    outcome: Option<Status>,
    announced: Option<Status>,
    groups: [u64; 2],
    is_turned_back: bool,
    domains: Vec<DomainKey>,
}

/// The same of a domain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct DomainKey {
    state: [u8; 3],
    flags: u16,
    repeats: u8,
    repairs: u8,
    /// Command and course of what it may still answer, the courses counted from its own.
    queue: Vec<(u8, u8)>,
}

impl DomainKey {
    fn of(part: &Domain, has_actions: bool) -> DomainKey {
        let [state, about] = part.state.code();
        // How a part ended matters to no policy here.
        let about = if part.state.is_done() { 0 } else { about };
        let furthest = part.furthest.filter(|_| !part.state.is_done());
        let state = [state, about, furthest.map_or(0, Phase::code)];
        let (obligation, times) = (&part.obligation, &part.obligation.times);
        let flags = [
            has_actions,
            part.failure.is_some(),
            part.cleanup.is_some(),
            part.fell_back,
            obligation.is_remembered,
            obligation.is_turning,
            obligation.kept.is_some(),
            obligation.course > 0,
            times.suspicion.is_some(),
            times.suspicion.is_some_and(|suspicion| suspicion.has_booted),
            times.repaired.is_some(),
            times.told_again.is_some(),
        ];
        let flags = flags.into_iter().enumerate().map(|(bit, flag)| u16::from(flag) << bit).sum();
        let command = |order: &Order| order.command.map_or(0, |command| 1 + command as u8);
        let queue = obligation.queue.iter();
        // Earlier courses are all alike.
        let course = |order: &Order| (order.course + 1).saturating_sub(obligation.course);
        let queue = queue.map(|order| (command(order), course(order))).collect();
        DomainKey { state, flags, repeats: part.repeats, repairs: obligation.repairs, queue }
    }
}

impl Key {
    fn of(course: &Course) -> Key {
        let campaign = course.campaign();
        let part =
            |place: usize| Some(DomainKey::of(campaign.domain(ix(place))?, campaign.actions.count(ix(place)) > 0));
        let mut domains: Vec<_> = (0..3).filter_map(part).collect();
        domains.sort_unstable();
        Key {
            phase: campaign.phase,
            asking: campaign.consent.asking,
            approved: campaign.consent.approved,
            outcome: campaign.end.outcome,
            announced: campaign.announced,
            groups: [campaign.groups.committed, campaign.groups.verified].map(GroupSet::bits),
            is_turned_back: matches!(campaign.end.cause, Some(Cause::ConsentDenied | Cause::ConsentLate)),
            domains,
        }
    }
}

/// What is to be gone through.
#[derive(Clone, Copy)]
pub struct Plan {
    pub domains: usize,
    pub consent: bool,
    /// Agents and the manager start anew as well.
    pub restarts: bool,
}

/// What was seen on the way.
#[derive(Debug)]
pub struct Reach {
    pub states: usize,
    /// Steps from a state to another, or to itself.
    pub transitions: usize,
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
            let goes_on = |next: &Course| next.check.is_running() && next.most_queued() <= QUEUED_MAX;
            if let Some(next) = place.step(take).filter(goes_on) {
                if seen.insert(Key::of(&next)) {
                    open.push_back(next);
                }
            }
        };
        for kind in TimerKind::ALL {
            step(&|next| next.expire(kind));
        }
        for approved in [true, false] {
            step(&|next| {
                let _ = next.handle(Event::ConsentReply(ConsentAnswer::undated(text("a-1"), approved)));
            });
        }
        step(&|next| next.handle(Event::Terminate).unwrap());
        step(&|next| next.relink(true));
        step(&|next| assert_eq!(next.apply("a-2", domains), Err(Rejected::Busy)));
        if restarts {
            (0..domains).for_each(|n| step(&|next| next.handle(Event::Hello(ix(n))).unwrap()));
            step(&|next| next.relink(false));
            [false, true].iter().for_each(|has_booted| step(&|next| next.boot(*has_booted)));
        }
        for domain in (0..domains).map(ix) {
            for status in Status::ALL {
                [false, true]
                    .iter()
                    .for_each(|with_action| step(&|next| next.say(domain, status, *with_action, false)));
                if restarts {
                    step(&|next| next.say(domain, status, true, true));
                }
                feedbacks += 2;
            }
        }
    }
    assert_eq!(feedbacks, seen.len() * domains * Status::ALL.len() * 2, "every status in every state");
    Reach { states: seen.len(), transitions }
}

/// Goes to every state that can be reached, and says how many there are.
pub fn reach(plan: Plan) -> Reach {
    let reach = visit(plan, &mut |_| {});
    let Plan { domains, consent, restarts } = plan;
    let (with, anew) = (if consent { ", consent" } else { "" }, if restarts { ", restarts" } else { "" });
    println!("{domains} domains{with}{anew}: {} states, {} transitions", reach.states, reach.transitions);
    reach
}

/// From every state a start leads to one end, even if nobody ever says a word again,
/// or it was taken up too often; returns how many starts that were.
pub fn take_up_everywhere() -> usize {
    let mut taken_up = 0;
    for plan in [(2, false), (1, true)].map(|(domains, consent)| Plan { domains, consent, restarts: false }) {
        visit(plan, &mut |before| {
            for starts in [0, STARTS_MAX] {
                let mut course = before.clone();
                course.boot_after(starts, false);
                let mut steps = 0;
                while course.check.is_running() {
                    steps += 1;
                    assert!(steps < 20, "no end after {:?}", before.campaign());
                    for kind in [TimerKind::Repair, TimerKind::Consent, TimerKind::Phase, TimerKind::Cleanup] {
                        course.expire(kind);
                    }
                }
                taken_up += 1;
            }
        });
    }
    taken_up
}
