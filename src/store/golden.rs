//! Records as earlier versions of the program wrote them, committed in
//! `golden/VERSION`: each is still understood.

use std::path::PathBuf;

use heapless::String as Short;

use super::format::{fields, open, seal, Draft, Fields, Kind, HEADER};
use super::journal::{self, Detail, Event, Journal, Past, Times};
use super::kept::{self, KeptPart};
use super::state::Beside;
use super::{actions, document, history, reports, session, state};
use crate::engine::domain::{Domain, Ended, State};
use crate::engine::event::{Action, DesiredState, Part, Standing};
use crate::engine::Campaign;
use crate::model::text::Text;
use crate::model::{ActionStatus, ActivityKey, Cause, Command, DomainIx, Phase, Reason, Reboot, Run, Status};
use crate::mqtt::Waiting;

/// The first version, whose records know nothing of obligations.
const FIRST: &str = "0.1.0";

/// What the folder of this version's records is called until it is released.
const CURRENT: &str = "current";

const PAYLOAD: &str = r#"{"domains":[{"id":"containers","components":[{"id":"app","version":"2"}]}]}"#;

fn names() -> Vec<String> {
    ["containers", "self-update", "idle"].map(str::to_owned).to_vec()
}

fn id(raw: &str) -> Text<'_> {
    Text::parse(raw).unwrap()
}

/// A campaign with something in every field that this version knows.
fn campaign() -> Campaign {
    let mut campaign = first_campaign();
    campaign.identity.run = Run(7);
    campaign.consent.approved = Some(Phase::Update);
    campaign.consent.counted.extend([1_700_000_000_003, -4]);
    campaign.starts.count = 2;
    let obligation = &mut campaign.domains[1].as_mut().unwrap().obligation;
    (obligation.course, obligation.repairs) = (1, 2);
    (obligation.is_remembered, obligation.is_turning) = (true, true);
    obligation.kept = Some(Reason::Status(Status::UpdateFailure));
    obligation.queue.push(None, 2);
    campaign
}

/// A campaign with something in every field that the first version knew.
fn first_campaign() -> Campaign {
    let part = |raw, place| Part::new(id(raw), DomainIx::new(place));
    let parts = [part("containers", 0), part("self-update", 1), part("nobody", 99)];
    let mut campaign = Campaign::new();
    let key = ActivityKey { activity: id("a-1"), timestamp: 1_700_000_000_000, crc: 77 };
    campaign.begin(&DesiredState { key, run: Run::NONE, parts: &parts, rollback: None, standing: Standing::default() });
    campaign.policy.push_str("lockstep").unwrap();
    campaign.announced = Some(Status::Identified);
    campaign.phase = Phase::Update;
    campaign.consent.asking = Some(Phase::Activate);
    (campaign.end.cause, campaign.end.waited_ms) = (Some(Cause::ConsentLate), 1_800_000);
    campaign.domains[0] = Some(Domain {
        failure: Some(Reason::Silent(Some(Command::Update), 600_000)),
        cleanup: Some(Reason::Status(Status::CleanupFailure)),
        ..Domain::new(State::Done(Ended::CleanedUp))
    });
    let words = Reason::Words(Short::try_from(r#"no \"space\""#).unwrap());
    campaign.domains[1] = Some(Domain {
        fell_back: true,
        repeats: 1,
        failure: Some(words),
        ..Domain::owing(State::Working(Phase::Update))
    });
    let component = r#"{"id":"app","version":"2"}"#;
    let status = Some(ActionStatus::Updating);
    let action = Action { id: id("app"), component, status, progress: 40, message: Text::EMPTY };
    campaign.actions.merge(DomainIx::new(0).unwrap(), &action).unwrap();
    campaign
}

const BESIDE: Beside =
    Beside { reboot: Reboot::Waiting, boot: [7; 16], question: Some((Phase::Activate, *b"0123456789abcdef")) };

const TIMES: Times = Times { begun: 1_700_000_000_004, lasted_ms: 61_000 };

/// What has ended, as this version saves it.
fn journal() -> Journal {
    let mut journal = Journal::default();
    for past in first_past() {
        let run = Run(past.timestamp.unsigned_abs());
        journal.push_past(Past { run, is_untold: run == Run(9), ended: past.ended + 7, ..past });
    }
    journal.push(event());
    journal
}

/// The same as the first version saved it.
fn first_journal() -> Journal {
    let mut journal = Journal::default();
    first_past().into_iter().for_each(|past| journal.push_past(past));
    journal.push(event());
    journal
}

fn first_past() -> [Past; 2] {
    let past = |activity: &str, timestamp, outcome| Past {
        run: Run::NONE,
        activity: activity.into(),
        timestamp,
        crc: 3,
        begun: 0,
        took_ms: 0,
        ended: 0,
        outcome,
        reason: String::new(),
        is_untold: false,
    };
    let first = past("a-0", -5, Status::Completed);
    let first = Past { begun: 1_700_000_000_001, took_ms: 90_000, reason: r#"\"words\""#.into(), ..first };
    let first = Past { ended: first.begun + first.took_ms, ..first };
    [first, Past { begun: 9, ended: 9, ..past("a-\\u00e9", 9, Status::Incomplete) }]
}

fn event() -> Event {
    Event {
        wall: 1_700_000_000_002,
        kind: journal::Kind::Started,
        domain: DomainIx::new(1),
        detail: Detail::Phase(Phase::Update),
    }
}

fn waiting() -> [Waiting<'static>; 2] {
    let report = |number, detail: &'static [u8]| Waiting {
        number,
        topic: b"deviceupdate/desiredstatefeedback",
        body: br#"{"payload":{"status":"COMPLETED""#,
        detail,
        tail: "}}",
    };
    [report(5, br#","actions":[]"#), report(6, b"")]
}

/// What domains are committed to: two that take part, and one that does not.
fn parts() -> [KeptPart; 3] {
    let of = |domain, run| KeptPart::new(domain, Run(run), format!(r#"{{"domains":[{{"id":"{domain}"}}]}}"#));
    [of("containers", 7), of("idle", 5), of("self-update", 6)]
}

const FILTERS: [&str; 2] = ["deviceupdate/desiredstate", "command///req/#"];

fn draft(kind: Kind) -> Draft {
    match kind {
        Kind::State => Draft::new(kind, 4096, |out| {
            state::encode(&campaign(), &names(), &BESIDE, out);
            state::encode_kept(&campaign(), &names(), &parts(), out);
            state::encode_along(&campaign(), 5, TIMES, out);
        }),
        Kind::Document => document::encode(Run(7), &document::Payload::alone(PAYLOAD.as_bytes()), b""),
        Kind::Actions => actions::encode(&campaign(), &names(), b""),
        Kind::History => history::encode(&journal(), &names(), b""),
        Kind::Reports => reports::encode(waiting().into_iter()),
        Kind::Kept => kept::encode(&parts()),
        Kind::Session => session::encode("um0123456789abcdef", true, FILTERS.into_iter(), Some(("ns:name", "tenant"))),
    }
    .unwrap()
}

fn sealed(draft: Draft) -> Vec<u8> {
    let mut bytes = draft.pieces().concat();
    let len = bytes.len() - HEADER;
    seal(&mut bytes, draft.kind, 9, len).unwrap();
    bytes
}

/// The same record with fields that this version does not know, before, between and
/// behind its own.
fn newer(kind: Kind) -> Vec<u8> {
    let known = draft(kind).pieces().concat();
    let write = |out: &mut Fields<'_>| {
        for (tag, content) in fields(&known[HEADER..]) {
            out.put(250, &[b"unknown"]);
            out.put(tag, &[content]);
        }
        out.put(251, &[]);
    };
    sealed(Draft::new(kind, 2 * known.len() + 4096, write).unwrap())
}

fn file(version: &str, kind: Kind) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/store/golden").join(version).join(kind.name())
}

/// That the records are understood as what was saved. `version`: of the state.
fn check(campaign: &Campaign, journal: &Journal, version: Option<u32>, read: &dyn Fn(Kind) -> Vec<u8>) {
    let content = |kind| {
        let bytes = read(kind);
        open(&bytes, kind).unwrap().fields.to_vec()
    };
    let mut saved = state::decode(&content(Kind::State), &names()).unwrap();
    actions::decode(&content(Kind::Actions), &names(), &mut saved.campaign);
    saved.progress.apply(&mut saved.campaign);
    assert_eq!((saved.beside, saved.version), (BESIDE, version));
    assert_eq!(saved.times, version.map(|_| TIMES));
    let mut committed: Vec<_> = parts().into_iter().map(|part| (part.domain, part.run)).collect();
    committed.retain(|_| version.is_some());
    saved.kept.sort();
    assert_eq!(saved.kept, committed);
    assert_eq!(format!("{:?}", saved.campaign), format!("{campaign:?}"));
    let mut payload = Vec::new();
    document::decode(&content(Kind::Document), &mut payload);
    assert_eq!(payload, PAYLOAD.as_bytes());
    assert_eq!(document::run(&content(Kind::Document)), version.map(|_| Run(7)));
    assert_eq!(kept::decode(&content(Kind::Kept)), parts());
    let mut past = Journal::default();
    history::decode(&content(Kind::History), &names(), &mut past);
    assert_eq!(past.past().collect::<Vec<_>>(), journal.past().collect::<Vec<_>>());
    assert!(past.events().eq(journal.events()));
    let told = reports::decode(&content(Kind::Reports)).into_iter().map(|report| (report.run, report.payload));
    let payload = |actions| format!(r#"{{"payload":{{"status":"COMPLETED"{actions}}}}}"#);
    let run = |run| version.map(|_| Run(run));
    assert_eq!(told.collect::<Vec<_>>(), [(run(5), payload(r#","actions":[]"#)), (run(6), payload(""))]);
    let kept = session::decode(&content(Kind::Session));
    assert_eq!((kept.client_id.as_str(), kept.is_random), ("um0123456789abcdef", true));
    assert_eq!(kept.filters, FILTERS);
}

#[test]
fn records_of_every_version_are_understood() {
    check(&first_campaign(), &first_journal(), None, &|kind| {
        // The first version saved nothing of its session, and of what domains are committed to.
        let version = if matches!(kind, Kind::Session | Kind::Kept) { CURRENT } else { FIRST };
        std::fs::read(file(version, kind)).unwrap()
    });
    check(&campaign(), &journal(), Some(5), &|kind| std::fs::read(file(CURRENT, kind)).unwrap());
}

#[test]
fn records_of_a_newer_version_are_understood_but_for_what_it_adds() {
    check(&campaign(), &journal(), Some(5), &|kind| std::fs::read(file("newer", kind)).unwrap());
}

/// Fails when the format changes: then the records are written anew, and with a release
/// they get its number.
#[test]
fn the_records_of_this_version_are_committed() {
    for kind in Kind::ALL {
        assert_eq!(std::fs::read(file(CURRENT, kind)).unwrap(), sealed(draft(kind)), "{kind:?}");
    }
}

#[test]
#[ignore = "writes the records that are committed"]
fn write_the_records() {
    for kind in Kind::ALL {
        for (version, bytes) in [(CURRENT, sealed(draft(kind))), ("newer", newer(kind))] {
            std::fs::create_dir_all(file(version, kind).parent().unwrap()).unwrap();
            std::fs::write(file(version, kind), bytes).unwrap();
        }
    }
}
