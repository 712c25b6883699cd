//! Messages from the broker.

use super::super::{Delivery, Malformed};
use super::*;
use crate::limits::{CONTROL_BYTES, INBOUND_MAX, PAYLOAD_IN_MAX, READ_CHUNK, READ_FIRST, SKIP_CHUNK, TOPIC_IN_MAX};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn options(clean_session: bool) -> Options {
    Options { clean_session, ..Options::new("me") }
}

#[test]
fn messages_come_out_the_same_however_they_are_cut() {
    for piece in [1, 2, 3, 5, 100, 16_384] {
        let mut peer = Peer::connected(options(true));
        peer.piece = piece;
        let mut bytes = Vec::new();
        for (id, qos) in QOS.into_iter().enumerate() {
            bytes.extend(incoming("a/\u{e4}", qos, id as u16, id == 2, &[id as u8; 300]));
        }
        bytes.extend([0xd0, 0]);
        let events = peer.feed(&bytes);
        assert_eq!(events.len(), 3);
        for (id, event) in events.into_iter().enumerate() {
            let p = only_publish(vec![event]);
            assert_eq!((p.topic.as_str(), &p.payload[..], p.delivery.dup), ("a/\u{e4}", &[id as u8; 300][..], id == 2));
            assert_eq!(p.ack.is_some(), id > 0);
        }
    }
}

#[test]
fn acknowledgements_wait_for_the_caller_and_keep_their_order() {
    let mut peer = Peer::connected(options(true));
    let mut acks = Vec::new();
    for id in [9, 4, 6] {
        acks.push(only_publish(peer.feed(&incoming("t", QoS::AtLeastOnce, id, false, b""))).ack.unwrap());
    }
    assert_eq!(peer.sent(), []);
    peer.session.acknowledge(acks[2]);
    peer.session.acknowledge(acks[1]);
    assert_eq!(peer.sent(), []);
    peer.session.acknowledge(acks[0]);
    let ids: Vec<u16> = peer.sent().iter().map(|p| if let Packet::PubAck(a) = p { a.pkid } else { 0 }).collect();
    assert_eq!(ids, [9, 4, 6]);
}

#[test]
fn a_qos_2_message_is_delivered_once() {
    let mut peer = Peer::connected(options(false));
    let bytes = incoming("t", QoS::ExactlyOnce, 3, false, b"x");
    let again = incoming("t", QoS::ExactlyOnce, 3, true, b"x");
    let ack = only_publish(peer.feed(&bytes)).ack.unwrap();
    assert_eq!(peer.feed(&again), [], "still with the caller");
    assert_eq!(peer.sent(), []);
    peer.session.acknowledge(ack);
    assert!(matches!(&peer.sent()[..], [Packet::PubRec(p)] if p.pkid == 3));
    assert_eq!(peer.feed(&again), []);
    assert!(matches!(&peer.sent()[..], [Packet::PubRec(p)] if p.pkid == 3));
    // The broker keeps the session over a new link, so we do too.
    peer.cut();
    peer.connect(true);
    assert_eq!(peer.feed(&again), []);
    assert!(matches!(&peer.sent()[..], [Packet::PubRec(p)] if p.pkid == 3));
    for _ in 0..2 {
        assert_eq!(peer.feed(&small(0x62, 3)), []);
        assert!(matches!(&peer.sent()[..], [Packet::PubComp(p)] if p.pkid == 3), "PUBCOMP may have been lost");
    }
    only_publish(peer.feed(&bytes));
}

#[test]
fn qos_2_ids_are_forgotten_with_the_brokers_session() {
    for clean_session in [true, false] {
        let mut peer = Peer::connected(options(clean_session));
        let bytes = incoming("t", QoS::ExactlyOnce, 3, false, b"x");
        let ack = only_publish(peer.feed(&bytes)).ack.unwrap();
        peer.session.acknowledge(ack);
        peer.sent();
        peer.cut();
        peer.connect(false);
        only_publish(peer.feed(&bytes));
    }
}

#[test]
fn a_message_that_was_not_acknowledged_on_its_link_comes_again() {
    let mut peer = Peer::connected(options(false));
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let old = only_publish(peer.feed(&incoming("t", qos, 8, false, b"x"))).ack.unwrap();
        peer.cut();
        peer.connect(true);
        let new = only_publish(peer.feed(&incoming("t", qos, 8, true, b"x"))).ack.unwrap();
        peer.session.acknowledge(old);
        assert_eq!(peer.sent(), []);
        peer.session.acknowledge(new);
        assert_eq!(peer.sent().len(), 1);
    }
}

#[test]
fn past_inbound_max_nothing_is_read_until_acknowledged_and_no_answer_counts_as_late() {
    let mut peer = Peer::connected(options(true));
    peer.publish(Class::Keep, "k").unwrap();
    peer.sent();
    let mut acks = Vec::new();
    for id in 1..=INBOUND_MAX as u16 {
        acks.push(only_publish(peer.feed(&incoming("t", QoS::AtLeastOnce, id, false, b"x"))).ack.unwrap());
    }
    let mut more = incoming("t", QoS::AtLeastOnce, 1000, false, b"x");
    more.extend(puback(1));
    assert_eq!(peer.feed(&more), []);
    assert!(peer.session.receive_buffer().is_empty());
    peer.pass(60_000);
    peer.sent();
    assert_eq!(peer.close_reason(), None);
    peer.session.acknowledge(acks[0]);
    assert!(matches!(&peer.sent()[..], [Packet::PubAck(p)] if p.pkid == 1));
    only_publish(peer.events());
    assert_eq!(peer.session.unacknowledged(), 0);
    assert!(!peer.session.receive_buffer().is_empty());
}

#[test]
fn releases_wait_for_room_to_answer_them() {
    let mut peer = Peer::connected(options(true));
    let releases: Vec<u8> = (1..=12_000).flat_map(|id| small(0x62, id)).collect();
    releases.chunks(READ_CHUNK - 384).for_each(|read| assert_eq!(peer.feed(read), []));
    assert!(peer.session.receive_buffer().is_empty());
    assert_eq!(peer.sent().len(), CONTROL_BYTES / 4);
    peer.events();
    let next = CONTROL_BYTES / 4 + 1;
    assert!(matches!(&peer.sent()[..], [Packet::PubComp(p), ..] if usize::from(p.pkid) == next));
}

#[test]
fn the_largest_payload_is_delivered_and_one_byte_more_is_skipped() {
    for (id, qos) in QOS.into_iter().enumerate() {
        for piece in [16_384, 1000] {
            let mut peer = Peer::connected(options(true));
            peer.piece = piece;
            let topic = "t".repeat(TOPIC_IN_MAX);
            let exact = vec![7; PAYLOAD_IN_MAX];
            let p = only_publish(peer.feed(&incoming(&topic, qos, id as u16, false, &exact)));
            assert_eq!((p.topic == topic, p.payload == exact), (true, true));
            if let Some(ack) = p.ack {
                peer.session.acknowledge(ack);
                assert_eq!(peer.sent().len(), 1);
            }
            drop(p);
            let over: Vec<u8> = (0..=PAYLOAD_IN_MAX).map(|i| (i / 1000) as u8).collect();
            check_skipped(&mut peer, &topic, qos, id as u16 + 10, &over);
            only_publish(peer.feed(&incoming("t", QoS::AtMostOnce, 0, false, b"on it goes")));
        }
    }
}

fn check_skipped(peer: &mut Peer, topic: &str, qos: QoS, id: u16, payload: &[u8]) {
    // QoS 0 is never delivered once more.
    let is_repeat = qos != QoS::AtMostOnce && id % 2 == 0;
    let events = peer.feed(&incoming(topic, qos, id, is_repeat, payload));
    let (mut whole, count) = (Vec::new(), events.len());
    for (place, event) in events.into_iter().enumerate() {
        let Event::Oversized { topic: t, len, part, last, delivery, ack } = event else { panic!("{event:?}") };
        assert_eq!(
            delivery,
            Delivery { id: if qos == QoS::AtMostOnce { 0 } else { id }, dup: is_repeat, retain: false }
        );
        assert_eq!((t.as_str(), len), (&topic[..topic.len().min(TOPIC_IN_MAX)], payload.len()));
        whole.extend_from_slice(&part);
        assert_eq!(last, place + 1 == count);
        assert!(last || part.len() == SKIP_CHUNK);
        assert_eq!(ack.is_some(), last && qos != QoS::AtMostOnce);
        if let Some(ack) = ack {
            peer.session.acknowledge(ack);
            let expected = if qos == QoS::AtLeastOnce { 4 } else { 5 };
            assert_eq!(peer.transmit(4), 4);
            assert_eq!(peer.wire.split_to(4)[..], [expected << 4, 2, 0, id as u8]);
        }
    }
    assert!(whole == payload);
}

#[test]
fn a_topic_past_its_limit_is_cut_and_the_message_skipped() {
    let mut peer = Peer::connected(options(true));
    for (len, payload) in [(TOPIC_IN_MAX + 1, &b"hello"[..]), (65_535, b""), (65_535, &[1; 20_000])] {
        check_skipped(&mut peer, &"t".repeat(len), QoS::AtLeastOnce, 5, payload);
    }
    let wide = "\u{20ac}".repeat(1000);
    let events = peer.feed(&incoming(&wide, QoS::AtMostOnce, 0, false, b""));
    let [Event::Oversized { topic, .. }] = &events[..] else { panic!() };
    assert_eq!(topic.len(), TOPIC_IN_MAX / 3 * 3);
}

#[test]
fn a_large_qos_2_message_that_comes_again_is_skipped_in_silence() {
    let mut peer = Peer::connected(options(false));
    let large = vec![1; PAYLOAD_IN_MAX + 1];
    check_skipped(&mut peer, "t", QoS::ExactlyOnce, 5, &large);
    peer.cut();
    peer.connect(true);
    assert_eq!(peer.feed(&incoming("t", QoS::ExactlyOnce, 5, true, &large)), []);
    assert!(matches!(&peer.sent()[..], [Packet::PubRec(p)] if p.pkid == 5));
}

#[test]
fn the_largest_packet_of_all_passes_through_the_same_buffer() {
    let mut peer = Peer::connected(options(true));
    let place = peer.session.inbound.place();
    let remaining = (1 << 28) - 1;
    let mut head = vec![0x32, 0xff, 0xff, 0xff, 0x7f, 0, 1, b't', 0, 9];
    let payload = remaining - 5;
    head.resize(8_192 + 10, 0);
    let (mut fed, mut parts) = (head.len() - 10, peer.feed(&head).len());
    let zeros = vec![0; 16_384];
    while fed < payload {
        let n = zeros.len().min(payload - fed);
        let room = peer.session.receive_buffer();
        let n = room.len().min(n);
        peer.session.handle_received(peer.now, n);
        fed += n;
        while let Some(event) = peer.session.poll_event(peer.now) {
            parts += 1;
            let Event::Oversized { len, last, .. } = event else { panic!() };
            assert_eq!((len, last), (payload, parts == payload.div_ceil(SKIP_CHUNK)));
        }
    }
    assert_eq!(parts, payload.div_ceil(SKIP_CHUNK));
    assert_eq!(peer.session.inbound.place(), place);
}

/// The standard does not forbid it (2.2.3).
#[test]
fn a_length_may_be_written_in_more_bytes_than_it_needs() {
    let mut peer = Peer::new(options(false));
    peer.open();
    peer.sent();
    assert_eq!(peer.feed(&[0x20, 0x82, 0x80, 0, 1, 0]), [Event::Connected { session_present: true }]);
    let ack = only_publish(peer.feed(&[0x34, 0x85, 0, 0, 1, b't', 1, 2])).ack.unwrap();
    peer.session.acknowledge(ack);
    assert!(matches!(&peer.sent()[..], [Packet::PubRec(p)] if p.pkid == 0x102));
    assert_eq!(peer.feed(&[0x62, 0x82, 0, 1, 2]), []);
    assert!(matches!(&peer.sent()[..], [Packet::PubComp(p)] if p.pkid == 0x102));
}

#[test]
fn one_buffer_serves_ten_thousand_messages() {
    let mut peer = Peer::connected(options(true));
    let place = peer.session.inbound.place();
    let mut random = Random(42);
    let payload = vec![5; PAYLOAD_IN_MAX];
    let mut pending = Vec::new();
    let mut seen = 0;
    for i in 0..10_000 {
        let len = if i % 500 == 0 { PAYLOAD_IN_MAX } else { random.below(3000) };
        pending.extend(incoming("topic", QoS::AtMostOnce, 0, false, &payload[..len]));
        while pending.len() > 20_000 || i == 9_999 && !pending.is_empty() {
            let n = 1 + random.below(pending.len().min(READ_CHUNK));
            let rest = pending.split_off(n);
            seen += peer.feed(&pending).len();
            pending = rest;
        }
    }
    assert_eq!(seen, 10_000);
    assert_eq!(peer.session.inbound.place(), place, "never moved, so never allocated anew");
}

#[test]
fn payloads_that_are_held_stay_as_they_are() {
    let mut peer = Peer::connected(options(true));
    let mut held = Vec::new();
    for i in 0..600_u32 {
        let payload = [i as u8; 1500];
        held.push((i, only_publish(peer.feed(&incoming("t", QoS::AtMostOnce, 0, false, &payload)))));
    }
    assert!(held.iter().all(|(i, p)| p.payload[..] == [*i as u8; 1500]));
}

#[test]
fn what_breaks_the_protocol_is_named() {
    let long = |first: u8| [&[first, 0x80, 0x80, 0x80, 0x80][..], &[1]].concat();
    for (bytes, packet, what) in [
        (vec![0x00, 0], "packet of type 0", "reserved type"),
        (vec![0xf0, 0], "packet of type 15", "reserved type"),
        (vec![0x10, 0], "CONNECT", "a server never sends it"),
        (vec![0x82, 0], "SUBSCRIBE", "a server never sends it"),
        (vec![0xa2, 0], "UNSUBSCRIBE", "a server never sends it"),
        (vec![0xc0, 0], "PINGREQ", "a server never sends it"),
        (vec![0xe0, 0], "DISCONNECT", "a server never sends it"),
        (vec![0x41, 2, 0, 1], "PUBACK", "wrong flags"),
        (vec![0x60, 2, 0, 1], "PUBREL", "wrong flags"),
        (vec![0x9f, 3, 0, 1, 1], "SUBACK", "wrong flags"),
        (vec![0xd1, 0], "PINGRESP", "wrong flags"),
        (vec![0xd0, 1, 0], "PINGRESP", "wrong length"),
        (vec![0x40, 3, 0, 1, 1], "PUBACK", "wrong length"),
        (vec![0x40, 0], "PUBACK", "wrong length"),
        (vec![0x90, 2, 0, 1], "SUBACK", "wrong length"),
        (vec![0x90, 0xff, 0xff, 0x7f], "SUBACK", "wrong length"),
        (vec![0x90, 3, 0, 1, 3], "SUBACK", "unknown return code"),
        (puback(0), "PUBACK", "packet id 0"),
        (small(0x62, 0), "PUBREL", "packet id 0"),
        (small(0xb0, 0), "UNSUBACK", "packet id 0"),
        (long(0x30), "PUBLISH", "remaining length of more than four bytes"),
        (vec![0x36, 0], "PUBLISH", "QoS 3"),
        (vec![0x30, 0], "PUBLISH", "no topic"),
        (vec![0x30, 1, 0], "PUBLISH", "no topic"),
        (vec![0x30, 2, 0, 0], "PUBLISH", "empty topic"),
        (vec![0x30, 4, 0, 3, b'a', b'b'], "PUBLISH", "topic or packet id goes past the packet's end"),
        (vec![0x32, 4, 0, 1, b'a', 0], "PUBLISH", "topic or packet id goes past the packet's end"),
        (vec![0x32, 5, 0, 1, b'a', 0, 0], "PUBLISH", "packet id 0"),
        (vec![0x30, 3, 0, 1, 0], "PUBLISH", "NUL in the topic"),
        (vec![0x30, 3, 0, 1, b'+'], "PUBLISH", "wildcard in the topic"),
        (vec![0x30, 4, 0, 2, b'a', b'#'], "PUBLISH", "wildcard in the topic"),
        (vec![0x30, 3, 0, 1, 0xff], "PUBLISH", "topic is not UTF-8"),
        (vec![0x30, 5, 0, 3, 0xed, 0xa0, 0x80], "PUBLISH", "topic is not UTF-8"),
        (vec![0x30, 0xff, 0xff, 0x7f, 0, 1, b'#'], "PUBLISH", "wildcard in the topic"),
        (connack(false, 0), "CONNACK", "a second one"),
    ] {
        for piece in [1, 100] {
            let mut peer = Peer::connected(options(true));
            peer.piece = piece;
            let reason = Reason::Malformed(Malformed { packet, what });
            assert_eq!(peer.feed(&bytes), [Event::Lost(reason)], "{bytes:x?}");
            assert_eq!(peer.close_reason(), Some(reason));
            assert_eq!(reason.to_string(), format!("malformed {packet} from the broker: {what}"));
            assert!(peer.session.receive_buffer().is_empty());
            peer.cut();
            peer.connect(false);
        }
    }
}

#[test]
fn before_connack_nothing_else_may_come() {
    for (bytes, packet, what) in [
        (incoming("t", QoS::AtMostOnce, 0, false, b"x"), "PUBLISH", "before CONNACK"),
        (incoming("t", QoS::AtMostOnce, 0, false, &[0; PAYLOAD_IN_MAX + 1]), "PUBLISH", "before CONNACK"),
        (puback(1), "PUBACK", "before CONNACK"),
        (vec![0x20, 2, 2, 0], "CONNACK", "wrong flags"),
        (vec![0x20, 3, 0, 0, 0], "CONNACK", "wrong length"),
    ] {
        let mut peer = Peer::new(options(true));
        peer.open();
        assert_eq!(peer.feed(&bytes), []);
        assert_eq!(peer.close_reason(), Some(Reason::Malformed(Malformed { packet, what })));
    }
}

#[test]
fn a_release_before_our_receipt_breaks_the_protocol_and_stray_answers_do_not() {
    let mut peer = Peer::connected(options(true));
    for stray in [puback(5), small(0x50, 5), small(0x70, 5), small(0xb0, 5), vec![0xd0, 0]] {
        assert_eq!(peer.feed(&stray), []);
    }
    only_publish(peer.feed(&incoming("t", QoS::ExactlyOnce, 3, false, b"x")));
    let reason = Reason::Malformed(Malformed { packet: "PUBREL", what: "its PUBREC was not sent" });
    assert_eq!(peer.feed(&small(0x62, 3)), [Event::Lost(reason)]);
}

#[test]
fn it_says_whether_events_are_left_that_need_something_to_be_sent() {
    let mut peer = Peer::connected(Options::new("me"));
    assert!(!peer.session.is_behind());
    // Two whole messages in one read.
    let packets = [1, 2].map(|id| incoming("t", QoS::AtLeastOnce, id, false, b"hi")).concat();
    let room = peer.session.receive_buffer();
    room[..packets.len()].copy_from_slice(&packets);
    peer.session.handle_received(peer.now, packets.len());
    assert!(peer.session.poll_event(peer.now).is_some() && peer.session.is_behind());
    assert_eq!(peer.events().len(), 1);
    assert!(!peer.session.is_behind());
}

#[test]
fn more_is_read_at_once_only_after_a_read_that_was_full() {
    let mut peer = Peer::connected(Options::new("me"));
    let large = incoming("a", QoS::AtLeastOnce, 1, false, &vec![b'x'; READ_CHUNK]);
    assert_eq!(peer.session.receive_buffer().len(), READ_FIRST);
    peer.feed(&large[..READ_FIRST - 1]);
    assert_eq!(peer.session.receive_buffer().len(), READ_FIRST);
    peer.feed(&large[READ_FIRST - 1..][..READ_FIRST]);
    assert_eq!(peer.session.receive_buffer().len(), READ_CHUNK);
    peer.feed(&large[2 * READ_FIRST - 1..][..READ_FIRST]);
    assert_eq!(peer.session.receive_buffer().len(), READ_FIRST);
}
