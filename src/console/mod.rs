//! The console: what somebody at the gateway asks, and what they are answered.

pub mod client;
