//! A desired state that was decoded, from wherever it came: of the backend, of the console,
//! or of the disk.
//!
//! In: a message and what `wire` has made of it. Out: what the engine has to know of it,
//! and where the agents' parts stand in it.
//!
//! Invariant: all of it is true of `bytes`, of which it is a view.
//!
//! Deliberately absent: whether it is applied. That is for `backend::admission` and the
//! engine.

use heapless::Vec;

use super::outside::Names;
use crate::engine::event::{DesiredState, Part};
use crate::limits::DOMAINS_MAX;
use crate::model::{checksum, ActivityKey, Run};
use crate::wire::{desired_state, Envelope, Span};

/// A desired state that is wanted.
pub(super) struct Wanted<'a> {
    /// Its content. The checksum is of the payload alone: a redelivered request may have
    /// other headers.
    pub(super) key: ActivityKey<'a>,
    /// The whole message, and where the desired state stands in it.
    pub(super) bytes: &'a [u8],
    pub(super) payload: Span,
    /// Where its parts stand in the message.
    pub(super) state: desired_state::DesiredState,
    /// Its domains, in its order.
    pub(super) parts: Vec<Part<'a>, DOMAINS_MAX>,
}

impl<'a> Wanted<'a> {
    /// The desired state in the message `bytes`; none without a payload. Boxed, since it
    /// takes some KiB.
    pub(super) fn of(
        bytes: &'a [u8],
        envelope: &Envelope<'a>,
        state: desired_state::DesiredState,
        names: &Names,
    ) -> Option<Box<Wanted<'a>>> {
        let (payload, key) = (envelope.payload()?, key_of(envelope, bytes)?);
        let ids = (0..state.domains()).filter_map(|place| state.domain_id(bytes, place));
        // No more domains than places: `decode` sees to it.
        let parts = ids.take(DOMAINS_MAX).map(|id| Part { id, domain: names.find(id) }).collect();
        Some(Box::new(Wanted { key, bytes, payload, parts, state }))
    }

    /// What the engine has to know of it; `run` is which activity it becomes.
    pub(super) fn event(&self, run: Run) -> DesiredState<'_> {
        DesiredState { key: self.key, run, parts: &self.parts }
    }
}

/// The content of a desired state; none without a payload.
pub(super) fn key_of<'a>(envelope: &Envelope<'a>, bytes: &[u8]) -> Option<ActivityKey<'a>> {
    let span = envelope.payload()?;
    let crc = checksum(&[bytes.get(span.start as usize..span.end())?]);
    Some(ActivityKey { activity: envelope.activity, timestamp: envelope.timestamp, crc })
}
