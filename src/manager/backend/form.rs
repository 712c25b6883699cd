//! The two forms in which the backend is spoken to: on the plain topics, or as a digital
//! twin (things.md). The reports are the same, what is around them is not.
//!
//! In: an activity and a point in time. Out: topics, and the beginnings and ends of
//! messages, as `wire` spells them.
//!
//! Invariant: a message begins and ends in the same form.
//!
//! Deliberately absent: any state; `twin` knows which thing we are.

use core::fmt::{self, Write};
use std::rc::Rc;

use crate::model::text::Text;
use crate::model::Command;
use crate::wire::encode;
use crate::wire::things::{self, Identity, EVENTS};
use crate::wire::topic::{Outgoing, Topic, Topics};

/// How the backend is spoken to.
#[derive(Clone)]
pub(in crate::manager) enum Form {
    /// On the topics of the manager's domain.
    Plain,
    /// As this thing.
    Thing(Rc<Identity>),
}

/// Envelope and end of a message's payload.
#[derive(Clone, Copy)]
pub(in crate::manager) struct Frame<'a> {
    pub(in crate::manager) form: &'a Form,
    pub(in crate::manager) activity: Text<'a>,
    /// Milliseconds since the Unix epoch.
    pub(in crate::manager) timestamp: u64,
}

impl Form {
    pub(in crate::manager) fn topic(&self, topics: &Topics, outgoing: Outgoing) -> Topic {
        match self {
            Form::Plain => topics.outgoing(outgoing),
            Form::Thing(_) => [EVENTS].into_iter().collect(),
        }
    }

    pub(super) fn feedback_tail(&self) -> &'static str {
        match self {
            Form::Plain => encode::FEEDBACK_TAIL,
            Form::Thing(_) => things::encode::FEEDBACK_TAIL,
        }
    }

    pub(super) fn inventory_tail(&self) -> &'static str {
        match self {
            Form::Plain => encode::TAIL,
            Form::Thing(_) => things::encode::INVENTORY_TAIL,
        }
    }

    /// A plain inventory is kept by the broker, a thing's by its twin.
    pub(super) fn retains_inventory(&self) -> bool {
        matches!(self, Form::Plain)
    }
}

impl Frame<'_> {
    /// Up to the feedback's payload.
    pub(super) fn feedback(&self, out: &mut dyn Write) -> fmt::Result {
        match self.form {
            Form::Plain => encode::head(out, self.activity, self.timestamp),
            Form::Thing(id) => things::encode::feedback_head(out, id, self.activity, self.timestamp),
        }
    }

    /// Up to the inventory's payload; `domain` is the manager's.
    pub(super) fn inventory(&self, out: &mut dyn Write, domain: &str) -> fmt::Result {
        match self.form {
            Form::Plain => encode::head(out, self.activity, self.timestamp),
            Form::Thing(id) => things::encode::inventory_head(out, id, self.activity, self.timestamp, domain),
        }
    }

    /// The whole question for the owner's consent.
    pub(in crate::manager) fn consent(
        &self,
        out: &mut dyn Write,
        correlation_id: &str,
        command: Command,
    ) -> fmt::Result {
        match self.form {
            Form::Plain => {
                encode::head(out, self.activity, self.timestamp)?;
                encode::command(out, command)?;
                out.write_str(encode::TAIL)
            }
            Form::Thing(id) => things::encode::consent(out, id, self.activity, self.timestamp, correlation_id, command),
        }
    }
}
