//! The side of the one who asks: a process of its own.

use crate::config::commands::Command;
use crate::config::Config;
use crate::exit;

/// Asks the running manager and prints its answer; the exit code.
pub fn run(_command: &Command, _config: &Config) -> u8 {
    eprintln!("update-manager: the console is not yet built");
    exit::FAILED
}
