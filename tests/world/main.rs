//! The simulated world: the whole manager but for its shell, against a broker in
//! bytes, in virtual time, without a thread, a socket or a sleep. The agents, the
//! backend and the owner live inside it. After each of its steps the engine
//! is checked, and after each case the messages that went over the wire.
//!
//! `every_agent`, `containers` and `self_update` play what agents in the field send
//! (docs/agents.md). `repair` and `late` play what the manager
//! does when something may have been lost, rule by rule; `courses` and `stern` lead the
//! agents of `cast`, as strict as those in the field, through whole activities in which
//! something is lost. `forward` checks in every world that no command goes out twice.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acked;
mod actors;
mod better;
mod broker;
mod cast;
mod checked;
mod clock;
mod company;
mod consent;
mod console;
mod containers;
mod courses;
mod cuts;
mod disk;
mod erratic;
mod every_agent;
mod faults;
mod flash;
mod forward;
mod frugal;
mod heap;
mod journal;
mod kind;
mod late;
mod link;
mod many;
mod model;
mod power;
mod random;
mod reboot;
mod repair;
mod review;
mod saved;
mod scenario;
mod seen;
mod self_update;
mod session;
mod settings;
mod sim;
mod state;
mod states;
mod stern;
mod told;
mod twin;
mod wire;
