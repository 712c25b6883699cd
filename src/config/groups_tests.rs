//! The keys of groups: what is turned back together, in which order, and how it is verified.

use super::duration::DURATION_MS_MAX;
use super::tests::{gathered, warnings};
use super::*;

/// What the variable is in effect, and the warning about it, which may be empty.
fn resolved(env: &[(&str, &str)], in_effect: impl Fn(&Config) -> u64) -> (u64, String) {
    (in_effect(&gathered("{}", env, &[]).unwrap().config), warnings("{}", env, &[]).join("\n"))
}

#[test]
fn the_longest_phase_is_as_long_as_the_phase_timeout_or_longer() {
    for (env, ms, warning) in [
        (&[][..], 600_000, ""),
        (&[("PHASE_TIMEOUT", "2m")], 120_000, ""),
        (&[("PHASE_TIMEOUT", "20m")], 1_200_000, ""),
        (&[("PHASE_TIMEOUT_MAX", "2h")], 7_200_000, ""),
        (&[("PHASE_TIMEOUT_MAX", "600s")], 600_000, ""),
        (&[("PHASE_TIMEOUT_MAX", "599s")], 600_000, "is shorter than phaseTimeout; 10m is taken"),
        (&[("PHASE_TIMEOUT_MAX", "0"), ("PHASE_TIMEOUT", "1m")], 60_000, "is shorter than phaseTimeout; 1m is taken"),
        (&[("PHASE_TIMEOUT_MAX", ""), ("PHASE_TIMEOUT", "20m")], 1_200_000, "is empty; 20m is taken"),
        (&[("PHASE_TIMEOUT_MAX", "-1s")], 600_000, "\"-1s\" is negative; 10m is taken"),
    ] {
        let warning = match warning {
            "" => String::new(),
            warning => format!("phaseTimeoutMax (environment PHASE_TIMEOUT_MAX): {warning}"),
        };
        assert_eq!(resolved(env, |config| config.phase_timeout_max_ms), (ms, warning), "{env:?}");
    }
}

#[test]
fn a_verification_may_take_longer_than_its_checks_have_to_hold() {
    let not_longer = "verifyTimeout (environment VERIFY_TIMEOUT): is not longer than verifyStableTime";
    let default_not_longer = "verifyTimeout (default): is not longer than verifyStableTime";
    for (env, ms, warning) in [
        (&[][..], 300_000, String::new()),
        (&[("VERIFY_TIMEOUT", "1ms")], 1, String::new()),
        (&[("VERIFY_STABLE_TIME", "299s")], 300_000, String::new()),
        (&[("VERIFY_STABLE_TIME", "5m")], 600_000, format!("{default_not_longer}; 10m is taken")),
        (&[("VERIFY_TIMEOUT", "0")], 300_000, format!("{not_longer}; 5m is taken")),
        (&[("VERIFY_STABLE_TIME", "1h"), ("VERIFY_TIMEOUT", "1h")], 3_900_000, format!("{not_longer}; 1h5m is taken")),
        (&[("VERIFY_STABLE_TIME", "1h"), ("VERIFY_TIMEOUT", "3601s")], 3_601_000, String::new()),
    ] {
        assert_eq!(resolved(env, |config| config.groups.verify_timeout_ms), (ms, warning), "{env:?}");
    }
    let longest = [("VERIFY_STABLE_TIME", "2562047h")];
    let (ms, warning) = resolved(&longest, |config| config.groups.verify_timeout_ms);
    assert!(ms == DURATION_MS_MAX && warning.ends_with("; 2562047h is taken"), "{warning}");
    let again = [longest[0], ("VERIFY_TIMEOUT", "2562047h")];
    assert_eq!(resolved(&again, |config| config.groups.verify_timeout_ms), (DURATION_MS_MAX, String::new()));
}

#[test]
fn words_are_taken_in_any_case_and_unknown_ones_warned_about() {
    let file = r#"{"rollback": "BaseLine", "agents": {"a": {"verifyInventory": "ALWAYS"}, "b": {"verifyInventory": "afterreboot"}}}"#;
    let loaded = gathered(file, &[], &["--c-verify-inventory=x", "-domains=a,b,c"]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.groups.rollback, Rollback::Baseline);
    let words: Vec<&str> = config.agents.iter().map(|agent| agent.verify_inventory.name()).collect();
    assert_eq!(words, ["always", "afterReboot", "never"]);
    assert_eq!(loaded.values.get(keys::Id::Rollback).text, "baseline");
    let said: Vec<String> = loaded.warnings.iter().map(Warning::to_string).collect();
    assert_eq!(
        said,
        ["agents.c.verifyInventory (flag --c-verify-inventory): \"x\" is none of never, always, afterReboot; never is taken"]
    );
    for text in ["", "all", "device "] {
        let env = [("ROLLBACK", text)];
        assert_eq!(gathered("{}", &env, &[]).unwrap().config.groups.rollback, Rollback::None);
        let said =
            format!("rollback (environment ROLLBACK): {text:?} is none of none, baseline, device; none is taken");
        assert_eq!(warnings("{}", &env, &[]), [said]);
    }
}

#[test]
fn an_order_out_of_range_is_the_default() {
    for (text, order) in [("1", 1), ("100", 100), ("0", 50), ("101", 50), ("-1", 50), ("356", 50)] {
        let loaded = gathered("{}", &[("CONTAINERS_ORDER", text)], &[]).unwrap();
        assert_eq!(loaded.config.agents[0].order, order, "{text}");
        let said =
            format!("agents.containers.order (environment CONTAINERS_ORDER): {text} is not 1 to 100; 50 is taken");
        let is_wrong = order == 50;
        assert_eq!(
            loaded.warnings.iter().map(Warning::to_string).collect::<Vec<_>>(),
            vec![said; usize::from(is_wrong)]
        );
    }
    let agents =
        gathered(r#"{"agents": {"a": {"order": 7, "failsAlone": true}, "b": {}}}"#, &[], &[]).unwrap().config.agents;
    let taken: Vec<(u8, bool)> = agents.iter().map(|agent| (agent.order, agent.fails_alone)).collect();
    assert_eq!(taken, [(7, true), (50, false)]);
}

#[test]
fn keys_that_are_not_there_yet_are_unknown() {
    for key in ["preconditionMode", "maintenanceWindow", "backendCommands", "supersedeWaiting"] {
        let found = warnings(&format!(r#"{{"{key}": true}}"#), &[], &[]);
        assert!(found.len() == 1 && found[0].contains("is no key of the configuration"), "{found:?}");
    }
}
