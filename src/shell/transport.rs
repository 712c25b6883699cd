//! Moves bytes between a link and whoever has a session.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::link::Link;
use super::waiting::Waiting;
use crate::limits::WRITE_CHUNK;

type Opening = Pin<Box<dyn Future<Output = io::Result<Link>>>>;

enum State {
    Down,
    Opening(Opening),
    Up { link: Link, readable: bool, writable: bool },
}

/// A link in its life, and what the socket has not taken yet.
pub(crate) struct Transport {
    state: State,
    out: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What was waited for.
pub(crate) enum Wake {
    /// The link was made, or could not be.
    Opened(io::Result<()>),
    /// It can be read or written.
    Ready,
}

impl Transport {
    /// None yet.
    pub fn new() -> Transport {
        Transport { state: State::Down, out: vec![0; WRITE_CHUNK].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Takes a new link, once it is made.
    pub fn open(&mut self, opening: impl Future<Output = io::Result<Link>> + 'static) {
        self.close();
        self.state = State::Opening(Box::pin(opening));
    }

    /// Drops the link and what was to be written.
    pub fn close(&mut self) {
        self.state = State::Down;
        self.start = 0;
        self.end = 0;
    }

    /// Reads what is there, if `buffer` has room; the bytes that came.
    ///
    /// # Errors
    /// The link has ended or is broken.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let State::Up { link, readable, .. } = &mut self.state else { return Ok(0) };
        if !*readable || buffer.is_empty() {
            return Ok(0);
        }
        match link.read(buffer) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the broker")),
            Ok(n) => {
                *readable = n == buffer.len();
                Ok(n)
            }
            Err(error) if is_passing(&error) => {
                *readable = false;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what `poll` gives, as far as the link takes it; whether it took any.
    ///
    /// # Errors
    /// The link is broken.
    pub fn write(&mut self, mut poll: impl FnMut(&mut [u8]) -> usize) -> io::Result<bool> {
        let State::Up { link, writable, .. } = &mut self.state else { return Ok(false) };
        let mut sent = false;
        while *writable {
            if self.start == self.end {
                self.start = 0;
                self.end = poll(&mut self.out);
                if self.end == 0 {
                    break;
                }
            }
            match link.write(&self.out[self.start..self.end]) {
                Ok(n) => {
                    self.start += n;
                    sent = true;
                }
                Err(error) if is_passing(&error) => *writable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Whether a link is being made, which takes the reactor.
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening(_))
    }

    /// Waits until the link may get on after it did not.
    pub fn wait(&self, waiting: &mut Waiting) {
        let State::Up { link, readable, writable } = &self.state else { return };
        if !*readable {
            waiting.read(link);
            if link.is_over() {
                waiting.skip();
            }
        }
        if !*writable {
            waiting.write(link);
        }
    }

    /// Notes what has come; with [`Waiting`] in place of `poll_wake`.
    pub fn take(&mut self, waiting: &Waiting) {
        if let State::Up { link, readable, writable } = &mut self.state {
            *readable |= waiting.is_readable(link) || link.is_over();
            *writable |= waiting.is_writable(link);
        }
    }

    /// Ready when the link was made, or may get on after it did not: is to be tried,
    /// if `is_woken`, whatever the reactor knows.
    pub fn poll_wake(&mut self, cx: &mut Context<'_>, is_woken: bool) -> Poll<Wake> {
        match &mut self.state {
            State::Down => Poll::Pending,
            State::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(link)) => {
                    self.state = State::Up { link, readable: true, writable: true };
                    Poll::Ready(Wake::Opened(Ok(())))
                }
                Poll::Ready(Err(error)) => {
                    self.close();
                    Poll::Ready(Wake::Opened(Err(error)))
                }
            },
            State::Up { link, readable, writable } => {
                let mut wake = Poll::Pending;
                if !*readable && (is_woken || link.poll_readable(cx).is_ready()) {
                    *readable = true;
                    wake = Poll::Ready(Wake::Ready);
                }
                if !*writable && (is_woken || link.poll_writable(cx).is_ready()) {
                    *writable = true;
                    wake = Poll::Ready(Wake::Ready);
                }
                wake
            }
        }
    }
}

/// Whether the same call may succeed later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
