//! `status`: what goes on, and what it waits for, on one screen of 80x24.

use core::fmt::{self, Write};

use super::page::{Page, Span, When};
use super::view::{Progress, Said, Thing, View};
use crate::engine::domain::{Domain, State};
use crate::engine::obligation::InDoubt;
use crate::model::text::Text;
use crate::model::{DomainIx, Reboot};
use crate::wire::json::Json;
use crate::wire::things::EDGE_RESPONSE;

/// Column of what follows a line's name.
const COLUMN: usize = 11;

/// Columns of a domain's name, its state and its actions.
const DOMAIN: usize = 20;
const STATE: usize = 38;
const ACTIONS: usize = 49;

/// Writes it as text.
///
/// # Errors
/// The page fails, as with all functions here.
pub fn write(view: &View<'_>, page: &mut Page<'_>) -> fmt::Result {
    write!(page, "update-manager {}, up {}", env!("CARGO_PKG_VERSION"), view.ago(view.started))?;
    writeln!(page, ", {} UTC, {} KiB resident", When(view.now.wall), (view.host.resident_kib)())?;
    begin(page, "broker")?;
    write_connection(view, page)?;
    if view.thing == Thing::Unknown {
        begin(page, "thing")?;
        writeln!(page, "no identity has come on {EDGE_RESPONSE}")?;
    }
    begin(page, "activity")?;
    match view.running() {
        Some(campaign) => {
            let (id, phase) = (Text::from_checked(&campaign.identity.activity), campaign.present_phase().name());
            write!(page, "{id}: {phase} for {}", view.ago(view.journal.phase_since))?;
            if campaign.starts.is_taken_up {
                write!(page, ", taken up after a restart")?;
            }
            if view.activity.is_unsaved {
                write!(page, ", not saved")?;
            }
            page.write_char('\n')?;
        }
        None => page.write_str("none\n")?,
    }
    super::groups::write(view, &|page| begin(page, "group"), page)?;
    if !view.activity.rolls_back_for.is_empty() {
        begin(page, "because")?;
        super::groups::write_reason(view, page)?;
    }
    begin(page, "waits for")?;
    view.write_waiting(page)?;
    page.write_char('\n')?;
    begin(page, "last")?;
    match view.journal.past().next_back() {
        Some(last) => {
            let ago_ms = match view.journal.ended {
                Some(ended) => view.now.tick.since(ended),
                None => view.now.wall.saturating_sub(last.ended),
            };
            let ended = Span(ago_ms);
            write!(page, "{}: {}", Text::from_checked(&last.activity), last.outcome.name())?;
            write!(page, " {ended} ago")?;
            if !last.reason.is_empty() {
                write!(page, ": {}", Text::from_checked(&last.reason))?;
            }
            page.write_char('\n')?;
        }
        None => page.write_str("none\n")?,
    }
    for (place, name) in view.domains.names.iter().enumerate() {
        write_domain(view, page, place, name)?;
    }
    let counters = &view.counters;
    begin(page, "messages")?;
    write!(page, "{}, {} malformed, {} too large", counters.messages, counters.malformed, counters.oversized)?;
    write!(page, ", {} refused; {} reconnects", counters.desired_states, view.session.reconnects)?;
    writeln!(page, ", {} resumed", view.journal.taken_up)?;
    begin(page, "limits")?;
    for (n, of) in view.uses.iter().enumerate() {
        write!(page, "{}{} {}/{}", if n > 0 { ", " } else { "" }, of.name, Short(of.used), Short(of.max))?;
    }
    page.write_char('\n')
}

fn begin(page: &mut Page<'_>, name: &str) -> fmt::Result {
    page.write_str(name)?;
    page.tab(COLUMN)
}

fn write_connection(view: &View<'_>, page: &mut Page<'_>) -> fmt::Result {
    let session = &view.session;
    write!(page, "{}connected", if session.connected { "" } else { "not " })?;
    match session.since {
        Some(since) => write!(page, " for {}", view.ago(since))?,
        None => page.write_str(" yet")?,
    }
    if session.connected {
        writeln!(page, " to {}", view.host.broker)?;
        let [first, rest @ ..] = view.refused else { return Ok(()) };
        begin(page, "deaf")?;
        write!(page, "the broker refuses the subscription to {first}")?;
        return match rest.len() {
            0 => page.write_char('\n'),
            more => writeln!(page, " and {more} more"),
        };
    }
    match (view.host.link_error, session.last) {
        ("", Some(reason)) => write!(page, ": {reason}")?,
        ("", None) => {}
        (words, _) => write!(page, ": {words}")?,
    }
    match session.retry_at {
        Some(at) => write!(page, "; next try in {}", view.left(at))?,
        None => page.write_str("; trying now")?,
    }
    writeln!(page, ", {}", view.host.broker)
}

fn write_domain(view: &View<'_>, page: &mut Page<'_>, place: usize, name: &str) -> fmt::Result {
    page.write_char(' ')?;
    page.cut(DOMAIN - 2, &name)?;
    page.tab(DOMAIN)?;
    let part = view.running().and_then(|campaign| Some((campaign, campaign.domains.get(place)?.as_ref()?)));
    let (Some((campaign, part)), Some(domain)) = (part, DomainIx::new(place)) else {
        let known = if (view.domains.is_known)(place) { "inventory known" } else { "no inventory yet" };
        page.write_str("idle")?;
        page.tab(STATE)?;
        return writeln!(page, "{known}");
    };
    write!(page, "{}", Progress(part))?;
    page.tab(STATE)?;
    let actions = campaign.actions.count(domain);
    write!(page, "{actions} action{}", if actions == 1 { "" } else { "s" })?;
    page.tab(ACTIONS)?;
    match view.domains.heard.get(place) {
        Some(Some(heard)) => writeln!(page, "{}", Said(heard))?,
        _ => page.write_char('\n')?,
    }
    match view.domains.doubts.get(place) {
        Some(Some(doubt)) => write_doubt(view, page, *doubt),
        _ => Ok(()),
    }
}

/// A line below the domain: since when it is in doubt, and what comes of it.
fn write_doubt(view: &View<'_>, page: &mut Page<'_>, doubt: InDoubt) -> fmt::Result {
    page.write_str("   ")?;
    match doubt {
        InDoubt::Suspected { since, repair_at } => {
            write!(page, "in doubt for {}", view.ago(since))?;
            match repair_at {
                Some(at) => writeln!(page, ", started over in {} unless it answers", view.left(at)),
                None => page.write_char('\n'),
            }
        }
        InDoubt::Repaired { since } => writeln!(page, "started over {} ago, no answer since", view.ago(since)),
        InDoubt::FailureKept { since } => {
            writeln!(page, "failed {} ago, which counts unless it starts over", view.ago(since))
        }
    }
}

fn encode_doubt(view: &View<'_>, doubt: InDoubt, json: &mut Json<'_>) -> fmt::Result {
    let (state, since, repair_at) = match doubt {
        InDoubt::Suspected { since, repair_at } => ("suspected", since, repair_at),
        InDoubt::Repaired { since } => ("startedOver", since, None),
        InDoubt::FailureKept { since } => ("failureKept", since, None),
    };
    json.begin_object("doubt")?;
    json.text("state", &state)?;
    json.number("since", view.wall(since))?;
    json.number("startsOverAt", repair_at.map(|at| view.wall(at)))?;
    json.end_object()
}

/// A number of four digits and a unit at most.
struct Short(usize);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=9999 => write!(f, "{}", self.0),
            more => write!(f, "{}K", more / 1024),
        }
    }
}

/// Encodes it as JSON: as the member `name`, or as the whole if that is empty.
///
/// # Errors
/// The output fails.
pub fn encode(view: &View<'_>, name: &str, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object(name)?;
    json.text("version", &env!("CARGO_PKG_VERSION"))?;
    json.number("uptimeMs", view.now.tick.since(view.started))?;
    json.number("residentKiB", (view.host.resident_kib)())?;
    json.begin_object("connection")?;
    json.text("broker", view.host.broker)?;
    json.raw("connected", &view.session.connected)?;
    json.number("since", view.session.since.map(|since| view.wall(since)))?;
    if !view.session.connected {
        match (view.host.link_error, view.session.last) {
            ("", Some(reason)) => json.text("reason", &reason)?,
            ("", None) => {}
            (words, _) => json.text("reason", &words)?,
        }
        json.number("retryAt", view.session.retry_at.map(|at| view.wall(at)))?;
    }
    if !view.refused.is_empty() {
        json.begin_array("refused")?;
        view.refused.iter().try_for_each(|filter| json.text("", filter))?;
        json.end_array()?;
    }
    json.end_object()?;
    encode_thing(view.thing, json)?;
    encode_activity(view, json)?;
    encode_reboot(view, json)?;
    if let Some(last) = view.journal.past().next_back() {
        super::history::encode_one(last, "last", json)?;
    }
    json.begin_array("domains")?;
    for (place, name) in view.domains.names.iter().enumerate() {
        encode_domain(view, place, name, json)?;
    }
    json.end_array()?;
    json.begin_object("counters")?;
    for (name, count) in [
        ("messages", view.counters.messages),
        ("malformed", view.counters.malformed),
        ("oversized", view.counters.oversized),
        ("desiredStatesRefused", view.counters.desired_states),
        ("reconnects", view.session.reconnects),
        ("resumed", view.journal.taken_up),
    ] {
        json.number(name, u64::from(count))?;
    }
    json.end_object()?;
    json.begin_object("limits")?;
    for of in &view.uses {
        json.begin_object(of.name)?;
        json.number("used", of.used as u64)?;
        json.number("max", of.max as u64)?;
        json.end_object()?;
    }
    json.end_object()?;
    json.end_object()
}

fn encode_thing(thing: Thing<'_>, json: &mut Json<'_>) -> fmt::Result {
    let id = match thing {
        Thing::None => return Ok(()),
        Thing::Unknown => None,
        Thing::Known(id) => Some(id),
    };
    json.begin_object("thing")?;
    json.raw("known", &id.is_some())?;
    id.map_or(Ok(()), |id| json.text("id", &id))?;
    json.end_object()
}

/// The running activity, if there is one.
///
/// # Errors
/// The output fails.
pub fn encode_activity(view: &View<'_>, json: &mut Json<'_>) -> fmt::Result {
    let Some(campaign) = view.running() else { return Ok(()) };
    json.begin_object("activity")?;
    json.escaped("id", &campaign.identity.activity)?;
    json.text("phase", &campaign.present_phase().name())?;
    json.number("begun", view.journal.begun)?;
    json.number("since", view.wall(view.journal.phase_since))?;
    json.raw("saved", &!view.activity.is_unsaved)?;
    super::groups::encode(view, campaign, json)?;
    view.encode_waiting(json)?;
    json.end_object()
}

fn encode_reboot(view: &View<'_>, json: &mut Json<'_>) -> fmt::Result {
    let state = match view.activity.reboot {
        Reboot::None => return Ok(()),
        Reboot::Delivering => "delivering",
        Reboot::Waiting => "waiting",
        Reboot::Triggered => "triggered",
        Reboot::Held => "held",
    };
    json.begin_object("reboot")?;
    json.text("state", &state)?;
    json.number("until", view.activity.until.map(|until| view.wall(until)))?;
    json.end_object()
}

fn encode_domain(view: &View<'_>, place: usize, name: &str, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object("")?;
    json.text("id", &name)?;
    json.raw("inventoryKnown", &(view.domains.is_known)(place))?;
    let part = view.running().and_then(|campaign| Some((campaign, campaign.domains.get(place)?.as_ref()?)));
    if let (Some((campaign, part)), Some(domain)) = (part, DomainIx::new(place)) {
        let (state, phase) = state_of(part);
        json.text("state", &state)?;
        json.escaped("phase", phase)?;
        json.raw("failed", &part.failure.is_some())?;
        if part.restore.is_under_way() {
            json.raw("restoring", &true)?;
        }
        json.number("actions", campaign.actions.count(domain) as u64)?;
        if let Some(Some(heard)) = view.domains.heard.get(place) {
            json.text("status", &heard.status.name())?;
            json.escaped("message", &heard.words)?;
        }
        if let Some(Some(doubt)) = view.domains.doubts.get(place) {
            encode_doubt(view, *doubt, json)?;
        }
    } else {
        json.text("state", &"idle")?;
    }
    json.end_object()
}

fn state_of(part: &Domain) -> (&'static str, &'static str) {
    match part.state {
        State::Working(phase) => ("working", phase.name()),
        State::Ready(phase) => ("ready", phase.name()),
        State::RollingBack(_) => ("rollingBack", ""),
        State::CleaningUp(_) => ("cleaningUp", ""),
        State::New => ("new", ""),
        State::Failed(phase) => ("failed", phase.name()),
        State::RolledBack(_) => ("rolledBack", ""),
        State::Done(_) => ("done", ""),
    }
}
