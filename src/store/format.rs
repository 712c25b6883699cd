//! The frame around every record, and the fields in it.
//!
//! ```text
//! magic "UMrc"  kind  version  0 0  sequence  length  CRC-32 of all but itself
//! 4 bytes       1     1        2    4         4       4         little-endian
//! ```
//!
//! A record is a list of fields: tag (1 byte), length (2 bytes), content. A reader
//! skips tags that it does not know and takes a default for those that are absent,
//! so that the version before and the version after understand each other. Only a
//! change that an older reader would misread raises the version.

use core::fmt;

use super::document::{self, Payload};
use crate::model::table::table;
use crate::model::{checksum, Digest};

/// Bytes of the frame before the fields.
pub const HEADER: usize = 20;

/// Bytes of a field before its content.
pub const FIELD: usize = 3;

/// What readers of this program understand at most.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"UMrc";

table! {
    /// What a record holds, and what its slots are called.
    pub enum Kind {
        /// How far the activity is.
        State = 1 "state",
        /// The desired state's payload, as it came.
        Document = 2 "document",
        /// The actions' components.
        Actions = 3 "actions",
        /// The finished activities, and what has happened.
        History = 4 "history",
        /// Final reports of earlier activities that the broker has not acknowledged.
        Reports = 5 "reports",
        /// The session that the broker keeps.
        Session = 6 "session",
        /// What domains are committed to, if its document does not stay.
        Kept = 7 "kept",
    }
}

impl Kind {
    /// Its place among all of them, from 0.
    pub fn place(self) -> usize {
        usize::from(self.code()) - 1
    }
}

/// Tag of the activity's state in a record of another kind: what has changed with it is
/// written at once, and synced once. It stands first, so that of a damaged record it is
/// still known whose it is.
pub const STATE: u8 = 200;

/// A record that was written whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Counts up with each record of its kind; wraps.
    pub sequence: u32,
    /// Its fields.
    pub fields: &'a [u8],
}

/// Why a slot holds no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Nothing was ever written.
    Empty,
    /// It is not one of ours, or of another kind.
    Foreign,
    /// It ends before its time: its write was cut.
    Cut,
    /// Its content was changed.
    Damaged,
    /// It is of a version that this program does not understand.
    Version(u8),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Empty => f.write_str("nothing was written"),
            Flaw::Foreign => f.write_str("it is no record of this kind"),
            Flaw::Cut => f.write_str("its write was cut"),
            Flaw::Damaged => f.write_str("it is damaged"),
            Flaw::Version(version) => write!(f, "its version is {version}, at most {VERSION} is understood"),
        }
    }
}

/// Completes the record whose fields stand in `slot` from [`HEADER`] on, and says
/// how many bytes it has in all. None if the slot is too short for that.
pub fn seal(slot: &mut [u8], kind: Kind, sequence: u32, fields: usize) -> Option<usize> {
    let total = HEADER.checked_add(fields)?;
    let (place, fields) = slot.get_mut(..total)?.split_at_mut(HEADER);
    place.copy_from_slice(&header(kind, sequence, core::iter::once(&*fields))?);
    Some(total)
}

/// The frame before fields that come in these pieces. None if they are too long.
pub fn header<'a>(kind: Kind, sequence: u32, fields: impl Iterator<Item = &'a [u8]> + Clone) -> Option<[u8; HEADER]> {
    let len = fields.clone().map(<[u8]>::len).sum::<usize>();
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4] = kind.code();
    header[5] = VERSION;
    header[8..12].copy_from_slice(&sequence.to_le_bytes());
    header[12..16].copy_from_slice(&u32::try_from(len).ok()?.to_le_bytes());
    let mut digest = Digest::default();
    digest.update(&header[..16]);
    fields.for_each(|piece| digest.update(piece));
    header[16..].copy_from_slice(&digest.finish().to_le_bytes());
    Some(header)
}

/// The record in a slot.
///
/// # Errors
/// There is none, whole and of this kind.
pub fn open(slot: &[u8], kind: Kind) -> Result<Record<'_>, Flaw> {
    let header = slot.get(..HEADER).ok_or(if slot.is_empty() { Flaw::Empty } else { Flaw::Cut })?;
    if header.iter().all(|byte| *byte == 0) {
        return Err(Flaw::Empty);
    }
    if header[..4] != MAGIC || header[4] != kind.code() {
        return Err(Flaw::Foreign);
    }
    let length = usize::try_from(word(header, 12)).map_err(|_| Flaw::Damaged)?;
    let record = length.checked_add(HEADER).and_then(|total| slot.get(..total)).ok_or(Flaw::Cut)?;
    if checksum(&[&record[..16], &record[HEADER..]]) != word(header, 16) {
        return Err(Flaw::Damaged);
    }
    if header[5] > VERSION {
        return Err(Flaw::Version(header[5]));
    }
    Ok(Record { sequence: word(header, 8), fields: &record[HEADER..] })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Writes fields one after the other.
#[derive(Debug)]
pub struct Fields<'b> {
    slot: &'b mut [u8],
    len: usize,
    fits: bool,
}

impl<'b> Fields<'b> {
    /// Into a slot, behind the place of its header.
    pub fn new(slot: &'b mut [u8]) -> Fields<'b> {
        Fields { slot, len: 0, fits: true }
    }

    /// Adds a field made of these pieces.
    pub fn put(&mut self, tag: u8, pieces: &[&[u8]]) {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let start = HEADER + self.len;
        let end = start + 3 + len;
        let (Ok(short), Some(place)) = (u16::try_from(len), self.slot.get_mut(start..end)) else {
            self.fits = false;
            return;
        };
        place[0] = tag;
        place[1..3].copy_from_slice(&short.to_le_bytes());
        let mut at = 3;
        for piece in pieces {
            place[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        self.len += 3 + len;
    }

    /// Adds fields that were written elsewhere.
    pub fn extend(&mut self, fields: &[u8]) {
        let start = HEADER + self.len;
        match self.slot.get_mut(start..start + fields.len()) {
            Some(place) => {
                place.copy_from_slice(fields);
                self.len += fields.len();
            }
            None => self.fits = false,
        }
    }

    /// The fields so far; nothing if one of them did not fit.
    pub fn written(&self) -> &[u8] {
        let end = if self.fits { HEADER + self.len } else { HEADER };
        self.slot.get(HEADER..end).unwrap_or_default()
    }

    /// Adds the tag and the length of a field whose content stands elsewhere.
    pub fn put_head(&mut self, tag: u8, len: usize) {
        match u16::try_from(len).map(u16::to_le_bytes) {
            Ok([low, high]) => self.extend(&[tag, low, high]),
            Err(_) => self.fits = false,
        }
    }

    /// Whether a field of so many bytes fits.
    pub fn has_room(&self, bytes: usize) -> bool {
        HEADER + self.len + 3 + bytes <= self.slot.len()
    }

    /// Bytes of all fields; none if one of them did not fit.
    pub fn total(&self) -> Option<usize> {
        self.fits.then_some(self.len)
    }
}

/// A record to be saved.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it holds.
    pub kind: Kind,
    /// [`HEADER`] bytes that [`seal`] fills in, and the fields.
    pub bytes: Vec<u8>,
    /// The desired state whose fields the record has.
    pub payload: Option<Payload>,
}

impl Draft {
    /// One with the fields that `write` puts, in at most `max` bytes with its
    /// header. None if they do not fit.
    pub fn new(kind: Kind, max: usize, write: impl FnOnce(&mut Fields<'_>)) -> Option<Draft> {
        let mut bytes = vec![0; max];
        let mut out = Fields::new(&mut bytes);
        write(&mut out);
        let total = out.total()?;
        bytes.truncate(HEADER + total);
        Some(Draft { kind, bytes, payload: None })
    }

    /// The same with the fields of the activity's state, if there are any, before its own.
    pub fn carrying(kind: Kind, max: usize, state: &[u8], write: impl FnOnce(&mut Fields<'_>)) -> Option<Draft> {
        let carried = if state.is_empty() { 0 } else { FIELD + state.len() };
        Draft::new(kind, max + carried, |out| {
            if carried > 0 {
                out.put(STATE, &[state]);
            }
            write(out);
        })
    }

    /// One of fields that are written already.
    pub fn of_fields(kind: Kind, fields: &[u8]) -> Draft {
        let mut bytes = vec![0; HEADER + fields.len()];
        bytes[HEADER..].copy_from_slice(fields);
        Draft { kind, bytes, payload: None }
    }

    /// All of it.
    pub fn pieces(&self) -> Vec<&[u8]> {
        document::pieces(&self.bytes, self.payload.as_ref()).collect()
    }
}

/// The fields of a record, in order. A field that is cut ends them.
pub fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        let (head, rest) = (bytes.get(..3)?, bytes.get(3..)?);
        let len = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let content = rest.get(..len)?;
        bytes = &rest[len..];
        Some((head[0], content))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Vec<u8> {
        let mut slot = vec![0; 256];
        let mut out = Fields::new(&mut slot);
        out.put(1, &[b"act", b"-1"]);
        out.put(200, &[&[]]);
        out.put(2, &[&[7; 40]]);
        let len = out.total().unwrap();
        let total = seal(&mut slot, Kind::State, 9, len).unwrap();
        slot.truncate(total);
        slot
    }

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        Kind::check_table();
    }

    #[test]
    fn what_is_sealed_opens_with_its_fields() {
        let slot = sealed();
        let record = open(&slot, Kind::State).unwrap();
        assert_eq!(record.sequence, 9);
        let all: Vec<_> = fields(record.fields).collect();
        assert_eq!(all, [(1, &b"act-1"[..]), (200, &[][..]), (2, &[7; 40][..])]);
    }

    #[test]
    fn a_record_cut_anywhere_or_with_any_bit_flipped_is_none() {
        let slot = sealed();
        for cut in 0..slot.len() {
            let flaw = if cut == 0 { Flaw::Empty } else { Flaw::Cut };
            assert_eq!(open(&slot[..cut], Kind::State), Err(flaw), "cut at {cut}");
        }
        for bit in 0..slot.len() * 8 {
            let mut flipped = slot.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&flipped, Kind::State).is_err(), "bit {bit} flipped");
        }
    }

    #[test]
    fn what_stands_behind_a_shorter_record_does_not_count() {
        let mut slot = sealed();
        slot.extend_from_slice(&[0xff; 100]);
        assert!(open(&slot, Kind::State).is_ok());
    }

    #[test]
    fn each_flaw_is_told() {
        assert_eq!(open(&[], Kind::State), Err(Flaw::Empty));
        assert_eq!(open(&[0; 64], Kind::State), Err(Flaw::Empty));
        assert_eq!(open(&sealed(), Kind::Document), Err(Flaw::Foreign));
        let mut newer = sealed();
        newer[5] = VERSION + 1;
        let checksum = checksum(&[&newer[..16], &newer[HEADER..]]);
        newer[16..20].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(open(&newer, Kind::State), Err(Flaw::Version(2)));
    }

    #[test]
    fn there_is_room_up_to_the_last_byte() {
        let mut slot = [0; HEADER + 10];
        let mut out = Fields::new(&mut slot);
        assert!(out.has_room(7) && !out.has_room(8));
        out.put(1, &[b"x"]);
        assert!(out.has_room(3) && !out.has_room(4));
        out.extend(&[2, 3, 0, 7, 7, 7]);
        assert_eq!((out.total(), out.written()), (Some(10), &[1, 1, 0, b'x', 2, 3, 0, 7, 7, 7][..]));
        out.extend(&[0]);
        assert_eq!((out.total(), out.written()), (None, &[][..]));
    }

    #[test]
    fn a_draft_is_as_long_as_its_fields_and_a_state_that_it_carries_takes_none_of_its_room() {
        let own = |out: &mut Fields<'_>| out.put(1, &[b"own"]);
        let max = HEADER + FIELD + 3;
        for (state, carried) in [(&b""[..], 0), (b"state", FIELD + 5)] {
            let draft = Draft::carrying(Kind::History, max, state, own).unwrap();
            assert_eq!((draft.bytes.len(), draft.bytes.capacity()), (max + carried, max + carried));
            let all: Vec<_> = fields(&draft.bytes[HEADER..]).filter(|(tag, _)| *tag == STATE).collect();
            assert_eq!(all, if state.is_empty() { vec![] } else { vec![(STATE, state)] });
            assert!(Draft::carrying(Kind::History, max - 1, state, own).is_none());
        }
        let draft = Draft::of_fields(Kind::State, &[1, 1, 0, b'x']);
        assert_eq!(draft.bytes, [&[0; HEADER][..], &[1, 1, 0, b'x']].concat());
    }

    #[test]
    fn a_field_that_is_cut_ends_them() {
        let whole = [1, 0, 0, 2, 2, 0, 8, 9];
        for (len, count) in [(0, 0), (2, 0), (3, 1), (5, 1), (6, 1), (7, 1), (8, 2)] {
            assert_eq!(fields(&whole[..len]).count(), count, "{len} bytes");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_and_not_written() {
        let mut slot = [0; HEADER + 10];
        let mut out = Fields::new(&mut slot);
        out.put(1, &[&[1; 7]]);
        assert_eq!(out.total(), Some(10));
        out.put(2, &[b"x"]);
        assert_eq!(out.total(), None);
        assert_eq!(seal(&mut slot, Kind::State, 1, 11), None);
    }
}
