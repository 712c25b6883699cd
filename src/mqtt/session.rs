//! The session: the link's life, what is sent, and deadlines. What is received
//! is in `receive`.

use bytes::{Buf, BytesMut};

use super::acks::{Ack, Acks};
use super::codec;
use super::event::{LinkWish, Status};
use super::inbound::Inbound;
use super::keepalive::{Backoff, KeepAlive};
use super::message::{Document, Documents, Message, PublishError, Waiting};
use super::options::Options;
use super::outbound::{DocumentChanged, Outbound};
use super::reason::Reason;
use crate::limits::{CONTROL_BYTES, LINK_STEADY_MS, REQUESTS_MAX};
use crate::model::time::Tick;

/// Bytes of PUBACK, PUBREC and PUBCOMP, the longest of the small packets.
const SMALL_PACKET: usize = 4;

/// Where the link is in its life.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Link {
    /// None, until the next attempt.
    Down { retry_at: Tick },
    /// The caller is making it.
    Opening { deadline: Option<Tick> },
    /// CONNECT is sent, or about to be.
    Connecting { deadline: Option<Tick> },
    /// The broker accepted us at this time.
    Up { since: Tick },
    /// DISCONNECT is to be sent, or is being handed out.
    Leaving { since: Tick, is_said: bool },
    /// The caller is to end it.
    Closing(Reason),
    /// `disconnect` was called and there is no link.
    Ended,
}

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
pub(super) struct Request {
    pub id: u16,
    /// How many filters a SUBSCRIBE has; 0: an UNSUBSCRIBE.
    pub filters: usize,
    /// When it was handed out.
    pub sent: Option<Tick>,
}

/// An MQTT 3.1.1 client session; see the [module](super) for how to drive it.
pub struct Session {
    pub(super) options: Options,
    pub(super) link: Link,
    /// A loss that the caller was not told of yet.
    pub(super) lost: Option<Reason>,
    pub(super) inbound: Inbound,
    /// Whether all that is complete in `inbound` was taken.
    pub(super) is_drained: bool,
    /// Whether the next packet waits for acknowledgements of the caller's.
    pub(super) is_blocked: bool,
    pub(super) acks: Acks,
    pub(super) outbound: Outbound,
    /// Packets other than PUBLISH, to be handed out.
    pub(super) control: BytesMut,
    /// What was handed out last may have had no room for acknowledgements.
    was_full: bool,
    pub(super) requests: Vec<Request>,
    pub(super) keep_alive: KeepAlive,
    /// From when on we read what comes: answers that were due before may still
    /// be unread.
    pub(super) attentive: Tick,
    last_id: u16,
    backoff: Backoff,
    /// When the broker last accepted us, or we last lost it.
    pub(super) since: Option<Tick>,
    pub(super) connections: u32,
    last: Option<Reason>,
}

impl Session {
    /// A session without a link. Its large buffers are allocated here, once, and
    /// take memory as they are first used. `options` must have passed
    /// [`Options::check`].
    pub fn new(options: Options) -> Box<Session> {
        Box::new(Session {
            link: Link::Down { retry_at: Tick(0) },
            lost: None,
            inbound: Inbound::new(),
            is_drained: true,
            is_blocked: false,
            acks: Acks::new(),
            outbound: Outbound::new(options.clean_session),
            control: BytesMut::new(),
            was_full: false,
            requests: Vec::new(),
            keep_alive: KeepAlive::new(options.keep_alive_s),
            attentive: Tick(0),
            last_id: 0,
            backoff: Backoff::new(options.seed),
            since: None,
            connections: 0,
            last: None,
            options,
        })
    }

    /// What is to be done about the transport. Ask after everything else.
    pub fn poll_link(&mut self, now: Tick) -> LinkWish {
        match self.link {
            Link::Down { retry_at } if retry_at <= now => {
                self.link = Link::Opening { deadline: deadline(now, self.options.connect_timeout_ms) };
                LinkWish::Open
            }
            Link::Down { retry_at } => LinkWish::Wait(retry_at),
            Link::Closing(reason) => LinkWish::Close(reason),
            Link::Ended => LinkWish::Close(Reason::Disconnected),
            Link::Opening { .. } | Link::Connecting { .. } | Link::Up { .. } | Link::Leaving { .. } => LinkWish::Keep,
        }
    }

    /// The transport asked for by [`LinkWish::Open`] is there: CONNECT goes out
    /// [MQTT-3.1.0-1].
    pub fn handle_link_up(&mut self, now: Tick) {
        if let Link::Opening { .. } = self.link {
            self.link = Link::Connecting { deadline: deadline(now, self.options.connect_timeout_ms) };
            self.keep_alive.handle_link_up(now);
            self.attentive = now;
            codec::write_connect(&self.options, &mut self.control);
        }
    }

    /// The transport is gone, or could not be made. Unless `disconnect` was
    /// called, the next attempt follows after half a second to thirty seconds.
    /// What was received and not yet taken is lost.
    pub fn handle_link_down(&mut self, now: Tick) {
        match self.link {
            Link::Down { .. } | Link::Ended => return,
            Link::Opening { .. } => self.fail(now, Reason::Unreachable),
            Link::Connecting { .. } | Link::Up { .. } => self.fail(now, Reason::Closed),
            Link::Leaving { .. } => self.fail(now, Reason::Disconnected),
            Link::Closing(_) => {}
        }
        self.link = match self.link {
            Link::Closing(Reason::Disconnected) => Link::Ended,
            _ => Link::Down { retry_at: now.after(self.backoff.next_ms()) },
        };
    }

    /// Says DISCONNECT after what is partly sent; when it is handed out,
    /// `poll_link` says `Close`. No further link is asked for. Messages that are
    /// not acknowledged stay so: to have them delivered, wait until
    /// [`unacknowledged`](Self::unacknowledged) is 0 first.
    pub fn disconnect(&mut self, now: Tick) {
        match self.link {
            Link::Up { since } => self.link = Link::Leaving { since, is_said: false },
            Link::Opening { .. } | Link::Connecting { .. } => self.fail(now, Reason::Disconnected),
            Link::Closing(_) => self.link = Link::Closing(Reason::Disconnected),
            Link::Down { .. } => self.link = Link::Ended,
            Link::Leaving { .. } | Link::Ended => {}
        }
    }

    /// The link is of no use any more.
    pub(super) fn fail(&mut self, now: Tick, reason: Reason) {
        if let Link::Up { since } | Link::Leaving { since, .. } = self.link {
            self.lost = Some(reason);
            self.since = Some(now);
            if now.since(since) >= LINK_STEADY_MS {
                self.backoff.reset();
            }
        }
        self.last = Some(reason);
        // However it ends while we leave, there is no next link.
        let is_leaving = matches!(self.link, Link::Leaving { .. });
        self.link = Link::Closing(if is_leaving { Reason::Disconnected } else { reason });
        self.outbound.handle_loss();
        self.acks.handle_loss();
        self.inbound.clear();
        self.is_drained = true;
        self.is_blocked = false;
        self.control.clear();
        self.requests.clear();
    }

    /// Whether the broker has accepted us on the present link.
    pub fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Messages to the broker that it has not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.outbound.len()
    }

    /// Whether the broker has accepted us and answered all subscriptions.
    pub fn is_settled(&self) -> bool {
        self.is_connected() && self.requests.is_empty()
    }

    /// Whether anything is to come from the broker by itself: an acknowledgement, an
    /// answer, the rest of a packet.
    pub fn is_awaiting(&self) -> bool {
        let is_asking = self.unacknowledged() > 0 || !self.requests.is_empty() || self.keep_alive.is_awaiting();
        is_asking || self.inbound.is_mid_packet()
    }

    /// Whether events may be left, which [`poll_event`](Self::poll_event) could not give
    /// before the next call of [`poll_transmit`](Self::poll_transmit).
    pub fn is_behind(&self) -> bool {
        !self.is_drained
    }

    /// Bytes of messages that wait for the broker's acknowledgement.
    pub fn unsent_bytes(&self) -> usize {
        self.outbound.used()
    }

    /// How the session stands.
    pub fn status(&self) -> Status {
        Status {
            connected: self.is_connected(),
            since: self.since,
            reconnects: self.connections.saturating_sub(1),
            last: self.last,
            retry_at: match self.link {
                Link::Down { retry_at } => Some(retry_at),
                _ => None,
            },
        }
    }

    /// Acknowledges a received message. Acknowledgements are sent in the order
    /// of receipt [MQTT-4.6.0-2], so one that is given late holds back those
    /// behind it. One of an earlier link counts for nothing: the broker delivers
    /// that message again, or has forgotten it.
    pub fn acknowledge(&mut self, ack: Ack) {
        self.acks.acknowledge(ack);
    }

    /// Queues a message, connected or not. It is kept until the broker has
    /// acknowledged it, and sent again on the next link [MQTT-4.4.0-1], unless its
    /// [`Class`](super::Class) says otherwise.
    ///
    /// # Errors
    /// If there is no room, or the topic is none.
    pub fn publish(&mut self, _now: Tick, message: Message<'_>) -> Result<(), PublishError> {
        self.outbound.publish(&message, self.is_connected())
    }

    /// Whether so many messages with so many bytes in all of topic, body and
    /// detail would be taken without loss of more than `Newest` ones and the
    /// details of `Found` ones but the last.
    pub fn has_room(&self, bytes: usize, messages: usize) -> bool {
        self.outbound.has_room(bytes, messages)
    }

    /// Messages of [`Class::Found`](super::Class::Found) that the broker has not
    /// acknowledged, in order.
    pub fn found(&self) -> impl Iterator<Item = Waiting<'_>> {
        self.outbound.found()
    }

    /// Whether a message to this topic is not acknowledged.
    pub fn has_topic(&self, topic: &str) -> bool {
        self.outbound.has_topic(topic)
    }

    /// Takes messages with such a document out: what they belong to is over. One
    /// that is partly sent is still sent to its end, so not while
    /// [`is_mid_document`](Self::is_mid_document) if the document is no more.
    pub fn discard_documents(&mut self, which: impl Fn(Document) -> bool) {
        self.outbound.discard(which);
    }

    /// Subscribes with QoS 1, all filters in one packet. Returns what the answer
    /// is known by, or 0 if there is nothing to do: no filters, or not
    /// connected. Subscriptions go with the link: subscribe after each
    /// `Connected`. Too many at a time end the link with [`Reason::Full`].
    pub fn subscribe(&mut self, now: Tick, filters: &[&str]) -> u16 {
        let len = filters.iter().map(|f| 2 + f.len() + 1).sum();
        let id = self.request(now, filters.len(), filters.len(), len);
        if id != 0 {
            codec::write_subscribe(id, filters, &mut self.control);
        }
        id
    }

    /// Takes subscriptions back, like [`subscribe`](Self::subscribe).
    pub fn unsubscribe(&mut self, now: Tick, filters: &[&str]) -> u16 {
        let len = filters.iter().map(|f| 2 + f.len()).sum();
        let id = self.request(now, filters.len(), 0, len);
        if id != 0 {
            codec::write_unsubscribe(id, filters, &mut self.control);
        }
        id
    }

    /// A packet id for a request with `count` filters of `len` bytes in all.
    fn request(&mut self, now: Tick, count: usize, filters: usize, len: usize) -> u16 {
        if count == 0 || !self.is_connected() {
            return 0;
        }
        let need = codec::FIXED_HEADER_MAX + 2 + len;
        if self.requests.len() >= REQUESTS_MAX || self.control.len() + need > CONTROL_BYTES {
            self.fail(now, Reason::Full);
            return 0;
        }
        let id = self.free_id();
        self.requests.push(Request { id, filters, sent: None });
        id
    }

    /// A packet id that nothing uses [MQTT-2.3.1-2].
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = self.last_id;
            if !self.outbound.has_id(id) && !self.requests.iter().any(|r| r.id == id) {
                return id;
            }
        }
    }

    /// Whether there is room in `control` for a small packet.
    pub(super) fn has_control_room(&self) -> bool {
        self.control.len() + SMALL_PACKET <= CONTROL_BYTES
    }

    /// Whether a document was begun but not completely handed out. What it is
    /// encoded from must not change, so take no events until then.
    pub fn is_mid_document(&self) -> bool {
        self.outbound.is_mid_document()
    }

    /// The next bytes for the transport, at most as many as fit `out`; 0: none
    /// for now. Call it whenever something was handed in, until it returns 0.
    ///
    /// Messages go ahead of acknowledgements, as somebody waits for them, but not those
    /// of one call ahead of those of the last.
    pub fn poll_transmit(&mut self, now: Tick, documents: &dyn Documents, out: &mut [u8]) -> usize {
        let mut len = 0;
        while len < out.len() {
            let more = self.transmit(now, documents, &mut out[len..]);
            if more == 0 {
                break;
            }
            len += more;
        }
        self.was_full = len == out.len();
        if len > 0 {
            self.keep_alive.handle_sent(now);
        }
        len
    }

    /// Bytes of one thing: of the message that is partly sent, else of control packets
    /// or the next message.
    fn transmit(&mut self, now: Tick, documents: &dyn Documents, out: &mut [u8]) -> usize {
        let is_leaving = match self.link {
            Link::Connecting { .. } | Link::Up { .. } => false,
            Link::Leaving { .. } => true,
            _ => return 0,
        };
        if self.outbound.is_sending() {
            if self.is_mid_document() {
                self.attentive = now;
            }
            return self.transmit_message(now, documents, out);
        }
        let next = self.outbound.next_is_new().filter(|_| !is_leaving && self.is_connected());
        if next.is_none() || self.was_full || !self.control.is_empty() {
            self.write_small_packets();
            if !self.control.is_empty() {
                return self.transmit_control(now, out);
            }
        }
        let id = match next {
            None => return 0,
            Some(true) => self.free_id(),
            Some(false) => 0,
        };
        match self.outbound.start(id, documents) {
            Ok(()) => self.transmit_message(now, documents, out),
            Err(DocumentChanged) => self.tear(now),
        }
    }

    fn transmit_message(&mut self, now: Tick, documents: &dyn Documents, out: &mut [u8]) -> usize {
        match self.outbound.write(now, documents, out) {
            Ok(len) => len,
            Err(DocumentChanged) => self.tear(now),
        }
    }

    fn tear(&mut self, now: Tick) -> usize {
        self.fail(now, Reason::DocumentChanged);
        0
    }

    /// Adds acknowledgements, PINGREQ and DISCONNECT to the control packets.
    fn write_small_packets(&mut self) {
        while self.has_control_room() {
            let Some((id, qos2)) = self.acks.poll() else { break };
            codec::write_ack(id, qos2, &mut self.control);
        }
        if self.keep_alive.is_wanted() && self.has_control_room() {
            self.keep_alive.handle_ping_sent();
            codec::write_pingreq(&mut self.control);
        }
        if let Link::Leaving { is_said, .. } = &mut self.link {
            if !*is_said && !self.acks.is_ready() {
                *is_said = true;
                codec::write_disconnect(&mut self.control);
            }
        }
    }

    fn transmit_control(&mut self, now: Tick, out: &mut [u8]) -> usize {
        let len = self.control.len().min(out.len());
        out[..len].copy_from_slice(&self.control[..len]);
        self.control.advance(len);
        if self.control.is_empty() {
            for request in self.requests.iter_mut().filter(|r| r.sent.is_none()) {
                request.sent = Some(now);
            }
            if let Link::Leaving { is_said: true, .. } = self.link {
                self.fail(now, Reason::Disconnected);
            }
        }
        len
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Tick> {
        match self.link {
            Link::Down { retry_at } => Some(retry_at),
            Link::Up { .. } | Link::Leaving { .. } => {
                let [a, b, c, d, e] = self.deadlines().map(|(at, _)| at);
                Tick::earliest(&[a, b, c, d, e, self.keep_alive.due()])
            }
            Link::Opening { deadline } | Link::Connecting { deadline } => deadline,
            Link::Closing(_) | Link::Ended => None,
        }
    }

    /// Time has passed. Hand in what was received before, or an answer that
    /// came in time counts as late.
    pub fn handle_timeout(&mut self, now: Tick) {
        match self.link {
            Link::Opening { deadline } | Link::Connecting { deadline } => {
                if deadline.is_some_and(|d| d <= now) {
                    self.fail(now, Reason::ConnectTimeout);
                }
            }
            Link::Up { .. } | Link::Leaving { .. } => {
                let over = self.deadlines().into_iter().find(|d| d.0.is_some_and(|at| at <= now));
                match over {
                    Some((_, reason)) => self.fail(now, reason),
                    None => self.keep_alive.handle_timeout(now),
                }
            }
            Link::Down { .. } | Link::Closing(_) | Link::Ended => {}
        }
    }

    /// When the link has failed, and why, if nothing happens until then.
    fn deadlines(&self) -> [(Option<Tick>, Reason); 5] {
        let o = &self.options;
        let after = |since: Option<Tick>, ms| since.and_then(|at| deadline(at.max(self.attentive), ms));
        // The answers may be there already while we cannot read them.
        let is_attentive = !self.is_blocked && !self.is_mid_document();
        let oldest = |is_subscribe: bool| {
            let requests = self.requests.iter().filter(|r| (r.filters > 0) == is_subscribe);
            requests.filter_map(|r| r.sent).min().filter(|_| is_attentive)
        };
        let sending = self.outbound.is_sending().then(|| self.keep_alive.last_sent());
        let sent = self.outbound.oldest_sent().filter(|_| is_attentive);
        [
            (sending.and_then(|at| deadline(at, o.ack_timeout_ms)), Reason::SendTimeout),
            (after(sent, o.ack_timeout_ms), Reason::AckTimeout),
            (after(oldest(true), o.subscribe_timeout_ms), Reason::SubscribeTimeout),
            (after(oldest(false), o.unsubscribe_timeout_ms), Reason::UnsubscribeTimeout),
            (self.keep_alive.overdue(self.attentive).filter(|_| is_attentive), Reason::PingTimeout),
        ]
    }
}

/// The time `ms` after `since`; none for 0 milliseconds, which mean no limit.
fn deadline(since: Tick, ms: u64) -> Option<Tick> {
    (ms > 0).then(|| since.after(ms))
}
