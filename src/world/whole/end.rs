//! What the final status says, against what the domains are.

use std::collections::BTreeSet;

use crate::world::seen::Report;
use crate::world::whole::setup::Setup;
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

/// What a domain was when an activity began, and is at its end.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub domain: &'static str,
    pub before: Truth,
    pub after: Truth,
}

/// Each group is all new or all old, or the final status names the domain that is not.
/// What was left out of it, if it is not so. Domains that nobody knows are not among those
/// that were found.
pub fn whole_or_named(setup: &Setup, end: &Report, found: &[Found]) -> Option<String> {
    let named = inconsistent(end);
    if end.message.contains("inconsistent: ") == named.is_empty() {
        return Some(format!("nobody is called inconsistent: {}", end.message));
    }
    let is_called = end.status == "INCOMPLETE_INCONSISTENT";
    // Identification that fails has a status of its own.
    let may_call = setup.reports_inconsistent && end.status != "IDENTIFICATION_FAILED";
    if is_called != (may_call && !named.is_empty()) {
        return Some(format!("{} with: {}", end.status, end.message));
    }
    if !setup.has_groups() {
        return (!named.is_empty()).then(|| format!("without groups, and inconsistent: {}", end.message));
    }
    setup.groups().into_iter().find_map(|group| {
        let of_group = |found: &&Found| setup.parts.iter().any(|it| it.group == group && it.domain == found.domain);
        let found: Vec<Found> = found.iter().filter(of_group).copied().collect();
        whole(setup, end, &found, &named).map(|why| format!("group {group}: {why}"))
    })
}

/// One group.
fn whole(setup: &Setup, end: &Report, found: &[Found], named: &BTreeSet<String>) -> Option<String> {
    let is_alone = |domain: &str| setup.parts.iter().any(|part| part.domain == domain && part.is_alone);
    let is_named = |domain: &str| match is_alone(domain) {
        true => end.message.contains(&format!("[{domain}]")),
        false => named.contains(domain),
    };
    let is_stray = |is_so: fn(&Found) -> bool| found.iter().find(|it| !is_so(it) && !is_named(it.domain));
    let unchanged = is_stray(|it| it.after == Truth::New)?;
    if end.status == "COMPLETED" {
        return Some(format!("COMPLETED, and {unchanged:?}"));
    }
    // One that an earlier activity has left half done may have become whole by going back.
    let changed = is_stray(|it| it.after == it.before || it.after == Truth::Old)?;
    Some(format!("neither all new, for {unchanged:?}, nor all old, for {changed:?}, in: {}", end.message))
}
