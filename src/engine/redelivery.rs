//! Whether a desired state becomes the next activity, or is one that came before.
//!
//! A desired state of an activity that has finished never gets here: `store::journal`
//! knows those by their content.

use super::effect::Effects;
use super::event::DesiredState;
use super::{Engine, Rejected};
use crate::model::{Cause, Status};

impl Engine {
    pub(super) fn handle_desired_state(
        &mut self,
        desired: &DesiredState<'_>,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        let is_running = self.is_running();
        if is_running && self.campaign.is_activity(desired.key.activity) {
            return Err(Rejected::SameActivity);
        }
        if is_running {
            return Err(Rejected::Busy);
        }
        if self.reboot.is_pending() {
            return Err(Rejected::RebootPending);
        }
        self.campaign.begin(desired);
        self.begun = true;
        if self.campaign.participants().is_empty() {
            self.campaign.end.cause = Some(Cause::NoSupportedDomain);
            self.close(Status::Incomplete, out);
        }
        self.choose_policy(out);
        Ok(())
    }
}
