//! Requests of the console that control the running activity.
//!
//! In: a request, the campaign, and the engine's result. Out: an event for the engine, and
//! the answer in words.
//!
//! Invariant: the words are about the activity as it was before the event.
//!
//! Deliberately absent: the permission to do it.

use heapless::String;

use crate::engine::event::ConsentAnswer;
use crate::engine::{Campaign, Event, Rejected};
use crate::limits::ACTIVITY_ID_MAX;
use crate::model::text::Text;
use crate::model::Phase;
use crate::wire::console::{Ask, Request};

/// A request for the engine.
pub(in crate::manager) struct Control {
    ask: Ask,
    force: bool,
    /// Identifier of the running activity or the last one.
    activity: String<ACTIVITY_ID_MAX>,
    /// The phase that the owner is asked about.
    asking: Option<Phase>,
}

impl Control {
    /// Takes what it needs of the campaign as it is now.
    pub(in crate::manager) fn of(request: &Request<'_>, campaign: Option<&Campaign>) -> Control {
        let (activity, asking) = match campaign {
            Some(campaign) => (campaign.identity.activity.clone(), campaign.consent.asking),
            None => Default::default(),
        };
        Control { ask: request.ask, force: request.force, activity, asking }
    }

    fn activity(&self) -> Text<'_> {
        Text::from_checked(&self.activity)
    }

    /// Returns the event for the engine.
    pub(in crate::manager) fn event(&self) -> Event<'_> {
        match self.ask {
            Ask::Approve | Ask::Deny => {
                Event::ConsentReply(ConsentAnswer::undated(self.activity(), self.ask == Ask::Approve))
            }
            Ask::Cancel => Event::Cancel(self.force),
            _ => Event::HoldReboot(self.ask == Ask::Hold),
        }
    }

    /// Returns in words what was done.
    ///
    /// # Errors
    /// The engine has rejected it; why, in words.
    pub(super) fn words(&self, result: Result<(), Rejected>) -> Result<std::string::String, std::string::String> {
        result.map_err(|rejected| self.why_not(rejected))?;
        let [before, after] = match self.ask {
            Ask::Approve => ["consent to ", " given"],
            Ask::Deny => ["consent to ", " denied"],
            Ask::Cancel => ["cancelled, what was done is being undone", ""],
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
            _ => (Text::EMPTY, "no activity runs"),
        };
        format!("{activity}{why}")
    }
}
