//! Gates: what may hold an activity back, between phases only.
//!
//! | before | gate |
//! | --- | --- |
//! | a command that leads forward | the owner's consent ([`consent`]) |
//! | the commit of a group | none yet |
//! | the reboot | somebody at the console ([`hold`]) |
//!
//! A step of the policy that reaches a gate may close it: the owner is asked, for instance.
//! The policy sees the domains that wait as held. When the gate opens, the policy is asked
//! again, and its step goes through. Nothing holds ROLLBACK or CLEANUP back.
//!
//! A new gate is a file here, a field of the campaign that says whether it is closed (so that
//! a start finds it as it was), and a line in `holds` and in `pass`; one that opens with time
//! sets a timer.

mod consent;
mod hold;

use super::campaign::Campaign;
use super::effect::Effects;
use super::group::Group;
use super::policy::Fault;
use super::Engine;
use crate::model::time::Tick;
use crate::model::Phase;

/// What a gate may hold back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// The command that begins this phase.
    Command(Phase),
    /// The commit of a group.
    Commit(Group),
}

/// Returns whether a gate is closed before this.
pub(super) fn holds(campaign: &Campaign, before: Before) -> bool {
    match before {
        Before::Command(phase) => campaign.consent.asking == Some(phase),
        Before::Commit(_) => false,
    }
}

impl Engine {
    /// Returns whether the way is open; a gate that has to be passed is closed now.
    ///
    /// # Errors
    /// The gate is closed already.
    pub(super) fn pass(&mut self, now: Tick, before: Before, out: &mut Effects) -> Result<bool, Fault> {
        if holds(&self.campaign, before) {
            return Err(Fault::Held);
        }
        if let Before::Command(phase) = before {
            if self.needs_consent(phase) {
                self.ask(now, phase, out);
            }
        }
        Ok(!holds(&self.campaign, before))
    }
}
