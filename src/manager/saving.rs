//! What is saved, what comes of it, and what is taken up after a start: passed between the
//! store and the parts that have it.
//!
//! In: what was found on the disk, and the results of saves. Out: what is to be written.
//!
//! Invariant: what was let out by a save is carried out after what the engine makes of the
//! save's failure.
//!
//! Deliberately absent: when anything is saved, and the records; the store has those.

use super::activity::ToSave;
use super::backend;
use super::Manager;
use crate::engine::resume::Saved;
use crate::engine::Event;
use crate::model::time::Now;
use crate::model::{Cause, Status};
use crate::store::journal::Kind;
use crate::store::{Failure, Found, Job, Loaded};

impl Manager {
    /// What is to be written now; none if nothing is. The answer goes to
    /// `handle_written`, and until then there is none more.
    pub fn poll_write(&mut self, now: Now) -> Option<Job> {
        let Manager { outside, activity, backend, agents, owner, subscriptions, .. } = self;
        let save = ToSave { question: owner.question_to_save(activity.campaign()), payload: agents.payload() };
        let identity = backend.identity().map(|identity| &**identity);
        activity.poll_write(now, outside, save, &mut || subscriptions.take_draft(identity))
    }

    /// Why what changes cannot be saved at this moment; none if it can.
    pub fn failure(&self) -> Option<&str> {
        self.outside.store.failure()
    }

    /// Whether all that is worth it is saved.
    pub fn is_saved(&self) -> bool {
        self.failure().is_none() && !self.outside.store.is_saving()
    }

    /// The job is done, or was not.
    pub fn handle_written(&mut self, now: Now, result: Result<(), Failure>) {
        let written = self.activity.handle_written(now, &mut self.outside, result);
        if written.is_session_lost {
            self.subscriptions.note_unsaved();
        }
        if let Some(is_failing) = written.is_failing {
            let _ = self.decide(now, Event::Unsaved(is_failing));
        }
        self.activity.release();
        self.carry_out(now);
        if self.ending.has_begun() && self.activity.is_lost_at_end(&self.outside) {
            let _ = self.decide(now, Event::Terminate);
        }
    }

    /// The process is told to end: what is saved goes on at the next start. What could not
    /// be saved is tried once more; `handle_written` ends it if that fails too.
    pub(super) fn end_activity(&mut self, now: Now) {
        self.outside.store.hurry();
        if !self.outside.store.is_writing() && self.activity.is_lost_at_end(&self.outside) {
            let _ = self.decide(now, Event::Terminate);
        }
    }

    /// Takes up what was saved. `boot` says which boot of the host this is; `is_new`, that
    /// the client ID was made at random just now.
    pub fn resume(&mut self, now: Now, boot: [u8; 16], found: &Found, is_new: bool) {
        let Loaded { saved, is_end, question, payload, reports, session } =
            self.outside.store.load(now, found, &self.outside.names.domains, boot);
        if self.subscriptions.goes_on(&session) {
            self.backend.resume(session.thing.as_ref());
        }
        self.subscriptions.resume(session, is_new);
        self.outside.store.journal.note(now, Kind::Started, None);
        for (run, report) in reports {
            backend::report::resume(now, &mut self.outside, run, &report);
        }
        let Some(mut saved) = saved else { return };
        let is_whole = self.agents.resume(&payload, saved.campaign.crc, &self.outside.names);
        let campaign = &mut saved.campaign;
        if campaign.is_running() && !is_whole {
            log::error!("{}: its desired state cannot be read any more", campaign.activity);
            campaign.outcome = Some(Status::Incomplete);
            campaign.cause = Some(Cause::Unreadable);
        }
        if campaign.is_running() || !campaign.is_delivered || saved.reboot.is_pending() {
            log::info!("{}: taken up", campaign.activity);
        }
        self.owner.resume(question);
        self.boot(now, &saved, is_end);
    }

    /// Hands the saved activity to the engine. What is told again of an end that is
    /// saved as it is must not keep the next activity waiting.
    fn boot(&mut self, now: Now, saved: &Saved, is_end: bool) {
        // A start makes sense at any moment.
        let _ = self.activity.handle(now, Event::Boot(saved));
        if is_end {
            let question = self.owner.question_to_save(self.activity.campaign());
            let save = ToSave { question, payload: self.agents.payload() };
            self.activity.adopt(&mut self.outside, save);
        }
        self.settle(now);
    }
}
