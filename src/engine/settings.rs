//! How long an activity waits for what, and what is configured about its course.

use crate::limits::{DOMAINS_MAX, ORDER_DEFAULT, VERIFY_TIMEOUT_MS};
use crate::model::{DomainSet, PhaseSet, Rollback};

/// How long things are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// For a domain to leave a phase, in milliseconds.
    pub phase_timeout_ms: u64,
    /// The same for a domain that shows progress all the while, in milliseconds; at least
    /// `phase_timeout_ms`.
    pub phase_timeout_max_ms: u64,
    /// For a word of a domain in doubt before it is started over, in milliseconds; at
    /// most half of the phase timeout.
    pub resume_after_ms: u64,
    /// For each domain's agent to say that it is connected after the host has booted,
    /// in milliseconds, by the domain's place.
    pub read_timeouts_ms: [u64; DOMAINS_MAX],
    /// For any feedback to `CLEANUP`, in milliseconds.
    pub cleanup_timeout_ms: u64,
    /// Between two `RUNNING`, in milliseconds; 0 for none at all.
    pub feedback_interval_ms: u64,
    /// The phases before which the owner is asked.
    pub consent: PhaseSet,
    /// For the owner to answer, in milliseconds.
    pub consent_timeout_ms: u64,
    /// What holds of the reboot after an activity.
    pub rebooting: Rebooting,
    /// Whether activities are saved.
    pub is_saved: bool,
    /// What holds of groups.
    pub grouping: Grouping,
}

/// What is configured about the reboot after an activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rebooting {
    /// The domains whose actions take effect with a reboot.
    pub required: DomainSet,
    /// Whether the host may be rebooted.
    pub is_enabled: bool,
    /// Between the reported end and the reboot, in milliseconds.
    pub after_ms: u64,
}

/// What is configured about groups of domains (docs/whole-device.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grouping {
    /// Which domains form a group, unless a desired state says it for itself.
    pub rollback: Rollback,
    /// The place of each domain in the order of activation within its group, 1 to 100, by
    /// the domain's place.
    pub orders: [u8; DOMAINS_MAX],
    /// The domains whose failure does not turn their group back.
    pub fail_alone: DomainSet,
    /// The domains that are known not to roll back once they were given ACTIVATE.
    pub until_activate: DomainSet,
    /// The domains whose group is committed only after a boot of the host.
    pub boots: DomainSet,
    /// Whether an inconsistent end has a status of its own.
    pub reports_inconsistent: bool,
    /// How what was activated is verified.
    pub checks: Checks,
}

/// How what a group has activated is verified before it is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checks {
    /// Whether there is a command to ask.
    pub has_command: bool,
    /// The domains whose inventory has to show what is wanted.
    pub inventories: DomainSet,
    /// The domains whose inventory has to show it when the host has booted for it.
    pub after_reboot: DomainSet,
    /// How long all checks have to hold without a break, in milliseconds.
    pub stable_ms: u64,
    /// When the group has failed, in milliseconds; longer than `stable_ms`.
    pub timeout_ms: u64,
}

impl Grouping {
    /// Returns whether anything is configured that makes a difference to groups.
    pub fn is_in_use(&self) -> bool {
        let has_order = self.orders.iter().any(|order| *order != ORDER_DEFAULT);
        let is_checked = self.checks.has_command || !self.checks.inventories.is_empty();
        let of_domains = [self.fail_alone, self.until_activate, self.boots];
        let is_own = of_domains.iter().any(|domains| !domains.is_empty());
        self.rollback != Rollback::None || has_order || is_own || is_checked
    }

    /// What holds where nothing is configured.
    pub const DEFAULT: Grouping = Grouping {
        rollback: Rollback::None,
        orders: [ORDER_DEFAULT; DOMAINS_MAX],
        fail_alone: DomainSet::EMPTY,
        until_activate: DomainSet::EMPTY,
        boots: DomainSet::EMPTY,
        reports_inconsistent: false,
        checks: Checks {
            has_command: false,
            inventories: DomainSet::EMPTY,
            after_reboot: DomainSet::EMPTY,
            stable_ms: 0,
            timeout_ms: VERIFY_TIMEOUT_MS,
        },
    };
}
