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
