//! What the final status says, against what the domains are.

use std::collections::BTreeSet;

use crate::world::scenario::World;
use crate::world::seen::Report;
use crate::world::whole::setup::{Part, Setup};
use crate::world::whole::truth::Truth;

/// The domains that a message names, from `part` of it on up to the next semicolon.
fn named_from(message: &str, part: &str) -> BTreeSet<String> {
    let Some((_, list)) = message.split_once(part) else { return BTreeSet::new() };
    let list = list.split(';').next().unwrap_or_default();
    let names = list.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The domains that a final status calls inconsistent.
pub fn inconsistent(end: &Report) -> BTreeSet<String> {
    named_from(&end.message, "inconsistent: ")
}

/// Each group is all new or all old, or the final status names the domain that is not.
/// What was left out of it, if it is not so. Domains of erratic agents are known by nobody.
pub fn whole_or_named(world: &World, setup: &Setup, end: &Report) -> Option<String> {
    let named = inconsistent(end);
    if end.message.contains("inconsistent: ") == named.is_empty() {
        return Some(format!("nobody is called inconsistent: {}", end.message));
    }
    let is_called = end.status == "INCOMPLETE_INCONSISTENT";
    if is_called != (setup.reports_inconsistent && !named.is_empty()) {
        return Some(format!("{} with: {}", end.status, end.message));
    }
    if !setup.has_groups() {
        return (!named.is_empty()).then(|| format!("without groups, and inconsistent: {}", end.message));
    }
    setup.groups().into_iter().find_map(|group| whole(world, setup, group, end, &named))
}

/// One group.
fn whole(world: &World, setup: &Setup, group: usize, end: &Report, named: &BTreeSet<String>) -> Option<String> {
    let truth = |part: &Part| world.company.devices.get(part.domain)?.borrow().of_activity(world.wall());
    let parts = setup.parts.iter().filter(|part| part.group == group);
    let known: Vec<(Part, Truth)> = parts.filter_map(|part| Some((*part, truth(part)?))).collect();
    let is_named = |part: &Part| match part.is_alone {
        true => end.message.contains(&format!("[{}]", part.domain)),
        false => named.contains(part.domain),
    };
    let stray = |wanted: Truth| known.iter().find(|(part, truth)| *truth != wanted && !is_named(part));
    if end.status == "COMPLETED" {
        return stray(Truth::New).map(|(part, truth)| format!("COMPLETED, and [{}] is {truth:?}", part.domain));
    }
    let (new, old) = (stray(Truth::New)?, stray(Truth::Old)?);
    Some(format!("group {group} is neither all new, for {new:?}, nor all old, for {old:?}, in: {}", end.message))
}
