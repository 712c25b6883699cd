//! An activity in one process, with the real engine and the domains' programs,
//! without a broker: for the bench, the factory and the rescue system.
//!
//! Who calls it consents, and reboots the host if that is needed.

use std::fmt::Write as _;
use std::future::{poll_fn, Future};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use async_io::Timer;
use log::Level;

use super::activity::Said;
use super::worker::Worker;
use crate::agent::{part, write_feedback, Action, Request};
use crate::config::commands::Apply;
use crate::config::Config;
use crate::engine::effect::Notice;
use crate::engine::event::{DesiredState, Standing};
use crate::engine::group::Group;
use crate::engine::{Effect, Effects, Engine, Event, Policies, Settings};
use crate::limits::{ACTIONS_MAX, EXEC_PROGRESS_MS};
use crate::manager::timers::Timers;
use crate::manager::wanted::parts;
use crate::manager::{message, Call};
use crate::model::text::{Escaped, Text};
use crate::model::{ActivityKey, Run};
use crate::model::{DomainIx, DomainSet, PhaseSet, Status};
use crate::shell::check::Checker;
use crate::shell::clock::Clock;
use crate::shell::signal::{Signal, Signals};
use crate::shell::{invalid, settings};
use crate::wire::encode::{self, ActionView};
use crate::wire::node::Node;
use crate::wire::{desired_state, feedback, Envelope};
use crate::{exit, validate};

/// Applies `document` and prints how far it is; the exit code.
///
/// # Errors
/// It cannot be begun.
pub fn apply(document: &[u8], options: &Apply, config: &Config) -> io::Result<u8> {
    let served = config.agents.iter().filter(|agent| !agent.exec.is_empty()).cloned().collect();
    let config = Config { agents: served, ..config.clone() };
    let domains: Vec<&str> = config.agents.iter().map(|agent| agent.domain.as_str()).collect();
    if domains.is_empty() {
        return Err(invalid("the configuration names no executable: agents.<domain>.exec"));
    }
    let report = validate::check(document, &domains, &[], config.groups.rollback);
    if !report.is_clean() {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = validate::write_text(&mut text, &options.file, &report);
        io::stderr().write_all(text.as_bytes())?;
    }
    if report.errors > 0 {
        return Ok(exit::FAILED);
    }
    let clock = Clock::start();
    let asked = Asked::new(document, options, clock.now().wall).ok_or_else(|| invalid("no desired state"))?;
    let signals = Signals::block()?;
    let workers = config.agents.iter().map(|agent| {
        let (domain, exec, limits) = (&agent.domain, &agent.exec, Vec::new());
        // What a call is about is printed anyway.
        let worker = Worker::open(domain, exec, limits, &config.state_dir, Level::Debug, Instant::now());
        worker.map_err(|error| io::Error::new(error.kind(), format!("[{}] {error}", agent.domain)))
    });
    let mut settings = Settings {
        consent: PhaseSet::default(),
        feedback_interval_ms: if options.json { EXEC_PROGRESS_MS } else { 0 },
        ..settings(&config, false)
    };
    // Who calls it reboots the host.
    settings.rebooting.is_enabled = false;
    // Nobody gathers inventories here.
    settings.grouping.checks.inventories = DomainSet::EMPTY;
    let bench = Bench {
        workers: workers.collect::<io::Result<_>>()?,
        names: domains.iter().map(|domain| String::from(*domain)).collect(),
        course: Engine::new(settings, Policies::default()),
        checker: Checker::new(&config.groups.verify_command, config.groups.verify_timeout_ms),
        timers: Timers::default(),
        clock,
        signals,
        asked,
        is_json: options.json,
        printed: Vec::new(),
        is_told_to_end: false,
    };
    Ok(bench.run())
}

/// What is to be applied.
struct Asked {
    /// The activity's identifier, and the same as it stands in JSON.
    id: String,
    escaped: String,
    timestamp: i64,
    payload: String,
    state: desired_state::DesiredState,
}

impl Asked {
    fn new(document: &[u8], options: &Apply, wall: u64) -> Option<Asked> {
        let text = std::str::from_utf8(document).ok()?;
        let envelope = Envelope::of_file(document).ok()?;
        let payload = envelope.payload()?.of(text);
        let named: Option<String> = Some(envelope.activity.chars().collect()).filter(|id: &String| !id.is_empty());
        let id = options.activity.clone().or(named).unwrap_or_else(|| format!("standalone-{wall}"));
        let node = Node::document(payload.as_bytes()).ok()?;
        let state = desired_state::decode(&Envelope::around(node)).ok()?;
        let (escaped, payload) = (Escaped(&id).to_string(), payload.to_owned());
        Some(Asked { id, escaped, timestamp: wall as i64, payload, state })
    }

    /// The place of a domain in the desired state, and what it is to become.
    fn part(&self, domain: &str) -> Option<crate::agent::DesiredState> {
        let bytes = self.payload.as_bytes();
        let mut json = String::new();
        desired_state::encode_part(bytes, &self.state, self.state.place_of(bytes, domain)?, &mut json).ok()?;
        part(&json, domain)
    }
}

struct Bench {
    workers: Vec<Worker>,
    names: Vec<String>,
    course: Engine,
    checker: Checker,
    timers: Timers,
    clock: Clock,
    signals: Signals,
    asked: Asked,
    is_json: bool,
    /// The actions as they were printed last, with their domain.
    printed: Vec<(usize, Action)>,
    is_told_to_end: bool,
}

impl Bench {
    fn run(mut self) -> u8 {
        self.begin();
        while !self.is_told_to_end && self.is_running() {
            while let Some((place, said)) = self.next_said() {
                self.take(place, said);
            }
            let now = self.clock.now();
            for over in self.checker.take(now.tick) {
                self.decide(Event::Checked(over.group, over.verdict()));
            }
            while let Some(kind) = self.timers.take_due(now.tick) {
                self.decide(Event::Timeout(kind));
            }
            if self.is_running() && self.workers.iter().all(|worker| worker.said().is_none()) {
                self.sleep();
                self.workers.iter_mut().for_each(|worker| worker.turn(Instant::now()));
            }
        }
        self.workers.iter_mut().for_each(Worker::abandon);
        self.checker.abandon();
        match self.course.campaign().and_then(|campaign| campaign.end.outcome) {
            Some(Status::Completed) => return exit::DONE,
            None => complain("told to end; to go on, apply it again"),
            Some(_) => {}
        }
        exit::INCOMPLETE
    }

    fn is_running(&self) -> bool {
        self.course.campaign().is_some_and(|campaign| campaign.is_running())
    }

    fn begin(&mut self) {
        let Asked { escaped, timestamp, payload, state, .. } = &self.asked;
        let place = |id: Text<'_>| self.names.iter().position(|name| id.eq_str(name)).and_then(DomainIx::new);
        let parts = parts(payload.as_bytes(), state, &place);
        let activity = Text::from_checked(escaped);
        let key = ActivityKey { activity, timestamp: *timestamp, crc: 0 };
        let (run, rollback) = (Run::NONE.next(), state.rollback());
        let desired = DesiredState { key, run, parts: &parts, rollback, standing: Standing::default() };
        let mut effects = Effects::new();
        let now = self.clock.now().tick;
        // The first one of this process: nothing can be in its way.
        let _ = self.course.handle(now, Event::DesiredState(desired), &mut effects);
        drop(parts);
        self.carry_out(&effects);
    }

    fn next_said(&mut self) -> Option<(usize, Said)> {
        self.workers.iter_mut().enumerate().find_map(|(place, worker)| Some((place, worker.pop_said()?)))
    }

    fn decide(&mut self, event: Event<'_>) {
        let mut effects = Effects::new();
        // What makes no sense at this moment is of an earlier activity.
        if self.course.handle(self.clock.now().tick, event, &mut effects).is_ok() {
            self.carry_out(&effects);
        }
    }

    fn carry_out(&mut self, effects: &Effects) {
        for effect in effects.iter() {
            match *effect {
                Effect::Report(status) => self.report(status),
                Effect::Forward(domain) => {
                    if let Some(desired) = self.asked.part(&self.names[domain.place()]) {
                        self.hand(domain, Request::DesiredState { activity: self.asked.id.clone(), desired });
                    }
                }
                Effect::Send(domain, command) => {
                    let (activity, baseline) = (self.asked.id.clone(), String::new());
                    self.hand(domain, Request::Command { activity, command, baseline });
                }
                Effect::Check(group) => self.check(group),
                Effect::EndCheck(group) => self.checker.end(self.clock.now().tick, group),
                Effect::SetTimer(kind, at) => self.timers.set(kind, Some(at)),
                Effect::StopTimer(kind) => self.timers.set(kind, None),
                Effect::Notice(Notice::RebootDisabled) => complain("the host has to be rebooted"),
                _ => {}
            }
        }
    }

    /// Calls the verification command for a group.
    fn check(&mut self, group: Group) {
        let Some(campaign) = self.course.campaign() else { return };
        let is_in = |domain: &DomainIx| campaign.domain(*domain).is_some_and(|part| part.group == group);
        let domains = campaign.participants().iter().filter(is_in).map(|domain| self.names[domain.place()].as_str());
        let (activity, domains) = (Text::from_checked(&campaign.identity.activity), domains.collect());
        self.checker.begin(self.clock.now().tick, &Call { group, activity, domains });
    }

    fn hand(&mut self, domain: DomainIx, request: Request) {
        self.workers[domain.place()].handle(request, Instant::now());
    }

    /// Hands a worker's report to the engine, as it would come over MQTT.
    fn take(&mut self, place: usize, said: Said) {
        let (Said::Feedback { activity, status, message, actions }, Some(domain)) = (said, DomainIx::new(place)) else {
            return;
        };
        if activity != self.asked.id {
            return;
        }
        let mut payload = String::new();
        // Writing into a string cannot fail.
        let _ = write_feedback(&mut payload, &self.names[place], status, &message, &actions);
        let mut read: heapless::Vec<_, ACTIONS_MAX> = heapless::Vec::new();
        let Ok(node) = Node::document(payload.as_bytes()) else { return };
        let Ok(head) = feedback::decode(&Envelope::around(node), &mut read) else { return };
        let escaped = self.asked.escaped.clone();
        let event = crate::engine::event::Feedback {
            activity: Text::from_checked(&escaped),
            restores: None,
            status: head.status,
            message: head.message,
            actions: &read,
            past_limit: head.past_limit,
            is_repeat: false,
        };
        actions.iter().for_each(|action| self.print_action(place, action));
        self.decide(Event::Feedback(domain, event));
    }

    /// Prints an action if it has changed.
    fn print_action(&mut self, place: usize, action: &Action) {
        let known = self.printed.iter_mut().find(|(domain, known)| *domain == place && known.id == action.id);
        match known {
            Some((_, known)) if known == action => return,
            Some((_, known)) => known.clone_from(action),
            None => self.printed.push((place, action.clone())),
        }
        if !self.is_json {
            let status = action.status.name();
            let mut line = format!("{}:{} {} {status}", self.names[place], action.id, action.version);
            if action.progress > 0 {
                let _ = write!(line, " {}%", action.progress);
            }
            if !action.message.is_empty() {
                let _ = write!(line, " {}", action.message);
            }
            print(&shown(&line));
        }
    }

    fn report(&self, status: Status) {
        let Some(campaign) = self.course.campaign() else { return };
        let mut words = String::new();
        let mut line = String::new();
        // Writing into a string cannot fail.
        if campaign.end.outcome.is_some() || campaign.is_turning_back() {
            let _ = message::write(campaign, &self.names, false, &mut words);
        }
        if self.is_json {
            let write: &dyn Fn(&mut dyn std::fmt::Write) -> std::fmt::Result = &|out| out.write_str(&words);
            let _ = encode::head(&mut line, Text::from_checked(&self.asked.escaped), self.clock.now().wall);
            let _ = encode::feedback_head(&mut line, status, (!words.is_empty()).then_some(write));
            let _ = encode::feedback_actions(&mut line, campaign.actions.iter().map(view));
            line.push_str(encode::FEEDBACK_TAIL);
            return print(&line);
        }
        if status != Status::Running {
            let _ = write!(line, "{} {}", self.asked.id, status.name());
            if !words.is_empty() {
                let _ = write!(line, ": {}", Text::from_checked(&words));
            }
            print(&shown(&line));
        }
    }

    /// Sleeps until a worker or a timer has something to do.
    fn sleep(&mut self) {
        let now = Instant::now();
        let due = self.workers.iter().filter_map(|worker| worker.poll_timeout(now));
        let checked = self.checker.poll_timeout(self.clock.now().tick);
        let ticks = self.timers.next().into_iter().chain(checked);
        let due = due.chain(ticks.filter_map(|tick| self.clock.instant(tick))).min();
        let mut timer = due.map_or_else(Timer::never, Timer::at);
        smol::future::block_on(poll_fn(|cx| self.poll_wake(cx, &mut timer)));
    }

    fn poll_wake(&mut self, cx: &mut Context<'_>, timer: &mut Timer) -> Poll<()> {
        let mut is_ready = Pin::new(timer).poll(cx).is_ready();
        is_ready |= self.signals.poll(cx).is_ready();
        while let Some(signal) = self.signals.take() {
            self.is_told_to_end |= signal == Signal::End;
        }
        for worker in &mut self.workers {
            is_ready |= worker.poll_wake(cx).is_ready();
        }
        is_ready |= self.checker.poll(cx).is_ready();
        match is_ready || self.is_told_to_end {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

fn view(action: &crate::engine::actions::KnownAction) -> ActionView<'_> {
    let message = action.message();
    ActionView {
        component: action.component(),
        status: action.status,
        progress: action.progress,
        message: message.as_json(),
    }
}

/// So that nothing can mislead at the terminal.
fn shown(text: &str) -> String {
    Text::from_checked(&Escaped(text).to_string()).to_string()
}

fn print(line: &str) {
    // Who does not listen any more does not stop the activity.
    let _ = writeln!(io::stdout(), "{line}");
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "update-manager: {line}");
}
