//! The receive buffer, and the packets in it.

use bytes::{Buf, Bytes, BytesMut};

use super::codec::{self, Front, Large};
use super::event::Delivery;
use super::reason::Malformed;
use crate::limits::{READ_CHUNK, READ_FIRST, RECEIVE_BUFFER, SKIP_CHUNK};

/// Received bytes that are not yet consumed.
///
/// They move back to the buffer's front before each read, unless that would
/// overlap: then less than `READ_CHUNK` bytes lie before them, so a packet of
/// the largest size still fits behind. Hence one allocation serves for ever, as
/// long as nobody holds on to a payload. It takes that everything complete is
/// consumed before the next read.
pub(super) struct Inbound {
    /// Its first `filled` bytes were received, the others are room for a read.
    bytes: BytesMut,
    filled: usize,
    /// Bytes of room for the next read: more after one that needed all its room.
    chunk: usize,
    skip: Option<Skip>,
    /// Whether all that is complete was taken.
    is_drained: bool,
}

/// A PUBLISH past our limits whose payload goes by.
struct Skip {
    large: Large,
    /// Bytes of the payload that are still to come.
    left: usize,
    is_repeat: bool,
}

/// A part of such a payload, and what it belongs to.
pub(super) struct Part {
    pub topic: String,
    /// Bytes of the whole payload.
    pub len: usize,
    pub qos: u8,
    /// How the message came.
    pub delivery: Delivery,
    /// Whether the caller had the message already.
    pub is_repeat: bool,
    pub bytes: Bytes,
    pub is_last: bool,
}

impl Inbound {
    pub fn new() -> Inbound {
        let bytes = BytesMut::with_capacity(RECEIVE_BUFFER);
        Inbound { bytes, filled: 0, chunk: READ_FIRST, skip: None, is_drained: true }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.filled = 0;
        self.skip = None;
        self.is_drained = true;
    }

    /// Whether all that is complete was taken.
    pub fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// Room for the next read, at most `READ_CHUNK` bytes; less at the buffer's end.
    pub fn room(&mut self) -> &mut [u8] {
        let end = self.filled + self.chunk;
        if self.bytes.capacity() < RECEIVE_BUFFER {
            self.move_to_front();
        }
        // Only what is new is to be zeroed.
        if self.bytes.len() < end {
            self.bytes.resize(end.min(self.bytes.capacity()), 0);
        }
        let end = end.min(self.bytes.len());
        &mut self.bytes[self.filled..end]
    }

    fn move_to_front(&mut self) {
        self.bytes.truncate(self.filled);
        let whole = RECEIVE_BUFFER - self.filled.min(RECEIVE_BUFFER);
        if !self.bytes.try_reclaim(whole) && self.bytes.capacity() == self.filled {
            // A payload is still held.
            self.bytes.reserve(whole.max(READ_CHUNK));
        }
    }

    /// `n` bytes were read into [`room`](Self::room).
    pub fn handle_received(&mut self, n: usize) {
        assert!(n <= self.bytes.len() - self.filled, "no more can be received than there was room for");
        self.chunk = if n < self.chunk { READ_FIRST } else { READ_CHUNK };
        self.filled += n;
        self.is_drained = false;
    }

    /// What stands at the front; not while a payload is skipped.
    pub fn front(&mut self) -> Result<Front, Malformed> {
        let front = codec::measure(&self.bytes[..self.filled])?;
        self.is_drained |= matches!(front, Front::Short);
        Ok(front)
    }

    /// Takes bytes out that are there.
    pub fn take(&mut self, len: usize) -> BytesMut {
        self.filled -= len;
        self.bytes.split_to(len)
    }

    /// Begins to skip a payload.
    pub fn skip(&mut self, large: Large, is_repeat: bool) {
        self.filled -= large.head;
        self.bytes.advance(large.head);
        self.skip = Some(Skip { left: large.payload, large, is_repeat });
    }

    /// Whether a payload is skipped.
    pub fn is_skipping(&self) -> bool {
        self.skip.is_some()
    }

    /// The next part of the payload that is skipped, once it is there:
    /// `SKIP_CHUNK` bytes, or what is left. With the last one, skipping ends.
    pub fn poll_part(&mut self) -> Option<Part> {
        let skip = self.skip.as_mut()?;
        let len = skip.left.min(SKIP_CHUNK);
        if self.filled < len {
            self.is_drained = true;
            return None;
        }
        skip.left -= len;
        let part = Part {
            topic: skip.large.topic.clone(),
            len: skip.large.payload,
            qos: skip.large.qos,
            delivery: skip.large.delivery,
            is_repeat: skip.is_repeat,
            is_last: skip.left == 0,
            bytes: self.take(len).freeze(),
        };
        if part.is_last {
            self.skip = None;
        }
        Some(part)
    }

    /// Where the buffer lies, to see that it stays.
    #[cfg(test)]
    pub fn place(&mut self) -> *const u8 {
        self.room().as_ptr()
    }
}
