//! Whether a desired state is applied, of the backend or the console, and what is answered
//! if not.
//!
//! In: messages with a desired state, and how things stand. Out: a desired state to be
//! handed to the engine; or a refusal to the backend, and why, for whoever else wants to
//! know.
//!
//! Invariants: a desired state of an activity that runs or has ended has no second answer.
//! One that was refused has one answer, however often the broker delivers it.
//!
//! Deliberately absent: what the engine itself has against it; that is only answered here.

use core::fmt::{self, Write};

use super::Backend;
use crate::engine::{Campaign, Rejected};
use crate::manager::activity::runs;
use crate::manager::message::{self, escape};
use crate::manager::outside::Outside;
use crate::manager::wanted::{key_of, Wanted};
use crate::model::text::{Escaped, Text};
use crate::model::time::Now;
use crate::model::{ActivityKey, Status};
use crate::mqtt::Class;
use crate::store::Store;
use crate::wire::{activity_of, desired_state, Envelope, Malformed};

/// Why a desired state is not applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::manager) enum Refusal {
    /// Its activity runs.
    SameActivity,
    /// It was applied already.
    Applied,
    /// Another activity runs.
    Busy,
    /// A reboot is due.
    RebootPending,
    /// The activity before is still unfinished on the disk.
    Unsaved,
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Refusal {
        match rejected {
            Rejected::Busy => Refusal::Busy,
            Rejected::RebootPending => Refusal::RebootPending,
            _ => Refusal::SameActivity,
        }
    }
}

/// Why a desired state is not applied, escaped as in JSON.
pub(in crate::manager) type Why = String;

impl Backend {
    /// Reads the message of a desired state.
    ///
    /// # Errors
    /// It is not applied; the backend has the answer.
    pub(in crate::manager) fn read_desired_state<'a>(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        bytes: &'a [u8],
        dup: bool,
    ) -> Result<Option<Box<Wanted<'a>>>, Why> {
        if self.refusals.has(bytes, dup) {
            log::info!("a desired state that comes once more is ignored, it was refused");
            return Ok(None);
        }
        if !outside.has_activity_room() {
            return Err(self.refuse_for_room(now, outside, campaign, bytes));
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
            Ok((envelope, state)) => Ok(Wanted::of(bytes, &envelope, state, &outside.names)),
            Err(malformed) => Err(self.refuse_malformed(now, outside, campaign, bytes, &malformed)),
        }
    }

    fn refuse_malformed(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        bytes: &[u8],
        malformed: &Malformed,
    ) -> Why {
        let shown = malformed.within(bytes);
        match activity_of(bytes) {
            Some(activity) if runs(campaign, activity) => note_repeated(activity),
            Some(activity) => {
                self.refusals.note(bytes);
                self.refuse(now, outside, activity, &|out: &mut dyn Write| escape(out, &shown))
            }
            None => {
                log::error!("a desired state is refused: {shown}");
                written(&|out| escape(out, &shown))
            }
        }
    }

    /// A broker that acknowledges nothing leaves no room for an activity; the backend
    /// is told so, if that still fits.
    fn refuse_for_room(&mut self, now: Now, outside: &mut Outside, campaign: Option<&Campaign>, bytes: &[u8]) -> Why {
        let is_known = |envelope: &Envelope<'_>| is_known(&outside.store, campaign, envelope, bytes);
        if let Some(envelope) = Envelope::decode(bytes).ok().filter(is_known) {
            return note_repeated(envelope.activity);
        }
        log::error!("a desired state is not taken: too many messages wait for the broker");
        match activity_of(bytes).filter(|activity| !runs(campaign, *activity)) {
            Some(activity) => {
                self.refusals.note(bytes);
                self.refuse(now, outside, activity, &|out| out.write_str("too many messages wait for the broker"))
            }
            None => Why::new(),
        }
    }

    /// Answers a desired state that is not applied.
    pub(in crate::manager) fn reject(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        wanted: &Wanted<'_>,
        refusal: Refusal,
    ) -> Why {
        let activity = wanted.key.activity;
        let last = campaign.map(|campaign| campaign.activity.as_str()).unwrap_or_default();
        match refusal {
            Refusal::SameActivity => note_repeated(activity),
            Refusal::Applied => {
                log::info!("{activity}: desired state ignored, it was applied already");
                "it was applied already".to_owned()
            }
            Refusal::Busy => {
                self.refusals.note(wanted.bytes);
                self.refuse(now, outside, activity, &|out| write!(out, "Another update activity in progress - {last}"))
            }
            Refusal::RebootPending => {
                self.refusals.note(wanted.bytes);
                self.refuse(now, outside, activity, &|out| write!(out, "reboot pending after {last}"))
            }
            Refusal::Unsaved => {
                let why = outside.store.obstacle().unwrap_or_default().to_owned();
                // The next one is taken if the disk works again by then.
                outside.store.hurry();
                self.refusals.note(wanted.bytes);
                let words = |out: &mut dyn Write| write!(out, "the end of {last} cannot be saved: {}", Escaped(&why));
                self.refuse(now, outside, activity, &words)
            }
        }
    }

    /// Answers a desired state that is not applied. `words` writes why, as the content of a
    /// JSON string.
    pub(super) fn refuse(
        &self,
        now: Now,
        outside: &mut Outside,
        activity: Text<'_>,
        words: &dyn Fn(&mut dyn Write) -> fmt::Result,
    ) -> Why {
        outside.count_refused(now);
        log::warn!("{activity}: desired state refused: {}", message::logged(words));
        self.send_feedback(now, outside, activity, Class::Keep, Status::IdentificationFailed, Some(words));
        written(words)
    }
}

/// Why a desired state is not even shown to the engine; `force`: whatever the disk is like.
pub(in crate::manager) fn obstacle(
    store: &Store,
    campaign: Option<&Campaign>,
    key: ActivityKey<'_>,
    force: bool,
) -> Option<Refusal> {
    if runs(campaign, key.activity) {
        return Some(Refusal::SameActivity);
    }
    // Even while another runs: it would have a second end.
    if store.journal.contains(key) {
        return Some(Refusal::Applied);
    }
    let campaign = campaign?;
    if store.has_held() && !campaign.is_running() {
        // It would mix with what is still held of the last.
        let is_same = campaign.is_activity(key.activity);
        return Some(if is_same { Refusal::SameActivity } else { Refusal::Busy });
    }
    let is_blocked = !force && !campaign.is_running() && store.obstacle().is_some();
    is_blocked.then_some(Refusal::Unsaved)
}

/// Whether a desired state comes again: its activity runs or has finished.
pub(super) fn is_known(store: &Store, campaign: Option<&Campaign>, envelope: &Envelope<'_>, bytes: &[u8]) -> bool {
    key_of(envelope, bytes).is_some_and(|key| runs(campaign, key.activity) || store.journal.contains(key))
}

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
