//! A decoded desired state, whether it comes from the backend, the console or the disk.
//!
//! In: a message, and what `wire` has decoded of it. Out: what the engine needs to know, and
//! where the agents' parts stand.
//!
//! Invariant: all places are places in `bytes`.
//!
//! Deliberately absent: whether it is applied; `backend::admission` and the engine decide.

use heapless::Vec;

use super::outside::Names;
use crate::engine::event::{DesiredState, Part, Standing};
use crate::engine::group::Group;
use crate::limits::DOMAINS_MAX;
use crate::model::text::Text;
use crate::model::{checksum, ActivityKey, DomainIx, Run};
use crate::mqtt::Delivery;
use crate::wire::{desired_state, Envelope, Span};

/// A desired state that somebody wants to be applied.
pub(super) struct Wanted<'a> {
    /// Identifies its content. The checksum covers the payload alone, since a redelivered
    /// request may have other headers.
    pub(super) key: ActivityKey<'a>,
    /// How it came; none from the console or the disk.
    pub(super) delivery: Option<Delivery>,
    /// The whole message, and where the desired state stands in it.
    pub(super) bytes: &'a [u8],
    pub(super) payload: Span,
    /// Where its parts stand in the message.
    pub(super) state: desired_state::DesiredState,
    /// Its domains, in its order.
    pub(super) parts: Vec<Part<'a>, DOMAINS_MAX>,
}

impl<'a> Wanted<'a> {
    /// Takes the desired state of the message `bytes`; none without a payload. It is boxed,
    /// since it takes several KiB.
    pub(super) fn of(
        bytes: &'a [u8],
        delivery: Option<Delivery>,
        envelope: &Envelope<'a>,
        state: desired_state::DesiredState,
        names: &Names,
    ) -> Option<Box<Wanted<'a>>> {
        let (payload, key) = (envelope.payload()?, key_of(envelope, bytes)?);
        let parts = parts(bytes, &state, &|id| names.find(id));
        Some(Box::new(Wanted { key, delivery, bytes, payload, parts, state }))
    }

    /// Returns what the engine needs to know; `run` is the activity that it becomes.
    pub(super) fn event(&self, run: Run, standing: Standing) -> DesiredState<'_> {
        DesiredState { key: self.key, run, parts: &self.parts, rollback: self.state.rollback(), standing }
    }
}

/// Returns the domains of the desired state of the message `bytes`, in its order, each with
/// its place among the domains that are served.
pub(crate) fn parts<'a>(
    bytes: &'a [u8],
    state: &desired_state::DesiredState,
    place: &dyn Fn(Text<'a>) -> Option<DomainIx>,
) -> Vec<Part<'a>, DOMAINS_MAX> {
    let part = |ix| {
        let (id, group) = (state.domain_id(bytes, ix)?, state.group(ix)?);
        Some(Part { id, domain: place(id), group: Group::new(group)? })
    };
    // No more domains than places: `decode` sees to it.
    (0..state.domains().min(DOMAINS_MAX)).filter_map(part).collect()
}

/// Identifies the content of a desired state; none without a payload.
pub(super) fn key_of<'a>(envelope: &Envelope<'a>, bytes: &[u8]) -> Option<ActivityKey<'a>> {
    let span = envelope.payload()?;
    let crc = checksum(&[bytes.get(span.start as usize..span.end())?]);
    Some(ActivityKey { activity: envelope.activity, timestamp: envelope.timestamp, crc })
}
