//! The verification command, as the world plays it.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::event::Verdict;
use crate::engine::group::Group;
use crate::model::text::{Escaped, Text};
use crate::world::heap;
use crate::world::scenario::World;

/// What the command says of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says {
    Good,
    NotYet,
    /// Bad, for this reason.
    Bad(&'static str),
    /// Nothing until it is ended.
    Nothing,
}

/// A call of the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Called {
    /// Milliseconds since the world began.
    pub at: u64,
    pub group: Group,
    /// The activity and the domains.
    pub arguments: Vec<String>,
    /// Messages that the broker had seen by then.
    pub after: usize,
    /// What came of it.
    pub says: Says,
}

/// Decides what the command says, by its arguments.
pub type Judge = Box<dyn FnMut(&[String]) -> Says>;

/// All calls of the command.
#[derive(Default)]
pub struct Checks {
    pub calls: Vec<Called>,
    /// When which call was ended.
    pub ended: Vec<(u64, Group)>,
    says: BTreeMap<Group, VecDeque<Says>>,
    judge: Option<Judge>,
    /// Those that run.
    running: Vec<Group>,
}

impl Checks {
    /// The host boots, or the process that called it has ended.
    pub fn fall_off(&mut self) {
        self.running.clear();
    }
}

impl World {
    /// The command says this of the group, call for call, and then that it is good.
    pub fn verdicts(&mut self, group: usize, says: impl IntoIterator<Item = Says>) {
        self.company.checks.says.insert(Group::new(group).unwrap(), says.into_iter().collect());
    }

    /// The command says what `judge` makes of its arguments.
    pub fn judged_by(&mut self, judge: impl FnMut(&[String]) -> Says + 'static) {
        self.company.checks.judge = Some(Box::new(judge));
    }

    /// The arguments of the calls so far, each in one line.
    pub fn called(&self) -> Vec<String> {
        self.company.checks.calls.iter().map(|call| call.arguments.join(" ")).collect()
    }

    /// Makes and ends the calls that the manager wants; whether there were any.
    pub fn drive_checks(&mut self) -> bool {
        if let Some(group) = heap::of_manager(|| self.manager.poll_end_check()) {
            let checks = &mut self.company.checks;
            checks.ended.push((self.clock.elapsed, group));
            checks.running.retain(|running| *running != group);
            // By then it says nothing of the group any more.
            self.answer(group, Says::Bad("ended by signal 15"));
            return true;
        }
        let Some(mut called) = self.poll_check() else { return false };
        let checks = &mut self.company.checks;
        let group = called.group;
        let judge = checks.judge.as_mut();
        let judged = judge.map(|judge| heap::of_world(|| judge(&called.arguments)));
        let scripted = || checks.says.get_mut(&group).and_then(VecDeque::pop_front);
        called.says = judged.or_else(scripted).unwrap_or(Says::Good);
        let says = called.says;
        checks.calls.push(called);
        assert!(!checks.running.contains(&group), "a group has one call at most");
        match says {
            Says::Nothing => checks.running.push(group),
            says => self.answer(group, says),
        }
        true
    }

    fn poll_check(&mut self) -> Option<Called> {
        let manager = &mut self.manager;
        let call = heap::of_manager(|| manager.poll_check())?;
        let domains = call.domains.iter().map(|domain| String::from(*domain));
        let arguments = [call.activity.to_string()].into_iter().chain(domains).collect();
        let (at, after) = (self.clock.elapsed, self.broker.seen.len());
        Some(Called { at, group: call.group, arguments, after, says: Says::Good })
    }

    fn answer(&mut self, group: Group, says: Says) {
        let words = match says {
            Says::Bad(words) => Escaped(words).to_string(),
            _ => String::new(),
        };
        let verdict = match says {
            Says::Good => Verdict::Good,
            Says::NotYet | Says::Nothing => Verdict::NotYet,
            Says::Bad(_) => Verdict::Bad(Text::from_checked(&words)),
        };
        let now = self.clock.now();
        heap::of_manager(|| self.manager.handle_checked(now, group, verdict));
    }
}
