//! The session against a peer that speaks bytes.

mod link;
mod random;
mod receive;
mod send;
mod unsendable;

use core::cell::RefCell;
use core::fmt;

use bytes::BytesMut;
use mqttbytes::v4::{self, Packet};
use mqttbytes::QoS;

use super::{
    Class, Document, Documents, Event, LinkWish, Message, Options, Publish, PublishError, Reason, Refusal, Remedy,
    Session,
};
use crate::model::time::Tick;

/// Documents by number.
struct Texts(RefCell<[String; 2]>);

impl Documents for Texts {
    fn write(&self, document: Document, out: &mut dyn fmt::Write) -> fmt::Result {
        // In uneven pieces, as an encoder does.
        let texts = self.0.borrow();
        let (a, b) = texts[usize::from(document.0)].split_at(texts[usize::from(document.0)].len() / 3);
        out.write_str(a)?;
        write!(out, "{b}")
    }
}

/// A session, and the far end of its link.
struct Peer {
    session: Box<Session>,
    now: Tick,
    texts: Texts,
    /// What the client sent and the peer has not read.
    wire: BytesMut,
    /// Most bytes taken from the client at once.
    out: usize,
    /// Most bytes given to the client at once.
    piece: usize,
}

impl Peer {
    fn new(options: Options) -> Peer {
        assert_eq!(options.check(), Ok(()));
        let texts = Texts(RefCell::new(Default::default()));
        Peer { session: Session::new(options), now: Tick(1000), texts, wire: BytesMut::new(), out: 4096, piece: 16_384 }
    }

    /// One that the broker has accepted.
    fn connected(options: Options) -> Peer {
        let mut peer = Peer::new(options);
        peer.connect(false);
        peer
    }

    fn connect(&mut self, session_present: bool) {
        self.open();
        assert!(matches!(self.sent()[..], [Packet::Connect(_)]));
        let events = self.feed(&connack(session_present, 0));
        assert_eq!(events, [Event::Connected { session_present }]);
    }

    /// Waits until the session wants a link, and gives it one.
    fn open(&mut self) {
        while let LinkWish::Wait(until) = self.session.poll_link(self.now) {
            assert_eq!(self.session.poll_timeout(), Some(until));
            self.now = until;
            self.session.handle_timeout(self.now);
        }
        self.session.handle_link_up(self.now);
        self.wire.clear();
    }

    fn cut(&mut self) -> Vec<Event> {
        self.session.handle_link_down(self.now);
        self.wire.clear();
        self.events()
    }

    /// All that the session wants to send, packet by packet.
    fn sent(&mut self) -> Vec<Packet> {
        while self.transmit(self.out) > 0 {}
        let packets = packets(&mut self.wire);
        assert!(self.wire.is_empty());
        packets
    }

    fn transmit(&mut self, len: usize) -> usize {
        let mut out = vec![0; len];
        let n = self.session.poll_transmit(self.now, &self.texts, &mut out);
        self.wire.extend_from_slice(&out[..n]);
        n
    }

    /// Gives bytes to the session; events in between.
    fn feed(&mut self, mut bytes: &[u8]) -> Vec<Event> {
        let mut events = self.events();
        while !bytes.is_empty() {
            let room = self.session.receive_buffer();
            let n = room.len().min(bytes.len()).min(self.piece);
            if n == 0 {
                break;
            }
            room[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            self.session.handle_received(self.now, n);
            events.extend(self.events());
        }
        events
    }

    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.session.poll_event(self.now)).collect()
    }

    /// Lets time pass, timeout by timeout.
    fn pass(&mut self, ms: u64) {
        let end = self.now.after(ms);
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let before = self.session.poll_timeout();
            self.session.handle_timeout(self.now);
            if self.session.poll_timeout() == before {
                break;
            }
        }
        self.now = end;
    }

    fn close_reason(&mut self) -> Option<Reason> {
        match self.session.poll_link(self.now) {
            LinkWish::Close(reason) => Some(reason),
            _ => None,
        }
    }

    fn publish(&mut self, class: Class, body: &str) -> Result<(), PublishError> {
        self.session.publish(self.now, message(class, &|out| out.write_str(body)))
    }
}

fn message<'a>(class: Class, body: super::Write<'a>) -> Message<'a> {
    Message { topic: "a/b", retain: false, class, body, detail: None, document: None, tail: "" }
}

/// Takes whole packets out of `wire`, as a server reads them.
fn packets(wire: &mut BytesMut) -> Vec<Packet> {
    core::iter::from_fn(|| v4::read(wire, 1 << 28).ok()).collect()
}

/// Payload, packet id and DUP of each PUBLISH.
fn publishes(packets: &[Packet]) -> Vec<(String, u16, bool)> {
    let one = |p: &Packet| match p {
        Packet::Publish(p) => Some((String::from_utf8(p.payload.to_vec()).unwrap(), p.pkid, p.dup)),
        _ => None,
    };
    packets.iter().filter_map(one).collect()
}

fn bodies(packets: &[Packet]) -> Vec<String> {
    publishes(packets).into_iter().map(|p| p.0).collect()
}

fn connack(session_present: bool, code: u8) -> Vec<u8> {
    vec![0x20, 2, u8::from(session_present), code]
}

/// A packet that is just a packet id.
fn small(first: u8, id: u16) -> Vec<u8> {
    vec![first, 2, (id >> 8) as u8, id as u8]
}

fn puback(id: u16) -> Vec<u8> {
    small(0x40, id)
}

fn incoming(topic: &str, qos: QoS, id: u16, dup: bool, payload: &[u8]) -> Vec<u8> {
    let mut publish = v4::Publish::new(topic, qos, payload);
    (publish.pkid, publish.dup) = (id, dup);
    let mut out = BytesMut::new();
    publish.write(&mut out).unwrap();
    out.to_vec()
}

fn only_publish(events: Vec<Event>) -> Publish {
    let [Event::Publish(publish)] = &events[..] else { panic!("{events:?}") };
    publish.clone()
}

/// A small generator of random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}
