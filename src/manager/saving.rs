//! Saving and resuming: passes state from the parts to the store, and what was saved from
//! the store to the parts.
//!
//! In: the records found on the disk, and the results of writes. Out: records to write.
//!
//! Invariant: after a write the engine first learns whether saving fails or works again;
//! then the effects that the write has released are carried out.
//!
//! Deliberately absent: the moment of a save and the records' format; the store has both.

use super::activity::ToSave;
use super::backend;
use super::Manager;
use crate::engine::resume::Saved;
use crate::engine::Event;
use crate::model::time::Now;
use crate::store::journal::Kind;
use crate::store::{Failure, Found, Job, Loaded};

impl Manager {
    /// Returns what is to be written now; none if nothing is. There is no further job until
    /// `handle_written` has the result of this one.
    pub fn poll_write(&mut self, now: Now) -> Option<Job> {
        let Manager { outside, activity, backend, agents, owner, subscriptions, .. } = self;
        let save = ToSave { question: owner.question_to_save(activity.campaign()), payload: agents.payload() };
        let identity = backend.identity().map(|identity| &**identity);
        activity.poll_write(now, outside, save, &mut || subscriptions.take_draft(identity))
    }

    /// Returns why changes cannot be saved at this moment; none if they can.
    pub fn failure(&self) -> Option<&str> {
        self.outside.store.failure()
    }

    /// Returns whether the state on the disk is up to date.
    pub fn is_saved(&self) -> bool {
        self.failure().is_none() && !self.outside.store.is_saving()
    }

    /// Handles the result of a job.
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

    /// Ends the running activity at the shutdown, unless it is saved and can be resumed. A
    /// save that has failed is tried once more first; `handle_written` ends the activity if
    /// that fails too.
    pub(super) fn end_activity(&mut self, now: Now) {
        self.outside.store.hurry();
        if !self.outside.store.is_writing() && self.activity.is_lost_at_end(&self.outside) {
            let _ = self.decide(now, Event::Terminate);
        }
    }

    /// Resumes from the records on the disk. `boot` identifies this boot of the host;
    /// `is_new`: the client ID was made at random just now.
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
        let is_whole = self.agents.resume(&payload, saved.campaign.identity.crc, &self.outside.names);
        let campaign = &saved.campaign;
        if campaign.is_running() && saved.is_whole && !is_whole {
            log::error!("{}: its desired state cannot be read any more", campaign.identity.activity);
            saved.is_whole = false;
        }
        if campaign.is_running() || !campaign.end.is_delivered || saved.reboot.is_pending() {
            log::info!("{}: taken up", campaign.identity.activity);
        }
        self.owner.resume(question);
        self.boot(now, &saved, is_end);
    }

    /// Hands the saved activity to the engine. If its end is saved, the reports of it that
    /// are repeated need no save, so that they do not delay the next activity.
    fn boot(&mut self, now: Now, saved: &Saved, is_end: bool) {
        // The engine accepts a start at any moment.
        let _ = self.activity.handle(now, Event::Boot(saved));
        self.owner.drop_unasked(self.activity.campaign());
        if is_end {
            let question = self.owner.question_to_save(self.activity.campaign());
            let save = ToSave { question, payload: self.agents.payload() };
            self.activity.adopt(&mut self.outside, save);
        }
        self.settle(now);
    }
}
