//! What is encoded only when it is sent, and sent again: the domains' parts of
//! the desired state, and the aggregated inventory.

use core::fmt;

use crate::inventory::inventories::Inventories;
use crate::limits::{DOMAINS_MAX, SAVED_RECORD_MAX};
use crate::model::DomainIx;
use crate::mqtt::{self, Document};
use crate::wire::desired_state::{self, DesiredState};
use crate::wire::Span;

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

/// The message of the last accepted desired state, as it came.
pub(super) struct Retained {
    bytes: Box<[u8]>,
    len: usize,
    payload: Span,
    state: DesiredState,
    /// Where each domain stands in it.
    places: [Option<u8>; DOMAINS_MAX],
}

impl Retained {
    pub(super) fn new() -> Retained {
        let bytes = vec![0; SAVED_RECORD_MAX].into_boxed_slice();
        Retained {
            bytes,
            len: 0,
            payload: Span::new(0, 0),
            state: DesiredState::default(),
            places: [None; DOMAINS_MAX],
        }
    }

    /// Keeps a message of at most `SAVED_RECORD_MAX` bytes, of which `payload` is the
    /// desired state; `domains` are the configured domains that it names, in order.
    pub(super) fn keep(
        &mut self,
        message: &[u8],
        payload: Span,
        state: DesiredState,
        domains: impl Iterator<Item = Option<DomainIx>>,
    ) {
        self.payload = payload;
        self.bytes[..message.len()].copy_from_slice(message);
        self.len = message.len();
        self.state = state;
        self.places = [None; DOMAINS_MAX];
        for (place, domain) in domains.enumerate() {
            if let Some(domain) = domain {
                self.places[domain.place()] = Some(place as u8);
            }
        }
    }

    /// The desired state alone, as it came.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload.start as usize..self.payload.end()).unwrap_or_default()
    }

    fn write(&self, domain: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.places.get(domain).copied().flatten() {
            Some(place) => desired_state::encode_part(&self.bytes[..self.len], &self.state, usize::from(place), out),
            None => Ok(()),
        }
    }
}

/// Encodes documents from what is kept.
pub(super) struct Documents<'a> {
    pub(super) desired: &'a Retained,
    pub(super) inventories: &'a Inventories,
    pub(super) manager: &'a str,
}

impl mqtt::Documents for Documents<'_> {
    fn write(&self, document: Document, out: &mut dyn fmt::Write) -> fmt::Result {
        if document == INVENTORY {
            self.inventories.encode(out, self.manager, env!("CARGO_PKG_VERSION"))
        } else {
            self.desired.write(usize::from(document.0), out)
        }
    }
}
