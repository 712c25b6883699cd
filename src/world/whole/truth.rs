//! What a domain really is, whatever its agent says of it.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use crate::world::actors::{Actor, Said};
use crate::world::cast::{order_of, steps_of};
use crate::world::kind::Kind;
use crate::world::scenario::World;
use crate::world::seen::{topic, Seen};
use crate::world::whole::loader::{AfterBoot, Loader, Trial};

/// What a domain is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    /// What it was before the activity.
    Old,
    /// Neither: something was stopped, replaced in part or not started.
    Half,
    /// What the desired state wants.
    New,
}

/// A domain, as a person would find it who looks.
#[derive(Debug)]
pub struct Device {
    truth: Truth,
    /// What it was in the beginning.
    first: Truth,
    /// What it was when the present course began: no ROLLBACK gets it further back.
    origin: Truth,
    /// What the desired state of the present course makes of it.
    wanted: Truth,
    /// UPDATE goes to another slot, and ACTIVATE switches to it for good. Otherwise UPDATE
    /// stops what runs, and ROLLBACK undoes it.
    has_slots: bool,
    /// The present course was given ACTIVATE.
    is_activated: bool,
    /// The present course was given ROLLBACK.
    is_rolled_back: bool,
    /// The last command that led it forward is not answered.
    is_behind: bool,
    /// What it becomes, and when, in milliseconds of the wall clock.
    due: Option<(u64, Truth)>,
    /// The host has booted since the present course was given ACTIVATE.
    has_booted: bool,
    /// It takes effect with a boot: all else here is about the system that boots next.
    loader: Option<Loader>,
}

/// What an agent makes of a command that it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Result {
    /// It succeeds at this moment.
    Succeeds(u64),
    Fails,
    /// It says nothing.
    Mute,
}

impl Device {
    fn new(kind: Kind, quirks: &Quirks) -> Device {
        let is_wanted_already = quirks.is_content;
        let truth = if is_wanted_already { Truth::New } else { Truth::Old };
        let (origin, has_slots) = (truth, kind == Kind::SelfUpdate);
        Device {
            truth,
            first: truth,
            origin,
            wanted: Truth::New,
            has_slots,
            is_activated: false,
            is_rolled_back: false,
            is_behind: false,
            due: None,
            has_booted: false,
            loader: quirks.boots.map(|trial| Loader::new(trial, truth)),
        }
    }

    /// What it is at this moment of the wall clock. What runs and is not what boots next is
    /// neither.
    pub fn truth(&self, wall: u64) -> Truth {
        let next = self.next(wall);
        match &self.loader {
            Some(loader) if loader.running != next => Truth::Half,
            _ => next,
        }
    }

    /// The same of what boots next.
    fn next(&self, wall: u64) -> Truth {
        self.due.filter(|(at, _)| *at <= wall).map_or(self.truth, |(_, truth)| truth)
    }

    /// The version that its inventory shows at this moment of the wall clock.
    pub fn version(&self, wall: u64) -> &'static str {
        match self.loader.as_ref().map_or(self.truth(wall), |loader| loader.running) {
            Truth::Old => "1",
            Truth::Half => "half",
            Truth::New => "2",
        }
    }

    /// What it was in the beginning.
    pub fn first(&self) -> Truth {
        self.first
    }

    /// Whether it takes effect with a boot, and the new system runs.
    pub fn has_booted_new(&self) -> bool {
        self.loader.as_ref().is_some_and(|loader| loader.running == Truth::New)
    }

    /// Whether a boot has put in use what was activated and is `wanted`.
    fn is_in_use(&self, wall: u64, wanted: Truth) -> bool {
        self.has_booted && self.truth(wall) == wanted
    }

    /// The host boots at this moment of the wall clock.
    pub fn boot(&mut self, wall: u64) {
        self.settle(wall);
        self.has_booted |= self.is_activated;
        if let Some(loader) = &mut self.loader {
            self.truth = loader.boot(self.truth);
        }
    }

    /// Since then nothing more comes of what was begun before.
    fn settle(&mut self, wall: u64) {
        self.truth = self.next(wall);
        self.due = self.due.filter(|(at, _)| *at > wall);
    }

    /// A course begins at this moment, when what was begun before has come to its end.
    fn begin_course(&mut self, wall: u64, wanted: Truth) {
        (self.origin, self.wanted) = (self.next(wall), wanted);
        (self.is_activated, self.is_rolled_back, self.is_behind) = (false, false, false);
        self.has_booted = false;
    }

    fn take(&mut self, command: &str, result: Result) {
        // What comes twice, since MQTT sends it again, changes nothing the second time.
        let is_activated = self.is_activated && (self.truth == self.wanted || self.due.is_some());
        let is_cleaned = command == "CLEANUP" && matches!(result, Result::Succeeds(_));
        if let Some(loader) = self.loader.as_mut().filter(|_| is_cleaned) {
            loader.is_good = true;
        }
        match command {
            "ROLLBACK" => return self.roll_back(result),
            _ if is_activated || self.is_rolled_back => return,
            "UPDATE" if !self.has_slots && self.loader.is_none() => self.truth = Truth::Half,
            "ACTIVATE" => {
                match &mut self.loader {
                    Some(loader) => (loader.is_good, loader.tried) = (false, 0),
                    None => self.truth = Truth::Half,
                }
                self.is_activated = true;
            }
            _ => {}
        }
        self.is_behind = result == Result::Mute;
        if let ("ACTIVATE", Result::Succeeds(at)) = (command, result) {
            self.due = Some((at, self.wanted));
        }
    }

    /// One that says nothing of it has undone what it had answered and not activated
    /// (docs/whole-device.md, "Turning back", 3).
    fn roll_back(&mut self, result: Result) {
        self.is_rolled_back = true;
        match result {
            _ if self.has_slots => {}
            Result::Succeeds(at) => self.due = Some((at, self.origin)),
            Result::Mute if !self.is_activated && !self.is_behind => self.truth = self.origin,
            _ => {}
        }
    }
}

/// How an agent differs from others of its kind.
#[derive(Clone, Copy, Default)]
pub struct Quirks {
    /// What it carries out and never answers, `IDENTIFY` for the desired state.
    pub mute_at: &'static [&'static str],
    /// When it says `COMPLETED` in place of the success.
    pub completes_at: &'static str,
    /// What it activates is not what is wanted, which it does not say.
    pub pretends: bool,
    /// Its domain is what is wanted.
    pub is_content: bool,
    /// The command that fails, `IDENTIFY` for the desired state.
    pub fails_at: &'static str,
    /// What its bootloader does, if it takes effect with a boot.
    pub boots: Option<Trial>,
    pub after_boot: AfterBoot,
}

/// How an agent is in an activity, by its id.
pub type Moods = Box<dyn Fn(&str) -> Quirks>;

/// An agent whose domain is known for what it is.
pub struct Truthful {
    inner: Box<dyn Actor>,
    domain: &'static str,
    kind: Kind,
    /// Those of the activity that it takes part in.
    quirks: Quirks,
    /// None: it is always the same.
    moods: Option<Moods>,
    /// That it takes part in; empty if it has ended it, or forgotten.
    activity: String,
    device: Rc<RefCell<Device>>,
    /// When it is up again; it hears nothing before, unless its session is persistent.
    up_at: u64,
}

impl Truthful {
    /// One in place of `inner`, an agent of this kind.
    pub fn new(kind: Kind, inner: Box<dyn Actor>, domain: &'static str, quirks: Quirks) -> Truthful {
        let device = Rc::new(RefCell::new(Device::new(kind, &quirks)));
        Truthful { inner, domain, kind, quirks, moods: None, activity: String::new(), device, up_at: 0 }
    }

    /// The same that is not the same in each activity.
    pub fn moody(self, moods: Moods) -> Truthful {
        Truthful { moods: Some(moods), ..self }
    }

    /// A world in which it serves its domain.
    pub fn join(self, mut world: World) -> World {
        world.company.devices.insert(self.domain, Rc::clone(&self.device));
        world.joined_by(self)
    }

    /// Takes the mood of this activity; the quirks before.
    fn turn_to(&mut self, activity: &str) -> Quirks {
        let before = self.quirks;
        if let Some(moods) = &self.moods {
            self.behave_as(moods(activity));
        }
        before
    }

    fn behave_as(&mut self, quirks: Quirks) {
        self.quirks = quirks;
        if self.moods.is_some() {
            self.inner.behave(quirks.fails_at, quirks.is_content);
        }
    }

    fn is_mute_at(&self, order: &str) -> bool {
        self.quirks.mute_at.contains(&order)
    }

    /// A desired state, and what is to be said about it.
    fn identify(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let before = self.turn_to(seen.activity());
        let is_in_use = self.device.borrow().is_in_use(wall, wanted(seen));
        if is_in_use && self.quirks.after_boot != AfterBoot::BeginsAnew {
            return self.confirm(seen, wall);
        }
        let said = self.inner.handle(seen, wall);
        let Some(last) = said.last() else {
            self.behave_as(before);
            return said;
        };
        let mut device = self.device.borrow_mut();
        device.begin_course(wall + said[0].after_ms, wanted(seen));
        if self.quirks.is_content {
            device.due = Some((wall + last.after_ms, device.wanted));
        }
        drop(device);
        self.activity = seen.activity().to_owned();
        if self.is_mute_at("IDENTIFY") {
            return Vec::new();
        }
        self.complete("IDENTIFY", "IDENTIFIED", wall, said)
    }

    /// The desired state once more, when a boot has put in use what it wants.
    fn confirm(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let remembers = self.quirks.after_boot == AfterBoot::Remembers;
        self.inner.behave("", !remembers);
        self.activity = seen.activity().to_owned();
        let mut said = self.inner.handle(seen, wall);
        for one in said.iter_mut().filter(|_| remembers) {
            let mut message = json_of(one);
            for action in message["payload"]["actions"].as_array_mut().into_iter().flatten() {
                action["status"] = "ACTIVATION_SUCCESS".into();
            }
            one.bytes = message.to_string().into();
        }
        said
    }

    /// A command, and what is to be said about it.
    fn carry_out(&mut self, command: &str, wall: u64, said: Vec<Said>) -> Vec<Said> {
        let success = steps_of(command).success;
        let is_refused = |one: &Said| message_of(one).contains("is possible only after");
        if said.is_empty() || said.iter().any(is_refused) {
            return if self.is_mute_at(command) { Vec::new() } else { said };
        }
        let result = match said.iter().find(|one| status_of(one) == success) {
            _ if self.is_mute_at(command) => Result::Mute,
            Some(_) if self.quirks.pretends && command == "ACTIVATE" => Result::Fails,
            Some(one) => Result::Succeeds(wall + one.after_ms),
            None => Result::Fails,
        };
        self.device.borrow_mut().take(command, result);
        if result == Result::Mute {
            return Vec::new();
        }
        self.complete(command, success, wall, said)
    }

    /// It says `COMPLETED` in place of this success, if it is one of those that do.
    fn complete(&mut self, order: &str, success: &str, wall: u64, mut said: Vec<Said>) -> Vec<Said> {
        let place = said.iter().position(|one| status_of(one) == success);
        let Some(place) = place.filter(|_| self.quirks.completes_at == order) else { return said };
        said.truncate(place + 1);
        let last = &mut said[place];
        let mut message = json_of(last);
        message["payload"]["status"] = "COMPLETED".into();
        last.bytes = message.to_string().into();
        let mut device = self.device.borrow_mut();
        device.due = Some((wall + last.after_ms, device.wanted));
        self.activity.clear();
        said
    }

    /// Its inventory shows what the domain is.
    fn show(&self, wall: u64, mut said: Vec<Said>) -> Vec<Said> {
        let place = topic(self.domain, "currentstate");
        for one in said.iter_mut().filter(|one| one.topic == place) {
            let version = self.device.borrow().version(wall + one.after_ms);
            let mut message = json_of(one);
            message["payload"]["softwareNodes"][1]["version"] = version.into();
            one.bytes = message.to_string().into();
        }
        said
    }
}

/// What a desired state makes of a domain.
fn wanted(seen: &Seen) -> Truth {
    match seen.json()["payload"]["domains"][0]["components"][0]["version"] == "1" {
        true => Truth::Old,
        false => Truth::New,
    }
}

fn json_of(said: &Said) -> Value {
    serde_json::from_slice(&said.bytes).unwrap_or_default()
}

fn status_of(said: &Said) -> String {
    json_of(said)["payload"]["status"].as_str().unwrap_or_default().to_owned()
}

fn message_of(said: &Said) -> String {
    json_of(said)["payload"]["message"].as_str().unwrap_or_default().to_owned()
}

impl Actor for Truthful {
    fn handle(&mut self, seen: &Seen, wall: u64) -> Vec<Said> {
        let Some(order) = order_of(self.domain, seen) else { return Vec::new() };
        if wall < self.up_at && self.kind != Kind::SelfUpdate {
            return Vec::new();
        }
        self.device.borrow_mut().settle(wall);
        if order == "IDENTIFY" {
            return self.identify(seen, wall);
        }
        let has_ended = self.activity.is_empty() || self.activity != seen.activity();
        let said = self.inner.handle(seen, wall);
        match order {
            "GET" => self.show(wall, said),
            _ if has_ended && !self.quirks.completes_at.is_empty() => Vec::new(),
            command => self.carry_out(command, wall, said),
        }
    }

    fn handle_crash(&mut self, wall: u64) -> Vec<Said> {
        let mut device = self.device.borrow_mut();
        device.settle(wall);
        device.due = None;
        drop(device);
        if self.kind.forgets() {
            self.activity.clear();
        }
        let said = self.inner.handle_crash(wall);
        self.up_at = wall + said.first().map_or(0, |hello| hello.after_ms);
        self.show(wall, said)
    }

    fn handle_reconnect(&mut self, wall: u64) -> Vec<Said> {
        let said = self.inner.handle_reconnect(wall);
        self.show(wall, said)
    }

    fn domain(&self) -> &str {
        self.domain
    }
}
