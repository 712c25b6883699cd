//! The words that all parts of the program share: what goes over the wire, to disk and to
//! the console means the same everywhere. Nothing here knows how a peer behaves.

mod checksum;
mod domains;
mod identity;
mod phase;
mod reason;
mod reboot;
mod rollback;
pub(crate) mod table;
pub mod text;
pub mod time;

pub use checksum::{checksum, Digest};
pub use domains::{DomainIx, DomainSet, PerDomain};
pub use identity::{ActivityKey, Run};
pub use phase::{ActionStatus, Command, Phase, PhaseSet, Status};
pub use reason::{Cause, Limit, Reason, ReasonKind};
pub use reboot::Reboot;
pub use rollback::Rollback;
