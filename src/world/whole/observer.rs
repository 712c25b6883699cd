//! The rules of docs/whole-device.md that hold of the messages of an activity, whatever was
//! cut, lost or cancelled. They know nothing of the manager but what went over the wire.

mod restoring;

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::PAYLOAD_IN_MAX;
use crate::world::checks::{Called, Says};
use crate::world::scenario::World;
use crate::world::seen::{topic, From, Report, Seen};
use crate::world::whole::end::inconsistent;
use crate::world::whole::setup::Setup;
use crate::world::whole::way::{is_forward, Way, FORWARD};
use crate::world::wire::is_refusal;

/// The first rule that was broken, in an activity that was accepted once.
pub fn broken(world: &World, setup: &Setup) -> Option<String> {
    let mut observer = Observer::new(world, setup);
    let mut taken = world.broker.taken.iter().peekable();
    let mut calls = world.company.checks.calls.iter().peekable();
    for (place, seen) in world.broker.seen.iter().enumerate() {
        while let Some(call) = calls.next_if(|call| call.after <= place) {
            if let Some(rule) = observer.verify(call) {
                return Some(format!("at {}: {rule}", call.at));
            }
        }
        while let Some(known) = taken.next_if(|known| known.after <= place) {
            observer.learn(&Seen::new(known.at, From::Others, &known.topic, &known.bytes, false));
        }
        observer.is_cancelled |= setup.cancelled.is_some_and(|(begun, _)| begun <= place);
        // What was decided before may go out on the next link.
        let is_in_time = world.link.losses == 0;
        observer.is_cancel_known |= is_in_time && setup.cancelled.is_some_and(|(_, known)| known <= place);
        let rule = match seen.from {
            From::Manager if seen.main_activity() != setup.activity => None,
            From::Manager if seen.again => {
                observer.tell_again(seen);
                None
            }
            From::Manager if seen.activity() != setup.activity => observer.tell_restoring(seen),
            From::Manager => observer.tell(seen),
            From::Others => {
                observer.hear(seen);
                None
            }
        };
        if let Some(rule) = rule {
            return Some(format!("at {}: {rule}", seen.at));
        }
    }
    None
}

struct Observer<'w> {
    setup: &'w Setup,
    patience: Patience,
    has_cuts: bool,
    /// It tells `RUNNING`.
    tells: bool,
    ways: Vec<Way>,
    /// The same of the activities in which they are restored.
    restores: Vec<Way>,
    groups: Groups,
    owner: Owner,
    is_cancelled: bool,
    is_cancel_known: bool,
    /// What `RUNNING` said of turning back.
    rolling_back: String,
    ends: Vec<Report>,
}

/// How long things are waited for at least, in milliseconds.
struct Patience {
    phase_ms: u64,
    cleanup_ms: u64,
    consent_ms: u64,
    verify_ms: u64,
    /// What it decides goes out before anything else is said.
    is_prompt: bool,
}

/// Its disk is quick, and no cut may have kept back what it was to say after a boot.
fn is_prompt(world: &World) -> bool {
    let is_quick = world.disk.as_ref().map_or(true, |disk| disk.slowest_ms < world.config.cleanup_timeout_ms / 2);
    is_quick && (world.power.reboots == 0 || world.mere_cuts() == 0)
}

#[derive(Default)]
struct Groups {
    /// Those of which nothing is turned back any more.
    committed: BTreeSet<usize>,
    /// Those that the command has found good since their last activation.
    verified: BTreeSet<usize>,
    /// Those of which something was turned back, by what was told.
    turned: BTreeSet<usize>,
    /// Those that the command has found bad.
    bad: BTreeSet<usize>,
    /// Since when the command is asked about each.
    asked: BTreeMap<usize, u64>,
}

struct Owner {
    approved: BTreeSet<String>,
    /// The command that the owner was asked about, and when.
    asked: Option<(String, u64)>,
    is_refused: bool,
}

impl<'w> Observer<'w> {
    fn new(world: &World, setup: &'w Setup) -> Observer<'w> {
        // What waits for the link or the disk goes out later than its clock begins.
        let is_linked = world.link.losses as usize <= world.power.cuts.len();
        let saving_ms = world.disk.as_ref().map_or(0, |disk| 2 * disk.slowest_ms);
        let patience = |ms: u64| if is_linked { ms.saturating_sub(saving_ms) } else { 0 };
        let phase_timeout_ms = world.config.phase_timeout_ms;
        Observer {
            setup,
            patience: Patience {
                phase_ms: patience(phase_timeout_ms),
                cleanup_ms: patience(world.config.cleanup_timeout_ms.min(phase_timeout_ms)),
                consent_ms: world.config.owner_consent_timeout_ms,
                verify_ms: world.config.groups.verify_timeout_ms,
                is_prompt: is_prompt(world),
            },
            has_cuts: world.link.losses > 0 || !world.power.cuts.is_empty(),
            // A twin that is not known yet tells nothing of the way.
            tells: world.config.report_feedback_interval_ms > 0 && is_linked && !world.config.things_enabled,
            ways: setup.parts.iter().copied().map(Way::new).collect(),
            restores: setup.parts.iter().copied().map(Way::new).collect(),
            groups: Groups::default(),
            owner: Owner { approved: BTreeSet::new(), asked: None, is_refused: setup.may_be_refused },
            is_cancelled: false,
            is_cancel_known: false,
            rolling_back: String::new(),
            ends: Vec::new(),
        }
    }

    fn way(&self, topic_of: &str, sub: &str) -> Option<usize> {
        self.ways.iter().position(|way| topic(way.part.domain, sub) == topic_of)
    }

    /// The ways of a group; with `none` a failure concerns nobody else.
    fn of_group(&self, group: usize) -> impl Iterator<Item = &Way> {
        self.ways.iter().filter(move |way| way.part.group == group)
    }

    fn learn(&mut self, seen: &Seen) {
        if seen.main_activity() != self.setup.activity || seen.bytes.len() > PAYLOAD_IN_MAX {
            return;
        }
        if let Some(place) = self.way(&seen.topic, "desiredstatefeedback") {
            self.ways_of(seen)[place].learn(seen.status());
        }
    }

    /// Those that are led by the activity of this message.
    fn ways_of(&mut self, seen: &Seen) -> &mut Vec<Way> {
        match seen.activity() == self.setup.activity {
            true => &mut self.ways,
            false => &mut self.restores,
        }
    }

    /// The place of the domain that is told something, and what, `IDENTIFY` for the desired state.
    fn order<'s>(&self, seen: &'s Seen) -> Option<(usize, &'s str)> {
        match self.way(&seen.topic, "desiredstate") {
            Some(place) => Some((place, "IDENTIFY")),
            None => Some((self.way(&seen.topic, "desiredstate/command")?, seen.command())),
        }
    }

    fn hear(&mut self, seen: &Seen) {
        if let Some(place) = self.way(&seen.topic, "currentstate") {
            self.restores[place].is_back = true;
        }
        // What is too large nobody reads.
        if seen.bytes.len() > PAYLOAD_IN_MAX || seen.main_activity() != self.setup.activity {
            return;
        }
        if seen.activity() != self.setup.activity {
            if let Some(place) = self.way(&seen.topic, "desiredstatefeedback") {
                self.restores[place].hear(seen);
            }
        } else {
            if seen.topic == "deviceupdate/ownerconsentfeedback" {
                match (seen.status(), self.owner.asked.take()) {
                    ("APPROVED", Some((command, _))) => drop(self.owner.approved.insert(command)),
                    ("DENIED", Some(_)) => self.owner.is_refused = true,
                    (_, asked) => self.owner.asked = asked,
                }
            }
            if let Some(place) = self.way(&seen.topic, "desiredstatefeedback") {
                let way = &self.ways[place];
                if seen.status() == "ACTIVATION_SUCCESS" && way.cleaned.is_none() && way.part.is_orderly {
                    self.groups.verified.remove(&way.part.group);
                }
                self.ways[place].hear(seen);
            }
        }
    }

    /// The command says something of a group.
    fn verify(&mut self, call: &Called) -> Option<String> {
        let is_called = |way: &&Way| call.arguments.iter().any(|argument| argument == way.part.domain);
        let group = self.ways.iter().find(is_called).map(|way| way.part.group)?;
        if call.arguments[0] != self.setup.activity {
            return None;
        }
        match call.says {
            Says::Good => drop(self.groups.verified.insert(group)),
            says => {
                self.groups.verified.remove(&group);
                self.groups.bad.extend(matches!(says, Says::Bad(_)).then_some(group));
                self.groups.asked.entry(group).or_insert(call.at);
            }
        }
        self.led_again(group, call.at).map(|domain| format!("a group is verified while [{domain}] is led again"))
    }

    /// A domain of the group that owes what leads it forward.
    fn led_again(&self, group: usize, now: u64) -> Option<&'static str> {
        // One that is silent for too long has failed.
        let is_led = |order: &str, since: u64| FORWARD.contains(&order) && now < since + self.patience.phase_ms;
        let mut led = self.of_group(group).filter(|way| {
            way.part.is_orderly && way.said.failure.is_none() && way.cleaned.is_none() && !way.said.has_completed
        });
        led.find(|way| way.owes.as_ref().is_some_and(|(order, since)| is_led(order, *since))).map(|way| way.part.domain)
    }

    /// MQTT sends it once more: the agent may refuse it, which means nothing.
    fn tell_again(&mut self, seen: &Seen) {
        let place = ["desiredstate", "desiredstate/command"].into_iter().find_map(|sub| self.way(&seen.topic, sub));
        if let Some(place) = place {
            self.ways_of(seen)[place].is_told_again = true;
        }
    }

    fn tell(&mut self, seen: &Seen) -> Option<String> {
        if let Some(report) = seen.report() {
            return self.report(report);
        }
        if seen.topic == "deviceupdate/ownerconsent" {
            self.owner.asked = Some((seen.command().to_owned(), seen.at));
            return None;
        }
        if let Some(place) = self.way(&seen.topic, "currentstate/get").filter(|_| self.ends.is_empty()) {
            let led = self.led_again(self.ways[place].part.group, seen.at);
            let asked = self.ways[place].part.domain;
            return led.map(|led| format!("[{asked}] is asked for its inventory while [{led}] is led again"));
        }
        let (place, order) = self.order(seen)?;
        let patience_ms = self.patience.consent_ms;
        self.owner.is_refused |= self.owner.asked.as_ref().is_some_and(|(_, since)| seen.at >= since + patience_ms);
        let rule = match order {
            _ if !self.ends.is_empty() => Some("it is told after the end".to_owned()),
            "ROLLBACK" => self.roll_back(place, seen.at),
            "CLEANUP" => self.clean_up(place, seen.at),
            _ => self.forward(place, order, seen.at),
        };
        self.ways[place].tell(order, seen.at);
        rule.map(|rule| format!("{order} to [{}]: {rule}", self.ways[place].part.domain))
    }

    fn report(&mut self, report: Report) -> Option<String> {
        if report.status == "RUNNING" && report.message.contains("rolling back: ") {
            self.rolling_back.push_str(&report.message);
        }
        if !report.is_final() || is_refusal(&report.message) {
            return None;
        }
        let is_other = self.ends.first().is_some_and(|first| first.status != report.status);
        if is_other || (!self.ends.is_empty() && !self.has_cuts) {
            return Some(format!("another final status, {}", report.status));
        }
        let needless = inconsistent(&report);
        let mut old = self.ways.iter().filter(|way| way.is_surely_old() && needless.contains(way.part.domain));
        if let Some(way) = old.next().filter(|_| self.patience.is_prompt) {
            return Some(format!("[{}] has rolled back, and is called inconsistent", way.part.domain));
        }
        if let Some(rule) = self.ends_restored(&report).filter(|_| self.ends.is_empty()) {
            return Some(rule);
        }
        self.ends.push(report);
        let is_silent = |group: &&usize| self.groups.turned.contains(group) && self.tells && self.setup.has_groups();
        let rolled = |group: usize| self.of_group(group).any(|way| way.rolled.is_some());
        let mut groups = self.setup.groups();
        groups.retain(|group| is_silent(&group) && rolled(*group));
        if !groups.is_empty() && self.rolling_back.is_empty() {
            return Some("it ends, and RUNNING never said that it is being rolled back".to_owned());
        }
        let failed = groups.iter().flat_map(|group| self.of_group(*group));
        let mut failed = failed.filter(|way| way.known.failure.is_some() && !way.part.is_alone);
        let is_named = |way: &Way| self.rolling_back.contains(&format!("[{}]", way.part.domain));
        let unnamed = failed.find(|way| !is_named(way) && !self.is_cancelled && !self.owner.is_refused);
        unnamed.map(|way| format!("RUNNING, rolling back, never named [{}]", way.part.domain))
    }
}

/// What leads forward.
impl Observer<'_> {
    fn forward(&self, place: usize, order: &str, now: u64) -> Option<String> {
        let way = &self.ways[place];
        let group = way.part.group;
        let no = |why: String| Some(why);
        if way.cleaned.is_some() || way.rolled.is_some() {
            return no("it was turned back or cleaned up".to_owned());
        }
        // While all identify an answer is still wanted of each.
        if order == "IDENTIFY" && way.given.is_empty() {
            return None;
        }
        if let Some(failure) = &way.known.failure {
            return no(format!("it has failed: {failure}"));
        }
        if self.groups.committed.contains(&group) {
            return no("its group is committed".to_owned());
        }
        if self.setup.has_groups() {
            if self.groups.turned.contains(&group) {
                return no("its group is being turned back".to_owned());
            }
            let mut failed = self.of_group(group).filter(|way| way.known.failure.is_some() && !way.part.is_alone);
            if let Some(failed) = failed.next() {
                return no(format!("[{}] of its group has failed", failed.part.domain));
            }
        }
        if self.is_cancel_known {
            return no("it is cancelled".to_owned());
        }
        if order == "IDENTIFY" {
            return None;
        }
        if way.said.has_actions == Some(false) && way.part.is_orderly {
            return no("it has no actions".to_owned());
        }
        if way.known.is_completed {
            return no("it has said COMPLETED".to_owned());
        }
        if self.setup.asked.contains(&order) && !self.owner.approved.contains(order) {
            return no("the owner has not approved".to_owned());
        }
        if way.was_given(order) {
            return None;
        }
        self.too_early(place, order, now)
    }

    /// A phase begins when all of the group have left the one before.
    fn too_early(&self, place: usize, order: &str, now: u64) -> Option<String> {
        let way = &self.ways[place];
        let before = match FORWARD.iter().position(|command| *command == order)? {
            0 => "IDENTIFY",
            place => FORWARD[place - 1],
        };
        let all = before == "IDENTIFY";
        let mut others = self.ways.iter().filter(|other| all || other.part.group == way.part.group);
        // Who says what it likes says what the manager takes for an answer.
        if let Some(other) = others.find(|other| other.part.is_orderly && !self.has_left(other, before, now)) {
            return Some(format!("[{}] has not left {before}", other.part.domain));
        }
        // When one that fails alone has done so by silence is not seen: its answers may be late.
        let fails_together = |other: &Way| self.setup.has_groups() && !other.part.is_alone;
        let is_before = |other: &Way| other.part.order < way.part.order && fails_together(other);
        let lower = |other: &&Way| other.part.is_orderly && is_before(other);
        let mut lower = self.of_group(way.part.group).filter(lower);
        let behind = lower.find(|other| order == "ACTIVATE" && !self.has_left(other, order, now));
        behind.map(|other| format!("[{}] comes before it and has not left {order}", other.part.domain))
    }

    /// It has done this, or has nothing to do with it any more.
    fn has_left(&self, way: &Way, order: &str, now: u64) -> bool {
        let may_fail = way.part.is_alone || !self.setup.has_groups();
        // What waited for a link had less of its time left.
        let patience_ms = if self.has_cuts { 0 } else { self.patience.phase_ms };
        let has_failed = || way.said.failure.is_some() || way.is_silent(now, patience_ms);
        let is_idle = order != "IDENTIFY" && way.said.has_actions == Some(false);
        // One that was waited for in vain gets nothing more.
        let is_out = may_fail && FORWARD[..2].contains(&order) && !way.was_given(order);
        way.has_left(order)
            || is_idle
            || is_out
            || way.said.has_completed
            || way.cleaned.is_some()
            || (may_fail && has_failed())
    }
}

/// What leads back, and the end.
impl Observer<'_> {
    fn roll_back(&mut self, place: usize, now: u64) -> Option<String> {
        let way = &self.ways[place];
        let part = way.part;
        let group = part.group;
        if self.groups.committed.contains(&group) {
            return Some("its group is committed".to_owned());
        }
        if way.cleaned.is_some() {
            return Some("it was cleaned up".to_owned());
        }
        if way.has_nothing_to_undo() && way.known.failure.is_some() {
            return Some("its DOWNLOAD has failed".to_owned());
        }
        // What was decided may not have been sent before the cut.
        if way.given.is_empty() && !self.has_cuts {
            return Some("it was given nothing".to_owned());
        }
        let owes = way.owes.as_ref().filter(|(order, since)| {
            is_forward(order) && now < since + self.patience.phase_ms && !self.has_cuts && way.said.failure.is_none()
        });
        if let Some((order, since)) = owes {
            return Some(format!("{order} of {since} is not answered, nor waited for"));
        }
        if self.setup.has_groups() && way.is_past_return() {
            return Some("it cannot go back any more".to_owned());
        }
        if let Some(rule) = self.undone_before(place, now).filter(|_| self.setup.has_groups() && way.rolled.is_none()) {
            return Some(rule);
        }
        // One that fails alone past its activation is turned back by itself.
        if !part.is_alone || self.is_cancelled || self.owner.is_refused {
            self.groups.turned.insert(group);
        }
        None
    }

    /// Something may have to be undone.
    fn wants_rollback(&self, way: &Way, now: u64) -> bool {
        let is_unknown = !way.part.is_orderly;
        let was_out = is_unknown || way.part.is_alone && (way.said.failure.is_some() || way.cleaned.is_some());
        let is_untouched =
            way.has_nothing_to_undo() || way.is_lost_in_download(now, self.patience.phase_ms, self.has_cuts);
        let is_over = way.cleaned.is_some() || way.said.has_completed || way.is_past_return();
        !is_over && !way.given.is_empty() && !is_untouched && !was_out
    }

    fn clean_up(&mut self, place: usize, now: u64) -> Option<String> {
        let way = &self.ways[place];
        let group = way.part.group;
        // Its answer may have been lost, or have come too late.
        let has_failed = self.has_cuts || way.said.failure.is_some() || way.is_silent(now, self.patience.phase_ms);
        // One that has committed by itself may want it to be free for another activity.
        let is_bare = way.said.has_actions == Some(false) || way.said.has_completed;
        // Who says what it likes may have failed for the manager alone.
        let is_by_itself = has_failed && (way.part.is_alone || !self.setup.has_groups()) || !way.part.is_orderly;
        if self.restores[place].states > 0 {
            return Some("it is restored already".to_owned());
        }
        if way.cleaned.is_some() || is_bare || is_by_itself || self.groups.committed.contains(&group) {
            return None;
        }
        // Who says what it likes says what the manager takes for an answer, and who fails alone
        // by silence may say more.
        let is_ready = |other: &Way| {
            let is_unseen = !other.part.is_orderly || other.part.is_alone;
            is_unseen || self.has_left(other, "ACTIVATE", now) && other.said.has_actions.is_some()
        };
        let behind = self.of_group(group).find(|other| !is_ready(other)).map(|way| way.part.domain);
        let is_activated = self.of_group(group).any(|way| way.has_left("ACTIVATE"));
        let is_unverified = self.setup.is_checked && is_activated && !self.groups.verified.contains(&group);
        if behind.is_none() && !is_unverified && !self.has_failed(group, now) {
            self.groups.committed.insert(group);
            return None;
        }
        if !self.is_turning(group, now) {
            return Some(behind.map_or("its group is not verified".to_owned(), |domain| {
                format!("[{domain}] of its group has not activated, and nothing is turned back")
            }));
        }
        if !self.setup.may_be_refused {
            self.groups.turned.insert(group);
        }
        if self.is_lost(way, now) {
            return self.undone_before(place, now).filter(|_| !self.has_cuts);
        }
        let mut others = (0..self.ways.len()).filter(|other| self.ways[*other].part.group == group);
        let is_left = |other: &usize| {
            let is_rolling_back = self.is_rolling_back(*other, now) && !self.has_cuts;
            self.setup.has_groups() && (is_rolling_back || self.is_restoring(*other, now))
        };
        others.find(is_left).map(|other| format!("[{}] is not undone", self.ways[other].part.domain))
    }

    /// It is known to be turned back, or a domain of it has failed.
    fn has_failed(&self, group: usize, now: u64) -> bool {
        let has_failed = |way: &Way| way.said.failure.is_some() || way.is_silent(now, self.patience.phase_ms);
        let is_bad = |way: &Way| has_failed(way) && !way.part.is_alone && self.setup.has_groups();
        let is_late = self.groups.asked.get(&group).is_some_and(|since| now >= since + self.patience.verify_ms);
        let is_unfit = self.setup.has_groups() && (is_late || self.groups.bad.contains(&group));
        self.groups.turned.contains(&group) || is_unfit || self.of_group(group).any(is_bad)
    }

    /// There is a cause to turn the group back.
    fn is_turning(&self, group: usize, now: u64) -> bool {
        self.is_cancelled || self.owner.is_refused || self.has_failed(group, now)
    }
}
