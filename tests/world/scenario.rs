//! A world and what can be done in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use log::Level;
use update_manager::config::Config;
use update_manager::engine::Policies;
use update_manager::manager::Manager;
use update_manager::model::time::{Now, Tick};
use update_manager::mqtt::{LinkWish, Reason};

use crate::actors::{Actor, Nobody, Said};
use crate::broker::Broker;
use crate::checked::Accepted;
use crate::disk::Disk;
use crate::heap;
use crate::journal;
use crate::power::{Moment, Power};
use crate::seen::{topic, From};
pub use crate::settings::configuration;
use crate::settings::{manager, parse, resume_after_ms};
use crate::wire;

/// The wall clock when the world begins.
pub const EPOCH: u64 = 1_700_000_000_000;

/// What the monotonic clock shows then.
pub const START: u64 = 10_000;

/// Steps at one moment past which the manager would spin. Each may be a byte.
const STEPS_MAX: usize = 1_000_000;

/// Bytes of a read below which it is one piece of a packet.
const PIECE: usize = 1_000;

/// What is to be said, and the place of the actor who says it.
struct Planned {
    actor: usize,
    said: Said,
}

/// A manager, and all around it.
pub struct World {
    pub config: Config,
    pub broker: Broker,
    pub accepted: Accepted,
    /// When reboots were triggered.
    pub reboots: Vec<u64>,
    /// Most bytes that one read takes.
    pub read_max: usize,
    /// What the wall clock shows besides the time that went by.
    pub wall_ms: i64,
    /// How long a suspicion lasts before a domain is repaired.
    pub resume_after_ms: u64,
    /// Domains whose agents may say a thing twice: what answers what is not to be seen.
    pub erratic: Vec<&'static str>,
    /// An agent takes a desired state only when idle: the broker is not to be away.
    pub needs_broker: bool,
    /// Where the manager writes; made once.
    out: Vec<u8>,
    /// Links that the manager lost.
    pub losses: u32,
    /// Where activities are saved; none: they are not.
    pub disk: Option<Disk>,
    pub power: Power,
    /// What leads activities.
    pub(crate) policies: Policies,
    pub(crate) manager: Manager,
    pub(crate) now: u64,
    is_up: bool,
    actors: Vec<Box<dyn Actor>>,
    /// Messages of `broker.seen` that the actors have heard.
    heard: usize,
    /// What is to be said, by time and order.
    agenda: BTreeMap<(u64, usize), Planned>,
    planned: usize,
    excused: Vec<&'static str>,
}

impl World {
    /// A manager with this configuration file, connected. Nobody else is there.
    pub fn new(config: &str) -> World {
        let mut world = World::offline(config);
        world.settle();
        assert!(world.is_up, "connected");
        world
    }

    /// The same in plain mode with these agents and otherwise defaults.
    pub fn plain(domains: &[&str]) -> World {
        World::with(domains, "")
    }

    /// The same with more of the configuration file, say `"phaseTimeout": "1m"`.
    pub fn with(domains: &[&str], more: &str) -> World {
        World::new(&configuration(domains, more))
    }

    /// The same, not yet connected.
    pub fn offline(text: &str) -> World {
        World::begin(text, None)
    }

    /// The same with a disk, or without one.
    pub fn begin(text: &str, disk: Option<Disk>) -> World {
        World::begin_led_by(Policies::default(), text, disk)
    }

    /// The same as `with`, led by these policies.
    pub fn led_by(policies: Policies, domains: &[&str], more: &str) -> World {
        let mut world = World::begin_led_by(policies, &configuration(domains, more), None);
        world.settle();
        world
    }

    /// The same as `begin`, led by these policies.
    pub fn begin_led_by(policies: Policies, text: &str, disk: Option<Disk>) -> World {
        journal::start();
        let config = parse(text);
        let resume_after_ms = resume_after_ms(text, config.phase_timeout_ms);
        let accepted: Accepted = Rc::new(RefCell::new(Vec::new()));
        let now = Now { tick: Tick(START), wall: EPOCH };
        let manager = manager(&config, &accepted, policies.clone(), disk.is_some(), now);
        World {
            config,
            broker: Broker::new(),
            accepted,
            reboots: Vec::new(),
            read_max: usize::MAX,
            wall_ms: 0,
            resume_after_ms,
            erratic: Vec::new(),
            needs_broker: false,
            out: vec![0; 4096],
            losses: 0,
            disk,
            power: Power::default(),
            policies,
            manager,
            now: 0,
            is_up: false,
            actors: Vec::new(),
            heard: 0,
            agenda: BTreeMap::new(),
            planned: 0,
            excused: Vec::new(),
        }
    }

    /// Somebody who answers on their own.
    pub fn joined_by(mut self, actor: impl Actor + 'static) -> World {
        self.actors.push(Box::new(actor));
        self.settle();
        self
    }

    /// Lines of level ERROR that hold this are part of the case.
    pub fn expects_error(&mut self, part: &'static str) {
        self.excused.push(part);
    }

    /// Milliseconds since the world began.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What a peer's wall clock shows, in milliseconds.
    pub fn wall(&self) -> u64 {
        EPOCH + self.now
    }

    pub(crate) fn clock(&self) -> Now {
        let wall = (EPOCH + self.now).saturating_add_signed(self.wall_ms);
        Now { tick: Tick(START + self.now), wall }
    }
}

/// What goes on.
impl World {
    /// Lets so many milliseconds go by.
    pub fn run_for(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            self.settle();
            let planned = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let due = self.manager.poll_timeout().map(|tick| tick.0 - START).filter(|_| !self.is_off());
            let write = self.disk.as_ref().and_then(Disk::poll_timeout);
            match [planned, due, write, self.power.off_until].into_iter().flatten().min().filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
        }
        self.now = end;
        self.settle();
    }

    /// Hands a message to the broker.
    pub fn publish(&mut self, topic: &str, bytes: impl AsRef<[u8]>) {
        self.broker.publish(self.now, topic, bytes.as_ref(), false);
        self.settle();
    }

    /// Hands a message to the broker, which is to keep it.
    pub fn publish_retained(&mut self, topic: &str, bytes: impl AsRef<[u8]>) {
        self.broker.publish(self.now, topic, bytes.as_ref(), true);
        self.settle();
    }

    /// The backend wants `payload` to be applied.
    pub fn backend_applies(&mut self, activity: &str, payload: &str) {
        let timestamp = self.wall();
        self.publish(
            "deviceupdate/desiredstate",
            format!(r#"{{"activityId":"{activity}","timestamp":{timestamp},"payload":{payload}}}"#),
        );
    }

    /// The backend asks for the current state.
    pub fn backend_asks(&mut self, activity: &str) {
        let timestamp = self.wall();
        self.publish(
            "deviceupdate/currentstate/get",
            format!(r#"{{"activityId":"{activity}","timestamp":{timestamp}}}"#),
        );
    }

    /// An agent's feedback, as it comes.
    pub fn agent_says(&mut self, domain: &str, bytes: impl AsRef<[u8]>) {
        self.publish(&topic(domain, "desiredstatefeedback"), bytes);
    }

    /// An agent's inventory, as it comes.
    pub fn agent_has(&mut self, domain: &str, bytes: impl AsRef<[u8]>) {
        self.publish(&topic(domain, "currentstate"), bytes);
    }

    /// The owner answers, in plain mode.
    pub fn owner_says(&mut self, activity: &str, status: &str) {
        let timestamp = self.wall();
        self.publish(
            "deviceupdate/ownerconsentfeedback",
            format!(r#"{{"activityId":"{activity}","timestamp":{timestamp},"payload":{{"status":"{status}"}}}}"#),
        );
    }

    /// The link breaks; the broker is there again at once.
    pub fn cut(&mut self) {
        self.lose();
        self.settle();
    }

    /// The link breaks, and the broker cannot be reached.
    pub fn broker_goes(&mut self) {
        self.broker.reachable = false;
        self.lose();
        self.settle();
    }

    /// The broker can be reached again; waits until the manager is connected.
    pub fn broker_comes(&mut self) {
        self.broker.reachable = true;
        self.await_link();
    }

    /// Waits until the manager is connected; it backs off to at most 30 s.
    pub fn await_link(&mut self) {
        let until = self.now + 31_000;
        while !self.is_up && self.now < until {
            self.run_for(100);
        }
        assert!(self.is_up, "the manager comes back");
    }

    /// The process is told to end.
    pub fn terminate(&mut self) {
        let now = self.clock();
        self.manager.handle_terminate(now);
        self.settle();
    }

    /// The reboot that was triggered did not come to pass.
    pub fn reboot_fails(&mut self) {
        let now = self.clock();
        self.manager.handle_reboot_failed(now);
        self.settle();
    }

    /// Whether an activity runs, its end is not told yet, or somebody is about to say something.
    pub fn is_busy(&self) -> bool {
        self.manager.is_busy() || !self.agenda.is_empty()
    }

    pub fn is_ended(&self) -> bool {
        self.manager.is_ended()
    }

    /// Does all that there is to do at this moment.
    pub fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.is_off() && !self.power_up_if_due() {
                self.listen();
                match self.speak() {
                    true => continue,
                    false => return,
                }
            }
            let now = self.clock();
            let is_due = self.manager.poll_timeout().is_some_and(|due| due <= now.tick);
            if is_due {
                heap::of_manager(|| self.manager.handle_timeout(now));
                if self.pass(Moment::Timer) {
                    continue;
                }
            }
            if self.manager.poll_reboot() {
                self.reboots.push(self.now);
            }
            if self.drive_disk() {
                continue;
            }
            let moved = self.follow_wish() | self.exchange();
            self.listen();
            if !moved && !is_due && !self.speak() {
                return;
            }
        }
        panic!("the manager does not come to rest");
    }

    fn follow_wish(&mut self) -> bool {
        let now = self.clock();
        match self.manager.poll_link(now) {
            LinkWish::Open if self.broker.reachable => {
                self.is_up = true;
                heap::of_manager(|| self.manager.handle_link_up(now));
                true
            }
            LinkWish::Open => {
                self.manager.handle_link_down(now);
                true
            }
            LinkWish::Close(_) if !self.is_up => false,
            LinkWish::Close(reason) => {
                // What the shell does with it.
                if reason != Reason::Disconnected {
                    log::warn!("connection closed: {reason}");
                }
                self.lose();
                true
            }
            LinkWish::Wait(_) | LinkWish::Keep => false,
        }
    }

    fn lose(&mut self) {
        if self.is_up {
            self.is_up = false;
            self.losses += 1;
            self.broker.handle_link_down();
            let now = self.clock();
            heap::of_manager(|| self.manager.handle_link_down(now));
        }
    }

    /// The manager is gone, and its link with it.
    pub(crate) fn fall_off(&mut self) {
        self.losses += u32::from(core::mem::take(&mut self.is_up));
        self.broker.handle_link_down();
    }

    /// The agents are gone for a moment, and what they were about to say.
    pub(crate) fn agents_fall_off(&mut self) {
        self.agenda.clear();
        (0..self.actors.len()).for_each(|place| self.restart(place));
    }

    /// The process of this domain's agent ends and starts anew.
    pub fn agent_crashes(&mut self, domain: &str) {
        let place = self.agent(domain);
        self.agenda.retain(|_, planned| planned.actor != place);
        self.restart(place);
        self.settle();
    }

    /// The connection of this domain's agent is lost and made again.
    pub fn agent_reconnects(&mut self, domain: &str) {
        let (place, wall) = (self.agent(domain), self.wall());
        let said = self.actors[place].handle_reconnect(wall);
        said.into_iter().for_each(|said| self.plan(place, said));
        self.settle();
    }

    /// The process of this domain's agent ends for good.
    pub fn agent_dies(&mut self, domain: &str) {
        let place = self.agent(domain);
        self.agenda.retain(|_, planned| planned.actor != place);
        self.actors[place] = Box::new(Nobody);
    }

    fn agent(&self, domain: &str) -> usize {
        self.actors.iter().position(|actor| actor.domain() == domain).expect("an agent of this domain")
    }

    fn restart(&mut self, place: usize) {
        let wall = self.wall();
        let said = self.actors[place].handle_crash(wall);
        said.into_iter().for_each(|said| self.plan(place, said));
    }

    fn exchange(&mut self) -> bool {
        let now = self.clock();
        let mut moved = false;
        while self.read(now) {
            moved = true;
            // Of pieces as many as make a packet: each alone changes nothing.
            if heap::of_manager(|| self.manager.handle_events(now)) || self.read_max >= PIECE {
                break;
            }
        }
        moved |= heap::of_manager(|| self.manager.handle_events(now));
        if moved && self.pass(Moment::Received) {
            return true;
        }
        while self.is_up {
            let n = heap::of_manager(|| self.manager.poll_transmit(now, &mut self.out));
            if n == 0 {
                break;
            }
            let sent = self.out[..n].to_vec();
            for packet in self.broker.packets(&sent) {
                let taken = self.broker.taken.len();
                self.broker.handle(self.now, packet);
                if self.broker.taken.len() > taken {
                    heap::of_world(|| self.nothing_is_acknowledged_whose_save_is_lost());
                }
                if self.pass(Moment::Sent) {
                    return true;
                }
            }
            moved = true;
        }
        moved
    }

    /// Reads once; whether there was anything.
    fn read(&mut self, now: Now) -> bool {
        if !self.is_up {
            return false;
        }
        let room = heap::of_manager(|| self.manager.receive_buffer());
        let packet = if self.disk.is_some() { self.broker.packet() } else { usize::MAX };
        let len = room.len().min(self.read_max).min(packet);
        let read = self.broker.read(&mut room[..len]);
        heap::of_manager(|| self.manager.handle_received(now, read));
        read > 0
    }

    /// The actors hear what is new, and make up their minds.
    fn listen(&mut self) {
        let wall = self.wall();
        while let Some(seen) = self.broker.seen.get(self.heard) {
            self.heard += 1;
            if seen.from == From::Manager {
                let answers = self.actors.iter_mut().map(|actor| actor.handle(seen, wall));
                let answers: Vec<(usize, Vec<Said>)> = answers.enumerate().collect();
                for (actor, all) in answers {
                    all.into_iter().for_each(|said| self.plan(actor, said));
                }
            }
        }
    }

    /// Something is to be said later.
    fn plan(&mut self, actor: usize, said: Said) {
        self.planned += 1;
        self.agenda.insert((self.now + said.after_ms, self.planned), Planned { actor, said });
    }

    /// Says the next thing that is due; whether there was one.
    fn speak(&mut self) -> bool {
        let due = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now);
        let Some(Planned { said, .. }) = due.map(|entry| entry.remove()) else { return false };
        self.broker.publish(self.now, &said.topic, &said.bytes, said.retain);
        true
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.print();
        }
        let mut fault = None;
        journal::each(|level, line| {
            if level == Level::Error && !self.excused.iter().any(|part| line.contains(part)) {
                fault.get_or_insert_with(|| format!("logged as an error: {line}"));
            }
        });
        if let Some(fault) = fault.or_else(|| wire::broken(self)) {
            self.print();
            panic!("{fault}");
        }
    }
}
