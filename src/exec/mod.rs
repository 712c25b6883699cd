//! A domain that is served by an executable.

use crate::config::commands::{Agent, Apply};
use crate::config::Loaded;
use crate::exit;

/// Serves a domain over MQTT until the process is told to end; the exit code.
pub fn run(_options: &Agent, _loaded: &Loaded) -> u8 {
    eprintln!("update-manager: agent is not yet built");
    exit::FAILED
}

/// Applies a desired state in this process with the agents that the configuration
/// names; the exit code.
pub fn standalone(_options: &Apply, _loaded: &Loaded) -> u8 {
    eprintln!("update-manager: apply --standalone is not yet built");
    exit::FAILED
}
