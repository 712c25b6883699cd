//! Keys that are not read and are near to one that is.

use crate::model::text::Text;
use crate::wire::malformed::Key;

/// The keys of one kind of object.
pub(super) struct Spelling {
    /// Those that are read.
    keys: &'static [Key],
    /// What others call them.
    others: &'static [(&'static str, Key)],
    /// How such an object is written.
    pub(super) example: &'static str,
}

impl Spelling {
    pub(super) const ENVELOPE: Spelling = Spelling {
        keys: &[Key::ActivityId, Key::Timestamp, Key::Payload],
        others: &[("correlationId", Key::ActivityId)],
        example: "write {\"activityId\": ..., \"timestamp\": ..., \"payload\": {...}}",
    };
    pub(super) const PAYLOAD: Spelling =
        Spelling { keys: &[Key::Baselines, Key::Domains], others: &[], example: "write {\"domains\": [...]}" };
    pub(super) const DOMAIN: Spelling = Spelling {
        keys: &[Key::Id, Key::Config, Key::Components],
        others: &[("parameters", Key::Config), ("configuration", Key::Config), ("name", Key::Id), ("domain", Key::Id)],
        example: "write {\"id\": ..., \"components\": [...]}",
    };
    pub(super) const COMPONENT: Spelling = Spelling {
        keys: &[Key::Id, Key::Version, Key::Config],
        others: &[
            ("parameters", Key::Config),
            ("configuration", Key::Config),
            ("name", Key::Id),
            ("tag", Key::Version),
        ],
        example: "write {\"id\": ..., \"version\": ...}",
    };
    pub(super) const BASELINE: Spelling = Spelling {
        keys: &[Key::Title, Key::Description, Key::Preconditions, Key::Components],
        others: &[("id", Key::Title), ("name", Key::Title)],
        example: "write {\"title\": ..., \"components\": [\"domain:component\"]}",
    };
    pub(super) const ENTRY: Spelling = Spelling {
        keys: &[Key::Key, Key::Value],
        others: &[("id", Key::Key), ("name", Key::Key)],
        example: "write {\"key\": \"...\", \"value\": \"...\"}",
    };

    /// The key that `name` was meant to be; none if it is one, or like none.
    pub(super) fn meant(&self, name: Text<'_>) -> Option<&'static str> {
        let plain: String = name.chars().take(64).collect();
        if self.keys.iter().any(|key| plain == key.name()) {
            return None;
        }
        let other = self.others.iter().find(|(other, _)| plain.eq_ignore_ascii_case(other));
        let key = other.map(|(_, key)| key).or_else(|| self.keys.iter().find(|key| is_near(&plain, key.name())));
        key.map(|key| key.name())
    }
}

/// Whether two names are the same but for case and one letter, if they are not short.
pub(super) fn is_near(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> Vec<char> {
        // Our names are ASCII; the tables for other letters would be 3 kB.
        let chars = name.chars().map(|c| c.to_ascii_lowercase());
        chars.filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric()).collect()
    };
    let (a, b) = (plain(a), plain(b));
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (&a[start..], &b[start..]);
    let end = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let differs = a_rest.len().max(b_rest.len()) - end;
    differs == 0 || (differs == 1 && a.len().max(b.len()) > 3)
}
