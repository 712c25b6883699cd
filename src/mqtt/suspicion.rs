//! Which message the broker refuses for good. MQTT 3.1.1 has no answer to one that is
//! retained or too large: the broker ends the connection, each time. Connections break by
//! chance as well, so a message is put on trial before it is blamed:
//!
//! 1. A connection that the broker ends shortly after it got a message, and without an
//!    acknowledgement, raises a suspicion against the topic. Before that is strong, messages
//!    go one at a time, since the end of a connection may take acknowledgements with it.
//! 2. After some such connections in a row, messages to the topic are held back on the next
//!    one until it has stood for a while and everything else is acknowledged. Then the first
//!    of them goes alone.
//! 3. If the broker ends some connections in a row right after that, it means the message.
//!
//! An acknowledgement clears the topic, and a connection that ends in any other way clears
//! all of them: then the line is to blame.

use crate::limits::{UNSENDABLE_LINKS, UNSENDABLE_MAX, UNSENDABLE_TRIALS, UNSENDABLE_TRIAL_AFTER_MS};
use crate::model::time::Tick;

/// A topic with a message that the broker may refuse.
struct Suspect {
    topic: Vec<u8>,
    /// Connections in a row that have ended with such a message.
    ends: u8,
}

/// The topics under suspicion.
pub(super) struct Suspicion {
    /// At most `UNSENDABLE_MAX`.
    suspects: Vec<Suspect>,
    /// When the trials begin on this link; none if they may begin, or there are none.
    trial_at: Option<Tick>,
}

impl Suspicion {
    pub fn new() -> Suspicion {
        Suspicion { suspects: Vec::new(), trial_at: None }
    }

    /// Returns whether messages go one at a time.
    pub fn is_careful(&self) -> bool {
        self.trial_at.is_some() || self.has(UNSENDABLE_LINKS - 1)
    }

    fn has(&self, ends: u8) -> bool {
        self.suspects.iter().any(|suspect| suspect.ends >= ends)
    }

    /// Returns whether messages to this topic are held back until the trials.
    pub fn is_held(&self, topic: &[u8]) -> bool {
        self.suspects.iter().any(|suspect| suspect.ends >= UNSENDABLE_LINKS && suspect.topic == topic)
    }

    /// Returns whether what is held back may go when nothing else is left.
    pub fn is_trial(&self) -> bool {
        self.trial_at.is_none()
    }

    /// Handles that the broker has accepted us on a new link.
    pub fn handle_accepted(&mut self, now: Tick) {
        self.trial_at = self.has(UNSENDABLE_LINKS - 1).then(|| now.after(UNSENDABLE_TRIAL_AFTER_MS));
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.trial_at
    }

    /// Begins with the trials if it is time.
    pub fn handle_timeout(&mut self, now: Tick) {
        self.trial_at = self.trial_at.filter(|at| *at > now);
    }

    /// Handles the acknowledgement of a message to this topic.
    pub fn handle_ack(&mut self, topic: &[u8]) {
        self.suspects.retain(|suspect| suspect.topic != topic);
    }

    /// Handles that the broker has ended the link shortly after a message to this topic.
    /// Returns whether it refuses that for good; then the suspicion is over.
    pub fn handle_ended(&mut self, topic: &[u8]) -> bool {
        let place = match self.suspects.iter().position(|suspect| suspect.topic == topic) {
            Some(place) => place,
            // The others are tried first.
            None if self.suspects.len() >= UNSENDABLE_MAX => return false,
            None => {
                // Where one is held back, another one is soon believed to be no better.
                let ends = if self.has(UNSENDABLE_LINKS) { UNSENDABLE_LINKS - 1 } else { 0 };
                self.suspects.push(Suspect { topic: topic.to_vec(), ends });
                self.suspects.len() - 1
            }
        };
        self.suspects[place].ends += 1;
        let is_refused = self.suspects[place].ends >= UNSENDABLE_LINKS + UNSENDABLE_TRIALS;
        if is_refused {
            self.suspects.remove(place);
        }
        is_refused
    }

    /// Handles that a link has ended for another reason.
    pub fn clear(&mut self) {
        self.suspects.clear();
    }
}
