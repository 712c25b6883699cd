//! `history`: the last activities.

use core::fmt::{self, Write};

use super::page::{Json, Page, Span, When};
use crate::model::text::Text;
use crate::store::journal::{Journal, Past};

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
    json.open("", '{')?;
    encode(journal, json)?;
    json.close('}')
}

/// The same as a member.
///
/// # Errors
/// The output fails.
pub fn encode(journal: &Journal, json: &mut Json<'_>) -> fmt::Result {
    json.open("history", '[')?;
    journal.past().try_for_each(|past| encode_one(past, "", json))?;
    json.close(']')
}

/// Encodes one as the member `name`, or as an element if that is empty.
///
/// # Errors
/// The output fails.
pub fn encode_one(past: &Past, name: &str, json: &mut Json<'_>) -> fmt::Result {
    json.open(name, '{')?;
    json.escaped("id", &past.activity)?;
    json.number("begun", past.begun)?;
    json.number("tookMs", past.took_ms)?;
    json.text("outcome", &past.outcome.name())?;
    json.escaped("reason", &past.reason)?;
    json.close('}')
}
