//! The Update Manager: brings every update agent of a gateway to one desired
//! state over MQTT.
//!
//! # The way of a message
//!
//! ```text
//! socket -> mqtt -> wire -> manager -> engine -> store -> manager -> wire -> mqtt -> socket
//!  shell                                          |                                  shell
//!                                                 v
//!                                               shell -> disk
//! ```
//!
//! Bytes come in at [`shell`], which owns the socket, the files, the clocks and the
//! signals. [`mqtt`] makes packets of them, [`wire`] messages, [`manager`] events. The
//! [`engine`] decides about the activity, [`inventory`] about the current state. What they
//! decide goes the same way back; [`store`] holds back what depends on a state that is not
//! saved yet. Time is an argument all the way: only the shell reads a clock, and only the
//! shell awaits.
//!
//! docs/architecture.md follows single messages through the files, and says where to change
//! what.
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
pub mod nearest;

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
