//! The session: the link's life, what is sent, and deadlines. What is received
//! is in `receive`.

use super::acks::{Ack, Acks};
use super::attention::Attention;
use super::control::Control;
use super::event::{LinkWish, Status};
use super::inbound::Inbound;
use super::keepalive::KeepAlive;
use super::links::Links;
use super::message::{Document, Documents, Message, PublishError, Waiting};
use super::options::Options;
use super::outbound::{DocumentChanged, Outbound};
use super::reason::Reason;
use crate::model::time::Tick;

/// Where the link is in its life.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Link {
    /// None, until the next attempt.
    Down { retry_at: Tick },
    /// The caller is making it.
    Opening { deadline: Option<Tick> },
    /// CONNECT is sent, or about to be.
    Connecting { deadline: Option<Tick> },
    /// The broker accepted us.
    Up,
    /// DISCONNECT is to be sent, or is being handed out.
    Leaving { is_said: bool },
    /// The caller is to end it.
    Closing(Reason),
    /// `disconnect` was called and there is no link.
    Ended,
}

/// An MQTT 3.1.1 client session; see the [module](super) for how to drive it.
pub struct Session {
    pub(super) options: Options,
    last_id: u16,
    pub(super) links: Links,
    pub(super) outbound: Outbound,
    /// The ids of QoS 2 in it outlive the link, what we owe does not.
    pub(super) acks: Acks,

    // Of the present link alone.
    pub(super) link: Link,
    pub(super) inbound: Inbound,
    pub(super) attention: Attention,
    pub(super) control: Control,
    pub(super) keep_alive: KeepAlive,
    /// What was handed out last may have had no room for acknowledgements.
    was_full: bool,
}

impl Session {
    /// A session without a link. Its large buffers are allocated here, once, and
    /// take memory as they are first used. `options` must have passed
    /// [`Options::check`].
    pub fn new(options: Options) -> Box<Session> {
        Box::new(Session {
            last_id: 0,
            links: Links::new(options.seed),
            outbound: Outbound::new(options.clean_session, options.retain),
            acks: Acks::new(),
            link: Link::Down { retry_at: Tick(0) },
            inbound: Inbound::new(),
            attention: Attention::new(),
            control: Control::new(),
            keep_alive: KeepAlive::new(options.keep_alive_s),
            was_full: false,
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
            Link::Opening { .. } | Link::Connecting { .. } | Link::Up | Link::Leaving { .. } => LinkWish::Keep,
        }
    }

    /// The transport asked for by [`LinkWish::Open`] is there: CONNECT goes out
    /// [MQTT-3.1.0-1].
    pub fn handle_link_up(&mut self, now: Tick) {
        if let Link::Opening { .. } = self.link {
            self.link = Link::Connecting { deadline: deadline(now, self.options.connect_timeout_ms) };
            self.keep_alive.handle_link_up(now);
            self.attention.renew(now);
            let retain = self.outbound.may_retain() && self.links.may_retain_will();
            self.control.connect(&self.options, retain);
        }
    }

    /// The transport is gone, or could not be made. Unless `disconnect` was
    /// called, the next attempt follows after half a second to thirty seconds.
    /// What was received and not yet taken is lost.
    pub fn handle_link_down(&mut self, now: Tick) {
        match self.link {
            Link::Down { .. } | Link::Ended => return,
            Link::Opening { .. } => self.fail(now, Reason::Unreachable),
            Link::Connecting { .. } | Link::Up => self.fail(now, Reason::Closed),
            Link::Leaving { .. } => self.fail(now, Reason::Disconnected),
            Link::Closing(_) => {}
        }
        self.link = match self.link {
            Link::Closing(Reason::Disconnected) => Link::Ended,
            _ => Link::Down { retry_at: self.links.next_attempt(now) },
        };
    }

    /// Says DISCONNECT after what is partly sent; when it is handed out,
    /// `poll_link` says `Close`. No further link is asked for. Messages that are
    /// not acknowledged stay so: to have them delivered, wait until
    /// [`unacknowledged`](Self::unacknowledged) is 0 first.
    pub fn disconnect(&mut self, now: Tick) {
        match self.link {
            Link::Up => self.link = Link::Leaving { is_said: false },
            Link::Opening { .. } | Link::Connecting { .. } => self.fail(now, Reason::Disconnected),
            Link::Closing(_) => self.link = Link::Closing(Reason::Disconnected),
            Link::Down { .. } => self.link = Link::Ended,
            Link::Leaving { .. } | Link::Ended => {}
        }
    }

    /// The link is of no use any more.
    pub(super) fn fail(&mut self, now: Tick, reason: Reason) {
        match (self.link, reason) {
            (Link::Up, Reason::Closed) if !self.attention.is_blocked() => self.outbound.handle_ended(now),
            (Link::Connecting { .. }, Reason::Closed) => {}
            _ => self.outbound.suspicion.clear(),
        }
        match self.link {
            Link::Up | Link::Leaving { .. } => self.links.handle_lost(now, reason),
            _ => self.links.handle_failed(reason),
        }
        // However it ends while we leave, there is no next link.
        let is_leaving = matches!(self.link, Link::Leaving { .. });
        self.link = Link::Closing(if is_leaving { Reason::Disconnected } else { reason });
        self.outbound.handle_loss(now);
        self.acks.handle_loss();
        self.inbound.clear();
        self.attention.handle_loss();
        self.control.handle_loss();
    }

    /// Whether the broker has accepted us on the present link.
    pub fn is_connected(&self) -> bool {
        self.link == Link::Up
    }

    /// Messages to the broker that it has not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.outbound.len()
    }

    /// Whether events may be left, which [`poll_event`](Self::poll_event) could not give
    /// before the next call of [`poll_transmit`](Self::poll_transmit).
    pub fn is_behind(&self) -> bool {
        !self.inbound.is_drained()
    }

    /// Bytes of messages that wait for the broker's acknowledgement.
    pub fn unsent_bytes(&self) -> usize {
        self.outbound.used()
    }

    /// How the session stands.
    pub fn status(&self) -> Status {
        let retry_at = match self.link {
            Link::Down { retry_at } => Some(retry_at),
            _ => None,
        };
        self.links.status(self.is_connected(), retry_at)
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
        let Some(id) = self.request_id(now, len) else { return 0 };
        self.control.subscribe(id, filters);
        id
    }

    /// Takes subscriptions back, like [`subscribe`](Self::subscribe).
    pub fn unsubscribe(&mut self, now: Tick, filters: &[&str]) -> u16 {
        let len = filters.iter().map(|f| 2 + f.len()).sum();
        let Some(id) = self.request_id(now, len) else { return 0 };
        self.control.unsubscribe(id, filters);
        id
    }

    /// A packet id for a request with so many bytes of filters; none if there are none,
    /// or no link that takes it.
    fn request_id(&mut self, now: Tick, len: usize) -> Option<u16> {
        if len == 0 || !self.is_connected() {
            return None;
        }
        if !self.control.has_request_room(len) {
            self.fail(now, Reason::Full);
            return None;
        }
        Some(self.free_id())
    }

    /// A packet id that nothing uses [MQTT-2.3.1-2].
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = self.last_id;
            if !self.outbound.has_id(id) && !self.control.has_id(id) {
                return id;
            }
        }
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
            Link::Connecting { .. } | Link::Up => false,
            Link::Leaving { .. } => true,
            _ => return 0,
        };
        if self.outbound.is_sending() {
            if self.is_mid_document() {
                self.attention.renew(now);
            }
            return self.transmit_message(now, documents, out);
        }
        let may_send = !is_leaving && self.is_connected();
        if may_send && self.outbound.apply_known(documents).is_err() {
            return self.tear(now);
        }
        let next = self.outbound.next().filter(|_| may_send);
        if next.is_none() || self.was_full || !self.control.is_empty() {
            self.write_small_packets();
            if !self.control.is_empty() {
                return self.transmit_control(now, out);
            }
        }
        let Some(place) = next else { return 0 };
        let id = if self.outbound.is_new(place) { self.free_id() } else { 0 };
        match self.outbound.start(now, place, id, documents) {
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
        while self.control.has_room() {
            let Some((id, qos2)) = self.acks.poll() else { break };
            self.control.acknowledge(id, qos2);
        }
        if self.keep_alive.is_wanted() && self.control.has_room() {
            self.keep_alive.handle_ping_sent();
            self.control.ping();
        }
        if let Link::Leaving { is_said } = &mut self.link {
            if !*is_said && !self.acks.is_ready() {
                *is_said = true;
                self.control.disconnect();
            }
        }
    }

    fn transmit_control(&mut self, now: Tick, out: &mut [u8]) -> usize {
        let len = self.control.write(now, out);
        if self.control.is_empty() && self.link == (Link::Leaving { is_said: true }) {
            self.fail(now, Reason::Disconnected);
        }
        len
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Tick> {
        match self.link {
            Link::Down { retry_at } => Some(retry_at),
            Link::Up | Link::Leaving { .. } => {
                let [a, b, c, d, e] = self.deadlines().map(|(at, _)| at);
                let trial = self.outbound.suspicion.poll_timeout();
                Tick::earliest(&[a, b, c, d, e, self.keep_alive.due(), trial])
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
            Link::Up | Link::Leaving { .. } => {
                let over = self.deadlines().into_iter().find(|d| d.0.is_some_and(|at| at <= now));
                match over {
                    Some((_, reason)) => self.fail(now, reason),
                    None => {
                        self.keep_alive.handle_timeout(now);
                        self.outbound.suspicion.handle_timeout(now);
                    }
                }
            }
            Link::Down { .. } | Link::Closing(_) | Link::Ended => {}
        }
    }

    /// When the link has failed, and why, if nothing happens until then.
    fn deadlines(&self) -> [(Option<Tick>, Reason); 5] {
        let o = &self.options;
        // The answers may be there already while we cannot read them.
        let is_attentive = !self.attention.is_blocked() && !self.is_mid_document();
        let attentive = self.attention.since();
        let after =
            |sent: Option<Tick>, ms| sent.filter(|_| is_attentive).and_then(|at| deadline(at.max(attentive), ms));
        let sending = self.outbound.is_sending().then(|| self.keep_alive.last_sent());
        [
            (sending.and_then(|at| deadline(at, o.ack_timeout_ms)), Reason::SendTimeout),
            (after(self.outbound.oldest_sent(), o.ack_timeout_ms), Reason::AckTimeout),
            (after(self.control.oldest_subscribe(), o.subscribe_timeout_ms), Reason::SubscribeTimeout),
            (after(self.control.oldest_unsubscribe(), o.unsubscribe_timeout_ms), Reason::UnsubscribeTimeout),
            (self.keep_alive.overdue(attentive).filter(|_| is_attentive), Reason::PingTimeout),
        ]
    }
}

/// The time `ms` after `since`; none for 0 milliseconds, which mean no limit.
fn deadline(since: Tick, ms: u64) -> Option<Tick> {
    (ms > 0).then(|| since.after(ms))
}
