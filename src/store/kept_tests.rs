//! Which domains are committed to what, for how many there is room, and what a start finds.

use super::document::Payload;
use super::format::{seal, Draft, Kind, HEADER};
use super::journal::Times;
use super::kept::{self, KeptPart};
use super::state::{self, Beside};
use super::{Content, Found, Store};
use crate::engine::domain::{Domain, Ended, State, Wait};
use crate::engine::event::{DesiredState, Part, Standing};
use crate::engine::group::Group;
use crate::engine::{Campaign, Effects};
use crate::limits::{DOMAINS_MAX, KEPT_MAX, PAYLOAD_IN_MAX};
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{checksum, ActivityKey, Cause, DomainIx, Phase, Reason, Run, Status};
use crate::mqtt::{Options, Session};

const NOW: Now = Now { tick: Tick(1), wall: 1 };

fn names(domains: usize) -> Vec<String> {
    (0..domains).map(|n| format!("d{n}")).collect()
}

/// A desired state for these domains, with so many bytes in each.
fn payload(names: &[String], bytes: usize) -> String {
    let filler = "x".repeat(bytes);
    let domains = names.iter().map(|name| format!(r#"{{"id":"{name}","components":[{{"id":"{filler}"}}]}}"#));
    format!(r#"{{"domains":[{}]}}"#, domains.collect::<Vec<_>>().join(","))
}

/// The campaign of this desired state, in which all domains are in this state.
fn campaign(run: u64, names: &[String], payload: &str, state: State) -> Campaign {
    let part = |(place, name)| Part::new(Text::from_checked(name), DomainIx::new(place));
    let parts: Vec<Part<'_>> = names.iter().map(String::as_str).enumerate().map(part).collect();
    let crc = checksum(&[payload.as_bytes()]);
    let key = ActivityKey { activity: Text::from_checked("a"), timestamp: 1, crc };
    let mut campaign = Campaign::new();
    let standing = Standing::default();
    campaign.begin(&DesiredState { key, run: Run(run), parts: &parts, rollback: None, standing });
    campaign.policy.push_str("lockstep").unwrap();
    for part in campaign.domains.iter_mut().flatten() {
        *part = Domain { furthest: Some(Phase::Activate), ..Domain::new(state) };
    }
    campaign
}

const CLEANED_UP: State = State::Done(Ended::CleanedUp);

/// The store after a look at this.
fn look(store: &mut Store, campaign: &Campaign, names: &[String], payload: &str) {
    let session = Session::new(Options::new("um"));
    let payload = Payload::alone(payload.as_bytes());
    store.observe(&content(campaign, names, &payload, &session), &mut Effects::new());
}

fn content<'a>(campaign: &'a Campaign, names: &'a [String], payload: &'a Payload, session: &'a Session) -> Content<'a> {
    Content { campaign: Some(campaign), names, beside: Beside::default(), payload, session, is_grouped: true }
}

/// Which of the domains are committed after a look at this campaign.
fn committed(campaign: &Campaign, names: &[String], payload: &str) -> Vec<bool> {
    let mut store = Store::new(true);
    look(&mut store, campaign, names, payload);
    names.iter().map(|name| store.kept(name).is_some()).collect()
}

#[test]
fn in_lockstep_a_domain_is_committed_with_its_clean_up() {
    let names = names(1);
    let payload = payload(&names, 1);
    let is_committed = |state: State, cause: Option<Cause>| {
        let mut campaign = campaign(1, &names, &payload, state);
        campaign.end.cause = cause;
        committed(&campaign, &names, &payload) == [true]
    };
    let done = |ended| State::Done(ended);
    for state in [State::CleaningUp(Wait::STOPPED), CLEANED_UP, done(Ended::Idle), done(Ended::Completed)] {
        assert!(is_committed(state, None), "{state:?}");
    }
    for state in [State::Ready(Phase::Activate), done(Ended::Incomplete), done(Ended::Unidentified)] {
        assert!(!is_committed(state, None), "{state:?}");
    }
    assert!(!is_committed(CLEANED_UP, Some(Cause::Cancelled)), "it was rolled back");
    assert!(is_committed(done(Ended::Completed), Some(Cause::Cancelled)));
    let mut failed = campaign(1, &names, &payload, CLEANED_UP);
    failed.domains[0].as_mut().unwrap().failure = Some(Reason::Status(Status::ActivationFailure));
    assert_eq!(committed(&failed, &names, &payload), [false]);
    let mut cleaned_early = campaign(1, &names, &payload, CLEANED_UP);
    cleaned_early.domains[0].as_mut().unwrap().furthest = Some(Phase::Update);
    assert_eq!(committed(&cleaned_early, &names, &payload), [false]);
}

#[test]
fn with_groups_the_domains_of_a_committed_one_are_committed() {
    let names = names(4);
    let payload = payload(&names, 1);
    let mut campaign = campaign(1, &names, &payload, State::Ready(Phase::Activate));
    campaign.policy.clear();
    campaign.policy.push_str("together").unwrap();
    for (place, part) in campaign.domains.iter_mut().flatten().enumerate() {
        part.group = Group::new(place / 3).unwrap();
    }
    campaign.domains[1].as_mut().unwrap().failure = Some(Reason::Status(Status::UpdateFailure));
    campaign.domains[2].as_mut().unwrap().state = State::Done(Ended::Idle);
    assert_eq!(committed(&campaign, &names, &payload), [false; 4]);
    campaign.groups.committed.insert(Group::default());
    assert_eq!(committed(&campaign, &names, &payload), [true, false, true, false]);
    campaign.domains[0].as_mut().unwrap().evidence.was_rolled_back = true;
    assert_eq!(committed(&campaign, &names, &payload), [false, false, true, false]);
}

#[test]
fn without_groups_what_lockstep_has_completed_only_makes_the_part_before_void() {
    let names = names(2);
    let (first, second) = (payload(&names, 1), payload(&names[..1], 2));
    let mut store = Store::new(true);
    look(&mut store, &campaign(1, &names, &first, CLEANED_UP), &names, &first);
    let session = Session::new(Options::new("um"));
    let ended = campaign(2, &names[..1], &second, CLEANED_UP);
    let payload = Payload::alone(second.as_bytes());
    let content = content(&ended, &names, &payload, &session);
    store.observe(&Content { is_grouped: false, ..content }, &mut Effects::new());
    assert_eq!([store.kept("d0").is_some(), store.kept("d1").is_some()], [false, true]);
}

#[test]
fn a_payload_of_another_activity_is_not_kept() {
    let names = names(1);
    let campaign = campaign(1, &names, &payload(&names, 1), CLEANED_UP);
    assert_eq!(committed(&campaign, &names, &payload(&names, 2)), [false]);
}

#[test]
fn what_is_of_domains_that_are_gone_makes_room_first_and_then_the_oldest() {
    let mut store = Store::new(true);
    let all = names(KEPT_MAX + 2);
    // The first ones are not configured any more when the others come.
    for (run, domains) in [(1, &all[..2]), (2, &all[2..DOMAINS_MAX]), (3, &all[4..])] {
        let payload = payload(domains, 1);
        look(&mut store, &campaign(run, domains, &payload, CLEANED_UP), domains, &payload);
    }
    let is_kept: Vec<bool> = all.iter().map(|name| store.kept(name).is_some()).collect();
    assert_eq!(is_kept[..4], [false, false, true, true]);
    assert_eq!(is_kept[4..], [true; KEPT_MAX - 2]);
    let large = payload(&all[10..12], PAYLOAD_IN_MAX / 2 - 4096);
    look(&mut store, &campaign(4, &all[10..12], &large, CLEANED_UP), &all[10..12], &large);
    assert!(all[10..12].iter().all(|name| store.kept(name).is_some()));
    assert_eq!(all.iter().filter(|name| store.kept(name).is_some()).count(), KEPT_MAX, "there is room");
    let larger = payload(&all[12..13], PAYLOAD_IN_MAX / 2);
    look(&mut store, &campaign(5, &all[12..13], &larger, CLEANED_UP), &all[12..13], &larger);
    assert!(store.kept(&all[12]).is_some());
    assert!(all[10..12].iter().any(|name| store.kept(name).is_none()));
}

/// Puts the record into the first slot of its kind.
fn put(found: &mut Found, draft: Option<Draft>) {
    let draft = draft.unwrap();
    let (kind, mut bytes) = (draft.kind, draft.pieces().concat());
    let fields = bytes.len() - HEADER;
    seal(&mut bytes, kind, 1, fields).unwrap();
    found.0[kind.place()][0] = Ok(bytes);
}

/// Writes all that there is to be written; the kinds of records.
fn write(store: &mut Store, content: &Content<'_>, found: &mut Found) -> Vec<Kind> {
    let mut kinds = Vec::new();
    while let Some(job) = store.poll_write(NOW, content, &mut || None) {
        for write in job.writes {
            kinds.push(write.kind);
            found.0[write.kind.place()][write.slot as usize] = Ok(write.pieces().concat());
        }
        store.handle_written(NOW, Ok(()), &mut Effects::new(), &mut |_| {});
    }
    kinds
}

#[test]
fn what_an_earlier_version_has_completed_is_kept_from_the_next_start_on() {
    let (names, mut found) = (names(2), Found::default());
    let payload = payload(&names, 1);
    let mut ended = campaign(1, &names, &payload, CLEANED_UP);
    ended.end.outcome = Some(Status::Completed);
    ended.phase = Phase::Cleanup;
    put(
        &mut found,
        Draft::new(Kind::State, 4096, |out| {
            state::encode(&ended, &names, &Beside::default(), out);
            state::encode_along(&ended, 1, Times::default(), out);
        }),
    );
    // It does not say whose document it is.
    put(&mut found, Draft::new(Kind::Document, 4096, |out| out.put(1, &[payload.as_bytes()])));
    let session = Session::new(Options::new("um"));
    for kinds in [&[Kind::Kept, Kind::Actions, Kind::History][..], &[]] {
        let mut store = Store::new(true);
        let campaign = store.load(NOW, &found, &names, [0; 16]).saved.unwrap().campaign;
        let payload = Payload::alone(payload.as_bytes());
        let content = content(&campaign, &names, &payload, &session);
        store.observe(&content, &mut Effects::new());
        assert!(names.iter().all(|name| store.kept(name).is_some()));
        assert_eq!(write(&mut store, &content, &mut found), kinds);
    }
}

#[test]
fn of_a_record_that_is_damaged_the_one_before_counts_if_it_holds_the_part() {
    let (names, mut found) = (names(2), Found::default());
    let parts = [(0, 5), (1, 6)].map(|(n, run)| KeptPart::new(&names[n], Run(run), format!("{{\"n\":{n}}}")));
    let campaign = campaign(9, &names, "{}", State::New);
    put(
        &mut found,
        Draft::new(Kind::State, 4096, |out| {
            state::encode(&campaign, &names, &Beside::default(), out);
            state::encode_kept(&campaign, &names, &parts, out);
            state::encode_along(&campaign, 1, Times::default(), out);
        }),
    );
    put(&mut found, kept::encode(&parts[..1]));
    found.0[Kind::Kept.place()][1] = Ok(vec![7; 90]);
    let mut store = Store::new(true);
    store.load(NOW, &found, &names, [0; 16]);
    assert_eq!([store.kept("d0"), store.kept("d1")], [Some(r#"{"n":0}"#), None]);
}
