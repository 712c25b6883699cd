//! Checks a desired state without applying it.

use crate::config::commands::Validate;
use crate::config::Loaded;
use crate::exit;

/// Prints what is wrong with a desired state; the exit code.
pub fn run(_options: &Validate, _loaded: &Loaded) -> u8 {
    eprintln!("update-manager: validate is not yet built");
    exit::FAILED
}
