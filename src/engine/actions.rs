//! The planned changes of components, as agents last reported them.

use core::mem::size_of;

use heapless::String;

use super::event::Action;
use crate::limits::{ACTIONS_MAX, ACTION_BYTES, ACTION_COMPONENT_MAX, ACTION_MESSAGE_MAX, DOMAINS_MAX};
use crate::model::text::Text;
use crate::model::{ActionStatus, DomainIx, DomainSet, Limit};

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

/// What a report has changed about an action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Change {
    /// Nothing.
    #[default]
    None,
    /// Its component or the agent's words.
    Words,
    /// How far it is, or that it is there.
    Progress,
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

    /// Puts those of a domain into this status.
    pub fn set_all(&mut self, domain: DomainIx, status: ActionStatus) {
        self.all.iter_mut().filter(|action| action.domain == domain).for_each(|action| action.status = Some(status));
    }

    /// Takes an action in as an agent reported it: in the place of the one with
    /// the same component identifier, else as a new one. A status that is not
    /// known keeps the last one (docs/agents.md, "Every agent"). Says what has changed.
    ///
    /// # Errors
    /// It does not fit; nothing has changed.
    pub fn merge(&mut self, domain: DomainIx, action: &Action<'_>) -> Result<Change, Limit> {
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
            return Ok(Change::Progress);
        };
        let status = status.or(known.status);
        let mut change =
            if (known.status, known.progress) == (status, progress) { Change::None } else { Change::Progress };
        if known.component() != action.component {
            (known.component, known.id) = stored(action)?;
            change = change.max(Change::Words);
        }
        if known.message != action.message.cut(known.message.capacity()).as_json() {
            known.message = action.message.cut_to();
            change = change.max(Change::Words);
        }
        known.status = status;
        known.progress = progress;
        Ok(change)
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
