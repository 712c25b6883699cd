//! A shell command in a process group of its own.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

/// A shell with a command, with no signal blocked, and SIGPIPE as usual.
pub struct Child(std::process::Child);

impl Child {
    /// Runs `command`, with nothing to read.
    ///
    /// # Errors
    ///
    /// There is no shell, no process can be made, or there is a NUL in the command.
    pub fn spawn(command: &str) -> io::Result<Child> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).stdin(Stdio::null()).process_group(0);
        // SAFETY: it makes only calls that are async-signal-safe.
        unsafe { shell.pre_exec(unblock_signals) };
        shell.spawn().map(Child)
    }

    /// Returns how it has ended; none: it has not.
    ///
    /// # Errors
    ///
    /// What waitpid(2) says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Ends its process group, unless it has ended itself.
    pub fn end_group(&mut self) {
        if let (Ok(None), Ok(group)) = (self.try_wait(), libc::pid_t::try_from(self.0.id())) {
            // SAFETY: a plain call. It is not reaped, so the group is still its own.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }

    #[cfg(test)]
    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
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
