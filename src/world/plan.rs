//! What must come of an activity, written from docs/protocol.md, "The activity", alone:
//! it knows who does what, and nothing of the manager.

use std::collections::BTreeMap;

/// What an agent does with what it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Does {
    /// All of it, well.
    All,
    /// It finds nothing to do.
    Nothing,
    /// This fails, `IDENTIFY` for the desired state.
    AllBut(&'static str),
    /// This is never answered.
    SilentAt(&'static str),
}

/// An activity, and those who take part in it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The domains that the desired state names.
    pub domains: &'static [&'static str],
    pub agents: &'static [(&'static str, Does)],
    /// The command before which the owner is asked, and the answer, if there is one.
    pub consent: Option<(&'static str, Option<&'static str>)>,
}

/// What the backend is told at the end, and what each domain is, in order:
/// `IDENTIFY` for the desired state.
#[derive(Debug)]
pub struct Expected {
    pub end: &'static str,
    pub orders: BTreeMap<&'static str, Vec<&'static str>>,
}

/// What one policy makes of a plan.
pub type Model = fn(&Plan) -> Expected;

impl Plan {
    /// What `Lockstep` makes of it.
    pub fn in_lockstep(&self) -> Expected {
        let mut orders: BTreeMap<&str, Vec<&str>> = self.agents.iter().map(|(domain, _)| (*domain, vec![])).collect();
        let mut tell = |domain, order| orders.entry(domain).or_default().push(order);
        let fails = |does: Does, at| does == Does::AllBut(at) || does == Does::SilentAt(at);
        let served = self.agents.iter().filter(|(domain, _)| self.domains.contains(domain));
        let mut working: Vec<(&str, Does)> = served.copied().collect();
        let mut end = if working.is_empty() { "INCOMPLETE" } else { "COMPLETED" };
        working.iter().for_each(|(domain, _)| tell(*domain, "IDENTIFY"));
        if working.iter().any(|(_, does)| fails(*does, "IDENTIFY")) {
            return Expected { end: "IDENTIFICATION_FAILED", orders };
        }
        working.retain(|(_, does)| *does != Does::Nothing);
        for command in ["DOWNLOAD", "UPDATE", "ACTIVATE"] {
            let asked = self.consent.filter(|(before, _)| *before == command && !working.is_empty());
            if asked.is_some_and(|(_, answer)| answer != Some("APPROVED")) {
                end = "INCOMPLETE";
                let undone = working.iter().filter(|_| command != "DOWNLOAD");
                undone.for_each(|(domain, _)| tell(*domain, "ROLLBACK"));
                break;
            }
            working.iter().for_each(|(domain, _)| tell(*domain, command));
            for (domain, _) in working.iter().filter(|(_, does)| fails(*does, command)) {
                end = "INCOMPLETE";
                tell(*domain, "CLEANUP");
            }
            working.retain(|(_, does)| !fails(*does, command));
        }
        working.iter().for_each(|(domain, _)| tell(*domain, "CLEANUP"));
        Expected { end, orders }
    }
}
