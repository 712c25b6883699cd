//! Any sequence of events under any settings; the rules of an activity hold, and each ends.
#![no_main]

#[path = "engine/plan.rs"]
mod plan;

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use plan::{at, rollback, set, settings, Plan};
use update_manager::engine::check::Check;
use update_manager::engine::effect::TimerKind;
use update_manager::engine::event::{
    Action, ConsentAnswer, DesiredState, Feedback, Moment, Part, Shown, Standing, Verdict,
};
use update_manager::engine::group::Group;
use update_manager::engine::resume::Saved;
use update_manager::engine::{Effect, Effects, Engine, Event, Link, Policies, Rejected, Settings, WaitingOn};
use update_manager::limits::{ACTIONS_MAX, DOMAINS_MAX};
use update_manager::model::text::Text;
use update_manager::model::time::Tick;
use update_manager::model::{
    ActionStatus, ActivityKey, Command, DomainIx, DomainSet, Limit, Reboot, Rollback, Run, Status,
};

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| (0..DOMAINS_MAX).map(|n| format!("d{n}")).collect());

const ACTIVITIES: [&str; 4] = ["a-1", "a-2", r"a-\u0033", "a-4"];

/// Timers that may fire until an activity has to have ended: each phase's and
/// consent's; for each domain a clean-up and a roll back, and in each phase its clock,
/// and three repairs with what follows each.
const FIRINGS_MAX: usize = 16 + (3 + 5 * 7) * DOMAINS_MAX + CHECKS_MAX;

/// The same for the checks of groups: each is asked once in a second, until its time is over.
const CHECKS_MAX: usize = 70 * DOMAINS_MAX;

/// More than that says nothing new, and takes long.
const STEPS_MAX: usize = 150;

#[derive(Arbitrary, Debug)]
enum Step {
    DesiredState {
        activity: u8,
        timestamp: u8,
        crc: u8,
        domains: u64,
        unserved: bool,
        /// Which domains are a group, and which baselines connect them.
        rollback: u8,
        baselines: [u8; 4],
    },
    /// The verification command answers about a group, or a domain's inventory comes.
    Checked {
        group: u8,
        verdict: u8,
    },
    Shown {
        domain: u8,
        shown: u8,
    },
    /// All that owe an answer say that all is well.
    AnswerAll {
        actions: u8,
    },
    /// One of them does.
    ConsentAnswer {
        domain: u8,
        actions: u8,
    },
    Fail {
        domain: u8,
        words: bool,
    },
    Feedback {
        domain: u8,
        activity: u8,
        status: u8,
        actions: u8,
        past_limit: bool,
    },
    /// More actions than there may be.
    Flood {
        domain: u8,
        status: u8,
    },
    Consent {
        activity: u8,
        approved: bool,
    },
    /// The next timer that is set runs off.
    Fire,
    Pass {
        ms: u16,
    },
    Link {
        state: u8,
        unsent: u64,
        dropped: u64,
    },
    Delivered,
    Settled,
    RebootFailed,
    /// An agent says that it is connected.
    Hello {
        domain: u8,
    },
    Cancel {
        force: bool,
    },
    Hold {
        hold: bool,
    },
    /// The process ends, and starts with what was saved.
    Restart {
        has_booted: bool,
    },
    Terminate,
}

/// What the engine waits for; it goes with the process.
#[derive(Default)]
struct Pending {
    timers: [Option<Tick>; TimerKind::ALL.len()],
    awaits_delivery: bool,
    rebooted: bool,
    /// Domains whose ROLLBACK the broker has not acknowledged.
    untaken: DomainSet,
}

struct Course {
    settings: Settings,
    engine: Engine,
    check: Check,
    now: Tick,
    pending: Pending,
    out: Effects,
    /// What each domain was last told, to answer to.
    owes: [Option<Status>; DOMAINS_MAX],
    activity: u8,
    /// How often more actions than there may be can still come: it takes long.
    floods: usize,
    finals: usize,
    begun: usize,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(plan) = Plan::arbitrary(&mut input) else { return };
    let mut course = Course::new(&plan);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        course.take(&step);
    }
    course.end();
});

/// A domain; mostly one of the first.
fn ix(domain: u8) -> DomainIx {
    let place = if domain < 192 { domain % 3 } else { u8::MAX - domain };
    DomainIx::new(usize::from(place) % DOMAINS_MAX).expect("there are so many")
}

fn is_final(status: Status) -> bool {
    !matches!(status, Status::Identifying | Status::Identified | Status::Running)
}

impl Course {
    fn new(plan: &Plan) -> Course {
        let settings = settings(plan);
        Course {
            settings,
            engine: Engine::new(settings, Policies::default()),
            check: Check::new(),
            now: Tick(u64::from(plan.start)),
            pending: Pending::default(),
            out: Effects::new(),
            owes: [None; DOMAINS_MAX],
            activity: 0,
            floods: usize::from(plan.start.is_multiple_of(16)),
            finals: 0,
            begun: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::DesiredState { activity, timestamp, crc, domains, unserved, rollback: way, baselines } => {
                self.apply(activity % 4, timestamp, crc, domains, unserved, (rollback(way), baselines));
            }
            Step::Checked { group, verdict } => {
                let bad = Verdict::Bad(Text::parse("no network").expect("a text"));
                let verdict =
                    [Verdict::Good, Verdict::NotYet, bad, Verdict::Bad(Text::EMPTY)][usize::from(verdict % 4)];
                let group = Group::new(usize::from(group % 4)).expect("there are so many");
                assert_eq!(self.handle(Event::Checked(group, verdict)), Ok(()));
            }
            Step::Shown { domain, shown } => {
                let name = Text::parse("x").expect("a text");
                let shown = [Shown::All, Shown::Missing(name), Shown::Other(name)][usize::from(shown % 3)];
                let moment = if domain & 0x40 == 0 { Moment::SinceBoot } else { Moment::Any };
                assert_eq!(self.handle(Event::Shown(ix(domain), shown, moment)), Ok(()));
            }
            Step::AnswerAll { actions } => self.answer_all(actions),
            Step::ConsentAnswer { domain, actions } => {
                let status = self.owes[ix(domain).place()].unwrap_or(Status::Identified);
                self.say(domain, self.activity, status, "", actions % 4, None);
            }
            Step::Fail { domain, words } => self.fail(domain, if words { r"no \ud83d\ude00" } else { "" }),
            Step::Feedback { domain, activity, status, actions, past_limit } => {
                let past_limit = past_limit.then_some(Limit::Actions);
                self.say(domain, activity, one_of_all(status), "w", actions, past_limit);
            }
            Step::Flood { domain, status } => {
                self.say(domain, self.activity, one_of_all(status), "", u8::MAX, None);
            }
            Step::Consent { activity, approved } => {
                let activity = Text::parse(ACTIVITIES[usize::from(activity) % 4]).expect("a text");
                let _ = self.handle(Event::ConsentReply(ConsentAnswer::undated(activity, approved)));
            }
            Step::Fire => drop(self.fire()),
            Step::Pass { ms } => self.pass(ms.into()),
            Step::Link { state, unsent, dropped } => {
                let fresh = Link::Fresh { unsent: set(unsent), dropped: set(dropped) };
                let link = [Link::Down, Link::Kept, fresh, Link::Subscribed][usize::from(state % 4)];
                assert_eq!(self.handle(Event::Link(link)), Ok(()));
            }
            Step::Delivered if core::mem::take(&mut self.pending.awaits_delivery) => {
                assert_eq!(self.handle(Event::Delivered), Ok(()));
            }
            Step::RebootFailed if core::mem::take(&mut self.pending.rebooted) => {
                let (reboot, is_running) = (self.engine.reboot(), self.check.is_running());
                assert_eq!(self.handle(Event::RebootFailed), Ok(()));
                // In the middle of an activity the host may still go down in time.
                let expected = if is_running || reboot != Reboot::Triggered { reboot } else { Reboot::None };
                assert_eq!(self.engine.reboot(), expected);
            }
            Step::Delivered | Step::RebootFailed => {}
            Step::Settled => assert_eq!(self.handle(Event::Settled), Ok(())),
            Step::Hello { domain } => assert_eq!(self.handle(Event::Hello(ix(domain))), Ok(())),
            Step::Cancel { force } => self.cancel(force),
            Step::Hold { hold } => self.hold(hold),
            Step::Restart { has_booted } => self.restart(has_booted),
            Step::Terminate => {
                assert_eq!(self.handle(Event::Terminate), Ok(()));
                assert!(!self.check.is_running());
            }
        }
    }

    fn answer_all(&mut self, actions: u8) {
        for domain in 0..DOMAINS_MAX {
            if let Some(status) = self.owes[domain].take() {
                self.say(255 - domain as u8, self.activity, status, "", actions % 4, None);
            }
        }
    }

    /// The domain says that it could not do what it was told last.
    fn fail(&mut self, domain: u8, words: &str) {
        let status = match self.owes[ix(domain).place()] {
            Some(Status::Identified) => Status::IdentificationFailed,
            Some(Status::UpdateSuccess) => Status::UpdateFailure,
            Some(Status::CleanupSuccess) => Status::CleanupFailure,
            Some(Status::RollbackSuccess) => Status::RollbackFailure,
            _ => Status::DownloadFailure,
        };
        self.say(domain, self.activity, status, words, 0, None);
    }

    fn cancel(&mut self, force: bool) {
        let was_running = self.check.is_running();
        if let Err(rejected) = self.handle(Event::Cancel(force)) {
            assert_eq!(rejected == Rejected::NotRunning, !was_running);
        }
    }

    fn hold(&mut self, hold: bool) {
        let is_held = self.engine.reboot() == Reboot::Held;
        match self.handle(Event::HoldReboot(hold)) {
            Ok(()) => assert_eq!(self.engine.reboot() == Reboot::Held, hold),
            Err(rejected) => assert!(rejected == Rejected::NoReboot && !(is_held && !hold)),
        }
    }

    /// What was saved is taken up by another process, which has no link yet.
    fn restart(&mut self, has_booted: bool) {
        let Some(campaign) = self.engine.campaign().cloned() else { return };
        // The end is told again if nobody is known to have heard it.
        self.begun += usize::from(!campaign.is_running() && !campaign.end.is_delivered);
        let saved = Saved {
            campaign,
            reboot: self.engine.reboot(),
            has_booted,
            is_whole: true,
            restorable: DomainSet::first(2),
        };
        self.engine = Engine::new(self.settings, Policies::default());
        self.pending = Pending::default();
        assert_eq!(self.handle(Event::Boot(&saved)), Ok(()));
        // In the middle of an activity a second one may be wanted at once.
        let is_over = has_booted && !self.engine.campaign().is_some_and(|campaign| campaign.is_running());
        assert!(!is_over || !self.engine.reboot().is_pending(), "it has happened");
    }

    fn apply(
        &mut self,
        activity: u8,
        timestamp: u8,
        crc: u8,
        domains: u64,
        unserved: bool,
        (rollback, baselines): (Option<Rollback>, [u8; 4]),
    ) {
        // Few domains get further.
        let domains = if domains >> 63 == 1 { domains } else { domains & 7 };
        let served = (0..DOMAINS_MAX).filter(|place| domains >> place & 1 == 1);
        let part = |place: usize| {
            let group = Group::new(usize::from(baselines[place % 4] % 4)).expect("there are so many");
            Part { group, ..Part::new(Text::parse(&NAMES[place]).expect("a text"), Some(at(place))) }
        };
        let mut parts: Vec<Part<'_>> = served.map(part).collect();
        if unserved && parts.len() < DOMAINS_MAX {
            parts.insert(parts.len() / 2, Part::new(Text::parse(r"un\u0073erved").expect("a text"), None));
        }
        let key = ActivityKey {
            activity: Text::parse(ACTIVITIES[usize::from(activity)]).expect("a text"),
            timestamp: i64::from(timestamp) - 100,
            crc: crc.into(),
        };
        let desired = DesiredState {
            key,
            run: Run(self.begun as u64 + 1),
            parts: &parts,
            rollback,
            standing: Standing { restorable: DomainSet::first(usize::from(crc % 3)), ..Standing::default() },
        };
        let (was_running, was_waiting) = (self.check.is_running(), self.engine.waiting_on());
        match self.handle(Event::DesiredState(desired)) {
            Ok(()) => {
                assert!(!was_running && was_waiting == WaitingOn::Nothing);
                self.activity = activity;
                self.begun += 1;
            }
            Err(rejected) => assert!(matches!(
                (rejected, was_running),
                (Rejected::Busy | Rejected::SameActivity, true) | (Rejected::RebootPending | Rejected::LongId, false)
            )),
        }
        // One that runs is never begun a second time.
        if self.check.is_running() {
            assert!(self.handle(Event::DesiredState(desired)).is_err());
        }
    }

    fn say(&mut self, domain: u8, activity: u8, status: Status, words: &str, actions: u8, limit: Option<Limit>) {
        let is_flood = actions == u8::MAX && self.floods > 0;
        self.floods -= usize::from(is_flood);
        let count = if is_flood { ACTIONS_MAX } else { usize::from(actions % 4) };
        let ids: Vec<String> = (0..count).map(|n| format!("c{}", n + usize::from(actions / 32))).collect();
        let components: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}","version":"1"}}"#)).collect();
        let known = [None, Some(ActionStatus::Identified), Some(ActionStatus::UpdateSuccess)];
        let actions: Vec<Action<'_>> = ids
            .iter()
            .zip(&components)
            .map(|(id, component)| Action {
                id: Text::parse(id).expect("a text"),
                component,
                status: known[usize::from(actions) % 3],
                progress: actions % 101,
                message: Text::EMPTY,
            })
            .collect();
        let message = Text::parse(words).expect("a text");
        let activity = Text::parse(ACTIVITIES[usize::from(activity) % 4]).expect("a text");
        let part = self.engine.campaign().and_then(|campaign| campaign.domain(ix(domain)));
        let restores = part.filter(|part| part.restore.is_apart()).map(|_| activity);
        let feedback = Feedback {
            activity,
            restores,
            status,
            message,
            actions: &actions,
            is_repeat: domain & 0x80 != 0,
            past_limit: limit,
        };
        let result = self.handle(Event::Feedback(ix(domain), feedback));
        if let Err(rejected) = result {
            assert!(matches!(rejected, Rejected::WrongActivity | Rejected::NotTakingPart | Rejected::Ended));
        }
    }

    /// Hands an event in, follows the timers, and holds the step against the rules.
    fn handle(&mut self, event: Event<'_>) -> Result<(), Rejected> {
        self.out.clear();
        let result = self.engine.handle(self.now, event, &mut self.out);
        if let Err(rule) = self.check.step(&event, result, &self.out, self.engine.campaign()) {
            panic!("broken: {rule}\nafter {event:?}: {result:?} {:?}\n{:?}", self.out, self.engine.campaign());
        }
        for effect in self.out.iter() {
            match *effect {
                Effect::SetTimer(kind, at) => self.pending.timers[kind as usize] = Some(at.max(self.now)),
                Effect::StopTimer(kind) => self.pending.timers[kind as usize] = None,
                Effect::Forward(domain) | Effect::Restore(domain, None) => {
                    self.owes[domain.place()] = Some(Status::Identified)
                }
                Effect::Send(domain, command) | Effect::Restore(domain, Some(command)) => {
                    self.owes[domain.place()] = Some(answer_to(command));
                    if command == Command::Rollback {
                        self.pending.untaken.insert(domain);
                    }
                }
                Effect::AwaitDelivery => self.pending.awaits_delivery = true,
                Effect::Reboot => self.pending.rebooted = true,
                Effect::Report(status) => self.finals += usize::from(is_final(status)),
                _ => {}
            }
        }
        let running = self.engine.campaign().is_some_and(|campaign| campaign.is_running());
        assert_eq!(running, self.check.is_running());
        let waiting_on = self.engine.waiting_on();
        let waits = matches!(waiting_on, WaitingOn::Agents(_) | WaitingOn::Consent(_) | WaitingOn::Verification);
        let reboots = running && waiting_on == WaitingOn::Reboot;
        assert_eq!(waits || reboots, running);
        result
    }

    /// The timer that is due first runs off; whether there was one.
    fn fire(&mut self) -> bool {
        let next = TimerKind::ALL.into_iter().filter_map(|kind| Some((self.pending.timers[kind as usize]?, kind)));
        let Some((at, kind)) = next.min_by_key(|(at, _)| *at) else { return false };
        self.now = self.now.max(at);
        self.pending.timers[kind as usize] = None;
        assert_eq!(self.handle(Event::Timeout(kind)), Ok(()));
        true
    }

    fn pass(&mut self, ms: u64) {
        self.acknowledge();
        let until = self.now.after(ms);
        // Intervals of no length would fire for ever.
        for _ in 0..FIRINGS_MAX {
            if !self.pending.timers.iter().flatten().any(|at| *at <= until) {
                break;
            }
            self.fire();
        }
        self.now = self.now.max(until);
    }

    /// The broker takes what it was sent.
    fn acknowledge(&mut self) {
        for domain in core::mem::take(&mut self.pending.untaken).iter() {
            assert_eq!(self.handle(Event::Taken(domain)), Ok(()));
        }
    }

    /// Left alone with a link, an activity ends by its timers alone, with one final status.
    fn end(mut self) {
        assert_eq!(self.handle(Event::Link(Link::Subscribed)), Ok(()));
        if self.engine.reboot() == Reboot::Held {
            self.hold(false);
        }
        for _ in 0..FIRINGS_MAX {
            self.acknowledge();
            if !self.check.is_running() {
                break;
            }
            if core::mem::take(&mut self.pending.awaits_delivery) || self.engine.reboot() == Reboot::Delivering {
                assert_eq!(self.handle(Event::Delivered), Ok(()));
                assert_eq!(self.handle(Event::Settled), Ok(()));
            }
            assert!(self.fire(), "a running activity has a timer");
        }
        assert!(!self.check.is_running(), "it goes on for ever: {:?}", self.engine.campaign());
        assert_eq!(self.finals, self.begun, "one final status for each activity");
        if self.pending.awaits_delivery {
            assert_eq!(self.handle(Event::Delivered), Ok(()));
        }
        while self.fire() {}
    }
}

fn one_of_all(status: u8) -> Status {
    Status::ALL[usize::from(status) % Status::ALL.len()]
}

fn answer_to(command: Command) -> Status {
    match command {
        Command::Download => Status::DownloadSuccess,
        Command::Update => Status::UpdateSuccess,
        Command::Activate => Status::ActivationSuccess,
        Command::Rollback => Status::RollbackSuccess,
        Command::Cleanup => Status::CleanupSuccess,
    }
}
