//! Arbitrary bytes and calls into an MQTT session.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mqttbytes::v4::Packet;
use update_manager::limits::{INBOUND_MAX, PAYLOAD_IN_MAX, READ_CHUNK, SKIP_CHUNK, TOPIC_IN_MAX};
use update_manager::model::time::Tick;
use update_manager::mqtt::{
    Ack, Class, Document, Documents, Event, LinkWish, Message, Options, Reason, Remedy, Session,
};
use update_manager_fuzz::broker::{connack, packets, publish, small, suback};

#[derive(Arbitrary, Debug)]
struct Plan {
    clean_session: bool,
    keep_alive_s: u8,
    timeouts: [u8; 4],
    seed: u8,
    start: u16,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Whatever the broker may send.
    Bytes(&'a [u8]),
    /// A packet of this type with whatever is in it.
    Frame(u8, &'a [u8]),
    /// The broker accepts, or not.
    ConnAck {
        session_present: bool,
        code: u8,
    },
    /// A message comes.
    Incoming {
        qos: u8,
        id: u8,
        dup: bool,
        topic: &'a str,
        len: u16,
    },
    /// One that goes past the limit comes, as far as `sent`.
    Large {
        qos: u8,
        id: u8,
        over: u16,
        sent: u32,
    },
    Release(u8),
    /// The broker answers what it has read: this one of it.
    Answer(u8),
    AnswerAll,
    PingResp,
    /// The caller's calls.
    Publish {
        class: u8,
        len: u16,
        detail: u16,
        document: u8,
        topic: u8,
    },
    Acknowledge(u8),
    AcknowledgeAll,
    Subscribe(u8),
    Unsubscribe(u8),
    Discard,
    Transmit(u16),
    TransmitAll,
    Pass(u16),
    ToTimeout,
    LinkUp,
    LinkDown,
    Disconnect,
}

struct Texts;

impl Documents for Texts {
    fn write(&self, document: Document, out: &mut dyn fmt::Write) -> fmt::Result {
        for n in 0..u32::from(document.0) * 4 {
            write!(out, "{n},")?;
        }
        Ok(())
    }
}

/// The broker's end of a link, or of none.
#[derive(Default)]
struct Link {
    is_up: bool,
    /// CONNECT was read.
    has_connect: bool,
    /// What the session sent and the broker has not read.
    wire: BytesMut,
    /// What is to be answered, by packet id.
    owed: Vec<Vec<u8>>,
    /// Packet ids that were used.
    flying: BTreeSet<u16>,
    /// A part of a large message came: its length and what came of it.
    skipping: Option<(usize, usize)>,
}

struct Peer {
    session: Box<Session>,
    now: Tick,
    /// The session wants a link and has none yet.
    is_opening: bool,
    link: Link,
    /// The session has said that it is connected.
    is_connected: bool,
    acks: Vec<Ack>,
    /// Numbers of the messages that are kept, by topic, in the order of their arrival.
    arrived: BTreeMap<String, Vec<u32>>,
    published: u32,
    /// A message goes in another form, as a new one, since the broker seemed to refuse it.
    is_remedied: bool,
    is_over: bool,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(plan) = Plan::arbitrary(&mut input) else { return };
    let mut peer = Peer::new(&plan);
    // Most inputs are to connect before they say anything.
    if plan.start % 4 > 0 {
        peer.follow();
        peer.link_up();
        peer.take(Step::TransmitAll);
        peer.take(Step::ConnAck { session_present: plan.start % 4 == 1, code: 0 });
    }
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        peer.take(step);
        peer.follow();
    }
    peer.end();
});

impl Peer {
    fn new(plan: &Plan) -> Peer {
        let ms = |n: usize| u64::from(plan.timeouts[n]) * 100;
        let options = Options {
            keep_alive_s: plan.keep_alive_s.into(),
            clean_session: plan.clean_session,
            connect_timeout_ms: ms(0),
            ack_timeout_ms: ms(1),
            subscribe_timeout_ms: ms(2),
            unsubscribe_timeout_ms: ms(3),
            seed: plan.seed.into(),
            ..Options::new("me")
        };
        assert_eq!(options.check(), Ok(()));
        Peer {
            session: Session::new(options),
            now: Tick(plan.start.into()),
            is_opening: false,
            link: Link::default(),
            is_connected: false,
            acks: Vec::new(),
            arrived: BTreeMap::new(),
            published: 0,
            is_remedied: false,
            is_over: false,
        }
    }

    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Bytes(bytes) => self.feed(bytes),
            Step::Frame(first, bytes) => {
                let bytes = &bytes[..bytes.len().min(127)];
                let mut frame = vec![first, bytes.len() as u8];
                frame.extend_from_slice(bytes);
                self.feed(&frame);
            }
            Step::ConnAck { session_present, code } => self.feed(&connack(session_present, code % 7 / 2)),
            Step::Incoming { qos, id, dup, topic, len } => {
                let topic = topic.get(..topic.len().min(1100)).unwrap_or("t");
                self.feed(&publish(topic, qos, id.into(), dup, &vec![b'x'; usize::from(len)]));
            }
            Step::Large { qos, id, over, sent } => {
                let packet = publish("large", qos, id.into(), false, &vec![b'{'; PAYLOAD_IN_MAX + usize::from(over)]);
                self.feed(&packet[..packet.len().min(sent as usize)]);
            }
            Step::Release(id) => self.feed(&[0x62, 2, 0, id]),
            Step::Answer(place) if !self.link.owed.is_empty() => {
                let answer = self.link.owed.remove(usize::from(place) % self.link.owed.len());
                self.feed(&answer);
            }
            Step::Answer(_) => {}
            Step::AnswerAll => core::mem::take(&mut self.link.owed).iter().for_each(|answer| self.feed(answer)),
            Step::PingResp => self.feed(&[0xd0, 0]),
            Step::Publish { class, len, detail, document, topic } => self.publish(class, len, detail, document, topic),
            Step::Acknowledge(place) => {
                if let Some(ack) = self.acks.get(usize::from(place) % self.acks.len().max(1)) {
                    self.session.acknowledge(*ack);
                }
            }
            Step::AcknowledgeAll => {
                core::mem::take(&mut self.acks).into_iter().for_each(|a| self.session.acknowledge(a))
            }
            Step::Subscribe(n) => drop(self.session.subscribe(self.now, &vec!["a/+/b"; usize::from(n)])),
            Step::Unsubscribe(n) => drop(self.session.unsubscribe(self.now, &vec!["a/+/b"; usize::from(n)])),
            Step::Discard => {
                if !self.session.is_mid_document() {
                    self.session.discard_documents(|document| document.0 % 2 == 0);
                }
            }
            Step::Transmit(len) => drop(self.transmit(usize::from(len))),
            Step::TransmitAll => while self.transmit(4096) > 0 {},
            Step::Pass(ms) => {
                self.now = self.now.after(ms.into());
                self.session.handle_timeout(self.now);
            }
            Step::ToTimeout => {
                if let Some(at) = self.session.poll_timeout() {
                    self.now = self.now.max(at);
                    self.session.handle_timeout(self.now);
                }
            }
            Step::LinkUp => self.link_up(),
            Step::LinkDown => self.link_down(),
            Step::Disconnect => {
                self.is_over = true;
                self.session.disconnect(self.now);
            }
        }
    }

    /// Does about the link what the session wants.
    fn follow(&mut self) {
        self.events();
        match self.session.poll_link(self.now) {
            LinkWish::Open => {
                assert!(!self.link.is_up && !self.is_opening && !self.is_over);
                self.is_opening = true;
            }
            LinkWish::Close(reason) => {
                assert!(!self.is_over || reason == Reason::Disconnected, "{reason}");
                self.link_down();
            }
            LinkWish::Wait(until) => assert!(!self.link.is_up && !self.is_opening && until > self.now),
            LinkWish::Keep => {}
        }
        let status = self.session.status();
        assert_eq!(status.connected, self.session.is_connected());
    }

    fn link_up(&mut self) {
        if core::mem::take(&mut self.is_opening) {
            self.session.handle_link_up(self.now);
            self.link = Link { is_up: true, ..Link::default() };
        }
    }

    fn link_down(&mut self) {
        self.events();
        self.session.handle_link_down(self.now);
        self.events();
        self.link = Link::default();
        self.is_opening = false;
        assert!(!self.is_connected, "the loss of a connection is told");
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.events();
            let room = self.session.receive_buffer();
            assert!(room.len() <= READ_CHUNK);
            let n = room.len().min(bytes.len());
            if n == 0 {
                return;
            }
            room[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            self.session.handle_received(self.now, n);
        }
        self.events();
    }

    fn events(&mut self) {
        if self.session.is_mid_document() {
            return;
        }
        while let Some(event) = self.session.poll_event(self.now) {
            self.handle(event);
        }
        assert!(self.acks.len() < 100_000);
    }

    fn handle(&mut self, event: Event) {
        if !matches!(event, Event::Oversized { .. } | Event::Lost(_)) {
            assert!(self.link.skipping.is_none(), "parts follow each other");
        }
        match event {
            Event::Connected { .. } => {
                assert!(!core::mem::replace(&mut self.is_connected, true), "connected twice");
            }
            Event::Lost(_) => {
                assert!(core::mem::replace(&mut self.is_connected, false), "lost twice");
                self.link.skipping = None;
            }
            Event::Publish(message) => {
                assert!(self.is_connected || self.is_over);
                assert!(!message.topic.is_empty() && message.topic.len() <= TOPIC_IN_MAX);
                assert!(!message.topic.contains(['+', '#', '\0']) && message.payload.len() <= PAYLOAD_IN_MAX);
                self.acks.extend(message.ack);
            }
            Event::Oversized { topic, len, part, last, ack, .. } => {
                assert!(topic.len() <= TOPIC_IN_MAX && part.len() <= SKIP_CHUNK);
                assert!(len > PAYLOAD_IN_MAX || topic.len() > TOPIC_IN_MAX - 4, "{len}");
                let (whole, came) = self.link.skipping.unwrap_or((len, 0));
                assert_eq!(whole, len);
                assert_eq!(came + part.len() == len, last);
                assert!(ack.is_none() || last);
                self.link.skipping = (!last).then_some((len, came + part.len()));
                self.acks.extend(ack);
            }
            Event::Refused(refusal) => {
                assert!(!refusal.topic.is_empty());
                self.is_remedied |= refusal.remedy != Remedy::Dropped;
            }
            Event::Subscribed { packet } | Event::Unsubscribed { packet } => assert_ne!(packet, 0),
            Event::SubscribeRefused { packet, filters } => assert!(packet != 0 && !filters.is_empty()),
        }
        if self.acks.len() > 4 * INBOUND_MAX {
            self.acks.drain(..INBOUND_MAX);
        }
    }

    fn publish(&mut self, class: u8, len: u16, detail: u16, document: u8, topic: u8) {
        let class = match class % 4 {
            0 | 1 => Class::Keep,
            2 => Class::Newest(class / 4),
            3 if class / 4 % 2 == 1 => Class::Order,
            _ => Class::LinkBound,
        };
        let kept = class == Class::Keep;
        let number = self.published;
        let body = |out: &mut dyn fmt::Write| {
            write!(out, "{}{number:010}", if kept { 'k' } else { 'n' })?;
            (0..len / 16).try_for_each(|_| out.write_str("0123456789abcdef"))
        };
        let more = |out: &mut dyn fmt::Write| (0..detail / 16).try_for_each(|_| out.write_str("0123456789abcdef"));
        let topic = ["a/b", "t", "", "a/#", "nul\0"].get(usize::from(topic)).copied().unwrap_or("a/b");
        let is_topic = !topic.is_empty() && !topic.contains(['#', '\0']);
        let message = Message {
            topic,
            retain: number.is_multiple_of(2),
            class,
            body: &body,
            detail: (detail > 0).then_some(&more),
            document: document.is_multiple_of(3).then_some(Document(document)),
            tail: "}",
        };
        let before = self.session.unacknowledged();
        match self.session.publish(self.now, message) {
            Ok(()) => {
                assert!(is_topic);
                self.published += u32::from(kept);
            }
            Err(_) => assert_eq!(self.session.unacknowledged(), before),
        }
    }

    fn transmit(&mut self, len: usize) -> usize {
        let mut out = vec![0; len];
        let n = self.session.poll_transmit(self.now, &Texts, &mut out);
        assert!(n == 0 || self.link.is_up, "nothing is sent without a link");
        self.link.wire.extend_from_slice(&out[..n]);
        for packet in packets(&mut self.link.wire) {
            self.read(packet);
        }
        n
    }

    fn read(&mut self, packet: Packet) {
        let is_connect = matches!(packet, Packet::Connect(_));
        assert_eq!(is_connect, !self.link.has_connect, "CONNECT comes first, and once");
        self.link.has_connect = true;
        match packet {
            Packet::Connect(_) => {}
            Packet::Publish(message) => {
                assert!(message.pkid != 0);
                assert!(message.payload.ends_with(b"}"));
                // An id is free again once it was answered; what the input itself made
                // up may have answered it too.
                let answer = small(0x40, message.pkid);
                let is_in_flight = !self.link.flying.insert(message.pkid) && self.link.owed.contains(&answer);
                assert!(!is_in_flight, "a packet id is used twice");
                if message.payload.first() == Some(&b'k') {
                    let number = std::str::from_utf8(&message.payload[1..11]).expect("digits").parse().expect("digits");
                    let arrived = self.arrived.entry(message.topic).or_default();
                    match arrived.binary_search(&number).is_ok() {
                        // A part of it may have come before; that does not count here.
                        true => assert!(message.dup || self.is_remedied, "what comes again says so"),
                        false => {
                            assert!(arrived.last().is_none_or(|last| *last < number), "out of order");
                            arrived.push(number);
                        }
                    }
                }
                self.link.owed.push(answer);
            }
            Packet::Subscribe(request) => {
                assert!(request.pkid != 0 && !request.filters.is_empty());
                let codes = vec![[1, 0x80][usize::from(request.pkid % 5 == 4)]; request.filters.len().min(100)];
                self.link.owed.push(suback(request.pkid, &codes));
            }
            Packet::Unsubscribe(request) => self.link.owed.push(small(0xb0, request.pkid)),
            Packet::PingReq => self.link.owed.push(vec![0xd0, 0]),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_) => {}
            Packet::Disconnect => assert!(self.is_over),
            packet => panic!("a client does not send that: {packet:?}"),
        }
        if self.link.owed.len() > 200 {
            self.link.owed.drain(..50);
        }
    }

    /// On a good link all that waits arrives.
    fn end(&mut self) {
        if self.is_over {
            return;
        }
        if self.link.is_up || self.is_opening {
            self.link_down();
        }
        while let LinkWish::Wait(until) = self.session.poll_link(self.now) {
            assert_eq!(self.session.poll_timeout(), Some(until));
            self.now = until;
        }
        self.is_opening = true;
        self.link_up();
        while self.transmit(4096) > 0 {}
        self.feed(&connack(true, 0));
        assert!(self.session.is_connected());
        for _ in 0..1000 {
            while self.transmit(4096) > 0 {}
            core::mem::take(&mut self.link.owed).iter().for_each(|answer| self.feed(answer));
            if self.session.unacknowledged() == 0 {
                break;
            }
            // What has met many breaks is held back for a while.
            self.now = self.session.poll_timeout().map_or(self.now, |at| at.max(self.now));
            self.session.handle_timeout(self.now);
        }
        assert_eq!(self.session.unacknowledged(), 0, "what waits arrives");
        assert!(!self.session.is_mid_document());
    }
}
