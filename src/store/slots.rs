//! Which of two slots counts, and which is written next.

use super::format::{open, Flaw, Kind, Record};

/// One of the two places of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// Both.
    pub const ALL: [Slot; 2] = [Slot::A, Slot::B];

    /// The name of its file.
    pub fn name(self, kind: Kind) -> String {
        let end = match self {
            Slot::A => "a",
            Slot::B => "b",
        };
        format!("{}.{end}", kind.name())
    }

    /// The other one.
    pub fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }
}

/// What the two slots of one kind hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// The newest record that is whole, and its slot.
    pub newest: Option<(Slot, Record<'a>)>,
    /// What is wrong with each slot.
    pub flaws: [Option<Flaw>; 2],
}

impl Found<'_> {
    /// The slot and the sequence number of the next record.
    pub fn next(&self) -> (Slot, u32) {
        self.newest.map_or((Slot::A, 1), |(slot, record)| (slot.other(), record.sequence.wrapping_add(1)))
    }

    /// Whether the first write ever was cut: nobody was told that it was saved, so
    /// nothing is missing.
    pub fn is_unborn(&self) -> bool {
        matches!(self.flaws, [Some(Flaw::Cut), Some(Flaw::Empty)])
    }
}

/// Looks at both slots.
pub fn look<'a>(a: &'a [u8], b: &'a [u8], kind: Kind) -> Found<'a> {
    let (a, b) = (open(a, kind), open(b, kind));
    let newest = match (a, b) {
        (Ok(a), Ok(b)) if is_newer(b.sequence, a.sequence) => Some((Slot::B, b)),
        (Ok(a), _) => Some((Slot::A, a)),
        (Err(_), Ok(b)) => Some((Slot::B, b)),
        (Err(_), Err(_)) => None,
    };
    Found { newest, flaws: [a.err(), b.err()] }
}

/// Whether `a` follows `b`, though the number may have wrapped in between.
fn is_newer(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

#[cfg(test)]
mod tests {
    use super::super::format::{self, seal, Fields};
    use super::*;

    fn slot(sequence: u32) -> Vec<u8> {
        let mut slot = vec![0; 64];
        let mut out = Fields::new(&mut slot);
        out.put(1, &[b"x"]);
        let len = out.total().unwrap();
        seal(&mut slot, Kind::State, sequence, len).unwrap();
        slot
    }

    fn newest(a: &[u8], b: &[u8]) -> Option<(Slot, u32)> {
        look(a, b, Kind::State).newest.map(|(slot, record)| (slot, record.sequence))
    }

    #[test]
    fn the_newest_whole_record_counts() {
        assert_eq!(newest(&slot(7), &slot(6)), Some((Slot::A, 7)));
        assert_eq!(newest(&slot(7), &slot(8)), Some((Slot::B, 8)));
        assert_eq!(newest(&slot(7), &[]), Some((Slot::A, 7)));
        assert_eq!(newest(&[0xff; 64], &slot(8)), Some((Slot::B, 8)));
        assert_eq!(newest(&[], &[]), None);
        assert_eq!(newest(&slot(u32::MAX), &slot(0)), Some((Slot::B, 0)), "the number wraps");
    }

    #[test]
    fn the_next_record_takes_the_place_of_the_older_one() {
        assert_eq!(look(&slot(7), &slot(8), Kind::State).next(), (Slot::A, 9));
        assert_eq!(look(&slot(7), &[1; 40], Kind::State).next(), (Slot::B, 8));
        assert_eq!(look(&[], &[], Kind::State).next(), (Slot::A, 1));
    }

    #[test]
    fn a_first_write_that_is_cut_leaves_nothing_to_be_missed() {
        let first = slot(1);
        for cut in 1..format::HEADER + 4 {
            assert!(look(&first[..cut], &[], Kind::State).is_unborn(), "cut at {cut}");
        }
        assert!(!look(&[7; 40], &[], Kind::State).is_unborn());
        assert!(!look(&first[..9], &first[..9], Kind::State).is_unborn());
    }

    /// A write that is cut at any byte, over what the slot held before.
    #[test]
    fn a_write_that_is_torn_at_any_byte_leaves_one_of_the_two() {
        let (a, before, after) = (slot(7), slot(6), slot(8));
        for cut in 0..=after.len() {
            let mut torn = before.clone();
            torn[..cut].copy_from_slice(&after[..cut]);
            let counts = newest(&a, &torn).map(|(_, sequence)| sequence);
            assert!(counts == Some(7) || counts == Some(8), "cut at {cut}: {counts:?}");
        }
    }
}
