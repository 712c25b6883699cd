//! Packets other than PUBLISH, and the answers that some of them wait for. All of it
//! goes with the link.

use bytes::{Buf, BytesMut};

use super::codec;
use super::options::Options;
use crate::limits::{CONTROL_BYTES, REQUESTS_MAX};
use crate::model::time::Tick;

/// Bytes of PUBACK, PUBREC and PUBCOMP, the longest of the small packets.
const SMALL_PACKET: usize = 4;

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
struct Request {
    id: u16,
    /// How many filters a SUBSCRIBE has; 0: an UNSUBSCRIBE.
    filters: usize,
    /// When it was handed out.
    sent: Option<Tick>,
}

impl Request {
    fn is_subscribe(&self) -> bool {
        self.filters > 0
    }
}

/// The packets that are to be handed out, and the requests among all of this link.
pub(super) struct Control {
    bytes: BytesMut,
    requests: Vec<Request>,
}

impl Control {
    pub fn new() -> Control {
        Control { bytes: BytesMut::new(), requests: Vec::new() }
    }

    /// The link is lost.
    pub fn handle_loss(&mut self) {
        self.bytes.clear();
        self.requests.clear();
    }

    /// Whether nothing is to be handed out.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether there is room for a small packet.
    pub fn has_room(&self) -> bool {
        self.bytes.len() + SMALL_PACKET <= CONTROL_BYTES
    }

    /// Whether there is room for a request with `len` bytes of filters.
    pub fn has_request_room(&self, len: usize) -> bool {
        let need = codec::FIXED_HEADER_MAX + 2 + len;
        self.requests.len() < REQUESTS_MAX && self.bytes.len() + need <= CONTROL_BYTES
    }

    /// CONNECT; whether the last will is retained.
    pub fn connect(&mut self, options: &Options, retain: bool) {
        codec::write_connect(options, retain, &mut self.bytes);
    }

    pub fn subscribe(&mut self, id: u16, filters: &[&str]) {
        self.requests.push(Request { id, filters: filters.len(), sent: None });
        codec::write_subscribe(id, filters, &mut self.bytes);
    }

    pub fn unsubscribe(&mut self, id: u16, filters: &[&str]) {
        self.requests.push(Request { id, filters: 0, sent: None });
        codec::write_unsubscribe(id, filters, &mut self.bytes);
    }

    /// PUBACK, or PUBREC for `qos2`.
    pub fn acknowledge(&mut self, id: u16, qos2: bool) {
        codec::write_ack(id, qos2, &mut self.bytes);
    }

    /// PUBCOMP.
    pub fn complete(&mut self, id: u16) {
        codec::write_pubcomp(id, &mut self.bytes);
    }

    /// PINGREQ.
    pub fn ping(&mut self) {
        codec::write_pingreq(&mut self.bytes);
    }

    pub fn disconnect(&mut self) {
        codec::write_disconnect(&mut self.bytes);
    }

    /// Hands out the next bytes.
    pub fn write(&mut self, now: Tick, out: &mut [u8]) -> usize {
        let len = self.bytes.len().min(out.len());
        out[..len].copy_from_slice(&self.bytes[..len]);
        self.bytes.advance(len);
        if self.bytes.is_empty() {
            for request in self.requests.iter_mut().filter(|r| r.sent.is_none()) {
                request.sent = Some(now);
            }
        }
        len
    }

    /// Whether a request with this packet id waits for its answer.
    pub fn has_id(&self, id: u16) -> bool {
        self.requests.iter().any(|r| r.id == id)
    }

    /// SUBACK has come: how many filters the SUBSCRIBE had, if there was one.
    pub fn handle_suback(&mut self, id: u16) -> Option<usize> {
        self.take(id, true).map(|request| request.filters)
    }

    /// UNSUBACK has come; whether there was such an UNSUBSCRIBE.
    pub fn handle_unsuback(&mut self, id: u16) -> bool {
        self.take(id, false).is_some()
    }

    fn take(&mut self, id: u16, is_subscribe: bool) -> Option<Request> {
        let place = self.requests.iter().position(|r| r.id == id && r.is_subscribe() == is_subscribe)?;
        Some(self.requests.remove(place))
    }

    /// When the oldest SUBSCRIBE that waits for its answer was handed out.
    pub fn oldest_subscribe(&self) -> Option<Tick> {
        self.requests.iter().filter(|r| r.is_subscribe()).filter_map(|r| r.sent).min()
    }

    /// When the oldest UNSUBSCRIBE that waits for its answer was handed out.
    pub fn oldest_unsubscribe(&self) -> Option<Tick> {
        self.requests.iter().filter(|r| !r.is_subscribe()).filter_map(|r| r.sent).min()
    }
}
