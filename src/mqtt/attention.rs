//! Whether we read what the broker sends, and since when.

use crate::model::time::Tick;

/// Answers that were due while we did not read may lie there unread, so no deadline
/// counts the time before.
pub(super) struct Attention {
    since: Tick,
    /// Whether the next packet waits for acknowledgements of the caller's.
    is_blocked: bool,
}

impl Attention {
    pub fn new() -> Attention {
        Attention { since: Tick(0), is_blocked: false }
    }

    /// Nothing was read up to now.
    pub fn renew(&mut self, now: Tick) {
        self.since = now;
    }

    /// Notes whether the next packet has to wait.
    pub fn set_blocked(&mut self, now: Tick, is_blocked: bool) {
        if self.is_blocked && !is_blocked {
            self.renew(now);
        }
        self.is_blocked = is_blocked;
    }

    /// The link is lost.
    pub fn handle_loss(&mut self) {
        self.is_blocked = false;
    }

    /// Whether the next packet has to wait.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// From when on we read what comes.
    pub fn since(&self) -> Tick {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_wait_begins_the_deadlines_anew() {
        let mut attention = Attention::new();
        for (at, is_blocked, since) in [(1, false, 0), (2, true, 0), (3, true, 0), (4, false, 4), (5, false, 4)] {
            attention.set_blocked(Tick(at), is_blocked);
            assert_eq!((attention.is_blocked(), attention.since()), (is_blocked, Tick(since)), "at {at}");
        }
        attention.set_blocked(Tick(6), true);
        attention.handle_loss();
        assert!(!attention.is_blocked());
        attention.renew(Tick(7));
        assert_eq!(attention.since(), Tick(7));
    }
}
