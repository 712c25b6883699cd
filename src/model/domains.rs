//! Domains by number, and sets of them.

use core::fmt;

use crate::limits::DOMAINS_MAX;

/// A configured domain: its place in the configuration, 0 to 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct DomainIx(u8);

impl DomainIx {
    /// The domain at `place`, if there can be one.
    pub fn new(place: usize) -> Option<DomainIx> {
        (place < DOMAINS_MAX).then_some(DomainIx(place as u8))
    }

    /// Its place in the configuration, from 0.
    pub fn place(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of domains.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct DomainSet(u16);

impl DomainSet {
    /// No domain.
    pub const EMPTY: DomainSet = DomainSet(0);

    /// The first `n` domains, at most 16.
    pub fn first(n: usize) -> DomainSet {
        (0..n).filter_map(DomainIx::new).collect()
    }

    /// Whether `domain` is in it.
    pub fn contains(self, domain: DomainIx) -> bool {
        self.0 & (1 << domain.0) != 0
    }

    /// Adds `domain`.
    pub fn insert(&mut self, domain: DomainIx) {
        self.0 |= 1 << domain.0;
    }

    /// Takes `domain` out.
    pub fn remove(&mut self, domain: DomainIx) {
        self.0 &= !(1 << domain.0);
    }

    /// Whether no domain is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many domains are in it.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Those of this set that are not in `other`.
    pub fn without(self, other: DomainSet) -> DomainSet {
        DomainSet(self.0 & !other.0)
    }

    /// The domains in it, in the order of the configuration.
    pub fn iter(self) -> impl Iterator<Item = DomainIx> {
        (0..DOMAINS_MAX).filter_map(DomainIx::new).filter(move |d| self.contains(*d))
    }
}

impl FromIterator<DomainIx> for DomainSet {
    fn from_iter<I: IntoIterator<Item = DomainIx>>(domains: I) -> DomainSet {
        domains.into_iter().fold(DomainSet::EMPTY, |mut set, domain| {
            set.insert(domain);
            set
        })
    }
}

impl fmt::Debug for DomainSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(DomainIx::place)).finish()
    }
}
