//! Values on their way from the sources to the configuration, each with its source.

use core::fmt;

use super::keys::{AgentId, Id, Key, Kind, AGENT_KEYS, KEYS};
use crate::limits::{CONFIG_DOMAINS_MAX, CONFIG_SHOWN_MAX, CONFIG_VALUE_MAX, CONFIG_WARNINGS_MAX};
use crate::logging::Printable;

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Nobody gave one.
    Default,
    /// The file, in this line.
    File(u32),
    /// The key's environment variable.
    Env,
    /// The key's flag.
    Flag,
    /// The user info of the broker's address.
    Address,
}

/// A value as text, and where it comes from. Booleans and numbers are in their
/// plain form, `true` and `16`.
#[derive(Clone, PartialEq, Eq)]
pub struct Slot {
    /// The value.
    pub text: String,
    /// Where it comes from.
    pub source: Source,
}

/// Without the value, which may be secret.
impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// Slots with the defaults of a table.
fn defaults(keys: &[Key]) -> Vec<Slot> {
    keys.iter().map(|key| Slot { text: key.default.to_string(), source: Source::Default }).collect()
}

/// A domain's values.
#[derive(Clone, Debug)]
pub struct AgentValues {
    /// The domain.
    pub domain: String,
    /// By the places in [`AGENT_KEYS`].
    pub slots: Vec<Slot>,
}

impl AgentValues {
    /// With defaults.
    pub fn new(domain: &str) -> AgentValues {
        AgentValues { domain: domain.to_string(), slots: defaults(AGENT_KEYS) }
    }

    /// The value of a key.
    pub fn get(&self, id: AgentId) -> &Slot {
        &self.slots[id as usize]
    }
}

/// All values.
#[derive(Clone, Debug)]
pub struct Values {
    /// By the places in [`KEYS`].
    pub slots: Vec<Slot>,
    /// The domains that have an agent; none while no source has named them.
    pub agents: Option<Vec<AgentValues>>,
    /// Where `agents` come from, before the key `domains` is looked at.
    pub agents_source: Source,
}

impl Values {
    /// With defaults.
    pub fn new() -> Values {
        Values { slots: defaults(KEYS), agents: None, agents_source: Source::Default }
    }

    /// The value of a key.
    pub fn get(&self, id: Id) -> &Slot {
        &self.slots[id as usize]
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, id: Id) -> &mut Slot {
        &mut self.slots[id as usize]
    }
}

impl Default for Values {
    fn default() -> Values {
        Values::new()
    }
}

/// A key's names; those of a domain's key depend on the domain.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The key.
    pub key: &'static Key,
    /// The domain, if the key is from [`AGENT_KEYS`].
    pub domain: Option<&'a str>,
}

impl Names<'_> {
    /// The path in the file; the flag for what is not in the file.
    pub fn path(self) -> String {
        match self.domain {
            Some(domain) => format!("agents.{domain}.{}", self.key.file),
            None if self.key.file.is_empty() => self.key.flag.to_string(),
            None => self.key.file.to_string(),
        }
    }

    /// The flag without dashes; empty if there is none.
    pub fn flag(self) -> String {
        match self.domain {
            Some(domain) if !self.key.flag.is_empty() => format!("{domain}-{}", self.key.flag),
            _ => self.key.flag.to_string(),
        }
    }

    /// The environment variable; empty if there is none.
    pub fn env(self) -> String {
        match self.domain {
            Some(domain) if !self.key.env.is_empty() => {
                format!("{}_{}", domain.to_ascii_uppercase().replace('-', "_"), self.key.env)
            }
            _ => self.key.env.to_string(),
        }
    }

    /// The source as it is shown.
    pub fn source(self, source: Source) -> String {
        match source {
            Source::Default => String::from("default"),
            Source::File(line) => format!("file line {line}"),
            Source::Env => format!("environment {}", self.env()),
            Source::Flag => format!("flag --{}", self.flag()),
            Source::Address => String::from("the address of the broker"),
        }
    }
}

/// Something that is not as somebody wanted it, though we can go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The key's path.
    pub key: String,
    /// Where its value came from.
    pub source: String,
    /// What is wrong, and what is done about it.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Warning { key, source, reason } = self;
        write!(f, "{} ({}): {}", shown(key), shown(source), reason)
    }
}

/// The warnings, at most [`CONFIG_WARNINGS_MAX`].
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    list: Vec<Warning>,
}

impl Warnings {
    /// Adds one; past the limit it only says that there are more.
    pub fn push(&mut self, key: String, source: String, reason: String) {
        if self.list.len() > CONFIG_WARNINGS_MAX {
            return;
        }
        self.list.push(match self.list.len() {
            CONFIG_WARNINGS_MAX => Warning {
                key: String::from("configuration"),
                source: String::from("all sources"),
                reason: format!("there are more than {CONFIG_WARNINGS_MAX} warnings"),
            },
            _ => Warning { key, source, reason },
        });
    }

    /// Adds one about a key.
    pub fn of_key(&mut self, names: Names<'_>, source: Source, reason: String) {
        self.push(names.path(), names.source(source), reason);
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Warning> {
        self.list
    }
}

/// A text from outside, for a message.
pub fn shown(text: &str) -> Printable<'_> {
    Printable::new(text, CONFIG_SHOWN_MAX)
}

/// What is shown for a value: secrets masked, nothing as `""`.
pub fn masked(kind: Kind, text: &str) -> Printable<'_> {
    match kind {
        _ if text.is_empty() => shown("\"\""),
        Kind::Secret => shown("***"),
        _ => Printable::new(text, CONFIG_VALUE_MAX.max(CONFIG_DOMAINS_MAX)),
    }
}
