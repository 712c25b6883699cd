//! What waits for what, which record holds what, and what a start makes of it: the real
//! engine, the real store, and slots in memory.

use super::format::{fields, open, seal, HEADER, STATE};
use super::*;
use crate::engine::effect::TimerKind;
use crate::engine::event::{Action, DesiredState, Feedback, Part, Standing};
use crate::engine::tests::SETTINGS;
use crate::engine::{Effect, Engine, Event, Link, Policies};
use crate::limits::{RECORD_PIECE_MAX, SAVED_RECORD_MAX};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{ActivityKey, Command, DomainIx, Phase, Status};
use crate::mqtt::Options;

/// A manager's middle: what decides, what saves, and what was written.
struct Saver {
    engine: Engine,
    store: Store,
    session: Box<Session>,
    names: Vec<String>,
    payload: Payload,
    now: Now,
    found: Found,
}

fn ix(place: usize) -> DomainIx {
    DomainIx::new(place).unwrap()
}

fn failure(why: &str) -> Failure {
    Failure { done: 0, why: why.to_owned(), is_gone: false }
}

/// But for those that never wait.
fn lasting(effects: &Effects) -> Vec<Effect> {
    let is_lasting =
        |effect: &&Effect| !matches!(effect, Effect::SetTimer(..) | Effect::StopTimer(_) | Effect::Notice(_));
    effects.iter().filter(is_lasting).copied().collect()
}

impl Saver {
    fn new() -> Saver {
        let mut saver = Saver {
            engine: Engine::new(SETTINGS, Policies::default()),
            store: Store::new(true),
            session: Session::new(Options::new("um")),
            names: ["one", "two"].map(str::to_owned).to_vec(),
            payload: Payload::alone(b"{}"),
            now: Now { tick: Tick(0), wall: 1_000 },
            found: Found::default(),
        };
        saver.handle(Event::Link(Link::Subscribed));
        saver
    }

    /// What a process that starts now finds.
    fn restarted(&self) -> (Saver, Loaded) {
        let mut next = Saver::new();
        next.found = Found(self.found.0.clone());
        let loaded = next.store.load(self.now, &next.found, &next.names, [7; 16]);
        (next, loaded)
    }

    /// Hands an event in; what is to be done at once.
    fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        let mut effects = Effects::new();
        self.engine.handle(self.now.tick, event, &mut effects).unwrap();
        let (campaign, reboot) = (self.engine.campaign(), self.engine.reboot());
        if let Some(campaign) = campaign {
            self.store.journal.look(self.now, campaign, reboot, &String::new);
        }
        let beside = Beside { reboot, ..Beside::default() };
        let content = Content {
            campaign,
            names: &self.names,
            beside,
            payload: &self.payload,
            session: &self.session,
            is_grouped: false,
        };
        self.store.observe(&content, &mut effects);
        lasting(&effects)
    }

    fn apply(&mut self, activity: &str, domains: usize) -> Vec<Effect> {
        let part = |place: usize| Part::new(Text::from_checked(["one", "two"][place]), Some(ix(place)));
        let parts: Vec<Part<'_>> = (0..domains).map(part).collect();
        let key = ActivityKey { activity: Text::from_checked(activity), timestamp: 1, crc: 1 };
        let effects = self.handle(Event::DesiredState(DesiredState {
            key,
            run: self.store.next_run(),
            parts: &parts,
            rollback: None,
            standing: Standing::default(),
        }));
        self.store.accept();
        effects
    }

    fn say(&mut self, domain: usize, status: Status) -> Vec<Effect> {
        let activity = self.engine.campaign().unwrap().identity.activity.clone();
        let (id, component, message) = (Text::from_checked("x"), r#"{"id":"x"}"#, Text::EMPTY);
        let action = Action { id, component, status: None, progress: 0, message };
        let feedback = Feedback {
            activity: Text::from_checked(&activity),
            restores: None,
            status,
            message,
            actions: &[action],
            is_repeat: false,
            past_limit: None,
        };
        self.handle(Event::Feedback(ix(domain), feedback))
    }

    fn poll(&mut self) -> Option<Job> {
        self.poll_with(None)
    }

    fn poll_with(&mut self, session: Option<format::Draft>) -> Option<Job> {
        let mut session = session;
        let beside = Beside { reboot: self.engine.reboot(), ..Beside::default() };
        let campaign = self.engine.campaign();
        let content = Content {
            campaign,
            names: &self.names,
            beside,
            payload: &self.payload,
            session: &self.session,
            is_grouped: false,
        };
        self.store.poll_write(self.now, &content, &mut || session.take())
    }

    /// The kinds that are to be written now.
    fn kinds(&mut self) -> Vec<Kind> {
        let job = self.poll().map_or(Vec::new(), |job| job.writes);
        let kinds = job.iter().map(|write| write.kind).collect();
        for write in job {
            self.found.0[write.kind.place()][write.slot as usize] = Ok(write.pieces().concat());
        }
        kinds
    }

    fn end(&mut self, result: Result<(), Failure>) -> Vec<Effect> {
        let mut effects = Effects::new();
        self.store.handle_written(self.now, result, &mut effects, &mut |_| {});
        lasting(&effects)
    }

    /// Writes what is to be written; what follows from that.
    fn save(&mut self) -> Vec<Effect> {
        assert_ne!(self.kinds(), [], "there is something to be written");
        self.end(Ok(()))
    }

    /// How far the saved activity is.
    fn saved_phase(&self) -> Option<Phase> {
        self.restarted().1.saved.map(|saved| saved.campaign.phase)
    }
}

#[test]
fn nothing_is_done_before_it_is_saved() {
    let mut saver = Saver::new();
    assert_eq!(saver.apply("a-1", 1), []);
    assert!(saver.store.is_saving());
    assert_eq!(saver.kinds(), [Kind::Document]);
    assert!(saver.poll().is_none(), "one job at a time");
    assert_eq!(saver.end(Ok(())), [Effect::Report(Status::Identifying), Effect::Forward(ix(0))]);
    assert_eq!(saver.say(0, Status::Identifying), [], "progress is not worth a save");
    assert!(!saver.store.is_saving() && saver.poll().is_none());
    assert_eq!(saver.say(0, Status::Identified), []);
    assert_eq!(saver.kinds(), [Kind::Actions]);
    let [identified, running] = [Status::Identified, Status::Running].map(Effect::Report);
    assert_eq!(saver.end(Ok(())), [identified, running, Effect::Send(ix(0), Command::Download)]);
}

#[test]
fn what_is_decided_while_a_save_runs_waits_for_the_next_one() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.kinds();
    assert_eq!(saver.say(0, Status::Identified), []);
    assert_eq!(saver.end(Ok(())), [Effect::Report(Status::Identifying), Effect::Forward(ix(0))]);
    assert!(saver.store.is_saving());
    assert_eq!(saver.save().len(), 3);
    assert!(!saver.store.is_saving());
}

#[test]
fn what_comes_in_one_turn_shares_a_save() {
    let mut saver = Saver::new();
    saver.apply("a-1", 2);
    saver.save();
    saver.say(0, Status::Identified);
    saver.say(1, Status::Identified);
    saver.say(0, Status::DownloadSuccess);
    saver.say(1, Status::DownloadSuccess);
    assert_eq!(saver.kinds(), [Kind::Actions]);
    saver.end(Ok(()));
    assert!(saver.poll().is_none());
    assert_eq!(saver.saved_phase(), Some(Phase::Update));
}

#[test]
fn a_command_that_waits_for_a_save_is_not_given_when_its_phase_is_over() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.save();
    saver.say(0, Status::Identified);
    saver.kinds();
    saver.now.tick = Tick(SETTINGS.phase_timeout_ms);
    assert_eq!(saver.handle(Event::Timeout(TimerKind::Phase)), [], "the save takes longer than the phase");
    assert_eq!(saver.end(Ok(())), [Status::Identified, Status::Running].map(Effect::Report));
    assert_eq!(saver.save(), [Effect::Send(ix(0), Command::Cleanup)]);
}

#[test]
fn after_a_failed_write_nothing_waits_and_it_is_tried_again_later_and_later() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.kinds();
    assert_eq!(saver.end(Err(failure("no space"))).len(), 2, "what waits goes out");
    assert_eq!((saver.store.failure(), saver.store.is_unsaved()), (Some("no space"), true));
    let mut pauses = Vec::new();
    while pauses.len() < 12 {
        let due = saver.store.poll_timeout().unwrap();
        assert!(saver.poll().is_none(), "it is not due yet");
        pauses.push(due.since(saver.now.tick) / 1_000);
        saver.now.tick = due;
        assert_eq!(saver.kinds(), [Kind::Document]);
        saver.end(Err(failure("no space")));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(saver.say(0, Status::Identified).len(), 3, "nor does what follows");
    assert_eq!(saver.kinds(), [Kind::Document, Kind::State, Kind::Actions], "a change is tried at once");
    saver.end(Ok(()));
    assert_eq!((saver.store.failure(), saver.store.is_unsaved()), (None, false));
    assert_eq!(saver.say(0, Status::DownloadSuccess), [], "it is saved before it is done again");
}

#[test]
fn no_other_activity_begins_while_an_unfinished_one_cannot_be_replaced_on_the_disk() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.kinds();
    saver.end(Err(failure("no space")));
    assert_eq!(saver.store.obstacle(), None, "nothing is on the disk");
    saver.store.hurry();
    saver.save();
    saver.say(0, Status::IdentificationFailed);
    saver.kinds();
    saver.end(Err(failure("no space")));
    assert_eq!(saver.store.obstacle(), Some("no space"));
    let run = saver.engine.campaign().unwrap().identity.run;
    assert!(saver.store.keeps(run) && !saver.store.keeps(run.next()));
    saver.store.hurry();
    saver.save();
    assert_eq!(saver.store.obstacle(), None);
}

#[test]
fn what_is_saved_beside_the_activity_holds_nothing_up_and_lets_nothing_out() {
    let mut saver = Saver::new();
    let draft = session::encode("um", false, ["a/b"].into_iter(), None);
    assert_eq!(saver.poll_with(draft).unwrap().writes[0].kind, Kind::Session);
    assert_eq!(saver.apply("a-1", 1), []);
    assert_eq!(saver.end(Err(failure("no space"))), [], "what was decided meanwhile is saved first");
    assert_eq!((saver.store.failure(), saver.store.is_saving()), (None, true));
    assert_eq!(saver.save().len(), 2);
    assert!(saver.store.poll_timeout().is_none());
}

#[test]
fn a_folder_that_has_vanished_is_filled_again_before_anything_goes_on() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.save();
    saver.say(0, Status::Identified);
    saver.kinds();
    saver.found = Found::default();
    assert_eq!(saver.end(Err(Failure { is_gone: true, ..failure("gone") })), []);
    assert!(saver.store.is_saving() && saver.store.failure().is_none());
    assert_eq!(saver.kinds(), [Kind::Document, Kind::Actions]);
    assert_eq!(saver.end(Ok(())).len(), 3);
    assert_eq!(saver.saved_phase(), Some(Phase::Download));
}

#[test]
fn a_ticket_is_done_with_the_save_of_all_that_was_before_it() {
    let mut saver = Saver::new();
    assert!(saver.store.is_done(saver.store.ticket()), "nothing is to be saved");
    saver.apply("a-1", 1);
    let first = saver.store.ticket();
    assert!(!saver.store.is_done(first));
    saver.kinds();
    assert_eq!(saver.store.ticket(), first);
    saver.say(0, Status::Identified);
    let second = saver.store.ticket();
    saver.end(Ok(()));
    assert_eq!([first, second].map(|ticket| saver.store.is_done(ticket)), [true, false]);
    saver.kinds();
    saver.end(Err(failure("no space")));
    assert!(saver.store.is_done(second), "nobody is kept waiting");
}

/// One activity, saved at each step: what is written, and where the state is.
#[test]
fn each_step_is_one_write_and_a_start_finds_the_newest_state_wherever_it_is() {
    let mut saver = Saver::new();
    for (n, activity) in ["a-1", "a-2", "a-3"].into_iter().enumerate() {
        saver.apply(activity, 1);
        let mut kinds = Vec::new();
        let steps = [Status::Identified, Status::DownloadSuccess, Status::UpdateSuccess, Status::ActivationSuccess];
        for status in steps.into_iter().chain([Status::CleanupSuccess]) {
            kinds.extend(saver.kinds());
            saver.end(Ok(()));
            let now = saver.engine.campaign().unwrap();
            let found = saver.restarted().1.saved.unwrap();
            assert_eq!((&found.campaign.identity.activity, found.campaign.phase), (&now.identity.activity, now.phase));
            let states =
                |campaign: &Campaign| campaign.domain(ix(0)).map(|part| (part.state.code(), part.state.phase()));
            assert_eq!((found.campaign.identity.run, states(&found.campaign)), (Run(n as u64 + 1), states(now)));
            saver.say(0, status);
        }
        kinds.extend(saver.kinds());
        saver.end(Ok(()));
        use Kind::{Actions, Document, History, State};
        assert_eq!(kinds, [Document, Actions, State, State, State, History]);
        let (next, loaded) = saver.restarted();
        assert!(loaded.is_end && next.store.next_run() == Run(n as u64 + 2));
        assert_eq!(next.store.journal.past().count(), n + 1);
    }
}

#[test]
fn a_state_of_the_first_version_counts_for_more_than_any_other_place() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.save();
    // What it wrote after it had come back: it knows neither runs nor versions.
    let record = open(saver.found.0[Kind::Document.place()][0].as_deref().unwrap(), Kind::Document).unwrap();
    let (tag, state) = fields(record.fields).next().unwrap();
    assert_eq!(tag, STATE);
    let mut slot = vec![0; HEADER + state.len()];
    let mut out = Fields::new(&mut slot);
    for (tag, content) in fields(state).filter(|(tag, _)| !(22..=25).contains(tag)) {
        out.put(tag, &[if tag == 1 { b"old" } else { content }]);
    }
    let len = out.total().unwrap();
    seal(&mut slot, Kind::State, 1, len).unwrap();
    saver.found.0[Kind::State.place()][0] = Ok(slot);
    let (mut next, loaded) = saver.restarted();
    let campaign = loaded.saved.unwrap().campaign;
    assert_eq!((campaign.identity.activity.as_str(), campaign.identity.run), ("old", Run(1)));
    // The next state takes its place before any other record may hold one.
    next.apply("a-2", 1);
    assert_eq!(next.kinds(), [Kind::Document, Kind::State]);
    next.end(Ok(()));
    next.say(0, Status::Identified);
    assert_eq!(next.kinds(), [Kind::Actions]);
    next.end(Ok(()));
    let campaign = next.restarted().1.saved.unwrap().campaign;
    assert_eq!((campaign.identity.activity.as_str(), campaign.phase), ("a-2", Phase::Download));
}

#[test]
fn an_older_state_that_comes_back_ends_as_its_activity_has_ended() {
    let mut saver = Saver::new();
    saver.apply("a-1", 1);
    saver.save();
    let old = Found(saver.found.0.clone());
    saver.say(0, Status::IdentificationFailed);
    saver.save();
    // Of the history only what has ended is left, not the state in it.
    let slot = saver.found.0[Kind::History.place()][0].as_deref().unwrap();
    let record = open(slot, Kind::History).unwrap();
    let own = |out: &mut Fields<'_>| {
        let all = fields(record.fields).filter(|(tag, _)| *tag != STATE);
        all.for_each(|(tag, content)| out.put(tag, &[content]));
    };
    let mut draft = format::Draft::new(Kind::History, slot.len(), own).unwrap();
    let len = draft.bytes.len() - HEADER;
    seal(&mut draft.bytes, Kind::History, 1, len).unwrap();
    let mut found = old;
    found.0[Kind::History.place()][0] = Ok(draft.bytes);
    saver.found = found;
    let (_, loaded) = saver.restarted();
    assert!(!loaded.is_end, "the end is not saved as it is");
    let campaign = loaded.saved.unwrap().campaign;
    assert_eq!(campaign.end.outcome, Some(Status::IdentificationFailed));
}

/// The record of a document carries the state as long as a start reads all of it.
#[test]
fn a_document_carries_the_state_up_to_the_last_byte_that_is_read() {
    let written = |len: usize| {
        let mut saver = Saver::new();
        saver.apply("a-1", 1);
        let payload = Payload::alone(&vec![b' '; len]);
        let (campaign, beside) = (saver.engine.campaign(), Beside::default());
        let content = Content {
            campaign,
            names: &saver.names,
            beside,
            payload: &payload,
            session: &saver.session,
            is_grouped: false,
        };
        let job = saver.store.poll_write(saver.now, &content, &mut || None).unwrap();
        job.writes.iter().map(|write| (write.kind, write.pieces().concat().len())).collect::<Vec<_>>()
    };
    // Whose it is takes eight bytes and the three before them.
    let record = |len: usize| HEADER + 11 + len + 3 * len.div_ceil(RECORD_PIECE_MAX);
    let state = written(2)[0].1 - record(2);
    // Nine pieces.
    let most = SAVED_RECORD_MAX - state - HEADER - 11 - 9 * 3;
    assert_eq!(written(most), [(Kind::Document, SAVED_RECORD_MAX)]);
    let alone = HEADER + state - 3;
    assert_eq!(written(most + 1), [(Kind::Document, record(most + 1)), (Kind::State, alone)]);
}
