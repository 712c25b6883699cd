//! When the broker is pinged.

use crate::limits::PING_ANSWER_MAX_MS;
use crate::model::time::Tick;

/// Pings: a PINGREQ when nothing was sent for the keep-alive (3.1.2.10).
///
/// Only silence of ours leads to a ping: whatever else we send on our own has
/// an answer with its own deadline, which finds a dead link as well.
pub(super) struct KeepAlive {
    interval_ms: u64,
    sent: Tick,
    received: Tick,
    /// From when PINGREQ was due until PINGRESP comes.
    ping: Option<Tick>,
    /// Whether PINGREQ is still to be sent.
    is_wanted: bool,
}

impl KeepAlive {
    /// 0 seconds: no pings.
    pub fn new(keep_alive_s: u16) -> KeepAlive {
        KeepAlive {
            interval_ms: u64::from(keep_alive_s) * 1000,
            sent: Tick(0),
            received: Tick(0),
            ping: None,
            is_wanted: false,
        }
    }

    /// Milliseconds for the answer: two fifths of the keep-alive, so that a dead
    /// link is found before the broker gives up on us at one and a half.
    fn answer_ms(&self) -> u64 {
        (self.interval_ms * 2 / 5).min(PING_ANSWER_MAX_MS)
    }

    pub fn handle_link_up(&mut self, now: Tick) {
        (self.sent, self.received, self.ping, self.is_wanted) = (now, now, None, false);
    }

    pub fn handle_sent(&mut self, now: Tick) {
        self.sent = now;
    }

    pub fn handle_received(&mut self, now: Tick) {
        self.received = now;
    }

    pub fn handle_pingresp(&mut self) {
        if !self.is_wanted {
            self.ping = None;
        }
    }

    /// When bytes were last sent.
    pub fn last_sent(&self) -> Tick {
        self.sent
    }

    /// When PINGREQ is due.
    pub fn due(&self) -> Option<Tick> {
        (self.interval_ms > 0 && self.ping.is_none()).then(|| self.sent.after(self.interval_ms))
    }

    /// When the link counts as dead if nothing is received any more. Time
    /// before `attentive`, when we didn't read, doesn't count.
    pub fn overdue(&self, attentive: Tick) -> Option<Tick> {
        self.ping.map(|since| since.max(self.received).max(attentive).after(self.answer_ms()))
    }

    pub fn handle_timeout(&mut self, now: Tick) {
        if self.due().is_some_and(|due| due <= now) {
            self.ping = Some(now);
            self.is_wanted = true;
        }
    }

    /// Whether PINGREQ is to be sent.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// PINGREQ was handed out.
    pub fn handle_ping_sent(&mut self) {
        self.is_wanted = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_link_is_found_before_one_and_a_half_keep_alives() {
        for keep_alive_s in [1, 2, 5, 20, 60, 600, u16::MAX] {
            let mut keep_alive = KeepAlive::new(keep_alive_s);
            keep_alive.handle_link_up(Tick(100));
            let due = keep_alive.due().unwrap();
            assert_eq!(due, Tick(100).after(u64::from(keep_alive_s) * 1000));
            keep_alive.handle_timeout(due);
            let dead = keep_alive.overdue(Tick(0)).unwrap();
            assert!(dead.since(Tick(100)) < u64::from(keep_alive_s) * 1500 && dead > due);
        }
    }
}
