//! Policies: which domain may be told what next.
//!
//! The [`Engine`](super::Engine) knows how one domain is led through its part; a policy
//! decides about all of them. After each event the engine asks the policy of the activity
//! for one [`Step`] after another, until it says [`Step::Wait`], and checks each of them.
//! A policy sees only a [`View`] and has no state of its own, so there is nothing that it
//! could lose over a restart (docs/policies.md).
//!
//! Deliberately absent: messages, timers, disks, consent, repairs, reboots. The engine has
//! all that for every policy.

mod lockstep;
mod parts;
mod together;
pub mod view;

use std::fmt;
use std::rc::Rc;

pub use lockstep::Lockstep;
pub use parts::{finish, identify, lead, turn_back};
pub use together::Together;
pub use view::{Stand, Verification, View};

pub use super::domain::{Ended, Ending};
use super::group::Group;
use crate::limits::POLICY_NAME_MAX;
use crate::model::{DomainIx, DomainSet, Phase, Status};

/// Decides about the course of an activity.
pub trait Policy {
    /// Returns its name, at most `POLICY_NAME_MAX` bytes. It is saved with the activity: at
    /// a start without a policy of this name the activity is turned back and ends.
    fn name(&self) -> &'static str;

    /// Returns whether it is the policy for the activity that the view shows, which has
    /// not begun yet. The first policy that says so is chosen.
    fn suits(&self, _view: &View<'_>) -> bool {
        true
    }

    /// Returns the group of a domain, asked once when the activity begins. The view shows the
    /// groups that the baselines of the desired state make.
    fn group(&self, _view: &View<'_>, _domain: DomainIx) -> Group {
        Group::default()
    }

    /// Returns what follows from how things stand. It is pure: of the same view follows
    /// the same step.
    fn next(&self, view: &View<'_>) -> Step;
}

/// What a policy has the engine do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing, until something has happened.
    Wait,
    /// These domains are told to do this.
    Do(Act, DomainSet),
    /// The backend is told `IDENTIFYING`, or `IDENTIFIED`.
    Announce(Status),
    /// What the group has activated is verified.
    Verify(Group),
    /// The host reboots before anything else follows.
    Reboot,
    /// Nothing of the group is turned back from now on.
    Commit(Group),
    /// Nothing of the group is led forward from now on, nor started over.
    TurnBack(Group),
    /// The activity ends with this final status.
    Finish(Status),
}

/// What a domain is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Begin this phase, the one that follows the phase that it has left.
    Forward(Phase),
    /// Undo what it has done.
    Rollback,
    /// Become what it was committed to before.
    Restore,
    /// Remove what is not needed any more: its part ends with that.
    Cleanup,
}

/// Why a step is not taken: a mistake of the policy's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No domain is named, or one that takes no part.
    NotTakingPart,
    /// A domain is not where this act could begin.
    Unready(Act),
    /// The domain's group is committed.
    Committed,
    /// The owner is asked, and the domains that wait are held.
    Held,
    /// The activity is to be turned back.
    TurnedBack,
    /// The group is turned back already.
    GroupTurnedBack,
    /// The host reboots already, or was rebooted too often.
    Rebooting,
    /// It has been announced, or comes too early, or cannot be announced.
    Announcement(Status),
    /// The group is verified already.
    Verified,
    /// The group has no domain, or one that has not activated.
    NotActivated,
    /// A domain still owes an answer, or has failed, or it is no final status.
    Unfinished(Status),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotTakingPart => f.write_str("no domain is named, or one that takes no part"),
            Fault::Unready(act) => write!(f, "a domain is not ready for {act:?}"),
            Fault::Committed => f.write_str("the group is committed"),
            Fault::Held => f.write_str("the domains are held until the owner has answered"),
            Fault::TurnedBack => f.write_str("the activity is to be turned back"),
            Fault::Rebooting => f.write_str("the host reboots already, or was rebooted too often"),
            Fault::GroupTurnedBack => f.write_str("the group is turned back"),
            Fault::Announcement(status) => write!(f, "{} cannot be announced now", status.name()),
            Fault::Verified => f.write_str("the group is verified already"),
            Fault::NotActivated => f.write_str("the group has no domain, or one that has not activated"),
            Fault::Unfinished(status) => write!(f, "the activity cannot end {} now", status.name()),
        }
    }
}

/// The policies that a manager has, in the order in which they are asked whether they suit
/// an activity.
#[derive(Clone)]
pub struct Policies(Rc<[Box<dyn Policy>]>);

impl Policies {
    /// Returns these policies. An activity that suits none of them, and one that was saved
    /// with another policy, is turned back and ends.
    pub fn new(policies: Vec<Box<dyn Policy>>) -> Policies {
        Policies(policies.into())
    }

    /// Returns one policy, for every activity.
    pub fn only(policy: impl Policy + 'static) -> Policies {
        Policies::new(vec![Box::new(policy)])
    }

    /// Returns their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.all().map(Policy::name)
    }

    /// Returns the policy for the activity that the view shows.
    pub(super) fn choose(&self, view: &View<'_>) -> Option<&dyn Policy> {
        self.all().find(|policy| policy.suits(view))
    }

    /// Returns the policy of this name.
    pub(super) fn find(&self, name: &str) -> Option<&dyn Policy> {
        self.all().find(|policy| saved_name(*policy) == name)
    }

    fn all(&self) -> impl Iterator<Item = &dyn Policy> {
        self.0.iter().map(|policy| &**policy)
    }
}

impl Default for Policies {
    fn default() -> Policies {
        Policies::new(vec![Box::new(Together), Box::new(Lockstep)])
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Returns a policy's name as far as it is saved.
pub(super) fn saved_name(policy: &dyn Policy) -> &'static str {
    let name = policy.name();
    let ends = (0..=POLICY_NAME_MAX.min(name.len())).rev();
    ends.filter_map(|end| name.get(..end)).next().unwrap_or_default()
}
