//! Checks a desired state without applying it: against the protocol, the limits and
//! the configured domains. Pure but for `command` and `described`. What the manager refuses is an error; what it takes
//! although it is hardly meant is a warning. Each finding says what to write instead.
//!
//! The reader is [`wire`](crate::wire)'s, and it has the last word: a document
//! without an error here is one that it takes.

pub(crate) mod command;
mod described;
mod grammar;
mod payload;
mod show;
mod spelling;
#[cfg(test)]
mod tests;

use std::fmt::{Display, Write};

use crate::limits::{FINDINGS_MAX, PAYLOAD_IN_MAX};
use crate::model::text::Text;
use crate::model::Rollback;
use crate::wire::desired_state::{self, DesiredState};
use crate::wire::malformed::{Key, What};
use crate::wire::node::{Kind, Node};
use crate::wire::{Envelope, Malformed};
use spelling::Spelling;

#[cfg(feature = "exec")]
pub(crate) use command::read;
pub use command::run;
pub use described::Described;
pub use show::{write_json, write_text};

/// Something to be mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Whether the manager would refuse it.
    pub is_error: bool,
    /// Where: the line, from 1.
    pub line: usize,
    /// Where: the character in the line, from 1.
    pub column: usize,
    /// What is wrong, as a sentence without its full stop.
    pub what: String,
    /// What to write instead; may be empty.
    pub instead: String,
}

impl Finding {
    /// Returns its kind, in one word.
    fn kind(&self) -> &'static str {
        match self.is_error {
            true => "error",
            false => "warning",
        }
    }
}

/// What became of a check.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The first `FINDINGS_MAX`, as they stand in the document.
    pub findings: Vec<Finding>,
    /// All that the manager would refuse.
    pub errors: usize,
    /// All others.
    pub warnings: usize,
    /// Domains that were read.
    pub domains: usize,
    /// Components that were read.
    pub components: usize,
    /// Baselines that were read.
    pub baselines: usize,
    /// What is rolled back together, if the desired state says it or the configuration has
    /// another word than `none`.
    pub rollback: Option<Rollback>,
    /// The domains that are rolled back together; none if there are errors.
    pub groups: Vec<Vec<String>>,
}

impl Report {
    /// Whether there is nothing to be mended.
    pub fn is_clean(&self) -> bool {
        self.errors + self.warnings == 0
    }
}

/// Checks a desired state, bare or in its envelope. `domains` are those that have an
/// agent, `described` what is known of those; `rollback` is what is configured.
pub fn check(bytes: &[u8], domains: &[&str], described: &[Described], rollback: Rollback) -> Report {
    let rollback = Some(rollback).filter(|rollback| *rollback != Rollback::None);
    let mut checker = Checker { bytes, domains, described, report: Report { rollback, ..Report::default() } };
    if bytes.len() > PAYLOAD_IN_MAX {
        let what = format!("the message has {} bytes, at most {PAYLOAD_IN_MAX} are taken", bytes.len());
        checker.put(true, 0, what, "put less into one desired state, or shorter values");
    }
    match Node::document(bytes) {
        Ok(root) => checker.document(root),
        Err(malformed) => {
            let (what, instead, at) = grammar::explain(bytes, &malformed);
            checker.put(true, at, what, instead);
        }
    }
    checker.report
}

struct Checker<'a> {
    bytes: &'a [u8],
    domains: &'a [&'a str],
    described: &'a [Described],
    report: Report,
}

/// The keys of the envelope.
const ENVELOPE: [Key; 3] = [Key::ActivityId, Key::Timestamp, Key::Payload];

impl<'a> Checker<'a> {
    /// The whole document: which of its two forms it has.
    fn document(&mut self, root: Node<'a>) {
        if root.object().is_err() {
            self.error(&root, "is not an object", "write {\"domains\": [...]}");
            return;
        }
        let has = |key: Key| root.members().any(|(name, _)| name.eq_str(key.name()));
        if Envelope::is_around(root) {
            return self.envelope(root);
        }
        let is_enveloped = has(Key::ActivityId) || has(Key::Timestamp);
        if let Some((name, inner)) = root.members().find(|(name, _)| name.eq_str(Key::DesiredState.name())) {
            let instead = match is_enveloped {
                true => "write \"payload\" for \"desiredState\"",
                false => "leave out {\"desiredState\": and its closing bracket",
            };
            self.put(true, self.place(name), "the desired state is nested once too deep".into(), instead);
            return self.payload(inner.named(Key::DesiredState));
        }
        if is_enveloped && (has(Key::Domains) || has(Key::Baselines)) {
            let what = "the desired state stands in the envelope itself".to_owned();
            self.put(true, self.offset(&root), what, "write {\"activityId\": ..., \"payload\": {\"domains\": ...}}");
        } else if is_enveloped || root.members().any(|(name, _)| Spelling::ENVELOPE.meant(name).is_some()) {
            return self.envelope(root);
        }
        self.payload(root);
        self.last_word(|| desired_state::decode(&Envelope::around(root)));
    }

    fn envelope(&mut self, root: Node<'a>) {
        let Some([activity, timestamp, payload]) = self.fields(root, ENVELOPE, &Spelling::ENVELOPE) else { return };
        let id = activity.and_then(|node| self.string(node));
        if activity.is_none() || id.is_some_and(|id| id.is_empty()) {
            let at = activity.map_or(self.offset(&root), |node| self.offset(&node));
            let what = "the activity has no identifier, and no answer can name it".to_owned();
            self.put(true, at, what, "write \"activityId\": \"...\", another one for each activity");
        }
        if let Some(node) = timestamp.filter(|node| node.leaf::<i64>("").is_err()) {
            let instead = "write milliseconds since 1970, without quotes, point or exponent: 1700000000000";
            self.error(&node, "is not an integer of 64 bits", instead);
        }
        match payload {
            Some(payload) => self.payload(payload),
            None => {
                let what = "the payload is missing".to_owned();
                self.put(true, self.offset(&root), what, "write \"payload\": {\"domains\": [...]}");
            }
        }
        let bytes = self.bytes;
        self.last_word(|| desired_state::decode(&Envelope::decode(bytes)?));
    }

    /// What the manager's own reader says, if nothing else was found.
    fn last_word(&mut self, read: impl FnOnce() -> Result<DesiredState, Malformed>) {
        if self.report.errors > 0 {
            return;
        }
        match read() {
            Ok(state) => self.report.groups = self.groups(&state),
            Err(malformed) => {
                let what = sentence(&malformed);
                self.put(true, malformed.offset as usize, what, "");
            }
        }
    }

    /// Returns the domains that are rolled back together.
    fn groups(&self, state: &DesiredState) -> Vec<Vec<String>> {
        let mut groups: Vec<Vec<String>> = Vec::new();
        for place in 0..state.domains() {
            let group = match self.report.rollback {
                None | Some(Rollback::None) => place,
                Some(Rollback::Baseline) => state.group(place).unwrap_or(place),
                Some(Rollback::Device) => 0,
            };
            groups.resize(groups.len().max(group + 1), Vec::new());
            groups[group].extend(state.domain_id(self.bytes, place).map(|id| id.chars().collect()));
        }
        groups
    }

    /// An object's members with these keys; none if it is not an object. What is null
    /// counts as absent.
    fn fields<const N: usize>(
        &mut self,
        node: Node<'a>,
        keys: [Key; N],
        spelling: &Spelling,
    ) -> Option<[Option<Node<'a>>; N]> {
        if node.object().is_err() {
            self.error(&node, "is not an object", spelling.example);
            return None;
        }
        let mut fields = [None; N];
        self.collect(node, &keys, spelling, &mut fields);
        Some(fields.map(|field| field.filter(|node| node.raw() != "null")))
    }

    /// Puts the members with these keys into `fields`.
    fn collect(&mut self, node: Node<'a>, keys: &[Key], spelling: &Spelling, fields: &mut [Option<Node<'a>>]) {
        for (name, value) in node.members() {
            match keys.iter().position(|key| name.eq_str(key.name())) {
                Some(place) if fields[place].is_none() => fields[place] = Some(value.named(keys[place])),
                Some(_) => {
                    let what = format!("{} stands twice", within(&node, name));
                    self.put(true, self.place(name), what, "leave out one of the two");
                }
                None => {
                    if let Some(meant) = spelling.meant(name) {
                        let what = format!("{} is not read", within(&node, name));
                        self.put(false, self.place(name), what, &format!("write \"{meant}\""));
                    }
                }
            }
        }
    }

    /// The content of a string.
    fn string(&mut self, node: Node<'a>) -> Option<Text<'a>> {
        let text = node.string().ok();
        if text.is_none() {
            match node.kind() {
                Kind::Object | Kind::Array => self.error(&node, "is not a string", "write \"...\""),
                _ => self.error(&node, "is not a string", &format!("write \"{}\"", node.raw())),
            }
        }
        text
    }

    /// The elements of an array; none if there is none.
    fn elements(&mut self, node: Option<Node<'a>>, example: &str) -> impl Iterator<Item = Node<'a>> {
        let elements = node.and_then(|node| node.elements().ok());
        if let (Some(node), None) = (node, &elements) {
            self.error(&node, "is not an array", example);
        }
        elements.into_iter().flatten()
    }

    /// A finding about a value that the manager refuses; `what` goes on after its path.
    fn error(&mut self, node: &Node<'_>, what: &str, instead: &str) {
        self.find(true, node, what, instead);
    }

    /// The same about one that it takes.
    fn warn(&mut self, node: &Node<'_>, what: &str, instead: &str) {
        self.find(false, node, what, instead);
    }

    fn find(&mut self, is_error: bool, node: &Node<'_>, what: &str, instead: &str) {
        let path = node.error(What::Is("")).path.to_string();
        let place = if path.is_empty() { "the desired state" } else { &path };
        let what = format!("{place} {what}");
        self.put(is_error, self.offset(node), what, instead);
    }

    fn put(&mut self, is_error: bool, at: usize, what: String, instead: &str) {
        match is_error {
            true => self.report.errors += 1,
            false => self.report.warnings += 1,
        }
        if self.report.findings.len() < FINDINGS_MAX {
            let (line, column) = grammar::position(self.bytes, at);
            let findings = &mut self.report.findings;
            let after = findings.iter().rposition(|before| (before.line, before.column) <= (line, column));
            let finding = Finding { is_error, line, column, what, instead: instead.to_owned() };
            findings.insert(after.map_or(0, |after| after + 1), finding);
        }
    }

    fn offset(&self, node: &Node<'_>) -> usize {
        node.span().start as usize
    }

    /// Where a key stands: with its quote.
    fn place(&self, name: Text<'_>) -> usize {
        (name.as_json().as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize + 1)
    }
}

/// A member of an object, by its path.
fn within(node: &Node<'_>, name: impl Display) -> String {
    let mut path = node.error(What::Is("")).path.to_string();
    if !path.is_empty() {
        path.push('.');
    }
    // Writing into a string cannot fail.
    let _ = write!(path, "{name}");
    path
}

/// What a reader says, without the byte.
fn sentence(malformed: &Malformed) -> String {
    let path = malformed.path.to_string();
    match malformed.what {
        What::Missing(_) => malformed.what.to_string(),
        what if path.is_empty() => format!("the message {what}"),
        what => format!("{path} {what}"),
    }
}
