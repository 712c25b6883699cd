//! Messages to the broker.

use super::*;
use crate::limits::{OUTBOUND_BYTES, OUTBOUND_MAX, UNSENDABLE_WITHIN_MS};

const KEEP: Class = Class::Keep;
const NEWEST: Class = Class::Newest(1);

pub(super) fn options(clean_session: bool) -> Options {
    Options { clean_session, ..Options::new("me") }
}

#[test]
fn unacknowledged_messages_go_again_first_with_their_ids_and_dup() {
    let mut peer = Peer::connected(options(true));
    for body in ["a", "b", "c", "d"] {
        peer.publish(KEEP, body).unwrap();
    }
    let first = publishes(&peer.sent());
    assert!(first.iter().all(|p| !p.2));
    peer.feed(&puback(first[1].1));
    assert_eq!(peer.session.unacknowledged(), 3);
    peer.publish(KEEP, "e").unwrap();
    peer.transmit(5); // begun counts as sent
    assert_eq!(peer.cut(), [Event::Lost(Reason::Closed)]);
    peer.publish(KEEP, "f").unwrap();
    peer.connect(false);
    let again = publishes(&peer.sent());
    let what: Vec<_> = again.iter().map(|p| (p.0.as_str(), p.2)).collect();
    assert_eq!(what, [("a", true), ("c", true), ("d", true), ("e", true), ("f", false)]);
    assert_eq!([again[0].1, again[1].1, again[2].1], [first[0].1, first[2].1, first[3].1]);
    for p in again {
        peer.feed(&puback(p.1));
    }
    assert_eq!(peer.session.unacknowledged(), 0);
    assert_eq!(peer.feed(&puback(999)), [], "an id that nothing waits for");
}

#[test]
fn control_packets_go_before_messages_but_never_into_one() {
    let mut peer = Peer::connected(options(true));
    peer.publish(KEEP, &"x".repeat(100)).unwrap();
    peer.publish(KEEP, "y").unwrap();
    peer.transmit(50);
    let ack = only_publish(peer.feed(&incoming("t", QoS::AtLeastOnce, 7, false, b"hi"))).ack.unwrap();
    peer.session.acknowledge(ack);
    peer.session.subscribe(peer.now, &["s"]);
    let sent = peer.sent();
    assert!(
        matches!(&sent[..], [Packet::Publish(_), Packet::Subscribe(_), Packet::PubAck(a), Packet::Publish(_)] if a.pkid == 7),
        "{sent:?}"
    );
}

#[test]
fn acknowledgements_go_after_the_messages_of_one_buffer_and_before_those_of_the_next() {
    let mut peer = Peer::connected(options(true));
    let owe = |peer: &mut Peer, id| {
        let ack = only_publish(peer.feed(&incoming("t", QoS::AtLeastOnce, id, false, b"hi"))).ack.unwrap();
        peer.session.acknowledge(ack);
    };
    owe(&mut peer, 7);
    owe(&mut peer, 8);
    ["a", "b"].iter().for_each(|body| peer.publish(KEEP, body).unwrap());
    let sent = peer.sent();
    assert!(
        matches!(&sent[..], [Packet::Publish(_), Packet::Publish(_), Packet::PubAck(a), Packet::PubAck(b)] if (a.pkid, b.pkid) == (7, 8)),
        "{sent:?}"
    );
    // However many messages there are, an acknowledgement waits for one buffer of them.
    peer.out = 30;
    for id in 10..20 {
        owe(&mut peer, id);
        (0..5).for_each(|_| peer.publish(KEEP, "m").unwrap());
        let place = peer.sent().iter().position(|packet| matches!(packet, Packet::PubAck(_)));
        assert!(place.is_some_and(|place| (1..=4).contains(&place)), "{place:?}");
    }
}

#[test]
fn without_a_link_only_the_newest_of_a_key_is_kept() {
    let mut peer = Peer::new(options(true));
    for (class, body) in [(NEWEST, "1"), (KEEP, "k"), (Class::Newest(2), "other"), (NEWEST, "2"), (NEWEST, "3")] {
        peer.publish(class, body).unwrap();
    }
    peer.connect(false);
    assert_eq!(bodies(&peer.sent()), ["k", "other", "3"]);
}

#[test]
fn connected_a_newer_one_replaces_only_what_is_not_begun_and_has_no_document() {
    let mut peer = Peer::connected(options(true));
    peer.publish(NEWEST, "begun").unwrap();
    peer.transmit(4);
    peer.publish(NEWEST, "skipped").unwrap();
    peer.publish(KEEP, "k").unwrap();
    peer.publish(NEWEST, "last").unwrap();
    assert_eq!(bodies(&peer.sent()), ["begun", "k", "last"]);
    peer.texts.0.borrow_mut()[0] = "doc".into();
    for body in ["for one,", "for another,"] {
        let write = |out: &mut dyn fmt::Write| out.write_str(body);
        let m = Message { document: Some(Document(0)), tail: "!", ..message(NEWEST, &write) };
        peer.session.publish(peer.now, m).unwrap();
    }
    assert_eq!(bodies(&peer.sent()), ["for one,doc!", "for another,doc!"]);
}

#[test]
fn a_loss_drops_what_is_bound_to_the_link_and_superseded() {
    for clean_session in [true, false] {
        let mut peer = Peer::connected(options(clean_session));
        peer.publish(NEWEST, "1").unwrap();
        peer.publish(Class::LinkBound, "request").unwrap();
        peer.publish(KEEP, "k").unwrap();
        peer.sent();
        peer.publish(NEWEST, "2").unwrap();
        peer.cut();
        peer.publish(NEWEST, "3").unwrap();
        peer.connect(false);
        let expected: &[&str] = if clean_session { &["k", "3"] } else { &["1", "k", "3"] };
        assert_eq!(bodies(&peer.sent()), expected, "[MQTT-4.4.0-1] for a session that is kept");
    }
}

/// Bodies, and whether each has DUP.
fn again(peer: &mut Peer) -> Vec<(String, bool)> {
    publishes(&peer.sent()).into_iter().map(|(body, _, dup)| (body, dup)).collect()
}

#[test]
fn an_order_is_sent_again_only_in_the_session_in_which_it_was_begun() {
    for clean_session in [true, false] {
        let mut peer = Peer::connected(options(clean_session));
        for (class, body) in [(Class::Order, "taken"), (Class::Order, "order"), (KEEP, "report")] {
            peer.publish(class, body).unwrap();
        }
        let taken = publishes(&peer.sent())[0].1;
        peer.feed(&puback(taken));
        peer.publish(Class::Order, "begun").unwrap();
        peer.transmit(5);
        peer.publish(Class::Order, "new").unwrap();
        peer.cut();
        if !clean_session {
            // The broker has kept the session: MQTT demands them.
            peer.connect(true);
            let all = ["order", "report", "begun"].map(|body| (body.into(), true));
            assert_eq!(again(&mut peer)[..3], all);
            peer.cut();
        }
        peer.connect(false);
        let new = ("new".into(), !clean_session);
        let expected = if clean_session { vec![("report".into(), true), new] } else { vec![("report".into(), true)] };
        assert_eq!(again(&mut peer), expected);
        assert_eq!(peer.session.unacknowledged(), expected.len());
    }
}

#[test]
fn an_order_is_never_dropped_for_want_of_room() {
    let mut peer = Peer::new(options(true));
    (0..OUTBOUND_MAX).for_each(|n| peer.publish(Class::Order, &n.to_string()).unwrap());
    assert_eq!(peer.publish(KEEP, "more"), Err(PublishError::Full));
    peer.connect(false);
    assert_eq!(bodies(&peer.sent()).len(), OUTBOUND_MAX);
}

#[test]
fn a_message_is_the_same_however_small_the_pieces() {
    for out in [1, 2, 3, 7, 16, 100, 4096] {
        let mut peer = Peer::connected(options(true));
        peer.out = out;
        let text = "0123456789".repeat(50);
        peer.texts.0.borrow_mut()[1] = text.clone();
        let body = |out: &mut dyn fmt::Write| out.write_str("{body:");
        let detail = |out: &mut dyn fmt::Write| out.write_str("detail,");
        let m = Message {
            topic: "long/topic",
            retain: true,
            class: KEEP,
            body: &body,
            detail: Some(&detail),
            document: Some(Document(1)),
            tail: "}",
        };
        peer.session.publish(peer.now, m).unwrap();
        peer.publish(KEEP, "").unwrap();
        let sent = peer.sent();
        let [Packet::Publish(p), Packet::Publish(empty)] = &sent[..] else { panic!() };
        assert_eq!((p.topic.as_str(), p.retain, p.qos), ("long/topic", true, QoS::AtLeastOnce));
        assert_eq!(p.payload, format!("{{body:detail,{text}}}"));
        assert!(empty.payload.is_empty() && !empty.retain);
    }
}

#[test]
fn remaining_lengths_are_right_around_each_size_of_theirs() {
    let head = 2 + "a/b".len() + 2;
    for remaining in [head, 127, 128, 16_383, 16_384, 300_000] {
        let mut peer = Peer::connected(options(true));
        let text = "x".repeat(remaining - head);
        peer.publish(KEEP, &text).unwrap();
        assert_eq!(bodies(&peer.sent()), [text]);
    }
    let mut peer = Peer::connected(options(true));
    peer.texts.0.borrow_mut()[0] = "y".repeat(2_097_152);
    let none = |_: &mut dyn fmt::Write| Ok(());
    peer.session.publish(peer.now, Message { document: Some(Document(0)), ..message(KEEP, &none) }).unwrap();
    peer.out = 1 << 20;
    assert_eq!(bodies(&peer.sent())[0].len(), 2_097_152);
}

fn with_document(peer: &mut Peer, class: Class, document: u8) {
    let write = |out: &mut dyn fmt::Write| out.write_str("d:");
    let m = Message { document: Some(Document(document)), ..message(class, &write) };
    peer.session.publish(peer.now, m).unwrap();
}

#[test]
fn a_document_is_encoded_anew_each_time_and_must_not_change_midway() {
    let mut peer = Peer::connected(options(true));
    peer.texts.0.borrow_mut()[0] = "old".repeat(10);
    with_document(&mut peer, KEEP, 0);
    assert!(!peer.session.is_mid_document());
    peer.transmit(20);
    assert!(peer.session.is_mid_document());
    peer.cut();
    assert!(!peer.session.is_mid_document());
    for new in ["newer than that, and longer by far than all that was there before", "short"] {
        peer.texts.0.borrow_mut()[0] = new.into();
        peer.connect(false);
        assert_eq!(bodies(&peer.sent()), [format!("d:{new}")]);
        // Not because of the message.
        peer.pass(UNSENDABLE_WITHIN_MS + 1);
        peer.cut();
    }
    for torn in ["longer than before", "shrt", ""] {
        peer.texts.0.borrow_mut()[0] = "short".into();
        peer.connect(false);
        peer.transmit(12);
        peer.texts.0.borrow_mut()[0] = torn.into();
        while peer.transmit(3) > 0 {}
        assert_eq!(peer.close_reason(), Some(Reason::DocumentChanged));
        assert_eq!(packets(&mut peer.wire), [], "nothing torn is ever whole");
        peer.cut();
    }
}

#[test]
fn discarded_documents_are_not_sent_and_a_begun_one_not_again() {
    let mut peer = Peer::connected(options(true));
    *peer.texts.0.borrow_mut() = ["zero".into(), "one".into()];
    with_document(&mut peer, KEEP, 0);
    with_document(&mut peer, KEEP, 1);
    peer.publish(KEEP, "plain").unwrap();
    with_document(&mut peer, KEEP, 0);
    peer.transmit(11);
    peer.session.discard_documents(|d| d == Document(0));
    assert_eq!(bodies(&peer.sent()), ["d:zero", "d:one", "plain"]);
    peer.cut();
    peer.connect(false);
    assert_eq!(bodies(&peer.sent()), ["d:one", "plain"]);
    peer.session.discard_documents(|_| true);
    assert_eq!(peer.session.unacknowledged(), 1, "sent ones go too");
}

#[test]
fn a_slow_document_does_not_make_read_answers_late_but_a_stuck_one_ends_the_link() {
    let mut peer = Peer::connected(options(true));
    peer.publish(KEEP, "before").unwrap();
    peer.sent();
    peer.texts.0.borrow_mut()[0] = "x".repeat(1000);
    with_document(&mut peer, KEEP, 0);
    for _ in 0..10 {
        assert!(peer.transmit(50) > 0);
        peer.pass(10_000);
        assert_eq!(peer.close_reason(), None);
    }
    peer.pass(4_999);
    assert_eq!(peer.close_reason(), None);
    peer.pass(1);
    assert_eq!(peer.close_reason(), Some(Reason::SendTimeout));
}

#[test]
fn room_is_made_from_the_newest_class_then_from_details_then_none_is_left() {
    let mut peer = Peer::connected(options(true));
    let big = "x".repeat(60_000);
    let write = |out: &mut dyn fmt::Write| out.write_str(&big);
    let short = |out: &mut dyn fmt::Write| out.write_str("!");
    let with_detail = Message { detail: Some(&write), ..message(KEEP, &short) };
    peer.session.publish(peer.now, with_detail).unwrap();
    peer.transmit(10); // begun: must stay as it is
    peer.session.publish(peer.now, with_detail).unwrap();
    peer.session.publish(peer.now, with_detail).unwrap();
    peer.publish(NEWEST, &big).unwrap();
    peer.publish(Class::Newest(2), &big).unwrap();
    peer.publish(KEEP, &big).unwrap();
    peer.publish(KEEP, &big).unwrap();
    peer.publish(KEEP, &big).unwrap();
    // 480,000 of 524,288 bytes are used.
    assert!(peer.session.has_room(120_000, 1));
    peer.publish(KEEP, &big).unwrap(); // in place of the first `NEWEST`
    assert!(!peer.session.has_room(120_000, 1) && peer.session.has_room(60_000, 1));
    peer.publish(KEEP, &big).unwrap(); // in place of the second
    assert!(!peer.session.has_room(60_000, 1));
    assert_eq!(peer.publish(NEWEST, &big), Err(PublishError::Full), "details only go for what must be kept");
    peer.session.publish(peer.now, with_detail).unwrap(); // in place of a detail
    peer.publish(KEEP, &big).unwrap(); // and of the next
    let thrice = format!("{big}{big}{big}");
    assert_eq!(peer.publish(KEEP, &thrice), Err(PublishError::Full));
    let begun = format!("!{big}");
    let sent = bodies(&peer.sent());
    assert_eq!(sent, [&begun, "!", "!", &big, &big, &big, &big, &big, &begun, &big]);
}

#[test]
fn a_message_goes_without_its_own_detail_rather_than_not_at_all() {
    let mut peer = Peer::connected(options(true));
    let big = "x".repeat(OUTBOUND_BYTES);
    let write = |out: &mut dyn fmt::Write| out.write_str(&big);
    let short = |out: &mut dyn fmt::Write| out.write_str("short");
    let m = Message { detail: Some(&write), ..message(KEEP, &short) };
    peer.session.publish(peer.now, m).unwrap();
    assert_eq!(bodies(&peer.sent()), ["short"]);
}

#[test]
fn messages_are_bounded_in_number_and_full_ends_with_an_acknowledgement() {
    let mut peer = Peer::connected(options(true));
    peer.publish(NEWEST, "n").unwrap();
    for _ in 0..OUTBOUND_MAX {
        peer.publish(KEEP, "k").unwrap();
    }
    assert_eq!(peer.publish(KEEP, "k"), Err(PublishError::Full));
    assert_eq!(peer.publish(NEWEST, "k"), Err(PublishError::Full));
    assert!(!peer.session.has_room(1, 1));
    let sent = publishes(&peer.sent());
    assert_eq!(sent.len(), OUTBOUND_MAX);
    peer.feed(&puback(sent[70].1));
    assert!(peer.session.has_room(1, 1));
    peer.publish(KEEP, "k").unwrap();
    peer.texts.0.borrow_mut()[0].clear();
    assert_eq!(PublishError::Full.to_string(), "too many messages wait for the broker");
}

#[test]
fn there_is_room_up_to_the_last_byte_and_the_last_message() {
    let mut peer = Peer::connected(options(true));
    let has = |peer: &Peer, bytes: usize, messages: usize| {
        peer.session.has_room(bytes, messages)
            && !peer.session.has_room(bytes + 1, messages)
            && !peer.session.has_room(bytes, messages + 1)
    };
    assert!(has(&peer, OUTBOUND_BYTES, OUTBOUND_MAX));
    peer.publish(KEEP, "123").unwrap();
    let taken = "a/b".len() + "123".len();
    assert!(has(&peer, OUTBOUND_BYTES - taken, OUTBOUND_MAX - 1));
    peer.publish(NEWEST, "12345").unwrap();
    assert!(has(&peer, OUTBOUND_BYTES - taken, OUTBOUND_MAX - 1), "it would be dropped");
    peer.transmit(4096);
    assert_eq!(peer.transmit(1), 0);
    assert!(has(&peer, OUTBOUND_BYTES - taken, OUTBOUND_MAX - 1), "so it would when it is sent");
    assert_eq!(peer.session.unsent_bytes(), taken + "a/b".len() + "12345".len());
}

#[test]
fn a_message_of_which_nothing_is_sent_yet_gives_way_to_a_newer_one() {
    for full in [0, 1] {
        let mut peer = Peer::connected(options(true));
        peer.publish(KEEP, "1").unwrap();
        peer.publish(NEWEST, "2").unwrap();
        // Two bytes of header, the topic with its length, the packet id, and the body.
        assert_eq!(peer.transmit(2 + 2 + 3 + 2 + 1 + full), 2 + 2 + 3 + 2 + 1 + full);
        peer.publish(NEWEST, "3").unwrap();
        let expected: &[&str] = if full == 0 { &["1", "3"] } else { &["1", "2", "3"] };
        assert_eq!(bodies(&peer.sent()), expected);
    }
}

#[test]
fn a_topic_that_is_none_is_refused_before_the_broker_sees_it() {
    let mut peer = Peer::connected(options(true));
    let none = |_: &mut dyn fmt::Write| Ok(());
    for (topic, what) in [
        ("", "empty topic"),
        ("a/+", "wildcard in the topic"),
        ("#", "wildcard in the topic"),
        ("a\0", "NUL in the topic"),
        (&"x".repeat(65_536), "topic of more than 65,535 bytes"),
    ] {
        let result = peer.session.publish(peer.now, Message { topic, ..message(KEEP, &none) });
        assert_eq!(result, Err(PublishError::Topic(what)));
    }
    let topic = "x".repeat(65_535);
    peer.session.publish(peer.now, Message { topic: &topic, ..message(KEEP, &none) }).unwrap();
    let [Packet::Publish(p)] = &peer.sent()[..] else { panic!() };
    assert_eq!(p.topic, topic);
}

#[test]
fn packet_ids_are_never_zero_nor_in_use() {
    let mut peer = Peer::connected(options(true));
    peer.publish(KEEP, "stays").unwrap();
    let stays = publishes(&peer.sent())[0].1;
    for _ in 0..70_000 {
        peer.publish(KEEP, "goes").unwrap();
        let mut out = [0; 64];
        let n = peer.session.poll_transmit(peer.now, &peer.texts, &mut out);
        let id = u16::from_be_bytes([out[7], out[8]]);
        assert!(n > 0 && id != 0 && id != stays);
        peer.feed(&puback(id));
        assert_eq!(peer.session.unacknowledged(), 1);
    }
}
