//! What the console does to the running activity: as if an owner or a backend had said it.
//!
//! In: a request, and what the engine makes of it. Out: the engine's event, and in words
//! what was done, or why not.
//!
//! Invariant: the words are about the activity as it was before the event.
//!
//! Deliberately absent: who may do it.

use heapless::String;

use crate::engine::{Campaign, Event, Rejected};
use crate::limits::ACTIVITY_ID_MAX;
use crate::model::text::Text;
use crate::model::Phase;
use crate::wire::console::{Ask, Request};

/// Something that is to be done.
pub(in crate::manager) struct Control {
    ask: Ask,
    force: bool,
    /// The activity that it is about, and the phase that the owner is asked about.
    activity: String<ACTIVITY_ID_MAX>,
    asking: Option<Phase>,
}

impl Control {
    pub(in crate::manager) fn of(request: &Request<'_>, campaign: Option<&Campaign>) -> Control {
        let (activity, asking) = match campaign {
            Some(campaign) => (campaign.activity.clone(), campaign.asking),
            None => Default::default(),
        };
        Control { ask: request.ask, force: request.force, activity, asking }
    }

    fn activity(&self) -> Text<'_> {
        Text::from_checked(&self.activity)
    }

    /// What the engine is to know.
    pub(in crate::manager) fn event(&self) -> Event<'_> {
        match self.ask {
            Ask::Approve | Ask::Deny => Event::ConsentReply(self.activity(), self.ask == Ask::Approve),
            Ask::Cancel => Event::Cancel(self.force),
            _ => Event::HoldReboot(self.ask == Ask::Hold),
        }
    }

    /// What was done, or why not.
    pub(super) fn words(&self, result: Result<(), Rejected>) -> Result<std::string::String, std::string::String> {
        result.map_err(|rejected| self.why_not(rejected))?;
        let [before, after] = match self.ask {
            Ask::Approve => ["consent to ", " given"],
            Ask::Deny => ["consent to ", " denied"],
            Ask::Cancel => ["cancelled, what was done is undone", ""],
            Ask::Hold => ["the reboot is held", ""],
            _ => ["the reboot is released", ""],
        };
        let phase = self.asking.filter(|_| !after.is_empty()).map_or("", Phase::name);
        Ok(format!("{}: {before}{phase}{after}", self.activity()))
    }

    fn why_not(&self, rejected: Rejected) -> std::string::String {
        let (activity, why) = match rejected {
            Rejected::Activating => (self.activity(), " is being put into use; --force cancels it all the same"),
            Rejected::Ending => (self.activity(), " is being cleaned up and ends by itself"),
            Rejected::NotAsked => (Text::EMPTY, "no question is open"),
            Rejected::NoReboot if self.ask == Ask::Release => (Text::EMPTY, "no reboot is held"),
            Rejected::NoReboot => (Text::EMPTY, "no reboot is due"),
            Rejected::Unsupported => (Text::EMPTY, "this orchestration cannot do that"),
            _ => (Text::EMPTY, "no activity runs"),
        };
        format!("{activity}{why}")
    }
}
