//! Groups of domains that share their phases and commit together.

use crate::limits::DOMAINS_MAX;

/// A group of the domains of an activity. A policy divides them; by default all are in
/// the first one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Group(u8);

impl Group {
    /// Returns the group with this number; none if it is past the last one, as many as
    /// there may be domains.
    pub fn new(number: usize) -> Option<Group> {
        (number < DOMAINS_MAX).then_some(Group(number as u8))
    }

    /// Returns its number, from 0.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// A set of groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct GroupSet(u64);

const _: () = assert!(DOMAINS_MAX <= 64);

impl GroupSet {
    /// Returns the set of which these are the bits, the lowest for the first group.
    pub fn of_bits(bits: u64) -> GroupSet {
        GroupSet(bits)
    }

    /// Returns a bit for each group, the lowest for the first one.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Returns whether `group` is in it.
    pub fn contains(self, group: Group) -> bool {
        self.0 & (1 << group.0) != 0
    }

    /// Adds `group`.
    pub fn insert(&mut self, group: Group) {
        self.0 |= 1 << group.0;
    }
}
