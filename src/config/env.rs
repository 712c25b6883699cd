//! The environment, as the reference reads it: a variable that is set but empty
//! counts.

use std::ffi::OsString;

use super::duration::{parse_bool, parse_decimal};
use super::keys::{Kind, AGENT_KEYS, KEYS};
use super::values::{shown, Names, Slot, Source, Values, Warnings};

/// Reads a variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Puts the variables of [`KEYS`] into `values`.
pub fn apply(lookup: Lookup<'_>, values: &mut Values, warnings: &mut Warnings) {
    for (slot, key) in values.slots.iter_mut().zip(KEYS) {
        take(lookup, Names { key, domain: None }, slot, warnings);
    }
}

/// Puts the variables of the domains into `values`, whose domains are known.
pub fn apply_to_agents(lookup: Lookup<'_>, values: &mut Values, warnings: &mut Warnings) {
    for agent in values.agents.iter_mut().flatten() {
        for (slot, key) in agent.slots.iter_mut().zip(AGENT_KEYS) {
            take(lookup, Names { key, domain: Some(&agent.domain) }, slot, warnings);
        }
    }
}

/// Takes one variable; what is below stays if it cannot be used.
fn take(lookup: Lookup<'_>, names: Names<'_>, slot: &mut Slot, warnings: &mut Warnings) {
    let name = names.env();
    if name.is_empty() {
        return;
    }
    let Some(value) = lookup(&name) else { return };
    let text = match (value.into_string(), names.key.kind) {
        (Err(_), _) => Err(String::from("is not UTF-8")),
        (Ok(text), Kind::Bool) => {
            parse_bool(&text).map(|v| v.to_string()).ok_or_else(|| format!("{:?} is no boolean", shown(&text)))
        }
        (Ok(text), Kind::Number) => {
            parse_decimal(&text).map(|v| v.to_string()).ok_or_else(|| format!("{:?} is no whole number", shown(&text)))
        }
        (Ok(text), _) => Ok(text),
    };
    match text {
        Ok(text) => *slot = Slot { text, source: Source::Env },
        Err(reason) => {
            let kept = format!("{reason}; {} ({}) is taken", shown(&slot.text), names.source(slot.source));
            warnings.of_key(names, Source::Env, kept);
        }
    }
}
