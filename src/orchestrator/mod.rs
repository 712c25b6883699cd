//! Decides what is done next. Pure: no I/O, no clock, no allocation, no log.
pub mod campaign;
pub mod domain;
pub mod effect;
pub mod event;
pub mod ids;
pub mod phase;
