//! Random worlds: agents of every kind, a hasty backend that repeats itself, a console, an
//! undecided owner, a link that breaks, a power that fails, a disk that is slow or full, a
//! configuration that changes, an edge that does not answer, messages that are too large.
//! Whatever happens, each accepted activity has exactly one final status at the backend,
//! each one that is not accepted is refused, nothing is commanded afterwards, and the
//! manager takes the next. `sim` runs them.
//!
//! Some worlds are calm: the agents do their work, the disk works, nobody is asked, and
//! only a few things are lost. There each accepted activity completes.

mod expected;
mod groups;
mod peers;
mod wishes;

use crate::store::format::Kind as Record;
use crate::store::slots::Slot;
use serde_json::{json, Value};

use crate::world::disk::{Disk, Fate, Fault};
use crate::world::erratic::{Erratic, Random};
use crate::world::kind::Kind;
use crate::world::power::Outage;
use crate::world::scenario::World;
use crate::world::settings::parse;
use crate::world::whole::truth::{Quirks, Truthful};
use groups::Groups;
use wishes::Wishes;

/// Records that an activity writes.
const KINDS: [Record; 4] = [Record::State, Record::Document, Record::Actions, Record::History];

const DOMAINS: [&str; 4] = ["one", "two", "three", "four"];

/// How often something may be lost in a calm world: no phase has more repairs than that.
const LOSSES_MAX: u32 = 3;

/// What a power cut counts: the start is an event, and each agent's hello after it.
const LOSSES_OF_CUT: u32 = 2;

fn agents(random: &mut Random, domains: &[&str]) -> Value {
    let mut agents = json!({});
    for domain in domains {
        let read_timeout = random.of(&["1s", "20s", "1m"]);
        agents[domain] = json!({ "rebootRequired": random.percent(15), "readTimeout": read_timeout });
    }
    agents
}

fn config(random: &mut Random, domains: &[&str], is_twin: bool, is_calm: bool) -> Value {
    let agents = agents(random, domains);
    let asking = ["download", "update", "activate"].into_iter();
    let asking: Vec<&str> = asking.filter(|_| random.percent(20) && !is_calm).collect();
    let phase = random.of(&["20s", "2m", "10m"]);
    json!({
        "thingsEnabled": is_twin,
        "agents": agents,
        "connection": { "clientId": "um", "cleanSession": random.percent(60) && !is_calm },
        "ownerConsentCommands": asking,
        "ownerConsentTimeout": random.of(&["30s", "30m"]),
        "phaseTimeout": if is_calm { "12h" } else { phase },
        "resumeAfter": random.of(&["1s", "5s", "60s"]),
        "cleanupTimeout": random.of(&["5s", "30s", "1m"]),
        "reportFeedbackInterval": random.of(&["0s", "7s", "1m"]),
        "currentStateDelay": random.of(&["0s", "30s"]),
    })
}

/// Anybody serves the domain; in a calm world somebody who does the work.
fn join(mut world: World, domain: &'static str, random: &mut Random, is_calm: bool, has_groups: bool) -> World {
    if !is_calm && random.percent(50) {
        world.company.erratic.push(domain);
        return world.joined_by(Erratic::new(domain, Random::new(random.number())));
    }
    let kind = random.of(&Kind::ALL);
    let mut manner = kind.paced(random.of(&[0, 20, 700, 8_000, 30_000]));
    if kind == Kind::SelfUpdate {
        // It takes no desired state while it cleans up, which is not waited for that long.
        manner.work_ms = manner.work_ms.min(700);
        world.company.needs_broker |= is_calm;
    }
    if kind == Kind::Silent {
        manner.work_ms = random.of(&[25_000, 130_000]);
    }
    manner.tells_ms = random.of(&[0, 900]);
    manner.starts_ms = random.of(&[0, 1_000, 30_000]);
    if !is_calm && random.percent(30) {
        let command = random.of(&["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "ROLLBACK", "CLEANUP"]);
        match random.below(4) {
            0 => manner.fails_at = command,
            1 => manner.silent_at = command,
            2 => manner.deaf_to = command,
            _ => manner.is_content = true,
        }
    }
    if !has_groups {
        return kind.join(world, domain, manner);
    }
    let mut quirks = Quirks { is_content: manner.is_content, ..Quirks::default() };
    // It does what it is silent about. And it is back before its silence means anything.
    quirks.mute_at = SILENCES.iter().find(|of| of[0] == manner.silent_at).map_or(&[], |of| &of[..]);
    manner.silent_at = "";
    manner.starts_ms = manner.starts_ms.min(1_000);
    if manner.deaf_to == "ROLLBACK" {
        manner.deaf_to = "";
    }
    Truthful::new(kind, kind.agent(domain, manner), domain, quirks).join(world)
}

/// What an agent may never answer.
const SILENCES: [[&str; 1]; 6] = [["IDENTIFY"], ["DOWNLOAD"], ["UPDATE"], ["ACTIVATE"], ["ROLLBACK"], ["CLEANUP"]];

/// A world that is led at random.
struct Course {
    world: World,
    random: Random,
    /// Its configuration file.
    config: Value,
    is_twin: bool,
    /// What may still be lost, in a calm world.
    losses: Option<u32>,
    /// Those that are configured now.
    domains: Vec<&'static str>,
    wishes: Wishes,
    /// The edge does not say who the twin is.
    is_edge_silent: bool,
    reboots_failed: usize,
    /// None: it has none.
    groups: Option<Groups>,
}

impl Course {
    fn new(seed: u64) -> Course {
        let mut random = Random::new(seed);
        let mut groups = Groups::of_seed(seed);
        let domains = DOMAINS[..1 + random.below(DOMAINS.len() as u64) as usize].to_vec();
        let (is_twin, is_calm) = (random.percent(40), random.percent(30));
        let mut config = config(&mut random, &domains, is_twin, is_calm);
        if let Some(groups) = &mut groups {
            groups.configure(&mut config);
        }
        let disk = random.percent(60).then(Disk::default);
        let mut world = World::begin(&config.to_string(), disk);
        // What a broker that acknowledges nothing for long leads to.
        world.expects_error("a desired state is not taken: too many messages wait for the broker");
        // A cut in the very first write of a state.
        world.expects_error("what was saved of it cannot be read");
        world.expects_error("is moved aside");
        world.link.read_max = random.of(&[1, 13, 4096, usize::MAX]);
        for domain in DOMAINS {
            // Those that are not configured may be later.
            world = join(world, domain, &mut random, is_calm, groups.is_some());
        }
        if let Some(groups) = &mut groups {
            world = groups.watch(world, is_calm);
        }
        let mut course = Course {
            world,
            random,
            config,
            is_twin,
            losses: is_calm.then_some(LOSSES_MAX),
            domains,
            wishes: Wishes::default(),
            is_edge_silent: false,
            reboots_failed: 0,
            groups,
        };
        course.set_up_disk();
        course.world.settle();
        course.is_edge_silent = course.random.percent(15);
        course.edge_says("name");
        course
    }

    fn is_calm(&self) -> bool {
        self.losses.is_some()
    }

    fn set_up_disk(&mut self) {
        let (random, is_calm) = (&mut self.random, self.losses.is_some());
        let Some(disk) = &mut self.world.disk else { return };
        let slow_ms = random.of(&[0, 0, 30, 2_000, 20_000]);
        // CLEANUP may be waited for less long than a slow disk takes to let it out.
        disk.slow_ms = if is_calm { slow_ms.min(30) } else { slow_ms };
        if random.percent(30) && !is_calm {
            let kind = random.of(&KINDS);
            let slot = random.of(&Slot::ALL);
            match random.below(7) {
                0..=2 => disk.fails = Some((random.below(40) as usize, "No space left on device (os error 28)")),
                3 => disk.add(Fault::Slot(kind, slot)),
                4 => disk.add(Fault::Folder(kind, slot)),
                5 => disk.add(Fault::ReadOnly),
                _ => disk.add(Fault::Once(None)),
            }
        }
        self.world.expects_error("the activity could not be saved and goes on in memory");
        self.world.expects_error("cannot be moved aside");
        self.world.expects_error("Input/output error (os error 5)");
    }

    /// Something becomes of the disk.
    fn change_disk(&mut self) {
        let is_calm = self.is_calm();
        let Some(disk) = self.world.disk.as_mut().filter(|_| !is_calm) else { return };
        match self.random.below(10) {
            0..=4 => disk.mend(),
            5..=6 => disk.add(Fault::Once(None)),
            7 => disk.add(Fault::ReadOnly),
            // What was saved is lost until it is written anew.
            8 if self.world.power.cuts.is_empty() => disk.vanish(),
            _ => disk.fails = Some((disk.operations(), "Input/output error (os error 5)")),
        }
    }

    /// Whether so much may be lost now.
    fn loses(&mut self, much: u32) -> bool {
        match &mut self.losses {
            None => true,
            Some(left) if *left < much => false,
            Some(left) => {
                *left -= much;
                true
            }
        }
    }

    /// If one was triggered.
    fn reboot_fails(&mut self) {
        if self.world.reboots.len() > self.reboots_failed {
            self.reboots_failed = self.world.reboots.len();
            self.world.reboot_fails();
        }
    }

    /// A cut past a write that failed may lose what was not saved: not in these worlds.
    fn power_cut(&mut self) {
        if self.world.disk.as_ref().map_or(true, Disk::is_unsound) || self.world.is_off() || self.world.is_unsaved() {
            return;
        }
        let part = self.random.below(1_000) as usize;
        let fate = self.random.of(&[Fate::Lost, Fate::Head(part), Fate::Tail(part), Fate::Whole]);
        let down_ms = self.random.of(&[0, 10, 3_000, 200_000]);
        let (boots, agents_too) = (self.random.percent(70), self.random.percent(50));
        self.reboots_failed = self.world.reboots.len();
        if self.random.percent(15) && !self.is_calm() && self.groups.is_none() {
            self.change_domains();
        }
        self.hide_a_slot();
        self.world.power_cut(Outage { fate, down_ms, boots, agents_too });
        self.is_edge_silent = self.random.percent(15);
        self.edge_says("name");
    }

    /// The next start cannot read one of the slots, but not the newest: from an older state
    /// it would do again what was saved, and without the document know nothing of it.
    fn hide_a_slot(&mut self) {
        if self.is_calm() || !self.random.percent(8) {
            return;
        }
        let (kind, slot) = (self.random.of(&KINDS), self.random.of(&Slot::ALL));
        let Some(disk) = &mut self.world.disk else { return };
        if disk.newest_of(kind).map_or(true, |(newest, _)| newest != slot) {
            disk.add(Fault::Read(kind, slot));
        }
    }

    /// The next start has another configuration.
    fn change_domains(&mut self) {
        let first = self.random.of(&DOMAINS);
        self.domains = DOMAINS.into_iter().filter(|domain| *domain == first || self.random.percent(60)).collect();
        self.config["agents"] = agents(&mut self.random, &self.domains);
        self.world.config = parse(&self.config.to_string());
    }

    /// Its connection or its process ends, and it is there again.
    fn agent_returns(&mut self, crashes: bool) {
        let domain = self.random.of(&self.domains);
        match crashes {
            true if self.loses(1) => self.world.agent_crashes(domain),
            false if self.loses(1) => self.world.agent_reconnects(domain),
            _ => {}
        }
    }

    fn step(&mut self) {
        let most = self.random.of(&[10, 3_000, 20_000, 60_000, 700_000]);
        let ms = self.random.below(most);
        self.world.run_for(ms);
        if self.random.percent(8) && self.loses(LOSSES_OF_CUT) {
            return self.power_cut();
        }
        if self.random.percent(12) {
            let crashes = self.random.percent(40);
            return self.agent_returns(crashes);
        }
        if self.world.is_off() {
            return;
        }
        if self.random.percent(8) {
            return self.ask_console();
        }
        if self.random.percent(3) {
            return self.say_something_odd();
        }
        if self.random.percent(3) {
            return self.change_disk();
        }
        match self.random.below(100) {
            0..=29 => self.want_any(),
            30..=49 => self.owner(),
            50..=59 => self.world.cut(),
            // A CLEANUP whose wait is over before it goes out meets the next desired state.
            60..=65 if self.world.company.needs_broker => {}
            60..=65 => self.world.broker_goes(),
            66..=79 => self.world.broker.reachable = true,
            // The agents would get what is not acknowledged twice.
            80..=83 => self.world.broker.acknowledges = self.is_calm(),
            84..=89 => self.world.broker.acknowledges = true,
            90..=92 => self.world.backend_asks("get"),
            93..=94 if !self.is_calm() => {
                self.world.broker.forget_session();
                if let Some(groups) = &mut self.groups {
                    groups.is_forgetful = true;
                }
            }
            93..=94 => {}
            // What a domain is goes by the wall clock.
            95..=96 if self.groups.is_some() => {}
            95..=96 => self.world.clock.wall_ms = self.random.below(1 << 40) as i64 - (1 << 39),
            97 => self.edge_says("other"),
            98 => self.edge_speaks(),
            _ => self.reboot_fails(),
        }
    }

    /// All is well again; whatever was begun has the time to end.
    fn come_to_rest(&mut self) {
        self.world.broker.reachable = true;
        self.world.broker.acknowledges = true;
        if let Some(disk) = &mut self.world.disk {
            disk.slow_ms = 0;
            disk.mend();
        }
        if self.world.is_off() {
            self.world.run_for(200_000);
        }
        self.world.await_link();
        self.edge_speaks();
        let config = &self.world.config;
        let longest = 6 * config.phase_timeout_ms + 3 * config.owner_consent_timeout_ms + 600_000;
        // Until nothing goes on any more: most of that time nothing would.
        let end = self.world.now() + longest;
        loop {
            self.world.run_for(600_000);
            if !self.world.is_busy() || self.world.now() >= end {
                break;
            }
        }
        // A reboot may be due.
        self.world.run_for(120_000);
        self.world.await_link();
    }
}

/// Goes through the world of this seed; all that went over the wire in one number.
pub fn run(seed: u64) -> u64 {
    let mut course = Course::new(seed);
    for _ in 0..30 {
        course.step();
    }
    course.come_to_rest();
    course.check();
    course.takes_the_next();
    course.come_to_rest();
    course.check();
    course.world.digest()
}
