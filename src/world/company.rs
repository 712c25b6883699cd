//! Those around the manager who answer on their own, and what they are about to say.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::world::actors::{Actor, Nobody, Said};
use crate::world::checks::Checks;
use crate::world::clock::Clock;
use crate::world::seen::{From, Seen};
use crate::world::whole::truth::Device;

/// What is to be said, and the place of the actor who says it.
struct Planned {
    actor: usize,
    said: Said,
}

/// All of them.
#[derive(Default)]
pub struct Company {
    /// Domains whose agents may say a thing twice: what answers what is not to be seen.
    pub erratic: Vec<&'static str>,
    /// An agent takes a desired state only when idle: the broker is not to be away.
    pub needs_broker: bool,
    /// The verification command.
    pub checks: Checks,
    /// The domains that are known for what they are.
    pub devices: BTreeMap<&'static str, Rc<RefCell<Device>>>,
    actors: Vec<Box<dyn Actor>>,
    /// Messages that they have heard.
    heard: usize,
    /// What is to be said, by time and order.
    agenda: BTreeMap<(u64, usize), Planned>,
    planned: usize,
}

impl Company {
    pub fn join(&mut self, actor: impl Actor + 'static) {
        self.actors.push(Box::new(actor));
    }

    /// They hear what is new of all messages, and make up their minds.
    pub fn listen(&mut self, clock: &Clock, all: &[Seen]) {
        for seen in &all[self.heard..] {
            if seen.from == From::Manager {
                for place in 0..self.actors.len() {
                    let said = self.actors[place].handle(seen, clock.wall());
                    self.plan(clock, place, said);
                }
            }
        }
        self.heard = all.len();
    }

    /// Something is to be said later.
    fn plan(&mut self, clock: &Clock, actor: usize, all: Vec<Said>) {
        for said in all {
            self.planned += 1;
            self.agenda.insert((clock.elapsed + said.after_ms, self.planned), Planned { actor, said });
        }
    }

    /// When the next thing is to be said.
    pub fn due(&self) -> Option<u64> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next thing, if it is due.
    pub fn poll(&mut self, clock: &Clock) -> Option<Said> {
        let due = self.agenda.first_entry().filter(|entry| entry.key().0 <= clock.elapsed)?;
        Some(due.remove().said)
    }

    /// All are gone for a moment, and what they were about to say.
    pub fn fall_off(&mut self, clock: &Clock) {
        self.agenda.clear();
        (0..self.actors.len()).for_each(|place| self.restart(clock, place));
    }

    /// The process of this domain's agent ends and starts anew.
    pub fn crash(&mut self, clock: &Clock, domain: &str) {
        let place = self.fall_silent(domain);
        self.restart(clock, place);
    }

    /// The connection of this domain's agent is lost and made again.
    pub fn reconnect(&mut self, clock: &Clock, domain: &str) {
        let place = self.agent(domain);
        let said = self.actors[place].handle_reconnect(clock.wall());
        self.plan(clock, place, said);
    }

    /// The process of this domain's agent ends for good.
    pub fn die(&mut self, domain: &str) {
        let place = self.fall_silent(domain);
        self.actors[place] = Box::new(Nobody);
    }

    /// What this domain's agent was about to say is gone; its place.
    fn fall_silent(&mut self, domain: &str) -> usize {
        let place = self.agent(domain);
        self.agenda.retain(|_, planned| planned.actor != place);
        place
    }

    fn agent(&self, domain: &str) -> usize {
        self.actors.iter().position(|actor| actor.domain() == domain).expect("an agent of this domain")
    }

    fn restart(&mut self, clock: &Clock, place: usize) {
        let said = self.actors[place].handle_crash(clock.wall());
        self.plan(clock, place, said);
    }
}
