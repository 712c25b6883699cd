//! The two forms of messages to the backend: plain, or as a digital twin (docs/twin-api.md). Both
//! carry the same reports; they differ in the topic and in what surrounds the report.
//!
//! In: an activity and a timestamp. Out: topics, and the beginnings and ends of messages,
//! written by `wire`.
//!
//! Invariant: beginning and end of a message have the same form.
//!
//! Deliberately absent: state of its own; `twin` holds the identity.

use core::fmt::{self, Write};
use std::rc::Rc;

use crate::model::text::Text;
use crate::model::Command;
use crate::wire::encode;
use crate::wire::things::{self, Identity, EVENTS};
use crate::wire::topic::{Outgoing, Topic, Topics};

/// The form of messages to the backend.
#[derive(Clone)]
pub(in crate::manager) enum Form {
    /// On the topics of the manager's domain.
    Plain,
    /// As this thing.
    Thing(Rc<Identity>),
}

/// Writes what surrounds a report.
#[derive(Clone, Copy)]
pub(in crate::manager) struct Frame<'a> {
    pub(in crate::manager) form: &'a Form,
    pub(in crate::manager) activity: Text<'a>,
    /// Milliseconds since the Unix epoch.
    pub(in crate::manager) timestamp: u64,
}

impl Form {
    /// Returns the topic of a message.
    pub(in crate::manager) fn topic(&self, topics: &Topics, outgoing: Outgoing) -> Topic {
        match self {
            Form::Plain => topics.outgoing(outgoing),
            Form::Thing(_) => [EVENTS].into_iter().collect(),
        }
    }

    /// Returns the end of a feedback.
    pub(super) fn feedback_tail(&self) -> &'static str {
        match self {
            Form::Plain => encode::FEEDBACK_TAIL,
            Form::Thing(_) => things::encode::FEEDBACK_TAIL,
        }
    }

    /// Returns the end of an inventory.
    pub(super) fn inventory_tail(&self) -> &'static str {
        match self {
            Form::Plain => encode::TAIL,
            Form::Thing(_) => things::encode::INVENTORY_TAIL,
        }
    }

    /// Returns whether the broker retains the inventory. That of a thing is kept by its twin.
    pub(super) fn retains_inventory(&self) -> bool {
        matches!(self, Form::Plain)
    }
}

impl Frame<'_> {
    /// Writes a feedback up to its payload.
    pub(super) fn feedback(&self, out: &mut dyn Write) -> fmt::Result {
        match self.form {
            Form::Plain => encode::head(out, self.activity, self.timestamp),
            Form::Thing(id) => things::encode::feedback_head(out, id, self.activity, self.timestamp),
        }
    }

    /// Writes an inventory up to its payload; `domain` is the manager's.
    pub(super) fn inventory(&self, out: &mut dyn Write, domain: &str) -> fmt::Result {
        match self.form {
            Form::Plain => encode::head(out, self.activity, self.timestamp),
            Form::Thing(id) => things::encode::inventory_head(out, id, self.activity, self.timestamp, domain),
        }
    }

    /// Writes the whole question for the owner's consent.
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
