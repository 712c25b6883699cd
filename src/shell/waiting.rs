//! Waits in this thread, by poll(2), for what has a descriptor. The reactor would take
//! several system calls for each event, and a hop from a thread of its own.

use std::ffi::c_short;
use std::io;
use std::os::fd::AsRawFd;

use heapless::Vec;

use crate::limits::WAITING_MAX;

/// What is waited for, once.
#[derive(Default)]
pub struct Waiting {
    descriptors: Vec<libc::pollfd, WAITING_MAX>,
    has_come: bool,
}

impl Waiting {
    /// Waits for something to be read from `source`.
    pub fn read(&mut self, source: &impl AsRawFd) {
        self.want(source, libc::POLLIN);
    }

    /// Waits until something can be written to `source`.
    pub fn write(&mut self, source: &impl AsRawFd) {
        self.want(source, libc::POLLOUT);
    }

    /// There is nothing to wait for: something has come already.
    pub fn skip(&mut self) {
        self.has_come = true;
    }

    fn want(&mut self, source: &impl AsRawFd, events: c_short) {
        let more = libc::pollfd { fd: source.as_raw_fd(), events, revents: 0 };
        // What there is no room for comes with the next event.
        let _ = self.descriptors.push(more);
    }

    /// Until some of it has come, or a signal has.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self) -> io::Result<()> {
        let timeout = if self.has_come { 0 } else { -1 };
        // SAFETY: the list is as long as is said, and written within its bounds.
        let number =
            unsafe { libc::poll(self.descriptors.as_mut_ptr(), self.descriptors.len() as libc::nfds_t, timeout) };
        match io::Error::last_os_error() {
            error if number < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether something can be read from `source`, or it is broken.
    pub fn is_readable(&self, source: &impl AsRawFd) -> bool {
        self.has(source, libc::POLLIN)
    }

    /// Whether something can be written to `source`, or it is broken.
    pub fn is_writable(&self, source: &impl AsRawFd) -> bool {
        self.has(source, libc::POLLOUT)
    }

    fn has(&self, source: &impl AsRawFd, event: c_short) -> bool {
        let came = event | libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
        let mut own = self.descriptors.iter().filter(|descriptor| descriptor.fd == source.as_raw_fd());
        own.any(|descriptor| descriptor.events & event != 0 && descriptor.revents & came != 0)
    }
}
