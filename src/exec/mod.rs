//! A domain that is served by an executable (docs/exec-agent.md): over MQTT, beside
//! the manager, or standalone, in one process with it and without a broker.
//!
//! ```text
//!   request -> course -> steps -> worker -> program
//!   feedback <- course <- lines, exit code <-- program
//! ```
//!
//! [`course`] decides and is pure; [`worker`] calls the program, and remembers in
//! [`memory`] what it needs to go on after a restart.

#[cfg(feature = "exec")]
mod activity;
#[cfg(feature = "exec")]
mod command;
#[cfg(feature = "exec")]
mod course;
#[cfg(all(feature = "exec", test))]
mod course_tests;
#[cfg(feature = "exec")]
mod memory;
#[cfg(feature = "exec")]
mod plan;
#[cfg(feature = "exec")]
mod program;
#[cfg(feature = "exec")]
mod serve;
#[cfg(feature = "exec")]
mod standalone;
#[cfg(feature = "exec")]
mod told;
#[cfg(feature = "exec")]
mod worker;

#[cfg(feature = "exec")]
pub use command::{run, standalone};

#[cfg(not(feature = "exec"))]
mod absent {
    use crate::config::commands::{Agent, Apply};
    use crate::config::Loaded;
    use crate::exit;

    /// Says that it is not there.
    pub fn run(_: &Agent, _: &Loaded) -> u8 {
        complain()
    }

    /// Says that it is not there.
    pub fn standalone(_: &Apply, _: &Loaded) -> u8 {
        complain()
    }

    fn complain() -> u8 {
        eprintln!("update-manager: agents with an executable are not built in");
        exit::FAILED
    }
}

#[cfg(not(feature = "exec"))]
pub use absent::{run, standalone};
