//! What is wrong with a message, and where.

use core::fmt;

use super::node::string_end;
use super::scan::Span;
use crate::limits::PATH_MAX;
use crate::model::text::Text;

macro_rules! keys {
    ($($key:ident = $name:literal,)*) => {
        /// A key of the protocol (docs/protocol.md, "Payloads"; docs/twin-api.md).
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum Key { $($key,)* }

        const NAMES: &[&str] = &[$($name,)*];
    };
}

keys! {
    ActivityId = "activityId",
    Timestamp = "timestamp",
    Payload = "payload",
    Baselines = "baselines",
    Title = "title",
    Description = "description",
    Preconditions = "preconditions",
    Components = "components",
    Domains = "domains",
    Rollback = "rollback",
    Id = "id",
    Version = "version",
    Config = "config",
    Status = "status",
    Message = "message",
    Actions = "actions",
    Component = "component",
    Progress = "progress",
    HardwareNodes = "hardwareNodes",
    SoftwareNodes = "softwareNodes",
    Associations = "associations",
    SourceId = "sourceId",
    TargetId = "targetId",
    Name = "name",
    Type = "type",
    Addressable = "addressable",
    Parameters = "parameters",
    Topic = "topic",
    Headers = "headers",
    CorrelationId = "correlation-id",
    ResponseRequired = "response-required",
    Path = "path",
    Value = "value",
    DesiredState = "desiredState",
    OwnerConsentFeedback = "ownerConsentFeedback",
    DeviceId = "deviceId",
    TenantId = "tenantId",
    Command = "command",
    Baseline = "baseline",
    Key = "key",
    Json = "json",
    Force = "force",
    Columns = "columns",
    Rows = "rows",
    Text = "text",
    Data = "data",
    Error = "error",
    Exit = "exit",
}

impl Key {
    /// As it is spelled on the wire.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// A place in a document, as the keys and indices that lead to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Path {
    /// A key, or an index if its highest bit is set.
    steps: [u16; PATH_MAX],
    len: u8,
}

const INDEX: u16 = 0x8000;

impl Path {
    /// The member `key` of it.
    pub fn key(self, key: Key) -> Path {
        self.step(key as u16)
    }

    /// The element `index` of it, from 0.
    pub fn index(self, index: usize) -> Path {
        self.step(index.min(usize::from(!INDEX)) as u16 | INDEX)
    }

    fn step(mut self, step: u16) -> Path {
        if let Some(free) = self.steps.get_mut(usize::from(self.len)) {
            *free = step;
            self.len += 1;
        }
        self
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.iter().take(usize::from(self.len));
        for (n, step) in steps.enumerate() {
            match NAMES.get(usize::from(*step)) {
                Some(name) if n == 0 => f.write_str(name)?,
                Some(name) => write!(f, ".{name}")?,
                None => write!(f, "[{}]", step & !INDEX)?,
            }
        }
        Ok(())
    }
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// As the rest of a sentence about the place.
    Is(&'static str),
    /// It takes more bytes than this.
    Longer(u32),
    /// It has more of these than fit.
    More(u32, &'static str),
    /// The message lacks this.
    Missing(&'static str),
    /// A domain before it has the same id.
    Repeated,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Is(predicate) => f.write_str(predicate),
            What::Longer(bytes) => write!(f, "is longer than {bytes} bytes"),
            What::More(limit, noun) => write!(f, "has more than {limit} {noun}"),
            What::Repeated => f.write_str("repeats the domain"),
            What::Missing(noun) => write!(f, "{noun} is missing"),
        }
    }
}

/// A message that is not as the protocol wants it: what, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// What is wrong.
    pub what: What,
    /// Where; empty if the message is no JSON.
    pub path: Path,
    /// Where, in bytes from the start of the message.
    pub offset: u32,
}

impl Malformed {
    /// The error `what` at `path`, `offset` bytes from the start.
    pub fn new(what: What, path: Path, offset: usize) -> Malformed {
        Malformed { what, path, offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }

    /// The same error with what stands at `span` as its place in the message.
    pub(super) fn at(self, span: Span) -> Malformed {
        Malformed { offset: span.start, ..self }
    }

    /// The error in `message`, which names the domain that is repeated.
    pub fn within<'a>(&'a self, message: &'a [u8]) -> Within<'a> {
        Within { malformed: self, message }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, domain: Option<Text<'_>>) -> fmt::Result {
        match (self.what, self.path.len) {
            (What::Missing(_), _) => return write!(f, "{}", self.what),
            (_, 0) => f.write_str("message ")?,
            _ => write!(f, "{} ", self.path)?,
        }
        write!(f, "{}", self.what)?;
        if let Some(domain) = domain {
            write!(f, " {domain}")?;
        }
        write!(f, " (byte {})", self.offset)
    }
}

/// An error and the message that it is in. The error alone has no text of the message:
/// it would be copied wherever it is passed on.
#[derive(Debug)]
pub struct Within<'a> {
    malformed: &'a Malformed,
    message: &'a [u8],
}

impl Within<'_> {
    fn domain(&self) -> Option<Text<'_>> {
        if self.malformed.what != What::Repeated {
            return None;
        }
        let start = self.malformed.offset as usize;
        let id = self.message.get(start..string_end(self.message, start))?;
        let id = id.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        core::str::from_utf8(id).ok().map(Text::from_checked)
    }
}

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.malformed.write(f, self.domain())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}
