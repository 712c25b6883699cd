//! Records of each kind: what the disk may hold is read, written again, and is the same.
//!
//! The kind is the one that the frame names. Its checksum is looked at, but the
//! fields count whatever it says: no input would get past it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update_manager::journal::Journal;
use update_manager::limits::{SAVED_STATE_MAX, SAVED_WORDS_MAX};
use update_manager::mqtt::Waiting;
use update_manager::model::{ActionStatus, DomainIx, Reason};
use update_manager::orchestrator::event::Action;
use update_manager::orchestrator::Campaign;
use update_manager::record::format::{fields, open, seal, Draft, Kind, HEADER};
use update_manager::record::slots::{look, Slot};
use update_manager::record::state::{self, Beside};
use update_manager::record::{actions, document, history, reports, session};
use update_manager::model::text::Text;

/// Where a record's frame names its kind.
const KIND: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    let names = ["containers", "self-update", "idle"].map(str::to_owned);
    for kind in Kind::ALL {
        assert_slots(bytes, kind);
    }
    let _ = state::decode_key(bytes, &mut Campaign::new());
    let Some(fields) = bytes.get(HEADER..) else { return };
    match Kind::ALL[usize::from(bytes[KIND].wrapping_sub(1)) % Kind::ALL.len()] {
        Kind::State => assert_state(fields, &names),
        Kind::Document => assert_document(fields),
        Kind::Actions => assert_actions(fields, &names),
        Kind::History => assert_history(fields, &names),
        Kind::Reports => assert_reports(fields),
        Kind::Session => assert_session(fields),
    }
});

/// The fields of what was drafted, after it was sealed and opened.
fn written(draft: Option<Draft>) -> Vec<u8> {
    let Draft { kind, mut bytes } = draft.expect("what was read fits a record");
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

/// A campaign as these fields say, and the status and progress of its actions.
fn state_of(fields: &[u8], names: &[String]) -> Option<(Campaign, Beside, Vec<(Option<ActionStatus>, u8)>)> {
    let (mut campaign, mut progress) = (Campaign::new(), Vec::new());
    let beside =
        state::decode(fields, names, &mut campaign, &mut |_, status, percent| progress.push((status, percent)))?;
    Some((campaign, beside, progress))
}

fn assert_state(fields: &[u8], names: &[String]) {
    let Some((mut campaign, beside, mut progress)) = state_of(fields, names) else { return };
    // Its actions stand in a record of their own.
    for (place, (status, percent)) in progress.iter().enumerate() {
        let (id, component) = (place.to_string(), format!(r#"{{"id":"{place}"}}"#));
        let id = Text::parse(&id).expect("digits");
        let action = Action { id, component: &component, status: *status, progress: *percent, message: Text::EMPTY };
        let _ = campaign.actions.merge(DomainIx::new(0).expect("there is one"), &action);
    }
    progress.truncate(campaign.actions.len());
    let write = |campaign: &Campaign| {
        written(Draft::new(Kind::State, SAVED_STATE_MAX, |out| state::encode(campaign, names, &beside, out)))
    };
    let (mut again, beside_again, progress_again) =
        state_of(&write(&campaign), names).expect("what was written is read");
    assert_eq!((beside_again, progress_again), (beside, progress));
    // Long words are cut, and nothing else.
    for part in campaign.domains.iter_mut().flatten() {
        for reason in [&mut part.failure, &mut part.cleanup].into_iter().flatten() {
            if let Reason::Words(words) = reason {
                let cut = Text::parse(words).expect("it was checked").cut(SAVED_WORDS_MAX).as_json().len();
                words.truncate(cut);
            }
        }
    }
    campaign.actions.clear();
    again.actions.clear();
    assert_eq!(format!("{again:?}"), format!("{campaign:?}"));
}

fn assert_document(fields: &[u8]) {
    let (mut payload, mut again) = (Vec::new(), Vec::new());
    document::decode(fields, &mut payload);
    document::decode(&written(document::encode(&payload)), &mut again);
    assert!(again == payload);
}

fn assert_actions(bytes: &[u8], names: &[String]) {
    // Of the campaign that they say they are of.
    let of = fields(bytes).find(|(tag, content)| *tag == 1 && content.len() == 12);
    let decoded = |bytes: &[u8]| {
        let mut campaign = Campaign::new();
        if let Some((timestamp, crc)) = of.map(|(_, content)| content.split_at(8)) {
            campaign.timestamp = i64::from_le_bytes(timestamp.try_into().expect("eight bytes"));
            campaign.crc = u32::from_le_bytes(crc.try_into().expect("four bytes"));
        }
        actions::decode(bytes, names, &mut campaign);
        campaign
    };
    let campaign = decoded(bytes);
    let again = decoded(&written(actions::encode(&campaign, names)));
    assert_eq!(format!("{:?}", again.actions), format!("{:?}", campaign.actions));
}

fn assert_history(fields: &[u8], names: &[String]) {
    let journal = |fields: &[u8]| {
        let mut journal = Journal::default();
        history::decode_journal(fields, names, &mut journal);
        journal
    };
    let (finished, first) = (history::decode(fields), journal(fields));
    let fields = written(history::encode(&finished, &first, names));
    assert!(history::decode(&fields).iter().eq(finished.iter()));
    let second = journal(&fields);
    assert!(second.events().eq(first.events()));
    // Of an activity that stands there twice, the first time as well has the newer words.
    let third = journal(&written(history::encode(&finished, &second, names)));
    assert!(third.past().eq(second.past()) && third.events().eq(second.events()));
}

fn assert_reports(fields: &[u8]) {
    let all = reports::decode(fields);
    let waiting = all.iter().map(|report| Waiting {
        number: report.number,
        topic: report.topic.as_bytes(),
        body: report.payload.as_bytes(),
        detail: &[],
        tail: "",
    });
    assert_eq!(reports::decode(&written(reports::encode(waiting))), all);
}

fn assert_session(fields: &[u8]) {
    let saved = session::decode(fields);
    let filters = saved.filters.iter().map(String::as_str);
    let thing = saved.thing.as_ref().map(|(thing, tenant)| (thing.as_str(), tenant.as_str()));
    assert_eq!(session::decode(&written(session::encode(&saved.client_id, saved.is_random, filters, thing))), saved);
}
