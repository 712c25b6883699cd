//! The desired state as it is saved: its payload as it came, in pieces, and whose it is.

use super::format::{fields, Draft, Fields, Kind, FIELD, HEADER};
use crate::limits::RECORD_PIECE_MAX;
use crate::model::Run;

const PIECE: u8 = 1;
/// Whose it is. The first version does not say it.
const RUN: u8 = 2;

/// The record of an activity's payload, with its state if that is not empty.
pub fn encode(run: Run, payload: &[u8], state: &[u8]) -> Option<Draft> {
    let write = |out: &mut Fields<'_>| {
        out.put(RUN, &[&run.0.to_le_bytes()]);
        payload.chunks(RECORD_PIECE_MAX).for_each(|piece| out.put(PIECE, &[piece]));
    };
    Draft::carrying(Kind::Document, size(payload), state, write)
}

/// Bytes of the record of a payload.
pub fn size(payload: &[u8]) -> usize {
    HEADER + FIELD + 8 + payload.len() + FIELD * payload.chunks(RECORD_PIECE_MAX).len()
}

/// Whose payload the fields hold; none if they do not say it.
pub fn run(bytes: &[u8]) -> Option<Run> {
    fields(bytes).find(|(tag, _)| *tag == RUN).and_then(|(_, run)| Run::of_bytes(run))
}

/// Appends the payload that the fields hold.
pub fn decode(bytes: &[u8], payload: &mut Vec<u8>) {
    fields(bytes).filter(|(tag, _)| *tag == PIECE).for_each(|(_, piece)| payload.extend_from_slice(piece));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_any_size_comes_back() {
        for size in [0, 1, RECORD_PIECE_MAX, RECORD_PIECE_MAX + 1, 256 * 1024] {
            let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let draft = encode(Run(7), &payload, b"").unwrap();
            assert_eq!(draft.bytes.len(), super::size(&payload));
            let mut back = Vec::new();
            decode(&draft.bytes[HEADER..], &mut back);
            assert_eq!((run(&draft.bytes[HEADER..]), back), (Some(Run(7)), payload));
        }
    }

    #[test]
    fn a_record_takes_a_frame_whose_it_is_its_payload_and_three_bytes_for_each_piece() {
        for (len, pieces) in [(0, 0), (1, 1), (RECORD_PIECE_MAX, 1), (RECORD_PIECE_MAX + 1, 2), (256 * 1024, 8)] {
            let payload = vec![b' '; len];
            for (state, carried) in [(&b""[..], 0), (b"state", 3 + 5)] {
                let draft = encode(Run(7), &payload, state).unwrap();
                assert_eq!(draft.bytes.len(), 31 + len + 3 * pieces + carried, "{len} bytes");
            }
            assert_eq!(size(&payload), 31 + len + 3 * pieces, "{len} bytes");
        }
    }
}
