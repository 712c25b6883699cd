//! The manager's own binary against a real mosquitto: what only a real broker
//! shows. Backend and agents are played by the tests, over the same session code.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../link/mod.rs"]
mod link;
#[path = "../script/mod.rs"]
mod script;

#[allow(dead_code)]
#[path = "../load/figures.rs"]
mod figures;

mod activity;
mod away;
mod deaf;
mod ending;
mod limits;
mod listeners;
mod lock;
mod peers;
mod presence;
mod processes;
mod raw;
mod service;
mod soak;
mod stalls;
mod unsendable;
mod verification;
