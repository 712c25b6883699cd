//! What is printed: the help, and the configuration with its sources.

use core::fmt::Write as _;

use super::args;
use super::keys::{Id, Key, Kind, AGENT_KEYS, KEYS};
use super::unusable::unusable;
use super::values::{masked, shown, Names, Slot};
use super::Loaded;
use crate::limits::BUFFERS;

/// The help: every flag with its default, at most 80 columns.
pub fn help() -> String {
    let mut out = args::usage();
    out.push_str(
        "\nFlags, as -flag or --flag, with the value behind = or a blank; a boolean's only\n\
         behind =. Environment variables are named like the flags: LOG_LEVEL.\n\
         Durations are written as in 90s, 1m30s, 250ms, 1h.\n\n",
    );
    for key in KEYS {
        help_of(&mut out, "", key);
    }
    out.push_str("\nFlags for each domain:\n\n");
    for key in AGENT_KEYS.iter().filter(|key| !key.flag.is_empty()) {
        help_of(&mut out, "<domain>-", key);
    }
    out
}

fn help_of(out: &mut String, prefix: &str, key: &Key) {
    let value = match key.kind {
        Kind::Bool => "",
        Kind::Number => " NUMBER",
        Kind::Duration | Kind::Interval => " DURATION",
        Kind::Text | Kind::Secret | Kind::Level | Kind::Broker => " TEXT",
        Kind::Commands | Kind::Domains => " LIST",
    };
    let default = match (key.kind, key.default) {
        (Kind::Bool, "") => "as below",
        (_, "") => "empty",
        (_, default) => default,
    };
    // A string takes all that is written to it.
    let _ = writeln!(out, "  --{prefix}{}{value} (default {default})\n      {}", key.flag, key.help);
}

/// The configuration as `--check-config` prints it, and whether all is well:
/// every value with its source, the bounds of memory, then warnings and errors.
/// `is_lasting` says whether the state folder survives a power cut.
pub fn check_config(loaded: &Loaded, is_lasting: bool) -> (String, bool) {
    let mut out = String::new();
    let mut slots = loaded.values.slots.clone();
    if let Some(slot) = slots.get_mut(Id::CleanSession as usize) {
        slot.text = loaded.config.connection.is_clean(is_lasting).to_string();
    }
    for (key, slot) in KEYS.iter().zip(&slots) {
        show_value(&mut out, Names { key, domain: None }, slot);
    }
    for agent in loaded.values.agents.iter().flatten() {
        for (key, slot) in AGENT_KEYS.iter().zip(&agent.slots) {
            show_value(&mut out, Names { key, domain: Some(&agent.domain) }, slot);
        }
    }
    show_buffers(&mut out);
    for warning in &loaded.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    let errors = unusable(&loaded.config);
    for error in &errors {
        let _ = writeln!(out, "error: {}", shown(error));
    }
    (out, loaded.warnings.is_empty() && errors.is_empty())
}

/// What can fill, and the sum: the same whatever the configuration says.
fn show_buffers(out: &mut String) {
    for (name, bytes) in BUFFERS {
        let _ = writeln!(out, "memory for {name}: at most {bytes} bytes");
    }
    let all: usize = BUFFERS.iter().map(|(_, bytes)| bytes).sum();
    let _ = writeln!(out, "memory for all of these: at most {all} bytes");
}

fn show_value(out: &mut String, names: Names<'_>, slot: &Slot) {
    let value = masked(names.key.kind, &slot.text);
    let _ = writeln!(out, "{} = {value} ({})", shown(&names.path()), shown(&names.source(slot.source)));
}
