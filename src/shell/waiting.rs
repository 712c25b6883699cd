//! Waits in this thread, by poll(2), for what has a descriptor. The reactor would take
//! several system calls for each event, and a hop from a thread of its own.

use std::ffi::{c_int, c_short};
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

    /// Until some of it has come, a signal has, or so many milliseconds are over.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self, after_ms: Option<u64>) -> io::Result<()> {
        let timeout = match after_ms {
            _ if self.has_come => 0,
            // Past the longest that it can wait for, whoever waits looks again.
            Some(ms) => c_int::try_from(ms).unwrap_or(c_int::MAX),
            None => -1,
        };
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_has_come_is_told_and_nothing_else() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (quiet, _other) = UnixStream::pair().unwrap();
        theirs.write_all(b"x").unwrap();
        let mut waiting = Waiting::default();
        waiting.read(&ours);
        waiting.read(&quiet);
        waiting.write(&quiet);
        waiting.wait(None).unwrap();
        assert!(waiting.is_readable(&ours) && waiting.is_writable(&quiet));
        assert!(!waiting.is_readable(&quiet) && !waiting.is_writable(&ours), "none was asked for, or none has come");
    }

    #[test]
    fn a_broken_one_is_to_be_tried() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let mut waiting = Waiting::default();
        waiting.read(&ours);
        waiting.wait(None).unwrap();
        assert!(waiting.is_readable(&ours));
    }

    #[test]
    fn it_ends_when_the_time_is_over_and_never_before() {
        let (quiet, _other) = UnixStream::pair().unwrap();
        let start = Instant::now();
        let mut waiting = Waiting::default();
        waiting.read(&quiet);
        waiting.wait(Some(20)).unwrap();
        assert!(start.elapsed().as_millis() >= 20);
        assert!(!waiting.is_readable(&quiet));
    }

    #[test]
    fn it_does_not_wait_for_what_is_there_already() {
        let mut waiting = Waiting::default();
        waiting.skip();
        // Without an end of its own it would hang here.
        waiting.wait(None).unwrap();
        waiting.wait(Some(u64::MAX)).unwrap();
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut waiting = Waiting::default();
        (0..=WAITING_MAX).for_each(|_| waiting.write(&ours));
        waiting.wait(None).unwrap();
        assert!(waiting.is_writable(&ours));
    }
}
