//! Domains by number, and sets of them.

use core::fmt;
use core::ops::{Deref, DerefMut, Index, IndexMut};

use crate::limits::DOMAINS_MAX;

/// A configured domain: its place in the configuration, from 0, below `DOMAINS_MAX`.
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
pub struct DomainSet(u64);

impl DomainSet {
    /// No domain.
    pub const EMPTY: DomainSet = DomainSet(0);

    /// The first `n` domains, at most `DOMAINS_MAX`.
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

    /// Those that are in this set or in the other.
    pub fn or(self, other: DomainSet) -> DomainSet {
        DomainSet(self.0 | other.0)
    }

    /// Those of this set that are in `other` too.
    pub fn and(self, other: DomainSet) -> DomainSet {
        DomainSet(self.0 & other.0)
    }

    /// The domains in it, in the order of the configuration.
    pub fn iter(mut self) -> impl Iterator<Item = DomainIx> {
        core::iter::from_fn(move || {
            let first = DomainIx::new(self.0.trailing_zeros() as usize)?;
            self.remove(first);
            Some(first)
        })
    }
}

impl From<DomainIx> for DomainSet {
    fn from(domain: DomainIx) -> DomainSet {
        DomainSet::from_iter([domain])
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

/// Something of each domain that has it, by place.
///
/// Its memory is allocated once, for `DOMAINS_MAX` domains, and written only as far as
/// the last domain that has something: for the others it costs nothing.
pub struct PerDomain<T>(Vec<Option<T>>);

impl<T> PerDomain<T> {
    /// Of no domain yet.
    pub fn new() -> PerDomain<T> {
        PerDomain(Vec::with_capacity(DOMAINS_MAX))
    }

    /// Forgets that of all domains.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<T> Default for PerDomain<T> {
    fn default() -> PerDomain<T> {
        PerDomain::new()
    }
}

impl<T: Clone> Clone for PerDomain<T> {
    /// With room for as many as the original has.
    fn clone(&self) -> PerDomain<T> {
        let mut copy = PerDomain::new();
        copy.0.extend_from_slice(&self.0);
        copy
    }
}

impl<T: PartialEq> PartialEq for PerDomain<T> {
    /// Whether the same domains have the same.
    fn eq(&self, other: &PerDomain<T>) -> bool {
        (0..DOMAINS_MAX).all(|place| self[place] == other[place])
    }
}

impl<T: fmt::Debug> fmt::Debug for PerDomain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().enumerate();
        f.debug_map().entries(all.filter_map(|(place, one)| Some((place, one.as_ref()?)))).finish()
    }
}

/// As many places as the last domain that has something needs.
impl<T> Deref for PerDomain<T> {
    type Target = [Option<T>];

    fn deref(&self) -> &[Option<T>] {
        &self.0
    }
}

impl<T> DerefMut for PerDomain<T> {
    fn deref_mut(&mut self) -> &mut [Option<T>] {
        &mut self.0
    }
}

impl<T> Index<usize> for PerDomain<T> {
    type Output = Option<T>;

    /// That of the domain in this place; none past the last that has something.
    fn index(&self, place: usize) -> &Option<T> {
        self.0.get(place).unwrap_or(&None)
    }
}

impl<T> IndexMut<usize> for PerDomain<T> {
    /// The place of that domain.
    ///
    /// # Panics
    /// There can be no such domain.
    fn index_mut(&mut self, place: usize) -> &mut Option<T> {
        assert!(place < DOMAINS_MAX, "a domain's place is below {DOMAINS_MAX}");
        if self.0.len() <= place {
            self.0.resize_with(place + 1, || None);
        }
        &mut self.0[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ix(place: usize) -> DomainIx {
        DomainIx::new(place).unwrap()
    }

    #[test]
    fn a_set_holds_the_first_and_the_last_domain_there_can_be() {
        assert!(DomainIx::new(DOMAINS_MAX).is_none());
        let all = DomainSet::first(DOMAINS_MAX + 1);
        assert!(all.len() == DOMAINS_MAX && all.iter().map(DomainIx::place).eq(0..DOMAINS_MAX));
        let mut ends: DomainSet = [ix(0), ix(DOMAINS_MAX - 1)].into_iter().collect();
        assert!(ends.contains(ix(DOMAINS_MAX - 1)) && !ends.contains(ix(1)));
        assert_eq!(all.without(ends).len(), DOMAINS_MAX - 2);
        ends.remove(ix(0));
        assert_eq!(ends.iter().collect::<Vec<_>>(), [ix(DOMAINS_MAX - 1)]);
        ends.remove(ix(DOMAINS_MAX - 1));
        assert!(ends.is_empty() && ends.iter().next().is_none());
    }

    #[test]
    fn what_is_kept_of_domains_is_there_as_far_as_the_last_that_has_it() {
        let mut kept = PerDomain::new();
        let place = kept.as_ptr();
        assert!(kept.is_empty() && kept[DOMAINS_MAX - 1].is_none());
        kept[2] = Some("two");
        assert_eq!(*kept, [None, None, Some("two")]);
        let mut other = kept.clone();
        other[DOMAINS_MAX - 1] = None;
        assert!(other == kept && other.len() == DOMAINS_MAX);
        other[DOMAINS_MAX - 1] = Some("last");
        assert!(other != kept);
        kept[DOMAINS_MAX - 1] = Some("last");
        assert_eq!(kept.as_ptr(), place, "it is allocated once");
        kept.clear();
        assert!(kept.is_empty() && kept[2].is_none());
    }
}
