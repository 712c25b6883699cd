//! The end of an activity: its final status, and what follows.

use super::boot::Boot;
use super::domain::Domain;
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
        let owes = |domain: DomainIx| self.owes_reboot(domain, outcome);
        if self.settings.rebooting.required.iter().any(owes) {
            match self.settings.rebooting.is_enabled {
                true => self.reboot.begin(now, out),
                false => out.push(Effect::Notice(Notice::RebootDisabled)),
            }
        }
    }

    /// Returns whether what is new of a domain takes effect with a reboot that has not been. A
    /// group that is committed owes it whatever has become of others.
    fn owes_reboot(&self, domain: DomainIx, outcome: Status) -> bool {
        let groups = &self.campaign.groups;
        let boots_before = self.settings.grouping.boots.contains(domain);
        let is_new = |part: &Domain| {
            let is_committed = groups.committed.contains(part.group) && part.failure.is_none();
            let has_booted = boots_before && part.evidence.has_committed && part.evidence.was_booted;
            (outcome == Status::Completed || is_committed) && part.boot != Boot::Over && !has_booted
        };
        self.campaign.actions.count(domain) > 0 && self.campaign.domain(domain).is_some_and(is_new)
    }
}
