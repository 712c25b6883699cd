//! A small blocking MQTT client on the crate's own session, for tests and examples.

// Each of those who include it uses a part of it.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use update_manager::limits::WRITE_CHUNK;
use update_manager::mqtt::{Class, Document, Documents, Event, LinkWish, Message, Options, Session};
use update_manager::time::Tick;

pub mod envelope;

/// How long a broker's answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that comes back by itself when the link is lost, and then has its
/// subscriptions again. All happens within the calls.
pub struct Client {
    address: String,
    session: Box<Session>,
    stream: Option<TcpStream>,
    start: Instant,
    filters: Vec<String>,
    subscribing: bool,
    inbox: VecDeque<(String, String)>,
    /// The parts of a message past the session's limit, as far as they came.
    parts: Vec<u8>,
    connections: u32,
}

impl Client {
    /// Connects to `host:port`, also written `tcp://host:port`.
    ///
    /// # Errors
    /// `TimedOut` if the broker does not accept it in 10 s.
    pub fn connect(address: &str, id: &str) -> io::Result<Client> {
        Client::connect_with(address, Options::new(id))
    }

    /// The same with other options than the usual ones.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_with(address: &str, options: Options) -> io::Result<Client> {
        let address = address.trim_start_matches("tcp://").trim_start_matches("mqtt://");
        let mut client = Client {
            address: address.to_owned(),
            session: Session::new(options),
            stream: None,
            start: Instant::now(),
            filters: Vec::new(),
            subscribing: false,
            inbox: VecDeque::new(),
            parts: Vec::new(),
            connections: 0,
        };
        client.pump_until(PATIENCE, |client| client.connections > 0)?;
        Ok(client)
    }

    /// Subscribes to all of `filters`; returns when the broker has said so.
    ///
    /// # Errors
    /// `TimedOut` if it does not.
    pub fn subscribe(&mut self, filters: &[impl AsRef<str>]) -> io::Result<()> {
        self.filters.extend(filters.iter().map(|filter| filter.as_ref().to_owned()));
        self.resubscribe();
        self.pump_until(PATIENCE, |client| !client.subscribing)
    }

    /// Hands over a message at QoS 1. It is on its way when this returns, if
    /// there is a link; it is sent again on the next if it got lost.
    ///
    /// # Panics
    /// If too much is waiting: for tests and examples that is a fault of theirs.
    pub fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        let body = |out: &mut dyn fmt::Write| out.write_str(payload);
        let message =
            Message { topic, retain, class: Class::Keep, body: &body, detail: None, document: None, tail: "" };
        let result = self.session.publish(self.now(), message);
        assert!(result.is_ok(), "cannot publish {} bytes on {topic}: {result:?}", payload.len());
        self.transmit();
    }

    /// The next message; none if none comes within `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Option<(String, String)> {
        let _ = self.pump_until(timeout, |client| !client.inbox.is_empty());
        self.inbox.pop_front()
    }

    /// Returns when the broker has acknowledged all that was published.
    ///
    /// # Errors
    /// `TimedOut` if it does not within `timeout`.
    pub fn flush(&mut self, timeout: Duration) -> io::Result<()> {
        self.pump_until(timeout, |client| client.session.unacknowledged() == 0)
    }

    /// How often the broker has accepted it.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Ends the session with all that it still has to send.
    pub fn disconnect(mut self) {
        let _ = self.flush(PATIENCE);
        self.session.disconnect(self.now());
        self.transmit();
    }

    fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    fn resubscribe(&mut self) {
        let filters: Vec<&str> = self.filters.iter().map(String::as_str).collect();
        self.subscribing = !filters.is_empty();
        if self.subscribing {
            self.session.subscribe(self.now(), &filters);
        }
    }

    fn pump_until(&mut self, timeout: Duration, done: impl Fn(&Client) -> bool) -> io::Result<()> {
        let end = Instant::now() + timeout;
        while !done(self) {
            let left = end.saturating_duration_since(Instant::now());
            self.pump(left);
            if left.is_zero() && !done(self) {
                return Err(io::Error::new(ErrorKind::TimedOut, format!("no answer from {}", self.address)));
            }
        }
        Ok(())
    }

    /// One turn: follows the session's wish, sends, and waits for bytes or the
    /// next deadline, at most `wait`.
    fn pump(&mut self, wait: Duration) {
        let now = self.now();
        let mut wait = wait;
        if let Some(due) = self.session.poll_timeout() {
            if due <= now {
                self.session.handle_timeout(now);
            }
            wait = wait.min(Duration::from_millis(due.since(now)));
        }
        match self.session.poll_link(now) {
            LinkWish::Open => self.open(),
            LinkWish::Close(_) => self.close(),
            LinkWish::Wait(until) => {
                return std::thread::sleep(wait.min(Duration::from_millis(until.since(now))));
            }
            LinkWish::Keep => {}
        }
        self.transmit();
        self.receive(wait);
        self.take_events();
        self.transmit();
    }

    fn open(&mut self) {
        let stream = self.address.to_socket_addrs().and_then(|mut addresses| {
            let address = addresses.next().ok_or(ErrorKind::NotFound)?;
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        self.stream = stream.ok();
        match self.stream {
            Some(_) => self.session.handle_link_up(self.now()),
            None => self.session.handle_link_down(self.now()),
        }
    }

    fn close(&mut self) {
        self.stream = None;
        self.session.handle_link_down(self.now());
        self.take_events();
    }

    fn transmit(&mut self) {
        let mut chunk = [0; WRITE_CHUNK];
        loop {
            let now = self.now();
            let Some(stream) = &mut self.stream else { return };
            match self.session.poll_transmit(now, &NoDocuments, &mut chunk) {
                0 => return,
                n if stream.write_all(&chunk[..n]).is_err() => return self.close(),
                _ => {}
            }
        }
    }

    fn receive(&mut self, wait: Duration) {
        let Some(stream) = &mut self.stream else { return };
        // A timeout of 0 would mean none; a tick is as fine as the session's.
        let wait = wait.max(Duration::from_millis(1));
        let result = stream.set_read_timeout(Some(wait)).and_then(|()| {
            let buffer = self.session.receive_buffer();
            if buffer.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            stream.read(buffer)
        });
        match result {
            Ok(0) => self.close(),
            Ok(n) => {
                let now = self.now();
                self.session.handle_received(now, n);
            }
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {}
            Err(_) => self.close(),
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event(self.now()) {
            match event {
                Event::Connected { session_present } => {
                    self.connections += 1;
                    self.parts.clear();
                    if !session_present {
                        self.resubscribe();
                    }
                }
                Event::Subscribed { .. } => self.subscribing = false,
                Event::SubscribeRefused { filters, .. } => panic!("the broker refuses the subscriptions {filters:?}"),
                Event::Publish(message) => {
                    self.inbox.push_back((message.topic, String::from_utf8_lossy(&message.payload).into_owned()));
                    message.ack.into_iter().for_each(|ack| self.session.acknowledge(ack));
                }
                Event::Oversized { topic, part, last, ack, .. } => {
                    self.parts.extend_from_slice(&part);
                    if last {
                        let payload = String::from_utf8_lossy(&std::mem::take(&mut self.parts)).into_owned();
                        self.inbox.push_back((topic, payload));
                    }
                    ack.into_iter().for_each(|ack| self.session.acknowledge(ack));
                }
                Event::Unsubscribed { .. } | Event::Lost(_) => {}
            }
        }
    }
}

struct NoDocuments;

impl Documents for NoDocuments {
    fn write(&self, _: Document, _: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}
