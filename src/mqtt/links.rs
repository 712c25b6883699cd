//! The links one after the other: how they ended, and when the next one is tried.

use super::event::Status;
use super::reason::Reason;
use crate::limits::{BACKOFF_MAX_MS, BACKOFF_MIN_MS, LINK_STEADY_MS, UNSENDABLE_FORGET_MS, UNSENDABLE_LINKS};
use crate::model::time::Tick;

/// The links so far.
pub(super) struct Links {
    backoff: Backoff,
    /// When the broker last accepted us, or we last lost it.
    since: Option<Tick>,
    /// Links on which the broker accepted us.
    accepted: u32,
    /// How the last one ended.
    last: Option<Reason>,
    /// A loss that the caller was not told of yet.
    lost: Option<Reason>,
    /// Attempts in a row that the broker ended before it accepted us.
    shut: u8,
    /// When it accepted us only with a last will that is not retained.
    plain_will: Option<Tick>,
}

impl Links {
    pub fn new(seed: u64) -> Links {
        Links {
            backoff: Backoff::new(seed),
            since: None,
            accepted: 0,
            last: None,
            lost: None,
            shut: 0,
            plain_will: None,
        }
    }

    /// The broker has accepted us.
    pub fn handle_accepted(&mut self, now: Tick) {
        if !self.may_retain_will() {
            self.plain_will = self.plain_will.or(Some(now));
        }
        self.shut = 0;
        self.since = Some(now);
        self.accepted = self.accepted.saturating_add(1);
    }

    /// The broker is lost, after it had accepted us.
    pub fn handle_lost(&mut self, now: Tick, reason: Reason) {
        if self.since.is_some_and(|since| now.since(since) >= LINK_STEADY_MS) {
            self.backoff.reset();
        }
        self.plain_will = self.plain_will.filter(|at| now.since(*at) < UNSENDABLE_FORGET_MS);
        self.since = Some(now);
        self.lost = Some(reason);
        self.last = Some(reason);
    }

    /// An attempt has failed before the broker accepted us.
    pub fn handle_failed(&mut self, reason: Reason) {
        if reason == Reason::Closed {
            self.shut = self.shut.wrapping_add(1);
        }
        self.last = Some(reason);
    }

    /// Whether the last will may be retained on the next link. A broker without `retain` ends
    /// it before CONNACK; so does one that is not ready, hence it is only tried now and then.
    pub fn may_retain_will(&self) -> bool {
        self.plain_will.is_none() && self.shut % (UNSENDABLE_LINKS + 1) != UNSENDABLE_LINKS
    }

    /// The loss that the caller is to be told of, once.
    pub fn poll_lost(&mut self) -> Option<Reason> {
        self.lost.take()
    }

    /// When the next link is to be tried.
    pub fn next_attempt(&mut self, now: Tick) -> Tick {
        now.after(self.backoff.next_ms())
    }

    /// How the session stands with this link.
    pub fn status(&self, connected: bool, retry_at: Option<Tick>) -> Status {
        let reconnects = self.accepted.saturating_sub(1);
        Status { connected, since: self.since, reconnects, last: self.last, retry_at }
    }
}

/// Waits between attempts: doubling, each between half and all of its length,
/// so that devices which lost the same broker don't come back at one time.
struct Backoff {
    wait_ms: u64,
    random: u64,
}

impl Backoff {
    fn new(seed: u64) -> Backoff {
        // Spread, since xorshift stays near zero for long with a small seed, and at zero for ever.
        let random = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
        Backoff { wait_ms: BACKOFF_MIN_MS, random }
    }

    /// Milliseconds to wait before the next attempt.
    fn next_ms(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = self.wait_ms / 2;
        let wait = half + self.random % (half + 1);
        self.wait_ms = (self.wait_ms * 2).min(BACKOFF_MAX_MS);
        wait
    }

    fn reset(&mut self) {
        self.wait_ms = BACKOFF_MIN_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_to_thirty_seconds_with_jitter() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for most in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
                let wait = backoff.next_ms();
                assert!((most / 2..=most).contains(&wait), "{wait} of {most}");
            }
            backoff.reset();
            assert!(backoff.next_ms() <= 1_000);
        }
    }

    #[test]
    fn devices_come_back_at_different_times_at_each_attempt() {
        let mut devices: Vec<Backoff> = (0..200).map(Backoff::new).collect();
        for attempt in 1..=10 {
            let mut waits: Vec<u64> = devices.iter_mut().map(Backoff::next_ms).collect();
            // One device waits differently from time to time as well.
            let last: Vec<u64> = waits.clone();
            waits.sort_unstable();
            waits.dedup();
            assert!(waits.len() > 100, "attempt {attempt}: {} waits", waits.len());
            if attempt > 6 {
                let again: Vec<u64> = devices.iter_mut().map(Backoff::next_ms).collect();
                assert!(last.iter().zip(&again).filter(|(one, other)| one != other).count() > 190);
            }
        }
    }
}
