//! The desired state as it is saved: its payload as it came, in pieces.

use super::format::{fields, Draft, Fields, Kind, FIELD, HEADER};
use crate::limits::RECORD_PIECE_MAX;

const PIECE: u8 = 1;

/// The record of a payload, with the activity's state if that is not empty.
pub fn encode(payload: &[u8], state: &[u8]) -> Option<Draft> {
    let pieces = payload.chunks(RECORD_PIECE_MAX);
    let write = |out: &mut Fields<'_>| pieces.clone().for_each(|piece| out.put(PIECE, &[piece]));
    Draft::carrying(Kind::Document, size(payload), state, write)
}

/// Bytes of the record of a payload.
pub fn size(payload: &[u8]) -> usize {
    HEADER + payload.len() + FIELD * payload.chunks(RECORD_PIECE_MAX).len()
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
            let draft = encode(&payload, b"").unwrap();
            let mut back = Vec::new();
            decode(&draft.bytes[HEADER..], &mut back);
            assert_eq!(back, payload);
        }
    }
}
