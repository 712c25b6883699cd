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

use update_manager::world::heap::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

mod again;
mod better;
mod consent;
mod console;
mod console_inventory;
mod console_lengths;
mod containers;
mod courses;
mod cuts;
mod deaf;
mod every_agent;
mod faults;
mod flash;
mod frugal;
mod good_bye;
mod half_sent;
mod held_answers;
mod history;
mod kept;
mod late;
mod many;
mod policies;
mod reboot;
mod repair;
mod review;
mod room;
mod saved;
mod self_update;
mod session;
mod sim;
mod state;
mod states;
mod stern;
mod twin;
mod unsendable;
mod verification;
mod whole;
mod whole_boots;
