//! `report`: all that support needs, in one text.

use core::fmt::{self, Write};

use super::page::{Page, When};
use super::view::View;
use super::{history, status};
use crate::model::DomainIx;
use crate::store::journal::{Detail, Event};
use crate::wire::json::Json;

/// Writes it as text.
///
/// # Errors
/// The page fails.
pub fn write(view: &View<'_>, page: &mut Page<'_>) -> fmt::Result {
    page.whole();
    page.write_str("-- status\n")?;
    status::write(view, page)?;
    page.write_str("\n-- history\n")?;
    history::write(view.journal, page)?;
    page.write_str("\n-- events\n")?;
    for event in view.journal.events() {
        write!(page, "{} {}", When(event.wall), event.kind.name())?;
        if let Some(detail) = detail(event) {
            write!(page, " {detail}")?;
        }
        match name(view, event.domain) {
            "" => page.write_char('\n')?,
            name => writeln!(page, " [{name}]")?,
        }
    }
    page.write_str("\n-- configuration\n")?;
    page.write_str(&(view.host.configuration)())
}

fn detail(event: &Event) -> Option<&'static str> {
    match event.detail {
        Detail::None => None,
        Detail::Phase(phase) => Some(phase.name()),
        Detail::Outcome(outcome) => Some(outcome.name()),
    }
}

fn name<'a>(view: &View<'a>, domain: Option<DomainIx>) -> &'a str {
    domain.map_or("", |domain| view.domain(domain))
}

/// Encodes it as JSON.
///
/// # Errors
/// The output fails.
pub fn encode(view: &View<'_>, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object("")?;
    status::encode(view, "status", json)?;
    history::encode(view.journal, json)?;
    json.begin_array("events")?;
    for event in view.journal.events() {
        json.begin_object("")?;
        json.number("at", event.wall)?;
        json.text("event", &format_args!("{:?}", event.kind))?;
        json.escaped("domain", name(view, event.domain))?;
        json.escaped("detail", detail(event).unwrap_or(""))?;
        json.end_object()?;
    }
    json.end_array()?;
    json.begin_array("configuration")?;
    (view.host.configuration)().lines().try_for_each(|line| json.text("", &line))?;
    json.end_array()?;
    json.end_object()
}
