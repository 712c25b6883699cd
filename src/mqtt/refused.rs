//! Subscriptions that the broker refuses: they are asked for again, with pauses that grow,
//! since whoever mends the broker's rights does not think of every client.

use crate::limits::{RESUBSCRIBE_MAX_MS, RESUBSCRIBE_MIN_MS};
use crate::model::time::Tick;

/// What a broker has answered to a SUBSCRIBE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It has accepted all filters, and refuses none of others any more.
    Heard,
    /// It refuses some, of this SUBSCRIBE or another one.
    Refused,
    /// Nobody asked.
    Unasked,
}

/// The filters that the broker refuses on the present link.
pub struct Refused {
    /// SUBSCRIBEs without an answer, each with its filters. As many as the session takes.
    asked: Vec<(u16, Vec<String>)>,
    filters: Vec<String>,
    pause_ms: u64,
    retry_at: Option<Tick>,
    /// Filters were refused, or not answered, when the link was lost.
    is_owed: bool,
}

impl Default for Refused {
    fn default() -> Refused {
        Refused { asked: Vec::new(), filters: Vec::new(), pause_ms: RESUBSCRIBE_MIN_MS, retry_at: None, is_owed: false }
    }
}

impl Refused {
    /// Notes a SUBSCRIBE; `packet` is what the session returned.
    pub fn note(&mut self, packet: u16, filters: &[&str]) {
        if packet != 0 {
            self.is_owed = false;
            self.asked.push((packet, filters.iter().map(|filter| (*filter).to_owned()).collect()));
        }
    }

    /// Handles the answer to a SUBSCRIBE, in which the filters in these places are refused.
    pub fn handle_answer(&mut self, now: Tick, packet: u16, places: &[u16]) -> Answer {
        let Some(place) = self.asked.iter().position(|(id, _)| *id == packet) else { return Answer::Unasked };
        let (_, asked) = self.asked.remove(place);
        self.filters.retain(|filter| !asked.contains(filter));
        let refused = places.iter().filter_map(|place| asked.get(usize::from(*place)));
        self.filters.extend(refused.cloned());
        if self.filters.is_empty() {
            (self.pause_ms, self.retry_at) = (RESUBSCRIBE_MIN_MS, None);
            return Answer::Heard;
        }
        if !places.is_empty() {
            self.retry_at = Some(now.after(self.pause_ms));
            self.pause_ms = (self.pause_ms * 2).min(RESUBSCRIBE_MAX_MS);
        }
        Answer::Refused
    }

    /// Handles the loss of the link. On the next one everything is to be asked for if
    /// [`is_owed`](Self::is_owed).
    pub fn handle_lost(&mut self) {
        self.is_owed |= !self.filters.is_empty() || !self.asked.is_empty();
        self.asked.clear();
        self.filters.clear();
        self.retry_at = None;
    }

    /// Returns whether a session that the broker has kept lacks filters.
    pub fn is_owed(&self) -> bool {
        self.is_owed
    }

    /// Forgets filters that nobody wants any more.
    pub fn keep(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.filters.retain(|filter| is_wanted(filter));
    }

    /// Returns the filters.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// Returns when the filters are asked for again.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.retry_at
    }

    /// Returns whether the filters are to be asked for again now; true once.
    pub fn take_due(&mut self, now: Tick) -> bool {
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        if is_due {
            self.retry_at = None;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_asked_for_again_with_pauses_that_double() {
        let mut refused = Refused::default();
        let mut now = Tick(0);
        for pause_s in [5, 10, 20, 40, 80, 160, 300, 300] {
            refused.note(1, &["a", "b"]);
            assert_eq!(refused.handle_answer(now, 1, &[1, 7]), Answer::Refused);
            assert_eq!(refused.filters(), ["b"]);
            let at = now.after(pause_s * 1000);
            assert_eq!(refused.poll_timeout(), Some(at));
            assert!(!refused.take_due(Tick(at.0 - 1)) && refused.take_due(at) && !refused.take_due(at));
            now = at;
        }
        refused.note(2, &["b"]);
        assert_eq!(refused.handle_answer(now, 2, &[]), Answer::Heard);
        assert_eq!((refused.filters(), refused.poll_timeout()), (&[][..], None));
        refused.note(3, &["c"]);
        refused.handle_answer(now, 3, &[0]);
        assert_eq!(refused.poll_timeout(), Some(now.after(5_000)), "the pauses begin anew");
    }

    #[test]
    fn a_kept_session_lacks_what_was_refused_or_not_answered_when_the_link_was_lost() {
        for (answer, is_owed) in [(None, true), (Some(&[0][..]), true), (Some(&[]), false)] {
            let mut refused = Refused::default();
            refused.note(1, &["a"]);
            if let Some(places) = answer {
                refused.handle_answer(Tick(0), 1, places);
            }
            refused.handle_lost();
            assert_eq!(refused.is_owed(), is_owed, "{answer:?}");
            refused.note(0, &["not connected"]);
            assert_eq!(refused.is_owed(), is_owed, "{answer:?}");
            refused.note(2, &["a"]);
            assert!(!refused.is_owed());
        }
    }

    #[test]
    fn each_subscribe_has_its_own_answer() {
        let mut refused = Refused::default();
        refused.note(0, &["not connected"]);
        refused.note(1, &["a"]);
        refused.note(2, &["b"]);
        assert_eq!(refused.handle_answer(Tick(0), 3, &[]), Answer::Unasked);
        assert_eq!(refused.handle_answer(Tick(0), 2, &[0]), Answer::Refused);
        assert_eq!(refused.handle_answer(Tick(9), 1, &[]), Answer::Refused, "b still is");
        assert_eq!(refused.poll_timeout(), Some(Tick(5_000)));
        refused.keep(|filter| filter != "b");
        assert!(refused.filters().is_empty());
        assert!(!refused.is_owed());
        refused.note(4, &["d"]);
        refused.handle_lost();
        assert!(refused.is_owed());
        assert_eq!(refused.handle_answer(Tick(0), 4, &[0]), Answer::Unasked);
        assert_eq!(refused.poll_timeout(), None);
    }
}
