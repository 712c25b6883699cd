//! The Update Manager: brings every update agent of a gateway to one desired
//! state over MQTT.
//!
//! # The way of a message
//!
//! ```text
//! socket -> mqtt -> wire (decode) -> orchestrator -> wire (encode) -> mqtt -> socket
//!   shell            router: Event       or inventory     router: Effect        shell
//! ```
//!
//! Bytes come in at [`shell`], which owns the socket, the clocks and the signals.
//! [`mqtt`] makes packets of them, [`wire`] messages, [`router`] events. The
//! [`orchestrator`] decides about the activity, [`inventory`] about the current
//! state. What they want done goes the same way back. Time is an argument all the
//! way: only the shell reads a clock, and only the shell awaits.
//!
//! # Where to change what
//!
//! | change | place |
//! | --- | --- |
//! | the course of an activity | [`orchestrator`]; its rules stand again in [`orchestrator::check`] |
//! | when inventories are asked for and reported | [`inventory`] |
//! | how something is spelled in a message or topic | [`wire`] |
//! | delivery, reconnection, keep-alive | [`mqtt`] |
//! | which event a message is, which message an effect is, log lines | [`router`] |
//! | what is said of a desired state before it is applied | [`validate`] |
//! | what the console shows, and the process that asks for it | [`console`], [`journal`] |
//! | sockets, signals, the process | [`shell`] |
//! | how an agent in Rust is written | `agent`, with the feature of that name |
//! | how a domain is served by an executable | `exec`, with the feature of that name |
//! | a key, a flag, a default | [`config`] |
//! | a capacity | [`limits`] |
//!
//! # Invariants
//!
//! - `orchestrator`, `inventory`, `wire` and `mqtt` make no system call, read no
//!   clock and log nothing. They allocate only when they are made, apart from what
//!   the MQTT codec needs for each packet that comes in.
//! - Nothing outside `wire` knows how a status, a command or a topic is spelled.
//! - Nothing outside `mqtt::codec` names the MQTT library.
//! - Nothing grows past [`limits`].
//! - An activity that was accepted gets one final status, and nothing is commanded
//!   after it.
//! - What a document is encoded from does not change while it is being sent.

pub mod limits;
pub mod model;

pub mod mqtt;
pub mod wire;

pub mod inventory;

pub mod orchestrator;
pub mod store;

pub mod router;

pub mod config;
pub mod console;
#[cfg(feature = "exec")]
pub mod exec;
pub mod exit;
pub mod logging;
pub mod shell;
pub mod validate;

#[cfg(feature = "agent")]
pub mod agent;
