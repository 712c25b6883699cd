//! The activity as it is saved and reported.

use core::mem::size_of;

use heapless::String;

use super::domain::{Domain, State};
use super::event::{Action, DesiredState};
use super::group::GroupSet;
use crate::limits::{
    ACTIONS_MAX, ACTION_BYTES, ACTION_COMPONENT_MAX, ACTION_MESSAGE_MAX, ACTIVITY_ID_MAX, DOMAINS_MAX, DOMAIN_ID_MAX,
    PART_BYTES, POLICY_NAME_MAX,
};
use crate::model::text::Text;
use crate::model::{ActionStatus, ActivityKey, Cause, DomainIx, DomainSet, Limit, PerDomain, Phase, Run, Status};

/// One activity, from its acceptance on; kept after its end until the next.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Which activity it is.
    pub run: Run,
    /// The activity's identifier, escaped as in JSON.
    pub activity: String<ACTIVITY_ID_MAX>,
    /// The desired state's timestamp, milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// CRC-32 of the desired state's payload.
    pub crc: u32,
    /// The policy that leads it.
    pub policy: String<POLICY_NAME_MAX>,
    /// What the backend was told last of its beginning: `IDENTIFYING` or `IDENTIFIED`.
    pub announced: Option<Status>,
    /// The last phase that any domain was told to begin; the last of all when it is turned
    /// back.
    pub phase: Phase,
    /// The groups of which nothing is turned back any more.
    pub committed: GroupSet,
    /// The groups that are verified. Not saved: verification begins anew at a start.
    pub verified: GroupSet,
    /// The phase that waits for the owner's consent.
    pub asking: Option<Phase>,
    /// Its final status, once it has one.
    pub outcome: Option<Status>,
    /// Why it ended if no domain is to blame.
    pub cause: Option<Cause>,
    /// For how many milliseconds the owner was waited for, if that is the cause.
    pub waited_ms: u64,
    /// Whether the broker has acknowledged the final status.
    pub is_delivered: bool,
    /// The phase to which the owner has consented, and that has not begun since.
    pub approved: Option<Phase>,
    /// How often it was taken up while a domain owed something, without a feedback since.
    pub starts: u8,
    /// Whether it was taken up after a start of the process. Not saved.
    pub is_taken_up: bool,
    /// The domains that take part, by place; those that do not are `None`.
    pub domains: PerDomain<Domain>,
    /// Domains that took part before the last start and are not configured any more.
    pub gone: Vec<Gone>,
    /// Domains that it names and no agent serves, escaped as in JSON.
    pub unserved: Box<heapless::Vec<String<DOMAIN_ID_MAX>, DOMAINS_MAX>>,
    /// Actions of all domains.
    pub actions: Actions,
}

/// A domain that took part, and that the configuration does not have any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Gone {
    /// Its name.
    pub name: String<DOMAIN_ID_MAX>,
    /// Its part, as it was when it was last configured.
    pub part: Domain,
}

impl Default for Campaign {
    fn default() -> Campaign {
        Campaign::new()
    }
}

impl Campaign {
    /// An empty one. Allocates the places of domains and actions, once.
    pub fn new() -> Campaign {
        Campaign {
            run: Run::NONE,
            activity: String::new(),
            timestamp: 0,
            crc: 0,
            policy: String::new(),
            announced: None,
            committed: GroupSet::default(),
            verified: GroupSet::default(),
            phase: Phase::Identify,
            asking: None,
            outcome: None,
            cause: None,
            waited_ms: 0,
            is_delivered: false,
            approved: None,
            starts: 0,
            is_taken_up: false,
            domains: PerDomain::new(),
            gone: Vec::new(),
            unserved: Box::default(),
            actions: Actions::new(),
        }
    }

    /// Becomes the activity of this desired state; no domain has been told anything.
    pub fn begin(&mut self, desired: &DesiredState<'_>) {
        self.reset();
        self.run = desired.run;
        self.activity = desired.key.activity.cut_to();
        self.timestamp = desired.key.timestamp;
        self.crc = desired.key.crc;
        for part in desired.parts {
            match part.domain {
                Some(domain) => self.domains[domain.place()] = Some(Domain::new(State::New)),
                // As many parts as places: each is named once.
                None => drop(self.unserved.push(part.id.cut_to())),
            }
        }
    }

    /// Becomes empty again.
    pub fn reset(&mut self) {
        self.run = Run::NONE;
        self.activity.clear();
        self.timestamp = 0;
        self.crc = 0;
        self.policy.clear();
        self.announced = None;
        self.committed = GroupSet::default();
        self.verified = GroupSet::default();
        self.phase = Phase::Identify;
        self.asking = None;
        self.outcome = None;
        self.cause = None;
        self.waited_ms = 0;
        self.is_delivered = false;
        self.approved = None;
        self.starts = 0;
        self.is_taken_up = false;
        self.domains.clear();
        self.gone.clear();
        self.unserved.clear();
        self.actions.clear();
    }

    /// The content of its desired state.
    pub fn key(&self) -> ActivityKey<'_> {
        ActivityKey { activity: Text::from_checked(&self.activity), timestamp: self.timestamp, crc: self.crc }
    }

    /// Whether it has no final status yet.
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether the backend was told that all domains have identified.
    pub fn is_identified(&self) -> bool {
        self.announced == Some(Status::Identified)
    }

    /// Whether `activity` is its identifier.
    pub fn is_activity(&self, activity: Text<'_>) -> bool {
        Text::from_checked(&self.activity) == activity
    }

    /// The part of a domain, if it takes part.
    pub fn domain(&self, domain: DomainIx) -> Option<&Domain> {
        self.domains[domain.place()].as_ref()
    }

    /// The part of a domain, if it takes part.
    pub fn domain_mut(&mut self, domain: DomainIx) -> Option<&mut Domain> {
        self.domains.get_mut(domain.place())?.as_mut()
    }

    /// The domains whose state is as asked, in the order of the configuration.
    pub fn domains_in(&self, wanted: impl Fn(State) -> bool) -> DomainSet {
        let state_of = |d: &DomainIx| self.domain(*d).map(|domain| domain.state);
        DomainSet::first(DOMAINS_MAX).iter().filter(|d| state_of(d).is_some_and(&wanted)).collect()
    }

    /// The domains that take part.
    pub fn participants(&self) -> DomainSet {
        self.domains_in(|_| true)
    }

    /// Whether any domain has failed.
    pub fn has_failed(&self) -> bool {
        let gone = self.gone.iter().map(|gone| &gone.part);
        self.domains.iter().flatten().chain(gone).any(|domain| domain.failure.is_some())
    }
}

/// Known actions, in the order in which they first came.
///
/// Their place is allocated once: they are the largest thing that an activity
/// needs, and untouched memory costs nothing.
#[derive(Debug)]
pub struct Actions {
    all: Vec<KnownAction>,
    /// Where the next one that comes most likely is: agents keep to their order.
    next: usize,
}

/// Status of an action, if one is known, and percent.
pub type HowFar = (Option<ActionStatus>, u8);

/// An action as it was last reported.
#[derive(Clone, Debug)]
pub struct KnownAction {
    /// Whose it is.
    pub domain: DomainIx,
    /// Identifier of the component, where it stands in `component`.
    id: (u16, u16),
    component: String<ACTION_COMPONENT_MAX>,
    /// The last status that we know; none if none was ever known.
    pub status: Option<ActionStatus>,
    /// Percent, 0 to 100.
    pub progress: u8,
    message: String<ACTION_MESSAGE_MAX>,
}

impl Clone for Actions {
    /// With room for as many as the original has.
    fn clone(&self) -> Actions {
        let mut copy = Actions::new();
        copy.all.extend_from_slice(&self.all);
        copy
    }
}

const _: () = assert!(size_of::<KnownAction>() <= ACTION_BYTES);
const _: () = assert!(size_of::<Option<Domain>>() <= PART_BYTES);

impl Default for Actions {
    fn default() -> Actions {
        Actions::new()
    }
}

impl Actions {
    /// None yet; allocates the place for `ACTIONS_MAX`.
    pub fn new() -> Actions {
        Actions { all: Vec::with_capacity(ACTIONS_MAX), next: 0 }
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.all.clear();
        self.next = 0;
    }

    /// How many there are of a domain.
    pub fn count(&self, domain: DomainIx) -> usize {
        self.all.iter().filter(|action| action.domain == domain).count()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All, domains as configured, actions as they first came.
    pub fn iter(&self) -> impl Iterator<Item = &KnownAction> {
        DomainSet::first(DOMAINS_MAX).iter().flat_map(|domain| self.all.iter().filter(move |a| a.domain == domain))
    }

    /// Those of a domain, as they first came.
    pub fn of(&self, domain: DomainIx) -> impl Iterator<Item = &KnownAction> {
        self.all.iter().filter(move |action| action.domain == domain)
    }

    /// All, as they first came.
    pub fn in_order_of_arrival(&self) -> &[KnownAction] {
        &self.all
    }

    /// Puts into each how far it was when it was saved; those of which `saved` knows
    /// nothing are forgotten.
    pub fn resume(&mut self, saved: &mut dyn FnMut(DomainIx, Text<'_>) -> Option<HowFar>) {
        self.all.retain_mut(|action| {
            let known = saved(action.domain, action.id());
            if let Some((status, progress)) = known {
                (action.status, action.progress) = (status, progress);
            }
            known.is_some()
        });
    }

    /// Takes an action in as an agent reported it: in the place of the one with
    /// the same component identifier, else as a new one. A status that is not
    /// known keeps the last one (docs/agents.md, "Every agent"). Says whether anything changed.
    ///
    /// # Errors
    /// It does not fit; nothing has changed.
    pub fn merge(&mut self, domain: DomainIx, action: &Action<'_>) -> Result<bool, Limit> {
        let count = self.all.len();
        let is_it = |known: &KnownAction| known.domain == domain && known.id() == action.id;
        let place = (0..count).map(|n| (self.next + n) % count).find(|place| is_it(&self.all[*place]));
        self.next = place.unwrap_or(count) + 1;
        let (status, progress) = (action.status, action.progress);
        let Some(known) = place.and_then(|place| self.all.get_mut(place)) else {
            let (component, id) = stored(action)?;
            if count >= ACTIONS_MAX {
                return Err(Limit::Actions);
            }
            self.all.push(KnownAction { domain, id, component, status, progress, message: action.message.cut_to() });
            return Ok(true);
        };
        let status = status.or(known.status);
        let mut is_changed = known.status != status || known.progress != progress;
        if known.component() != action.component {
            (known.component, known.id) = stored(action)?;
            is_changed = true;
        }
        if known.message != action.message.cut(known.message.capacity()).as_json() {
            known.message = action.message.cut_to();
            is_changed = true;
        }
        known.status = status;
        known.progress = progress;
        Ok(is_changed)
    }
}

impl KnownAction {
    /// Identifier of the component.
    pub fn id(&self) -> Text<'_> {
        let (start, len) = (usize::from(self.id.0), usize::from(self.id.1));
        Text::from_checked(self.component.get(start..start + len).unwrap_or_default())
    }

    /// The component object as it came.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// The agent's words.
    pub fn message(&self) -> Text<'_> {
        Text::from_checked(&self.message)
    }
}

/// The component object, and where in it its identifier can be read: at any place where
/// the same text stands.
fn stored<const N: usize>(action: &Action<'_>) -> Result<(String<N>, (u16, u16)), Limit> {
    let (component, id) = (action.component, action.id.as_json());
    let place = component.find(id).and_then(|start| Some((u16::try_from(start).ok()?, u16::try_from(id.len()).ok()?)));
    String::try_from(component).ok().zip(place).ok_or(Limit::Component)
}
