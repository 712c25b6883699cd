//! The simulated world: the whole manager but for its shell, against a broker in bytes, in
//! virtual time, without a thread, a socket or a sleep. Agents, backend and owner live
//! inside it. After each step the engine is checked ([`crate::engine::check`]), and after
//! each case the messages that went over the wire.
//!
//! It is here for tests, of policies of your own too (docs/policies.md, "Testing a
//! policy"):
//!
//! | to prove | use |
//! | --- | --- |
//! | one course, message by message | [`scenario::World`], with agents of [`cast`] and [`actors`] |
//! | random worlds: losses, failing disks, hostile peers | [`sim::random_worlds`] |
//! | a power cut at each moment of each shape of an activity | [`cuts::cut_some`], [`cuts::cut_all`] |
//! | every event in every state that can be reached | [`states::reach`] |
//! | groups that succeed or are turned back together | [`whole::everywhere`] |
//!
//! [`settings::led_by`] has all managers led by given policies meanwhile.
//!
//! A case that fails panics. No build that ships has this module.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

pub mod acked;
pub mod actors;
pub mod asks;
pub mod broker;
pub mod cast;
pub mod checked;
pub mod checks;
pub mod clock;
pub mod company;
pub mod cuts;
pub mod disk;
pub mod erratic;
pub mod forward;
pub mod heap;
pub mod in_lockstep;
pub mod journal;
pub mod kind;
pub mod link;
pub mod plan;
pub mod power;
mod random;
pub mod scenario;
pub mod seen;
pub mod settings;
pub mod sim;
pub mod states;
pub mod told;
pub mod whole;
pub mod wire;
