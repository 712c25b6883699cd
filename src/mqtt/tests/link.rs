//! Connecting, deadlines, leaving.

use super::super::{Malformed, Status};
use super::*;
use crate::limits::{BACKOFF_MAX_MS, CONTROL_BYTES, LINK_STEADY_MS};

#[test]
fn connect_carries_what_is_configured_and_nothing_is_sent_before_connack() {
    let mut options = Options::new("me");
    options.username = Some("who".into());
    options.password = Some("secret".into());
    options.clean_session = false;
    options.keep_alive_s = 77;
    let mut peer = Peer::new(options);
    peer.publish(Class::Keep, "early").unwrap();
    assert_eq!(peer.session.poll_link(peer.now), LinkWish::Open);
    assert_eq!(peer.session.poll_link(peer.now), LinkWish::Keep);
    assert_eq!(peer.transmit(100), 0);
    peer.session.handle_link_up(peer.now);
    let [Packet::Connect(connect)] = &peer.sent()[..] else { panic!() };
    assert_eq!((connect.client_id.as_str(), connect.keep_alive, connect.clean_session), ("me", 77, false));
    let login = connect.login.clone().unwrap();
    assert_eq!((login.username.as_str(), login.password.as_str()), ("who", "secret"));
    assert!(connect.last_will.is_none());
    assert_eq!(peer.session.subscribe(peer.now, &["x"]), 0, "not connected");
    assert_eq!(peer.sent(), []);
    assert_eq!(peer.feed(&connack(true, 0)), [Event::Connected { session_present: true }]);
    assert_eq!(bodies(&peer.sent()), ["early"]);
}

#[test]
fn a_request_may_fill_the_buffer_of_control_packets_to_the_last_byte() {
    // Around the filter: fixed header, packet id, the filter's length, and its QoS.
    for (len, is_taken) in [(CONTROL_BYTES - 5 - 2 - 3, true), (CONTROL_BYTES - 5 - 2 - 3 + 1, false)] {
        let mut peer = Peer::connected(Options::new("me"));
        let filter = "f".repeat(len);
        assert_eq!(peer.session.subscribe(peer.now, &[&filter]) != 0, is_taken);
        assert_eq!(peer.close_reason(), (!is_taken).then_some(Reason::Full));
    }
}

#[test]
fn a_refused_connect_says_why_and_is_tried_again() {
    for (code, text) in [
        (1, "the broker refused: unacceptable protocol version"),
        (4, "the broker refused: bad user name or password"),
        (5, "the broker refused: not authorized"),
        (200, "the broker refused: code 200"),
    ] {
        let mut peer = Peer::new(Options::new("me"));
        peer.open();
        peer.sent();
        assert_eq!(peer.feed(&connack(false, code)), [], "never connected, so nothing is lost");
        let reason = peer.close_reason().unwrap();
        assert_eq!(reason.to_string(), text);
        assert_eq!(peer.session.status().last, Some(reason));
        peer.cut();
        peer.connect(false);
    }
}

#[test]
fn a_link_or_connack_that_takes_too_long_is_given_up() {
    let mut peer = Peer::new(Options::new("me"));
    assert_eq!(peer.session.poll_link(peer.now), LinkWish::Open);
    peer.pass(29_999);
    assert_eq!(peer.close_reason(), None);
    peer.pass(1);
    assert_eq!(peer.close_reason(), Some(Reason::ConnectTimeout));
    peer.cut();
    peer.open();
    peer.pass(29_999);
    assert_eq!(peer.close_reason(), None);
    peer.pass(1);
    assert_eq!(peer.close_reason(), Some(Reason::ConnectTimeout));
    assert_eq!(peer.transmit(100), 0);
}

#[test]
fn waits_grow_until_a_link_has_held() {
    let mut peer = Peer::new(Options::new("me"));
    let mut most = 1000;
    for _ in 0..7 {
        peer.open();
        peer.cut();
        let LinkWish::Wait(until) = peer.session.poll_link(peer.now) else { panic!() };
        assert!((most / 2..=most).contains(&until.since(peer.now)));
        assert_eq!(peer.session.status().retry_at, Some(until));
        most = (most * 2).min(BACKOFF_MAX_MS);
    }
    peer.connect(false);
    peer.now = peer.now.after(LINK_STEADY_MS - 1);
    assert_eq!(peer.cut(), [Event::Lost(Reason::Closed)]);
    let LinkWish::Wait(until) = peer.session.poll_link(peer.now) else { panic!() };
    assert!(until.since(peer.now) > 10_000, "a broker that accepts and drops us is not hammered");
    peer.connect(false);
    peer.now = peer.now.after(LINK_STEADY_MS);
    peer.cut();
    let LinkWish::Wait(until) = peer.session.poll_link(peer.now) else { panic!() };
    assert!(until.since(peer.now) <= 1000);
}

#[test]
fn a_quiet_link_wakes_for_the_ping_alone() {
    let mut peer = Peer::connected(Options::new("me"));
    let start = peer.now;
    assert_eq!(peer.session.poll_timeout(), Some(start.after(20_000)));
    peer.pass(19_999);
    assert_eq!(peer.sent(), []);
    peer.pass(1);
    assert_eq!(peer.sent(), [Packet::PingReq]);
    assert_eq!(peer.session.poll_timeout(), Some(start.after(28_000)), "the answer's deadline");
    peer.now = peer.now.after(5);
    assert_eq!(peer.feed(&[0xd0, 0]), []);
    assert_eq!(peer.session.poll_timeout(), Some(start.after(40_000)));
    // What is sent puts the next ping off.
    peer.pass(9_995);
    let id = peer.session.subscribe(peer.now, &["x"]);
    peer.sent();
    peer.feed(&[0x90, 3, (id >> 8) as u8, id as u8, 1]);
    assert_eq!(peer.session.poll_timeout(), Some(start.after(50_000)));
}

#[test]
fn no_keep_alive_means_no_wakeups() {
    let mut options = Options::new("me");
    options.keep_alive_s = 0;
    let mut peer = Peer::connected(options);
    assert_eq!(peer.session.poll_timeout(), None);
    peer.pass(10_000_000);
    assert_eq!(peer.sent(), []);
}

#[test]
fn a_dead_link_is_closed_before_one_and_a_half_keep_alives() {
    for takes_ping in [true, false] {
        let mut peer = Peer::connected(Options::new("me"));
        peer.pass(20_000);
        if takes_ping {
            peer.sent();
        }
        peer.pass(7_999);
        assert_eq!(peer.close_reason(), None);
        peer.pass(1);
        assert_eq!(peer.close_reason(), Some(Reason::PingTimeout));
        assert_eq!(peer.events(), [Event::Lost(Reason::PingTimeout)], "told at once");
        assert_eq!(peer.cut(), [], "and once");
    }
}

#[test]
fn a_link_over_which_something_comes_is_not_dead() {
    let mut peer = Peer::connected(Options::new("me"));
    peer.pass(20_000);
    assert_eq!(peer.sent(), [Packet::PingReq]);
    peer.pass(5_000);
    // The first byte of a packet.
    assert_eq!(peer.feed(&[0xd0]), []);
    peer.pass(7_999);
    assert_eq!(peer.close_reason(), None);
    peer.pass(1);
    assert_eq!(peer.close_reason(), Some(Reason::PingTimeout));
}

#[test]
fn missing_acknowledgements_close_the_link() {
    let mut peer = Peer::connected(Options::new("me"));
    peer.publish(Class::Keep, "one").unwrap();
    assert_eq!(peer.session.poll_timeout(), Some(peer.now.after(20_000)), "not handed out yet");
    peer.pass(100);
    peer.sent();
    peer.pass(14_999);
    assert_eq!(peer.close_reason(), None);
    peer.pass(1);
    assert_eq!(peer.close_reason(), Some(Reason::AckTimeout));
    peer.cut();
    for (is_subscribe, ms) in [(true, 15_000), (false, 5_000)] {
        peer.connect(false);
        for p in publishes(&peer.sent()) {
            peer.feed(&puback(p.1));
        }
        if is_subscribe {
            peer.session.subscribe(peer.now, &["x"]);
        } else {
            peer.session.unsubscribe(peer.now, &["x"]);
        }
        peer.sent();
        peer.pass(ms - 1);
        assert_eq!(peer.close_reason(), None);
        peer.pass(1);
        let expected = if is_subscribe { Reason::SubscribeTimeout } else { Reason::UnsubscribeTimeout };
        assert_eq!(peer.close_reason(), Some(expected));
        peer.cut();
    }
}

#[test]
fn subscriptions_are_answered_filter_by_filter() {
    let mut peer = Peer::connected(Options::new("me"));
    let a = peer.session.subscribe(peer.now, &["a/#", "b", "c"]);
    let b = peer.session.unsubscribe(peer.now, &["a/#", "b"]);
    let c = peer.session.subscribe(peer.now, &["d"]);
    assert_eq!(peer.session.subscribe(peer.now, &[]), 0);
    let sent = peer.sent();
    let [Packet::Subscribe(s), Packet::Unsubscribe(u), Packet::Subscribe(_)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((s.pkid, s.filters.len(), u.pkid, &u.topics[..]), (a, 3, b, &["a/#".to_owned(), "b".to_owned()][..]));
    assert!(s.filters.iter().all(|f| f.qos == QoS::AtLeastOnce));
    assert_eq!(peer.feed(&[0x90, 3, 0x7f, 0xff, 1]), [], "an answer to nothing");
    assert_eq!(
        peer.feed(&[0x90, 5, 0, a as u8, 0x80, 1, 0x80]),
        [Event::SubscribeRefused { packet: a, filters: vec![0, 2] }]
    );
    assert_eq!(peer.feed(&small(0xb0, b)), [Event::Unsubscribed { packet: b }]);
    assert_eq!(peer.feed(&[0x90, 3, 0, c as u8, 0]), [Event::Subscribed { packet: c }]);
    assert_eq!(peer.feed(&[0x90, 3, 0, c as u8, 0]), []);
    let d = peer.session.subscribe(peer.now, &["e"]);
    peer.sent();
    let what = "wrong number of return codes";
    let lost = Reason::Malformed(Malformed { packet: "SUBACK", what });
    assert_eq!(peer.feed(&[0x90, 4, 0, d as u8, 1, 1]), [Event::Lost(lost)]);
}

#[test]
fn too_many_subscriptions_at_a_time_end_the_link() {
    let mut peer = Peer::connected(Options::new("me"));
    let long = "x".repeat(2000);
    while peer.session.subscribe(peer.now, &[&long]) != 0 {}
    assert_eq!(peer.events(), [Event::Lost(Reason::Full)]);
    peer.cut();
    peer.connect(false);
    assert_ne!(peer.session.subscribe(peer.now, &["x"]), 0);
}

#[test]
fn leaving_sends_what_is_begun_then_disconnect_and_asks_for_no_link() {
    let mut peer = Peer::connected(Options::new("me"));
    peer.publish(Class::Keep, "one").unwrap();
    peer.publish(Class::Keep, "two").unwrap();
    peer.transmit(3);
    peer.session.disconnect(peer.now);
    assert_eq!(peer.close_reason(), None);
    let sent = peer.sent();
    assert_eq!(bodies(&sent), ["one"]);
    assert_eq!(sent[1..], [Packet::Disconnect]);
    assert_eq!(peer.close_reason(), Some(Reason::Disconnected));
    assert_eq!(peer.events(), [Event::Lost(Reason::Disconnected)]);
    peer.cut();
    peer.pass(1_000_000);
    assert_eq!(peer.close_reason(), Some(Reason::Disconnected));
    assert_eq!(peer.session.poll_timeout(), None);
    assert_eq!(peer.session.unacknowledged(), 2);

    for stage in 0..4 {
        let mut peer = Peer::new(Options::new("me"));
        if stage > 0 {
            peer.session.poll_link(peer.now);
        }
        if stage > 1 {
            peer.session.handle_link_up(peer.now);
        }
        if stage > 2 {
            peer.session.handle_link_down(peer.now);
        }
        peer.session.disconnect(peer.now);
        assert_eq!(peer.close_reason(), Some(Reason::Disconnected));
        peer.cut();
        assert_eq!(peer.close_reason(), Some(Reason::Disconnected));
    }
}

#[test]
fn a_link_that_fails_while_leaving_is_not_made_again() {
    let mut peer = Peer::connected(Options::new("me"));
    peer.session.disconnect(peer.now);
    assert_eq!(peer.feed(&[0xff]).len(), 1);
    peer.cut();
    assert_eq!(peer.close_reason(), Some(Reason::Disconnected));
}

#[test]
fn status_tells_since_when_and_how_often() {
    let mut peer = Peer::new(Options::new("me"));
    let none = Status { connected: false, since: None, reconnects: 0, last: None, retry_at: Some(Tick(0)) };
    assert_eq!(peer.session.status(), none);
    peer.connect(false);
    let up = peer.now;
    assert_eq!(
        peer.session.status(),
        Status { connected: true, since: Some(up), reconnects: 0, last: None, retry_at: None }
    );
    peer.pass(6000);
    peer.cut();
    let status = peer.session.status();
    assert_eq!((status.connected, status.since, status.last), (false, Some(up.after(6000)), Some(Reason::Closed)));
    peer.connect(false);
    assert_eq!(peer.session.status().reconnects, 1);
}
