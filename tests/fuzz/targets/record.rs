//! Records of each kind: what the disk may hold is read, written again, and is the same.
//!
//! The kind is the one that the frame names. Its checksum is looked at, but the
//! fields count whatever it says: no input would get past it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update_manager::engine::evidence::Evidence;
use update_manager::engine::Campaign;
use update_manager::limits::{REPORTS_MAX, SAVED_STATE_MAX, SAVED_WORDS_MAX};
use update_manager::model::text::Text;
use update_manager::model::time::{Now, Tick};
use update_manager::model::{Reason, Run};
use update_manager::mqtt::Waiting;
use update_manager::store::document::Payload;
use update_manager::store::format::{fields, open, seal, Draft, Kind, HEADER};
use update_manager::store::journal::Journal;
use update_manager::store::kept::{self, KeptPart};
use update_manager::store::reports::Report;
use update_manager::store::slots::{look, Slot};
use update_manager::store::state;
use update_manager::store::{actions, document, history, reports, session, Found, Store};

/// Where a record's frame names its kind.
const KIND: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    let names = ["containers", "self-update", "idle"].map(str::to_owned);
    for kind in Kind::ALL {
        assert_slots(bytes, kind);
    }
    let _ = state::decode_key(bytes, &mut Campaign::new());
    assert_start(bytes, &names);
    let Some(fields) = bytes.get(HEADER..) else { return };
    match Kind::ALL[usize::from(bytes[KIND].wrapping_sub(1)) % Kind::ALL.len()] {
        Kind::State => assert_state(fields, &names),
        Kind::Document => assert_document(fields),
        Kind::Actions => assert_actions(fields, &names),
        Kind::History => assert_history(fields, &names),
        Kind::Reports => assert_reports(fields),
        Kind::Session => assert_session(fields),
        Kind::Kept => assert_kept(fields),
    }
});

/// The fields of what was drafted, after it was sealed and opened.
fn written(draft: Option<Draft>) -> Vec<u8> {
    let draft = draft.expect("what was read fits a record");
    let (kind, mut bytes) = (draft.kind, draft.pieces().concat());
    let len = bytes.len() - HEADER;
    assert_eq!(seal(&mut bytes, kind, 7, len), Some(bytes.len()));
    let record = open(&bytes, kind).expect("what was sealed opens");
    assert_eq!(record.sequence, 7);
    record.fields.to_vec()
}

/// Whatever one slot holds, a good record in the other one counts, unless the first
/// holds one as well; and what is wrong is said.
fn assert_slots(bytes: &[u8], kind: Kind) {
    let good = {
        let mut draft = Draft::new(kind, 64, |out| out.put(200, &[b"x"])).expect("there is room");
        let len = draft.bytes.len() - HEADER;
        seal(&mut draft.bytes, kind, 1, len).expect("there is room");
        draft.bytes
    };
    let (first, second) = (look(bytes, &good, kind), look(&good, bytes, kind));
    match open(bytes, kind) {
        Ok(record) => assert!(fields(record.fields).count() <= record.fields.len() / 3),
        Err(flaw) => {
            assert!(!flaw.to_string().is_empty());
            assert_eq!(first.flaws, [Some(flaw), None]);
            assert_eq!(first.newest.map(|(slot, record)| (slot, record.sequence)), Some((Slot::B, 1)));
            assert_eq!(second.newest.map(|(slot, record)| (slot, record.sequence)), Some((Slot::A, 1)));
            assert_eq!((first.next(), second.next()), ((Slot::A, 2), (Slot::B, 2)));
        }
    }
}

fn assert_state(fields: &[u8], names: &[String]) {
    let Some(mut first) = state::decode(fields, names) else { return };
    let write = |saved: &state::Saved| {
        let state::Saved { campaign, beside, times, kept, .. } = saved;
        let parts: Vec<KeptPart> =
            kept.iter().map(|(domain, run)| KeptPart::new(domain, *run, String::new())).collect();
        written(Draft::new(Kind::State, HEADER + SAVED_STATE_MAX, |out| {
            state::encode(campaign, names, beside, out);
            state::encode_kept(campaign, names, &parts, out);
            state::encode_along(campaign, 7, times.unwrap_or_default(), out);
        }))
    };
    let again = state::decode(&write(&first), names).expect("what was written is read");
    assert_eq!((again.beside, again.version), (first.beside, Some(7)));
    assert_eq!(again.times, Some(first.times.unwrap_or_default()));
    let sorted = |mut kept: Vec<(String, Run)>| {
        kept.sort();
        kept
    };
    assert_eq!(sorted(again.kept), sorted(first.kept));
    // Long words are cut.
    let campaign = &mut first.campaign;
    let gone = campaign.absent.gone.iter_mut().map(|gone| &mut gone.part);
    for part in campaign.domains.iter_mut().flatten().chain(gone) {
        // Nothing asks for it where there are no groups.
        if campaign.policy == "lockstep" {
            part.evidence = Evidence::default();
        }
        let reasons = [&mut part.failure, &mut part.cleanup, &mut part.obligation.kept];
        for words in reasons.into_iter().flatten() {
            if let Reason::Words(words) = words {
                let cut = Text::parse(words).expect("it was checked").cut(SAVED_WORDS_MAX).as_json().len();
                words.truncate(cut);
            }
        }
    }
    assert_eq!(format!("{:?}", again.campaign), format!("{:?}", first.campaign));
}

/// Whatever stands in the slots, a start makes the best of it, and goes on from there.
fn assert_start(bytes: &[u8], names: &[String]) {
    let mut found = Found::default();
    for (place, slots) in found.0.iter_mut().enumerate() {
        // The checksum is made right, since no input would get past it.
        let mut slot = bytes.to_vec();
        if let Some(len) = bytes.len().checked_sub(HEADER) {
            seal(&mut slot, Kind::ALL[place], 1, len);
        }
        slots[place % 2] = Ok(slot);
        slots[1 - place % 2] = if place < 3 { Ok(bytes.to_vec()) } else { Err("it cannot be read".to_owned()) };
    }
    let now = Now { tick: Tick(1), wall: 1 };
    let mut store = Store::new(true);
    let loaded = store.load(now, &found, names, [7; 16]);
    assert!(loaded.reports.len() <= REPORTS_MAX);
    if let Some(saved) = loaded.saved {
        assert!(store.next_run() > saved.campaign.identity.run && saved.campaign.identity.run > Run::NONE);
        assert!(!saved.campaign.identity.activity.is_empty());
    }
}

fn assert_document(fields: &[u8]) {
    let (mut payload, mut again) = (Vec::new(), Vec::new());
    document::decode(fields, &mut payload);
    let run = document::run(fields).unwrap_or_default();
    let mut alone = Payload::new();
    alone.replace(&payload, 0..payload.len());
    let fields = written(document::encode(run, &alone, b""));
    document::decode(&fields, &mut again);
    assert!(again == payload && document::run(&fields) == Some(run));
}

fn assert_kept(fields: &[u8]) {
    let parts = kept::decode(fields);
    assert_eq!(kept::decode(&written(kept::encode(&parts))), parts);
}

fn assert_actions(bytes: &[u8], names: &[String]) {
    // Of the campaign that they say they are of.
    let of = fields(bytes).find(|(tag, content)| *tag == 1 && content.len() == 12);
    let decoded = |bytes: &[u8]| {
        let mut campaign = Campaign::new();
        if let Some((timestamp, crc)) = of.map(|(_, content)| content.split_at(8)) {
            campaign.identity.timestamp = i64::from_le_bytes(timestamp.try_into().expect("eight bytes"));
            campaign.identity.crc = u32::from_le_bytes(crc.try_into().expect("four bytes"));
        }
        actions::decode(bytes, names, &mut campaign);
        campaign
    };
    let campaign = decoded(bytes);
    let again = decoded(&written(actions::encode(&campaign, names, b"")));
    assert_eq!(format!("{:?}", again.actions), format!("{:?}", campaign.actions));
}

fn assert_history(fields: &[u8], names: &[String]) {
    let journal = |fields: &[u8]| {
        let mut journal = Journal::default();
        history::decode(fields, names, &mut journal);
        journal
    };
    let first = journal(fields);
    let again = journal(&written(history::encode(&first, names, b"")));
    assert!(again.past().eq(first.past()) && again.events().eq(first.events()));
}

fn assert_reports(fields: &[u8]) {
    let all = reports::decode(fields);
    let waiting = all.iter().map(|report| Waiting {
        number: report.run.map_or(0, |run| run.0),
        topic: report.topic.as_bytes(),
        body: report.payload.as_bytes(),
        detail: &[],
        tail: "",
    });
    let again = reports::decode(&written(reports::encode(waiting)));
    let known = all.iter().map(|report| Report { run: report.run.or(Some(Run(0))), ..report.clone() });
    assert!(again.into_iter().eq(known));
}

fn assert_session(fields: &[u8]) {
    let saved = session::decode(fields);
    let filters = saved.filters.iter().map(String::as_str);
    let thing = saved.thing.as_ref().map(|(thing, tenant)| (thing.as_str(), tenant.as_str()));
    assert_eq!(session::decode(&written(session::encode(&saved.client_id, saved.is_random, filters, thing))), saved);
}
