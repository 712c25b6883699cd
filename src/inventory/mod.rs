//! inventory
pub mod store;
