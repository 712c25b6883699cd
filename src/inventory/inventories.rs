//! The inventories as the agents reported them, in one fixed piece of memory.

use core::fmt::{self, Write};
use core::ops::Range;

use crate::limits::{INVENTORIES_MAX, INVENTORY_MAX};
use crate::model::text::Text;
use crate::model::{DomainIx, PerDomain};
use crate::wire::inventory::{self, Inventory, OwnNode};

/// What is known of each domain. Allocates once, when it is made.
pub struct Inventories {
    /// The texts of all domains, one domain after the other without gaps. It is
    /// taken zeroed, so that pages that were never used cost nothing.
    arena: Box<[u8]>,
    used: usize,
    known: PerDomain<Known>,
    /// How often the texts have changed.
    revision: u64,
}

/// Where a domain's texts stand: hardware nodes, software nodes, associations and
/// the root's identifier, one after the other.
#[derive(Clone, Copy)]
struct Known {
    timestamp: i64,
    start: usize,
    lens: [usize; 4],
}

impl Known {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.lens.iter().sum::<usize>()
    }
}

/// An inventory takes more room than there is. The one before it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastLimit {
    /// It is larger than `INVENTORY_MAX`.
    One,
    /// All together are larger than `INVENTORIES_MAX`.
    All,
}

impl fmt::Display for PastLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PastLimit::One => write!(f, "inventory is larger than {INVENTORY_MAX} bytes"),
            PastLimit::All => write!(f, "all inventories together are larger than {INVENTORIES_MAX} bytes"),
        }
    }
}

impl Default for Inventories {
    fn default() -> Self {
        Inventories::new()
    }
}

impl Inventories {
    /// Nothing known.
    pub fn new() -> Inventories {
        let arena = vec![0; INVENTORIES_MAX].into_boxed_slice();
        Inventories { arena, used: 0, known: PerDomain::new(), revision: 0 }
    }

    /// Takes the inventory of `domain`, in place of the one before it. `timestamp`
    /// is its envelope's, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// There is no room for it; nothing has changed then.
    pub fn put(&mut self, domain: DomainIx, inventory: &Inventory<'_>, timestamp: i64) -> Result<(), PastLimit> {
        let root = inventory.root.map_or("", |root| root.as_json());
        let texts = [inventory.hardware, inventory.software, inventory.associations, root];
        let lens = texts.map(str::len);
        let len: usize = lens.iter().sum();
        if len > INVENTORY_MAX {
            return Err(PastLimit::One);
        }
        if self.is_same(domain, &texts) {
            self.known[domain.place()].iter_mut().for_each(|known| known.timestamp = timestamp);
            return Ok(());
        }
        let before = self.known[domain.place()].map_or(0, |known| known.range().len());
        if self.used - before + len > INVENTORIES_MAX {
            return Err(PastLimit::All);
        }
        self.revision += 1;
        self.remove(domain);
        self.known[domain.place()] = Some(Known { timestamp, start: self.used, lens });
        for text in texts {
            let end = self.used + text.len();
            self.arena[self.used..end].copy_from_slice(text.as_bytes());
            self.used = end;
        }
        Ok(())
    }

    /// Whether the domain's texts are these.
    fn is_same(&self, domain: DomainIx, texts: &[&str; 4]) -> bool {
        let known = self.known[domain.place()];
        known.is_some_and(|known| texts.iter().enumerate().all(|(place, text)| self.text(&known, place) == *text))
    }

    /// Moves what stands behind the domain's texts into their place.
    fn remove(&mut self, domain: DomainIx) {
        let Some(known) = self.known.get_mut(domain.place()).and_then(Option::take) else {
            return;
        };
        let gap = known.range();
        self.arena.copy_within(gap.end..self.used, gap.start);
        self.used -= gap.len();
        for other in self.known.iter_mut().flatten().filter(|other| other.start >= gap.end) {
            other.start -= gap.len();
        }
    }

    /// Bytes of all inventories.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether none is known that has any.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The number of the present texts: the aggregate is the same as long as this is.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The timestamp of the domain's inventory, in milliseconds since the Unix
    /// epoch; none if none is known.
    pub fn timestamp(&self, domain: DomainIx) -> Option<i64> {
        self.known[domain.place()].map(|known| known.timestamp)
    }

    /// Encodes the payload of the aggregated inventory (docs/protocol.md, "The
    /// aggregated inventory"), in the order of the configuration. `manager` is the manager's
    /// domain, `version` that of the program.
    ///
    /// # Errors
    /// `out` fails.
    pub fn encode(&self, out: &mut dyn Write, manager: &str, version: &str) -> fmt::Result {
        let texts = |place| self.known().map(move |known| self.text(known, place));
        let roots = texts(3).map(Text::from_checked);
        let own = OwnNode { domain: manager, version };
        inventory::encode_aggregate(out, &own, texts(0), texts(1), roots.zip(texts(2)))
    }

    fn known(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().flatten()
    }

    /// One of the texts of a domain, by its place in `Known::lens`.
    fn text(&self, known: &Known, place: usize) -> &str {
        let start = known.start + known.lens[..place].iter().sum::<usize>();
        // They came as text, whole: this cannot fail.
        core::str::from_utf8(&self.arena[start..start + known.lens[place]]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DOMAINS_MAX;
    use crate::wire::encode::Count;
    use crate::wire::Envelope;

    fn ix(place: usize) -> DomainIx {
        DomainIx::new(place).unwrap()
    }

    fn encoded(store: &Inventories) -> String {
        let mut text = String::new();
        store.encode(&mut text, "device", "1.0").unwrap();
        let mut count = Count::default();
        store.encode(&mut count, "device", "1.0").unwrap();
        assert_eq!(count.bytes, text.len());
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    fn software(text: &str) -> Inventory<'_> {
        Inventory { software: text, ..Inventory::default() }
    }

    #[test]
    fn without_inventories_the_aggregate_is_the_manager_alone() {
        let mut text = String::new();
        Inventories::new().encode(&mut text, "a\"b", "").unwrap();
        let node = r#"{"id":"a\"b-update-manager","name":"Update Manager","type":"APPLICATION"}"#;
        assert_eq!(text, format!(r#"{{"softwareNodes":[{node}]}}"#));
    }

    #[test]
    fn domains_are_joined_in_the_order_of_the_configuration() {
        let mut store = Inventories::new();
        let second = r#"{"payload":{"softwareNodes":[{"id":"b:x"},{"id":"b","type":"APPLICATION",
            "parameters":[{"key":"domain","value":"b"}]}],"associations":[{"sourceId":"b","targetId":"b:x"}]}}"#;
        let first = r#"{"payload":{"hardwareNodes":[ {"id":"hw", "x":1} ],"softwareNodes":[{"id":"\u0061"}],
            "associations":[]}}"#;
        for (place, domain, message) in [(1, "b", second), (0, "a", first)] {
            let envelope = Envelope::decode(message.as_bytes()).unwrap();
            store.put(ix(place), &inventory::decode(&envelope, domain).unwrap(), 7).unwrap();
        }
        let expected = r#"{"hardwareNodes":[{"id":"hw", "x":1}],"softwareNodes":[
            {"id":"device-update-manager","version":"1.0","name":"Update Manager","type":"APPLICATION"},
            {"id":"\u0061"},{"id":"b:x"},{"id":"b","type":"APPLICATION",
            "parameters":[{"key":"domain","value":"b"}]}],"associations":[
            {"sourceId":"device-update-manager","targetId":"\u0061"},
            {"sourceId":"device-update-manager","targetId":"b"},{"sourceId":"b","targetId":"b:x"}]}"#;
        assert_eq!(encoded(&store).replace("\n            ", ""), expected.replace("\n            ", ""));
        assert_eq!(store.timestamp(ix(1)), Some(7));
        assert_eq!(store.timestamp(ix(2)), None);
    }

    #[test]
    fn a_domain_without_software_nodes_keeps_its_associations() {
        let mut store = Inventories::new();
        let own = r#"{"sourceId":"x","targetId":"y"}"#;
        store.put(ix(3), &Inventory { associations: own, ..Inventory::default() }, 0).unwrap();
        assert!(encoded(&store).ends_with(&format!(r#","associations":[{own}]}}"#)));
    }

    #[test]
    fn an_inventory_takes_the_place_of_the_one_before_it() {
        let mut store = Inventories::new();
        let mut texts = vec![String::new(); DOMAINS_MAX];
        let mut seed = 1_u32;
        for round in 0..500_u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let place = (seed >> 16) as usize % DOMAINS_MAX;
            let text = format!(r#"{{"id":"{place}:{round}{}"}}"#, "x".repeat((seed >> 8) as usize % 50));
            store.put(ix(place), &software(&text), i64::from(round)).unwrap();
            assert_eq!(store.timestamp(ix(place)), Some(i64::from(round)));
            texts[place] = text;
            let all: Vec<&str> = texts.iter().map(|t| t.as_str()).filter(|t| !t.is_empty()).collect();
            assert!(encoded(&store).ends_with(&format!(r#"APPLICATION"}},{}]}}"#, all.join(","))));
            assert_eq!(store.used, all.iter().map(|t| t.len()).sum::<usize>());
        }
    }

    #[test]
    fn the_revision_changes_with_the_texts_alone() {
        let mut store = Inventories::new();
        let mut put = |text: &str, timestamp: i64| {
            let is_taken = store.put(ix(0), &software(text), timestamp).is_ok();
            (is_taken, store.revision(), store.timestamp(ix(0)))
        };
        assert_eq!(put(r#"{"id":"a"}"#, 1), (true, 1, Some(1)));
        assert_eq!(put(r#"{"id":"a"}"#, 2), (true, 1, Some(2)));
        assert_eq!(put(&"x".repeat(INVENTORY_MAX + 1), 3), (false, 1, Some(2)));
        assert_eq!(put(r#"{"id":"b"}"#, 4), (true, 2, Some(4)));
        assert_eq!(put("", 5), (true, 3, Some(5)));
    }

    #[test]
    fn what_is_past_a_limit_is_refused_and_the_one_before_it_kept() {
        let mut store = Inventories::new();
        let fill = |len: usize| format!(r#"{{"id":"{}"}}"#, "x".repeat(len - 9));
        let root = Some(Text::parse("r").unwrap());
        let (full, past) = (fill(INVENTORY_MAX - 1), fill(INVENTORY_MAX));
        for place in 0..INVENTORIES_MAX / INVENTORY_MAX {
            store.put(ix(place), &Inventory { root, ..software(&full) }, 1).unwrap();
        }
        let before = encoded(&store);
        let one = store.put(ix(0), &Inventory { root, ..software(&past) }, 2).unwrap_err();
        assert_eq!(one.to_string(), "inventory is larger than 65536 bytes");
        let all = store.put(ix(15), &software(&fill(9)), 2).unwrap_err();
        assert_eq!(all.to_string(), "all inventories together are larger than 524288 bytes");
        assert_eq!(store.timestamp(ix(0)), Some(1));
        assert_eq!(store.timestamp(ix(15)), None);
        assert_eq!(encoded(&store), before);
        store.put(ix(0), &software(&full), 3).unwrap();
        store.put(ix(15), &Inventory::default(), 4).unwrap();
    }
}
