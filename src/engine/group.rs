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

impl FromIterator<Group> for GroupSet {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> GroupSet {
        groups.into_iter().fold(GroupSet::default(), |mut set, group| {
            set.insert(group);
            set
        })
    }
}

impl From<Group> for GroupSet {
    fn from(group: Group) -> GroupSet {
        GroupSet(1 << group.0)
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

    /// Returns whether no group is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns those that are in this set or in `other`.
    pub fn or(self, other: GroupSet) -> GroupSet {
        GroupSet(self.0 | other.0)
    }

    /// Returns those of this set that are not in `other`.
    pub fn without(self, other: GroupSet) -> GroupSet {
        GroupSet(self.0 & !other.0)
    }

    /// Returns the groups in it, by their numbers.
    pub fn iter(self) -> impl Iterator<Item = Group> {
        (0..DOMAINS_MAX).filter_map(Group::new).filter(move |group| self.contains(*group))
    }

    /// Adds `group`.
    pub fn insert(&mut self, group: Group) {
        self.0 |= 1 << group.0;
    }
}
