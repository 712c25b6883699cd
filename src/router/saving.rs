//! From the campaign to records, and back after a start.

use super::Router;
use crate::journal::{self, Journal};
use crate::limits::{SAVED_RECORD_MAX, SAVED_STATE_MAX};
use crate::mqtt::Ack;
use crate::orchestrator::campaign::Cause;
use crate::orchestrator::ids::DomainIx;
use crate::orchestrator::phase::{Phase, Status};
use crate::orchestrator::resume::Saved;
use crate::orchestrator::{Campaign, Event, WaitingOn};
use crate::record::format::{Draft, Fields, Kind};
use crate::record::state::{self, Beside};
use crate::record::{actions, document, history};
use crate::time::Now;
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
    /// A state that cannot be read, as it was found.
    pub unreadable: Vec<u8>,
}

/// What the router knows of saving.
#[derive(Debug, Default)]
pub(super) struct Saving {
    wanted: Option<u32>,
    /// Of the activity whose document, and whose actions, are saved.
    document_of: Option<(i64, u32)>,
    actions_of: Option<(i64, u32)>,
    history_of: Option<(i64, u32)>,
    /// Which boot of the host this is.
    pub(super) boot: [u8; 16],
    /// Given to the broker after the save.
    acks: heapless::Vec<Ack, 8>,
}

impl Router {
    pub(super) fn want_save(&mut self, sequence: u32) {
        self.saving.wanted = Some(sequence);
    }

    /// Acknowledges a message, after the save if one depends on it.
    pub(super) fn acknowledge(&mut self, ack: Option<Ack>) {
        let Some(ack) = ack else { return };
        if self.orchestrator.waiting_on() != WaitingOn::Save {
            self.session.acknowledge(ack);
        } else if let Err(ack) = self.saving.acks.push(ack) {
            self.session.acknowledge(ack);
        }
    }

    /// What is to be saved now; none if nothing is. The answer goes to
    /// `handle_saved`, and until then there is none more.
    pub fn poll_save(&mut self) -> Option<SaveJob> {
        let sequence = self.saving.wanted.take()?;
        let campaign = self.orchestrator.campaign()?;
        let key = Some((campaign.timestamp, campaign.crc));
        let mut drafts = Vec::with_capacity(4);
        if self.saving.document_of != key {
            self.saving.document_of = key;
            drafts.extend(document::encode(self.desired.payload()));
        }
        if self.saving.actions_of != key && campaign.phase != Phase::Identify {
            self.saving.actions_of = key;
            drafts.extend(actions::encode(campaign, &self.domains));
        }
        if self.saving.history_of != key && !campaign.is_running() {
            self.saving.history_of = key;
            let journal = &self.console.journal;
            drafts.extend(self.orchestrator.finished().and_then(|all| history::encode(all, journal, &self.domains)));
        }
        let beside = Beside { reboot: self.orchestrator.reboot(), boot: self.saving.boot };
        let state = |out: &mut Fields<'_>| state::encode(campaign, &self.domains, &beside, out);
        drafts.extend(Draft::new(Kind::State, SAVED_STATE_MAX, state));
        Some(SaveJob { sequence, drafts })
    }

    /// The job is done, or has failed with these words.
    pub fn handle_saved(&mut self, now: Now, sequence: u32, result: Result<(), String>) {
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
        for ack in core::mem::take(&mut self.saving.acks) {
            self.session.acknowledge(ack);
        }
    }

    /// Takes up what was saved.
    pub fn resume(&mut self, now: Now, boot: [u8; 16], loaded: &Loaded) {
        self.saving.boot = boot;
        // What was saved comes before what has happened since.
        self.console.journal = Journal::default();
        history::decode_journal(&loaded.history, &self.domains, &mut self.console.journal);
        self.console.journal.note(now, journal::Kind::Started, None);
        let mut campaign = Campaign::new();
        let mut progress = Vec::new();
        let mut action = |place: usize, status, percent| progress.push((place, status, percent));
        let Some(beside) = state::decode(&loaded.state, &self.domains, &mut campaign, &mut action) else {
            return self.end_unreadable(now, loaded);
        };
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

    /// What was saved cannot be read, but perhaps whose it was: that is told.
    fn end_unreadable(&mut self, now: Now, loaded: &Loaded) {
        let finished = history::decode(&loaded.history);
        let mut campaign = Campaign::new();
        let Some(activity) = state::activity_of(&loaded.unreadable) else { return };
        if finished.iter().any(|one| one.activity == activity) {
            return;
        }
        log::error!("{activity}: what was saved of it cannot be read");
        campaign.activity = activity;
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
        let place = |id: crate::text::Text<'_>| self.domains.iter().position(|name| id.eq_str(name));
        let domains: Vec<Option<DomainIx>> = (0..state.domains())
            .map(|ix| state.domain_id(&message, ix).and_then(place).and_then(DomainIx::new))
            .collect();
        self.desired.keep(&message, span, state, domains.into_iter());
        true
    }
}
