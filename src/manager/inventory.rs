//! The inventory: what is known of each domain, when the agents are asked for it, and when
//! the aggregate is reported.
//!
//! In: requests for the current state, the agents' inventories, connections, and time. Out:
//! effects (ask, report), and the aggregate, encoded anew whenever it is sent.
//!
//! Invariants: domains that take part in an activity are not asked, except to verify it. An older inventory
//! replaces a newer one only as the answer to a request.
//!
//! Deliberately absent: messages; `agents` asks and `backend` reports. The rules are in
//! `crate::inventory`.

use core::fmt;

use super::outside::Names;
use crate::inventory::inventories::Inventories;
use crate::inventory::{Effects, Rounds};
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{DomainIx, DomainSet};
use crate::wire::node::Versioned;
use crate::wire::{inventory, Envelope, Malformed};

/// Holds the open rounds and the inventories.
pub(super) struct Inventory {
    rounds: Box<Rounds>,
    inventories: Inventories,
}

/// An inventory that an agent has sent.
pub(super) struct Sent<'a> {
    pub(super) domain: DomainIx,
    pub(super) activity: Text<'a>,
    /// Milliseconds since the Unix epoch.
    timestamp: i64,
    content: inventory::Inventory<'a>,
}

impl<'a> Sent<'a> {
    /// Decodes an inventory of this domain.
    ///
    /// # Errors
    /// It is malformed.
    pub(super) fn decode(names: &Names, domain: DomainIx, bytes: &'a [u8]) -> Result<Sent<'a>, Malformed> {
        let envelope = Envelope::decode(bytes)?;
        let content = inventory::decode(&envelope, names.domain(domain))?;
        Ok(Sent { domain, activity: envelope.activity, timestamp: envelope.timestamp, content })
    }

    /// Returns the software that it lists.
    pub(super) fn software(&self) -> impl Iterator<Item = Versioned<'a>> {
        self.content.software()
    }
}

impl Inventory {
    /// Creates it empty. Allocates the place of all inventories.
    pub(super) fn new(read_timeouts_ms: &[u64], delay_ms: u64) -> Inventory {
        Inventory { rounds: Box::new(Rounds::new(read_timeouts_ms, delay_ms)), inventories: Inventories::new() }
    }

    /// Handles that the backend can be reached again, or for the first time.
    pub(super) fn handle_link_up(&mut self, now: Now, busy: DomainSet) -> Effects {
        let mut effects = Effects::new();
        self.rounds.handle_link_up(now, busy, &mut effects);
        effects
    }

    /// Handles a request for the current state under this activity.
    pub(super) fn handle_get(&mut self, now: Now, activity: Text<'_>, busy: DomainSet) -> Effects {
        let mut effects = Effects::new();
        self.rounds.handle_get(now, activity, busy, &mut effects);
        effects
    }

    /// Returns whether the agent has sent it unasked. Then the agent has connected, and may
    /// have restarted; what it lists may be outdated (docs/agents.md, "Every agent").
    pub(super) fn is_unasked(&self, sent: &Sent<'_>) -> bool {
        !self.rounds.was_asked(sent.domain, sent.activity)
    }

    /// Notes that a domain's agent is asked under this activity, to verify it.
    pub(super) fn note_asked(&mut self, domain: DomainIx, activity: Text<'_>) {
        self.rounds.note_asked(domain, activity);
    }

    /// Stores an inventory; none if it is outdated and has no effect.
    pub(super) fn handle_inventory(&mut self, now: Now, names: &Names, sent: &Sent<'_>) -> Option<Effects> {
        let mut effects = Effects::new();
        let Sent { domain, activity, timestamp, content } = *sent;
        let name = names.domain(domain);
        let outdated = self.inventories.timestamp(domain).is_some_and(|known| timestamp < known);
        if outdated && !self.rounds.is_answer(domain, activity) {
            log::info!("[{name}] {activity}: inventory ignored, a newer one is known");
            return None;
        }
        match self.inventories.put(domain, &content, timestamp) {
            Ok(()) => log::debug!("[{name}] {activity}: inventory"),
            Err(limit) => log::error!("[{name}] {activity}: inventory refused: {limit}"),
        }
        self.rounds.handle_inventory(now.tick, domain, activity, &mut effects);
        Some(effects)
    }

    /// Returns whether no round is open.
    pub(super) fn is_idle(&self) -> bool {
        self.rounds.is_idle()
    }

    /// Returns when `handle_timeout` is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Tick> {
        self.rounds.poll_timeout()
    }

    /// Ends rounds that have expired, and reports spontaneous changes that are due.
    pub(super) fn handle_timeout(&mut self, now: Now) -> Effects {
        let mut effects = Effects::new();
        self.rounds.handle_timeout(now.tick, &mut effects);
        effects
    }

    /// Encodes the payload of the aggregate; `manager` is the manager's domain.
    pub(super) fn write(&self, manager: &str, out: &mut dyn fmt::Write) -> fmt::Result {
        self.inventories.encode(out, manager, env!("CARGO_PKG_VERSION"))
    }

    /// Returns the number of the present inventories: the aggregate is the same as long as
    /// this is.
    pub(super) fn revision(&self) -> u64 {
        self.inventories.revision()
    }

    /// Returns whether an inventory of the domain in this place is known.
    pub(super) fn is_known(&self, place: usize) -> bool {
        DomainIx::new(place).is_some_and(|domain| self.inventories.timestamp(domain).is_some())
    }

    /// Returns the bytes of all inventories.
    pub(super) fn len(&self) -> usize {
        self.inventories.len()
    }
}
