//! What is encoded only when it is sent, and encoded again whenever it is sent again: the
//! agents' parts of the desired state, and the aggregated inventory. The session knows
//! each by a number.
//!
//! In: a number. Out: the text, from the part of the manager that has it.
//!
//! Invariant: the text does not change while it is being sent. Nothing is handled
//! meanwhile that could change it.
//!
//! Deliberately absent: any state.

use core::fmt;

use super::agents::Agents;
use super::inventory::Inventory;
use crate::limits::DOMAINS_MAX;
use crate::model::DomainIx;
use crate::mqtt::{self, Document};

/// The aggregated inventory.
pub(super) const INVENTORY: Document = Document(DOMAINS_MAX as u8);

/// A domain's part of the desired state.
pub(super) fn part(domain: DomainIx) -> Document {
    Document(domain.place() as u8)
}

/// Whether a document is a part of the desired state.
pub(super) fn is_part(document: Document) -> bool {
    usize::from(document.0) < DOMAINS_MAX
}

/// Encodes documents from what is kept.
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
