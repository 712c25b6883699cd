//! Moves bytes between a link and whoever has a session.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::link::Link;
use crate::limits::WRITE_CHUNK;

type Opening = Pin<Box<dyn Future<Output = io::Result<Link>>>>;

enum State {
    Down,
    Opening(Opening),
    /// It was made, or could not be, and nobody knows yet.
    Opened(io::Result<Link>),
    Up {
        link: Link,
        /// Whether reading, or writing, may get on; otherwise it is waited for.
        readable: bool,
        writable: bool,
    },
}

/// A link in its life, and what the socket has not taken yet.
pub(crate) struct Transport {
    state: State,
    out: Box<[u8]>,
    start: usize,
    end: usize,
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

    /// Reads what is there, if `buffer` has room; returns how many bytes came.
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

    /// Writes what `poll` gives, as far as the link takes it; returns whether it took any.
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

    /// Returns whether more may be read at once.
    pub fn is_readable(&self) -> bool {
        matches!(self.state, State::Up { readable: true, .. })
    }

    /// Waits: ready when the link was made or could not be, or may get on after it did not.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Down => Poll::Pending,
            State::Opened(_) => Poll::Ready(()),
            State::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(opened) => {
                    self.state = State::Opened(opened);
                    Poll::Ready(())
                }
            },
            State::Up { link, readable, writable } => {
                let reads = !*readable && link.poll_readable(cx).is_ready();
                let writes = !*writable && link.poll_writable(cx).is_ready();
                if reads || writes {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }
        }
    }

    /// Takes what has come: whether the link was made, once. Whether it gets on is tried,
    /// whatever was waited for.
    pub fn take(&mut self) -> Option<io::Result<()>> {
        match std::mem::replace(&mut self.state, State::Down) {
            State::Opened(Ok(link)) => {
                self.state = State::Up { link, readable: true, writable: true };
                Some(Ok(()))
            }
            State::Opened(Err(error)) => {
                self.close();
                Some(Err(error))
            }
            State::Up { link, .. } => {
                self.state = State::Up { link, readable: true, writable: true };
                None
            }
            state => {
                self.state = state;
                None
            }
        }
    }
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
    use std::time::Duration;

    use async_io::{Async, Timer};
    use smol::future::FutureExt;

    use super::*;

    fn up(link: Link) -> Transport {
        Transport { state: State::Up { link, readable: false, writable: true }, ..Transport::new() }
    }

    /// Both ends of a connection.
    fn pair() -> (Transport, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        theirs.set_nodelay(true).unwrap();
        let (ours, _) = listener.accept().unwrap();
        (up(Link::Tcp(Async::new(ours).unwrap())), theirs)
    }

    /// Waits until it may get on, as the loop does; false if nothing comes for a second.
    fn wakes(transport: &mut Transport) -> bool {
        let mut is_first = true;
        let wait = std::future::poll_fn(|cx| match transport.poll(cx) {
            Poll::Pending if std::mem::take(&mut is_first) => Poll::Pending,
            _ => Poll::Ready(true),
        });
        let late = async {
            Timer::after(Duration::from_secs(1)).await;
            false
        };
        let woken = smol::block_on(wait.or(late));
        transport.take();
        woken
    }

    fn read(transport: &mut Transport) -> io::Result<Vec<u8>> {
        let mut bytes = [0; 64];
        let n = transport.read(&mut bytes)?;
        Ok(bytes[..n].to_vec())
    }

    #[test]
    fn a_packet_of_a_few_bytes_wakes_at_once() {
        let (mut ours, mut theirs) = pair();
        // PUBREL, PUBACK, and a PUBLISH of 20 bytes.
        for packet in [&[0x62, 2, 0, 1][..], &[0x40, 2, 0, 1], b"\x32\x12\x00\x07c//d/q/\x00\x01{\"v\":1}"] {
            theirs.write_all(packet).unwrap();
            assert!(wakes(&mut ours));
            assert_eq!(read(&mut ours).unwrap(), packet);
        }
        assert!(read(&mut ours).unwrap().is_empty() && !ours.is_readable(), "it is waited for again");
    }

    #[test]
    fn an_end_wakes_however_little_came_before() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ours = up(Link::Unix(Async::new(ours).unwrap()));
        theirs.write_all(b"x").unwrap();
        drop(theirs);
        assert!(wakes(&mut ours));
        assert_eq!(read(&mut ours).unwrap(), b"x");
        assert!(wakes(&mut ours) && read(&mut ours).is_err());
    }

    #[test]
    fn what_the_socket_does_not_take_is_written_when_it_does() {
        let (mut ours, mut theirs) = pair();
        let mut left = 4_000_000_usize;
        let mut fill = |out: &mut [u8]| {
            let n = left.min(out.len());
            out[..n].fill(b'x');
            left -= n;
            n
        };
        assert!(ours.write(&mut fill).unwrap());
        let reader = std::thread::spawn(move || {
            let mut all = 0;
            let mut bytes = [0; 4096];
            while all < 4_000_000 {
                all += io::Read::read(&mut theirs, &mut bytes).unwrap();
            }
            all
        });
        while ours.start < ours.end || !matches!(ours.state, State::Up { writable: true, .. }) {
            assert!(wakes(&mut ours));
            ours.write(&mut fill).unwrap();
        }
        assert_eq!(reader.join().unwrap(), 4_000_000);
    }
}
