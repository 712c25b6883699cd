//! Messages for which the broker ends the connection.

use super::send::options;
use super::*;
use crate::limits::{UNSENDABLE_FORGET_MS, UNSENDABLE_WITHIN_MS};

/// The message is sent, and the broker ends the link; what the session says of it.
fn refuse(peer: &mut Peer) -> Vec<Refusal> {
    peer.connect(true);
    assert!(!peer.sent().is_empty());
    refusals(peer.cut())
}

fn refusals(events: Vec<Event>) -> Vec<Refusal> {
    let refusal = |event| match event {
        Event::Refused(refusal) => Some(refusal),
        _ => None,
    };
    events.into_iter().filter_map(refusal).collect()
}

fn refusal(topic: &str, len: usize, is_order: bool, remedy: Remedy) -> Refusal {
    Refusal { topic: topic.into(), len, is_order, remedy }
}

/// A broker that ends each link with the first message, and what becomes of that after three.
fn treated(publish: impl Fn(&mut Peer)) -> Refusal {
    let mut peer = Peer::new(options(false));
    publish(&mut peer);
    next(&mut peer)
}

fn next(peer: &mut Peer) -> Refusal {
    assert_eq!([refuse(peer), refuse(peer)], [[], []]);
    refuse(peer).remove(0)
}

fn state(peer: &mut Peer, len: usize) {
    let body = |out: &mut dyn fmt::Write| out.write_str(&"s".repeat(len));
    peer.session.publish(peer.now, Message { retain: true, ..message(Class::Newest(1), &body) }).unwrap();
}

fn is_retained(peer: &mut Peer) -> Vec<bool> {
    let flag = |packet| match packet {
        Packet::Publish(publish) => Some(publish.retain),
        _ => None,
    };
    peer.sent().into_iter().filter_map(flag).collect()
}

#[test]
fn a_command_or_a_report_is_dropped_after_three_links() {
    assert_eq!(treated(|peer| peer.publish(Class::Order, "four").unwrap()), refusal("a/b", 4, true, Remedy::Dropped));
    let mut peer = Peer::new(options(false));
    peer.publish(Class::Keep, "four").unwrap();
    peer.publish(Class::Keep, "behind it").unwrap();
    assert_eq!(next(&mut peer), refusal("a/b", 4, false, Remedy::Dropped));
    peer.connect(true);
    assert_eq!(bodies(&peer.sent()), ["behind it"]);
}

#[test]
fn a_retained_message_goes_without_and_then_not_at_all() {
    let mut peer = Peer::new(options(false));
    state(&mut peer, 400);
    assert_eq!(next(&mut peer), refusal("a/b", 400, false, Remedy::Unretained));
    peer.connect(true);
    assert_eq!(is_retained(&mut peer), [false]);
    assert!(refusals(peer.cut()).is_empty());
    assert!(refuse(&mut peer).is_empty());
    assert_eq!(refuse(&mut peer), [refusal("a/b", 400, false, Remedy::Dropped)]);
    // It was its length, so the next ones are retained, unless they are as long.
    peer.connect(true);
    state(&mut peer, 300);
    assert!(is_retained(&mut peer).is_empty());
    assert_eq!(refusals(peer.events()), [refusal("a/b", 300, false, Remedy::Dropped)]);
    state(&mut peer, 299);
    assert_eq!(is_retained(&mut peer), [true]);
}

#[test]
fn what_is_learned_is_forgotten_with_the_first_link_after_a_day() {
    let mut peer = Peer::new(Options { keep_alive_s: 0, ..options(false) });
    state(&mut peer, 400);
    next(&mut peer);
    peer.connect(true);
    let ack = publishes(&peer.sent())[0].1;
    peer.feed(&puback(ack));
    peer.now = peer.now.after(UNSENDABLE_FORGET_MS - 60_000);
    peer.cut();
    peer.connect(true);
    state(&mut peer, 400);
    assert_eq!(is_retained(&mut peer), [false]);
    peer.now = peer.now.after(60_000);
    peer.cut();
    peer.connect(true);
    assert_eq!(is_retained(&mut peer), [true]);
}

#[test]
fn a_report_goes_without_its_detail_and_so_do_the_next_ones() {
    let mut peer = Peer::new(options(false));
    let report = |peer: &mut Peer| {
        let detail = |out: &mut dyn fmt::Write| out.write_str(&"d".repeat(96));
        let body = |out: &mut dyn fmt::Write| out.write_str("head");
        let message = Message { detail: Some(&detail), ..message(Class::Keep, &body) };
        peer.session.publish(peer.now, message).unwrap();
    };
    report(&mut peer);
    assert_eq!(next(&mut peer), refusal("a/b", 100, false, Remedy::Trimmed));
    report(&mut peer);
    peer.connect(true);
    for _ in 0..2 {
        let [(body, id, is_dup)] = &publishes(&peer.sent())[..] else { panic!("one by one") };
        assert_eq!((body.as_str(), *is_dup), ("head", false));
        peer.feed(&puback(*id));
    }
    report(&mut peer);
    assert_eq!(bodies(&peer.sent()), ["head"]);
    assert_eq!(refusals(peer.events()), [refusal("a/b", 100, false, Remedy::Trimmed)]);
}

#[test]
fn an_acknowledgement_or_an_end_much_later_or_of_our_own_is_no_refusal() {
    let mut peer = Peer::new(options(false));
    peer.publish(Class::Keep, "k").unwrap();
    for _ in 0..3 {
        assert!(refuse(&mut peer).is_empty());
        peer.connect(true);
        assert!(!peer.sent().is_empty());
        peer.pass(UNSENDABLE_WITHIN_MS + 1);
        assert!(refusals(peer.cut()).is_empty());
        assert!(refuse(&mut peer).is_empty());
        peer.connect(true);
        let ack = publishes(&peer.sent())[0].1;
        peer.feed(&puback(ack));
        peer.cut();
        peer.publish(Class::Keep, "k").unwrap();
    }
    peer.connect(true);
    peer.sent();
    peer.pass(15_000);
    assert_eq!(peer.close_reason(), Some(Reason::AckTimeout));
}

#[test]
fn when_the_loss_may_have_taken_acknowledgements_messages_go_one_by_one() {
    let mut peer = Peer::new(options(false));
    for body in ["good", "fine", "bad"] {
        peer.publish(Class::Keep, body).unwrap();
    }
    assert!(refuse(&mut peer).is_empty() && refuse(&mut peer).is_empty());
    for body in ["good", "fine"] {
        if body == "good" {
            peer.connect(true);
        }
        let sent = publishes(&peer.sent());
        assert_eq!(sent.iter().map(|p| p.0.as_str()).collect::<Vec<_>>(), [body]);
        peer.feed(&puback(sent[0].1));
    }
    assert_eq!(bodies(&peer.sent()), ["bad"]);
    assert!(refusals(peer.cut()).is_empty() && refuse(&mut peer).is_empty());
    assert_eq!(refuse(&mut peer), [refusal("a/b", 3, false, Remedy::Dropped)]);
}

#[test]
fn a_last_will_that_is_refused_goes_without_retain_on_the_fourth_attempt() {
    let will = super::super::Will { topic: "w".into(), payload: "gone".into() };
    let mut peer = Peer::new(Options { will: Some(will), ..options(false) });
    let attempt = |peer: &mut Peer| {
        peer.open();
        let [Packet::Connect(connect)] = &peer.sent()[..] else { panic!("CONNECT") };
        connect.last_will.as_ref().unwrap().retain
    };
    for _ in 0..2 {
        for is_retained in [true, true, true, false] {
            assert_eq!(attempt(&mut peer), is_retained);
            peer.cut();
        }
    }
    for _ in 0..3 {
        attempt(&mut peer);
        peer.cut();
    }
    assert!(!attempt(&mut peer));
    peer.feed(&connack(false, 0));
    peer.cut();
    assert!(!attempt(&mut peer), "it was accepted so");
    peer.feed(&connack(false, 0));
    peer.pass(5_000);
    peer.cut();
    assert!(attempt(&mut peer), "a good link may be one to another broker");
}

#[test]
fn nothing_is_retained_where_that_is_turned_off() {
    let will = super::super::Will { topic: "w".into(), payload: "gone".into() };
    let mut peer = Peer::new(Options { will: Some(will), retain: false, ..options(false) });
    state(&mut peer, 4);
    peer.open();
    let [Packet::Connect(connect)] = &peer.sent()[..] else { panic!("CONNECT") };
    assert!(!connect.last_will.as_ref().unwrap().retain);
    peer.feed(&connack(false, 0));
    assert_eq!(is_retained(&mut peer), [false]);
    peer.cut();
    assert!(refuse(&mut peer).is_empty());
    assert_eq!(refuse(&mut peer), [refusal("a/b", 4, false, Remedy::Dropped)]);
}
