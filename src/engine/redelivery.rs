//! Whether a desired state becomes the next activity, or is one that came before.

use super::effect::Effects;
use super::event::{DesiredState, Standing};
use super::{Engine, Rejected};
use crate::limits::EXTENDED_ID_MAX;
use crate::model::{Cause, Rollback, Status};

impl Engine {
    /// Begins the activity of a desired state.
    pub(super) fn handle_desired_state(
        &mut self,
        desired: &DesiredState<'_>,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        self.admit(desired)?;
        self.campaign.begin(desired);
        self.campaign.groups.rollback = self.rollback_of(desired);
        self.campaign.groups.restorable = desired.standing.restorable;
        self.begun = true;
        let is_refused = self.campaign.groups.rollback != Rollback::None;
        if self.campaign.participants().is_empty() && !is_refused {
            self.campaign.end.cause = Some(Cause::NoSupportedDomain);
            self.close(Status::Incomplete, out);
            return Ok(());
        }
        self.choose_policy(out);
        Ok(())
    }

    fn rollback_of(&self, desired: &DesiredState<'_>) -> Rollback {
        desired.rollback.unwrap_or(self.settings.grouping.rollback)
    }

    /// The checks, in this order: a redelivery is never answered as a refusal.
    fn admit(&self, desired: &DesiredState<'_>) -> Result<(), Rejected> {
        let is_last = self.begun && self.campaign.is_activity(desired.key.activity);
        let standing = desired.standing;
        if is_last && self.is_running() {
            return Err(Rejected::SameActivity);
        }
        // Even while another one runs: it was not sent again.
        if standing.has_ended(self.is_running()) {
            return Err(Rejected::Applied);
        }
        if self.is_running() {
            return Err(Rejected::Busy);
        }
        if self.begun && standing.is_held {
            // It would mix with what is still held of the last.
            return Err(if is_last { Rejected::SameActivity } else { Rejected::Busy });
        }
        if self.begun && standing.is_blocked {
            return Err(Rejected::Unsaved);
        }
        if self.reboot.is_pending() {
            return Err(Rejected::RebootPending);
        }
        let id_bytes = desired.key.activity.as_json().len();
        let is_extended = self.rollback_of(desired) != Rollback::None || !self.settings.grouping.boots.is_empty();
        if is_extended && id_bytes > EXTENDED_ID_MAX {
            return Err(Rejected::LongId);
        }
        Ok(())
    }
}

impl Standing {
    /// Whether the activity has ended already. What may have come before is held against all
    /// that is remembered, anything else against the last activity alone, and only if none
    /// `is_running`: whoever wants something else in between wants it again.
    pub fn has_ended(&self, is_running: bool) -> bool {
        match self.may_be_old {
            true => self.is_remembered,
            false => !is_running && self.is_last,
        }
    }
}
