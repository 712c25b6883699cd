//! An activity is given up: cancelled at the console, refused at a gate, or ended with the
//! process. Which domains are turned back then, and how, the policy says.

use super::campaign::Campaign;
use super::domain::{Domain, State};
use super::effect::Effects;
use super::group::GroupSet;
use super::{Engine, Rejected};
use crate::model::time::Tick;
use crate::model::{Cause, Phase, Rollback, Status};

impl Engine {
    /// Gives the running activity up. Domains that are putting the new into use are stopped
    /// only with `force`: halfway through, old and new may both be gone.
    pub(super) fn handle_cancel(&mut self, force: bool, out: &mut Effects) -> Result<(), Rejected> {
        if !self.is_running() {
            return Err(Rejected::NotRunning);
        }
        if self.campaign.end.cause.is_none() && self.campaign.groups.rollback != Rollback::None {
            return self.cancel_groups(out);
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

    /// With groups, all that is not committed can be turned back, and who is busy is waited
    /// for.
    fn cancel_groups(&mut self, out: &mut Effects) -> Result<(), Rejected> {
        let groups = &self.campaign.groups;
        let all = self.campaign.domains.iter().flatten().map(|part| part.group).collect::<GroupSet>();
        if all.without(groups.committed.or(groups.turned)).is_empty() {
            return Err(Rejected::Ending);
        }
        self.give_up(Cause::Cancelled, out);
        Ok(())
    }

    /// Tells the backend that something is turned back, and each further reason.
    pub(super) fn tell_of_turning_back(&mut self, now: Tick, out: &mut Effects) {
        if !self.campaign.is_turning_back() {
            return;
        }
        let failed = self.campaign.domains.iter().flatten().filter(|part| part.failure.is_some()).count();
        let Campaign { groups, end, absent, .. } = &self.campaign;
        // That a group is turned back is news already if no domain is to blame.
        let reasons = 1 + failed + groups.flaws.len() + absent.gone.len() + usize::from(end.cause.is_some());
        self.running.turned_back(now, reasons, out);
    }

    /// Returns whether nothing leads this part of the activity forward any more.
    pub(super) fn is_given_up(&self, part: &Domain) -> bool {
        let is_committed = self.campaign.groups.committed.contains(part.group);
        part.obligation.is_halted || self.campaign.end.cause.is_some() && !is_committed
    }

    /// Nothing leads forward from now on; the policy turns the domains back.
    pub(super) fn give_up(&mut self, cause: Cause, out: &mut Effects) {
        self.close_consent(out);
        self.end_verifications(out);
        self.campaign.end.cause.get_or_insert(cause);
        self.campaign.phase = Phase::Cleanup;
    }

    /// Returns the final status of an activity that ends in the middle of its course.
    pub(super) fn unfinished(&self) -> Status {
        match self.settings.grouping.reports_inconsistent && self.campaign.is_any_inconsistent() {
            true => Status::IncompleteInconsistent,
            false => Status::Incomplete,
        }
    }

    pub(super) fn handle_terminate(&mut self, out: &mut Effects) {
        if self.is_running() {
            self.campaign.end.cause = Some(Cause::Terminated);
            self.close(self.unfinished(), out);
        }
    }
}
