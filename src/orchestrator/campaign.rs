//! The activity as it is saved and reported.

use heapless::{String, Vec};

use super::domain::Domain;

use super::ids::DomainIx;
use super::phase::{ActionStatus, Status};
use crate::limits::{
    ACTIONS_MAX, ACTION_COMPONENT_MAX, ACTION_MESSAGE_MAX, ACTIVITY_ID_MAX, DOMAINS_MAX, DOMAIN_ID_MAX,
};

/// One activity, from its acceptance on; kept after its end until the next.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The activity's identifier, escaped as in JSON.
    pub activity: String<ACTIVITY_ID_MAX>,
    /// Its final status, once it has one.
    pub outcome: Option<Status>,
    /// Why it ended if no domain is to blame.
    pub cause: Option<Cause>,
    /// The domains that take part, by place; those that do not are `None`.
    pub domains: [Option<Domain>; DOMAINS_MAX],
    /// Domains that it names and no agent serves, escaped as in JSON.
    pub unserved: Vec<String<DOMAIN_ID_MAX>, DOMAINS_MAX>,
    /// Actions of all domains.
    pub actions: Actions,
}

/// Why an activity ended although no domain failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// No domain of it has an agent.
    NoSupportedDomain,
    /// The process was told to end.
    Terminated,
}

/// Known actions, in the order in which they first came.
#[derive(Clone, Debug, Default)]
pub struct Actions(Vec<KnownAction, ACTIONS_MAX>);

/// An action as it was last reported.
#[derive(Clone, Debug)]
pub struct KnownAction {
    /// Whose it is.
    pub domain: DomainIx,
    /// Where in `component` its identifier stands.
    id: (u16, u16),
    /// The component object as it came.
    component: String<ACTION_COMPONENT_MAX>,
    /// The last status that we know; none if none was ever known.
    pub status: Option<ActionStatus>,
    /// Percent, 0 to 100.
    pub progress: u8,
    /// Escaped as in JSON, at most `ACTION_MESSAGE_MAX` bytes.
    message: String<ACTION_MESSAGE_MAX>,
}

impl KnownAction {
    /// The component object as it came.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// The agent's words.
    pub fn message(&self) -> &str {
        &self.message
    }
}
