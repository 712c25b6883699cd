//! Groups of domains: how far each is, and why something is rolled back.

use core::fmt::{self, Write};

use super::page::Page;
use super::view::View;
use crate::engine::domain::Domain;
use crate::engine::group::{Group, GroupSet};
use crate::engine::Campaign;
use crate::limits::SHOWN_GROUPS_MAX;
use crate::model::text::Text;
use crate::model::{Phase, Rollback};
use crate::wire::json::Json;

/// Writes a line for each group, where there are any; `begin` writes what stands before it.
///
/// # Errors
/// The page fails, as with all functions here.
pub fn write(view: &View<'_>, begin: &dyn Fn(&mut Page<'_>) -> fmt::Result, page: &mut Page<'_>) -> fmt::Result {
    let Some(campaign) = view.running().filter(|campaign| has_groups(campaign)) else { return Ok(()) };
    let groups = groups_of(campaign);
    for group in groups.iter().take(SHOWN_GROUPS_MAX) {
        begin(page)?;
        write!(page, "{}: ", state_of(campaign, group).0)?;
        for (n, domain) in campaign.participants().iter().filter(|d| is_in(campaign.domain(*d), group)).enumerate() {
            write!(page, "{}{}", if n > 0 { ", " } else { "" }, view.domain(domain))?;
        }
        page.write_char('\n')?;
    }
    match groups.iter().count().checked_sub(SHOWN_GROUPS_MAX + 1) {
        Some(more) => {
            begin(page)?;
            writeln!(page, "and {} more", more + 1)
        }
        None => Ok(()),
    }
}

/// Writes why something is rolled back, if it is, as a line.
///
/// # Errors
/// The page fails.
pub fn write_reason(view: &View<'_>, page: &mut Page<'_>) -> fmt::Result {
    match view.activity.rolls_back_for {
        "" => Ok(()),
        reason => writeln!(page, "{}", Text::from_checked(reason)),
    }
}

/// Encodes them as members of the activity.
///
/// # Errors
/// The output fails.
pub fn encode(view: &View<'_>, campaign: &Campaign, json: &mut Json<'_>) -> fmt::Result {
    if !has_groups(campaign) {
        return Ok(());
    }
    json.text("rollback", &campaign.groups.rollback.name())?;
    json.begin_array("groups")?;
    for group in groups_of(campaign).iter() {
        json.begin_object("")?;
        json.text("state", &state_of(campaign, group).1)?;
        json.begin_array("domains")?;
        for domain in campaign.participants().iter().filter(|domain| is_in(campaign.domain(*domain), group)) {
            json.text("", &view.domain(domain))?;
        }
        json.end_array()?;
        json.end_object()?;
    }
    json.end_array()?;
    match view.activity.rolls_back_for {
        "" => Ok(()),
        reason => json.escaped("reason", reason),
    }
}

/// Whether groups make a difference to the activity.
fn has_groups(campaign: &Campaign) -> bool {
    let groups = &campaign.groups;
    groups.rollback != Rollback::None || !groups.turned.or(groups.verifying).is_empty()
}

fn groups_of(campaign: &Campaign) -> GroupSet {
    campaign.domains.iter().flatten().map(|part| part.group).collect()
}

fn is_in(part: Option<&Domain>, group: Group) -> bool {
    part.is_some_and(|part| part.group == group)
}

/// How far a group is, in words for people and for programs.
fn state_of(campaign: &Campaign, group: Group) -> (&'static str, &'static str) {
    let groups = &campaign.groups;
    let mut parts = campaign.domains.iter().flatten().filter(|part| part.group == group);
    match () {
        () if groups.committed.contains(group) => ("committed", "committed"),
        () if groups.turned.contains(group) && parts.all(|part| part.state.is_done()) => ("turned back", "turnedBack"),
        () if groups.turned.contains(group) => ("rolling back", "rollingBack"),
        () if groups.verifying.contains(group) => ("being verified", "verifying"),
        () => {
            let phase = parts.filter_map(|part| part.furthest).max().unwrap_or(Phase::Identify).name();
            (phase, phase)
        }
    }
}
