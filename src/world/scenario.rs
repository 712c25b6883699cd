//! A world and what can be done in it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::config::Config;
use crate::manager::Manager;
use log::Level;

use crate::world::actors::Actor;
use crate::world::broker::Broker;
use crate::world::checked::Accepted;
use crate::world::clock::Clock;
use crate::world::company::Company;
use crate::world::disk::Disk;
use crate::world::heap;
use crate::world::journal;
use crate::world::link::Link;
use crate::world::power::{Moment, Power};
use crate::world::seen::topic;
pub use crate::world::settings::configuration;
use crate::world::settings::{manager, parse, resume_after_ms};
use crate::world::wire;

/// Steps at one moment past which the manager would spin. Each may be a byte.
const STEPS_MAX: usize = 1_000_000;

/// A manager, and all around it.
pub struct World {
    pub config: Config,
    /// How long a suspicion lasts before a domain is repaired.
    pub resume_after_ms: u64,
    pub clock: Clock,
    pub broker: Broker,
    pub link: Link,
    pub company: Company,
    /// Where activities are saved; none: they are not.
    pub disk: Option<Disk>,
    pub power: Power,
    pub manager: Manager,
    pub accepted: Accepted,
    /// When reboots were triggered.
    pub reboots: Vec<u64>,
    excused: Vec<&'static str>,
}

impl World {
    /// A manager with this configuration file, connected. Nobody else is there.
    pub fn new(config: &str) -> World {
        let mut world = World::offline(config);
        world.settle();
        assert!(world.link.is_up, "connected");
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
        journal::start();
        let config = parse(text);
        let resume_after_ms = resume_after_ms(text, config.phase_timeout_ms);
        let accepted: Accepted = Rc::new(RefCell::new(Vec::new()));
        let clock = Clock::default();
        let manager = manager(&config, &accepted, disk.is_some(), clock.now());
        World {
            config,
            resume_after_ms,
            clock,
            broker: Broker::default(),
            link: Link::default(),
            company: Company::default(),
            disk,
            power: Power::default(),
            manager,
            accepted,
            reboots: Vec::new(),
            excused: Vec::new(),
        }
    }

    /// Somebody who answers on their own.
    pub fn joined_by(mut self, actor: impl Actor + 'static) -> World {
        self.company.join(actor);
        self.settle();
        self
    }

    /// Lines of level ERROR that hold this are part of the case.
    pub fn expects_error(&mut self, part: &'static str) {
        self.excused.push(part);
    }

    /// Milliseconds since the world began.
    pub fn now(&self) -> u64 {
        self.clock.elapsed
    }

    /// What a peer's wall clock shows, in milliseconds.
    pub fn wall(&self) -> u64 {
        self.clock.wall()
    }
}

/// What goes on.
impl World {
    /// Lets so many milliseconds go by.
    pub fn run_for(&mut self, ms: u64) {
        let end = self.clock.elapsed + ms;
        loop {
            self.settle();
            let said = self.company.due();
            let due = self.manager.poll_timeout().map(Clock::elapsed_at).filter(|_| !self.is_off());
            let write = self.disk.as_ref().and_then(Disk::poll_timeout);
            match [said, due, write, self.power.off_until].into_iter().flatten().min().filter(|at| *at <= end) {
                Some(at) => self.clock.elapsed = self.clock.elapsed.max(at),
                None => break,
            }
        }
        self.clock.elapsed = end;
        self.settle();
    }

    /// Hands a message to the broker.
    pub fn publish(&mut self, topic: &str, bytes: impl AsRef<[u8]>) {
        self.broker.publish(self.clock.elapsed, topic, bytes.as_ref(), false);
        self.settle();
    }

    /// Hands a message to the broker, which is to keep it.
    pub fn publish_retained(&mut self, topic: &str, bytes: impl AsRef<[u8]>) {
        self.broker.publish(self.clock.elapsed, topic, bytes.as_ref(), true);
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
        const ANSWERS: &str = "deviceupdate/ownerconsentfeedback";
        // No two answers are made at the same moment.
        let before = self.broker.seen.iter().filter(|seen| seen.topic == ANSWERS).count();
        let timestamp = self.wall() + before as u64;
        self.publish(
            ANSWERS,
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
        let until = self.clock.elapsed + 31_000;
        while !self.link.is_up && self.clock.elapsed < until {
            self.run_for(100);
        }
        assert!(self.link.is_up, "the manager comes back");
    }

    /// The process is told to end.
    pub fn terminate(&mut self) {
        let now = self.clock.now();
        self.manager.handle_terminate(now);
        self.settle();
    }

    /// The reboot that was triggered did not come to pass.
    pub fn reboot_fails(&mut self) {
        let now = self.clock.now();
        self.manager.handle_reboot_failed(now);
        self.settle();
    }

    /// Whether an activity runs, its end is not told yet, or somebody is about to say something.
    pub fn is_busy(&self) -> bool {
        self.manager.is_busy() || self.company.due().is_some()
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
            let now = self.clock.now();
            let is_due = self.manager.poll_timeout().is_some_and(|due| due <= now.tick);
            if is_due {
                heap::of_manager(|| self.manager.handle_timeout(now));
                if self.pass(Moment::Timer) {
                    continue;
                }
            }
            if self.manager.poll_reboot() {
                self.reboots.push(self.clock.elapsed);
                if let Some(outage) = self.power.on_reboot {
                    self.reboot_host(outage);
                    continue;
                }
            }
            if self.drive_checks() || self.drive_disk() {
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

    /// The process of this domain's agent ends and starts anew.
    pub fn agent_crashes(&mut self, domain: &str) {
        self.company.crash(&self.clock, domain);
        self.settle();
    }

    /// The connection of this domain's agent is lost and made again.
    pub fn agent_reconnects(&mut self, domain: &str) {
        self.company.reconnect(&self.clock, domain);
        self.settle();
    }

    /// The process of this domain's agent ends for good.
    pub fn agent_dies(&mut self, domain: &str) {
        self.company.die(domain);
    }

    fn listen(&mut self) {
        self.company.listen(&self.clock, &self.broker.seen);
    }

    /// Says the next thing that is due; whether there was one.
    fn speak(&mut self) -> bool {
        let Some(said) = self.company.poll(&self.clock) else { return false };
        self.broker.publish(self.clock.elapsed, &said.topic, &said.bytes, said.retain);
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
