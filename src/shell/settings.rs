//! From the configuration to the settings of the engine.

use crate::config::{Agent, Config, VerifyInventory};
use crate::engine::{Checks, Grouping, Rebooting, Settings};
use crate::limits::DOMAINS_MAX;
use crate::model::{DomainIx, DomainSet};

/// What the engine needs to know of the configuration, and whether
/// activities are saved.
pub fn settings(config: &Config, is_saved: bool) -> Settings {
    let mut read_timeouts_ms = [0; DOMAINS_MAX];
    for (timeout, agent) in read_timeouts_ms.iter_mut().zip(&config.agents) {
        *timeout = agent.read_timeout_ms;
    }
    Settings {
        phase_timeout_ms: config.phase_timeout_ms,
        phase_timeout_max_ms: config.phase_timeout_max_ms,
        resume_after_ms: config.resume_after_ms,
        read_timeouts_ms,
        cleanup_timeout_ms: config.cleanup_timeout_ms,
        feedback_interval_ms: config.report_feedback_interval_ms,
        consent: config.owner_consent_commands,
        consent_timeout_ms: config.owner_consent_timeout_ms,
        rebooting: Rebooting {
            required: domains_with(config, |agent| agent.reboot_required),
            is_enabled: config.reboot_enabled,
            after_ms: config.reboot_after_ms,
        },
        is_saved,
        grouping: grouping(config, is_saved),
    }
}

fn grouping(config: &Config, is_saved: bool) -> Grouping {
    let mut orders = Grouping::DEFAULT.orders;
    for (order, agent) in orders.iter_mut().zip(&config.agents) {
        *order = agent.order;
    }
    let groups = &config.groups;
    Grouping {
        rollback: groups.rollback,
        orders,
        fail_alone: domains_with(config, |agent| agent.fails_alone),
        // What is not saved would be forgotten over the boot.
        boots: match groups.commits_after_reboot && config.reboot_enabled && is_saved {
            true => domains_with(config, |agent| agent.reboot_required),
            false => DomainSet::EMPTY,
        },
        until_activate: domains_with(config, |agent| agent.rolls_back_until_activate),
        reports_inconsistent: groups.reports_inconsistent,
        checks: Checks {
            has_command: !groups.verify_command.is_empty(),
            inventories: domains_with(config, |agent| agent.verify_inventory == VerifyInventory::Always),
            after_reboot: domains_with(config, |agent| agent.verify_inventory == VerifyInventory::AfterReboot),
            stable_ms: groups.verify_stable_ms,
            timeout_ms: groups.verify_timeout_ms,
        },
    }
}

fn domains_with(config: &Config, wanted: impl Fn(&Agent) -> bool) -> DomainSet {
    let agents = config.agents.iter().enumerate().filter(|(_, agent)| wanted(agent));
    agents.filter_map(|(place, _)| DomainIx::new(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{load, Order};
    use crate::model::Rollback;

    fn grouping_of(args: &[&str]) -> Grouping {
        let args = [&["--domains=a,b,c"], args].concat();
        match load(&args, &|_| None) {
            Ok(Order::Run(loaded)) => settings(&loaded.config, true).grouping,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_configured_about_groups_reaches_the_engine() {
        let args = [
            "-rollback=baseline",
            "-report-inconsistent",
            "-b-order=7",
            "-c-fails-alone",
            "-a-rollback-until=activate",
            "-commit-after-reboot",
            "-b-reboot-required",
            "-b-verify-inventory=afterReboot",
        ];
        let checks =
            ["-verify-command=check", "-verify-stable-time=2s", "-verify-timeout=3s", "-a-verify-inventory=always"];
        let grouping = grouping_of(&[&args[..], &checks].concat());
        let mut orders = Grouping::DEFAULT.orders;
        orders[1] = 7;
        let set = |place| DomainIx::new(place).into_iter().collect::<DomainSet>();
        let (inventories, after_reboot) = (set(0), set(1));
        let checks = Checks { has_command: true, inventories, after_reboot, stable_ms: 2_000, timeout_ms: 3_000 };
        let (rollback, reports_inconsistent) = (Rollback::Baseline, true);
        let (fail_alone, until_activate, boots) = (set(2), set(0), set(1));
        let wanted = Grouping { rollback, orders, fail_alone, until_activate, boots, reports_inconsistent, checks };
        assert_eq!(grouping, wanted);
    }

    #[test]
    fn groups_are_in_use_if_a_key_decides_about_the_course_of_an_activity() {
        assert_eq!(grouping_of(&[]), Grouping::DEFAULT);
        for (arg, is_in_use) in [
            ("-rollback=none", false),
            ("-rollback=baseline", true),
            ("-rollback=device", true),
            ("-c-order=50", false),
            ("-c-order=51", true),
            ("-c-fails-alone", true),
            ("-c-verify-inventory=always", true),
            // It takes effect with a reboot before the commit.
            ("-c-verify-inventory=afterReboot", false),
            ("-verify-command=check", true),
            ("-verify-stable-time=1s", false),
            ("-verify-timeout=1s", false),
            ("-report-inconsistent", false),
            ("-phase-timeout-max=1h", false),
        ] {
            assert_eq!(grouping_of(&[arg]).is_in_use(), is_in_use, "{arg}");
        }
    }
}
