//! Domains that a program serves, as processes: the agent beside a real manager and a
//! real broker, and the standalone apply. With agents/files, and with small programs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../link/mod.rs"]
mod link;
#[allow(dead_code)]
#[path = "../broker/processes.rs"]
mod processes;
#[path = "../script/mod.rs"]
mod script;

mod bench;
mod files;
mod kills;
mod programs;
mod standalone;
mod transcript;
