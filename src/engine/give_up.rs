//! An activity is given up: cancelled at the console, refused at a gate, or ended with the
//! process. Which domains are turned back then, and how, the policy says.

use super::domain::{Domain, State};
use super::effect::Effects;
use super::{Engine, Rejected};
use crate::model::{Cause, Phase, Status};

impl Engine {
    /// Gives the running activity up. Domains that are putting the new into use are stopped
    /// only with `force`: halfway through, old and new may both be gone.
    pub(super) fn handle_cancel(&mut self, force: bool, out: &mut Effects) -> Result<(), Rejected> {
        if !self.is_running() {
            return Err(Rejected::NotRunning);
        }
        let forward = self.campaign.domains_in(|state| state == State::New || state.is_forward());
        if self.campaign.end.cause.is_some() || forward.is_empty() {
            return Err(Rejected::Ending);
        }
        let is_activating =
            |part: &Domain| matches!(part.state, State::Working(_)) && part.furthest >= Some(Phase::Activate);
        if self.campaign.domains.iter().flatten().any(is_activating) && !force {
            return Err(Rejected::Activating);
        }
        self.give_up(Cause::Cancelled, out);
        Ok(())
    }

    /// Nothing leads forward from now on; the policy turns the domains back.
    pub(super) fn give_up(&mut self, cause: Cause, out: &mut Effects) {
        self.close_consent(out);
        self.campaign.end.cause.get_or_insert(cause);
        self.campaign.phase = Phase::Cleanup;
    }

    pub(super) fn handle_terminate(&mut self, out: &mut Effects) {
        if self.is_running() {
            self.campaign.end.cause = Some(Cause::Terminated);
            self.close(Status::Incomplete, out);
        }
    }
}
