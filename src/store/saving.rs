//! What is to be written, and what has come of it.

use super::document::Payload;
use super::format::{header, Draft, Fields, Kind, FIELD, HEADER};
use super::slots::Slot;
use super::{actions, document, history, reports, state, Content, Of, States, Store, Ticket};
use crate::engine::{Campaign, Effects};
use crate::limits::{REPORTS_MAX, SAVED_RECORD_MAX, SAVE_RETRY_MAX_MS, SAVE_RETRY_MIN_MS};
use crate::model::time::{Now, Tick};
use crate::model::{Phase, Run};
use crate::mqtt::Ack;

/// A record to be written into a slot.
#[derive(Clone, Debug)]
pub struct Write {
    /// What it holds.
    pub kind: Kind,
    /// Where it goes.
    pub slot: Slot,
    /// All of it but the pieces of a desired state.
    pub bytes: Vec<u8>,
    /// That desired state.
    pub payload: Option<Payload>,
}

impl Write {
    /// All of it.
    pub fn pieces(&self) -> Vec<&[u8]> {
        document::pieces(&self.bytes, self.payload.as_ref()).collect()
    }
}

/// Records to be written one after the other, each synced before the next: a later one
/// counts on those before it.
#[derive(Clone, Debug)]
pub struct Job {
    /// In that order.
    pub writes: Vec<Write>,
}

/// A job that was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// How many of its writes were done.
    pub done: usize,
    /// Why the next one was not, in the system's words.
    pub why: String,
    /// The folder had vanished and was made again: nothing is left of what was saved.
    pub is_gone: bool,
}

/// The job that runs.
#[derive(Debug)]
pub(super) struct Running {
    /// The kinds of its writes, in order.
    kinds: heapless::Vec<Kind, { Kind::ALL.len() }>,
    /// What is on the disk when it is done.
    of: Of,
    /// The state that one of the writes holds, and which write that is.
    state: Option<(Run, bool)>,
    state_in: Option<Kind>,
}

impl Running {
    /// Whether it writes the state.
    pub(super) fn has_state(&self) -> bool {
        self.state_in.is_some()
    }
}

/// The last write has failed.
#[derive(Debug)]
pub(super) struct Failing {
    why: String,
    /// When it is tried again; none if there is nothing to be written.
    due: Option<Tick>,
    /// It is tried again at once, since something has changed.
    is_hurried: bool,
    pause_ms: u64,
    /// The activity's state was among what could not be written.
    has_state: bool,
}

impl Failing {
    pub(super) fn has_state(&self) -> bool {
        self.has_state
    }

    pub(super) fn why(&self) -> &str {
        &self.why
    }

    pub(super) fn due(&self) -> Option<Tick> {
        self.due
    }

    pub(super) fn hurry(&mut self) {
        self.is_hurried = true;
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.is_hurried
    }

    fn is_due(&self, now: Tick) -> bool {
        self.is_hurried || self.due.is_some_and(|due| due <= now)
    }
}

/// What has come of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Whether saving fails now, if that has changed.
    pub is_failing: Option<bool>,
    /// Whether the session's record was not written though it was to be, or is gone.
    pub is_session_lost: bool,
    /// The folder had vanished: all is written anew.
    pub is_gone: bool,
}

impl Store {
    /// What is to be written now; none if nothing is. `session` makes the record of the
    /// session if that is to be saved too. The answer goes to `handle_written`, and until
    /// then there is none more.
    pub fn poll_write(
        &mut self,
        now: Now,
        content: &Content<'_>,
        session: &mut dyn FnMut() -> Option<Draft>,
    ) -> Option<Job> {
        if !self.is_on || self.job.is_some() || self.failing.as_ref().is_some_and(|failing| !failing.is_due(now.tick)) {
            return None;
        }
        let mut job = Running { kinds: heapless::Vec::new(), of: self.of.clone(), state: None, state_in: None };
        let mut drafts = Vec::with_capacity(Kind::ALL.len());
        // A record that holds the newest state is never replaced by one that does not.
        let is_due =
            self.is_changed() || self.of.history != self.last_ended() || self.kept.needs_record(&self.of.documents);
        match content.campaign.filter(|_| is_due) {
            Some(campaign) => self.draft_activity(now.tick, campaign, content, &mut job, &mut drafts),
            None => {
                drafts.extend(self.draft_reports(content, &mut job));
                drafts.extend(session());
            }
        }
        if drafts.is_empty() {
            if let Some(failing) = &mut self.failing {
                (failing.due, failing.is_hurried) = (None, false);
            }
            return None;
        }
        let writes = drafts.into_iter().filter_map(|draft| self.seal(draft)).collect::<Vec<_>>();
        job.kinds = writes.iter().map(|write| write.kind).collect();
        if job.has_state() {
            self.states.writing.clone_from(&self.states.latest);
            self.held.cover();
        }
        self.begun += 1;
        self.job = Some(job);
        Some(Job { writes })
    }

    /// All that has changed with the activity.
    fn draft_activity(
        &mut self,
        now: Tick,
        campaign: &Campaign,
        content: &Content<'_>,
        job: &mut Running,
        drafts: &mut Vec<Draft>,
    ) {
        let run = campaign.identity.run;
        let reports = self.draft_reports(content, job);
        // That they are delivered must not hold up the rest.
        let is_last = self.failing.is_some() && job.of.reports.is_empty();
        let (first, last) = if is_last { (None, reports) } else { (reports, None) };
        drafts.extend(first);
        let kept = self.draft_kept(run);
        let (first, behind) = if self.failing.is_some() { (None, kept) } else { (kept, None) };
        drafts.extend(first);
        let ended = self.last_ended();
        let mut kinds = heapless::Vec::<Kind, 3>::new();
        let mut add = |kind, of: &mut Run, run: Run, is_due: bool| {
            if *of != run && is_due {
                *of = run;
                // There are three kinds of them.
                let _ = kinds.push(kind);
            }
        };
        let is_identified = campaign.phase != Phase::Identify;
        add(Kind::Document, &mut job.of.document, run, true);
        add(Kind::Actions, &mut job.of.actions, run, is_identified);
        add(Kind::History, &mut job.of.history, ended, true);
        if kinds.is_empty() && self.states.goes_along {
            let _ = kinds.push(if is_identified { Kind::Actions } else { Kind::Document });
        }
        job.state_in = Some(self.draft_state(now, campaign, content, &kinds, drafts));
        job.state = Some((run, campaign.is_running()));
        drafts.extend(behind);
        drafts.extend(last);
    }

    /// What domains are committed to, if its document is overwritten by that of the activity
    /// `run`, or is gone. It goes first, but must not hold up the activity after a failure.
    fn draft_kept(&mut self, run: Run) -> Option<Draft> {
        let mut staying = self.of.documents;
        if self.of.document != run {
            let (slot, _) = self.places[Kind::Document.place()];
            staying[slot as usize] = run;
        }
        self.kept.needs_record(&staying).then(|| self.kept.draft()).flatten()
    }

    /// Records of these kinds and the activity's state, in one of them or in its own; which
    /// one that is. After a failure the state stands as far in front as it can: what comes
    /// behind it may be what cannot be written.
    fn draft_state(
        &mut self,
        now: Tick,
        campaign: &Campaign,
        content: &Content<'_>,
        kinds: &[Kind],
        drafts: &mut Vec<Draft>,
    ) -> Kind {
        let times = self.journal.times(now);
        let States { latest, scratch, version, must_be_alone, goes_along, .. } = &mut self.states;
        *version = version.saturating_add(1);
        let mut out = Fields::new(scratch);
        out.extend(latest);
        state::encode_along(campaign, *version, times, &mut out);
        let state = out.written();
        let can_carry = |kind: &Kind| match kind {
            Kind::Document => document::size(content.payload.bytes()) + FIELD + state.len() <= SAVED_RECORD_MAX,
            _ => self.failing.is_none() || *goes_along,
        };
        let carrier = kinds.last().copied().filter(|kind| !*must_be_alone && can_carry(kind));
        let mut alone = carrier.is_none().then(|| Draft::of_fields(Kind::State, state));
        for kind in kinds.iter().copied() {
            let state = if carrier == Some(kind) { state } else { &[] };
            if self.failing.is_some() && kind != Kind::Document {
                drafts.extend(alone.take());
            }
            drafts.extend(match kind {
                Kind::Document => document::encode(campaign.identity.run, content.payload, state),
                Kind::Actions => actions::encode(campaign, content.names, state),
                _ => history::encode(&self.journal, content.names, state),
            });
        }
        drafts.extend(alone);
        carrier.unwrap_or(Kind::State)
    }

    /// A record could not be written. Should it be just that slot, the next try does
    /// without it as far as that loses nothing.
    fn avoid(&mut self, kind: Kind) {
        if kind == Kind::Document {
            // A part of what it held may be overwritten.
            let (slot, _) = self.places[kind.place()];
            self.of.documents[slot as usize] = Run::NONE;
        }
        match kind {
            Kind::State => self.states.goes_along = true,
            // The document in the other slot is of no use to an activity that has ended.
            Kind::Document if !self.states.on_disk.is_some_and(|(_, is_running)| is_running) => {
                let (slot, _) = &mut self.places[kind.place()];
                *slot = slot.other();
            }
            Kind::Document | Kind::Actions | Kind::History => self.states.goes_along = false,
            Kind::Kept => {
                let (slot, _) = &mut self.places[kind.place()];
                *slot = slot.other();
            }
            Kind::Reports | Kind::Session => {}
        }
    }

    /// The last activity that has ended.
    fn last_ended(&self) -> Run {
        self.journal.past().next_back().map_or(Run::NONE, |past| past.run)
    }

    /// The state tells of the end of its own activity alone: final reports of earlier ones
    /// that wait for the broker are saved before it, and removed when it has them.
    fn draft_reports(&self, content: &Content<'_>, job: &mut Running) -> Option<Draft> {
        let own = content.campaign.map_or(Run::NONE, |campaign| campaign.identity.run);
        let waiting = || content.session.found().take(REPORTS_MAX).map(|report| Run(report.number));
        let is_missing = |run: &Run| *run != own && !self.of.reports.contains(run);
        if waiting().any(|run| is_missing(&run)) {
            job.of.reports = waiting().collect();
            return reports::encode(content.session.found());
        }
        if self.of.reports.is_empty() || waiting().any(|run| self.of.reports.contains(&run)) {
            return None;
        }
        job.of.reports.clear();
        reports::encode(core::iter::empty())
    }

    /// Completes a record for the slot that is its.
    fn seal(&self, draft: Draft) -> Option<Write> {
        let (slot, sequence) = self.places[draft.kind.place()];
        let Draft { kind, mut bytes, payload } = draft;
        let header = header(kind, sequence, document::pieces(bytes.get(HEADER..)?, payload.as_ref()))?;
        bytes[..HEADER].copy_from_slice(&header);
        Some(Write { kind, slot, bytes, payload })
    }

    /// The job is done, or was not. What it covered is put into `out`, and its
    /// acknowledgements are given to `acknowledge`.
    pub fn handle_written(
        &mut self,
        now: Now,
        result: Result<(), Failure>,
        out: &mut Effects,
        acknowledge: &mut dyn FnMut(Ack),
    ) -> Written {
        let none = Written { is_failing: None, is_session_lost: false, is_gone: false };
        let Some(job) = self.job.take() else { return none };
        let was_failing = self.is_failing();
        let done = result.as_ref().map_or_else(|failure| failure.done, |()| job.kinds.len());
        self.note_written(&job, done);
        let is_session_lost = job.kinds.iter().skip(done).any(|kind| *kind == Kind::Session);
        match result {
            Ok(()) => {
                self.failing = None;
                self.held.release(!self.is_changed(), out, acknowledge);
                Written { is_failing: was_failing.then_some(false), is_session_lost, ..none }
            }
            Err(failure) if failure.is_gone => {
                self.forget_disk();
                self.held.uncover();
                Written { is_session_lost: true, is_gone: true, ..none }
            }
            Err(failure) => {
                job.kinds.get(done).copied().into_iter().for_each(|kind| self.avoid(kind));
                self.kept.handle_written(false);
                let has_state = job.has_state() || was_failing;
                self.fail(now, failure.why, has_state);
                if has_state {
                    self.held.release(true, out, acknowledge);
                }
                let is_new = has_state && !was_failing;
                Written { is_failing: is_new.then_some(true), is_session_lost, ..none }
            }
        }
    }

    /// What was not written is tried again: at once if the state has changed meanwhile that
    /// was not a part of it, otherwise after a pause.
    fn fail(&mut self, now: Now, why: String, has_state: bool) {
        let before = self.failing.as_ref().map(|failing| failing.pause_ms);
        let pause_ms = before.map_or(SAVE_RETRY_MIN_MS, |before| (before * 2).min(SAVE_RETRY_MAX_MS));
        let is_hurried = !has_state && self.is_changed();
        self.failing = Some(Failing { why, due: Some(now.tick.after(pause_ms)), is_hurried, pause_ms, has_state });
    }

    /// So many of the job's records are on the disk.
    fn note_written(&mut self, job: &Running, done: usize) {
        for kind in job.kinds.iter().take(done).copied() {
            let (slot, sequence) = &mut self.places[kind.place()];
            let written = *slot as usize;
            (*slot, *sequence) = (slot.other(), sequence.wrapping_add(1));
            match kind {
                Kind::Document => {
                    self.of.document = job.of.document;
                    self.of.documents[written] = job.of.document;
                }
                Kind::Actions => self.of.actions = job.of.actions,
                Kind::History => self.of.history = job.of.history,
                Kind::Reports => self.of.reports.clone_from(&job.of.reports),
                Kind::State => self.states.must_be_alone = false,
                Kind::Kept => self.kept.handle_written(true),
                Kind::Session => {}
            }
            if job.state_in == Some(kind) {
                core::mem::swap(&mut self.states.saved, &mut self.states.writing);
                self.states.on_disk = job.state;
            }
        }
    }

    /// Nothing is left of what was saved.
    fn forget_disk(&mut self) {
        self.places = [(Slot::A, 1); Kind::ALL.len()];
        self.of = Of::default();
        self.kept.forget_disk();
        self.states.saved.clear();
        self.states.on_disk = None;
        self.states.must_be_alone = false;
        self.states.goes_along = false;
    }

    /// How many jobs are over.
    fn done(&self) -> u64 {
        self.begun - u64::from(self.job.is_some())
    }

    /// By what it is known that all of now is saved.
    pub fn ticket(&self) -> Ticket {
        Ticket(match &self.job {
            Some(job) if job.has_state() && !self.is_changed() => self.begun,
            _ if self.is_saving() => self.begun + 1,
            _ => self.done(),
        })
    }

    /// Whether that is saved, or cannot be at this moment.
    pub fn is_done(&self, ticket: Ticket) -> bool {
        self.is_failing() || self.done() >= ticket.0
    }

    /// Whatever waits to be written is tried at once.
    pub fn hurry(&mut self) {
        self.failing.iter_mut().for_each(Failing::hurry);
    }
}
