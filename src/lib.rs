//! The Update Manager: brings every update agent of a gateway to one desired
//! state over MQTT.
//!
//! # The way of a message
//!
//! ```text
//! socket -> mqtt -> wire (decode) -> engine -> store -> wire (encode) -> mqtt -> socket
//!   shell            manager: Event   or inventory      ^       manager: Effect        shell
//!                                                      v
//!                                                    shell -> disk
//! ```
//!
//! Bytes come in at [`shell`], which owns the socket, the files, the clocks and the
//! signals. [`mqtt`] makes packets of them, [`wire`] messages, [`manager`] events. The
//! [`engine`] decides about the activity, [`inventory`] about the current
//! state. What they decide goes the same way back; [`store`] holds back what depends on a
//! state that is not saved yet. Time is an argument all the way: only the shell reads a
//! clock, and only the shell awaits.
//!
//! At a start the way is shorter: `shell` reads the files, `store` decodes them, and the
//! engine takes the activity up with [`engine::Event::Boot`].
//!
//! # Where to change what
//!
//! | change | place |
//! | --- | --- |
//! | a phase, command, status, reason or limit: its name, its code on disk, its meaning | [`model`], one table each |
//! | the course of an activity | [`engine`]; its rules stand again in [`engine::check`] |
//! | when inventories are asked for and reported | [`inventory`] |
//! | how a message or a topic is spelled | [`wire`] |
//! | delivery, reconnection, keep-alive | [`mqtt`] |
//! | what is saved, when and in which format, retries, what waits for a save | [`store`] |
//! | which event a message is, which message an effect is, log lines | [`manager`] |
//! | what is said of a desired state before it is applied | [`validate`] |
//! | what the console shows, and the process that asks for it | [`console`]; what has happened: [`store::journal`] |
//! | sockets, files, signals, the process | [`shell`] |
//! | how an agent in Rust is written | `agent`, with the feature of that name |
//! | how a domain is served by an executable | `exec`, with the feature of that name |
//! | a key, a flag, a default | [`config`] |
//! | a capacity | [`limits`] |
//!
//! # Invariants
//!
//! - `model`, `engine`, `inventory`, `store`, `wire` and `mqtt` make no system call
//!   and read no clock. All but `store` log nothing, and allocate only when they are made,
//!   apart from what the MQTT codec needs for each packet that comes in.
//! - A status, a command or a reason has one name and one code, in `model`. Nothing outside
//!   `wire` knows how a topic or JSON is spelled.
//! - Nothing outside `mqtt::codec` names the MQTT library.
//! - Nothing grows past [`limits`].
//! - No message leaves and none is acknowledged before the state that it depends on is
//!   saved, except while writing fails. `store` alone sees to that.
//! - [`model::Run`] says which activity something belongs to, [`model::ActivityKey`] whether
//!   two desired states are the same. There is no other identity.
//! - An activity that was accepted gets one final status, and nothing is commanded
//!   after it.
//! - What a document is encoded from does not change while it is being sent.

pub mod limits;
pub mod model;

pub mod mqtt;
pub mod wire;

pub mod inventory;

pub mod engine;
pub mod store;

pub mod manager;

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
#[cfg(feature = "world")]
pub mod world;
