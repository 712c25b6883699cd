//! What a start finds. Whatever can be read counts, whatever else cannot.

use super::format::{fields, open, Fields, Flaw, Kind, Record, STATE};
use super::journal::{Journal, Past, Times};
use super::kept::Kept;
use super::reports::Report;
use super::session::Session;
use super::slots::{self, Slot};
use super::state::{self, Beside};
use super::{actions, document, history, reports, session, States, Store};
use crate::engine::resume::Saved;
use crate::engine::Campaign;
use crate::limits::VERSIONS_SKIPPED;
use crate::model::time::Now;
use crate::model::{Phase, Reboot, Run};

/// The two slots of each kind as they were read: their bytes, none if there is no such
/// file, or why it cannot be read.
#[derive(Debug)]
pub struct Found(pub [[Result<Vec<u8>, String>; 2]; Kind::ALL.len()]);

impl Default for Found {
    /// Nothing was ever saved.
    fn default() -> Found {
        Found(core::array::from_fn(|_| [Ok(Vec::new()), Ok(Vec::new())]))
    }
}

impl Found {
    fn of(&self, kind: Kind) -> slots::Found<'_> {
        let [a, b] = &self.0[kind.place()];
        slots::look(a.as_deref().unwrap_or_default(), b.as_deref().unwrap_or_default(), kind)
    }

    /// The records of a kind that are whole.
    pub(super) fn records(&self, kind: Kind) -> impl Iterator<Item = Record<'_>> {
        self.0[kind.place()].iter().filter_map(move |slot| open(slot.as_deref().ok()?, kind).ok())
    }

    /// The fields of the newest record of a kind.
    pub(super) fn fields(&self, kind: Kind) -> &[u8] {
        self.of(kind).newest.map(|(_, record)| record.fields).unwrap_or_default()
    }

    /// What is wrong with slots, and whether that is to be moved aside: neither slot of the
    /// kind can be read, and somebody may want to look at it.
    pub fn flaws(&self) -> impl Iterator<Item = (Kind, Slot, Flaw, bool)> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let looked = self.of(kind);
            let is_lost = looked.newest.is_none() && !looked.is_unborn();
            for (slot, flaw) in Slot::ALL.into_iter().zip(looked.flaws) {
                let is_read = self.0[kind.place()][slot as usize].is_ok();
                if let Some(flaw) = flaw.filter(|flaw| is_read && *flaw != Flaw::Empty) {
                    all.push((kind, slot, flaw, is_lost));
                }
            }
        }
        all.into_iter()
    }

    /// Whether a slot cannot be read, and may hold what is newer than all else.
    fn has_unreadable(&self) -> bool {
        self.0.iter().flatten().any(Result::is_err)
    }

    /// The session that was saved.
    pub fn session(&self) -> Session {
        session::decode(self.fields(Kind::Session))
    }
}

/// What was saved, for those who go on with it.
#[derive(Debug)]
pub struct Loaded {
    /// The activity that was saved last.
    pub saved: Option<Saved>,
    /// Whether its end was saved as it is, so that all that follows can be said again
    /// without another save.
    pub is_end: bool,
    /// The phase that the owner was asked about, and the question's UUID.
    pub question: Option<(Phase, [u8; 16])>,
    /// The payload of its desired state.
    pub payload: Vec<u8>,
    /// Final reports of earlier activities that the broker has not acknowledged.
    pub reports: Vec<(Run, Report)>,
    /// The session that the broker keeps.
    pub session: Session,
}

impl Store {
    /// Takes up what was found. `names` are the domains in the order of the configuration,
    /// `boot` says which boot of the host this is.
    pub fn load(&mut self, now: Now, found: &Found, names: &[String], boot: [u8; 16]) -> Loaded {
        self.boot = boot;
        self.look(found);
        self.journal = Journal::default();
        history::decode(found.fields(Kind::History), names, &mut self.journal);
        self.run = self.journal.past().map(|past| past.run).max().unwrap_or_default();
        self.of.history = self.journal.past().next_back().map(|past| past.run).unwrap_or_default();
        let reports = reports::decode(found.fields(Kind::Reports));
        self.run = reports.iter().filter_map(|report| report.run).max().unwrap_or_default().max(self.run);
        let state = self.newest_state(found, names);
        let beside = state.as_ref().map_or(Beside::default(), |state| state.beside);
        let is_whole = state.is_some();
        let campaign = match state {
            Some(state) => Some(self.take_up(found, names, state)),
            None => self.unreadable(found),
        };
        let mut payload = Vec::new();
        document::decode(found.fields(Kind::Document), &mut payload);
        let reports = self.load_reports(reports, campaign.as_ref().map(|campaign| campaign.identity.run));
        if let Some(campaign) = &campaign {
            self.remember(now, campaign, beside.reboot);
        }
        let has_booted = beside.boot != boot;
        let is_end = matches!(self.states.on_disk, Some((_, false)));
        let (reboot, restorable) = (beside.reboot, self.restorable(names));
        let saved = campaign.map(|campaign| Saved { campaign, reboot, has_booted, is_whole, restorable });
        Loaded { saved, is_end, question: beside.question, payload, reports, session: found.session() }
    }

    /// Finds out where each kind's next record goes.
    fn look(&mut self, found: &Found) {
        for kind in Kind::ALL {
            self.places[kind.place()] = found.of(kind).next();
        }
        let run =
            |slot: &Result<Vec<u8>, String>| document::run(open(slot.as_deref().ok()?, Kind::Document).ok()?.fields);
        self.of.documents = [0, 1].map(|slot| run(&found.0[Kind::Document.place()][slot]).unwrap_or_default());
    }

    /// The state that was written last: in a record of its own, or with another one.
    fn newest_state(&mut self, found: &Found, names: &[String]) -> Option<state::Saved> {
        let own = found.fields(Kind::State);
        if state::version(own).is_none() && !own.is_empty() {
            // 0.1.0 wrote it, which knows of no other place: what else there is is older.
            self.states.must_be_alone = true;
            return state::decode(own, names);
        }
        let mut all: Vec<(u32, &[u8])> = Vec::new();
        all.extend(state::version(own).map(|version| (version, own)));
        for record in [Kind::Document, Kind::Actions, Kind::History].iter().flat_map(|kind| found.records(*kind)) {
            if let Some((STATE, state)) = fields(record.fields).next() {
                all.extend(state::version(state).map(|version| (version, state)));
            }
        }
        // Of two that are alike the one in its own record counts.
        all.sort_by_key(|(version, _)| core::cmp::Reverse(*version));
        let newest = all.into_iter().find_map(|(_, state)| state::decode(state, names));
        let version = newest.as_ref().and_then(|state| state.version).unwrap_or(0);
        let skipped = if found.has_unreadable() { VERSIONS_SKIPPED } else { 0 };
        self.states.version = version.saturating_add(skipped);
        newest
    }

    /// The campaign of a state, with its actions. If it is known to have ended, an older
    /// state has come back.
    fn take_up(&mut self, found: &Found, names: &[String], state: state::Saved) -> Campaign {
        let state::Saved { mut campaign, beside, progress, times, kept, .. } = state;
        self.run = self.run.max(campaign.identity.run);
        if campaign.identity.run == Run::NONE {
            // 0.1.0 wrote it.
            self.run = self.run.next();
            campaign.identity.run = self.run;
            self.journal.identify(campaign.key(), campaign.identity.run);
        }
        times.into_iter().for_each(|times| self.journal.resume(campaign.identity.run, times));
        let has_actions = actions::decode(found.fields(Kind::Actions), names, &mut campaign);
        progress.apply(&mut campaign);
        self.kept = Kept::load(found, &kept);
        self.adopt_loaded(&campaign, names, &beside);
        self.of.document = campaign.identity.run;
        self.of.actions = if has_actions { campaign.identity.run } else { Run::NONE };
        self.states.on_disk = Some((campaign.identity.run, campaign.is_running()));
        if let (true, Some(outcome)) = (campaign.is_running(), self.journal.outcome_of(campaign.identity.run)) {
            campaign.end.outcome = Some(outcome);
            campaign.consent.asking = None;
        }
        campaign
    }

    /// The state is on the disk as it was decoded.
    fn adopt_loaded(&mut self, campaign: &Campaign, names: &[String], beside: &Beside) {
        let States { latest, saved, scratch, .. } = &mut self.states;
        let mut out = Fields::new(scratch);
        state::encode(campaign, names, beside, &mut out);
        state::encode_kept(campaign, names, self.kept.parts(), &mut out);
        saved.clear();
        saved.extend_from_slice(out.written());
        latest.clone_from(saved);
    }

    /// What was saved cannot be read, but perhaps whose it was: that is told. If that
    /// cannot be read either, a wrong activity would be told of.
    fn unreadable(&mut self, found: &Found) -> Option<Campaign> {
        let mut campaign = Campaign::new();
        let kinds = [Kind::State, Kind::Document].into_iter().filter(|kind| !found.of(*kind).is_unborn());
        let slots = kinds.flat_map(|kind| &found.0[kind.place()]);
        let mut damaged = slots.filter_map(|slot| slot.as_ref().ok());
        let is_known = damaged.any(|bytes| state::decode_key(bytes, &mut campaign));
        if !is_known || self.journal.contains(campaign.key()) {
            return None;
        }
        log::error!("{}: what was saved of it cannot be read", campaign.identity.activity);
        self.run = self.run.next();
        campaign.identity.run = self.run;
        (self.of.document, self.of.actions) = (self.run, self.run);
        Some(campaign)
    }

    /// The final reports of earlier activities, but not that of the campaign itself: it is
    /// told with it.
    fn load_reports(&mut self, reports: Vec<Report>, own: Option<Run>) -> Vec<(Run, Report)> {
        let mut all = Vec::with_capacity(reports.len());
        for report in reports {
            let run = report.run.unwrap_or_else(|| {
                self.run = self.run.next();
                self.run
            });
            // No more than there is room for are decoded.
            let _ = self.of.reports.push(run);
            if Some(run) != own {
                all.push((run, report));
            }
        }
        all
    }

    /// A state that says that its activity has ended is as good as a history that does.
    fn remember(&mut self, now: Now, campaign: &Campaign, reboot: Reboot) {
        if campaign.is_running() {
            return;
        }
        self.journal.adopt(campaign, reboot);
        if let (Some(outcome), None) = (campaign.end.outcome, self.journal.outcome_of(campaign.identity.run)) {
            let unknown = Times { begun: now.wall, lasted_ms: 0 };
            let times = self.journal.saved_times(campaign.identity.run).unwrap_or(unknown);
            self.journal.push_past(Past {
                run: campaign.identity.run,
                activity: campaign.identity.activity.as_str().to_owned(),
                timestamp: campaign.identity.timestamp,
                crc: campaign.identity.crc,
                begun: times.begun,
                took_ms: times.lasted_ms,
                ended: times.begun.saturating_add(times.lasted_ms),
                outcome,
                reason: String::new(),
                is_untold: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::{seal, Draft, HEADER};
    use super::*;
    use crate::engine::event::{DesiredState, Part, Standing};
    use crate::model::text::Text;
    use crate::model::time::Tick;
    use crate::model::{ActivityKey, DomainIx, Status};

    const NOW: Now = Now { tick: Tick(1), wall: 1_700_000_000_000 };

    fn names() -> Vec<String> {
        vec!["containers".to_owned()]
    }

    fn key() -> ActivityKey<'static> {
        ActivityKey { activity: Text::parse("a-1").unwrap(), timestamp: 5, crc: 77 }
    }

    /// The only activity, as it identifies or as it has ended.
    fn campaign(outcome: Option<Status>) -> Campaign {
        let mut campaign = Campaign::new();
        let parts = [Part::new(Text::parse("containers").unwrap(), DomainIx::new(0))];
        campaign.begin(&DesiredState {
            key: key(),
            run: Run(1),
            parts: &parts,
            rollback: None,
            standing: Standing::default(),
        });
        campaign.end.outcome = outcome;
        campaign
    }

    /// Puts the record into the first slot of its kind.
    fn put(found: &mut Found, draft: Option<Draft>) {
        let draft = draft.unwrap();
        let (kind, mut bytes) = (draft.kind, draft.pieces().concat());
        let fields = bytes.len() - HEADER;
        seal(&mut bytes, kind, 1, fields).unwrap();
        found.0[kind.place()][0] = Ok(bytes);
    }

    /// What a start finds with this state.
    fn found(campaign: &Campaign) -> Found {
        let mut found = Found::default();
        let state = Draft::new(Kind::State, 4096, |out| {
            state::encode(campaign, &names(), &Beside::default(), out);
            state::encode_along(campaign, 1, Times::default(), out);
        });
        put(&mut found, state);
        found
    }

    fn load(found: &Found) -> (Store, Option<Saved>) {
        let mut store = Store::new(true);
        let loaded = store.load(NOW, found, &names(), [7; 16]);
        (store, loaded.saved)
    }

    #[test]
    fn an_old_state_that_comes_back_commands_nothing_for_a_finished_activity() {
        let mut found = found(&campaign(None));
        assert!(load(&found).1.unwrap().campaign.is_running());
        let (ended, _) = load(&self::found(&campaign(Some(Status::Incomplete))));
        put(&mut found, history::encode(&ended.journal, &names(), b""));
        let (store, saved) = load(&found);
        let campaign = saved.unwrap().campaign;
        assert!(!campaign.is_running());
        assert_eq!(campaign.end.outcome, Some(Status::Incomplete));
        assert_eq!(store.journal.past().count(), 1);
    }

    #[test]
    fn an_end_that_was_saved_is_known_as_finished_though_the_history_was_not() {
        let (store, _) = load(&found(&campaign(Some(Status::Completed))));
        assert!(store.journal.contains(key()));
        assert_eq!(store.journal.outcome_of(Run(1)), Some(Status::Completed));
        assert_eq!(store.next_run(), Run(2));
    }
}
