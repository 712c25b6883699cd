//! Oversized messages, which the session hands out in parts and nobody holds. A desired
//! state or a request among them is refused.
//!
//! In: the parts, then the length of the whole. Out: a refusal.
//!
//! Invariant: of such a message only its activity, its path and a checksum are kept.
//!
//! Deliberately absent: the limits; the session applies them.

use core::fmt::Write;

use super::admission::note_repeated;
use super::refusals::Received;
use super::{Backend, Origin};
use crate::engine::Campaign;
use crate::limits::PAYLOAD_IN_MAX;
use crate::manager::activity::runs;
use crate::manager::outside::Outside;
use crate::model::time::Now;
use crate::model::Digest;
use crate::mqtt::Delivery;
use crate::wire::things::operation_of;
use crate::wire::topic::Incoming;
use crate::wire::TextFinder;

/// What is known of the message that is being received in parts.
pub(super) struct Skimmed {
    activity: TextFinder,
    /// That of a request, which tells what it is for.
    path: TextFinder,
    /// Identifies the message if it is redelivered.
    sum: Digest,
}

impl Default for Skimmed {
    fn default() -> Skimmed {
        Skimmed { activity: TextFinder::of_activity(), path: TextFinder::of_path(), sum: Digest::default() }
    }
}

impl Backend {
    /// Takes the next part of an oversized message.
    pub(in crate::manager) fn skim(&mut self, part: &[u8]) {
        self.skimmed.activity.push(part);
        self.skimmed.path.push(part);
        self.skimmed.sum.update(part);
    }

    /// Forgets the parts so far: the rest never comes, or the message is to be ignored.
    pub(in crate::manager) fn forget_skimmed(&mut self) {
        self.skimmed = Skimmed::default();
    }

    /// Refuses the message of `len` bytes whose last part was taken.
    pub(in crate::manager) fn refuse_skimmed(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        topic: &str,
        len: usize,
        delivery: Delivery,
    ) {
        outside.count_oversized();
        let Skimmed { activity, path, sum } = core::mem::take(&mut self.skimmed);
        let received = Received::of_sum(sum.finish(), delivery);
        let what = match self.classify(&outside.names.topics, topic) {
            Some(Origin::Thing(request)) => {
                let subject = match path.text().map(operation_of) {
                    Some(Some(operation)) => operation.name(),
                    Some(None) => return log::debug!("request {}: ignored, another feature or operation", request.id),
                    None => request.subject,
                };
                return self.refuse_large_request(now, outside, &request, subject, received, len);
            }
            Some(Origin::Plain(incoming)) => Some(incoming),
            Some(Origin::Edge) | None => None,
        };
        match activity.activity().filter(|activity| !activity.is_empty() && what == Some(Incoming::DesiredState)) {
            Some(activity) if runs(campaign, activity) => {
                note_repeated(activity);
            }
            Some(activity) => {
                self.refuse(now, outside, activity, received, &|out: &mut dyn Write| {
                    write!(out, "the desired state has {len} bytes, at most {PAYLOAD_IN_MAX} are taken")
                });
            }
            _ => log::warn!("{topic}: a message of {len} bytes is skipped, at most {PAYLOAD_IN_MAX} are taken"),
        }
    }
}
