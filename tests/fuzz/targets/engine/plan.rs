//! What is configured, as the bytes of an input say.

use arbitrary::Arbitrary;
use update_manager::engine::{Checks, Grouping, Rebooting, Settings};
use update_manager::limits::DOMAINS_MAX;
use update_manager::model::{DomainIx, DomainSet, Phase, PhaseSet, Rollback};

#[derive(Arbitrary, Debug)]
pub struct Delays {
    pub phase: u16,
    pub resume: u8,
    pub read: u8,
    pub cleanup: u16,
    pub feedback: u8,
    pub consent: u16,
    pub reboot: u8,
    /// As long as there can be.
    pub endless: u8,
}

/// What is configured about groups.
#[derive(Arbitrary, Debug)]
pub struct Groups {
    pub rollback: u8,
    pub orders: [u8; 4],
    pub fail_alone: u64,
    pub has_command: bool,
    pub inventories: u64,
    pub stable: u16,
    pub timeout: u16,
}

#[derive(Arbitrary, Debug)]
pub struct Plan {
    pub delays: Delays,
    /// None: nothing is, as mostly.
    pub groups: Option<Groups>,
    pub consent: u8,
    pub reboot_required: u64,
    pub reboot_enabled: bool,
    pub start: u8,
}

/// The domain in this place.
pub fn at(place: usize) -> DomainIx {
    DomainIx::new(place).expect("there are so many")
}

pub fn set(domains: u64) -> DomainSet {
    (0..DOMAINS_MAX).filter(|place| domains >> place & 1 == 1).map(at).collect()
}

/// One of the ways to form groups; none for other numbers.
pub fn rollback(number: u8) -> Option<Rollback> {
    [None, Some(Rollback::None), Some(Rollback::Baseline), Some(Rollback::Device)][usize::from(number % 4)]
}

pub fn grouping(groups: Option<&Groups>, required: DomainSet) -> Grouping {
    let Some(groups) = groups else { return Grouping::DEFAULT };
    let mut orders = Grouping::DEFAULT.orders;
    orders.iter_mut().zip(groups.orders).for_each(|(order, any)| *order = any % 100 + 1);
    Grouping {
        rollback: rollback(groups.rollback).unwrap_or_default(),
        orders,
        fail_alone: set(groups.fail_alone),
        until_activate: set(groups.inventories.rotate_right(3)),
        boots: set(groups.fail_alone.rotate_right(1)).and(required),
        reports_inconsistent: groups.stable % 2 == 0,
        checks: Checks {
            has_command: groups.has_command,
            inventories: set(groups.inventories),
            after_reboot: set(groups.inventories.rotate_right(7)),
            stable_ms: groups.stable.into(),
            timeout_ms: groups.timeout.into(),
        },
    }
}

pub fn settings(plan: &Plan) -> Settings {
    let delay = |bit: u8, ms: u64| if plan.delays.endless >> bit & 1 == 1 { u64::MAX >> (bit * 7) } else { ms };
    let phases = [Phase::Download, Phase::Update, Phase::Activate, Phase::Cleanup];
    let is_required = |place: &usize| plan.reboot_required >> place & 1 == 1;
    let required: DomainSet = (0..DOMAINS_MAX).filter(is_required).map(at).collect();
    let consent = phases.into_iter().enumerate().filter(|(bit, _)| plan.consent >> bit & 1 == 1);
    Settings {
        phase_timeout_ms: delay(0, plan.delays.phase.into()),
        phase_timeout_max_ms: delay(0, u64::from(plan.delays.phase) * u64::from(1 + plan.start % 3)),
        resume_after_ms: u64::from(plan.delays.resume).min(delay(0, plan.delays.phase.into()) / 2),
        read_timeouts_ms: [plan.delays.read.into(); DOMAINS_MAX],
        cleanup_timeout_ms: delay(1, plan.delays.cleanup.into()),
        feedback_interval_ms: delay(2, plan.delays.feedback.into()),
        consent: consent.map(|(_, phase)| phase).collect::<PhaseSet>(),
        consent_timeout_ms: delay(3, plan.delays.consent.into()),
        rebooting: Rebooting {
            required,
            is_enabled: plan.reboot_enabled,
            after_ms: delay(4, plan.delays.reboot.into()),
        },
        is_saved: false,
        grouping: grouping(plan.groups.as_ref(), required),
    }
}
