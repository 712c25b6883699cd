//! The accepted desired state, of which each agent gets its part.
//!
//! In: a desired state. Out: the part of a domain, and the whole payload.
//!
//! Invariant: `payload`, `state` and `places` are of the message in `bytes`. The memory is
//! allocated once.
//!
//! Deliberately absent: to whom a part was sent; the engine knows that.

use core::fmt;

use crate::limits::{DOMAINS_MAX, SAVED_RECORD_MAX};
use crate::manager::wanted::Wanted;
use crate::model::DomainIx;
use crate::wire::desired_state::{self, DesiredState};
use crate::wire::node::Versioned;
use crate::wire::Span;

/// The message of the last accepted desired state, as it came.
pub(super) struct Parts {
    bytes: Box<[u8]>,
    len: usize,
    payload: Span,
    state: DesiredState,
    /// Where each domain stands in it.
    places: [Option<u8>; DOMAINS_MAX],
}

impl Parts {
    /// Creates it empty. Allocates `SAVED_RECORD_MAX` bytes.
    pub(super) fn new() -> Parts {
        let bytes = vec![0; SAVED_RECORD_MAX].into_boxed_slice();
        Parts { bytes, len: 0, payload: Span::new(0, 0), state: DesiredState::default(), places: [None; DOMAINS_MAX] }
    }

    /// Copies a desired state, whose message has at most `SAVED_RECORD_MAX` bytes.
    pub(super) fn keep(&mut self, wanted: &Wanted<'_>) {
        self.payload = wanted.payload;
        self.len = wanted.bytes.len();
        self.bytes[..self.len].copy_from_slice(wanted.bytes);
        self.state.clone_from(&wanted.state);
        self.places = [None; DOMAINS_MAX];
        for (place, part) in wanted.parts.iter().enumerate() {
            if let Some(domain) = part.domain {
                self.places[domain.place()] = Some(place as u8);
            }
        }
    }

    /// Returns the payload of the message.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload.start as usize..self.payload.end()).unwrap_or_default()
    }

    /// Returns the components of a domain; none if it has no part.
    pub(super) fn components(&self, domain: DomainIx) -> Option<impl Iterator<Item = Versioned<'_>>> {
        let place = self.places.get(domain.place()).copied().flatten()?;
        desired_state::wanted(&self.bytes[..self.len], &self.state, usize::from(place))
    }

    /// Encodes the part of the domain in this place of the configuration; nothing if it has
    /// no part.
    pub(super) fn write(&self, domain: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.places.get(domain).copied().flatten() {
            Some(place) => desired_state::encode_part(&self.bytes[..self.len], &self.state, usize::from(place), out),
            None => Ok(()),
        }
    }
}
