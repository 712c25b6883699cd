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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Rollback;

    #[test]
    fn the_engine_gets_the_groups_that_baselines_make_and_what_the_desired_state_says() {
        let baselines = r#"[{"components":["os:x","apps:y"]}]"#;
        let domains = r#"[{"id":"apps"},{"id":"nobody"},{"id":"maps"},{"id":"os"}]"#;
        let payload = format!(r#"{{"rollback":"device","baselines":{baselines},"domains":{domains}}}"#);
        let message = format!(r#"{{"activityId":"a","payload":{payload}}}"#);
        let envelope = Envelope::decode(message.as_bytes()).unwrap();
        let state = desired_state::decode(&envelope).unwrap();
        let served = ["os", "apps", "maps"];
        let place = |id: Text<'_>| served.iter().position(|name| id.eq_str(name)).and_then(DomainIx::new);
        let parts = parts(message.as_bytes(), &state, &place);
        let seen = parts.iter().map(|part| (part.id.as_json(), part.domain.map(DomainIx::place), part.group.number()));
        let expected = [("apps", Some(1), 0), ("nobody", None, 1), ("maps", Some(2), 2), ("os", Some(0), 0)];
        assert_eq!(seen.collect::<std::vec::Vec<_>>(), expected);
        let (bytes, payload) = (message.as_bytes(), envelope.payload().unwrap());
        let key = key_of(&envelope, bytes).unwrap();
        let wanted = Wanted { key, delivery: None, bytes, payload, state, parts };
        let event = wanted.event(Run(1), Standing::default());
        assert_eq!((event.rollback, event.parts.len()), (Some(Rollback::Device), 4));
    }
}
