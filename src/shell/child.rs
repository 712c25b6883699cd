//! A process group of its own.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

/// The first process of a group, with no signal blocked, and SIGPIPE as usual.
pub struct Child(std::process::Child);

impl Child {
    /// Starts `command`.
    ///
    /// # Errors
    /// The system's: it cannot be started.
    pub fn start(mut command: Command) -> io::Result<Child> {
        command.process_group(0);
        // SAFETY: it makes only calls that are async-signal-safe.
        unsafe { command.pre_exec(unblock_signals) };
        command.spawn().map(Child)
    }

    /// Runs a command of the shell, with nothing to read.
    ///
    /// # Errors
    /// There is no shell, no process can be made, or there is a NUL in the command.
    pub fn shell(command: &str) -> io::Result<Child> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).stdin(Stdio::null());
        Child::start(shell)
    }

    /// Takes its standard output and its standard error, as far as they are pipes.
    pub fn outputs(&mut self) -> [Option<OwnedFd>; 2] {
        [self.0.stdout.take().map(OwnedFd::from), self.0.stderr.take().map(OwnedFd::from)]
    }

    /// Returns how it has ended; none: it has not.
    ///
    /// # Errors
    /// What waitpid(2) says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Returns whether it has ended. It stays there to be waited for, so that its number is
    /// its own.
    pub fn has_exited(&self) -> bool {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: a plain call; the buffer is of the type that is filled, and zeroed before.
        unsafe {
            match libc::waitid(libc::P_PID, self.0.id() as libc::id_t, info.as_mut_ptr(), flags) {
                0 => info.assume_init().si_pid() != 0,
                _ => true,
            }
        }
    }

    /// Sends a signal to its group. It must not have been waited for.
    pub fn signal_group(&self, signal: libc::c_int) {
        signal_group(self.0.id(), signal);
    }

    /// Ends its process group, unless it has ended itself.
    pub fn end_group(&mut self) {
        if let Ok(None) = self.try_wait() {
            self.signal_group(libc::SIGKILL);
        }
    }

    /// Kills what is left of its group, waits until it is gone, and returns how it has ended.
    ///
    /// # Errors
    /// What waitpid(2) says.
    pub fn reap(&mut self) -> io::Result<ExitStatus> {
        self.signal_group(libc::SIGKILL);
        self.0.wait()
    }

    #[cfg(test)]
    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

/// Sends a signal to the process group with this number.
pub fn signal_group(group: u32, signal: libc::c_int) {
    if let Ok(group) = libc::pid_t::try_from(group) {
        // SAFETY: a plain call.
        unsafe { libc::kill(-group, signal) };
    }
}

/// In the child: the standard library leaves the signals blocked that this process waits
/// for.
fn unblock_signals() -> io::Result<()> {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: plain calls; the set is initialised by the first one.
    let is_done = unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) == 0
    };
    match is_done {
        true => Ok(()),
        false => Err(io::Error::last_os_error()),
    }
}
