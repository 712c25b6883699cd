//! `watch`: the running activity by component.

use core::fmt::{self, Write};

use super::history;
use super::page::{Page, Span};
use super::status::encode_activity;
use super::view::{is_over, percent, Activity, View};
use crate::engine::actions::KnownAction;
use crate::engine::Campaign;
use crate::exit;
use crate::model::text::Text;
use crate::model::{ActionStatus, Status};
use crate::store::journal::Past;
use crate::wire::feedback::component_version;
use crate::wire::json::Json;

/// Columns of a component's name, and of its bar.
const NAME: usize = 30;
const BAR: usize = 10;

/// Rows that the head and the cursor take.
const ROWS_BESIDE: usize = 3;

/// What there is to be watched.
pub enum Scene<'a> {
    /// No activity runs.
    Idle,
    /// One runs.
    Running,
    /// The one that is asked for has ended.
    Ended(&'a Past),
}

impl Scene<'_> {
    /// How whoever watches ends; none: not yet.
    pub fn exit(&self) -> Option<u8> {
        match self {
            Scene::Ended(past) if past.outcome == Status::Completed => Some(exit::DONE),
            Scene::Ended(_) => Some(exit::INCOMPLETE),
            _ => None,
        }
    }
}

/// Writes it as text, on at most so many rows; 0: it is no screen.
///
/// # Errors
/// The page fails.
pub fn write(view: &View<'_>, scene: &Scene<'_>, rows: u16, page: &mut Page<'_>) -> fmt::Result {
    let is_screen = rows > 0;
    match scene {
        Scene::Idle => return page.write_str("no activity runs; waiting for one\n"),
        Scene::Running => {
            let Some(campaign) = view.running() else { return Ok(()) };
            write!(page, "{}: {}", Text::from_checked(&campaign.identity.activity), campaign.present_phase().name())?;
            if is_screen {
                write!(page, " for {}", view.ago(view.journal.phase_since))?;
            }
            page.write_str(", waits for ")?;
            // Lines that are printed one below the other are not to change with time.
            let until = view.activity.until.filter(|_| is_screen);
            let view = View { activity: Activity { until, ..view.activity }, ..*view };
            view.write_waiting(page)?;
            page.write_char('\n')?;
            super::groups::write_reason(&view, page)?;
        }
        Scene::Ended(_) => {}
    }
    if let Some(campaign) = shown(view, scene) {
        let room = if is_screen { usize::from(rows).saturating_sub(ROWS_BESIDE).max(1) } else { usize::MAX };
        let all = campaign.actions.iter().count();
        // Where not all fit, those that are still at it come first.
        let ways: &[Option<bool>] = if all > room { &[Some(false), Some(true)] } else { &[None] };
        let actions = ways
            .iter()
            .flat_map(|over| campaign.actions.iter().filter(move |a| over.map_or(true, |o| is_over(a) == o)));
        for action in actions.take(room) {
            write_action(view, action, page)?;
        }
        if all > room {
            writeln!(page, "... and {} more", all - room)?;
        }
    }
    let Scene::Ended(past) = scene else { return Ok(()) };
    page.whole();
    write!(page, "{}: {}", Text::from_checked(&past.activity), past.outcome.name())?;
    write!(page, " after {}", Span(past.took_ms))?;
    match past.reason.is_empty() {
        true => page.write_char('\n'),
        false => writeln!(page, ": {}", Text::from_checked(&past.reason)),
    }
}

/// The activity whose components are shown.
fn shown<'a>(view: &View<'a>, scene: &Scene<'_>) -> Option<&'a Campaign> {
    view.activity.campaign.filter(|campaign| match scene {
        Scene::Idle => false,
        Scene::Running => true,
        Scene::Ended(past) => past.activity == campaign.identity.activity.as_str(),
    })
}

fn write_action(view: &View<'_>, action: &KnownAction, page: &mut Page<'_>) -> fmt::Result {
    let version = component_version(action.component());
    page.cut(NAME, &Name(view.domain(action.domain), action.id(), version))?;
    page.tab(NAME)?;
    let percent = percent(action);
    let done = usize::from(percent) * BAR / 100;
    write!(page, "[{:#<done$}{:-<rest$}] {percent:3}% ", "", "", rest = BAR - done)?;
    page.write_str(action.status.map_or("", ActionStatus::name))?;
    match action.message().is_empty() {
        true => page.write_char('\n'),
        false => writeln!(page, ": {}", action.message()),
    }
}

/// A component's domain, identifier and version. Most agents name the domain in the
/// identifier.
struct Name<'a>(&'a str, Text<'a>, Text<'a>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name(domain, id, version) = self;
        if !id.chars().take(domain.chars().count() + 1).eq(domain.chars().chain([':'])) {
            write!(f, "{domain}:")?;
        }
        write!(f, "{id} {version}")
    }
}

/// Encodes it as JSON; without times that go by, so that it changes only when
/// something happens.
///
/// # Errors
/// The output fails.
pub fn encode(view: &View<'_>, scene: &Scene<'_>, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object("")?;
    encode_activity(view, json)?;
    if let Scene::Ended(past) = scene {
        history::encode_one(past, "ended", json)?;
    }
    if let Some(campaign) = shown(view, scene) {
        json.begin_array("actions")?;
        for action in campaign.actions.iter() {
            encode_action(view, action, json)?;
        }
        json.end_array()?;
    }
    json.end_object()
}

fn encode_action(view: &View<'_>, action: &KnownAction, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object("")?;
    json.text("domain", &view.domain(action.domain))?;
    json.raw("component", &action.component())?;
    json.escaped("status", action.status.map_or("", ActionStatus::name))?;
    json.number("progress", u64::from(action.progress))?;
    json.escaped("message", action.message().as_json())?;
    json.end_object()
}
