//! Reboots the host in steps between which the loop goes on
//! (docs/configuration.md, "The reboot"):
//!
//! 1. the configured command, if there is one. When it fails, the next step
//!    follows at once; otherwise when the host is still up after 60 s, whether it
//!    is over by then or not;
//! 2. `sync`, which is waited for 10 s at most;
//! 3. the kernel's files: `1` to enable what follows, then `s` (sync), `u`
//!    (remount read-only), `b` (boot), a second apart. Or the system call.
//! 4. 5 s later the reboot has failed.
//!
//! A step that fails is logged, and the next ones are tried all the same: the
//! kernel takes `b` from root whether or not it took the `1`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use async_task::Task;

use super::child::Child;
use super::thread;
use crate::config::env::Lookup;
use crate::limits::{REBOOT_COMMAND_MS, REBOOT_FAILED_MS, REBOOT_LOOK_MS, REBOOT_PAUSE_MS, REBOOT_SYNC_MS};
use crate::model::time::{Duration, Tick};

/// How the kernel is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// By writing to its files.
    Files {
        /// Takes `1`: `/proc/sys/kernel/sysrq`.
        sysrq: PathBuf,
        /// Takes `s`, `u` and `b`: `/proc/sysrq-trigger`.
        trigger: PathBuf,
    },
    /// By `reboot`.
    SystemCall,
}

impl Way {
    /// As `FILE_SYS_RQ` and `FILE_SYS_RQ_TRIGGER` say. One that is set but empty
    /// asks for the system call. One that is not set stands for the kernel's own
    /// file, below `/wproc` if this system has no `/proc`.
    pub fn choose(lookup: Lookup<'_>, has_proc: bool) -> Way {
        let root = Path::new(if has_proc { "/proc" } else { "/wproc" });
        let path = |name, default| lookup(name).map_or_else(|| root.join(default), PathBuf::from);
        let sysrq = path("FILE_SYS_RQ", "sys/kernel/sysrq");
        let trigger = path("FILE_SYS_RQ_TRIGGER", "sysrq-trigger");
        match sysrq.as_os_str().is_empty() || trigger.as_os_str().is_empty() {
            true => Way::SystemCall,
            false => Way::Files { sysrq, trigger },
        }
    }

    /// Whether this ends in the kernel, as far as the names tell.
    fn is_real(&self) -> bool {
        match self {
            Way::Files { sysrq, trigger } => is_kernels(sysrq) || is_kernels(trigger),
            Way::SystemCall => true,
        }
    }
}

/// No build for tests tells the kernel anything, whatever a test gets wrong.
const FOR_TESTS: bool = cfg!(any(test, debug_assertions));

/// What such a build says instead.
const REFUSAL: &str = "this build is for tests and does not reboot";

/// How a reboot has ended, for whoever is still there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has failed, for this reason.
    Failed(String),
}

/// Carries a reboot out, step by step.
pub struct Rebooter {
    command: String,
    way: Way,
    step: Step,
    due: Option<Tick>,
    child: Option<Child>,
}

/// What is under way.
enum Step {
    Idle,
    Refused,
    /// The command runs, or has done its part, until then.
    Command(Tick),
    /// `sync` runs until then, or until the flag is set.
    Sync(Tick, Arc<AtomicBool>),
    /// The kernel syncs.
    Synced,
    /// The kernel remounts.
    Remounted,
    /// The kernel boots.
    Triggered,
}

impl Rebooter {
    /// Reboots with `command` first, unless that is empty, then as the environment
    /// says ([`Way::choose`]).
    pub fn new(command: &str, lookup: Lookup<'_>) -> Rebooter {
        let has_proc = Path::new("/proc").try_exists().unwrap_or(true);
        let way = Way::choose(lookup, has_proc);
        Rebooter { command: command.to_owned(), way, step: Step::Idle, due: None, child: None }
    }

    /// Begins a reboot. Does nothing if one is under way.
    pub fn begin(&mut self, now: Tick) {
        if self.is_under_way() {
            return;
        }
        if FOR_TESTS && self.way.is_real() {
            return self.enter(Step::Refused, now);
        }
        log::warn!("rebooting the host");
        // An earlier one that was ended is over by now.
        let _ = self.child.take().map(|mut child| child.try_wait());
        if self.command.is_empty() {
            return self.begin_sync(now);
        }
        log::info!("running the reboot command");
        match Child::shell(&self.command) {
            Ok(child) => {
                self.child = Some(child);
                self.enter(Step::Command(now.after(REBOOT_COMMAND_MS)), now.after(REBOOT_LOOK_MS));
            }
            Err(cause) => {
                log::error!("the reboot command cannot be started: {cause}");
                self.begin_sync(now);
            }
        }
    }

    /// Whether a reboot has begun and not failed.
    pub fn is_under_way(&self) -> bool {
        !matches!(self.step, Step::Idle)
    }

    /// When [`Rebooter::handle_timeout`] wants to be called; none while no reboot
    /// is under way.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.due
    }

    /// Takes the next step if it is due. Returns what became of the reboot, once.
    pub fn handle_timeout(&mut self, now: Tick) -> Option<Outcome> {
        if self.due.map_or(true, |due| now < due) {
            return None;
        }
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => self.due = None,
            Step::Refused => return self.fail(String::from(REFUSAL)),
            Step::Command(until) => self.follow_command(until, now),
            Step::Sync(until, done) => {
                let is_done = done.load(Ordering::Acquire);
                if !is_done && now < until {
                    self.enter(Step::Sync(until, done), until.min(now.after(REBOOT_LOOK_MS)));
                } else {
                    if !is_done {
                        log::warn!("sync is not over after {}", Duration(REBOOT_SYNC_MS));
                    }
                    return self.tell_kernel(now);
                }
            }
            Step::Synced => {
                self.request(b"u");
                self.enter(Step::Remounted, now.after(REBOOT_PAUSE_MS));
            }
            Step::Remounted => return self.trigger(now),
            Step::Triggered => {
                let text = format!("the host is still up {} after the reboot", Duration(REBOOT_FAILED_MS));
                return self.fail(text);
            }
        }
        None
    }

    fn enter(&mut self, step: Step, due: Tick) {
        self.step = step;
        self.due = Some(due);
    }

    /// What is left of the command is ended: it must not bring the host down later,
    /// in the middle of something else.
    fn fail(&mut self, reason: String) -> Option<Outcome> {
        self.step = Step::Idle;
        self.due = None;
        if let Some(child) = &mut self.child {
            child.end_group();
        }
        Some(Outcome::Failed(reason))
    }

    fn follow_command(&mut self, until: Tick, now: Tick) {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) if status.success() => self.child = None,
            Some(Ok(Some(status))) => {
                log::error!("the reboot command has failed: {status}");
                self.child = None;
                return self.begin_sync(now);
            }
            Some(Err(cause)) => {
                log::error!("the reboot command cannot be waited for: {cause}");
                self.child = None;
            }
            Some(Ok(None)) | None => {}
        }
        if now >= until {
            log::error!("the host is still up {} after the reboot command", Duration(REBOOT_COMMAND_MS));
            return self.begin_sync(now);
        }
        let next = if self.child.is_some() { until.min(now.after(REBOOT_LOOK_MS)) } else { until };
        self.enter(Step::Command(until), next);
    }

    fn begin_sync(&mut self, now: Tick) {
        let done = Arc::new(AtomicBool::new(false));
        sync_elsewhere(Arc::clone(&done));
        self.enter(Step::Sync(now.after(REBOOT_SYNC_MS), done), now.after(REBOOT_LOOK_MS));
    }

    fn tell_kernel(&mut self, now: Tick) -> Option<Outcome> {
        match &self.way {
            Way::Files { sysrq, .. } => {
                if let Err(cause) = write_file(sysrq, b"1") {
                    log::error!("{}: {cause}", sysrq.display());
                }
                self.request(b"s");
                self.enter(Step::Synced, now.after(REBOOT_PAUSE_MS));
                None
            }
            Way::SystemCall => self.trigger(now),
        }
    }

    /// What was asked for on the way to the boot may fail.
    fn request(&self, what: &[u8]) {
        if let Way::Files { trigger, .. } = &self.way {
            if let Err(cause) = write_file(trigger, what) {
                log::error!("{}: {cause}", trigger.display());
            }
        }
    }

    fn trigger(&mut self, now: Tick) -> Option<Outcome> {
        let result = match &self.way {
            Way::Files { trigger, .. } => {
                write_file(trigger, b"b").map_err(|cause| format!("{}: {cause}", trigger.display()))
            }
            Way::SystemCall => reboot_now().map_err(|cause| format!("the reboot system call: {cause}")),
        };
        match result {
            Ok(()) => {
                self.enter(Step::Triggered, now.after(REBOOT_FAILED_MS));
                None
            }
            Err(reason) => self.fail(reason),
        }
    }
}

/// Writes all disks, which may take long, and sets the flag. Unit tests set it.
fn sync_elsewhere(done: Arc<AtomicBool>) {
    if !cfg!(test) {
        let sync = move || {
            // SAFETY: a plain call.
            unsafe { libc::sync() };
            done.store(true, Ordering::Release);
        };
        // The kernel is asked to sync in any case, before it boots.
        thread::run("sync", sync).map_or_else(|error| log::warn!("sync: {error}"), Task::detach);
    }
}

fn is_kernels(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/wproc")
}

/// Writes `what` as the shell's `>` does: the kernel's files take each write as one
/// request, and any other file holds the last. The kernel's are never created.
fn write_file(path: &Path, what: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).create(!is_kernels(path)).mode(0o644);
    // A pipe that nobody reads must not hold the loop up.
    let mut file = options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if FOR_TESTS && is_in_proc(&file)? {
        return Err(io::Error::new(io::ErrorKind::Unsupported, REFUSAL));
    }
    file.write_all(what)
}

fn is_in_proc(file: &File) -> io::Result<bool> {
    let proc = std::fs::metadata("/proc").map(|proc| proc.dev());
    let own = file.metadata()?.dev();
    Ok(proc.is_ok_and(|proc| proc == own))
}

#[cfg(any(test, debug_assertions))]
fn reboot_now() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, REFUSAL))
}

#[cfg(not(any(test, debug_assertions)))]
fn reboot_now() -> io::Result<()> {
    // SAFETY: a plain call, which returns only if it failed.
    unsafe { libc::reboot(libc::RB_AUTOBOOT) };
    Err(io::Error::last_os_error())
}

#[cfg(test)]
#[path = "reboot_tests.rs"]
mod tests;
