//! Acknowledgements that we owe the broker, and the QoS 2 ids it has not
//! released yet.

use std::collections::VecDeque;

use super::reason::Malformed;
use crate::limits::INBOUND_MAX;

/// A received message that is to be acknowledged. It is void when the link is
/// lost: the broker delivers the message anew, or has forgotten it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack(u32);

/// One message that we owe an acknowledgement.
struct Owed {
    id: u16,
    qos2: bool,
    given: bool,
}

/// What we owe, in the order of receipt.
pub(super) struct Acks {
    owed: VecDeque<Owed>,
    /// Number of the first in `owed`; numbers go on over all links.
    first: u32,
    taken: Ids,
}

impl Acks {
    pub fn new() -> Acks {
        Acks { owed: VecDeque::with_capacity(INBOUND_MAX), first: 0, taken: Ids::new() }
    }

    /// Whether no further message can be taken.
    pub fn is_full(&self) -> bool {
        self.owed.len() >= INBOUND_MAX
    }

    /// Whether a QoS 2 message with this id was delivered to the caller already
    /// [MQTT-4.3.3-2].
    pub fn is_delivered(&self, id: u16) -> bool {
        self.taken.contains(id) || self.is_owed(id)
    }

    fn is_owed(&self, id: u16) -> bool {
        self.owed.iter().any(|o| o.qos2 && o.id == id && !o.given)
    }

    /// A message is delivered to the caller.
    pub fn owe(&mut self, id: u16, qos2: bool) -> Ack {
        self.push(Owed { id, qos2, given: false })
    }

    /// A QoS 2 message came again that was delivered already.
    pub fn repeat(&mut self, id: u16) {
        if self.taken.contains(id) {
            self.push(Owed { id, qos2: true, given: true });
        }
    }

    fn push(&mut self, owed: Owed) -> Ack {
        assert!(!self.is_full(), "a message is read only if there is room for its acknowledgement");
        self.owed.push_back(owed);
        Ack(self.first.wrapping_add(self.owed.len() as u32 - 1))
    }

    /// The caller acknowledges a message. From here on it is ours, so a QoS 2
    /// message is not delivered again.
    pub fn acknowledge(&mut self, ack: Ack) {
        if let Some(owed) = self.owed.get_mut(ack.0.wrapping_sub(self.first) as usize) {
            owed.given = true;
            if owed.qos2 {
                self.taken.insert(owed.id);
            }
        }
    }

    /// The next acknowledgement to send: packet id, and whether PUBREC. In the
    /// order of receipt [MQTT-4.6.0-2] [MQTT-4.6.0-3].
    pub fn poll(&mut self) -> Option<(u16, bool)> {
        let owed = self.owed.front().filter(|o| o.given)?;
        let ack = (owed.id, owed.qos2);
        self.owed.pop_front();
        self.first = self.first.wrapping_add(1);
        Some(ack)
    }

    /// Whether there is an acknowledgement to send.
    pub fn is_ready(&self) -> bool {
        self.owed.front().is_some_and(|o| o.given)
    }

    /// The broker releases a QoS 2 message. An id that we don't know is one
    /// whose PUBCOMP was lost.
    pub fn release(&mut self, id: u16) -> Result<(), Malformed> {
        if self.is_owed(id) {
            return Err(Malformed { packet: "PUBREL", what: "its PUBREC was not sent" });
        }
        self.taken.remove(id);
        Ok(())
    }

    /// The link is lost.
    pub fn handle_loss(&mut self) {
        self.first = self.first.wrapping_add(self.owed.len() as u32);
        self.owed.clear();
    }

    /// The broker has not kept the session.
    pub fn forget(&mut self) {
        self.taken.clear();
    }
}

/// A set of packet ids. As bits it is never full: a broker may keep as many
/// messages in flight as there are ids.
struct Ids {
    words: Vec<u64>,
    len: usize,
}

impl Ids {
    fn new() -> Ids {
        Ids { words: vec![0; (1 << 16) / 64], len: 0 }
    }

    fn contains(&self, id: u16) -> bool {
        self.words[usize::from(id / 64)] & 1 << (id % 64) != 0
    }

    fn insert(&mut self, id: u16) {
        if !self.contains(id) {
            self.words[usize::from(id / 64)] |= 1 << (id % 64);
            self.len += 1;
        }
    }

    fn remove(&mut self, id: u16) {
        if self.contains(id) {
            self.words[usize::from(id / 64)] &= !(1 << (id % 64));
            self.len -= 1;
        }
    }

    fn clear(&mut self) {
        if self.len > 0 {
            self.words.fill(0);
            self.len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_leave_in_the_order_of_receipt() {
        let mut acks = Acks::new();
        let (a, b, c) = (acks.owe(5, false), acks.owe(3, true), acks.owe(9, false));
        acks.acknowledge(c);
        acks.acknowledge(b);
        assert!(!acks.is_ready());
        assert_eq!(acks.poll(), None);
        acks.acknowledge(a);
        assert_eq!([acks.poll(), acks.poll(), acks.poll()], [Some((5, false)), Some((3, true)), Some((9, false))]);
        assert_eq!(acks.poll(), None);
    }

    #[test]
    fn an_acknowledgement_of_an_earlier_link_or_given_twice_counts_for_nothing() {
        let mut acks = Acks::new();
        let old = acks.owe(1, true);
        acks.handle_loss();
        let new = acks.owe(1, true);
        acks.acknowledge(old);
        assert_eq!(acks.poll(), None);
        acks.acknowledge(new);
        acks.acknowledge(new);
        assert_eq!(acks.poll(), Some((1, true)));
        acks.acknowledge(new);
        assert_eq!(acks.poll(), None);
    }

    #[test]
    fn only_a_qos_2_message_with_this_id_was_delivered() {
        let mut acks = Acks::new();
        let (two, one) = (acks.owe(5, true), acks.owe(6, false));
        let delivered = |acks: &Acks| [5, 6, 7].map(|id| acks.is_delivered(id));
        assert_eq!(delivered(&acks), [true, false, false]);
        assert_eq!([5, 6, 7].map(|id| acks.release(id).is_ok()), [false, true, true]);
        acks.acknowledge(two);
        acks.acknowledge(one);
        assert_eq!(delivered(&acks), [true, false, false], "until it is released");
        assert!(acks.release(5).is_ok());
        assert_eq!(delivered(&acks), [false; 3]);
    }

    #[test]
    fn every_packet_id_fits_the_set_once() {
        let mut ids = Ids::new();
        for id in 1..=u16::MAX {
            assert!(!ids.contains(id));
            ids.insert(id);
            ids.insert(id);
            assert!(ids.contains(id));
        }
        assert_eq!(ids.len, 65_535);
        ids.remove(77);
        ids.remove(77);
        assert!(!ids.contains(77) && ids.contains(76) && ids.contains(78) && ids.len == 65_534);
        ids.clear();
        assert!((0..=u16::MAX).all(|id| !ids.contains(id)));
    }
}
