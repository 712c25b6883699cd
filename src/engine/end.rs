//! The end of an activity: its final status, and what follows.

use super::effect::{Effect, Effects, Notice};
use super::Engine;
use crate::model::time::Tick;
use crate::model::{DomainIx, Status};

impl Engine {
    /// The activity has this final status.
    pub(super) fn close(&mut self, outcome: Status, out: &mut Effects) {
        self.running.end(out);
        self.end_verifications(out);
        self.close_consent(out);
        self.campaign.end.outcome = Some(outcome);
        out.push(Effect::Report(outcome));
        out.push(Effect::AwaitDelivery);
    }

    /// The inventory is reported, and the host rebooted if that is needed.
    pub(super) fn settle_end(&mut self, now: Tick, outcome: Status, out: &mut Effects) {
        out.push(Effect::ReportInventory);
        let needs_reboot = |domain: &DomainIx| self.campaign.actions.count(*domain) > 0;
        if outcome == Status::Completed && self.settings.rebooting.required.iter().any(|domain| needs_reboot(&domain)) {
            match self.settings.rebooting.is_enabled {
                true => self.reboot.begin(now, out),
                false => out.push(Effect::Notice(Notice::RebootDisabled)),
            }
        }
    }
}
