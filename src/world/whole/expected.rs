//! What must come of a shape that nothing disturbs, written from docs/whole-device.md and
//! docs/protocol.md, "The activity", alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Rollback;
use crate::world::kind::Kind;
use crate::world::whole::shape::{Check, Does, Member, Shape};
use crate::world::whole::way::FORWARD;

/// What the backend is told at the end, and what each domain is told.
#[derive(Debug)]
pub struct Expected {
    pub end: &'static str,
    /// Those that the final status calls inconsistent.
    pub inconsistent: BTreeSet<&'static str>,
    /// Those that it names for a failure of their own.
    pub failed: BTreeSet<&'static str>,
    /// Those that were rolled back or restored.
    pub undone: BTreeSet<&'static str>,
    /// What each domain is told, `IDENTIFY` for the desired state.
    pub orders: BTreeMap<&'static str, Vec<&'static str>>,
    /// Those for which it does not matter whether they are told to clean up.
    pub optional: BTreeSet<&'static str>,
    /// Those that are restored, and how that goes.
    pub restoring: BTreeMap<&'static str, Restoring>,
    /// Those that fail alone while their group fails: either may come first.
    pub uncertain: BTreeSet<&'static str>,
}

/// How a domain is restored.
#[derive(Clone, Default, Debug)]
pub struct Restoring {
    /// What it is told.
    pub orders: Vec<&'static str>,
    /// It does not matter whether it is told to clean up.
    pub is_free: bool,
}

/// One group of a shape, as it goes on.
struct Course<'s> {
    shape: &'s Shape,
    group: usize,
    /// Those that are led.
    led: Vec<&'s Member>,
    /// Those that have committed by themselves.
    early: Vec<&'s Member>,
    /// Those that have failed alone and were cleaned up.
    alone: Vec<&'s Member>,
    expected: &'s mut Expected,
}

impl Shape {
    /// What comes of it, if it is not cancelled.
    pub fn expected(&self) -> Expected {
        let mut expected = Expected {
            end: "COMPLETED",
            inconsistent: BTreeSet::new(),
            failed: BTreeSet::new(),
            undone: BTreeSet::new(),
            restoring: BTreeMap::new(),
            orders: self.members.iter().map(|member| (member.domain, Vec::new())).collect(),
            optional: BTreeSet::new(),
            uncertain: BTreeSet::new(),
        };
        if self.is_unserved && self.rollback != Rollback::None {
            expected.end = "IDENTIFICATION_FAILED";
            return expected;
        }
        expected.optional =
            self.members.iter().filter(|member| member.does == Does::Nothing).map(|it| it.domain).collect();
        self.members.iter().for_each(|member| expected.tell(member, "IDENTIFY"));
        let refusing = self.members.iter().filter(|member| member.fails("IDENTIFY"));
        let (alone, others): (Vec<&Member>, Vec<&Member>) = refusing.partition(|member| member.is_alone);
        expected.failed.extend(alone.iter().chain(&others).map(|member| member.domain));
        if !others.is_empty() {
            expected.end = "IDENTIFICATION_FAILED";
            return expected;
        }
        if !alone.is_empty() {
            expected.end = "INCOMPLETE";
        }
        let mut groups: Vec<usize> = self.members.iter().map(|member| self.group_of(member)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.into_iter().for_each(|group| self.lead_group(group, &mut expected));
        if self.reports_inconsistent && !expected.inconsistent.is_empty() {
            expected.end = "INCOMPLETE_INCONSISTENT";
        }
        expected
    }

    fn lead_group(&self, group: usize, expected: &mut Expected) {
        let of_group = self.members.iter().filter(|member| self.group_of(member) == group);
        let working = of_group.filter(|member| !member.fails("IDENTIFY") && member.does != Does::Nothing);
        let (early, led) = working.partition(|member| member.does == Does::Early("IDENTIFY"));
        let mut course = Course { shape: self, group, led, early, alone: Vec::new(), expected };
        match course.lead() {
            true if course.is_verified() => course.clean_up(),
            _ => course.turn_back(),
        }
    }
}

impl Member {
    fn fails(&self, command: &str) -> bool {
        self.does.fails(command)
    }

    /// What it was told last before it was cleaned up.
    fn last_of(&self, orders: &BTreeMap<&'static str, Vec<&'static str>>) -> &'static str {
        let last = orders[self.domain].iter().rev().find(|order| **order != "CLEANUP");
        last.copied().unwrap_or_default()
    }

    fn fails_loudly(&self, command: &str) -> bool {
        matches!(self.does, Does::Fails(at) if at == command)
    }

    /// Whether its ROLLBACK, after this command was the last, shows that it is old.
    fn is_undone(&self, last: &str) -> bool {
        let has_answered = !matches!(self.does, Does::Mute(at) if at.contains(&last));
        let is_mute = self.kind == Kind::SelfUpdate || matches!(self.does, Does::Mute(at) if at.contains(&"ROLLBACK"));
        // The containers agent takes none after these.
        let is_strict = matches!(self.kind, Kind::Strict | Kind::Silent);
        let is_refused = is_strict && last == "UPDATE" && self.fails_loudly(last);
        match () {
            () if is_mute && !is_refused => has_answered && last != "ACTIVATE",
            () => !is_refused && self.does != Does::Fails("ROLLBACK"),
        }
    }
}

impl Does {
    fn fails(self, command: &str) -> bool {
        match self {
            Does::Fails(at) => at == command,
            Does::Mute(at) => at.contains(&command),
            _ => false,
        }
    }
}

impl Expected {
    fn tell(&mut self, member: &Member, order: &'static str) {
        self.orders.entry(member.domain).or_default().push(order);
    }

    fn last(&self, member: &Member) -> &'static str {
        self.orders[member.domain].last().copied().unwrap_or_default()
    }

    /// It is led back to what it was committed to, once.
    fn restore(&mut self, member: &Member) {
        let restoring = self.restoring.entry(member.domain).or_default();
        // The self-update agent takes no other activity while it has one, which it does not
        // clean up before it has activated.
        let is_stuck = member.kind == Kind::SelfUpdate && matches!(member.does, Does::Early(_));
        let does = if is_stuck { Does::Mute(&["IDENTIFY"]) } else { member.restores };
        let mut is_well = true;
        for order in ["IDENTIFY"].into_iter().chain(FORWARD) {
            restoring.orders.push(order);
            is_well = !does.fails(order);
            // `COMPLETED` is the end of it, and CLEANUP does no harm.
            restoring.is_free = does == Does::Early(order) || does == Does::Nothing && member.kind.completes_idle();
            if !is_well || restoring.is_free || does == Does::Nothing {
                break;
            }
        }
        if !restoring.is_free {
            restoring.orders.push("CLEANUP");
        }
        match is_well && !does.fails("CLEANUP") {
            true => self.undone.insert(member.domain),
            false => self.inconsistent.insert(member.domain),
        };
    }
}

impl<'s> Course<'s> {
    /// Leads the group up to its activation; whether it came to that.
    fn lead(&mut self) -> bool {
        for command in FORWARD {
            let asked = self.shape.consent.filter(|(before, _)| *before == command && !self.led.is_empty());
            if asked.is_some_and(|(_, answer)| answer != Some("APPROVED")) {
                return false;
            }
            let mut orders: Vec<u8> = self.led.iter().map(|member| member.order).collect();
            orders.sort_unstable();
            orders.dedup();
            let steps = if command == "ACTIVATE" { orders } else { vec![0] };
            for order in steps {
                let is_next = |member: &&Member| order == 0 || member.order == order;
                let next: Vec<&Member> = self.led.iter().copied().filter(is_next).collect();
                if !self.tell(command, &next) {
                    return false;
                }
            }
        }
        true
    }

    /// Whether nothing follows for the group from what comes of it.
    fn tell(&mut self, command: &'static str, members: &[&'s Member]) -> bool {
        let mut is_well = true;
        for member in members.iter().copied() {
            self.expected.tell(member, command);
            if member.does == Does::Early(command) {
                self.led.retain(|led| led.domain != member.domain);
                self.early.push(member);
            }
            if !member.fails(command) {
                continue;
            }
            self.expected.failed.insert(member.domain);
            self.expected.end = "INCOMPLETE";
            if member.is_alone || self.shape.rollback == Rollback::None {
                self.expected.tell(member, "CLEANUP");
                self.led.retain(|led| led.domain != member.domain);
                self.alone.push(member);
            } else {
                is_well = false;
            }
        }
        if !is_well {
            let alone = members.iter().filter(|member| member.is_alone && member.fails(command));
            self.expected.uncertain.extend(alone.map(|member| member.domain));
        }
        is_well
    }

    fn is_verified(&mut self) -> bool {
        if self.led.is_empty() && self.early.is_empty() {
            return true;
        }
        let bad: Vec<&Member> = match self.shape.check {
            Check::None => Vec::new(),
            Check::Command(Some(bad)) | Check::Never(bad) | Check::Hangs(bad) => {
                return bad != self.group;
            }
            Check::Command(None) => Vec::new(),
            Check::Inventories => self.led.iter().copied().filter(|member| member.does == Does::Pretends).collect(),
        };
        let (alone, others): (Vec<&Member>, Vec<&Member>) = bad.into_iter().partition(|member| member.is_alone);
        for member in alone {
            self.expected.end = "INCOMPLETE";
            self.expected.failed.insert(member.domain);
            self.led.retain(|led| led.domain != member.domain);
            self.expected.tell(member, "ROLLBACK");
            self.expected.tell(member, "CLEANUP");
        }
        self.expected.failed.extend(others.iter().map(|member| member.domain));
        others.is_empty()
    }

    fn clean_up(self) {
        self.led.iter().for_each(|member| self.expected.tell(member, "CLEANUP"));
    }

    fn turn_back(self) {
        let Course { shape, led, early, alone, expected, .. } = self;
        expected.end = "INCOMPLETE";
        let mut lost: Vec<&Member> = Vec::new();
        for member in led {
            let last = expected.last(member);
            if last == "IDENTIFY" {
                expected.optional.insert(member.domain);
                continue;
            }
            // Silence is a failure, too.
            if !(last == "DOWNLOAD" && member.fails(last)) {
                let helps = !(member.is_for_good && last == "ACTIVATE");
                if helps {
                    expected.tell(member, "ROLLBACK");
                }
                match helps && member.is_undone(last) {
                    true => drop(expected.undone.insert(member.domain)),
                    false => lost.push(member),
                }
            }
            expected.tell(member, "CLEANUP");
        }
        if shape.rollback == Rollback::None {
            return;
        }
        // What they began nobody has undone.
        let has_begun = |member: &&Member| matches!(member.last_of(&expected.orders), "UPDATE" | "ACTIVATE");
        lost.extend(alone.into_iter().filter(has_begun));
        for member in early {
            lost.push(member);
            // One that was given no command is owed none, unless it is restored.
            match expected.last(member) {
                "IDENTIFY" if !shape.is_kept => drop(expected.optional.insert(member.domain)),
                _ => expected.tell(member, "CLEANUP"),
            }
        }
        for member in lost {
            match shape.is_kept {
                true => expected.restore(member),
                false => drop(expected.inconsistent.insert(member.domain)),
            }
        }
    }
}
