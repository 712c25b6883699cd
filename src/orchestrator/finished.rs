//! The last finished activities, to tell a redelivered desired state from a new
//! one (protocol.md, "The activity").

use heapless::{HistoryBuffer, String};

use super::event::DesiredState;
use crate::limits::{ACTIVITY_ID_MAX, FINISHED_MAX};
use crate::text::Text;

/// The last `FINISHED_MAX` finished activities.
#[derive(Clone, Debug, Default)]
pub struct Finished(HistoryBuffer<One, FINISHED_MAX>);

#[derive(Clone, Debug)]
struct One {
    activity: String<ACTIVITY_ID_MAX>,
    timestamp: i64,
    crc: u32,
}

impl Finished {
    /// Remembers an activity; past the bound the oldest is forgotten.
    pub fn remember(&mut self, activity: &String<ACTIVITY_ID_MAX>, timestamp: i64, crc: u32) {
        self.0.write(One { activity: activity.clone(), timestamp, crc });
    }

    /// Whether it is an activity that has finished: same identifier, timestamp
    /// and content.
    pub fn contains(&self, desired: &DesiredState<'_>) -> bool {
        self.0.iter().any(|one| {
            one.timestamp == desired.timestamp
                && one.crc == desired.crc
                && Text::from_checked(&one.activity) == desired.activity
        })
    }
}
