//! What is saved, when, in which format, and whether it has worked: the one owner of all
//! of it. The store makes no system call: it hands out writes and takes their results.
//!
//! # Save before act
//!
//! ```text
//!   event -> engine -> effects ────────────────────────> out, if nothing changed
//!                               └─ the state changed: held ──┐
//!   poll_write -> Job -> the shell writes -> handle_written ─┴─> out
//! ```
//!
//! After each event the store encodes the activity's state and compares it with the one
//! that it saved last. If they differ, effects and acknowledgements wait; timers and notices
//! never do. A job saves the state as it is when the job begins, and lets out all that was
//! held by then. So the results of one turn of the loop share a save.
//!
//! # When writing fails
//!
//! After the first failed write the store lets out what waits, and holds nothing back until
//! a write has worked again. It tries again after a pause that grows, at each further
//! change, and at the end of the process. Perhaps just one slot cannot be written, so the
//! next try puts the state elsewhere. [`Store::is_unsaved`] says whether the state on
//! the disk is an older one at this moment. While that is the state of an unfinished
//! activity, [`Store::obstacle`] says why no other one may begin: after a restart the old
//! state would come back over that of the newer activity.
//!
//! # Slots
//!
//! Each kind of record has two slots, two files that are written in turn, so that
//! a write that is cut leaves the other one as it was:
//!
//! ```text
//!           slot a     slot b      what counts
//!   seq 7:  [7 ok ]    [6 ok ]     7
//!   write:  [7 ok ]    [8 ...      7, for b has no valid checksum
//!   seq 8:  [7 ok ]    [8 ok ]     8
//! ```
//!
//! A slot is overwritten in place and then synced: on flash that is the cheapest
//! durable write, for it changes neither a directory nor a file's length.
//!
//! # Records
//!
//! | kind | holds | written |
//! | --- | --- | --- |
//! | [`state`] | where the activity and each of its domains is | at each step |
//! | [`document`] | its desired state | once, when it begins |
//! | [`actions`] | its actions' components | once, when all domains have identified |
//! | [`history`] | the last activities and events | once, when it ends |
//! | [`reports`] | final reports of earlier activities that the broker has not acknowledged | before the next activity's state replaces the one that they follow from |
//! | [`session`] | client ID, subscriptions, the twin's identity | when they change |
//! | [`kept`] | what domains are committed to | before the document that holds it is overwritten |
//!
//! A state that changes together with document, actions or history goes into that record,
//! so that one sync is enough; the newest of all states is told by its version. Records
//! name domains and components, and never say their places: the configuration may be
//! another one at the next start.

pub mod actions;
pub mod document;
pub mod format;
#[cfg(test)]
mod golden;
mod held;
pub mod history;
pub mod journal;
pub mod kept;
#[cfg(test)]
mod kept_tests;
mod load;
pub mod reports;
mod saving;
pub mod session;
pub mod slots;
pub mod state;
#[cfg(test)]
mod tests;

use crate::engine::{Campaign, Effects};
use crate::limits::{REPORTS_MAX, SAVED_STATE_MAX};
use crate::model::time::Tick;
use crate::model::{DomainIx, DomainSet, Run};
use crate::mqtt::{Ack, Session};
use document::Payload;
use format::{Fields, Kind, HEADER};
use held::Held;
use journal::Journal;
use kept::Kept;
pub use load::{Found, Loaded};
use saving::{Failing, Running};
pub use saving::{Failure, Job, Write, Written};
use slots::Slot;
use state::Beside;

/// What is saved, and what waits for that.
#[derive(Debug)]
pub struct Store {
    /// Whether anything is saved at all.
    is_on: bool,
    /// What has happened; part of it is saved.
    pub journal: Journal,
    /// The last activity that was accepted.
    run: Run,
    /// Which boot of the host this is.
    boot: [u8; 16],
    states: States,
    /// Where each kind's next record goes, and its number.
    places: [(Slot, u32); Kind::ALL.len()],
    of: Of,
    /// What domains are committed to.
    kept: Kept,
    job: Option<Running>,
    /// Jobs that were begun.
    begun: u64,
    failing: Option<Failing>,
    held: Held,
}

/// The activity's state, encoded, without what is not worth a save.
#[derive(Debug)]
struct States {
    /// As it is now.
    latest: Vec<u8>,
    /// As it is on the disk.
    saved: Vec<u8>,
    /// As the job that runs writes it; without meaning if none writes it.
    writing: Vec<u8>,
    /// Where it is encoded.
    scratch: Box<[u8]>,
    /// Which version was written last.
    version: u32,
    /// The newest record of the state is one of 0.1.0, beside which no other place counts.
    must_be_alone: bool,
    /// A record of its own could not be written: it goes with another one.
    goes_along: bool,
    /// Whose the state on the disk is, and whether it is one of a running activity.
    on_disk: Option<(Run, bool)>,
}

/// Whose records are on the disk.
#[derive(Clone, Debug, Default)]
struct Of {
    document: Run,
    /// Of both slots of the document.
    documents: [Run; 2],
    actions: Run,
    /// The last activity in the history.
    history: Run,
    /// Those whose final reports are saved apart from the campaign.
    reports: heapless::Vec<Run, REPORTS_MAX>,
}

/// What there is to be saved.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The running activity or the last one.
    pub campaign: Option<&'a Campaign>,
    /// The domains in the order of the configuration.
    pub names: &'a [String],
    /// What goes with the campaign, but for the boot.
    pub beside: Beside,
    /// The payload of its desired state.
    pub payload: &'a Payload,
    /// Where final reports wait for the broker.
    pub session: &'a Session,
    /// Whether anything is configured that makes a difference to groups of domains.
    pub is_grouped: bool,
}

/// A save that is to come or runs, by which it is known when it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(u64);

impl Store {
    /// An empty one, which saves or does not. Allocates all that it needs.
    pub fn new(is_on: bool) -> Store {
        let size = if is_on { HEADER + SAVED_STATE_MAX } else { 0 };
        let states = States {
            latest: Vec::with_capacity(size),
            saved: Vec::with_capacity(size),
            writing: Vec::with_capacity(size),
            scratch: vec![0; size].into(),
            version: 0,
            must_be_alone: false,
            goes_along: false,
            on_disk: None,
        };
        Store {
            is_on,
            journal: Journal::default(),
            run: Run::NONE,
            boot: [0; 16],
            states,
            places: [(Slot::A, 1); Kind::ALL.len()],
            of: Of::default(),
            kept: Kept::default(),
            job: None,
            begun: 0,
            failing: None,
            held: Held::new(),
        }
    }

    /// Whether nobody could be told of this activity's end, or was now.
    pub fn set_untold(&mut self, run: Run, is_untold: bool) {
        self.journal.set_untold(run, is_untold);
        // The history is to be saved anew.
        self.of.history = Run::NONE;
    }

    /// Which one the next activity is, if it is accepted.
    pub fn next_run(&self) -> Run {
        self.run.next()
    }

    /// It was accepted.
    pub fn accept(&mut self) {
        self.run = self.run.next();
        self.states.goes_along = false;
    }

    /// Looks at how things are after an event, and takes what has to wait for a save out of
    /// `effects`.
    pub fn observe(&mut self, content: &Content<'_>, effects: &mut Effects) {
        if !self.is_on {
            return;
        }
        self.kept.look(content);
        self.encode_latest(content);
        if self.is_saving() {
            self.held.take(effects);
        }
    }

    /// How things are is how they were saved, or need not be.
    pub fn adopt(&mut self, content: &Content<'_>) {
        self.encode_latest(content);
        self.states.saved.clone_from(&self.states.latest);
    }

    fn encode_latest(&mut self, content: &Content<'_>) {
        let Some(campaign) = content.campaign.filter(|_| self.is_on) else { return };
        let beside = Beside { boot: self.boot, ..content.beside };
        let mut out = Fields::new(&mut self.states.scratch);
        state::encode(campaign, content.names, &beside, &mut out);
        state::encode_kept(campaign, content.names, self.kept.parts(), &mut out);
        if self.states.latest != out.written() {
            self.states.latest.clear();
            self.states.latest.extend_from_slice(out.written());
            self.failing.iter_mut().for_each(Failing::hurry);
        }
    }

    /// Whether the state is another one than on the disk, or than it will be there.
    fn is_changed(&self) -> bool {
        let states = &self.states;
        let is_under_way = self.job.as_ref().is_some_and(Running::has_state);
        states.latest != if is_under_way { &states.writing[..] } else { &states.saved[..] }
    }

    /// Whether what was decided waits for a save.
    pub fn is_saving(&self) -> bool {
        let is_behind = self.job.as_ref().is_some_and(Running::has_state) || self.is_changed();
        self.is_on && !self.is_failing() && (is_behind || self.held.has_effects())
    }

    /// Whether something is being written, or is to be tried at once.
    pub fn is_writing(&self) -> bool {
        self.job.is_some() || self.is_saving() || self.failing.as_ref().is_some_and(Failing::is_hurried)
    }

    /// Whether decisions wait for a save.
    pub fn has_held(&self) -> bool {
        self.held.has_effects()
    }

    /// A message is to be acknowledged: now, if it is given back, otherwise after the save
    /// that may depend on it.
    pub fn acknowledge(&mut self, ack: Ack) -> Option<Ack> {
        (!self.is_saving() || !self.held.acknowledge(ack)).then_some(ack)
    }

    /// The link is lost: what was to be acknowledged comes again, or is forgotten.
    pub fn drop_acknowledgements(&mut self) {
        self.held.drop_acknowledgements();
    }

    /// Whether the activity's state could not be written when that was last tried: what is
    /// saved beside it holds nothing up.
    fn is_failing(&self) -> bool {
        self.failing.as_ref().is_some_and(Failing::has_state)
    }

    /// What this domain is committed to: the payload of the desired state for its agent.
    /// None if it is committed to nothing, or that cannot be read any more.
    pub fn kept(&self, domain: &str) -> Option<&str> {
        self.kept.parts().iter().find(|part| part.domain == domain).map(|part| part.payload.as_str())
    }

    /// Those of these domains of which is kept what they are committed to.
    pub fn restorable(&self, names: &[String]) -> DomainSet {
        let kept = names.iter().enumerate().filter(|(_, name)| self.kept(name).is_some());
        kept.filter_map(|(place, _)| DomainIx::new(place)).collect()
    }

    /// Why what changes cannot be saved at this moment; none if it can.
    pub fn failure(&self) -> Option<&str> {
        self.failing.as_ref().filter(|failing| failing.has_state()).map(Failing::why)
    }

    /// Whether what the activity has come to is not saved, since that fails.
    pub fn is_unsaved(&self) -> bool {
        self.is_failing() && self.is_changed()
    }

    /// Whether this activity goes on at the next start: it is on the disk, or will be.
    pub fn keeps(&self, run: Run) -> bool {
        self.is_on && (!self.is_failing() || self.states.on_disk == Some((run, true)))
    }

    /// Why no other activity may begin: the state of an unfinished one is on the disk, and
    /// cannot be replaced. It could come back over that of a newer one.
    pub fn obstacle(&self) -> Option<&str> {
        self.failure().filter(|_| self.states.on_disk.is_some_and(|(_, is_running)| is_running))
    }

    /// When something is tried again.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.failing.as_ref().filter(|_| self.job.is_none()).and_then(Failing::due)
    }
}
