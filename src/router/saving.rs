//! From the campaign to records, and back after a start.

use core::fmt;

use super::outbound::message_to;
use super::Router;
use crate::journal::{self, Journal};
use crate::limits::{saved_state_max, INBOUND_MAX, REPORTS_MAX, SAVED_RECORD_MAX, SAVED_RESULTS_MAX};
use crate::model::time::Now;
use crate::model::{Cause, DomainIx, Phase, Status};
use crate::mqtt::{Ack, Class};
use crate::orchestrator::resume::Saved;
use crate::orchestrator::{Campaign, Event, WaitingOn};
use crate::record::format::{Draft, Fields, Kind};
use crate::record::state::{self, Beside};
use crate::record::{actions, document, history, reports};
use crate::wire::{desired_state, Envelope};

/// What is to be saved, all of it before the number is reported back. The order
/// matters: the state names what was written before it.
#[derive(Debug)]
pub struct SaveJob {
    /// To be handed to `handle_saved`.
    pub sequence: u32,
    /// What to write, one after the other.
    pub drafts: Vec<Draft>,
}

/// The fields of what was found at the start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// How far the activity was.
    pub state: Vec<u8>,
    /// Its desired state.
    pub document: Vec<u8>,
    /// Its actions' components.
    pub actions: Vec<u8>,
    /// The activities that had finished.
    pub history: Vec<u8>,
    /// Final reports of earlier activities.
    pub reports: Vec<u8>,
    /// The session that the broker keeps.
    pub session: Vec<u8>,
    /// A state that cannot be read, as it was found.
    pub unreadable: Vec<u8>,
}

/// What the router knows of saving.
#[derive(Debug, Default)]
pub(super) struct Saving {
    wanted: Option<u32>,
    /// It may be left out.
    if_cheap: bool,
    /// Bytes that the activity has written, but for its document.
    bytes: usize,
    /// Of the activity whose document, and whose actions, are saved.
    document_of: Option<(i64, u32)>,
    actions_of: Option<(i64, u32)>,
    history_of: Option<(i64, u32)>,
    /// The final reports that are saved apart from the campaign.
    reports: heapless::Vec<u64, REPORTS_MAX>,
    /// Which boot of the host this is.
    pub(super) boot: [u8; 16],
    /// Given to the broker after the save; those that came before it began are the
    /// first `covered` ones.
    acks: Vec<Ack>,
    covered: usize,
}

/// A save of the router's own, which the orchestrator does not wait for.
const OWN: u32 = 0;

impl Router {
    pub(super) fn want_save(&mut self, sequence: u32, if_cheap: bool) {
        self.saving.wanted = Some(sequence);
        self.saving.if_cheap = if_cheap;
    }

    /// Acknowledges a message, after the save if one may depend on it.
    pub(super) fn acknowledge(&mut self, ack: Option<Ack>) {
        let Some(ack) = ack else { return };
        // No more of them wait than the session has room for.
        if self.is_saving() && self.saving.acks.len() < INBOUND_MAX {
            self.saving.acks.push(ack);
        } else {
            self.session.acknowledge(ack);
        }
    }

    /// Whether what was decided waits for a save.
    pub(super) fn is_saving(&self) -> bool {
        self.orchestrator.waiting_on() == WaitingOn::Save
    }

    /// The link is lost: what was to be acknowledged comes again, or is forgotten.
    pub(super) fn drop_acknowledgements(&mut self) {
        self.saving.acks.clear();
        self.saving.covered = 0;
    }

    /// What is to be saved now; none if nothing is. The answer goes to
    /// `handle_saved`, and until then there is none more.
    pub fn poll_save(&mut self) -> Option<SaveJob> {
        let mut drafts = Vec::with_capacity(5);
        let Some(sequence) = self.saving.wanted.take() else {
            drafts.extend(self.reports_to_save(false));
            drafts.extend(self.session_to_save());
            return (!drafts.is_empty()).then_some(SaveJob { sequence: OWN, drafts });
        };
        self.saving.covered = self.saving.acks.len();
        if self.saving.if_cheap && self.saving.bytes >= SAVED_RESULTS_MAX {
            return Some(SaveJob { sequence, drafts });
        }
        let question = self.question_to_save();
        let key = self.orchestrator.campaign().map(|campaign| (campaign.timestamp, campaign.crc));
        drafts.extend(self.reports_to_save(self.saving.document_of != key));
        let campaign = self.orchestrator.campaign()?;
        if self.saving.document_of != key {
            self.saving.document_of = key;
            self.saving.bytes = 0;
            drafts.extend(document::encode(self.desired.payload()));
        }
        if self.saving.actions_of != key && campaign.phase != Phase::Identify {
            self.saving.actions_of = key;
            drafts.extend(actions::encode(campaign, &self.domains));
        }
        let beside = Beside { reboot: self.orchestrator.reboot(), boot: self.saving.boot, question };
        let state = |out: &mut Fields<'_>| state::encode(campaign, &self.domains, &beside, out);
        let max = saved_state_max(self.domains.len() + campaign.unserved.len());
        drafts.extend(Draft::new(Kind::State, max, state));
        // After the state: what is known to have finished had its end saved.
        if self.saving.history_of != key && !campaign.is_running() {
            self.saving.history_of = key;
            let journal = &self.console.journal;
            drafts.extend(self.orchestrator.finished().and_then(|all| history::encode(all, journal, &self.domains)));
        }
        let without = drafts.iter().filter(|draft| draft.kind != Kind::Document);
        self.saving.bytes += without.map(|draft| draft.bytes.len()).sum::<usize>();
        Some(SaveJob { sequence, drafts })
    }

    /// The state of a new activity takes the place of the last one's: final reports
    /// that wait for the broker are saved before, and removed when it has them.
    fn reports_to_save(&mut self, is_new: bool) -> Option<Draft> {
        if is_new && self.session.found().next().is_some() {
            self.saving.reports = self.session.found().take(REPORTS_MAX).map(|report| report.number).collect();
            return reports::encode(self.session.found());
        }
        let waits = |number: &u64| self.session.found().any(|report| report.number == *number);
        if self.saving.reports.is_empty() || self.saving.reports.iter().any(waits) {
            return None;
        }
        self.saving.reports.clear();
        reports::encode(core::iter::empty())
    }

    /// The job is done, or has failed with these words.
    pub fn handle_saved(&mut self, now: Now, sequence: u32, result: Result<(), String>) {
        if sequence == OWN {
            if let Err(why) = result {
                log::warn!("what is saved beside the activity cannot be written: {why}");
            }
            return;
        }
        let event = match result {
            Ok(()) => Event::Saved(sequence),
            Err(why) => {
                log::error!("the activity could not be saved and goes on in memory: {why}");
                self.saving.document_of = None;
                self.saving.actions_of = None;
                self.saving.history_of = None;
                Event::SaveFailed(sequence)
            }
        };
        let _ = self.decide(now, event);
        // What came while it was written waits for the next save, if there is one.
        let given = if self.is_saving() { self.saving.covered } else { self.saving.acks.len() };
        self.saving.acks.drain(..given).for_each(|ack| self.session.acknowledge(ack));
        self.saving.covered = 0;
    }

    /// Takes up what was saved.
    pub fn resume(&mut self, now: Now, boot: [u8; 16], loaded: &Loaded) {
        self.saving.boot = boot;
        self.resume_session(&loaded.session);
        // What was saved comes before what has happened since.
        self.console.journal = Journal::default();
        history::decode_journal(&loaded.history, &self.domains, &mut self.console.journal);
        self.console.journal.note(now, journal::Kind::Started, None);
        let mut campaign = Campaign::new();
        let mut progress = Vec::new();
        let mut action = |place: usize, status, percent| progress.push((place, status, percent));
        let beside = state::decode(&loaded.state, &self.domains, &mut campaign, &mut action);
        self.resume_reports(now, loaded, beside.map(|_| campaign.number()));
        let Some(beside) = beside else { return self.end_unreadable(now, loaded) };
        self.asked = beside.question;
        actions::decode(&loaded.actions, &self.domains, &mut campaign);
        for (place, status, percent) in progress {
            campaign.actions.set_progress(place, status, percent);
        }
        let key = Some((campaign.timestamp, campaign.crc));
        if self.keep_saved(&loaded.document, campaign.crc) {
            self.saving.document_of = key;
        } else if campaign.is_running() {
            log::error!("{}: its desired state cannot be read any more", campaign.activity);
            campaign.outcome = Some(Status::Incomplete);
            campaign.cause = Some(Cause::Unreadable);
        }
        if campaign.is_running() || !campaign.is_delivered || beside.reboot.is_pending() {
            log::info!("{}: taken up", campaign.activity);
        }
        if !campaign.is_running() && campaign.cause != Some(Cause::Unreadable) {
            self.console.journal.adopt(&campaign, beside.reboot);
        }
        let has_booted = beside.boot != boot;
        let finished = history::decode(&loaded.history);
        let saved = Saved { campaign, reboot: beside.reboot, has_booted, finished };
        let _ = self.decide(now, Event::Boot(&saved));
    }

    /// Sends the final reports of earlier activities, but not that of the campaign
    /// itself: it is told with it.
    fn resume_reports(&mut self, now: Now, loaded: &Loaded, own: Option<u64>) {
        for report in reports::decode(&loaded.reports) {
            // Of no more than there is room for.
            let _ = self.saving.reports.push(report.number);
            if Some(report.number) != own {
                log::info!("the end of an earlier activity is told, the broker has not acknowledged it");
                let body = |out: &mut dyn fmt::Write| out.write_str(&report.payload);
                self.send(now, message_to(&report.topic, Class::Found(report.number), &body));
            }
        }
    }

    /// What was saved cannot be read, but perhaps whose it was: that is told. If that
    /// cannot be read either, a wrong activity would be told of.
    fn end_unreadable(&mut self, now: Now, loaded: &Loaded) {
        let finished = history::decode(&loaded.history);
        let mut campaign = Campaign::new();
        if !state::decode_key(&loaded.unreadable, &mut campaign) || finished.outcome_of(&campaign).is_some() {
            return;
        }
        log::error!("{}: what was saved of it cannot be read", campaign.activity);
        campaign.outcome = Some(Status::Incomplete);
        campaign.cause = Some(Cause::Unreadable);
        let _ =
            self.decide(now, Event::Boot(&Saved { campaign, reboot: Default::default(), has_booted: true, finished }));
    }

    /// Keeps the saved desired state for the agents; whether it is that of the activity.
    fn keep_saved(&mut self, fields: &[u8], crc: u32) -> bool {
        let mut message = Vec::with_capacity(SAVED_RECORD_MAX);
        message.extend_from_slice(b"{\"payload\":");
        document::decode(fields, &mut message);
        message.push(b'}');
        let Ok(envelope) = Envelope::decode(&message) else { return false };
        let Some(span) = envelope.payload() else { return false };
        let Ok(state) = desired_state::decode(&envelope) else { return false };
        if super::inbound::checksum(&message[span.start as usize..span.end()]) != crc {
            return false;
        }
        let place = |id: crate::model::text::Text<'_>| self.domains.iter().position(|name| id.eq_str(name));
        let domains: Vec<Option<DomainIx>> = (0..state.domains())
            .map(|ix| state.domain_id(&message, ix).and_then(place).and_then(DomainIx::new))
            .collect();
        self.desired.keep(&message, span, state, domains.into_iter());
        true
    }
}
