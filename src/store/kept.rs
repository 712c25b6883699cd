//! The part of a desired state that each domain is committed to, kept so that the domain
//! can be led back to it.
//!
//! The state says to which activity each domain is committed, and changes in the write that
//! says that its group is. The parts themselves are written once more only if they have to:
//! they stand in the document of that activity, which stays in its slot until the activity
//! after the next one begins. A part that a domain is still committed to by then goes into
//! a record of this kind before its document is overwritten.
//!
//! What `Lockstep` has completed is kept only if groups are configured by now: otherwise
//! nothing is led back to it, and it would take memory.

use super::document;
use super::format::{fields, Draft, Fields, Kind, FIELD, HEADER};
use super::load::Found;
use super::Content;
use crate::engine::domain::{Domain, Ended, State};
use crate::engine::policy::{Lockstep, Policy};
use crate::engine::Campaign;
use crate::limits::{DOMAIN_ID_MAX, KEPT_MAX, RECORD_PIECE_MAX, SAVED_KEPT_MAX};
use crate::model::{checksum, DomainSet, Phase, Run, Status};
use crate::wire::desired_state::{self, DesiredState};
use crate::wire::encode::Count;
use crate::wire::node::Node;
use crate::wire::Envelope;

/// Begins a part: its activity, and the domain's name.
const PART: u8 = 1;
/// A piece of the payload; they follow each other.
const PIECE: u8 = 2;

const UNREADABLE: &str = "what it is committed to cannot be read, so it cannot be restored";

/// What the domains are committed to.
#[derive(Debug, Default)]
pub(super) struct Kept {
    parts: Vec<KeptPart>,
    /// The activity that was looked at last, and its domains that were found committed.
    run: Run,
    seen: DomainSet,
}

/// What a domain is committed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptPart {
    /// The domain's name.
    pub domain: String,
    /// The activity that it is committed to.
    pub run: Run,
    /// The payload of the desired state for its agent.
    pub payload: String,
    record: InRecord,
}

/// Whether a part stands in the record of this kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum InRecord {
    No,
    /// The job that runs writes it.
    Writing,
    Yes,
}

impl Kept {
    /// Returns the parts, at most one for a domain.
    pub(super) fn parts(&self) -> &[KeptPart] {
        &self.parts
    }

    /// Takes the parts of domains that have been committed since the last look.
    pub(super) fn look(&mut self, content: &Content<'_>) {
        let Content { names, payload, .. } = *content;
        let Some(campaign) = content.campaign else { return };
        let run = campaign.identity.run;
        if self.run != run {
            (self.run, self.seen) = (run, DomainSet::EMPTY);
        }
        let participants = campaign.participants().iter();
        let committed: DomainSet =
            participants.filter(|d| campaign.domain(*d).is_some_and(|part| is_committed(campaign, part))).collect();
        let new = committed.without(self.seen);
        if new.is_empty() {
            return;
        }
        new.iter().for_each(|domain| self.seen.insert(domain));
        let is_kept = content.is_grouped || campaign.policy != Lockstep.name();
        let is_its = is_kept && checksum(&[payload.bytes()]) == campaign.identity.crc;
        let document = is_its.then(|| Document::of(payload.bytes())).flatten();
        for name in new.iter().filter_map(|domain| names.get(domain.place())) {
            if self.parts.iter().any(|part| part.domain == *name && part.run == run) {
                continue;
            }
            self.parts.retain(|part| part.domain != *name);
            match document.as_ref().and_then(|document| document.part(name)) {
                Some(payload) => self.parts.push(KeptPart::new(name, run, payload)),
                None if is_kept => log::warn!("[{name}] {UNREADABLE}"),
                None => {}
            }
        }
        self.bound(names);
    }

    /// Gives up what there is no room for: what is of domains that are not configured any
    /// more first, and of those the oldest.
    fn bound(&mut self, names: &[String]) {
        while self.parts.len() > KEPT_MAX || size(&self.parts) > SAVED_KEPT_MAX {
            let rank = |part: &KeptPart| (names.contains(&part.domain), part.run);
            let least = (0..self.parts.len()).min_by_key(|place| rank(&self.parts[*place]));
            let Some(part) = least.map(|place| self.parts.remove(place)) else { return };
            let domain = part.domain;
            log::warn!("[{domain}] there is no room for what it is committed to, so it cannot be restored");
        }
    }

    /// Whether a part would be lost if of all documents only those of these activities stay.
    pub(super) fn needs_record(&self, documents: &[Run]) -> bool {
        self.parts.iter().any(|part| part.record == InRecord::No && !documents.contains(&part.run))
    }

    /// The record of all parts, which is about to be written.
    pub(super) fn draft(&mut self) -> Option<Draft> {
        self.parts.iter_mut().for_each(|part| part.record = InRecord::Writing);
        encode(&self.parts)
    }

    /// The record that was about to be written is on the disk, or is not.
    pub(super) fn handle_written(&mut self, is_done: bool) {
        let now = if is_done { InRecord::Yes } else { InRecord::No };
        for part in self.parts.iter_mut().filter(|part| part.record == InRecord::Writing) {
            part.record = now;
        }
    }

    /// Nothing is left of what was saved.
    pub(super) fn forget_disk(&mut self) {
        self.parts.iter_mut().for_each(|part| part.record = InRecord::No);
    }

    /// Finds what domains are committed to as the state says it, by name and activity.
    pub(super) fn load(found: &Found, committed: &[(String, Run)]) -> Kept {
        let mut parts = Vec::new();
        let is_open = |parts: &[KeptPart], domain: &str| parts.iter().all(|part: &KeptPart| part.domain != domain);
        for record in found.records(Kind::Document) {
            let (run, mut payload) = (document::run(record.fields), Vec::new());
            document::decode(record.fields, &mut payload);
            let Some(document) = Document::of(&payload) else { continue };
            for (domain, _) in committed.iter().filter(|(_, of)| Some(*of) == run) {
                let part = document.part(domain).filter(|_| is_open(&parts, domain));
                parts.extend(part.map(|payload| KeptPart::new(domain, run.unwrap_or_default(), payload)));
            }
        }
        let newest =
            decode(found.fields(Kind::Kept)).into_iter().map(|part| KeptPart { record: InRecord::Yes, ..part });
        // The record before may have what a write of the newest was to replace.
        let others = found.records(Kind::Kept).flat_map(|record| decode(record.fields));
        for part in newest.chain(others) {
            let is_it = |(domain, run): &(String, Run)| part.domain == *domain && part.run == *run;
            if committed.iter().any(is_it) && is_open(&parts, &part.domain) {
                parts.push(part);
            }
        }
        for (domain, _) in committed {
            match is_open(&parts, domain) {
                true => log::warn!("[{domain}] {UNREADABLE}"),
                false => log::debug!("[{domain}] what it is committed to is kept"),
            }
        }
        Kept { parts, ..Kept::default() }
    }
}

impl KeptPart {
    /// Returns a part that stands in no record yet.
    pub fn new(domain: &str, run: Run, payload: String) -> KeptPart {
        KeptPart { domain: domain.to_owned(), run, payload, record: InRecord::No }
    }

    /// Bytes of its fields.
    fn size(&self) -> usize {
        let pieces = self.payload.len().div_ceil(RECORD_PIECE_MAX);
        FIELD + 8 + self.domain.len() + FIELD * pieces + self.payload.len()
    }
}

/// A desired state, to take parts out of.
struct Document<'a> {
    payload: &'a [u8],
    state: DesiredState,
}

impl<'a> Document<'a> {
    fn of(payload: &'a [u8]) -> Option<Document<'a>> {
        let envelope = Envelope::around(Node::document(payload).ok()?);
        Some(Document { payload, state: desired_state::decode(&envelope).ok()? })
    }

    /// The payload for the agent of this domain.
    fn part(&self, domain: &str) -> Option<String> {
        let place = self.state.place_of(self.payload, domain)?;
        let mut size = Count::default();
        desired_state::encode_part(self.payload, &self.state, place, &mut size).ok()?;
        let mut part = String::with_capacity(size.bytes);
        desired_state::encode_part(self.payload, &self.state, place, &mut part).ok()?;
        Some(part)
    }
}

/// Whether the domain has what the desired state wants, and is not turned back any more.
fn is_committed(campaign: &Campaign, part: &Domain) -> bool {
    let is_new = match part.state {
        State::Done(Ended::Idle | Ended::Completed) => true,
        State::Done(Ended::Incomplete | Ended::Unidentified) => false,
        _ => part.furthest == Some(Phase::Activate),
    };
    let is_for_good = if campaign.policy == Lockstep.name() {
        // It takes no step to commit: what has succeeded is for good with its clean-up, unless
        // the activity was given up.
        match part.state {
            State::CleaningUp(_) | State::Done(Ended::CleanedUp) => campaign.end.cause.is_none(),
            state => state.is_done(),
        }
    } else {
        campaign.groups.committed.contains(part.group) || campaign.end.outcome == Some(Status::Completed)
    };
    is_new && is_for_good && part.failure.is_none() && !part.evidence.was_rolled_back
}

/// The record of these parts.
pub fn encode(parts: &[KeptPart]) -> Option<Draft> {
    Draft::new(Kind::Kept, size(parts), |out: &mut Fields<'_>| {
        for part in parts {
            out.put(PART, &[&part.run.0.to_le_bytes(), part.domain.as_bytes()]);
            part.payload.as_bytes().chunks(RECORD_PIECE_MAX).for_each(|piece| out.put(PIECE, &[piece]));
        }
    })
}

/// Bytes of the record of these parts.
fn size(parts: &[KeptPart]) -> usize {
    HEADER + parts.iter().map(KeptPart::size).sum::<usize>()
}

/// The parts that the fields hold; one that cannot be read is left out.
pub fn decode(bytes: &[u8]) -> Vec<KeptPart> {
    let mut all: Vec<(&[u8], Vec<u8>)> = Vec::new();
    for (tag, content) in fields(bytes) {
        match tag {
            PART => all.push((content, Vec::new())),
            PIECE => all.iter_mut().last().into_iter().for_each(|(_, payload)| payload.extend_from_slice(content)),
            _ => {}
        }
    }
    all.into_iter().take(KEPT_MAX).filter_map(|(head, payload)| decode_one(head, payload)).collect()
}

fn decode_one(head: &[u8], payload: Vec<u8>) -> Option<KeptPart> {
    let domain = core::str::from_utf8(head.get(8..)?).ok().filter(|name| name.len() <= DOMAIN_ID_MAX)?;
    Some(KeptPart::new(domain, Run::of_bytes(&head[..8])?, String::from_utf8(payload).ok()?))
}
