//! The desired states that were refused last. The refusal goes out at once, while the
//! acknowledgement of the message may have to wait for a save, since acknowledgements keep
//! the order of receipt [MQTT-4.6.0-2]. If the link breaks in between, the broker delivers
//! the message again. Were it applied then, one desired state would have two outcomes.
//!
//! In: refused messages, or their checksums. Out: whether a message is one of them.
//!
//! Invariant: the last `REFUSALS_MAX` are known.
//!
//! Deliberately absent: the reasons, and the messages themselves.

use heapless::HistoryBuffer;

use crate::limits::REFUSALS_MAX;
use crate::model::checksum;

/// Holds a checksum of each whole message.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(HistoryBuffer<u32, REFUSALS_MAX>);

impl Refusals {
    /// Returns whether a message was refused, if it may be a redelivery (DUP).
    pub(super) fn has(&self, message: &[u8], is_repeat: bool) -> bool {
        is_repeat && self.has_sum(checksum(&[message]), is_repeat)
    }

    /// Notes a refused message.
    pub(super) fn note(&mut self, message: &[u8]) {
        self.note_sum(checksum(&[message]));
    }

    /// The same as `has`, by the checksum of the message.
    pub(super) fn has_sum(&self, sum: u32, is_repeat: bool) -> bool {
        is_repeat && self.0.as_slice().contains(&sum)
    }

    /// The same as `note`, by the checksum of the message.
    pub(super) fn note_sum(&mut self, sum: u32) {
        self.0.write(sum);
    }
}
