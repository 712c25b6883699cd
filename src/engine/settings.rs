//! How long an activity waits for what, and what is configured about its course.

use crate::limits::DOMAINS_MAX;
use crate::model::{DomainSet, PhaseSet};

/// How long things are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// For a domain to leave a phase, in milliseconds.
    pub phase_timeout_ms: u64,
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
    /// The domains whose actions take effect with a reboot.
    pub reboot_required: DomainSet,
    /// Whether the host may be rebooted.
    pub reboot_enabled: bool,
    /// Between the reported end and the reboot, in milliseconds.
    pub reboot_after_ms: u64,
    /// Whether activities are saved.
    pub is_saved: bool,
}
