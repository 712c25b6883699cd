//! Moves bytes between a link and whoever has a session.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::link::Link;
use super::waiting::Waiting;
use crate::limits::{UNREAD_MAX, UNREAD_MS, WRITE_CHUNK};
use crate::model::time::Tick;

type Opening = Pin<Box<dyn Future<Output = io::Result<Link>>>>;

enum State {
    Down,
    Opening(Opening),
    Up { link: Link, readable: bool, writable: bool, patience: Patience },
}

/// Whether a few bytes wake us. They are acknowledgements, one for each message of ours,
/// and most of the time a message follows that wakes us anyway.
#[derive(Clone, Copy, PartialEq)]
enum Patience {
    /// They do: whoever has the link has not said otherwise.
    Unasked,
    /// They lie there until something longer comes; if any are awaited, until this time.
    Until(Option<Tick>),
    /// That is over, and they are to be looked for.
    Over,
    /// They do, as the system does not know better or the broker takes its time.
    Lost,
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
        let State::Up { link, readable, patience, .. } = &mut self.state else { return Ok(0) };
        if !*readable || buffer.is_empty() {
            return Ok(0);
        }
        match link.read(buffer) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the broker")),
            Ok(n) => {
                *readable = n == buffer.len();
                if let Patience::Until(_) | Patience::Over = patience {
                    *patience = Patience::Until(None);
                }
                Ok(n)
            }
            Err(error) if is_passing(&error) => {
                *readable = false;
                if *patience == Patience::Over {
                    *patience = give_up(link);
                }
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what `poll` gives, as far as the link takes it, and lets go of what was read
    /// before; whether it took any.
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
        link.let_go()?;
        Ok(sent)
    }

    /// Whether more may be read at once.
    pub fn is_readable(&self) -> bool {
        matches!(self.state, State::Up { readable: true, .. })
    }

    /// Before it is waited for: lets up to `UNREAD_MAX` bytes lie if they `may_lie`, but
    /// not for long if anything `is_awaited`. Until this is called, and with `tls://` and
    /// `unix://`, each wakes us.
    pub fn settle(&mut self, now: Tick, may_lie: bool, is_awaited: bool) {
        let State::Up { link, patience, .. } = &mut self.state else { return };
        if *patience == Patience::Unasked && may_lie {
            let is_known = link.set_least(UNREAD_MAX + 1).is_ok();
            *patience = if is_known { Patience::Until(None) } else { Patience::Lost };
        }
        match patience {
            Patience::Until(None) if is_awaited => *patience = Patience::Until(Some(now.after(UNREAD_MS))),
            Patience::Until(Some(_)) | Patience::Over if !is_awaited => *patience = Patience::Until(None),
            _ => {}
        }
    }

    /// When `handle_timeout` is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        match self.state {
            State::Up { patience: Patience::Until(look), .. } => look,
            _ => None,
        }
    }

    /// Has it read, if the time of what is awaited is over.
    pub fn handle_timeout(&mut self, now: Tick) {
        if !self.poll_timeout().is_some_and(|due| due <= now) {
            return;
        }
        if let State::Up { readable, patience, .. } = &mut self.state {
            (*readable, *patience) = (true, Patience::Over);
        }
    }

    /// Whether a link is being made, which takes the reactor.
    pub fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening(_))
    }

    /// Waits until the link may get on after it did not.
    pub fn wait(&self, waiting: &mut Waiting) {
        let State::Up { link, readable, writable, .. } = &self.state else { return };
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
        if let State::Up { link, readable, writable, patience } = &mut self.state {
            // Whoever else has woken us is to know what lies there already.
            let is_awaiting = matches!(patience, Patience::Until(Some(_)));
            *readable |= is_awaiting || waiting.is_readable(link) || link.is_over();
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
                    self.state = State::Up { link, readable: true, writable: true, patience: Patience::Unasked };
                    Poll::Ready(Wake::Opened(Ok(())))
                }
                Poll::Ready(Err(error)) => {
                    self.close();
                    Poll::Ready(Wake::Opened(Err(error)))
                }
            },
            State::Up { link, readable, writable, .. } => {
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

/// Lets each byte wake us again.
fn give_up(link: &Link) -> Patience {
    // It was set before, so it can be set back.
    let _ = link.set_least(1);
    Patience::Lost
}

/// Whether the same call may succeed later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use async_io::Async;

    use super::super::link::Tcp;
    use super::*;

    const ACK: [u8; 4] = [0x40, 2, 0, 1];

    fn up(link: Link) -> Transport {
        let state = State::Up { link, readable: false, writable: true, patience: Patience::Unasked };
        Transport { state, ..Transport::new() }
    }

    /// Both ends of a connection; of ours also a copy, to see what has arrived.
    fn pair() -> (Transport, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        theirs.set_nodelay(true).unwrap();
        let (ours, _) = listener.accept().unwrap();
        let copy = ours.try_clone().unwrap();
        (up(Link::Tcp(Tcp::new(Async::new(ours).unwrap()))), theirs, copy)
    }

    /// Returns once so many bytes have arrived and were not read.
    fn await_arrival(copy: &TcpStream, bytes: usize) {
        while !copy.peek(&mut [0; 64]).is_ok_and(|arrived| arrived == bytes) {
            std::thread::yield_now();
        }
    }

    /// Reads, and answers nothing; the bytes that came.
    fn read(transport: &mut Transport) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 64];
        let n = transport.read(&mut bytes)?;
        assert!(!transport.write(|_| 0)?);
        Ok(bytes[..n].to_vec())
    }

    fn wakes(transport: &mut Transport) -> bool {
        let mut waiting = Waiting::default();
        transport.wait(&mut waiting);
        waiting.wait(Some(0)).unwrap();
        transport.take(&waiting);
        transport.is_readable()
    }

    #[test]
    fn acknowledgements_wake_only_with_what_follows_them() {
        let (mut ours, mut theirs, copy) = pair();
        ours.settle(Tick(0), true, false);
        for arrived in (ACK.len()..=UNREAD_MAX).step_by(ACK.len()) {
            theirs.write_all(&ACK).unwrap();
            await_arrival(&copy, arrived);
            assert!(!wakes(&mut ours));
        }
        theirs.write_all(&[0x32]).unwrap();
        await_arrival(&copy, UNREAD_MAX + 1);
        assert!(wakes(&mut ours));
        assert_eq!(read(&mut ours).unwrap(), [&ACK.repeat(UNREAD_MAX / ACK.len())[..], &[0x32]].concat());
    }

    #[test]
    fn what_is_awaited_is_looked_for() {
        let (mut ours, mut theirs, copy) = pair();
        ours.settle(Tick(7), true, false);
        assert_eq!(ours.poll_timeout(), None, "nothing is awaited");
        ours.settle(Tick(10), true, true);
        let due = Tick(10).after(UNREAD_MS);
        assert_eq!(ours.poll_timeout(), Some(due));
        ours.settle(Tick(20), true, true);
        assert_eq!(ours.poll_timeout(), Some(due), "whatever else happens, it is not put off");
        theirs.write_all(&ACK).unwrap();
        await_arrival(&copy, 4);
        ours.handle_timeout(Tick(due.0 - 1));
        assert!(read(&mut ours).unwrap().is_empty());
        ours.handle_timeout(due);
        assert_eq!(read(&mut ours).unwrap(), ACK);
        ours.settle(due, true, false);
        assert_eq!(ours.poll_timeout(), None);
        theirs.write_all(&ACK).unwrap();
        await_arrival(&copy, 4);
        assert!(!wakes(&mut ours), "what came in time changes nothing");
    }

    #[test]
    fn whatever_else_wakes_us_finds_what_lies_there() {
        let (mut ours, mut theirs, copy) = pair();
        ours.settle(Tick(0), true, true);
        theirs.write_all(&ACK).unwrap();
        await_arrival(&copy, 4);
        assert!(wakes(&mut ours));
        assert_eq!(read(&mut ours).unwrap(), ACK);
    }

    #[test]
    fn of_a_broker_that_takes_its_time_each_byte_wakes() {
        let (mut ours, mut theirs, copy) = pair();
        ours.settle(Tick(0), true, true);
        let due = ours.poll_timeout().unwrap();
        ours.handle_timeout(due);
        assert!(read(&mut ours).unwrap().is_empty());
        ours.settle(due, true, true);
        assert_eq!(ours.poll_timeout(), None, "it is looked for once");
        theirs.write_all(&ACK).unwrap();
        await_arrival(&copy, 4);
        assert!(wakes(&mut ours));
        assert_eq!(read(&mut ours).unwrap(), ACK);
        ours.settle(due, true, true);
        assert_eq!(ours.poll_timeout(), None);
    }

    #[test]
    fn an_end_wakes_however_little_came_before() {
        let (mut ours, mut theirs, copy) = pair();
        ours.settle(Tick(0), true, true);
        theirs.write_all(&ACK).unwrap();
        await_arrival(&copy, 4);
        drop(theirs);
        // Without an end of its own it would hang here.
        let mut waiting = Waiting::default();
        ours.wait(&mut waiting);
        waiting.wait(None).unwrap();
        ours.take(&waiting);
        assert_eq!(read(&mut ours).unwrap(), ACK);
        assert!(wakes(&mut ours) && read(&mut ours).is_err());
    }

    #[test]
    fn what_was_not_asked_for_does_not_happen() {
        let (mut ours, mut theirs, copy) = pair();
        // Before the broker has accepted us: CONNACK is short as well.
        ours.settle(Tick(0), false, true);
        theirs.write_all(&ACK).unwrap();
        await_arrival(&copy, 4);
        assert!(wakes(&mut ours));

        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ours = up(Link::Unix(Async::new(ours).unwrap()));
        ours.settle(Tick(0), true, true);
        assert_eq!(ours.poll_timeout(), None, "the system knows it of TCP alone");
        theirs.write_all(&ACK).unwrap();
        assert!(wakes(&mut ours));
    }

    #[test]
    fn what_was_read_is_let_go_once_its_answer_is_written() {
        let (mut ours, mut theirs, copy) = pair();
        theirs.write_all(b"hello").unwrap();
        await_arrival(&copy, 5);
        assert!(wakes(&mut ours));
        let mut bytes = [0; 64];
        assert_eq!(ours.read(&mut bytes).unwrap(), 5);
        await_arrival(&copy, 5);
        let mut answers = vec![4, 0];
        assert!(ours
            .write(|out| {
                out[..4].copy_from_slice(b"good");
                answers.remove(0)
            })
            .unwrap());
        assert!(copy.peek(&mut bytes).is_err() && !wakes(&mut ours), "nothing is left of it");
        theirs.write_all(b" and more").unwrap();
        await_arrival(&copy, 9);
        assert!(wakes(&mut ours));
        // Read twice without a write, each byte comes once.
        assert_eq!(ours.read(&mut bytes[..4]).unwrap(), 4);
        assert_eq!(&bytes[..4], b" and");
        assert_eq!(ours.read(&mut bytes).unwrap(), 5);
        assert_eq!(&bytes[..5], b" more");
    }
}
