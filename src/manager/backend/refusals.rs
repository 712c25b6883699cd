//! Desired states that were refused. A refusal is told at once, while its
//! acknowledgement may have to wait for the save of something before it: they leave in
//! the order of receipt [MQTT-4.6.0-2]. If the link breaks meanwhile, the broker
//! delivers the message once more; were it applied then, it would have two ends.
//!
//! In: refused messages, or their checksums. Out: whether a message is one of them.
//!
//! Invariant: at most `REFUSALS_MAX` are known, the last ones.
//!
//! Deliberately absent: why they were refused, and the messages themselves.

use heapless::HistoryBuffer;

use crate::limits::REFUSALS_MAX;
use crate::model::checksum;

/// The last ones, by a checksum of the whole message.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(HistoryBuffer<u32, REFUSALS_MAX>);

impl Refusals {
    /// Whether a message that the broker says it delivers once more was refused.
    pub(super) fn has(&self, message: &[u8], is_repeat: bool) -> bool {
        is_repeat && self.has_sum(checksum(&[message]), is_repeat)
    }

    pub(super) fn note(&mut self, message: &[u8]) {
        self.note_sum(checksum(&[message]));
    }

    /// The same as `has`, of a message of which there is only the checksum.
    pub(super) fn has_sum(&self, sum: u32, is_repeat: bool) -> bool {
        is_repeat && self.0.as_slice().contains(&sum)
    }

    pub(super) fn note_sum(&mut self, sum: u32) {
        self.0.write(sum);
    }
}
