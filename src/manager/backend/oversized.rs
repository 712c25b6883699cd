//! Messages that are too large to hold. They go by in parts, and a desired state among
//! them is refused.
//!
//! In: the parts, then the whole length. Out: a refusal, if the message was for the
//! manager and asked for something.
//!
//! Invariant: of such a message nothing is kept but its activity and a checksum.
//!
//! Deliberately absent: where the limits lie; the session applies them.

use core::fmt::Write;

use super::admission::note_repeated;
use super::{Backend, Origin};
use crate::engine::Campaign;
use crate::limits::PAYLOAD_IN_MAX;
use crate::manager::activity::runs;
use crate::manager::outside::Outside;
use crate::model::time::Now;
use crate::model::Digest;
use crate::wire::topic::Incoming;
use crate::wire::ActivityIdFinder;

/// What is known of a message whose parts go by.
#[derive(Default)]
pub(super) struct Skimmed {
    finder: ActivityIdFinder,
    /// By which the message is known if it is delivered once more.
    sum: Digest,
}

impl Backend {
    /// A part of a message goes by that is past `PAYLOAD_IN_MAX`, or past the topic's
    /// bound.
    pub(in crate::manager) fn skim(&mut self, part: &[u8]) {
        self.skimmed.finder.push(part);
        self.skimmed.sum.update(part);
    }

    /// The rest of a message that was being skipped never comes, or nobody wants to know.
    pub(in crate::manager) fn forget_skimmed(&mut self) {
        self.skimmed = Skimmed::default();
    }

    /// The last part has gone by of a message of `len` bytes.
    pub(in crate::manager) fn refuse_skimmed(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        topic: &str,
        len: usize,
        dup: bool,
    ) {
        outside.count_oversized();
        let Skimmed { finder, sum } = core::mem::take(&mut self.skimmed);
        let sum = sum.finish();
        if self.refusals.has_sum(sum, dup) {
            return log::info!("{topic}: a message of {len} bytes comes once more and is ignored, it was refused");
        }
        let what = match self.classify(&outside.names.topics, topic) {
            Some(Origin::Thing(request)) => {
                self.refusals.note_sum(sum);
                return self.refuse_large_request(now, outside, &request, len);
            }
            Some(Origin::Plain(incoming)) => Some(incoming),
            Some(Origin::Edge) | None => None,
        };
        match finder.activity().filter(|activity| !activity.is_empty() && what == Some(Incoming::DesiredState)) {
            Some(activity) if runs(campaign, activity) => {
                note_repeated(activity);
            }
            Some(activity) => {
                self.refusals.note_sum(sum);
                self.refuse(now, outside, activity, &|out: &mut dyn Write| {
                    write!(out, "the desired state has {len} bytes, at most {PAYLOAD_IN_MAX} are taken")
                });
            }
            _ => log::warn!("{topic}: a message of {len} bytes is skipped, at most {PAYLOAD_IN_MAX} are taken"),
        }
    }
}
