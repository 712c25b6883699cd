//! Final reports of earlier activities that the broker has not acknowledged, oldest
//! first: the messages as they are to be sent. Status and words are always saved;
//! actions as far as they fit `SAVED_DETAILS_MAX` bytes, those of the newest report
//! first.

use super::format::{fields, Draft, Fields, Kind, HEADER};
use crate::limits::{RECORD_PIECE_MAX, REPORTS_MAX, SAVED_DETAILS_MAX};
use crate::model::Run;
use crate::mqtt::Waiting;

/// Begins a report: its number.
const NUMBER: u8 = 1;
const TOPIC: u8 = 2;
/// A piece of the payload; they follow each other.
const TEXT: u8 = 3;
/// Whose it is; the number in a report of 0.1.0 is none of ours.
const RUN: u8 = 4;

/// A report that was saved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Whose it is; none if 0.1.0 wrote it.
    pub run: Option<Run>,
    /// Where it goes.
    pub topic: String,
    /// The whole payload.
    pub payload: String,
}

/// The record of these reports, at most `REPORTS_MAX` of them; of none as well.
pub fn encode<'a>(reports: impl Iterator<Item = Waiting<'a>>) -> Option<Draft> {
    let mut reports: heapless::Vec<Waiting<'a>, REPORTS_MAX> = reports.take(REPORTS_MAX).collect();
    let mut room = SAVED_DETAILS_MAX;
    for report in reports.iter_mut().rev() {
        match room.checked_sub(report.detail.len()) {
            Some(left) => room = left,
            None => report.detail = &[],
        }
    }
    let pieces = |report: &Waiting<'a>| [report.body, report.detail, report.tail.as_bytes()];
    let size = |report: &Waiting<'a>| {
        let texts =
            pieces(report).iter().map(|piece| piece.len() + 3 * piece.chunks(RECORD_PIECE_MAX).len()).sum::<usize>();
        3 + 8 + 3 + 8 + 3 + report.topic.len() + texts
    };
    let max = HEADER + reports.iter().map(size).sum::<usize>();
    Draft::new(Kind::Reports, max, |out: &mut Fields<'_>| {
        for report in &reports {
            out.put(NUMBER, &[&report.number.to_le_bytes()]);
            out.put(RUN, &[&report.number.to_le_bytes()]);
            out.put(TOPIC, &[report.topic]);
            pieces(report)
                .iter()
                .flat_map(|piece| piece.chunks(RECORD_PIECE_MAX))
                .for_each(|text| out.put(TEXT, &[text]));
        }
    })
}

/// Those that the fields hold; what cannot be read is left out.
pub fn decode(bytes: &[u8]) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    for (tag, content) in fields(bytes) {
        if tag == NUMBER {
            reports.push(Report::default());
            continue;
        }
        let Some(report) = reports.last_mut() else { continue };
        if tag == RUN {
            report.run = Run::of_bytes(content);
        }
        match (tag, core::str::from_utf8(content)) {
            (TOPIC, Ok(topic)) => report.topic = topic.to_owned(),
            (TEXT, Ok(text)) => report.payload.push_str(text),
            _ => {}
        }
    }
    reports.truncate(REPORTS_MAX);
    reports.retain(|report| !report.topic.is_empty() && !report.payload.is_empty());
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(number: u64, detail: &[u8]) -> Waiting<'_> {
        Waiting { number, topic: b"e", body: b"{\"a\":1", detail, tail: "}" }
    }

    fn back(reports: &[Waiting<'_>]) -> Vec<Report> {
        decode(&encode(reports.iter().copied()).unwrap().bytes[HEADER..])
    }

    #[test]
    fn reports_come_back_in_order() {
        let two = back(&[waiting(7, b",\"b\":2"), waiting(1, b"")]);
        let report = |run, payload: &str| Report { run: Some(Run(run)), topic: "e".into(), payload: payload.into() };
        assert_eq!(two, [report(7, "{\"a\":1,\"b\":2}"), report(1, "{\"a\":1}")]);
        assert_eq!(back(&[]), []);
    }

    #[test]
    fn a_record_is_reckoned_to_the_byte() {
        let frame = |pieces: usize| 2 * (3 + 8) + (3 + 1) + 3 * pieces + 6 + 1;
        let long = vec![b' '; RECORD_PIECE_MAX];
        let longer = [&long[..], b" "].concat();
        for (body, pieces) in [(&b"{\"a\":1"[..], 2), (&long, 2), (&longer, 3)] {
            let report = Waiting { body, ..waiting(7, b"") };
            let draft = encode([report].into_iter()).unwrap();
            assert_eq!(draft.bytes.len(), HEADER + frame(pieces) - 6 + body.len(), "{} bytes", body.len());
            assert_eq!(draft.bytes.capacity(), draft.bytes.len());
        }
        let two = encode([waiting(7, b",\"b\":2"), waiting(1, b"")].into_iter()).unwrap();
        assert_eq!(two.bytes.len(), HEADER + frame(3) + 6 + frame(2));
        assert_eq!(two.bytes.capacity(), two.bytes.len());
    }

    #[test]
    fn actions_that_just_fit_are_saved() {
        let [whole, more] = [0, 1].map(|more| vec![b' '; SAVED_DETAILS_MAX + more]);
        let len = |reports: &[Waiting<'_>]| back(reports).iter().map(|report| report.payload.len()).collect::<Vec<_>>();
        assert_eq!(len(&[waiting(1, b" "), waiting(2, &whole)]), [7, 7 + SAVED_DETAILS_MAX]);
        assert_eq!(len(&[waiting(1, b" "), waiting(2, &more)]), [8, 7]);
    }

    #[test]
    fn past_the_limit_the_oldest_lose_their_actions_and_nothing_else() {
        let detail = vec![b' '; SAVED_DETAILS_MAX / 3];
        let all: Vec<_> = (0..REPORTS_MAX as u64).map(|number| waiting(number, &detail)).collect();
        let back = back(&all);
        assert_eq!(
            back.iter().map(|report| report.run).collect::<Vec<_>>(),
            (0..8).map(|run| Some(Run(run))).collect::<Vec<_>>()
        );
        let whole: Vec<bool> = back.iter().map(|report| report.payload.len() > detail.len()).collect();
        assert_eq!(whole, [false, false, false, false, false, true, true, true]);
        assert!(back[0].payload == "{\"a\":1}");
    }

    #[test]
    fn no_bytes_do_harm() {
        let bytes = encode([waiting(7, b",\"b\":2"), waiting(1, b"")].into_iter()).unwrap().bytes;
        for at in HEADER..bytes.len() {
            let _ = decode(&bytes[HEADER..at]);
            for flip in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << flip;
                let _ = decode(&other[HEADER..]);
            }
        }
    }
}
