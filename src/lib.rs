//! The Update Manager.

pub mod config;
pub mod inventory;
pub mod limits;
pub mod logging;
pub mod mqtt;
pub mod orchestrator;
pub mod router;
pub mod shell;
pub mod text;
pub mod time;
pub mod wire;
