//! Keys that are not read and are near to one that is.

use crate::model::text::Text;
use crate::nearest::nearest;
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
    pub(super) const PAYLOAD: Spelling = Spelling {
        keys: &[Key::Baselines, Key::Domains, Key::Rollback],
        others: &[],
        example: "write {\"domains\": [...]}",
    };
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
        match other {
            Some((_, key)) => Some(key.name()),
            None => nearest(&plain, self.keys.iter().map(|key| key.name())),
        }
    }
}
