//! The console: what somebody at the gateway asks, and what they are answered.
//! Pure but for [`client`], which is a process of its own beside the manager.

pub mod client;
mod groups;
pub mod history;
pub mod page;
pub mod report;
pub mod status;
pub mod view;
pub mod watch;
