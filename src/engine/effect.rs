//! What the engine wants done.

use core::mem::size_of;

use super::group::Group;
use super::obligation::Doubt;
use super::policy::Fault;
use crate::limits::{EFFECTS_MAX, EFFECT_BYTES};
use crate::model::time::Tick;
use crate::model::{Command, DomainIx, Phase, Status};

/// Something to be done, in the order given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Report this status of the campaign to the backend.
    Report(Status),
    /// Give the domain its part of the desired state.
    Forward(DomainIx),
    /// Give the domain a command.
    Send(DomainIx, Command),
    /// Give the domain what it was committed to, or this command about it: in the activity in
    /// which it is restored.
    Restore(DomainIx, Option<Command>),
    /// Ask the owner whether this phase may begin.
    AskConsent(Phase),
    /// The question is closed: answered, late or needless.
    CloseConsent,
    /// Hand in `Delivered` when the broker has acknowledged every report, and
    /// `Settled` when it has the current state too.
    AwaitDelivery,
    /// Reboot the host.
    Reboot,
    /// Report the current state of the device, with the campaign's activity.
    ReportInventory,
    /// Ask the verification command about the group; hand in `Checked` when it has answered.
    Check(Group),
    /// End the verification command of the group, and hand in nothing of it.
    EndCheck(Group),
    /// Ask the domain's agent for its inventory; hand in `Shown` when one comes.
    AskInventory(DomainIx),
    /// Ask the domain's agent for its inventory, which tells what the host has booted; hand in
    /// `Shown` when it comes.
    AskBooted(DomainIx),
    /// Hand in `Timeout` at this point in time; takes the place of an earlier one.
    SetTimer(TimerKind, Tick),
    /// Forget about this timer.
    StopTimer(TimerKind),
    /// Tell the one who reads the log.
    Notice(Notice),
}

const _: () = assert!(size_of::<Effect>() <= EFFECT_BYTES);

/// The timers of an activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TimerKind {
    /// A phase takes too long.
    Phase,
    /// A domain is silent while it cleans up or rolls back.
    Cleanup,
    /// The next `RUNNING` may be reported.
    Feedback,
    /// The owner does not answer.
    Consent,
    /// The host is to be rebooted.
    Reboot,
    /// A domain in doubt is to be started over, or what follows that is due.
    Repair,
    /// A check of a group is to be asked, or was asked for long enough.
    Verify,
}

impl TimerKind {
    /// All kinds.
    pub const ALL: [TimerKind; 7] = [
        TimerKind::Phase,
        TimerKind::Cleanup,
        TimerKind::Feedback,
        TimerKind::Consent,
        TimerKind::Reboot,
        TimerKind::Repair,
        TimerKind::Verify,
    ];
}

/// Worth a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A status that means nothing at this moment.
    Ignored(DomainIx, Status),
    /// What was said to the domain, or what it said, may be lost.
    Doubted(DomainIx, Doubt),
    /// The domain gets the desired state again.
    Repaired(DomainIx),
    /// The domain has started over and is led to the phase of the others.
    StartedOver(DomainIx),
    /// The domain gets this command once more.
    Repeated(DomainIx, Command),
    /// A failure that counts only if the domain does not start over.
    FailureKept(DomainIx, Status),
    /// Actions past a limit were dropped.
    ActionsDropped(DomainIx),
    /// The domain has failed; its reason is in the campaign.
    Failed(DomainIx),
    /// The domain has not ended its clean-up.
    NotCleanedUp(DomainIx),
    /// The domain gets what it was committed to.
    Restoring(DomainIx),
    /// The domain does not become what it was committed to; the reason is in the campaign.
    NotRestored(DomainIx),
    /// The policy wanted a step that makes no sense: nothing has come of it.
    Fault(Fault),
    /// The activity needs a reboot, and reboots are turned off.
    RebootDisabled,
}

/// Effects of one event, in order. Made once and used again for each event.
#[derive(Clone, Debug)]
pub struct Effects(Vec<Effect>);

impl Default for Effects {
    fn default() -> Effects {
        Effects::new()
    }
}

impl Effects {
    /// None. Allocates the place of `EFFECTS_MAX`, once.
    pub fn new() -> Effects {
        Effects(Vec::with_capacity(EFFECTS_MAX))
    }

    /// Adds one at the end.
    ///
    /// # Panics
    /// Past `EFFECTS_MAX`, which no event reaches: an invariant of our own.
    pub fn push(&mut self, effect: Effect) {
        assert!(self.0.len() < EFFECTS_MAX, "more than {EFFECTS_MAX} effects of one event");
        self.0.push(effect);
    }

    /// Removes those for which `keeps` is false.
    pub fn retain(&mut self, keeps: impl FnMut(&Effect) -> bool) {
        self.0.retain(keeps);
    }

    /// Takes them all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl core::ops::Deref for Effects {
    type Target = [Effect];

    fn deref(&self) -> &[Effect] {
        &self.0
    }
}
