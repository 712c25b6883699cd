//! What the engine is told.

use super::effect::TimerKind;
use super::group::Group;
use super::resume::Saved;
use crate::model::text::Text;
use crate::model::{ActionStatus, ActivityKey, DomainIx, DomainSet, Limit, Rollback, Run, Status};

/// Something that happened. Borrowed from the message that brought it.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The process has started, and an activity was saved.
    Boot(&'a Saved),
    /// The backend wants the device to become this.
    DesiredState(DesiredState<'a>),
    /// An agent says how far it is.
    Feedback(DomainIx, Feedback<'a>),
    /// An agent says that it is connected: it may have started anew.
    Hello(DomainIx),
    /// What the verification command says of a group.
    Checked(Group, Verdict<'a>),
    /// What a domain's inventory shows that has just come, asked for or not.
    Shown(DomainIx, Shown<'a>, Moment),
    /// The owner answers whether the phase may begin.
    ConsentReply(ConsentAnswer<'a>),
    /// The broker has the ROLLBACK that went to the domain.
    Taken(DomainIx),
    /// The broker refuses for good what the domain is to get, a message of so many bytes.
    Refused(DomainIx, u32),
    /// The link to the broker has changed.
    Link(Link),
    /// Whether what is decided cannot be saved from now on, or can again.
    Unsaved(bool),
    /// What `AwaitDelivery` asked for: every report is at the broker.
    Delivered,
    /// And the inventory too.
    Settled,
    /// The reboot was tried, and the host is still up.
    RebootFailed,
    /// A timer ran off that was set with `SetTimer` and not stopped since.
    Timeout(TimerKind),
    /// The running activity is to be given up; whether also while the new is being
    /// put into use.
    Cancel(bool),
    /// A reboot that is due is held (true) or released (false).
    HoldReboot(bool),
    /// The process is told to end.
    Terminate,
}

/// What has become of the link to the broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// It is lost.
    Down,
    /// The broker has accepted us and has kept our session: our subscriptions hold, and
    /// what was said to us meanwhile comes now.
    Kept,
    /// The broker has accepted us and knows nothing of an earlier session: what was said
    /// to us meanwhile is lost.
    Fresh {
        /// Domains with a message of ours that is still to be sent for the first time.
        unsent: DomainSet,
        /// Domains with a message of ours that was sent in the session that is lost, and
        /// that is not sent again: nobody knows whether it arrived.
        dropped: DomainSet,
    },
    /// Our subscriptions hold: agents can be heard.
    Subscribed,
}

/// A desired state, as far as its course depends on it.
#[derive(Clone, Copy, Debug)]
pub struct DesiredState<'a> {
    /// Its content; the activity is not empty.
    pub key: ActivityKey<'a>,
    /// Which activity it becomes if it is accepted.
    pub run: Run,
    /// Its domains, in its order, each named once; at most `DOMAINS_MAX`.
    pub parts: &'a [Part<'a>],
    /// Which domains are a group, if it says so for itself.
    pub rollback: Option<Rollback>,
    /// What may stand in its way.
    pub standing: Standing,
}

/// What is known of a desired state, and of what is saved of the activity before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// The broker may have delivered it before: it says so, or it had kept the message.
    pub may_be_old: bool,
    /// Its activity is among those that have ended and are remembered.
    pub is_remembered: bool,
    /// Its activity is the last one that has ended.
    pub is_last: bool,
    /// Effects of the last activity still wait for a save.
    pub is_held: bool,
    /// The end of the last activity cannot be saved, and nobody insists.
    pub is_blocked: bool,
    /// Domains of which is kept what they are committed to.
    pub restorable: DomainSet,
}

/// A domain that a desired state names.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// As it is named, at most `DOMAIN_ID_MAX` bytes.
    pub id: Text<'a>,
    /// The configured domain; none if no agent serves it.
    pub domain: Option<DomainIx>,
    /// The group of the domains that baselines connect with it; a domain in no baseline is
    /// alone in its own.
    pub group: Group,
}

impl<'a> Part<'a> {
    /// Returns one that no baseline names, in the first group.
    pub fn new(id: Text<'a>, domain: Option<DomainIx>) -> Part<'a> {
        Part { id, domain, group: Group::default() }
    }
}

/// What the verification command says of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict<'a> {
    /// It is good.
    Good,
    /// It is not good yet, and is asked again.
    NotYet,
    /// It is bad, for this reason, which may be empty.
    Bad(Text<'a>),
}

/// What a domain's inventory shows of the components that are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown<'a> {
    /// Each of them in its version.
    All,
    /// This one is not there.
    Missing(Text<'a>),
    /// One of them in another version, in words that name both.
    Other(Text<'a>),
}

/// Of which moment an inventory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nobody knows.
    Any,
    /// It answers `AskBooted`.
    SinceBoot,
}

/// The owner's answer to a question.
#[derive(Clone, Copy, Debug)]
pub struct ConsentAnswer<'a> {
    /// The activity that it says it belongs to; may be empty.
    pub activity: Text<'a>,
    /// Whether the phase may begin.
    pub is_approval: bool,
    /// When it was made, in milliseconds since the Unix epoch; 0 if it does not say.
    pub timestamp: i64,
}

impl<'a> ConsentAnswer<'a> {
    /// Returns one that does not say when it was made.
    pub fn undated(activity: Text<'a>, is_approval: bool) -> ConsentAnswer<'a> {
        ConsentAnswer { activity, is_approval, timestamp: 0 }
    }
}

/// An agent's feedback.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    /// The activity that it says it belongs to; may be empty.
    pub activity: Text<'a>,
    /// The activity in whose place the domain is restored, if it is of that.
    pub restores: Option<Text<'a>>,
    /// Its status.
    pub status: Status,
    /// The agent's words; may be empty.
    pub message: Text<'a>,
    /// Actions that it lists: all, those that changed, or none.
    pub actions: &'a [Action<'a>],
    /// It may have come before: the broker says that it delivers it once more.
    pub is_repeat: bool,
    /// The limit that it passes; what is past it is not in `actions`.
    pub past_limit: Option<Limit>,
}

impl Feedback<'_> {
    /// Returns whether the domain has activated all that it lists, and remembers that.
    pub fn remembers_all(&self) -> bool {
        let is_active = |action: &Action<'_>| action.status == Some(ActionStatus::ActivationSuccess);
        !self.actions.is_empty() && self.actions.iter().all(is_active)
    }
}

/// The planned change of one component, in a feedback.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// Identifier of the component; not empty.
    pub id: Text<'a>,
    /// The whole component object as it stands in the message.
    pub component: &'a str,
    /// None if it is not known or absent.
    pub status: Option<ActionStatus>,
    /// Percent, 0 to 100.
    pub progress: u8,
    /// The agent's words; may be empty.
    pub message: Text<'a>,
}
