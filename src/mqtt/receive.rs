//! What the session does with what it receives.

use super::codec::{self, Front, Large, Packet, Whole};
use super::event::{Event, Publish};
use super::inbound::Part;
use super::reason::{Malformed, Reason};
use super::session::{Link, Session};
use crate::model::time::Tick;

/// What came of one look at the received bytes.
enum Step {
    Event(Event),
    /// Something was consumed that is no event.
    Again,
    /// Nothing more can be done for now.
    Idle,
}

impl Session {
    /// Where to read into, at most `READ_CHUNK` bytes. Empty: do not read now,
    /// since there is no link, or [`poll_event`](Self::poll_event) has not
    /// returned `None` yet, or only because acknowledgements are missing.
    pub fn receive_buffer(&mut self) -> &mut [u8] {
        if self.is_receiving() && self.inbound.is_drained() {
            self.inbound.room()
        } else {
            &mut []
        }
    }

    /// `n` bytes were read into [`receive_buffer`](Self::receive_buffer).
    ///
    /// # Panics
    /// If that is more than it had room for.
    pub fn handle_received(&mut self, now: Tick, n: usize) {
        if n > 0 && self.is_receiving() {
            self.inbound.handle_received(n);
            self.keep_alive.handle_received(now);
        }
    }

    /// The next event; call it after each read until it returns `None`.
    ///
    /// With `INBOUND_MAX` messages unacknowledged, or no room for a PUBCOMP, it
    /// returns `None` at the next message and nothing behind that is read. Give
    /// acknowledgements, call `poll_transmit`, then this again. No answer of the
    /// broker's counts as late meanwhile.
    pub fn poll_event(&mut self, now: Tick) -> Option<Event> {
        loop {
            if let Some(reason) = self.links.poll_lost() {
                return Some(Event::Lost(reason));
            }
            if let Some(refusal) = self.outbound.poll_refusal() {
                return Some(Event::Refused(refusal));
            }
            if !self.is_receiving() {
                return None;
            }
            match self.step(now) {
                Ok(Step::Event(event)) => return Some(event),
                Ok(Step::Again) => {}
                Ok(Step::Idle) => return None,
                Err(reason) => self.fail(now, reason),
            }
        }
    }

    fn is_receiving(&self) -> bool {
        matches!(self.link, Link::Connecting { .. } | Link::Up | Link::Leaving { .. })
    }

    fn step(&mut self, now: Tick) -> Result<Step, Reason> {
        if self.inbound.is_skipping() {
            return Ok(self.skip_on());
        }
        match self.inbound.front()? {
            Front::Short => Ok(Step::Idle),
            Front::Whole(whole) => {
                self.check_greeted(&whole)?;
                let no_room = whole.is_pubrel() && !self.control.has_room();
                if self.must_wait(now, no_room || whole.is_acknowledged && self.acks.is_full()) {
                    return Ok(Step::Idle);
                }
                let packet = codec::read(self.inbound.take(whole.len))?;
                self.handle_packet(now, packet)
            }
            Front::Large(large) => {
                if let Link::Connecting { .. } = self.link {
                    return Err(Malformed { packet: "PUBLISH", what: "before CONNACK" }.into());
                }
                if self.must_wait(now, large.qos > 0 && self.acks.is_full()) {
                    return Ok(Step::Idle);
                }
                self.handle_large(large);
                Ok(Step::Again)
            }
        }
    }

    /// CONNACK comes first [MQTT-3.2.0-1], and once.
    fn check_greeted(&self, whole: &Whole) -> Result<(), Malformed> {
        let is_connecting = matches!(self.link, Link::Connecting { .. });
        if is_connecting == whole.is_connack() {
            return Ok(());
        }
        let what = if is_connecting { "before CONNACK" } else { "a second one" };
        Err(Malformed { packet: whole.name(), what })
    }

    /// Notes whether the next packet has to wait.
    fn must_wait(&mut self, now: Tick, is_blocked: bool) -> bool {
        self.attention.set_blocked(now, is_blocked);
        is_blocked
    }

    fn handle_packet(&mut self, now: Tick, packet: Packet) -> Result<Step, Reason> {
        match packet {
            Packet::ConnAck { session_present, code } => return self.handle_connack(now, session_present, code),
            Packet::Publish { topic, payload, qos, delivery } => {
                if qos == 2 && self.acks.is_delivered(delivery.id) {
                    self.acks.repeat(delivery.id);
                    return Ok(Step::Again);
                }
                let ack = (qos > 0).then(|| self.acks.owe(delivery.id, qos == 2));
                return Ok(Step::Event(Event::Publish(Publish { topic, payload, delivery, ack })));
            }
            Packet::PubAck(id) => self.outbound.handle_ack(id),
            Packet::PubRel(id) => {
                self.acks.release(id)?;
                self.control.complete(id);
            }
            Packet::SubAck { id, filters, refused } => {
                // An answer to nothing, or to something else, is let pass.
                let Some(asked) = self.control.handle_suback(id) else { return Ok(Step::Again) };
                if asked != filters {
                    return Err(Malformed { packet: "SUBACK", what: "wrong number of return codes" }.into());
                }
                return Ok(Step::Event(if refused.is_empty() {
                    Event::Subscribed { packet: id }
                } else {
                    Event::SubscribeRefused { packet: id, filters: refused }
                }));
            }
            Packet::UnsubAck(id) => {
                if self.control.handle_unsuback(id) {
                    return Ok(Step::Event(Event::Unsubscribed { packet: id }));
                }
            }
            Packet::PingResp => self.keep_alive.handle_pingresp(),
            Packet::Stray => {}
        }
        Ok(Step::Again)
    }

    fn handle_connack(&mut self, now: Tick, session_present: bool, code: u8) -> Result<Step, Reason> {
        if code != 0 {
            return Err(Reason::Refused(code));
        }
        let session_present = session_present && !self.options.clean_session;
        if !session_present {
            self.acks.forget();
            self.outbound.handle_session_lost();
        }
        self.outbound.suspicion.handle_accepted(now);
        self.link = Link::Up;
        self.links.handle_accepted(now);
        Ok(Step::Event(Event::Connected { session_present }))
    }

    fn handle_large(&mut self, large: Large) {
        let is_repeat = large.qos == 2 && self.acks.is_delivered(large.delivery.id);
        self.inbound.skip(large, is_repeat);
    }

    fn skip_on(&mut self) -> Step {
        let Some(part) = self.inbound.poll_part() else { return Step::Idle };
        if part.is_repeat {
            if part.is_last {
                self.acks.repeat(part.delivery.id);
            }
            return Step::Again;
        }
        let ack = (part.is_last && part.qos > 0).then(|| self.acks.owe(part.delivery.id, part.qos == 2));
        let Part { topic, len, bytes, is_last, delivery, .. } = part;
        Step::Event(Event::Oversized { topic, len, part: bytes, last: is_last, delivery, ack })
    }
}
