//! How the manager is configured.

use std::cell::RefCell;
use std::rc::Rc;

use crate::config::values::{Values, Warning, Warnings};
use crate::config::{file, merge, Config};
use crate::engine::{Engine, Policies};
use crate::manager::{will, Manager};
use crate::model::time::Now;
use crate::mqtt::Options;
use crate::shell;
use serde_json::Value;

use crate::world::checked::{Accepted, Checked};

thread_local! {
    static POLICIES: RefCell<Policies> = RefCell::default();
}

/// Returns the policies that managers are led by that start now.
pub fn policies() -> Policies {
    POLICIES.with(|policies| policies.borrow().clone())
}

/// Has all managers that start meanwhile in this thread led by these policies.
pub fn led_by<T>(policies: Policies, act: impl FnOnce() -> T) -> T {
    let before = POLICIES.with(|current| current.replace(policies));
    let result = act();
    POLICIES.with(|current| current.replace(before));
    result
}

/// A manager that has just started, and saves its activities or does not.
pub fn manager(config: &Config, accepted: &Accepted, is_saved: bool, now: Now) -> Manager {
    let mut engine = Engine::new(shell::settings(config, is_saved), policies());
    engine.observe(Rc::new(Checked::new(Rc::clone(accepted))));
    let options = options(config, is_saved);
    assert_eq!(options.check(), Ok(()));
    let Ok(manager) = Manager::new(config, options, engine, 7, is_saved, now) else { panic!("topics") };
    manager
}

/// A configuration file for plain mode.
pub fn configuration(domains: &[&str], more: &str) -> String {
    let agents: Vec<String> = domains.iter().map(|domain| format!("\"{domain}\": {{}}")).collect();
    let comma = if more.is_empty() { "" } else { ", " };
    format!(r#"{{"thingsEnabled": false, "agents": {{{}}}{comma}{more}}}"#, agents.join(", "))
}

/// A configuration file, as it is read at the start.
pub fn parse(text: &str) -> Config {
    let (mut values, mut warnings) = (Values::new(), Warnings::default());
    assert!(file::apply(text, &mut values, &mut warnings).is_ok(), "a configuration file: {text}");
    merge::settle_domains(&mut values).unwrap();
    let config = merge::resolve(&mut values, &mut warnings).unwrap();
    // A time that is clamped is part of some cases.
    let warnings: Vec<Warning> = warnings.into_vec().into_iter().filter(|one| one.key != "resumeAfter").collect();
    assert_eq!(warnings, [], "a configuration without warnings");
    config
}

/// How long a suspicion lasts before the domain is repaired, in milliseconds: as it is
/// configured, by default a minute, at most half a phase.
pub fn resume_after_ms(text: &str, phase_timeout_ms: u64) -> u64 {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let configured = json["resumeAfter"].as_str().unwrap_or("60s");
    let (number, unit_ms) = match configured.strip_suffix('s') {
        Some(number) => (number, 1_000),
        None => (configured.trim_end_matches('m'), 60_000),
    };
    (number.parse::<u64>().unwrap() * unit_ms).min(phase_timeout_ms / 2)
}

/// As the shell makes them of the configuration, but always the same.
fn options(config: &Config, is_saved: bool) -> Options {
    let connection = &config.connection;
    let client_id = if connection.client_id.is_empty() { "um" } else { &connection.client_id };
    Options {
        keep_alive_s: connection.keep_alive_s,
        clean_session: connection.is_clean(is_saved),
        connect_timeout_ms: connection.connect_timeout_ms,
        ack_timeout_ms: connection.ack_timeout_ms,
        subscribe_timeout_ms: connection.subscribe_timeout_ms,
        unsubscribe_timeout_ms: connection.unsubscribe_timeout_ms,
        retain: connection.retain,
        will: will(&connection.status_topic),
        seed: 7,
        ..Options::new(client_id)
    }
}
