//! The finished activities as they are saved, oldest first.

use heapless::String;

use super::codes;
use super::format::{fields, Draft, Fields, Kind};
use crate::limits::SAVED_HISTORY_MAX;
use crate::orchestrator::finished::{Finished, One};
use crate::text::Text;

const ONE: u8 = 1;

/// The record of them.
pub fn encode(finished: &Finished) -> Option<Draft> {
    Draft::new(Kind::History, SAVED_HISTORY_MAX, |out: &mut Fields<'_>| {
        for one in finished.iter() {
            let outcome = [codes::status(one.outcome)];
            let (timestamp, crc) = (one.timestamp.to_le_bytes(), one.crc.to_le_bytes());
            out.put(ONE, &[&timestamp, &crc, &outcome, one.activity.as_bytes()]);
        }
    })
}

/// Those that the fields hold; what cannot be read is left out.
pub fn decode(bytes: &[u8]) -> Finished {
    let mut finished = Finished::default();
    for (_, content) in fields(bytes).filter(|(tag, _)| *tag == ONE) {
        if let Some(one) = decode_one(content) {
            finished.remember(one);
        }
    }
    finished
}

fn decode_one(content: &[u8]) -> Option<One> {
    let text = Text::parse(core::str::from_utf8(content.get(13..)?).ok()?)?;
    Some(One {
        timestamp: i64::from_le_bytes(content.get(..8)?.try_into().ok()?),
        crc: u32::from_le_bytes(content.get(8..12)?.try_into().ok()?),
        outcome: codes::status_of(*content.get(12)?)?,
        activity: String::try_from(text.as_json()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::format::HEADER;
    use super::*;
    use crate::limits::{ACTIVITY_ID_MAX, FINISHED_MAX};
    use crate::orchestrator::phase::Status;

    #[test]
    fn the_last_ones_come_back_in_order_even_with_the_longest_names() {
        let mut finished = Finished::default();
        for n in 0..FINISHED_MAX + 3 {
            let activity = String::try_from(format!("{n:0>width$}", width = ACTIVITY_ID_MAX).as_str()).unwrap();
            finished.remember(One { activity, timestamp: n as i64, crc: 9, outcome: Status::Completed });
        }
        let draft = encode(&finished).unwrap();
        let back = decode(&draft.bytes[HEADER..]);
        assert_eq!(back.iter().map(|one| one.timestamp).collect::<Vec<_>>(), (3..35).collect::<Vec<i64>>());
        for cut in 0..draft.bytes.len() - HEADER {
            let _ = decode(&draft.bytes[HEADER..][..cut]);
        }
    }
}
