//! A blocking MQTT client on the crate's session.

use std::collections::VecDeque;
use std::fmt;
use std::future::{poll_fn, Future};
use std::io::{self, ErrorKind};
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::config::{parse_address, Broker, Connection};
use crate::limits::{CLIENT_INBOX_BYTES, CLIENT_INBOX_MAX, CLIENT_PAYLOAD_MAX};
use crate::mqtt::{
    self, Class, Document, Documents, Event, LinkWish, Options, PublishError, Reason, Refusal, Refused, Session,
    Status, Write,
};
use crate::shell::clock::Clock;
use crate::shell::link::{self, Link};
use crate::shell::transport::Transport;
use crate::shell::{invalid, options};

/// How to reach the broker at `address`, written as the manager's
/// `connection.broker` (`tcp://host:1883`, `tls://host`, `unix:///path`), with the manager's
/// defaults: a random client id, a clean session.
///
/// # Errors
/// What is wrong with the address.
pub fn connection(address: &str) -> Result<Connection, String> {
    let address = parse_address(address)?;
    let usual = Options::new("");
    Ok(Connection {
        broker: address.broker,
        keep_alive_s: usual.keep_alive_s,
        disconnect_timeout_ms: 250,
        username: address.username.unwrap_or_default(),
        password: address.password.unwrap_or_default(),
        connect_timeout_ms: usual.connect_timeout_ms,
        ack_timeout_ms: usual.ack_timeout_ms,
        subscribe_timeout_ms: usual.subscribe_timeout_ms,
        unsubscribe_timeout_ms: usual.unsubscribe_timeout_ms,
        ca_cert: String::new(),
        cert: String::new(),
        key: String::new(),
        client_id: String::new(),
        clean_session: None,
        retain: true,
        status_topic: String::new(),
    })
}

/// A message that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload, at most `CLIENT_PAYLOAD_MAX` bytes of it.
    pub payload: Vec<u8>,
    /// Bytes of the whole payload.
    pub len: usize,
    /// Whether it is an old one that the broker kept for new subscribers.
    pub is_retained: bool,
}

/// An MQTT client that comes back by itself when the link is lost, and then has
/// its subscriptions again. All of that happens within the calls that take a
/// timeout: between them the broker waits, at most one and a half times the keep
/// alive [MQTT-3.1.2-24].
///
/// What becomes of the link is said in the log.
pub struct Client {
    connection: Connection,
    session: Box<Session>,
    transport: Transport,
    clock: Clock,
    filters: Vec<String>,
    /// The SUBSCRIBE with all of `filters` that is not answered yet.
    subscribing: Option<u16>,
    /// Filters that the broker refuses; they are asked for again.
    refused: Refused,
    inbox: VecDeque<Message>,
    /// The beginning of a message past the session's limit.
    parts: Vec<u8>,
    connections: u32,
    subscriptions: u32,
    /// Why there is no link; empty while there is one.
    trouble: String,
}

impl Client {
    /// A client without a link: it is made within the calls that take a timeout.
    ///
    /// # Errors
    /// `InvalidInput` if MQTT does not allow something in `connection`, or a file that
    /// it names for TLS cannot be used.
    pub fn new(connection: Connection) -> io::Result<Client> {
        if cfg!(not(feature = "tls")) && matches!(connection.broker, Broker::Tls { .. }) {
            return Err(invalid("TLS is not built in"));
        }
        link::check(&connection).map_err(invalid)?;
        let options = options(&connection)?;
        options.check().map_err(invalid)?;
        Ok(Client {
            connection,
            session: Session::new(options),
            transport: Transport::new(),
            clock: Clock::start(),
            filters: Vec::new(),
            subscribing: None,
            refused: Refused::default(),
            inbox: VecDeque::new(),
            parts: Vec::new(),
            connections: 0,
            subscriptions: 0,
            trouble: String::new(),
        })
    }

    /// Returns when the broker has accepted it.
    ///
    /// # Errors
    /// `TimedOut` if it does not within `timeout`, with the last reason why; it is tried on
    /// all the same.
    pub fn connect(&mut self, timeout: Duration) -> io::Result<()> {
        self.wait(timeout, |client| client.session.is_connected())
    }

    /// Subscribes to all of `filters` at QoS 1, now and on each further link.
    pub fn add_subscriptions(&mut self, filters: &[impl AsRef<str>]) {
        self.filters.extend(filters.iter().map(|filter| filter.as_ref().to_owned()));
        self.resubscribe();
    }

    /// The same, and returns when the broker has said so.
    ///
    /// # Errors
    /// `TimedOut` if it does not within `timeout`, `PermissionDenied` if it refuses
    /// one; that one is asked for again all the same, with pauses that grow.
    pub fn subscribe(&mut self, filters: &[impl AsRef<str>], timeout: Duration) -> io::Result<()> {
        self.add_subscriptions(filters);
        self.wait(timeout, |client| client.session.is_connected() && client.subscribing.is_none())?;
        match self.refused.filters() {
            [] => Ok(()),
            [filter, ..] => Err(io::Error::new(ErrorKind::PermissionDenied, format!("{filter} is refused"))),
        }
    }

    /// Hands over a message at QoS 1; `body` writes its payload. It is on its way
    /// when this returns if there is a link, and sent again on the next if it got
    /// lost.
    ///
    /// # Errors
    /// There is no room, or the topic is none.
    pub fn publish(&mut self, topic: &str, retain: bool, class: Class, body: Write<'_>) -> Result<(), PublishError> {
        let message = mqtt::Message { topic, retain, class, body, detail: None, document: None, tail: "" };
        self.session.publish(self.clock.now().tick, message)?;
        self.transmit();
        Ok(())
    }

    /// The next message; none if none comes within `timeout`. It was acknowledged
    /// to the broker when it came.
    pub fn next(&mut self, timeout: Duration) -> Option<Message> {
        let _ = self.wait(timeout, Client::has_message);
        self.take()
    }

    /// Whether a message is there to be taken.
    pub(super) fn has_message(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// How many are there.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// A message that is there.
    pub(super) fn take(&mut self) -> Option<Message> {
        self.inbox.pop_front()
    }

    /// Returns when the broker has acknowledged all that was published.
    ///
    /// # Errors
    /// `TimedOut` if it does not within `timeout`, or because too many messages wait
    /// for [`next`](Self::next).
    pub fn flush(&mut self, timeout: Duration) -> io::Result<()> {
        self.wait(timeout, |client| client.session.unacknowledged() == 0)
    }

    /// Ends the session once all is delivered, at the latest after `timeout`.
    ///
    /// # Errors
    /// As of [`flush`](Self::flush): what was not acknowledged may be lost.
    pub fn disconnect(mut self, timeout: Duration) -> io::Result<()> {
        let result = self.flush(timeout);
        self.session.disconnect(self.clock.now().tick);
        self.transmit();
        result
    }

    /// How often the broker has accepted it.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// On how many links all was subscribed, or known to be from the one before.
    pub fn subscriptions(&self) -> u32 {
        self.subscriptions
    }

    /// How the session stands.
    pub fn status(&self) -> Status {
        self.session.status()
    }

    /// Serves the link until `done`, at most for `timeout`.
    pub(super) fn wait(&mut self, timeout: Duration, done: impl Fn(&Client) -> bool) -> io::Result<()> {
        self.wait_or(timeout, done, &mut |_| Poll::Pending)
    }

    /// The same, or until `other` is ready.
    pub(super) fn wait_or(
        &mut self,
        timeout: Duration,
        done: impl Fn(&Client) -> bool,
        other: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> io::Result<()> {
        let end = Instant::now().checked_add(timeout);
        let mut is_over = false;
        loop {
            while self.turn() {}
            if done(self) {
                return Ok(());
            }
            if is_over {
                let before = if self.trouble.is_empty() { "" } else { ": " };
                let text = format!("no answer from {} in time{before}{}", self.connection.broker, self.trouble);
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            // Without time left it still looks once what has come.
            is_over = end.is_some_and(|end| end <= Instant::now());
            if self.sleep(end, other) {
                return Err(ErrorKind::Interrupted.into());
            }
        }
    }

    /// Whether messages that are not taken keep it from reading on.
    fn is_full(&self) -> bool {
        let bytes: usize = self.inbox.iter().map(|message| message.payload.len()).sum();
        self.inbox.len() >= CLIENT_INBOX_MAX || bytes >= CLIENT_INBOX_BYTES
    }

    /// Does what can be done without waiting; whether there may be more.
    fn turn(&mut self) -> bool {
        let received = self.receive();
        let now = self.clock.now().tick;
        // What cannot be read may hold the answer that seems to be late.
        if self.session.poll_timeout().is_some_and(|due| due <= now) && !self.is_full() {
            self.session.handle_timeout(now);
        }
        if self.refused.take_due(now) {
            let filters = self.refused.filters().to_vec();
            self.ask_for(&filters);
        }
        let sent = self.transmit();
        match self.session.poll_link(now) {
            LinkWish::Open => self.transport.open(Link::open(self.connection.clone())),
            LinkWish::Close(reason) => {
                if reason != Reason::Disconnected {
                    log::warn!("connection closed: {reason}");
                    self.trouble = reason.to_string();
                }
                self.close();
            }
            LinkWish::Keep | LinkWish::Wait(_) => {}
        }
        received || sent
    }

    fn receive(&mut self) -> bool {
        match self.transport.read(self.session.receive_buffer()) {
            Ok(0) => self.take_events(),
            Ok(n) => {
                self.session.handle_received(self.clock.now().tick, n);
                self.take_events();
                true
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Whether something was sent.
    fn transmit(&mut self) -> bool {
        let Client { transport, session, clock, .. } = self;
        match transport.write(|bytes| session.poll_transmit(clock.now().tick, &NoDocuments, bytes)) {
            Ok(sent) => sent,
            Err(error) => self.lose(&error),
        }
    }

    fn lose(&mut self, error: &io::Error) -> bool {
        log::warn!("connection lost: {error}");
        self.trouble = error.to_string();
        self.close();
        true
    }

    fn close(&mut self) {
        self.transport.close();
        self.session.handle_link_down(self.clock.now().tick);
    }

    /// Sleeps until there is something to do, at the latest until `end`; whether `other`
    /// is ready.
    fn sleep(&mut self, end: Option<Instant>, other: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> bool {
        let due = self.session.poll_timeout().filter(|_| !self.is_full());
        let due = due.into_iter().chain(self.refused.poll_timeout()).min();
        let due = due.and_then(|due| self.clock.instant(due));
        let mut timer = match due.into_iter().chain(end).min() {
            Some(at) => Timer::at(at),
            None => Timer::never(),
        };
        let mut is_woken = false;
        let is_other = smol::future::block_on(poll_fn(|cx| {
            if other(cx).is_ready() {
                return Poll::Ready(true);
            }
            let mut is_ready = replace(&mut is_woken, true);
            is_ready |= Pin::new(&mut timer).poll(cx).is_ready();
            is_ready |= self.transport.poll(cx).is_ready();
            match is_ready {
                true => Poll::Ready(false),
                false => Poll::Pending,
            }
        }));
        match self.transport.take() {
            Some(Ok(())) => self.session.handle_link_up(self.clock.now().tick),
            Some(Err(error)) => {
                log::warn!("cannot connect to {}: {error}", self.connection.broker);
                self.trouble = error.to_string();
                self.close();
            }
            None => {}
        }
        is_other
    }

    fn resubscribe(&mut self) {
        let filters = self.filters.clone();
        let packet = self.ask_for(&filters);
        self.subscribing = Some(packet).filter(|packet| *packet != 0);
        self.transmit();
    }

    fn ask_for(&mut self, filters: &[String]) -> u16 {
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let packet = self.session.subscribe(self.clock.now().tick, &filters);
        self.refused.note(packet, &filters);
        packet
    }

    /// Whether there was one.
    fn take_events(&mut self) -> bool {
        let mut any = false;
        while !self.is_full() {
            let Some(event) = self.session.poll_event(self.clock.now().tick) else { break };
            self.handle_event(event);
            any = true;
        }
        any
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected { session_present } => {
                log::info!("connected to {}", self.connection.broker);
                self.connections = self.connections.saturating_add(1);
                self.trouble.clear();
                self.parts = Vec::new();
                // A session from an earlier run may lack some.
                match session_present && self.subscriptions > 0 && !self.refused.is_owed() {
                    true => self.subscriptions = self.subscriptions.saturating_add(1),
                    false => self.resubscribe(),
                }
            }
            Event::Subscribed { packet } => self.handle_subscribed(packet, &[]),
            Event::SubscribeRefused { packet, filters } => self.handle_subscribed(packet, &filters),
            Event::Publish(message) => {
                let (len, payload) = (message.payload.len(), message.payload.to_vec());
                let is_retained = message.delivery.retain;
                self.inbox.push_back(Message { topic: message.topic, payload, len, is_retained });
                message.ack.into_iter().for_each(|ack| self.session.acknowledge(ack));
            }
            Event::Oversized { topic, len, part, last, delivery, ack } => {
                let room = CLIENT_PAYLOAD_MAX.saturating_sub(self.parts.len());
                self.parts.extend_from_slice(&part[..part.len().min(room)]);
                if last {
                    let payload = std::mem::take(&mut self.parts);
                    self.inbox.push_back(Message { topic, payload, len, is_retained: delivery.retain });
                }
                ack.into_iter().for_each(|ack| self.session.acknowledge(ack));
            }
            Event::Lost(_) => {
                self.subscribing = None;
                self.refused.handle_lost();
            }
            Event::Refused(Refusal { topic, len, remedy, .. }) => {
                log::error!("{topic}: the broker refuses a message of {len} bytes, {remedy}");
            }
            Event::Unsubscribed { .. } => {}
        }
    }

    fn handle_subscribed(&mut self, packet: u16, refused: &[u16]) {
        let was_deaf = !self.refused.filters().is_empty();
        self.refused.handle_answer(self.clock.now().tick, packet, refused);
        if !refused.is_empty() {
            log::error!("the broker refuses the subscriptions {:?}", self.refused.filters());
        }
        let is_mended = was_deaf && self.refused.filters().is_empty();
        if is_mended {
            log::info!("the broker takes the subscriptions");
        }
        let is_first = self.subscribing == Some(packet);
        if is_first {
            self.subscribing = None;
        }
        if is_first || is_mended {
            self.subscriptions = self.subscriptions.saturating_add(1);
        }
    }
}

/// Messages of a client are stored whole.
struct NoDocuments;

impl Documents for NoDocuments {
    fn write(&self, _: Document, _: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}
