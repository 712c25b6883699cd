//! Documents: payloads that are encoded when they are sent, and encoded again if they are
//! sent again. These are the agents' parts of the desired state, what domains are committed
//! to, and the aggregated inventory. The session knows each by a number.
//!
//! In: a number. Out: the text, from the part of the manager that holds its source.
//!
//! Invariant: the source does not change while a document is being sent, since no event is
//! handled meanwhile.
//!
//! Deliberately absent: state of its own.

use core::fmt;

use super::agents::Agents;
use super::inventory::Inventory;
use super::outside::Names;
use crate::limits::DOMAINS_MAX;
use crate::model::DomainIx;
use crate::mqtt::{self, Document};
use crate::store::Store;
use crate::wire::encode;

/// The number of the aggregated inventory.
pub(super) const INVENTORY: Document = Document(DOMAINS_MAX as u8);

/// Returns the number of a domain's part of the desired state.
pub(super) fn part(domain: DomainIx) -> Document {
    Document(domain.place() as u8)
}

/// Returns whether a document is for an agent.
pub(super) fn is_for_agent(document: Document) -> bool {
    document != INVENTORY
}

/// Returns the number of what a domain is committed to.
pub(super) fn kept(domain: DomainIx) -> Document {
    Document(INVENTORY.0 + 1 + domain.place() as u8)
}

/// Encodes documents.
pub(super) struct Documents<'a> {
    pub(super) agents: &'a Agents,
    pub(super) store: &'a Store,
    pub(super) names: &'a Names,
    pub(super) inventory: &'a Inventory,
}

impl mqtt::Documents for Documents<'_> {
    fn write(&self, document: Document, out: &mut dyn fmt::Write) -> fmt::Result {
        if document == INVENTORY {
            self.inventory.write(&self.names.manager, out)
        } else if let Some(place) = document.0.checked_sub(INVENTORY.0 + 1) {
            let name = self.names.domains.get(usize::from(place)).map_or("", String::as_str);
            out.write_str(self.store.kept(name).unwrap_or(encode::NULL))
        } else {
            self.agents.write_part(usize::from(document.0), out)
        }
    }
}
