//! The manager's own binary over TLS, against a real mosquitto.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../link/mod.rs"]
mod link;
#[allow(dead_code)]
#[path = "../broker/peers.rs"]
mod peers;
#[allow(dead_code)]
#[path = "../broker/processes.rs"]
mod processes;

mod certificates;
mod clients;
mod files;
mod no_tls;
mod refusals;
mod rounds;
mod world;
