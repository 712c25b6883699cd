//! The last finished activities, to tell a redelivered desired state from a new
//! one (protocol.md, "The activity").

use core::mem::size_of;

use heapless::String;

use super::campaign::Campaign;
use super::event::DesiredState;
use crate::limits::{ACTIVITY_ID_MAX, FINISHED_MAX};
use crate::model::text::Text;
use crate::model::Status;

/// The last `FINISHED_MAX` finished activities. Their place is allocated once;
/// untouched memory costs nothing.
#[derive(Debug)]
pub struct Finished {
    ring: Vec<One>,
    /// Where the oldest is, once all places are taken.
    oldest: usize,
}

/// A finished activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct One {
    /// Its identifier, escaped as in JSON.
    pub activity: String<ACTIVITY_ID_MAX>,
    /// Its desired state's timestamp, milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// CRC-32 of its desired state.
    pub crc: u32,
    /// Its final status.
    pub outcome: Status,
}

const _: () = assert!(size_of::<One>() <= ACTIVITY_ID_MAX + 32);

impl Default for Finished {
    fn default() -> Finished {
        Finished { ring: Vec::with_capacity(FINISHED_MAX), oldest: 0 }
    }
}

impl Clone for Finished {
    /// With room for as many as the original has.
    fn clone(&self) -> Finished {
        let mut copy = Finished { oldest: self.oldest, ..Finished::default() };
        copy.ring.extend_from_slice(&self.ring);
        copy
    }
}

impl Finished {
    /// Remembers an activity; past the bound the oldest is forgotten.
    pub fn remember(&mut self, one: One) {
        if self.ring.len() < FINISHED_MAX {
            return self.ring.push(one);
        }
        self.ring[self.oldest] = one;
        self.oldest = (self.oldest + 1) % FINISHED_MAX;
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &One> {
        let (newer, older) = self.ring.split_at(self.oldest);
        older.iter().chain(newer)
    }

    /// Whether it is an activity that has finished: same identifier, timestamp
    /// and content.
    pub fn contains(&self, desired: &DesiredState<'_>) -> bool {
        self.find(desired.activity, desired.timestamp, desired.crc).is_some()
    }

    /// How the campaign's activity has finished, if it has.
    pub fn outcome_of(&self, campaign: &Campaign) -> Option<Status> {
        let activity = Text::from_checked(&campaign.activity);
        self.find(activity, campaign.timestamp, campaign.crc).map(|one| one.outcome)
    }

    fn find(&self, activity: Text<'_>, timestamp: i64, crc: u32) -> Option<&One> {
        let is_it =
            |one: &&One| one.timestamp == timestamp && one.crc == crc && Text::from_checked(&one.activity) == activity;
        self.ring.iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_bound_the_oldest_is_forgotten_and_the_order_stays() {
        let mut finished = Finished::default();
        for timestamp in 0..2 * FINISHED_MAX as i64 + 5 {
            finished.remember(One { activity: String::new(), timestamp, crc: 0, outcome: Status::Completed });
            let known: Vec<i64> = finished.clone().iter().map(|one| one.timestamp).collect();
            let expected: Vec<i64> = ((timestamp + 1 - FINISHED_MAX as i64).max(0)..=timestamp).collect();
            assert_eq!(known, expected);
        }
    }
}
