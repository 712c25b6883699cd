//! All that the console can show, borrowed from where it is kept, and how parts of
//! it are said in words.

use core::fmt::{self, Write};

use super::page::{Page, Span};
use crate::engine::actions::KnownAction;
use crate::engine::boot::Boot;
use crate::engine::domain::{Domain, State};
use crate::engine::obligation::InDoubt;
use crate::engine::Campaign;
use crate::engine::WaitingOn;
use crate::limits::DOMAINS_MAX;
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{Command, DomainIx, Reboot, Status};
use crate::mqtt;
use crate::store::journal::Journal;
use crate::wire::json::Json;

/// What the system around the manager knows.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Where the broker is.
    pub broker: &'a dyn fmt::Display,
    /// Whether the console may do more than look.
    pub may_control: bool,
    /// Memory that the process has in use, in KiB; 0: not known.
    pub resident_kib: fn() -> u64,
    /// Why the last attempt to connect failed, in the system's words; may be empty.
    pub link_error: &'a str,
    /// The configuration with its sources and without secrets; may be empty.
    pub configuration: &'a dyn Fn() -> String,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Messages that came.
    pub messages: u32,
    /// Those that were no good.
    pub malformed: u32,
    /// Those that were too large.
    pub oversized: u32,
    /// Desired states that were refused.
    pub desired_states: u32,
}

impl Counters {
    /// Messages that were refused, or ignored as malformed.
    pub fn refused(&self) -> u32 {
        self.malformed.saturating_add(self.desired_states)
    }
}

/// What an agent said last.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its status.
    pub status: Status,
    /// Its words, escaped as in JSON; may be empty.
    pub words: String,
}

/// How much of a limit is used.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Of what, in one word.
    pub name: &'static str,
    /// So much.
    pub used: usize,
    /// Of so much.
    pub max: usize,
}

/// Limits that are shown.
pub const USES: usize = 3;

/// All that can be shown.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct View<'a> {
    pub now: Now,
    pub host: &'a Host<'a>,
    /// When the process started.
    pub started: Tick,
    pub session: mqtt::Status,
    /// Subscriptions that the broker refuses: the manager is deaf to what comes by them.
    pub refused: &'a [String],
    pub counters: Counters,
    pub uses: [Use; USES],
    pub journal: &'a Journal,
    pub activity: Activity<'a>,
    pub domains: Domains<'a>,
    pub thing: Thing<'a>,
}

/// As whom the backend knows the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thing<'a> {
    /// As none: it is spoken to on plain topics.
    None,
    /// As one whose identity has not come yet.
    Unknown,
    /// As the one with this identifier.
    Known(&'a str),
}

/// The running activity or the last one, and what it waits for.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Activity<'a> {
    pub campaign: Option<&'a Campaign>,
    pub waiting_on: WaitingOn,
    /// Until when it waits at most.
    pub until: Option<Tick>,
    pub reboot: Reboot,
    /// Whether its progress could not be saved.
    pub is_unsaved: bool,
    /// Why something is rolled back, escaped as in JSON; empty if nothing is.
    pub rolls_back_for: &'a str,
}

/// What is known of each domain, by the domains' places.
#[derive(Clone, Copy)]
pub struct Domains<'a> {
    /// What they are called.
    pub names: &'a [String],
    /// What their agents said last.
    pub heard: &'a [Option<Heard>],
    /// Those in doubt.
    pub doubts: [Option<InDoubt>; DOMAINS_MAX],
    /// Whether an inventory is known.
    pub is_known: &'a dyn Fn(usize) -> bool,
}

impl<'a> View<'a> {
    /// The activity that runs.
    pub fn running(&self) -> Option<&'a Campaign> {
        self.activity.campaign.filter(|campaign| campaign.is_running())
    }

    /// A domain's name.
    pub fn domain(&self, domain: DomainIx) -> &'a str {
        self.domains.names.get(domain.place()).map_or("", String::as_str)
    }

    /// Milliseconds from now on.
    pub fn left(&self, at: Tick) -> Span {
        // What is waited for is there for a whole second at least.
        Span(at.since(self.now.tick) + 999)
    }

    /// Milliseconds up to now.
    pub fn ago(&self, at: Tick) -> Span {
        Span(self.now.tick.since(at))
    }

    /// A point in time on the wall clock, in milliseconds since the Unix epoch.
    pub fn wall(&self, at: Tick) -> u64 {
        let now = self.now.tick;
        (self.now.wall + at.since(now)).saturating_sub(now.since(at))
    }

    /// What is waited for, in words, and until when.
    ///
    /// # Errors
    /// The page fails, as with all functions here.
    pub fn write_waiting(&self, page: &mut Page<'_>) -> fmt::Result {
        match self.activity.waiting_on {
            WaitingOn::Nothing if self.thing == Thing::Unknown => {
                page.write_str("the identity from the connector, or thingsEnabled: false")?;
            }
            WaitingOn::Nothing => page.write_str("nothing")?,
            WaitingOn::Agents(domains) => {
                for (n, domain) in domains.iter().enumerate() {
                    write!(page, "{}{}", if n > 0 { ", " } else { "" }, self.domain(domain))?;
                }
            }
            WaitingOn::Verification => page.write_str("what was activated to be verified")?,
            WaitingOn::Consent(phase) => write!(page, "the owner's consent to {}", phase.name())?,
            WaitingOn::Save => page.write_str("the disk, to save what was decided")?,
            WaitingOn::Link if self.thing == Thing::Unknown => {
                page.write_str("the identity, to report the end before the reboot")?;
            }
            WaitingOn::Link => page.write_str("the broker, to report the end before the reboot")?,
            WaitingOn::Reboot if self.activity.reboot == Reboot::Held => page.write_str("the reboot to be released")?,
            WaitingOn::Reboot if self.activity.reboot == Reboot::Triggered => page.write_str("the host to go down")?,
            WaitingOn::Reboot => page.write_str("the reboot")?,
        }
        match self.activity.until {
            Some(until) => write!(page, ", at most {}", self.left(until)),
            None => Ok(()),
        }
    }

    /// The same as members of an object.
    ///
    /// # Errors
    /// The output fails.
    pub fn encode_waiting(&self, json: &mut Json<'_>) -> fmt::Result {
        let kind = match self.activity.waiting_on {
            WaitingOn::Nothing => return Ok(()),
            WaitingOn::Agents(_) => "agents",
            WaitingOn::Consent(_) => "consent",
            WaitingOn::Verification => "verification",
            WaitingOn::Save => "save",
            WaitingOn::Link => "link",
            WaitingOn::Reboot => "reboot",
        };
        json.text("waitsFor", &kind)?;
        if let WaitingOn::Agents(domains) = self.activity.waiting_on {
            json.begin_array("agents")?;
            for domain in domains.iter() {
                json.text("", &self.domain(domain))?;
            }
            json.end_array()?;
        }
        json.number("until", self.activity.until.map(|until| self.wall(until)))
    }
}

/// How far a domain is, in words.
pub struct Progress<'a>(pub &'a Domain);

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = if self.0.failure.is_some() { " (failed)" } else { "" };
        match self.0.boot {
            Boot::Due | Boot::Asked => return f.write_str("waited for after the boot"),
            _ if self.0.restore.is_under_way() => f.write_str("being restored, ")?,
            _ => {}
        }
        match self.0.state {
            State::Working(phase) => f.write_str(phase.name()),
            State::Ready(phase) => write!(f, "{} done", phase.name()),
            State::RollingBack(_) => f.write_str(Command::Rollback.name()),
            State::CleaningUp(_) => write!(f, "{}{failed}", Command::Cleanup.name()),
            State::New => f.write_str("waiting"),
            State::Failed(_) => f.write_str("failed"),
            State::RolledBack(_) => f.write_str("rolled back"),
            State::Done(_) => f.write_str(if failed.is_empty() { "done" } else { "failed" }),
        }
    }
}

/// What was said last, in words.
pub struct Said<'a>(pub &'a Heard);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.status.name())?;
        match self.0.words.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", Text::from_checked(&self.0.words)),
        }
    }
}

/// Whether nothing more is to be expected of an action.
pub fn is_over(action: &KnownAction) -> bool {
    use crate::model::ActionStatus::*;
    matches!(
        action.status,
        Some(UpdateSuccess | UpdateFailure | RemovalSuccess | RemovalFailure | ActivationSuccess | ActivationFailure)
    )
}

/// How much of an action's present step is done, in percent: all of it if it succeeded, since
/// not every agent sends a progress.
pub fn percent(action: &KnownAction) -> u8 {
    use crate::model::ActionStatus::*;
    match action.status {
        Some(DownloadSuccess | UpdateSuccess | RemovalSuccess | ActivationSuccess) => 100,
        _ => action.progress.min(100),
    }
}
