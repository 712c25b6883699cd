//! What other policies make of a plan, written from what they promise alone.

use std::collections::BTreeMap;

use update_manager::world::plan::{Does, Expected, Plan};

const COMMANDS: [&str; 3] = ["DOWNLOAD", "UPDATE", "ACTIVATE"];

type Orders = BTreeMap<&'static str, Vec<&'static str>>;

fn fails(does: Does, at: &str) -> bool {
    matches!(does, Does::AllBut(command) | Does::SilentAt(command) if command == at)
}

/// A plan as it goes on: who still takes part, and what was told.
struct Course {
    orders: Orders,
    working: Vec<(&'static str, Does)>,
    consent: Option<(&'static str, Option<&'static str>)>,
    end: &'static str,
}

impl Course {
    /// All have identified; none if one failed to.
    fn identified(plan: &Plan) -> Result<Course, Expected> {
        let mut orders: Orders = plan.agents.iter().map(|(domain, _)| (*domain, vec![])).collect();
        let served = plan.agents.iter().filter(|(domain, _)| plan.domains.contains(domain));
        let mut working: Vec<_> = served.copied().collect();
        let end = if working.is_empty() { "INCOMPLETE" } else { "COMPLETED" };
        working.iter().for_each(|(domain, _)| orders.entry(domain).or_default().push("IDENTIFY"));
        if working.iter().any(|(_, does)| fails(*does, "IDENTIFY")) {
            return Err(Expected { end: "IDENTIFICATION_FAILED", orders });
        }
        working.retain(|(_, does)| *does != Does::Nothing);
        Ok(Course { orders, working, consent: plan.consent, end })
    }

    fn tell(&mut self, domain: &'static str, order: &'static str) {
        self.orders.entry(domain).or_default().push(order);
    }

    /// Whether the owner is asked before this and does not approve; asked once.
    fn is_refused(&mut self, command: &str) -> bool {
        match self.consent.filter(|(before, _)| *before == command) {
            Some((_, answer)) => {
                self.consent = None;
                answer != Some("APPROVED")
            }
            None => false,
        }
    }

    /// All that still take part are turned back.
    fn turn_back(mut self) -> Expected {
        self.end = "INCOMPLETE";
        for (domain, _) in core::mem::take(&mut self.working) {
            if self.orders[domain].contains(&"DOWNLOAD") {
                self.tell(domain, "ROLLBACK");
            }
            self.tell(domain, "CLEANUP");
        }
        self.ended()
    }

    /// All that still take part clean up.
    fn clean_up(mut self) -> Expected {
        for (domain, _) in core::mem::take(&mut self.working) {
            self.tell(domain, "CLEANUP");
        }
        self.ended()
    }

    fn ended(self) -> Expected {
        Expected { end: self.end, orders: self.orders }
    }

    /// Leads these domains up to their activation in lockstep. One that fails is cleaned
    /// up. None if the owner refused.
    fn lead(&mut self, mut led: Vec<(&'static str, Does)>) -> Option<()> {
        for command in COMMANDS {
            if led.is_empty() {
                break;
            }
            if self.is_refused(command) {
                return None;
            }
            led.iter().for_each(|(domain, _)| self.tell(domain, command));
            for (domain, _) in led.iter().filter(|(_, does)| fails(*does, command)) {
                self.end = "INCOMPLETE";
                self.tell(domain, "CLEANUP");
                self.working.retain(|(working, _)| working != domain);
            }
            led.retain(|(_, does)| !fails(*does, command));
        }
        Some(())
    }
}

/// One domain after the other, to its end, and none after one that failed.
pub fn one_by_one(plan: &Plan) -> Expected {
    let mut course = match Course::identified(plan) {
        Ok(course) => course,
        Err(expected) => return expected,
    };
    while let Some(next) = course.working.first().copied() {
        if course.end == "INCOMPLETE" {
            break;
        }
        if course.lead(vec![next]).is_none() {
            return course.turn_back();
        }
        if course.working.first() == Some(&next) {
            course.working.remove(0);
            course.tell(next.0, "CLEANUP");
        }
    }
    course.clean_up()
}

/// The first domain up to its activation, then the others; if it fails they are untouched.
pub fn canary(plan: &Plan) -> Expected {
    let mut course = match Course::identified(plan) {
        Ok(course) => course,
        Err(expected) => return expected,
    };
    let (first, others): (Vec<_>, Vec<_>) = course.working.iter().copied().partition(|(domain, _)| *domain == "one");
    if course.lead(first).is_none() {
        return course.turn_back();
    }
    if course.end == "COMPLETED" && course.lead(others).is_none() {
        return course.turn_back();
    }
    course.clean_up()
}

/// Lockstep, but all are rolled back if one fails.
pub fn all_or_none(plan: &Plan) -> Expected {
    let mut course = match Course::identified(plan) {
        Ok(course) => course,
        Err(expected) => return expected,
    };
    for command in COMMANDS {
        if course.working.is_empty() {
            break;
        }
        if course.is_refused(command) {
            return course.turn_back();
        }
        for (domain, _) in course.working.clone() {
            course.tell(domain, command);
        }
        if course.working.iter().any(|(_, does)| fails(*does, command)) {
            return course.turn_back();
        }
    }
    course.clean_up()
}
