//! A domain that is served by an executable (docs/exec-agent.md): over MQTT, beside
//! the manager, or standalone, in one process with it and without a broker.
//!
//! ```text
//!   request -> course -> steps -> worker -> program
//!   feedback <- course <- lines, exit code <-- program
//! ```
//!
//! `course` decides and is pure; `worker` calls the program, and remembers in
//! `memory` what it needs to go on after a restart.

mod activity;
mod command;
mod course;
#[cfg(test)]
mod course_tests;
mod lock;
mod memory;
mod plan;
mod serve;
mod standalone;
mod told;
mod worker;

pub use command::{run, standalone};
