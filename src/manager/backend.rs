//! The way to the backend: the same reports, on the plain topics or as a digital
//! twin (things.md).

use core::fmt::{self, Write};
use std::rc::Rc;

use crate::model::text::Text;
use crate::model::Command;
use crate::wire::encode;
use crate::wire::things::{self, Identity, EVENTS};
use crate::wire::topic::{Outgoing, Topic, Topics};

/// How the backend is spoken to.
#[derive(Clone)]
pub(super) enum Backend {
    /// On the topics of the manager's domain.
    Plain,
    /// As this thing.
    Thing(Rc<Identity>),
}

/// Envelope and end of a message's payload.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) backend: &'a Backend,
    pub(super) activity: Text<'a>,
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp: u64,
}

impl Backend {
    pub(super) fn topic(&self, topics: &Topics, outgoing: Outgoing) -> Topic {
        match self {
            Backend::Plain => topics.outgoing(outgoing),
            Backend::Thing(_) => [EVENTS].into_iter().collect(),
        }
    }

    pub(super) fn feedback_tail(&self) -> &'static str {
        match self {
            Backend::Plain => encode::FEEDBACK_TAIL,
            Backend::Thing(_) => things::encode::FEEDBACK_TAIL,
        }
    }

    pub(super) fn inventory_tail(&self) -> &'static str {
        match self {
            Backend::Plain => encode::TAIL,
            Backend::Thing(_) => things::encode::INVENTORY_TAIL,
        }
    }

    /// A plain inventory is kept by the broker, a thing's by its twin.
    pub(super) fn retains_inventory(&self) -> bool {
        matches!(self, Backend::Plain)
    }
}

impl Frame<'_> {
    /// Up to the feedback's payload.
    pub(super) fn feedback(&self, out: &mut dyn Write) -> fmt::Result {
        match self.backend {
            Backend::Plain => encode::head(out, self.activity, self.timestamp),
            Backend::Thing(id) => things::encode::feedback_head(out, id, self.activity, self.timestamp),
        }
    }

    /// Up to the inventory's payload; `domain` is the manager's.
    pub(super) fn inventory(&self, out: &mut dyn Write, domain: &str) -> fmt::Result {
        match self.backend {
            Backend::Plain => encode::head(out, self.activity, self.timestamp),
            Backend::Thing(id) => things::encode::inventory_head(out, id, self.activity, self.timestamp, domain),
        }
    }

    /// The whole question for the owner's consent.
    pub(super) fn consent(&self, out: &mut dyn Write, correlation_id: &str, command: Command) -> fmt::Result {
        match self.backend {
            Backend::Plain => {
                encode::head(out, self.activity, self.timestamp)?;
                encode::command(out, command)?;
                out.write_str(encode::TAIL)
            }
            Backend::Thing(id) => {
                things::encode::consent(out, id, self.activity, self.timestamp, correlation_id, command)
            }
        }
    }
}
