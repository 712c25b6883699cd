//! The requests to the twin that came last. A connector may deliver each by several forms of
//! topic, all of which are subscribed to, and the broker may deliver it once more.
//!
//! In: requests with a correlation id. Out: whether one was handled already.
//!
//! Invariants: the last `REPEATS_MAX` are known. A request is a repeat only if it is the same
//! to the last byte, and comes by another form of topic. By the same form it was sent anew.
//!
//! Deliberately absent: requests without a correlation id, since nothing tells two of the same
//! content from two copies of one.

use heapless::Deque;

use crate::limits::REPEATS_MAX;

/// A request, as far as it is told from others.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Checksum of the whole message.
    sum: u32,
    /// A bit for each form of topic by which it came.
    forms: u8,
}

/// Holds what is known of each request.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats(Deque<Seen, REPEATS_MAX>);

impl Repeats {
    /// Returns whether the message with this checksum came before by another form of topic,
    /// and notes that it came by `form`.
    pub(super) fn is_copy(&mut self, sum: u32, form: u8) -> bool {
        let form = 1 << form;
        let Some(seen) = self.0.iter_mut().find(|seen| seen.sum == sum) else {
            if self.0.is_full() {
                self.0.pop_front();
            }
            // There is room now.
            let _ = self.0.push_back(Seen { sum, forms: form });
            return false;
        };
        let is_copy = seen.forms & form == 0;
        seen.forms = if is_copy { seen.forms | form } else { form };
        is_copy
    }

    /// Returns whether the message with this checksum came before.
    pub(super) fn has(&self, sum: u32) -> bool {
        self.0.iter().any(|seen| seen.sum == sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_comes_by_another_form_and_once_by_each() {
        let mut repeats = Repeats::default();
        assert!(!repeats.is_copy(7, 1) && repeats.is_copy(7, 3) && repeats.is_copy(7, 0));
        assert!(!repeats.is_copy(7, 3), "sent anew");
        assert!(repeats.is_copy(7, 1));
        assert!(!repeats.is_copy(8, 3), "another one");
    }

    #[test]
    fn past_the_bound_the_oldest_is_forgotten() {
        let mut repeats = Repeats::default();
        for sum in 0..=REPEATS_MAX as u32 {
            assert!(!repeats.is_copy(sum, 0));
        }
        assert!(repeats.has(1) && !repeats.has(0));
    }
}
