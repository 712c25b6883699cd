//! SIGTERM, SIGINT and SIGHUP as something to wait for.

use std::fs::File;
use std::io::{self, Read};
use std::mem::{size_of, MaybeUninit};
use std::os::fd::FromRawFd;
use std::task::{Context, Poll};

use async_io::Async;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM or SIGINT: end the process.
    End,
    /// SIGHUP: reopen the log file.
    Reopen,
}

/// Receives the signals.
pub struct Signals(Async<File>);

impl Signals {
    /// Blocks the signals in this thread and those that it starts, so it comes
    /// before the first timer or socket: the reactor's thread would take them.
    ///
    /// # Errors
    /// The system's, if it has no `signalfd`.
    pub fn block() -> io::Result<Signals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is initialised by sigemptyset before it is used, and the
        // descriptor, if it is one, is owned by nobody else.
        let file = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGHUP);
            let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // A write past the limit of a file's size fails, which is all that there is to it.
            libc::sigaddset(set.as_mut_ptr(), libc::SIGXFSZ);
            if libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) != 0 {
                libc::close(fd);
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(fd)
        };
        Async::new_nonblocking(file).map(Signals)
    }

    /// Waits: ready when a signal may have come.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(cx).map(drop)
    }

    /// Takes the next one that has come.
    pub fn take(&self) -> Option<Signal> {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        self.0.get_ref().read_exact(&mut info).ok()?;
        // The signal's number is what the structure begins with.
        let number = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
        Some(if number == libc::SIGHUP as u32 { Signal::Reopen } else { Signal::End })
    }
}
