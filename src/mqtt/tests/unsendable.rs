//! Messages for which the broker ends the connection, and connections that break by chance.

use super::super::Will;
use super::send::options;
use super::*;
use crate::limits::{
    UNSENDABLE_FORGET_MS, UNSENDABLE_LINKS, UNSENDABLE_TRIALS, UNSENDABLE_TRIAL_AFTER_MS, UNSENDABLE_WITHIN_MS,
};

const STEADY: u64 = UNSENDABLE_TRIAL_AFTER_MS;
const ALL: u8 = UNSENDABLE_LINKS + UNSENDABLE_TRIALS;

/// The message is sent on a new link, and the broker ends that; what the session says of it.
fn refuse(peer: &mut Peer) -> Vec<Refusal> {
    peer.connect(true);
    if publishes(&peer.sent()).is_empty() {
        peer.pass(STEADY);
        assert_eq!(publishes(&peer.sent()).len(), 1, "it goes alone");
    }
    refusals(peer.cut())
}

fn refusals(events: Vec<Event>) -> Vec<Refusal> {
    let refusal = |event| match event {
        Event::Refused(refusal) => Some(refusal),
        _ => None,
    };
    events.into_iter().filter_map(refusal).collect()
}

fn refusal(len: usize, class: Class, remedy: Remedy) -> Refusal {
    Refusal { topic: "a/b".into(), len, class, remedy }
}

fn suspect(peer: &mut Peer, links: u8) {
    (0..links).for_each(|link| assert_eq!(refuse(peer), [], "link {link}"));
}

/// What becomes of the message after so many links and trials.
fn condemn(peer: &mut Peer) -> Refusal {
    suspect(peer, ALL - 1);
    refuse(peer).remove(0)
}

/// A report to the topic "c".
fn publish_elsewhere(peer: &mut Peer, body: &str) {
    let write = |out: &mut dyn fmt::Write| out.write_str(body);
    peer.session.publish(peer.now, Message { topic: "c", ..message(Class::Keep, &write) }).unwrap();
}

/// Acknowledges what is sent, one after the other; the bodies.
fn take_all(peer: &mut Peer) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let sent = publishes(&peer.sent());
        if sent.is_empty() {
            return taken;
        }
        for (body, id, _) in sent {
            taken.push(body);
            peer.feed(&puback(id));
        }
    }
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
fn a_command_or_a_report_is_dropped_after_three_links_and_three_trials() {
    for class in [Class::Order, Class::Keep, Class::Found(7)] {
        let mut peer = Peer::new(options(false));
        peer.publish(class, "four").unwrap();
        assert_eq!(condemn(&mut peer), refusal(4, class, Remedy::Dropped));
        peer.publish(class, "next").unwrap();
        peer.connect(true);
        assert_eq!(bodies(&peer.sent()), ["next"]);
    }
}

#[test]
fn from_the_third_link_on_everything_else_goes_and_the_suspect_last() {
    let mut peer = Peer::new(options(false));
    peer.publish(Class::Keep, "bad").unwrap();
    peer.publish(Class::Keep, "behind it").unwrap();
    publish_elsewhere(&mut peer, "another");
    suspect(&mut peer, UNSENDABLE_LINKS);
    peer.connect(true);
    assert_eq!(take_all(&mut peer), ["another"]);
    assert_eq!(peer.session.poll_timeout(), Some(peer.now.after(STEADY)));
    peer.pass(STEADY - 1);
    publish_elsewhere(&mut peer, "one more");
    assert_eq!(take_all(&mut peer), ["one more"]);
    peer.pass(1);
    publish_elsewhere(&mut peer, "first");
    let sent = publishes(&peer.sent());
    assert_eq!(sent[0].0, "first");
    peer.feed(&puback(sent[0].1));
    let sent = publishes(&peer.sent());
    assert_eq!((sent[0].0.as_str(), sent[0].2, sent.len()), ("bad", true, 1));
    publish_elsewhere(&mut peer, "waits for the answer");
    assert_eq!(publishes(&peer.sent()), []);
    peer.feed(&puback(sent[0].1));
    assert_eq!(take_all(&mut peer), ["behind it", "waits for the answer"]);
}

#[test]
fn an_acknowledgement_or_another_end_of_a_link_clears_of_suspicion() {
    let ends: [fn(&mut Peer); 6] = [
        // Later than an answer would come.
        |peer| {
            peer.pass(UNSENDABLE_WITHIN_MS + 1);
            peer.cut();
        },
        // No acknowledgement in time.
        |peer| {
            peer.pass(15_000);
            assert_eq!(peer.close_reason(), Some(Reason::AckTimeout));
            peer.cut();
        },
        // A failed attempt.
        |peer| {
            peer.cut();
            while let LinkWish::Wait(until) = peer.session.poll_link(peer.now) {
                peer.now = until;
            }
            peer.cut();
        },
        // An acknowledgement.
        |peer| {
            peer.feed(&puback(1));
            peer.cut();
            peer.publish(Class::Keep, "k").unwrap();
        },
        // A break before the trial.
        |peer| {
            while peer.session.has_topic("a/b") && peer.session.is_connected() {
                peer.cut();
                peer.connect(true);
                if publishes(&peer.sent()).is_empty() {
                    break;
                }
            }
            peer.pass(STEADY - 1);
            peer.cut();
        },
        // Bytes that are none of the protocol's.
        |peer| {
            peer.feed(&[0x10, 0]);
            assert!(matches!(peer.close_reason(), Some(Reason::Malformed(_))));
            peer.cut();
        },
    ];
    for (case, end) in ends.iter().enumerate() {
        let mut peer = Peer::new(options(false));
        peer.publish(Class::Keep, "k").unwrap();
        suspect(&mut peer, UNSENDABLE_LINKS - 1);
        peer.connect(true);
        assert_eq!(publishes(&peer.sent()).len(), 1);
        end(&mut peer);
        suspect(&mut peer, ALL - 1);
        assert_eq!(refuse(&mut peer).len(), 1, "case {case}: it begins anew");
    }
}

#[test]
fn a_trial_on_a_link_that_breaks_for_another_reason_counts_for_nothing() {
    let mut peer = Peer::new(options(false));
    peer.publish(Class::Keep, "k").unwrap();
    suspect(&mut peer, ALL - 1);
    peer.connect(true);
    peer.pass(STEADY);
    assert_eq!(publishes(&peer.sent()).len(), 1);
    peer.pass(UNSENDABLE_WITHIN_MS + 1);
    assert_eq!(refusals(peer.cut()), []);
    assert_eq!(condemn(&mut peer), refusal(1, Class::Keep, Remedy::Dropped));
}

#[test]
fn several_refused_messages_are_found_one_after_the_other() {
    let mut peer = Peer::new(options(false));
    peer.publish(Class::Keep, "bad").unwrap();
    publish_elsewhere(&mut peer, "as bad");
    peer.publish(Class::Keep, "good").unwrap();
    let mut found = Vec::new();
    let mut links = 0;
    while peer.session.unacknowledged() > 0 {
        links += 1;
        peer.connect(true);
        while peer.session.unacknowledged() > 0 {
            let sent = publishes(&peer.sent());
            match sent.first() {
                None => peer.pass(STEADY),
                Some((body, ..)) if body.contains("bad") => break,
                Some((_, id, _)) => drop(peer.feed(&puback(*id))),
            }
        }
        found.extend(refusals(peer.cut()).into_iter().map(|refusal| refusal.len));
    }
    assert_eq!((found, links), (vec![3, 6], 2 * ALL - 2));
}

#[test]
fn when_the_loss_may_have_taken_acknowledgements_messages_go_one_by_one() {
    let mut peer = Peer::new(options(false));
    for body in ["good", "fine", "bad"] {
        peer.publish(Class::Keep, body).unwrap();
    }
    peer.connect(true);
    assert_eq!(bodies(&peer.sent()), ["good", "fine", "bad"]);
    peer.cut();
    peer.connect(true);
    assert_eq!(bodies(&peer.sent()), ["good", "fine", "bad"], "one such end is nothing special");
    peer.cut();
    peer.connect(true);
    let sent = publishes(&peer.sent());
    assert_eq!(sent.iter().map(|p| p.0.as_str()).collect::<Vec<_>>(), ["good"]);
    peer.feed(&puback(sent[0].1));
    assert_eq!(bodies(&peer.sent()), ["fine"]);
    peer.feed(&puback(sent[0].1 + 1));
    assert_eq!(bodies(&peer.sent()), ["bad"]);
    assert!(refusals(peer.cut()).is_empty());
    suspect(&mut peer, ALL - 2);
    assert_eq!(refuse(&mut peer), [refusal(3, Class::Keep, Remedy::Dropped)]);
}

#[test]
fn a_message_that_is_refused_before_its_end_is_found_too() {
    let mut peer = Peer::new(options(false));
    peer.publish(Class::Keep, &"x".repeat(9_000)).unwrap();
    for link in 1..=ALL {
        peer.connect(true);
        if link > UNSENDABLE_LINKS {
            peer.pass(STEADY);
        }
        assert_eq!(peer.transmit(100), 100);
        assert_eq!(refusals(peer.cut()).len(), usize::from(link == ALL), "link {link}");
    }
    assert_eq!(peer.session.unacknowledged(), 0);
}

#[test]
fn a_retained_message_goes_without_and_then_not_at_all() {
    let mut peer = Peer::new(options(false));
    state(&mut peer, 400);
    assert_eq!(condemn(&mut peer), refusal(400, Class::Newest(1), Remedy::Unretained));
    peer.connect(true);
    assert_eq!(is_retained(&mut peer), [false]);
    assert!(refusals(peer.cut()).is_empty());
    suspect(&mut peer, ALL - 2);
    assert_eq!(refuse(&mut peer), [refusal(400, Class::Newest(1), Remedy::Dropped)]);
    // It was its length, so the next ones are retained, unless they are as long.
    peer.connect(true);
    state(&mut peer, 300);
    assert!(is_retained(&mut peer).is_empty());
    assert_eq!(refusals(peer.events()), [refusal(300, Class::Newest(1), Remedy::Dropped)]);
    state(&mut peer, 299);
    assert_eq!(is_retained(&mut peer), [true]);
}

#[test]
fn what_is_learned_is_forgotten_with_the_first_link_after_a_day() {
    let mut peer = Peer::new(Options { keep_alive_s: 0, ..options(false) });
    state(&mut peer, 400);
    condemn(&mut peer);
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
    assert_eq!(condemn(&mut peer), refusal(100, Class::Keep, Remedy::Trimmed));
    report(&mut peer);
    peer.connect(true);
    assert_eq!(take_all(&mut peer), ["head", "head"]);
    assert_eq!(refusals(peer.events()), []);
    report(&mut peer);
    assert_eq!(bodies(&peer.sent()), ["head"]);
    assert_eq!(refusals(peer.events()), [refusal(100, Class::Keep, Remedy::Trimmed)]);
}

#[test]
fn a_last_will_that_is_refused_goes_without_retain_on_the_fourth_attempt() {
    let will = Will { topic: "w".into(), payload: "gone".into() };
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
    peer.pass(5_000);
    peer.cut();
    assert!(!attempt(&mut peer), "it was accepted so");
    peer.feed(&connack(false, 0));
    peer.now = peer.now.after(UNSENDABLE_FORGET_MS);
    peer.cut();
    assert!(attempt(&mut peer), "the broker may have been mended");
}

#[test]
fn nothing_is_retained_where_that_is_turned_off() {
    let will = Will { topic: "w".into(), payload: "gone".into() };
    let mut peer = Peer::new(Options { will: Some(will), retain: false, ..options(false) });
    state(&mut peer, 4);
    peer.open();
    let [Packet::Connect(connect)] = &peer.sent()[..] else { panic!("CONNECT") };
    assert!(!connect.last_will.as_ref().unwrap().retain);
    peer.feed(&connack(false, 0));
    assert_eq!(is_retained(&mut peer), [false]);
    peer.cut();
    suspect(&mut peer, ALL - 2);
    assert_eq!(refuse(&mut peer), [refusal(4, Class::Newest(1), Remedy::Dropped)]);
}

/// Cuts the link at random, mostly right after something was sent, and at times without
/// acknowledgements; nothing may get lost.
#[test]
fn nothing_is_refused_where_links_break_by_chance() {
    for seed in 1..=400 {
        let mut random = Random(seed);
        let mut peer = Peer::new(Options { seed, ..options(seed % 2 == 0) });
        for step in 0..300 {
            if !peer.session.is_connected() {
                peer.connect(seed % 2 == 1);
            }
            if step % 10 == 0 {
                peer.publish(Class::Keep, "a report").unwrap();
                publish_elsewhere(&mut peer, "another");
            }
            let sent = publishes(&peer.sent());
            if random.below(3) > 0 {
                sent.iter().for_each(|(_, id, _)| drop(peer.feed(&puback(*id))));
            }
            let most = [10, 1_000, 6_000, 30_000][random.below(4)];
            peer.pass(random.below(most) as u64);
            if random.below(3) > 0 || peer.close_reason().is_some() {
                assert_eq!(refusals(peer.cut()), [], "seed {seed}, step {step}");
            }
        }
    }
}
