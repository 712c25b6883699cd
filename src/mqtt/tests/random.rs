//! Chance, from fixed seeds.

use std::collections::BTreeSet;

use super::*;
use crate::limits::UNSENDABLE_TRIAL_AFTER_MS;

#[test]
fn garbage_never_panics() {
    let mut random = Random(0x5eed);
    let firsts = [0x20, 0x30, 0x32, 0x34, 0x3d, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0];
    let mut peer = Peer::new(Options::new("me"));
    for round in 0..200_000 {
        if peer.close_reason().is_some() || round % 1000 == 0 {
            peer.cut();
            peer.open();
            if random.below(8) > 0 {
                peer.feed(&connack(random.below(2) == 0, 0));
            }
        }
        let first = if random.below(10) == 0 { random.below(256) as u8 } else { firsts[random.below(firsts.len())] };
        let len = [0, 2, 2, 3, 4, 5, 9, 30][random.below(8)];
        let mut frame = vec![first, len as u8];
        frame.extend((0..len).map(|i| match random.below(6) {
            0 => random.below(256) as u8,
            1 => b'a',
            _ => (i % 2 * (1 + random.below(3))) as u8,
        }));
        if random.below(50) == 0 {
            frame.insert(1, 0x80 | random.below(128) as u8);
        }
        for event in peer.feed(&frame) {
            if let Event::Publish(Publish { ack: Some(ack), .. }) = event {
                if random.below(2) == 0 {
                    peer.session.acknowledge(ack);
                }
            }
        }
        peer.transmit(1 + random.below(40));
        peer.wire.clear();
        peer.session.handle_timeout(peer.now);
    }
}

/// What arrives, body and DUP, if the link is cut once after so many bytes in
/// both directions; and whether it came to that.
fn exchange(cut_at: usize) -> (bool, Vec<(String, bool)>) {
    let mut peer = Peer::new(Options { clean_session: false, ..Options::new("me") });
    peer.publish(Class::Keep, "first").unwrap();
    peer.texts.0.borrow_mut()[0] = "document".into();
    let write = |out: &mut dyn fmt::Write| out.write_str("with ");
    let second = Message { document: Some(Document(0)), tail: ".", ..message(Class::Keep, &write) };
    peer.session.publish(peer.now, second).unwrap();
    peer.publish(Class::Keep, "third").unwrap();
    let (mut bytes, mut is_cut, mut had, mut answers) = (0, false, Vec::new(), Vec::new());
    peer.open();
    while peer.session.unacknowledged() > 0 {
        bytes += 1;
        if bytes == cut_at {
            is_cut = true;
            answers.clear();
            peer.cut();
            peer.open();
        }
        if peer.transmit(1) == 0 {
            assert!(!answers.is_empty(), "a peer that answers everything is never waited for");
            peer.feed(&[answers.remove(0)]);
        }
        for p in packets(&mut peer.wire) {
            match p {
                Packet::Connect(_) => answers.extend(connack(true, 0)),
                Packet::Publish(p) => {
                    had.push((String::from_utf8(p.payload.to_vec()).unwrap(), p.dup));
                    answers.extend(puback(p.pkid));
                }
                p => panic!("{p:?}"),
            }
        }
    }
    (is_cut, had)
}

#[test]
fn a_cut_at_any_byte_loses_nothing_and_keeps_the_order() {
    let mut cuts = 0;
    for cut_at in 1.. {
        let (is_cut, had) = exchange(cut_at);
        let mut first_seen: Vec<&str> = Vec::new();
        for (body, is_dup) in &had {
            let is_new = !first_seen.contains(&body.as_str());
            assert!(is_new || *is_dup, "what comes again says so");
            if is_new {
                first_seen.push(body);
            }
        }
        assert_eq!(first_seen, ["first", "with document.", "third"], "cut at {cut_at}");
        if !is_cut {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 70, "{cuts}");
}

/// What the far end of the model knows.
#[derive(Default)]
struct Far {
    /// Bodies of kept messages in the order of their first arrival.
    kept: Vec<String>,
    known: BTreeSet<String>,
    /// Packet ids to be acknowledged.
    owed: Vec<u16>,
}

impl Far {
    fn read(&mut self, peer: &mut Peer) {
        for p in packets(&mut peer.wire) {
            match p {
                Packet::Connect(_) => {
                    peer.feed(&connack(false, 0));
                }
                Packet::Publish(p) => {
                    let body = String::from_utf8(p.payload.to_vec()).unwrap();
                    assert!(!body.is_empty());
                    if body.starts_with('k') && self.known.insert(body.clone()) {
                        self.kept.push(body);
                    }
                    self.owed.push(p.pkid);
                }
                Packet::PingReq => {
                    peer.feed(&[0xd0, 0]);
                }
                p => panic!("{p:?}"),
            }
        }
    }
}

fn model(seed: u64) {
    let mut random = Random(seed);
    let mut peer = Peer::new(Options { seed, clean_session: seed % 2 == 0, ..Options::new("me") });
    let (mut far, mut published) = (Far::default(), Vec::new());
    for step in 0..1500 {
        match random.below(10) {
            0..=2 => {
                let class = [Class::Keep, Class::Newest(1), Class::LinkBound][random.below(3)];
                let name = if class == Class::Keep { 'k' } else { 'n' };
                let body = format!("{name}{step}:{}", "x".repeat(random.below(9000)));
                if peer.publish(class, &body).is_ok() && class == Class::Keep {
                    published.push(body);
                }
            }
            3..=5 => {
                peer.transmit(1 + random.below(5000));
                far.read(&mut peer);
            }
            6 | 7 if !far.owed.is_empty() => {
                let id = far.owed.remove(random.below(far.owed.len()));
                peer.feed(&puback(id));
            }
            8 if random.below(6) == 0 => {
                peer.cut();
                far.owed.clear();
            }
            _ => {
                peer.pass(random.below(3000) as u64);
            }
        }
        match peer.session.poll_link(peer.now) {
            LinkWish::Open => peer.session.handle_link_up(peer.now),
            LinkWish::Close(_) => {
                peer.cut();
                far.owed.clear();
            }
            LinkWish::Wait(_) | LinkWish::Keep => {}
        }
    }
    peer.cut();
    far.owed.clear();
    peer.open();
    while peer.transmit(4096) > 0 || peer.session.unacknowledged() > 0 {
        far.read(&mut peer);
        for id in core::mem::take(&mut far.owed) {
            peer.feed(&puback(id));
        }
        // What has met many breaks is held back for a while.
        peer.pass(UNSENDABLE_TRIAL_AFTER_MS / 4);
    }
    assert_eq!(far.kept, published, "seed {seed}");
    assert!(published.len() > 50, "{}", published.len());
}

#[test]
fn every_kept_message_arrives_in_order_whatever_happens() {
    for seed in 1..=60 {
        model(seed);
    }
}
