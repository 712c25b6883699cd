//! The finished activities as they are saved, oldest first, and with them the last
//! events.

use heapless::String;

use super::format::{fields, Draft, Fields, Kind};
use crate::journal::{self, Detail, Event, Journal, Past};
use crate::limits::{DOMAINS_MAX, EVENTS_MAX, PAST_REASON_MAX, SAVED_HISTORY_MAX};
use crate::model::text::Text;
use crate::model::{DomainIx, Phase, Status};
use crate::orchestrator::finished::{Finished, One};

/// Tags of the fields. A number is never given another meaning.
mod tag {
    pub const ONE: u8 = 1;
    /// When the activity before it began, how long it took, and why it ended so.
    pub const MORE: u8 = 2;
    /// A domain, by whose place among them events name it.
    pub const DOMAIN: u8 = 3;
    pub const EVENTS: u8 = 4;
}

/// Bytes of an event: time, kind, domain, detail.
const EVENT: usize = 11;

/// The record of them; `names` are the domains in the order of the configuration.
pub fn encode(finished: &Finished, journal: &Journal, names: &[std::string::String]) -> Option<Draft> {
    Draft::new(Kind::History, SAVED_HISTORY_MAX, |out: &mut Fields<'_>| {
        for one in finished.iter() {
            let outcome = [one.outcome.code()];
            let (timestamp, crc) = (one.timestamp.to_le_bytes(), one.crc.to_le_bytes());
            out.put(tag::ONE, &[&timestamp, &crc, &outcome, one.activity.as_bytes()]);
            let key = (one.timestamp, one.crc);
            if let Some(past) = journal.past().rev().find(|past| past.key == key && past.activity == *one.activity) {
                out.put(tag::MORE, &[&past.begun.to_le_bytes(), &past.took_ms.to_le_bytes(), past.reason.as_bytes()]);
            }
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

/// Those that the fields hold; what cannot be read is left out.
pub fn decode(bytes: &[u8]) -> Finished {
    let mut finished = Finished::default();
    for (_, content) in fields(bytes).filter(|(tag, _)| *tag == tag::ONE) {
        if let Some(one) = decode_one(content) {
            finished.remember(one);
        }
    }
    finished
}

/// Puts what the fields say of activities and events into the journal.
pub fn decode_journal(bytes: &[u8], names: &[std::string::String], journal: &mut Journal) {
    let mut last = None;
    let mut domains = [None; DOMAINS_MAX];
    let mut named = 0;
    for (tag, content) in fields(bytes) {
        match tag {
            tag::ONE => last = decode_one(content),
            tag::MORE => {
                if let Some(past) = last.take().and_then(|one| decode_past(one, content)) {
                    journal.push_past(past);
                }
            }
            tag::DOMAIN => {
                if let Some(place) = domains.get_mut(named) {
                    let known = names.iter().position(|name| name.as_bytes() == content);
                    *place = known.and_then(DomainIx::new);
                }
                named += 1;
            }
            tag::EVENTS => {
                let events = content.chunks_exact(EVENT).filter_map(|event| decode_event(event, &domains));
                events.for_each(|event| journal.push(event));
            }
            _ => {}
        }
    }
}

fn decode_one(content: &[u8]) -> Option<One> {
    let text = Text::parse(core::str::from_utf8(content.get(13..)?).ok()?)?;
    Some(One {
        timestamp: i64::from_le_bytes(content.get(..8)?.try_into().ok()?),
        crc: u32::from_le_bytes(content.get(8..12)?.try_into().ok()?),
        outcome: Status::of_code(*content.get(12)?)?,
        activity: String::try_from(text.as_json()).ok()?,
    })
}

fn decode_past(one: One, content: &[u8]) -> Option<Past> {
    let reason = Text::parse(core::str::from_utf8(content.get(16..)?).ok()?)?;
    Some(Past {
        activity: one.activity.as_str().to_owned(),
        key: (one.timestamp, one.crc),
        begun: u64::from_le_bytes(content.get(..8)?.try_into().ok()?),
        took_ms: u64::from_le_bytes(content.get(8..16)?.try_into().ok()?),
        outcome: one.outcome,
        reason: reason.cut(PAST_REASON_MAX).as_json().to_owned(),
    })
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
    use crate::limits::{ACTIVITY_ID_MAX, DOMAIN_ID_MAX, EVENTS_MAX, FINISHED_MAX};
    use crate::model::{Phase, Status};

    fn one(activity: &str, timestamp: i64) -> One {
        One { activity: String::try_from(activity).unwrap(), timestamp, crc: 9, outcome: Status::Incomplete }
    }

    fn past(activity: &str, timestamp: i64, reason: &str) -> Past {
        Past {
            activity: activity.to_owned(),
            key: (timestamp, 9),
            begun: 5,
            took_ms: 70,
            outcome: Status::Incomplete,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn the_last_ones_come_back_in_order_even_with_the_longest_names() {
        let (mut finished, mut journal) = (Finished::default(), Journal::default());
        for n in 0..FINISHED_MAX + 3 {
            let activity = format!("{n:0>width$}", width = ACTIVITY_ID_MAX);
            finished.remember(one(&activity, n as i64));
            journal.push_past(past(&activity, n as i64, &"r".repeat(PAST_REASON_MAX)));
        }
        let names: Vec<std::string::String> = (0..DOMAINS_MAX).map(|n| format!("{n:0>DOMAIN_ID_MAX$}")).collect();
        for n in 0..EVENTS_MAX + 5 {
            let (domain, detail) = (DomainIx::new(n % DOMAINS_MAX), Detail::Phase(Phase::Update));
            journal.push(Event { wall: n as u64, kind: journal::Kind::Ready, domain, detail });
        }
        let draft = encode(&finished, &journal, &names).unwrap();
        let fields = &draft.bytes[HEADER..];
        let back = decode(fields);
        assert_eq!(back.iter().map(|one| one.timestamp).collect::<Vec<_>>(), (3..35).collect::<Vec<i64>>());
        let mut again = Journal::default();
        decode_journal(fields, &names, &mut again);
        assert!(again.past().eq(journal.past()) && again.events().eq(journal.events()));
        for cut in 0..fields.len() {
            let _ = decode(&fields[..cut]);
            decode_journal(&fields[..cut], &names, &mut again);
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
        let draft = encode(&Finished::default(), &journal, &["a".into(), "b".into()]).unwrap();
        let mut back = Journal::default();
        decode_journal(&draft.bytes[HEADER..], &["b".into()], &mut back);
        let domains: Vec<_> = back.events().map(|event| event.domain).collect();
        assert_eq!(domains, [None, DomainIx::new(0), None]);
        assert_eq!(back.events().last().unwrap().detail, outcome);
    }

    /// As the version before wrote it.
    #[test]
    fn a_history_without_times_and_reasons_is_read() {
        let draft = Draft::new(Kind::History, 256, |out: &mut Fields<'_>| {
            out.put(1, &[&7_i64.to_le_bytes(), &9_u32.to_le_bytes(), &[Status::Completed.code()], b"old"]);
        });
        let fields = &draft.unwrap().bytes[HEADER..];
        let mut journal = Journal::default();
        decode_journal(fields, &[], &mut journal);
        assert_eq!(decode(fields).iter().next().unwrap().activity, "old");
        assert_eq!(journal.past().count(), 0);
    }
}
