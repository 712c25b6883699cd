//! Decides what is done next. Pure: no I/O, no clock, no log, and no allocation
//! past its construction. Time comes in as an argument, everything to be done
//! goes out as a value.
//!
//! ```text
//!   DesiredState            all left it well            all left it well
//!  ────────────> Identify ────────────────> Download ────────────> ... Cleanup
//!                   │ any failed               │ a domain failed          │ all
//!                   v                          v                          v ended
//!        IDENTIFICATION_FAILED       CLEANUP to it, others go on   COMPLETED or
//!                                                                  INCOMPLETE
//! ```
//!
//! Where configured, the owner is asked before a phase begins. A refusal turns all
//! domains back: ROLLBACK, then CLEANUP, then INCOMPLETE.
//!
//! [`Orchestrator`] is the boundary: whoever wants another course of an activity
//! implements it and hands it to the daemon. [`Engine`] is ours.

mod answer;
pub mod campaign;
mod cancel;
pub mod check;
mod consent;
mod course;
pub mod domain;
pub mod effect;
pub mod event;
pub mod obligation;
pub mod reboot;
pub mod resume;
#[cfg(test)]
mod resume_tests;
mod running;
#[cfg(test)]
pub(crate) mod tests;

pub use campaign::Campaign;
pub use course::{Engine, Settings};
pub use effect::{Effect, Effects};
pub use event::{Event, Link};

use crate::model::time::Tick;
use crate::model::{DomainIx, DomainSet, Phase, Reboot};

/// The course of an activity.
pub trait Orchestrator {
    /// Takes one event in and adds to `out` what is to be done about it, in order.
    /// The effects are carried out before the next event is handed in.
    ///
    /// # Errors
    /// The event makes no sense at this moment; nothing has changed.
    fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected>;

    /// The running activity, or the last one; none before the first.
    fn campaign(&self) -> Option<&Campaign>;

    /// Why the running activity is not done yet.
    fn waiting_on(&self) -> WaitingOn;

    /// How far the reboot is.
    fn reboot(&self) -> Reboot {
        Reboot::None
    }

    /// What is known of a domain in doubt; none if it is in none.
    fn in_doubt(&self, _domain: DomainIx) -> Option<obligation::InDoubt> {
        None
    }
}

/// What an activity waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitingOn {
    /// No activity runs.
    Nothing,
    /// These domains owe an answer.
    Agents(DomainSet),
    /// The owner's consent to this phase is awaited.
    Consent(Phase),
    /// The disk: what was decided is being saved first.
    Save,
    /// The broker: the end is to be reported before the host reboots.
    Link,
    /// The reboot: it is due, or the host should be going down.
    Reboot,
}

/// A good message at a wrong moment. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejected {
    /// A desired state while another activity runs.
    Busy,
    /// A desired state of the activity that runs.
    SameActivity,
    /// A desired state while a reboot is due.
    RebootPending,
    /// A feedback for an activity that does not run.
    WrongActivity,
    /// A feedback of a domain that takes no part.
    NotTakingPart,
    /// A feedback of a domain whose part has ended.
    Ended,
    /// An owner's answer that nobody asked for.
    NotAsked,
    /// No activity runs that could be cancelled.
    NotRunning,
    /// The activity to be cancelled is being put into use.
    Activating,
    /// The activity to be cancelled is being cleaned up: it ends by itself.
    Ending,
    /// There is no reboot that could be held or released.
    NoReboot,
    /// This orchestration cannot do that.
    Unsupported,
}
