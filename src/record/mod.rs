//! The saved campaign, pure: bytes of what is saved, and which of two slots counts.
//!
//! Each kind of record has two slots, two files that are written in turn, so that
//! a write that is cut leaves the other one as it was:
//!
//! ```text
//!           slot a     slot b      what counts
//!   seq 7:  [7 ok ]    [6 ok ]     7
//!   write:  [7 ok ]    [8 ...      7, for b has no valid checksum
//!   seq 8:  [7 ok ]    [8 ok ]     8
//! ```
//!
//! The desired state's document and its actions are written once per activity,
//! the state at each step of its course: it names the document by its checksum. Of
//! an activity that has ended the state is overwritten by the next one's; a final
//! report that the broker has not acknowledged by then is saved before that.
//! A slot is overwritten in place and then synced: on flash that is the cheapest
//! durable write, for it changes neither a directory nor a file's length.

pub mod actions;
pub mod document;
pub mod format;
#[cfg(test)]
mod golden;
pub mod history;
pub mod reports;
pub mod session;
pub mod slots;
pub mod state;
