//! The accepted desired state, of which each agent gets its part.
//!
//! In: a desired state. Out: the part of a domain, and the whole payload.
//!
//! Invariant: `state` and `places` are of the message that `payload` holds. Its memory is
//! allocated once, and once more if the desired state before is still being saved.
//!
//! Deliberately absent: to whom a part was sent; the engine knows that.

use core::fmt;

use crate::limits::DOMAINS_MAX;
use crate::manager::wanted::Wanted;
use crate::model::DomainIx;
use crate::store::document::Payload;
use crate::wire::desired_state::{self, DesiredState};
use crate::wire::node::Versioned;

/// The message of the last accepted desired state, as it came.
pub(super) struct Parts {
    payload: Payload,
    state: DesiredState,
    /// Where each domain stands in it.
    places: [Option<u8>; DOMAINS_MAX],
}

impl Parts {
    /// Creates it empty. Allocates `SAVED_RECORD_MAX` bytes.
    pub(super) fn new() -> Parts {
        Parts { payload: Payload::new(), state: DesiredState::default(), places: [None; DOMAINS_MAX] }
    }

    /// Copies a desired state, whose message has at most `SAVED_RECORD_MAX` bytes.
    pub(super) fn keep(&mut self, wanted: &Wanted<'_>) {
        self.payload.replace(wanted.bytes, wanted.payload.start as usize..wanted.payload.end());
        self.state.clone_from(&wanted.state);
        self.places = [None; DOMAINS_MAX];
        for (place, part) in wanted.parts.iter().enumerate() {
            if let Some(domain) = part.domain {
                self.places[domain.place()] = Some(place as u8);
            }
        }
    }

    /// Returns the payload of the message.
    pub(super) fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Returns the components of a domain; none if it has no part.
    pub(super) fn components(&self, domain: DomainIx) -> Option<impl Iterator<Item = Versioned<'_>>> {
        let place = self.places.get(domain.place()).copied().flatten()?;
        desired_state::wanted(self.payload.message(), &self.state, usize::from(place))
    }

    /// Encodes the part of the domain in this place of the configuration; nothing if it has
    /// no part.
    pub(super) fn write(&self, domain: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.places.get(domain).copied().flatten() {
            Some(place) => desired_state::encode_part(self.payload.message(), &self.state, usize::from(place), out),
            None => Ok(()),
        }
    }
}
