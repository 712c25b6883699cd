//! Groups in random worlds. Every other seed has them, by random numbers of their own: a world
//! without groups is the same as if there were none at all.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{json, Value};

use super::{Course, DOMAINS};
use crate::engine::policy::{Policy, Together};
use crate::model::Rollback;
use crate::world::actors::{Actor, Said};
use crate::world::checks::Says;
use crate::world::erratic::Random;
use crate::world::scenario::World;
use crate::world::seen::{text, Report, Seen};
use crate::world::settings::policies;
use crate::world::whole::setup::{Kept, Part, Setup};
use crate::world::whole::truth::Truth;
use crate::world::whole::{broken, whole_or_named, Found};
use crate::world::wire::is_refusal;

/// What a world has of groups.
pub(super) struct Groups {
    pub(super) random: Random,
    rollback: Rollback,
    orders: [u8; DOMAINS.len()],
    alone: [bool; DOMAINS.len()],
    for_good: [bool; DOMAINS.len()],
    has_command: bool,
    reports_inconsistent: bool,
    /// Messages that the broker had seen at each cancellation, and when it was confirmed.
    pub(super) cancels: Vec<(usize, usize)>,
    /// The broker has forgotten the session: what was said to it may be lost.
    pub(super) is_forgetful: bool,
    found: Rc<RefCell<BTreeMap<String, Activity>>>,
}

/// What the domains were when an activity was first told of, and at its end.
#[derive(Default)]
struct Activity {
    before: BTreeMap<&'static str, Truth>,
    end: Option<(Report, BTreeMap<&'static str, Truth>)>,
}

impl Groups {
    pub(super) fn of_seed(seed: u64) -> Option<Groups> {
        let mut random = Random::new(seed ^ 0x6772_6f75_7073);
        // Other policies know nothing of groups.
        let is_ours = policies().names().any(|name| name == Together.name());
        // They have a command of their own: tests/sim --groups.
        let is_asked = std::env::var_os("IN_GROUPS").is_some();
        (random.percent(50) && is_ours && is_asked).then(|| Groups {
            rollback: random.of(&[Rollback::Device, Rollback::Baseline, Rollback::Baseline, Rollback::None]),
            orders: [(); DOMAINS.len()].map(|()| random.of(&[10, 50, 50, 90])),
            alone: [(); DOMAINS.len()].map(|()| random.percent(15)),
            for_good: [(); DOMAINS.len()].map(|()| random.percent(15)),
            has_command: random.percent(50),
            reports_inconsistent: random.percent(50),
            cancels: Vec::new(),
            is_forgetful: false,
            found: Rc::default(),
            random,
        })
    }

    /// Adds the keys to a configuration file.
    pub(super) fn configure(&mut self, config: &mut Value) {
        for (place, domain) in DOMAINS.iter().enumerate() {
            if config["agents"][domain].is_object() {
                config["agents"][domain]["order"] = self.orders[place].into();
                config["agents"][domain]["failsAlone"] = self.alone[place].into();
                config["agents"][domain]["rebootRequired"] = false.into();
                if self.for_good[place] {
                    config["agents"][domain]["rollbackUntil"] = "activate".into();
                }
            }
        }
        config["rollback"] = self.rollback.name().into();
        config["reportInconsistent"] = self.reports_inconsistent.into();
        if self.has_command {
            config["verifyCommand"] = "/bin/verify".into();
            config["verifyStableTime"] = self.random.of(&["0s", "0s", "3s"]).into();
            config["verifyTimeout"] = "2m".into();
        }
    }

    /// The world with what is asked and who looks on; in a calm one all is good in the end.
    pub(super) fn watch(&mut self, mut world: World, is_calm: bool) -> World {
        let mut random = Random::new(self.random.number());
        world.judged_by(move |_| match random.below(100) {
            0..=9 => Says::NotYet,
            10..=12 if !is_calm => Says::Bad("the camera is dark"),
            13..=14 if !is_calm => Says::Nothing,
            _ => Says::Good,
        });
        let devices = world.company.devices.iter().map(|(domain, device)| (*domain, Rc::clone(device))).collect();
        world.joined_by(Witness { devices, found: Rc::clone(&self.found), latest: String::new() })
    }

    /// The desired state with baselines, and now and then with a word of its own.
    pub(super) fn group(&mut self, state: &str) -> String {
        let mut state: Value = serde_json::from_str(state).unwrap_or_default();
        let names: Vec<String> = domains_of(&state);
        let mut baselines = Vec::new();
        for place in 0..self.random.below(3) {
            let mut component = || format!("{}:app", names[self.random.below(names.len() as u64) as usize]);
            baselines.push(json!({ "title": format!("b-{place}"), "components": [component(), component()] }));
        }
        state["baselines"] = baselines.into();
        if self.random.percent(15) {
            state["rollback"] = self.random.of(&Rollback::ALL).name().into();
        }
        state.to_string()
    }

    fn setup(&self, activity: &str, state: &str, world: &World) -> Option<Setup> {
        let state: Value = serde_json::from_str(state).ok()?;
        let rollback = Rollback::ALL.into_iter().find(|rollback| rollback.name() == text(&state, "rollback"));
        let rollback = rollback.unwrap_or(self.rollback);
        let numbers = numbers(&state, rollback);
        let is_served = |domain: &&str| world.config.agents.iter().any(|agent| agent.domain == *domain);
        let named =
            DOMAINS.iter().enumerate().filter(|(_, domain)| numbers.contains_key(**domain) && is_served(domain));
        let part = |(place, domain): (usize, &&'static str)| Part {
            domain,
            group: numbers[*domain],
            order: self.orders[place],
            is_alone: self.alone[place],
            is_orderly: !world.company.erratic.contains(domain),
            has_slots: false,
            is_for_good: self.for_good[place],
            boots: false,
            kept: Kept::Perhaps,
        };
        let first =
            world.broker.seen.iter().position(|seen| seen.report().is_some_and(|it| it.activity == activity))?;
        let last = world.broker.seen.iter().position(|seen| seen.end().is_some_and(|it| it.activity == activity))?;
        Some(Setup {
            activity: activity.to_owned(),
            rollback,
            parts: named.map(part).collect(),
            asked: Vec::new(),
            may_be_refused: true,
            reports_inconsistent: self.reports_inconsistent,
            is_checked: self.has_command,
            cancelled: self.cancels.iter().copied().find(|(begun, _)| (first..=last).contains(begun)),
        })
    }
}

fn domains_of(state: &Value) -> Vec<String> {
    let domains = state["domains"].as_array().into_iter().flatten();
    domains.map(|domain| text(domain, "id").to_owned()).collect()
}

/// The number of each domain's group: baselines connect domains, directly or through others.
fn numbers(state: &Value, rollback: Rollback) -> BTreeMap<String, usize> {
    let names = domains_of(state);
    let own = |place: usize| if rollback == Rollback::Baseline { place } else { 0 };
    let mut numbers: BTreeMap<String, usize> = names.into_iter().enumerate().map(|(n, name)| (name, own(n))).collect();
    for baseline in state["baselines"].as_array().into_iter().flatten() {
        let components = baseline["components"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let connected = components.filter_map(|id| numbers.get(id.split(':').next()?).copied());
        let connected: BTreeSet<usize> = connected.collect();
        let Some(least) = connected.first().copied() else { continue };
        numbers.values_mut().filter(|number| connected.contains(number)).for_each(|number| *number = least);
    }
    numbers
}

/// Somebody who sees what the domains are when an activity begins, and when it ends.
struct Witness {
    devices: Vec<(&'static str, Rc<RefCell<crate::world::whole::truth::Device>>)>,
    found: Rc<RefCell<BTreeMap<String, Activity>>>,
    /// The activity that agents were told of last.
    latest: String,
}

impl Actor for Witness {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let report = seen.report().filter(|report| !is_refusal(&report.message));
        if report.is_some() || seen.topic.ends_with("/desiredstate") {
            let truths = |at: u64| -> BTreeMap<&'static str, Truth> {
                self.devices.iter().map(|(domain, device)| (*domain, device.borrow().truth(at))).collect()
            };
            let at_rest = || {
                let (now, last) = (truths(wall), truths(u64::MAX));
                let truth = |(domain, now): (&&'static str, &Truth)| {
                    (*domain, if last.get(domain) == Some(now) { *now } else { Truth::Half })
                };
                now.iter().map(truth).collect()
            };
            let mut found = self.found.borrow_mut();
            let first = || Activity { before: at_rest(), end: None };
            let activity = found.entry(seen.main_activity().to_owned()).or_insert_with(first);
            if seen.topic.ends_with("/desiredstate") {
                self.latest = seen.main_activity().to_owned();
            }
            // An end may be told when the next has begun.
            let is_now = |report: &Report| report.is_final() && report.activity == self.latest;
            if let Some(report) = report.filter(|report| is_now(report) && activity.end.is_none()) {
                // An undoing that takes longer than anybody waits for it comes to its end.
                activity.end = Some((report, truths(u64::MAX)));
            }
        }
        Vec::new()
    }
}

impl Course {
    /// What holds of groups, of each activity that was accepted once.
    pub(super) fn check_groups(&self) {
        let Some(groups) = &self.groups else { return };
        if self.world.disk.as_ref().is_some_and(|disk| disk.is_unsound() || disk.has_failed) {
            return;
        }
        let accepted = self.world.accepted.borrow();
        let is_once = |activity: &str| accepted.iter().filter(|one| *one == activity).count() == 1;
        for (activity, state) in self.wishes.states().filter(|(activity, _)| is_once(activity)) {
            let Some(setup) = groups.setup(activity, state, &self.world) else { continue };
            if let Some(rule) = broken(&self.world, &setup) {
                panic!("{activity}: {rule}");
            }
            self.check_truth(groups, &setup);
        }
    }

    /// What was said to the manager while it could not hear may have been a hello, without
    /// which silence means what it does not. And what MQTT sends again an agent may do again,
    /// while nobody knows.
    fn check_truth(&self, groups: &Groups, setup: &Setup) {
        let is_order = |seen: &&Seen| seen.topic.contains("/desiredstate") && seen.activity() == setup.activity;
        if self.world.broker.seen.iter().filter(is_order).any(|seen| seen.again) {
            return;
        }
        let is_saved = self.world.disk.is_some();
        let may_lose = self.world.config.connection.is_clean(is_saved) || groups.is_forgetful;
        let found = groups.found.borrow();
        let Some(Activity { before, end: Some((end, after)) }) = found.get(&setup.activity) else { return };
        if may_lose && self.world.link.losses > 0 {
            return;
        }
        let of = |part: &Part| {
            let (before, after) = (*before.get(part.domain)?, *after.get(part.domain)?);
            // What it still did then was of an activity before.
            (before != Truth::Half).then_some(Found { domain: part.domain, before, after })
        };
        let found: Vec<Found> = setup.parts.iter().filter_map(of).collect();
        if let Some(rule) = whole_or_named(setup, end, &found) {
            panic!("{}: {rule}", setup.activity);
        }
    }
}
