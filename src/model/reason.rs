//! Why something ended as it did.

use heapless::String;

use super::table::table;
use super::{Command, Status};
use crate::limits::{ACTIONS_MAX, ACTION_COMPONENT_MAX, REASON_MAX};

table! {
    /// Why an activity ended although no domain failed.
    pub enum Cause {
        /// No domain of it has an agent.
        NoSupportedDomain = 1 "the desired state manifest does not contain any supported domain",
        /// The process was told to end.
        Terminated = 2 "update manager terminated",
        /// The owner refused.
        ConsentDenied = 3 "owner consent denied",
        /// The owner did not answer in time.
        ConsentLate = 4 "owner consent not given in",
        /// What was saved of it could not be read any more.
        Unreadable = 5 "saved state was unreadable",
        /// Somebody at the console gave it up.
        Cancelled = 6 "cancelled at the console",
        /// No policy suits it, or the one that led it is not there any more.
        NoPolicy = 7 "there is no policy to lead the activity",
    }
}

table! {
    /// A limit that an action does not fit, and what it bounds.
    pub enum Limit {
        /// More actions than there may be.
        Actions = 1 "actions",
        /// A component that is too large.
        Component = 2 "bytes of an action's component",
    }
}

impl Limit {
    /// How much fits.
    pub const fn bound(self) -> usize {
        match self {
            Limit::Actions => ACTIONS_MAX,
            Limit::Component => ACTION_COMPONENT_MAX,
        }
    }
}

table! {
    /// What kind of reason a [`Reason`] is.
    pub enum ReasonKind {
        /// The agent's own words.
        Words = 1 "words",
        /// A status without words.
        Status = 2 "status",
        /// No answer in time.
        Silent = 3 "silent",
        /// Past a limit.
        Limit = 4 "limit",
        /// Taken up too often.
        Lost = 5 "lost",
        /// The broker refuses what the domain was to get.
        Refused = 6 "refused",
    }
}

/// Why a domain failed.
// As large as its words: the core does not allocate, so they cannot be boxed.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The agent's own words, escaped as in JSON.
    Words(String<REASON_MAX>),
    /// The status with which it failed, without words.
    Status(Status),
    /// No answer to the command (`None`: the desired state) in so many milliseconds.
    Silent(Option<Command>, u64),
    /// It needs more of something than there may be.
    Limit(Limit),
    /// It was in a phase that was taken up so many times.
    Lost(u8),
    /// The broker refuses the message to it, which has so many bytes.
    Refused(u32),
}

impl Reason {
    /// What kind it is.
    pub fn kind(&self) -> ReasonKind {
        match self {
            Reason::Words(_) => ReasonKind::Words,
            Reason::Status(_) => ReasonKind::Status,
            Reason::Silent(..) => ReasonKind::Silent,
            Reason::Limit(_) => ReasonKind::Limit,
            Reason::Lost(_) => ReasonKind::Lost,
            Reason::Refused(_) => ReasonKind::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_as_it_is_written() {
        Cause::check_table();
        Limit::check_table();
        ReasonKind::check_table();
    }
}
