//! Desired states from the backend or the console: which are good enough for the engine, and
//! the answers to those that are not applied.
//!
//! In: messages with a desired state, the campaign, and the engine's reasons to reject one.
//! Out: a desired state for the engine; or a refusal to the backend, and its reason for the
//! console.
//!
//! Invariants: a redelivery of a desired state whose activity runs or has ended gets no
//! answer. A message that is refused gets one answer, however often the broker delivers it.
//!
//! Deliberately absent: whether a good desired state begins an activity; the engine decides
//! (`engine::redelivery`).

use core::fmt::{self, Write};

use super::refusals::Received;
use super::Backend;
use crate::engine::event::Standing;
use crate::engine::{Campaign, Rejected};
use crate::limits::EXTENDED_ID_MAX;
use crate::manager::activity::runs;
use crate::manager::message::{self, escape};
use crate::manager::outside::Outside;
use crate::manager::wanted::{key_of, Wanted};
use crate::model::text::{Escaped, Text};
use crate::model::time::Now;
use crate::model::{ActivityKey, Status};
use crate::mqtt::{Class, Delivery};
use crate::store::Store;
use crate::wire::{activity_of, desired_state, Envelope, Malformed};

/// The reason of a refusal for people, escaped as in JSON.
pub(in crate::manager) type Why = String;

impl Backend {
    /// Decodes the message of a desired state; none without a payload. `delivery`: how it
    /// came; none from the console.
    ///
    /// # Errors
    /// It cannot be applied. The backend has got its answer, if there is one.
    pub(in crate::manager) fn read_desired_state<'a>(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        bytes: &'a [u8],
        delivery: Option<Delivery>,
    ) -> Result<Option<Box<Wanted<'a>>>, Why> {
        if !outside.has_activity_room() {
            return Err(self.refuse_for_room(now, outside, campaign, bytes, delivery));
        }
        let decoded = Envelope::decode(bytes).and_then(|envelope| {
            let state = desired_state::decode(&envelope)?;
            Ok((envelope, state))
        });
        match decoded {
            Ok((envelope, _)) if envelope.activity.is_empty() => {
                log::error!("a desired state without an activity id is refused");
                Err("it has no activity id".to_owned())
            }
            Ok((envelope, state)) => Ok(Wanted::of(bytes, delivery, &envelope, state, &outside.names)),
            Err(malformed) => {
                Err(self.refuse_malformed(now, outside, campaign, Received::of(bytes, delivery), bytes, &malformed))
            }
        }
    }

    fn refuse_malformed(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        received: Received,
        bytes: &[u8],
        malformed: &Malformed,
    ) -> Why {
        let shown = malformed.within(bytes);
        match activity_of(bytes) {
            Some(activity) if runs(campaign, activity) => note_repeated(activity),
            Some(activity) => self.refuse(now, outside, activity, received, &|out: &mut dyn Write| escape(out, &shown)),
            None => {
                log::error!("a desired state is refused: {shown}");
                written(&|out| escape(out, &shown))
            }
        }
    }

    /// Refuses a desired state because the broker acknowledges nothing, so that there is no
    /// room for the messages of an activity.
    fn refuse_for_room(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        bytes: &[u8],
        delivery: Option<Delivery>,
    ) -> Why {
        let is_known = |envelope: &Envelope<'_>| is_known(&outside.store, campaign, envelope, bytes, delivery);
        if let Some(envelope) = Envelope::decode(bytes).ok().filter(is_known) {
            return note_repeated(envelope.activity);
        }
        log::error!("a desired state is not taken: too many messages wait for the broker");
        match activity_of(bytes).filter(|activity| !runs(campaign, *activity)) {
            Some(activity) => {
                let received = Received::of(bytes, delivery);
                let words = |out: &mut dyn Write| out.write_str("too many messages wait for the broker");
                self.refuse(now, outside, activity, received, &words)
            }
            None => Why::new(),
        }
    }

    /// Answers a desired state that was decoded and is not applied. Returns the reason.
    pub(in crate::manager) fn reject(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        wanted: &Wanted<'_>,
        rejected: Rejected,
    ) -> Why {
        let activity = wanted.key.activity;
        let received = Received::of(wanted.bytes, wanted.delivery);
        let last = campaign.map(|campaign| campaign.identity.activity.as_str()).unwrap_or_default();
        match rejected {
            Rejected::Applied => {
                log::info!("{activity}: desired state ignored, it was applied already");
                "it was applied already".to_owned()
            }
            Rejected::Busy => {
                let words = |out: &mut dyn Write| write!(out, "Another update activity in progress - {last}");
                self.refuse(now, outside, activity, received, &words)
            }
            Rejected::RebootPending => {
                let words = |out: &mut dyn Write| write!(out, "reboot pending after {last}");
                self.refuse(now, outside, activity, received, &words)
            }
            Rejected::LongId => {
                let words = |out: &mut dyn Write| {
                    write!(out, "activityId is longer than {EXTENDED_ID_MAX} bytes, which rollback and commitAfterReboot do not allow")
                };
                self.refuse(now, outside, activity, received, &words)
            }
            Rejected::Unsaved => {
                let why = outside.store.obstacle().unwrap_or_default().to_owned();
                // The next one is applied if the disk works again by then.
                outside.store.hurry();
                let words = |out: &mut dyn Write| write!(out, "the end of {last} cannot be saved: {}", Escaped(&why));
                self.refuse(now, outside, activity, received, &words)
            }
            _ => note_repeated(activity),
        }
    }

    /// Sends a refusal, counts and logs it, unless it was sent already for this very message.
    /// `words` writes the reason as the content of a JSON string. Returns the reason.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        outside: &mut Outside,
        activity: Text<'_>,
        received: Received,
        words: &dyn Fn(&mut dyn Write) -> fmt::Result,
    ) -> Why {
        if self.refusals.was_told(received) {
            log::info!("{activity}: a desired state that comes once more is ignored, it was refused");
            return written(words);
        }
        outside.count_refused(now);
        log::warn!("{activity}: desired state refused: {}", message::logged(words));
        self.send_feedback(now, outside, activity, Class::Keep, Status::IdentificationFailed, Some(words));
        written(words)
    }
}

/// Returns whether a desired state is a duplicate: its activity is running or has ended.
pub(super) fn is_known(
    store: &Store,
    campaign: Option<&Campaign>,
    envelope: &Envelope<'_>,
    bytes: &[u8],
    delivery: Option<Delivery>,
) -> bool {
    let is_running = campaign.is_some_and(Campaign::is_running);
    let has_ended = |key| standing(store, key, delivery).has_ended(is_running);
    key_of(envelope, bytes).is_some_and(|key| runs(campaign, key.activity) || has_ended(key))
}

/// Returns what is known of a desired state by its content and by how it came.
pub(in crate::manager) fn standing(store: &Store, key: ActivityKey<'_>, delivery: Option<Delivery>) -> Standing {
    Standing {
        may_be_old: delivery.is_some_and(|delivery| delivery.dup || delivery.retain),
        is_remembered: store.journal.contains(key),
        is_last: store.journal.is_last(key),
        ..Standing::default()
    }
}

/// Logs a duplicate of the running desired state. Returns the reason to ignore it.
pub(super) fn note_repeated(activity: Text<'_>) -> Why {
    log::info!("{activity}: desired state ignored, this activity runs already");
    "this activity runs already".to_owned()
}

fn written(words: &dyn Fn(&mut dyn Write) -> fmt::Result) -> Why {
    let mut why = Why::new();
    // A string takes all that is written to it.
    let _ = words(&mut why);
    why
}
