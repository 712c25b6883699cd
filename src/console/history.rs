//! `history`: the last activities.

use core::fmt::{self, Write};

use super::page::{Page, Span, When};
use crate::model::text::Text;
use crate::store::journal::{Journal, Past};
use crate::wire::json::Json;

/// Writes them as text, the newest last, where the cursor is.
///
/// # Errors
/// The page fails.
pub fn write(journal: &Journal, page: &mut Page<'_>) -> fmt::Result {
    page.whole();
    if journal.past().next().is_none() {
        return page.write_str("no activity has ended yet\n");
    }
    for past in journal.past() {
        write!(page, "{}", When(past.begun))?;
        page.tab(21)?;
        write!(page, "{}", Span(past.took_ms))?;
        page.tab(29)?;
        writeln!(page, "{} {}", past.outcome.name(), Text::from_checked(&past.activity))?;
        if !past.reason.is_empty() {
            writeln!(page, "  {}", Text::from_checked(&past.reason))?;
        }
    }
    Ok(())
}

/// Encodes them as JSON: an object of its own.
///
/// # Errors
/// The output fails.
pub fn encode_whole(journal: &Journal, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object("")?;
    encode(journal, json)?;
    json.end_object()
}

/// The same as a member.
///
/// # Errors
/// The output fails.
pub fn encode(journal: &Journal, json: &mut Json<'_>) -> fmt::Result {
    json.begin_array("history")?;
    journal.past().try_for_each(|past| encode_one(past, "", json))?;
    json.end_array()
}

/// Encodes one as the member `name`, or as an element if that is empty.
///
/// # Errors
/// The output fails.
pub fn encode_one(past: &Past, name: &str, json: &mut Json<'_>) -> fmt::Result {
    json.begin_object(name)?;
    json.escaped("id", &past.activity)?;
    json.number("begun", past.begun)?;
    json.number("tookMs", past.took_ms)?;
    json.text("outcome", &past.outcome.name())?;
    json.escaped("reason", &past.reason)?;
    json.end_object()
}
