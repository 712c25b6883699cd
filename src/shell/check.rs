//! Calls the verification command: for each group that is to be checked a process group of
//! its own, whose exit code and last words are the verdict (docs/configuration.md,
//! `verifyCommand`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::explain;
use super::program::{Exit, Program};
use crate::engine::event;
use crate::engine::group::Group;
use crate::limits::{PROGRAM_LOGGED_MAX, REASON_MAX};
use crate::manager::Call;
use crate::model::text::{Escaped, Text};
use crate::model::time::{self, Tick};

/// The exit code that asks for patience: EX_TEMPFAIL.
const NOT_YET: i32 = 75;

/// Calls the command.
pub struct Checker {
    command: PathBuf,
    /// How long a call may take, in milliseconds.
    limit_ms: u64,
    /// What stands for tick 0.
    origin: Instant,
    /// One for each group at most.
    running: Vec<Running>,
    /// What nobody knows yet to be over.
    over: Vec<Over>,
}

/// A call that runs.
struct Running {
    group: Group,
    program: Program,
    heard: Heard,
}

/// What is remembered of a call's lines.
#[derive(Default)]
struct Heard {
    /// The last one on standard error.
    complaint: String,
    /// How many went into the log.
    logged: u32,
}

/// A call that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Over {
    /// The group that was checked.
    pub group: Group,
    verdict: Verdict,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Verdict {
    Good,
    NotYet,
    /// Escaped as in JSON.
    Bad(String),
}

impl Over {
    /// Returns what the command says.
    pub fn verdict(&self) -> event::Verdict<'_> {
        match &self.verdict {
            Verdict::Good => event::Verdict::Good,
            Verdict::NotYet => event::Verdict::NotYet,
            Verdict::Bad(words) => event::Verdict::Bad(Text::from_checked(words)),
        }
    }
}

impl Checker {
    /// Creates one that calls this executable. A call may take `limit_ms` milliseconds.
    pub fn new(command: &str, limit_ms: u64) -> Checker {
        let command = PathBuf::from(command);
        Checker { command, limit_ms, origin: Instant::now(), running: Vec::new(), over: Vec::new() }
    }

    /// Begins a call. If the command cannot be started, that is the verdict.
    pub fn begin(&mut self, now: Tick, call: &Call<'_>) {
        let Call { group, activity, domains } = call;
        log::debug!("{activity}: group {}: the verification command is called", group.number());
        let mut command = Command::new(&self.command);
        command.arg(activity.chars().collect::<String>()).args(domains).stdin(Stdio::null());
        match Program::start(command, self.limit_ms, REASON_MAX, self.at(now)) {
            Ok(program) => self.running.push(Running { group: *group, program, heard: Heard::default() }),
            Err(error) => {
                let words = format!("{}: {}", explain::cause(&self.command, &error), self.command.display());
                self.over.push(Over { group: *group, verdict: bad(&words) });
            }
        }
    }

    /// Ends the call for a group with all that it has started. It is over a little later.
    pub fn end(&mut self, now: Tick, group: Group) {
        let at = self.at(now);
        for running in self.running.iter_mut().filter(|running| running.group == group) {
            running.program.end(at);
        }
    }

    /// Kills all calls with all that they have started: this process ends.
    pub fn abandon(&mut self) {
        self.running.drain(..).for_each(|running| running.program.kill_group());
    }

    /// Waits: ready when a call may be over, or has said something.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut is_ready = !self.over.is_empty();
        for Running { group, program, heard } in &mut self.running {
            is_ready |= program.poll_output(cx, &mut |line, is_err| heard.take(*group, line, is_err)).is_ready();
        }
        match is_ready {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Returns when [`Checker::take`] is to be called at the latest.
    pub fn poll_timeout(&self, now: Tick) -> Option<Tick> {
        let due = self.running.iter().map(|running| running.program.poll_timeout(self.at(now))).min()?;
        Some(Tick(due.duration_since(self.origin).as_millis() as u64))
    }

    /// Takes the calls that are over. Ends those whose time is.
    pub fn take(&mut self, now: Tick) -> Vec<Over> {
        let (at, command) = (self.at(now), &self.command);
        let mut over = std::mem::take(&mut self.over);
        self.running.retain_mut(|Running { group, program, heard }| {
            let exit = program.turn(at, &mut |line, is_err| heard.take(*group, line, is_err));
            over.extend(exit.iter().map(|exit| Over { group: *group, verdict: verdict(command, exit, heard) }));
            exit.is_none()
        });
        over
    }

    fn at(&self, now: Tick) -> Instant {
        self.origin + Duration::from_millis(now.0)
    }
}

impl Heard {
    fn take(&mut self, group: Group, line: &str, is_err: bool) {
        if is_err {
            line.clone_into(&mut self.complaint);
        }
        let group = group.number();
        self.logged = self.logged.saturating_add(1);
        match self.logged {
            PROGRAM_LOGGED_MAX => log::debug!("group {group}: {line} (further lines are not logged)"),
            n if n < PROGRAM_LOGGED_MAX => log::debug!("group {group}: {line}"),
            _ => {}
        }
    }
}

fn verdict(command: &Path, exit: &Exit, heard: &Heard) -> Verdict {
    let how = match exit {
        Exit::Code(0) => return Verdict::Good,
        Exit::Code(NOT_YET) => return Verdict::NotYet,
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("ended by signal {signal}"),
        Exit::Late(ms) => format!("not done in {}", time::Duration(*ms)),
        Exit::Unknown(why) => why.clone(),
    };
    let words = if heard.complaint.is_empty() { &how } else { &heard.complaint };
    match exit {
        Exit::Code(code) => match explain::hint(command, *code) {
            Some(hint) => bad(&format!("{words}: {hint}")),
            None => bad(words),
        },
        _ => bad(words),
    }
}

fn bad(words: &str) -> Verdict {
    let escaped = Escaped(words).to_string();
    Verdict::Bad(Text::from_checked(&escaped).cut(REASON_MAX).as_json().to_owned())
}
