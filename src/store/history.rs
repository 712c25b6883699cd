//! The finished activities as they are saved, oldest first, and with them the last
//! events.

use super::format::{fields, Draft, Fields, Kind};
use super::journal::{self, Detail, Event, Journal, Past};
use crate::limits::{ACTIVITY_ID_MAX, DOMAINS_MAX, EVENTS_MAX, PAST_REASON_MAX, SAVED_HISTORY_MAX};
use crate::model::text::Text;
use crate::model::{DomainIx, Phase, Run, Status};

/// Tags of the fields. A number is never given another meaning.
mod tag {
    pub const ONE: u8 = 1;
    /// When the activity before it began, how long it took, and why it ended so.
    pub const MORE: u8 = 2;
    /// A domain, by whose place among them events name it.
    pub const DOMAIN: u8 = 3;
    pub const EVENTS: u8 = 4;
    /// Which activity it is, whether nobody could be told of its end, and when that was.
    pub const RUN: u8 = 5;
}

/// Bytes of an event: time, kind, domain, detail.
const EVENT: usize = 11;

/// The record of them, with the activity's state if that is not empty; `names` are the
/// domains in the order of the configuration.
pub fn encode(journal: &Journal, names: &[String], state: &[u8]) -> Option<Draft> {
    Draft::carrying(Kind::History, SAVED_HISTORY_MAX, state, |out: &mut Fields<'_>| {
        for past in journal.past() {
            let (timestamp, crc) = (past.timestamp.to_le_bytes(), past.crc.to_le_bytes());
            out.put(tag::ONE, &[&timestamp, &crc, &[past.outcome.code()], past.activity.as_bytes()]);
            out.put(tag::MORE, &[&past.begun.to_le_bytes(), &past.took_ms.to_le_bytes(), past.reason.as_bytes()]);
            out.put(tag::RUN, &[&past.run.0.to_le_bytes(), &[u8::from(past.is_untold)], &past.ended.to_le_bytes()]);
        }
        for name in names.iter().take(DOMAINS_MAX) {
            out.put(tag::DOMAIN, &[name.as_bytes()]);
        }
        let mut events = heapless::Vec::<u8, { EVENTS_MAX * EVENT }>::new();
        for event in journal.events() {
            let domain = event.domain.map_or(u8::MAX, |domain| domain.place() as u8);
            // As many as there are places for.
            let _ = events.extend_from_slice(&event.wall.to_le_bytes());
            let _ = events.extend_from_slice(&[event.kind.code(), domain, detail(event.detail)]);
        }
        out.put(tag::EVENTS, &[&events]);
    })
}

fn detail(detail: Detail) -> u8 {
    match detail {
        Detail::None => 0,
        Detail::Phase(phase) => phase.code(),
        Detail::Outcome(outcome) => outcome.code(),
    }
}

/// Puts what the fields say of activities and events into the journal; what cannot be
/// read is left out.
pub fn decode(bytes: &[u8], names: &[String], journal: &mut Journal) {
    let mut last = None;
    let mut domains = Vec::new();
    for (tag, content) in fields(bytes) {
        match (tag, &mut last) {
            (tag::ONE, _) => {
                last.take().into_iter().for_each(|past| journal.push_past(past));
                last = decode_one(content);
            }
            (tag::MORE, Some(past)) => drop(decode_more(content, past)),
            (tag::RUN, Some(past)) => drop(decode_run(content, past)),
            (tag::DOMAIN, _) if domains.len() < DOMAINS_MAX => {
                let known = names.iter().position(|name| name.as_bytes() == content);
                domains.push(known.and_then(DomainIx::new));
            }
            (tag::EVENTS, _) => {
                let events = content.chunks_exact(EVENT).filter_map(|event| decode_event(event, &domains));
                events.for_each(|event| journal.push(event));
            }
            _ => {}
        }
    }
    last.into_iter().for_each(|past| journal.push_past(past));
}

/// Of one without times its timestamp says when it was wanted.
fn decode_one(content: &[u8]) -> Option<Past> {
    let text = Text::parse(core::str::from_utf8(content.get(13..)?).ok()?)?;
    let timestamp = i64::from_le_bytes(content.get(..8)?.try_into().ok()?);
    Some(Past {
        run: Run::NONE,
        activity: text.cut(ACTIVITY_ID_MAX).as_json().to_owned(),
        timestamp,
        crc: u32::from_le_bytes(content.get(8..12)?.try_into().ok()?),
        begun: u64::try_from(timestamp).unwrap_or(0),
        took_ms: 0,
        ended: u64::try_from(timestamp).unwrap_or(0),
        outcome: Status::of_code(*content.get(12)?)?,
        reason: String::new(),
        is_untold: false,
    })
}

fn decode_more(content: &[u8], past: &mut Past) -> Option<()> {
    let reason = Text::parse(core::str::from_utf8(content.get(16..)?).ok()?)?;
    past.begun = u64::from_le_bytes(content.get(..8)?.try_into().ok()?);
    past.took_ms = u64::from_le_bytes(content.get(8..16)?.try_into().ok()?);
    past.ended = past.begun.saturating_add(past.took_ms);
    past.reason = reason.cut(PAST_REASON_MAX).as_json().to_owned();
    Some(())
}

fn decode_run(content: &[u8], past: &mut Past) -> Option<()> {
    past.run = Run::of_bytes(content.get(..8)?)?;
    past.is_untold = content.get(8) == Some(&1);
    if let Some(ended) = content.get(9..17) {
        past.ended = u64::from_le_bytes(ended.try_into().ok()?);
    }
    Some(())
}

fn decode_event(event: &[u8], domains: &[Option<DomainIx>]) -> Option<Event> {
    let kind = journal::Kind::of_code(*event.get(8)?)?;
    let code = *event.get(10)?;
    let detail = match kind {
        journal::Kind::Ended => Status::of_code(code).map(Detail::Outcome),
        _ => Phase::of_code(code).map(Detail::Phase),
    };
    Some(Event {
        wall: u64::from_le_bytes(event.get(..8)?.try_into().ok()?),
        kind,
        domain: domains.get(usize::from(*event.get(9)?)).copied().flatten(),
        detail: detail.unwrap_or(Detail::None),
    })
}

#[cfg(test)]
mod tests {
    use super::super::format::HEADER;
    use super::*;
    use crate::limits::{DOMAIN_ID_MAX, FINISHED_MAX};
    use crate::model::ActivityKey;

    fn past(activity: &str, timestamp: i64, reason: &str) -> Past {
        Past {
            run: Run(timestamp as u64 + 1),
            activity: activity.to_owned(),
            timestamp,
            crc: 9,
            begun: 5,
            took_ms: 70,
            ended: 1_700_000_000_000,
            outcome: Status::Incomplete,
            reason: reason.to_owned(),
            is_untold: timestamp % 2 == 0,
        }
    }

    fn back(journal: &Journal, from: &[String], to: &[String]) -> Journal {
        let mut back = Journal::default();
        decode(&encode(journal, from, b"").unwrap().bytes[HEADER..], to, &mut back);
        back
    }

    #[test]
    fn the_last_ones_come_back_in_order_even_with_the_longest_names() {
        let mut journal = Journal::default();
        for n in 0..FINISHED_MAX + 3 {
            let activity = format!("{n:0>width$}", width = ACTIVITY_ID_MAX);
            journal.push_past(past(&activity, n as i64, &"r".repeat(PAST_REASON_MAX)));
        }
        let names: Vec<String> = (0..DOMAINS_MAX).map(|n| format!("{n:0>DOMAIN_ID_MAX$}")).collect();
        for n in 0..EVENTS_MAX + 5 {
            let (domain, detail) = (DomainIx::new(n % DOMAINS_MAX), Detail::Phase(Phase::Update));
            journal.push(Event { wall: n as u64, kind: journal::Kind::Ready, domain, detail });
        }
        let mut again = back(&journal, &names, &names);
        assert_eq!(again.past().map(|past| past.timestamp).collect::<Vec<_>>(), (3..35).collect::<Vec<i64>>());
        assert!(again.past().eq(journal.past()) && again.events().eq(journal.events()));
        let draft = encode(&journal, &names, b"").unwrap();
        for cut in HEADER..draft.bytes.len() {
            decode(&draft.bytes[HEADER..cut], &names, &mut again);
        }
    }

    #[test]
    fn events_name_domains_wherever_they_are_configured_now() {
        let mut journal = Journal::default();
        for place in 0..2 {
            let (domain, detail) = (DomainIx::new(place), Detail::None);
            journal.push(Event { wall: 1, kind: journal::Kind::Failed, domain, detail });
        }
        let outcome = Detail::Outcome(Status::Completed);
        journal.push(Event { wall: 2, kind: journal::Kind::Ended, domain: None, detail: outcome });
        let back = back(&journal, &["a".into(), "b".into()], &["b".into()]);
        let domains: Vec<_> = back.events().map(|event| event.domain).collect();
        assert_eq!(domains, [None, DomainIx::new(0), None]);
        assert_eq!(back.events().last().unwrap().detail, outcome);
    }

    #[test]
    fn no_more_domains_are_read_than_there_can_be() {
        let draft = Draft::new(Kind::History, 1024, |out: &mut Fields<'_>| {
            (0..=DOMAINS_MAX).for_each(|_| out.put(tag::DOMAIN, &[b"a"]));
            let event = |domain: usize| [&[7; 8][..], &[journal::Kind::Failed.code(), domain as u8, 0]].concat();
            out.put(tag::EVENTS, &[&event(DOMAINS_MAX - 1), &event(DOMAINS_MAX)]);
        });
        let mut journal = Journal::default();
        decode(&draft.unwrap().bytes[HEADER..], &["a".into()], &mut journal);
        assert_eq!(journal.events().map(|event| event.domain).collect::<Vec<_>>(), [DomainIx::new(0), None]);
    }

    #[test]
    fn an_activity_is_known_by_its_content_and_by_its_run() {
        let mut journal = Journal::default();
        journal.push_past(past("a", 7, ""));
        journal.push_past(Past { run: Run(9), outcome: Status::Completed, ..past("b", 7, "") });
        let key = journal.past().next().unwrap().key();
        assert!(journal.contains(key));
        assert!(
            !journal.contains(ActivityKey { timestamp: 8, ..key }) && !journal.contains(ActivityKey { crc: 8, ..key })
        );
        let outcomes = [8, 9, 10].map(|run| journal.outcome_of(Run(run)));
        assert_eq!(outcomes, [Some(Status::Incomplete), Some(Status::Completed), None]);
    }

    /// As the version before wrote it.
    #[test]
    fn a_history_without_times_and_reasons_is_read() {
        let draft = Draft::new(Kind::History, 256, |out: &mut Fields<'_>| {
            out.put(1, &[&7_i64.to_le_bytes(), &9_u32.to_le_bytes(), &[Status::Completed.code()], b"old"]);
        });
        let mut journal = Journal::default();
        decode(&draft.unwrap().bytes[HEADER..], &[], &mut journal);
        let old = journal.past().next().unwrap();
        assert_eq!((old.activity.as_str(), old.run, old.begun), ("old", Run::NONE, 7));
    }
}
