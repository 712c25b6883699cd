//! The broker as `packaging/mosquitto` configures it: each role can do its part,
//! and none can do another's.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../link/mod.rs"]
mod link;
#[allow(dead_code)]
#[path = "../broker/peers.rs"]
mod peers;
#[allow(dead_code)]
#[path = "../broker/processes.rs"]
mod processes;

mod backend;
mod hostile;
mod roles;
mod world;
