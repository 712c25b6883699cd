//! An engine under check, and the story of what it did.

use std::fmt::Write;

use super::check::Check;
use super::effect::TimerKind;
use super::event::{Action, ConsentAnswer, DesiredState, Feedback, Part, Standing};
use super::group::Group;
use super::resume::Saved;
use super::*;
use crate::limits::DOMAINS_MAX;
use crate::model::text::Text;
use crate::model::{ActionStatus, ActivityKey, Command, DomainIx, DomainSet, Phase, PhaseSet, Run, Status};

pub(crate) const SETTINGS: Settings = Settings {
    phase_timeout_ms: 600_000,
    phase_timeout_max_ms: 600_000,
    resume_after_ms: 60_000,
    read_timeouts_ms: [20_000; DOMAINS_MAX],
    cleanup_timeout_ms: 30_000,
    feedback_interval_ms: 1000,
    consent: PhaseSet::NONE,
    consent_timeout_ms: 1_800_000,
    rebooting: Rebooting { required: DomainSet::EMPTY, is_enabled: true, after_ms: 30_000 },
    is_saved: false,
    grouping: Grouping::DEFAULT,
};

pub(super) fn text(raw: &str) -> Text<'_> {
    Text::from_checked(raw)
}

pub(super) fn ix(place: usize) -> DomainIx {
    DomainIx::new(place).unwrap()
}

pub(super) fn action<'a>(component: &'a str, id: &'a str, status: ActionStatus) -> Action<'a> {
    Action { id: text(id), component, status: Some(status), progress: 0, message: Text::default() }
}

pub(super) fn feedback<'a>(status: Status, message: &'a str, actions: &'a [Action<'a>]) -> Feedback<'a> {
    Feedback {
        activity: text("a-1"),
        restores: None,
        status,
        message: text(message),
        actions,
        is_repeat: false,
        past_limit: None,
    }
}

pub(super) fn answer(activity: &str, is_approval: bool) -> Event<'_> {
    Event::ConsentReply(ConsentAnswer::undated(text(activity), is_approval))
}

/// An engine under check, and the story of what it did.
#[derive(Clone)]
pub(super) struct Course {
    pub(super) engine: Engine,
    pub(super) check: Check,
    pub(super) now: Tick,
    pub(super) out: Effects,
    /// The groups that the baselines of the desired state make.
    pub(super) groups: [usize; 3],
    /// The broker acknowledges nothing.
    pub(super) is_broker_silent: bool,
    /// Domains of which is kept what they are committed to.
    pub(super) restorable: DomainSet,
}

impl Course {
    /// One whose agents can be heard.
    pub(super) fn new(settings: Settings) -> Course {
        let mut course = Course::offline(settings);
        course.link(false);
        course
    }

    /// One without a link.
    pub(super) fn offline(settings: Settings) -> Course {
        Course::led_by(settings, Policies::default())
    }

    /// The same, led by these policies.
    pub(super) fn led_by(settings: Settings, policies: Policies) -> Course {
        let (engine, check, out) = (Engine::new(settings, policies), Check::new(), Effects::new());
        Course {
            engine,
            check,
            now: Tick(0),
            out,
            groups: [0; 3],
            is_broker_silent: false,
            restorable: DomainSet::EMPTY,
        }
    }

    /// The broker accepts the manager, and then its subscriptions; what was done.
    pub(super) fn link(&mut self, session_present: bool) -> String {
        let fresh = Link::Fresh { unsent: DomainSet::EMPTY, dropped: DomainSet::EMPTY };
        self.handle(Event::Link(if session_present { Link::Kept } else { fresh })).unwrap();
        let told = self.told();
        self.handle(Event::Link(Link::Subscribed)).unwrap();
        [told, self.told()].join(" ").trim().to_owned()
    }

    pub(super) fn handle(&mut self, event: Event<'_>) -> Result<(), Rejected> {
        let result = self.hand_in(event);
        let told = self.out.clone();
        for effect in told.iter() {
            if let (Effect::Send(domain, Command::Rollback), false) = (effect, self.is_broker_silent) {
                assert_eq!(self.hand_in(Event::Taken(*domain)), Ok(()));
            }
        }
        self.out = told;
        result
    }

    fn hand_in(&mut self, event: Event<'_>) -> Result<(), Rejected> {
        self.out.clear();
        let result = self.engine.handle(self.now, event, &mut self.out);
        if let Err(rule) = self.check.step(&event, result, &self.out, self.engine.campaign()) {
            panic!("broken: {rule}\nafter {event:?}: {result:?} {:?}\n{:?}", self.out, self.engine.campaign());
        }
        result
    }

    /// Hands in a desired state for the first `n` domains, and says what was done.
    pub(super) fn apply(&mut self, activity: &str, timestamp: i64, n: usize) -> Result<String, Rejected> {
        let names = ["d0", "d1", "d2"];
        let part =
            |i: usize| Part { group: Group::new(self.groups[i]).unwrap(), ..Part::new(text(names[i]), Some(ix(i))) };
        let parts: Vec<Part> = (0..n).map(part).collect();
        let desired = DesiredState {
            key: ActivityKey { activity: text(activity), timestamp, crc: 7 },
            run: Run(1),
            parts: &parts,
            rollback: None,
            standing: Standing { restorable: self.restorable, ..Standing::default() },
        };
        self.handle(Event::DesiredState(desired))?;
        Ok(self.told())
    }

    /// Hands in a feedback with one action, or none, and says what was done.
    pub(super) fn say(&mut self, domain: usize, status: Status, with_action: bool) -> String {
        self.say_of(feedback(status, "", &[]), domain, with_action)
    }

    /// The same of the activity in which the domain is restored.
    pub(super) fn say_restoring(&mut self, domain: usize, status: Status, with_action: bool) -> String {
        let restoring =
            Feedback { activity: text("a-1#restore"), restores: Some(text("a-1")), ..feedback(status, "", &[]) };
        self.say_of(restoring, domain, with_action)
    }

    /// The same of a feedback, whose actions are put in.
    pub(super) fn say_of(&mut self, said: Feedback<'_>, domain: usize, with_action: bool) -> String {
        let actions = [action(r#"{"id":"x","version":"1"}"#, "x", ActionStatus::Identified)];
        let actions = if with_action { &actions[..] } else { &[] };
        let _ = self.handle(Event::Feedback(ix(domain), Feedback { actions, ..said }));
        self.told()
    }

    /// Hands in the owner's answer and says what was done.
    pub(super) fn answer(&mut self, approved: bool) -> String {
        let _ = self.handle(answer("a-1", approved));
        self.told()
    }

    pub(super) fn timeout(&mut self, kind: TimerKind, now: u64) -> String {
        self.now = Tick(now);
        self.handle(Event::Timeout(kind)).unwrap();
        self.told()
    }

    /// What was done in the last step, timers and notices aside.
    pub(super) fn told(&self) -> String {
        let mut told = String::new();
        for effect in self.out.iter() {
            match effect {
                Effect::Report(status) => write!(told, "{status:?} "),
                Effect::Forward(domain) => write!(told, "desiredstate>{} ", domain.place()),
                Effect::Send(domain, command) => write!(told, "{command:?}>{} ", domain.place()),
                Effect::Restore(domain, Some(command)) => write!(told, "#{command:?}>{} ", domain.place()),
                Effect::Restore(domain, None) => write!(told, "#desiredstate>{} ", domain.place()),
                Effect::AskConsent(phase) => write!(told, "{phase:?}? "),
                Effect::Reboot => write!(told, "reboot "),
                Effect::ReportInventory => write!(told, "inventory "),
                Effect::Check(group) => write!(told, "check>{} ", group.number()),
                Effect::EndCheck(group) => write!(told, "endcheck>{} ", group.number()),
                Effect::AskBooted(domain) => write!(told, "booted?>{} ", domain.place()),
                Effect::AskInventory(domain) => write!(told, "inventory>{} ", domain.place()),
                _ => Ok(()),
            }
            .unwrap();
        }
        told.trim_end().to_owned()
    }

    /// As it is saved; of these domains is kept what they are committed to.
    pub(super) fn saved(&self, restorable: DomainSet) -> Saved {
        let (campaign, reboot) = (self.campaign().clone(), self.engine.reboot());
        Saved { campaign, reboot, has_booted: false, is_whole: true, restorable }
    }

    pub(super) fn campaign(&self) -> &Campaign {
        self.engine.campaign().unwrap()
    }

    /// Through identification and the phases before `phase`, with all well.
    pub(super) fn reach(settings: Settings, domains: usize, phase: Phase) -> Course {
        let mut course = Course::new(settings);
        course.apply("a-1", 1, domains).unwrap();
        for status in Phase::ALL.into_iter().filter(|before| *before < phase).map(Phase::success) {
            (0..domains).for_each(|domain| drop(course.say(domain, status, true)));
        }
        assert_eq!(course.campaign().phase, phase);
        course
    }
}
