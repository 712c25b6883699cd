//! Documents: payloads that are encoded when they are sent, and encoded again if they are
//! sent again. These are the agents' parts of the desired state, and the aggregated
//! inventory. The session knows each by a number.
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
use crate::limits::DOMAINS_MAX;
use crate::model::DomainIx;
use crate::mqtt::{self, Document};

/// The number of the aggregated inventory.
pub(super) const INVENTORY: Document = Document(DOMAINS_MAX as u8);

/// Returns the number of a domain's part of the desired state.
pub(super) fn part(domain: DomainIx) -> Document {
    Document(domain.place() as u8)
}

/// Returns whether a document is a part of the desired state.
pub(super) fn is_part(document: Document) -> bool {
    usize::from(document.0) < DOMAINS_MAX
}

/// Encodes documents.
pub(super) struct Documents<'a> {
    pub(super) agents: &'a Agents,
    pub(super) inventory: &'a Inventory,
    /// The manager's own domain.
    pub(super) manager: &'a str,
}

impl mqtt::Documents for Documents<'_> {
    fn write(&self, document: Document, out: &mut dyn fmt::Write) -> fmt::Result {
        if document == INVENTORY {
            self.inventory.write(self.manager, out)
        } else {
            self.agents.write_part(usize::from(document.0), out)
        }
    }
}
