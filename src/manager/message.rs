//! The reasons of a final status in words for people, written as the content of a JSON
//! string.
//!
//! In: a campaign. Out: words for the backend, the console and the log.
//!
//! Invariants: the same campaign gives the same words. Log lines are bounded and harmless to
//! a terminal.
//!
//! Deliberately absent: state of its own.

use core::fmt::{self, Write};

use heapless::String;

use crate::engine::domain::Domain;
use crate::engine::Campaign;
use crate::limits::LOGGED_MAX;
use crate::model::text::{Escaped, Escaping, Text};
use crate::model::time::Duration;
use crate::model::{Cause, Command, Reason};

/// Why an activity did not go as it should: what is to blame besides the domains,
/// each domain in its own words, that it could not be saved, each domain without an agent,
/// what the verification found; of one that has ended that something was rolled back, and the
/// domains that are inconsistent. Nothing if all is well.
///
/// # Errors
/// `out` fails.
pub(crate) fn write(
    campaign: &Campaign,
    domains: &[std::string::String],
    is_unsaved: bool,
    out: &mut dyn Write,
) -> fmt::Result {
    let mut list = List { out, separator: if campaign.is_turning_back() { "rolling back: " } else { "" } };
    if let Some(cause) = campaign.end.cause {
        list.item(|out| match cause {
            Cause::ConsentLate => write!(out, "{} {}", cause.name(), Duration(campaign.end.waited_ms)),
            _ => out.write_str(cause.name()),
        })?;
    }
    for (part, name) in parts(campaign, domains) {
        // Of one that is inconsistent it is said there.
        let is_said_here = campaign.is_running() || !campaign.is_inconsistent(part);
        let is_silent = |reason: &Reason| matches!(reason, Reason::Silent(..)) && is_said_here;
        let silent = |reason: &&Reason| part.failure.is_none() || is_silent(reason);
        for reason in part.failure.iter().chain(part.cleanup.as_ref().filter(silent)) {
            list.item(|out| {
                write!(out, "[{}] ", Escaped(name))?;
                write_reason(reason, out)
            })?;
        }
    }
    if is_unsaved {
        list.item(|out| out.write_str("the activity could not be saved"))?;
    }
    // That there is none at all is said already.
    let unserved = campaign.absent.unserved.iter().filter(|_| campaign.end.cause != Some(Cause::NoSupportedDomain));
    for name in unserved {
        list.item(|out| write!(out, "no agent for domain {name}"))?;
    }
    let lost = campaign.absent.gone.iter().filter(|gone| gone.part.failure.is_none() && !gone.part.state.is_done());
    for gone in lost {
        list.item(|out| write!(out, "no agent for domain {}", Escaped(&gone.name)))?;
    }
    if !campaign.groups.flaws.is_empty() {
        list.item(|out| write!(out, "verification: {}", campaign.groups.flaws))?;
    }
    if campaign.is_running() {
        if campaign.boots.is_due {
            list.item(|out| out.write_str("waits for the reboot"))?;
        }
        return Ok(());
    }
    if campaign.has_turned_back() {
        list.item(|out| out.write_str("rolled back"))?;
    }
    let inconsistent = parts(campaign, domains).filter(|(part, _)| campaign.is_inconsistent(part));
    for (nth, (part, name)) in inconsistent.enumerate() {
        match nth {
            0 => list.item(|out| write!(out, "inconsistent: [{}]", Escaped(name)))?,
            _ => write!(list.out, ", [{}]", Escaped(name))?,
        }
        if let (Some(_), Some(reason)) = (&part.failure, &part.cleanup) {
            list.out.write_char(' ')?;
            write_reason(reason, list.out)?;
        }
    }
    Ok(())
}

/// The parts of an activity with the names of their domains, those that are not configured
/// any more at the end.
fn parts<'a>(
    campaign: &'a Campaign,
    domains: &'a [std::string::String],
) -> impl Iterator<Item = (&'a Domain, &'a str)> {
    let parts = campaign.domains.iter().zip(domains).filter_map(|(part, name)| Some((part.as_ref()?, name.as_str())));
    parts.chain(campaign.absent.gone.iter().map(|gone| (&gone.part, gone.name.as_str())))
}

/// Why one domain failed.
///
/// # Errors
/// `out` fails.
pub(super) fn write_reason(reason: &Reason, out: &mut dyn Write) -> fmt::Result {
    match reason {
        Reason::Words(words) => out.write_str(words),
        Reason::Status(status) => out.write_str(status.name()),
        Reason::Silent(command, ms) => write!(out, "no answer to {} in {}", owed(*command), Duration(*ms)),
        Reason::Lost(times) => write!(out, "lost after {times} restarts"),
        Reason::Refused(bytes) => write!(out, "the broker refuses the message to its agent, {bytes} bytes"),
        Reason::Limit(limit) => write!(out, "more than {} {}", limit.bound(), limit.name()),
    }
}

fn owed(command: Option<Command>) -> &'static str {
    command.map_or("the desired state", Command::name)
}

struct List<'w> {
    out: &'w mut dyn Write,
    separator: &'static str,
}

impl List<'_> {
    fn item(&mut self, write: impl Fn(&mut dyn Write) -> fmt::Result) -> fmt::Result {
        self.out.write_str(self.separator)?;
        self.separator = "; ";
        write(self.out)
    }
}

/// Writes what is displayed as the content of a JSON string.
///
/// # Errors
/// `out` fails.
pub(super) fn escape(out: &mut dyn Write, shown: &dyn fmt::Display) -> fmt::Result {
    write!(Escaping(out), "{shown}")
}

/// What `write` writes, for a log line: unescaped, bounded, harmless to a terminal.
pub(super) fn logged(write: impl Fn(&mut dyn Write) -> fmt::Result) -> impl fmt::Display {
    let mut text = String::<LOGGED_MAX>::new();
    // What does not fit is left out of the log.
    let _ = write(&mut text);
    Logged(text)
}

struct Logged(String<LOGGED_MAX>);

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text::from_checked(&self.0).fmt(f)
    }
}
