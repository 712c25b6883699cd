//! Messages that are too large to hold. They go by in parts, and a desired state among
//! them is refused.

use core::fmt::Write;

use super::inbound::Origin;
use super::Manager;
use crate::limits::PAYLOAD_IN_MAX;
use crate::model::time::Now;
use crate::model::Digest;
use crate::mqtt::Ack;
use crate::wire::topic::Incoming;
use crate::wire::ActivityIdFinder;

/// What is known of a message whose parts go by.
#[derive(Default)]
pub(super) struct Skimmed {
    finder: ActivityIdFinder,
    /// By which the message is known if it is delivered once more.
    sum: Digest,
}

impl Skimmed {
    pub(super) fn push(&mut self, part: &[u8]) {
        self.finder.push(part);
        self.sum.update(part);
    }
}

impl Manager {
    /// The last part of a message has gone by that is past `PAYLOAD_IN_MAX`, or past the
    /// topic's bound.
    pub(super) fn handle_oversized(&mut self, now: Now, topic: &str, len: usize, dup: bool, ack: Option<Ack>) {
        let skimmed = core::mem::take(&mut self.skimmed);
        if !self.ending.is_no() {
            // Not acknowledged: a session that outlives us brings it again.
            return;
        }
        self.refuse_skimmed(now, topic, len, dup, skimmed);
        self.acknowledge(ack);
    }

    fn refuse_skimmed(&mut self, now: Now, topic: &str, len: usize, dup: bool, skimmed: Skimmed) {
        let counters = &mut self.console.counters;
        counters.messages = counters.messages.saturating_add(1);
        counters.oversized = counters.oversized.saturating_add(1);
        let Skimmed { finder, sum } = skimmed;
        let sum = sum.finish();
        if self.refusals.has_sum(sum, dup) {
            return log::info!("{topic}: a message of {len} bytes comes once more and is ignored, it was refused");
        }
        let what = match self.classify(topic) {
            Some(Origin::Thing(request)) => {
                self.refusals.note_sum(sum);
                return self.refuse_oversized(now, &request, len);
            }
            Some(Origin::Plain(incoming)) => Some(incoming),
            Some(Origin::Edge) | None => None,
        };
        match finder.activity().filter(|activity| !activity.is_empty() && what == Some(Incoming::DesiredState)) {
            Some(activity) if self.runs(activity) => self.note_repeated(activity),
            Some(activity) => {
                self.refusals.note_sum(sum);
                self.refuse(now, activity, &|out: &mut dyn Write| {
                    write!(out, "the desired state has {len} bytes, at most {PAYLOAD_IN_MAX} are taken")
                });
            }
            _ => log::warn!("{topic}: a message of {len} bytes is skipped, at most {PAYLOAD_IN_MAX} are taken"),
        }
    }
}
