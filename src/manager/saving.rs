//! Between the store and the rest: what there is to be saved, what comes of it, and what
//! is taken up after a start.

use core::fmt;

use super::outbound::message_to;
use super::Manager;
use crate::engine::{Campaign, Event};
use crate::model::time::Now;
use crate::model::{checksum, Cause, DomainIx, Run, Status};
use crate::mqtt::{Ack, Class};
use crate::store::journal::Kind;
use crate::store::reports::Report;
use crate::store::state::Beside;
use crate::store::{Content, Failure, Found, Job, Loaded};
use crate::wire::node::Node;
use crate::wire::{desired_state, Envelope};

/// What of the manager there is to be saved: a macro, since the store is borrowed beside it.
macro_rules! content {
    ($manager:ident, $question:expr) => {
        Content {
            campaign: $manager.engine.campaign(),
            names: &$manager.domains,
            beside: Beside { reboot: $manager.engine.reboot(), question: $question, ..Beside::default() },
            payload: $manager.desired.payload(),
            session: &$manager.session,
        }
    };
}

impl Manager {
    /// Takes out of the effects what has to wait for a save.
    pub(super) fn hold_back(&mut self) {
        let question = self.question_to_save();
        self.store.observe(&content!(self, question), &mut self.effects);
    }

    /// Acknowledges a message, after the save if one may depend on it.
    pub(super) fn acknowledge(&mut self, ack: Option<Ack>) {
        if let Some(ack) = ack.and_then(|ack| self.store.acknowledge(ack)) {
            self.session.acknowledge(ack);
        }
    }

    /// What is to be written now; none if nothing is. The answer goes to
    /// `handle_written`, and until then there is none more.
    pub fn poll_write(&mut self, now: Now) -> Option<Job> {
        let question = self.question_to_save();
        let identity = self.identity();
        let Manager { kept, .. } = self;
        self.store.poll_write(now, &content!(self, question), &mut || kept.take_draft(identity.as_deref()))
    }

    /// The running activity or the last one, for those who look on.
    pub fn campaign(&self) -> Option<&Campaign> {
        self.engine.campaign()
    }

    /// Why what changes cannot be saved at this moment; none if it can.
    pub fn failure(&self) -> Option<&str> {
        self.store.failure()
    }

    /// Whether all that is worth it is saved.
    pub fn is_saved(&self) -> bool {
        self.store.failure().is_none() && !self.store.is_saving()
    }

    /// The job is done, or was not.
    pub fn handle_written(&mut self, now: Now, result: Result<(), Failure>) {
        let why = result.as_ref().err().map(|failure| failure.why.clone());
        self.effects.clear();
        let Manager { store, session, effects, .. } = self;
        let written = store.handle_written(now, result, effects, &mut |ack| session.acknowledge(ack));
        if written.is_session_lost {
            self.kept.note_unsaved();
        }
        let why = why.unwrap_or_default();
        match written.is_failing {
            None if written.is_gone => log::warn!("what was saved is gone, it is written anew: {why}"),
            None if !why.is_empty() && self.store.failure().is_none() => {
                log::warn!("what is saved beside the activity cannot be written: {why}");
            }
            None => {}
            Some(true) => {
                log::error!("the activity could not be saved and goes on in memory: {why}");
                self.store.journal.note(now, Kind::Unsaved, None);
            }
            Some(false) => log::info!("what could not be saved is saved now"),
        }
        // It decides nothing by itself.
        let released = core::mem::take(&mut self.effects);
        if let Some(is_failing) = written.is_failing {
            let _ = self.decide(now, Event::Unsaved(is_failing));
        }
        self.effects = released;
        self.carry_out(now);
        let is_lost = self.running().is_some_and(|run| !self.store.keeps(run));
        if is_lost && !self.ending.is_no() {
            let _ = self.decide(now, Event::Terminate);
        }
    }

    /// The activity that runs.
    fn running(&self) -> Option<Run> {
        self.engine.campaign().filter(|campaign| campaign.is_running()).map(|campaign| campaign.run)
    }

    /// The process is told to end: what is saved goes on at the next start. What could not
    /// be saved is tried once more; `handle_written` ends it if that fails too.
    pub(super) fn end_activity(&mut self, now: Now) {
        self.store.hurry();
        if !self.store.is_writing() && self.running().is_some_and(|run| !self.store.keeps(run)) {
            let _ = self.decide(now, Event::Terminate);
        }
    }

    /// Takes up what was saved. `boot` says which boot of the host this is; `is_new`, that
    /// the client ID was made at random just now.
    pub fn resume(&mut self, now: Now, boot: [u8; 16], found: &Found, is_new: bool) {
        let Loaded { saved, is_end, question, payload, reports, session } =
            self.store.load(now, found, &self.domains, boot);
        self.resume_session(session, is_new);
        self.store.journal.note(now, Kind::Started, None);
        for (run, report) in reports {
            self.resume_report(now, run, &report);
        }
        let Some(mut saved) = saved else { return };
        let is_whole = self.keep_saved(&payload, saved.campaign.crc);
        let campaign = &mut saved.campaign;
        if campaign.is_running() && !is_whole {
            log::error!("{}: its desired state cannot be read any more", campaign.activity);
            campaign.outcome = Some(Status::Incomplete);
            campaign.cause = Some(Cause::Unreadable);
        }
        if campaign.is_running() || !campaign.is_delivered || saved.reboot.is_pending() {
            log::info!("{}: taken up", campaign.activity);
        }
        self.asked = question;
        self.boot(now, &Event::Boot(&saved), is_end);
    }

    /// Hands the saved activity to the engine. What is told again of an end that is
    /// saved as it is must not keep the next activity waiting.
    fn boot(&mut self, now: Now, event: &Event<'_>, is_end: bool) {
        self.effects.clear();
        // A start makes sense at any moment.
        let _ = self.engine.handle(now.tick, *event, &mut self.effects);
        if is_end {
            let question = self.question_to_save();
            self.store.adopt(&content!(self, question));
        }
        self.look(now);
        self.hold_back();
        self.carry_out(now);
    }

    /// Sends the final report of an earlier activity.
    fn resume_report(&mut self, now: Now, run: Run, report: &Report) {
        log::info!("the end of an earlier activity is told, the broker has not acknowledged it");
        let body = |out: &mut dyn fmt::Write| out.write_str(&report.payload);
        self.send(now, message_to(&report.topic, Class::Found(run.0), &body));
    }

    /// Keeps the saved desired state for the agents; whether it is that of the activity.
    fn keep_saved(&mut self, payload: &[u8], crc: u32) -> bool {
        let Ok(node) = Node::document(payload) else { return false };
        let envelope = Envelope::around(node);
        let Some(span) = envelope.payload() else { return false };
        let Ok(state) = desired_state::decode(&envelope) else { return false };
        if checksum(&[&payload[span.start as usize..span.end()]]) != crc {
            return false;
        }
        let place = |id: crate::model::text::Text<'_>| self.domains.iter().position(|name| id.eq_str(name));
        let domains: Vec<Option<DomainIx>> = (0..state.domains())
            .map(|ix| state.domain_id(payload, ix).and_then(place).and_then(DomainIx::new))
            .collect();
        self.desired.keep(payload, span, state, domains.into_iter());
        true
    }
}
