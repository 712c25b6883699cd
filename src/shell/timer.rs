//! One timer of the kernel's. Setting it wakes nobody, unlike the reactor's own
//! timers, which wake its thread each time.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Async;

/// Runs off once after each `set`.
pub struct Timer {
    file: Async<File>,
    /// When it runs off. The reactor may not know yet that it has.
    due: Option<Instant>,
}

impl Timer {
    /// One that is not set.
    ///
    /// # Errors
    /// The system's, if it has no `timerfd`.
    pub fn new() -> io::Result<Timer> {
        // SAFETY: the descriptor, if it is one, is owned by nobody else.
        let file = unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(fd)
        };
        Ok(Timer { file: Async::new_nonblocking(file)?, due: None })
    }

    /// Sets it to so many milliseconds from now, in place of what it was set to;
    /// none: never.
    pub fn set(&mut self, after_ms: Option<u64>) {
        self.due = after_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        // SAFETY: a structure of plain numbers, all of which may be 0.
        let mut when: libc::itimerspec = unsafe { std::mem::zeroed() };
        if let Some(ms) = after_ms {
            // Longer than an `i32` of seconds is never, for all that runs.
            when.it_value.tv_sec = (ms / 1000).min(i32::MAX as u64) as _;
            when.it_value.tv_nsec = (ms % 1000) as libc::c_long * 1_000_000;
            if ms == 0 {
                when.it_value.tv_nsec = 1;
            }
        }
        // SAFETY: the descriptor is open, and the structure is read only.
        let result = unsafe { libc::timerfd_settime(self.file.as_raw_fd(), 0, &when, std::ptr::null_mut()) };
        assert_eq!(result, 0, "a timer can be set to any time");
    }

    /// Ready when it has run off, once.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        while due > Instant::now() {
            if self.file.poll_readable(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.end();
        Poll::Ready(())
    }

    fn end(&mut self) {
        self.due = None;
        // Or it would wake us again.
        let _ = self.file.get_ref().read(&mut [0; 8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn it_runs_off_once_after_the_last_time_that_it_was_set() {
        let mut timer = Timer::new().unwrap();
        timer.set(Some(0));
        timer.set(Some(60_000));
        timer.set(Some(20));
        let start = Instant::now();
        smol::block_on(std::future::poll_fn(|cx| timer.poll(cx)));
        assert!(start.elapsed().as_millis() >= 20);
        timer.set(Some(u64::MAX));
        let poll = smol::block_on(std::future::poll_fn(|cx| Poll::Ready(timer.poll(cx))));
        assert_eq!(poll, Poll::Pending);
    }
}
