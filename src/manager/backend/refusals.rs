//! The messages that were refused last. The refusal goes out at once, while the
//! acknowledgement of the message may have to wait for a save, since acknowledgements keep
//! the order of receipt [MQTT-4.6.0-2]. If the link breaks in between, the broker delivers
//! the message again, and whoever sent it once must not be told twice.
//!
//! In: messages that are refused, each time that they come. Out: whether that was told
//! already.
//!
//! Invariants: the last `REFUSALS_MAX` are known. A refusal is held against nothing but the
//! very message: another one with the same content gets its own answer, and once nothing is
//! in its way any more, the message itself is taken.
//!
//! Deliberately absent: the reasons, and the messages themselves.

use heapless::HistoryBuffer;

use crate::limits::REFUSALS_MAX;
use crate::model::checksum;
use crate::mqtt::Delivery;

/// A message, as far as it is told from others.
#[derive(Clone, Copy)]
pub(super) struct Received {
    pub(super) sum: u32,
    /// None of a request at the console, which nobody delivers once more.
    pub(super) delivery: Option<Delivery>,
}

impl Received {
    /// Returns that of a whole message.
    pub(super) fn of(message: &[u8], delivery: Option<Delivery>) -> Received {
        Received { sum: checksum(&[message]), delivery }
    }

    /// Returns that of a message with this checksum.
    pub(super) fn of_sum(sum: u32, delivery: Delivery) -> Received {
        Received { sum, delivery: Some(delivery) }
    }
}

/// Holds the checksum of each whole message and its packet id.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(HistoryBuffer<(u32, u16), REFUSALS_MAX>);

impl Refusals {
    /// Returns whether the refusal of this message was told when it came before; otherwise
    /// notes that it is told now. A retained message is known by its content alone, since it
    /// comes with another packet id each time.
    pub(super) fn was_told(&mut self, Received { sum, delivery }: Received) -> bool {
        let Some(delivery) = delivery else { return false };
        let is_it = |(of, id): &(u32, u16)| *of == sum && (delivery.retain || delivery.dup && *id == delivery.id);
        let was_told = self.0.as_slice().iter().any(is_it);
        if !was_told {
            self.0.write((sum, delivery.id));
        }
        was_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Delivery = Delivery { id: 7, dup: false, retain: false };

    fn told(refusals: &mut Refusals, message: &str, delivery: Delivery) -> bool {
        refusals.was_told(Received::of(message.as_bytes(), Some(delivery)))
    }

    #[test]
    fn the_very_message_is_known_when_it_is_delivered_once_more_and_no_other() {
        let mut refusals = Refusals::default();
        let again = Delivery { dup: true, ..FIRST };
        assert!(!told(&mut refusals, "a", FIRST));
        assert!(told(&mut refusals, "a", again));
        assert!(told(&mut refusals, "a", again), "however often");
        assert!(!told(&mut refusals, "b", again), "another content");
        assert!(!told(&mut refusals, "a", Delivery { id: 8, ..again }), "another message");
        assert!(!told(&mut refusals, "a", FIRST), "no redelivery");
        assert!(!refusals.was_told(Received::of(b"a", None)), "the console's");
    }

    #[test]
    fn a_retained_message_is_known_by_its_content() {
        let mut refusals = Refusals::default();
        let retained = Delivery { id: 9, retain: true, ..FIRST };
        assert!(!told(&mut refusals, "a", FIRST));
        assert!(told(&mut refusals, "a", retained));
        assert!(!told(&mut refusals, "b", retained));
        assert!(told(&mut refusals, "b", Delivery { id: 10, ..retained }));
    }

    #[test]
    fn past_the_bound_the_oldest_is_forgotten() {
        let mut refusals = Refusals::default();
        let again = Delivery { dup: true, ..FIRST };
        for n in 0..=REFUSALS_MAX {
            assert!(!told(&mut refusals, &n.to_string(), FIRST));
        }
        assert!(told(&mut refusals, "1", again));
        assert!(!told(&mut refusals, "0", again));
    }
}
