//! The desired state as it is saved: its payload as it came, in pieces, and whose it is.

use std::ops::Range;
use std::sync::Arc;

use super::format::{fields, Draft, Fields, Kind, FIELD, HEADER};
use crate::limits::{RECORD_PIECE_MAX, SAVED_RECORD_MAX};
use crate::model::Run;

const PIECE: u8 = 1;
/// Whose it is. The first version does not say it.
const RUN: u8 = 2;

/// The payload of a desired state within the message that it came in. A record that is being
/// written shares its memory.
#[derive(Clone, Debug)]
pub struct Payload {
    message: Arc<Vec<u8>>,
    span: Range<usize>,
}

impl Default for Payload {
    fn default() -> Payload {
        Payload::new()
    }
}

impl Payload {
    /// Creates it empty. Allocates `SAVED_RECORD_MAX` bytes, the most that a message has.
    pub fn new() -> Payload {
        Payload { message: Arc::new(Vec::with_capacity(SAVED_RECORD_MAX)), span: 0..0 }
    }

    /// Creates one that is its whole message.
    #[cfg(test)]
    pub(super) fn alone(bytes: &[u8]) -> Payload {
        let mut payload = Payload::new();
        payload.replace(bytes, 0..bytes.len());
        payload
    }

    /// Copies a message with its payload at `span`, in place of the one before. That one keeps
    /// its memory while it is being written, and this one takes its own.
    pub fn replace(&mut self, message: &[u8], span: Range<usize>) {
        if Arc::get_mut(&mut self.message).is_none() {
            *self = Payload::new();
        }
        let own = Arc::make_mut(&mut self.message);
        own.clear();
        own.extend_from_slice(message);
        self.span = span;
    }

    /// Returns the whole message.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Returns the payload.
    pub fn bytes(&self) -> &[u8] {
        self.message.get(self.span.clone()).unwrap_or_default()
    }
}

/// The record of an activity's payload, with its state if that is not empty. Of the payload's
/// fields it has the tags and lengths alone: see [`pieces`].
pub fn encode(run: Run, payload: &Payload, state: &[u8]) -> Option<Draft> {
    let pieces = payload.bytes().chunks(RECORD_PIECE_MAX);
    let max = size(payload.bytes()) - payload.bytes().len();
    let write = |out: &mut Fields<'_>| {
        out.put(RUN, &[&run.0.to_le_bytes()]);
        pieces.for_each(|piece| out.put_head(PIECE, piece.len()));
    };
    let draft = Draft::carrying(Kind::Document, max, state, write)?;
    Some(Draft { payload: Some(payload.clone()), ..draft })
}

/// A whole record in pieces: `bytes`, which end with the tags and lengths of the payload's
/// fields, and each piece of the payload behind its own.
pub fn pieces<'a>(bytes: &'a [u8], payload: Option<&'a Payload>) -> impl Iterator<Item = &'a [u8]> + Clone {
    let payload = payload.map_or(&[][..], Payload::bytes).chunks(RECORD_PIECE_MAX);
    let (front, heads) = bytes.split_at(bytes.len().saturating_sub(FIELD * payload.len()));
    let fields = heads.chunks(FIELD).zip(payload).flat_map(|(head, piece)| [head, piece]);
    core::iter::once(front).chain(fields)
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

    /// The payload in the middle of its message.
    fn shared(payload: &[u8]) -> Payload {
        let mut shared = Payload::new();
        shared.replace(&[b"head", payload, b"tail"].concat(), 4..4 + payload.len());
        shared
    }

    #[test]
    fn a_payload_of_any_size_comes_back() {
        for size in [0, 1, RECORD_PIECE_MAX, RECORD_PIECE_MAX + 1, 256 * 1024] {
            let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let shared = shared(&payload);
            let record = encode(Run(7), &shared, b"").unwrap().pieces().concat();
            let mut back = Vec::new();
            decode(&record[HEADER..], &mut back);
            assert_eq!((run(&record[HEADER..]), back), (Some(Run(7)), payload));
        }
    }

    #[test]
    fn a_record_takes_a_frame_whose_it_is_its_payload_and_three_bytes_for_each_piece() {
        for (len, pieces) in [(0, 0), (1, 1), (RECORD_PIECE_MAX, 1), (RECORD_PIECE_MAX + 1, 2), (256 * 1024, 8)] {
            let payload = vec![b' '; len];
            for (state, carried) in [(&b""[..], 0), (b"state", 3 + 5)] {
                let record = encode(Run(7), &shared(&payload), state).unwrap().pieces().concat();
                assert_eq!(record.len(), 31 + len + 3 * pieces + carried, "{len} bytes");
            }
            assert_eq!(size(&payload), 31 + len + 3 * pieces, "{len} bytes");
        }
    }

    #[test]
    fn the_payload_of_a_record_stays_while_the_record_is_there_and_then_its_memory_is_used_again() {
        let mut payload = Payload::new();
        payload.replace(b"one", 0..3);
        let first = payload.message().as_ptr();
        let draft = encode(Run(7), &payload, b"").unwrap();
        payload.replace(b"another", 2..7);
        assert_eq!((payload.message(), payload.bytes()), (&b"another"[..], &b"other"[..]));
        assert_eq!(*draft.pieces().last().unwrap(), b"one");
        assert_eq!(draft.pieces().last().unwrap().as_ptr(), first, "nothing was copied");
        let second = payload.message().as_ptr();
        drop(draft);
        payload.replace(b"third", 0..5);
        assert_eq!((payload.bytes(), payload.message().as_ptr()), (&b"third"[..], second));
    }
}
