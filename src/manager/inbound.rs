//! From messages to events.

use core::fmt::{self, Write};

use heapless::Vec;

use super::{Delivery, Manager};
use crate::engine::event::{DesiredState, Feedback, Part};
use crate::engine::{Event, Rejected};
use crate::inventory;
use crate::limits::{ACTIONS_MAX, ANSWER_ROOM, ANSWER_ROOM_MESSAGES, DOMAINS_MAX, REPORTS_MAX};
use crate::model::text::{Escaped, Text};
use crate::model::time::Now;
use crate::model::{checksum, ActivityKey, DomainIx};
use crate::mqtt::Publish;
use crate::store::journal::Kind;
use crate::wire::topic::Incoming;
use crate::wire::{activity_of, desired_state, feedback, inventory as wire_inventory, things, Envelope, Malformed};

impl Manager {
    pub(super) fn handle_publish(&mut self, now: Now, publish: Publish) {
        let Publish { topic, payload, retain, dup, ack } = publish;
        if !self.ending.is_no() {
            // Not acknowledged: a session that outlives us brings it again.
            return;
        }
        match self.classify(&topic) {
            Some(Origin::Edge) => self.handle_edge_response(now, &topic, &payload),
            Some(Origin::Thing(request)) => self.handle_request(now, &request, &payload, dup),
            Some(Origin::Plain(Incoming::AgentInventory(domain))) => {
                self.handle_inventory(now, domain, &topic, &payload, retain);
            }
            Some(Origin::Plain(Incoming::OwnerConsentFeedback)) if retain => {
                log::warn!("{topic}: ignored, an owner's answer that the broker kept answers no question of ours");
            }
            Some(Origin::Plain(incoming)) => self.handle_plain(now, incoming, &topic, &payload, dup),
            None => self.handle_stray(now, &topic),
        }
        self.acknowledge(ack);
    }

    /// What came in, by its topic. As a twin the plain topics of the backend are
    /// none of ours.
    pub(super) fn classify<'t>(&self, topic: &'t str) -> Option<Origin<'t>> {
        let Some(twin) = &self.twin else { return self.topics.classify(topic).map(Origin::Plain) };
        match things::Incoming::classify(topic, twin.identity.as_deref()) {
            Some(things::Incoming::EdgeResponse) => Some(Origin::Edge),
            Some(things::Incoming::Request(request)) => Some(Origin::Thing(request)),
            None => self.topics.classify(topic).filter(is_agents).map(Origin::Plain),
        }
    }

    pub(super) fn handle_plain(&mut self, now: Now, incoming: Incoming, topic: &str, payload: &[u8], dup: bool) {
        match incoming {
            Incoming::DesiredState => self.take_desired_state(now, payload, dup, false),
            Incoming::CurrentStateGet => self.handle_get(now, topic, payload),
            Incoming::AgentFeedback(domain) => self.handle_feedback(now, domain, topic, payload, dup),
            Incoming::AgentInventory(domain) => self.handle_inventory(now, domain, topic, payload, false),
            Incoming::DesiredStateCommand => log::info!("{topic}: ignored, it is not for the top-level manager"),
            Incoming::OwnerConsentFeedback => self.handle_consent_reply(now, topic, payload),
        }
    }

    /// A desired state, of the backend or the console; `force`: whatever the disk is like.
    pub(super) fn take_desired_state(&mut self, now: Now, payload: &[u8], dup: bool, force: bool) {
        if self.refusals.has(payload, dup) {
            return log::info!("a desired state that comes once more is ignored, it was refused");
        }
        match self.has_answer_room() {
            true => self.handle_desired_state(now, payload, force),
            false => self.refuse_for_room(now, payload),
        }
    }

    /// Whether an activity has room for what it needs at once, and for its end among
    /// those that the broker has not acknowledged.
    pub(super) fn has_answer_room(&self) -> bool {
        self.session.has_room(ANSWER_ROOM, ANSWER_ROOM_MESSAGES) && self.session.found().count() < REPORTS_MAX
    }

    /// A broker that acknowledges nothing leaves no room for an activity; the backend
    /// is told so, if that still fits.
    fn refuse_for_room(&mut self, now: Now, bytes: &[u8]) {
        if let Some(envelope) = Envelope::decode(bytes).ok().filter(|envelope| self.is_known(envelope, bytes)) {
            return self.note_repeated(envelope.activity);
        }
        log::error!("a desired state is not taken: too many messages wait for the broker");
        if let Some(activity) = activity_of(bytes).filter(|activity| !self.runs(*activity)) {
            self.refusals.note(bytes);
            self.refuse(now, activity, &|out: &mut dyn Write| out.write_str("too many messages wait for the broker"));
        }
    }

    fn handle_desired_state(&mut self, now: Now, bytes: &[u8], force: bool) {
        let decoded = Envelope::decode(bytes).and_then(|envelope| {
            let state = desired_state::decode(&envelope)?;
            Ok((envelope, state))
        });
        match decoded {
            Ok((envelope, _)) if envelope.activity.is_empty() => {
                log::error!("a desired state without an activity id is refused");
                self.console.tell(&|out| out.write_str("it has no activity id"));
            }
            Ok((envelope, state)) => self.apply(now, bytes, &envelope, state, force),
            Err(malformed) => match activity_of(bytes) {
                Some(activity) if self.runs(activity) => self.note_repeated(activity),
                Some(activity) => {
                    self.refusals.note(bytes);
                    self.refuse(now, activity, &|out: &mut dyn Write| escape(out, &malformed.within(bytes)));
                }
                None => {
                    log::error!("a desired state is refused: {}", malformed.within(bytes));
                    self.console.tell(&|out| escape(out, &malformed.within(bytes)));
                }
            },
        }
    }

    /// Hands a desired state to the engine; `bytes` is its whole message.
    pub(super) fn apply(
        &mut self,
        now: Now,
        bytes: &[u8],
        envelope: &Envelope<'_>,
        state: desired_state::DesiredState,
        force: bool,
    ) {
        let mut parts: Vec<Part<'_>, DOMAINS_MAX> = Vec::new();
        for place in 0..state.domains() {
            if let Some(id) = state.domain_id(bytes, place) {
                let known = self.domains.iter().position(|name| id.eq_str(name));
                // No more domains than places: `decode` sees to it.
                let _ = parts.push(Part { id, domain: known.and_then(DomainIx::new) });
            }
        }
        let (Some(span), Some(key)) = (envelope.payload(), key_of(envelope, bytes)) else { return };
        if let Some(rejected) = self.rejects(key, force) {
            return self.reject(now, bytes, key, rejected);
        }
        let desired = DesiredState { key, run: self.store.next_run(), parts: &parts };
        self.effects.clear();
        if let Err(rejected) = self.engine.handle(now.tick, Event::DesiredState(desired), &mut self.effects) {
            return self.reject(now, bytes, key, rejected.into());
        }
        for part in parts.iter().filter(|part| part.domain.is_none()) {
            log::warn!("{}: no agent for domain {}", key.activity, part.id);
        }
        self.store.accept();
        self.look(now);
        self.console.forget();
        // Of the activity before: this one's end is not told yet.
        self.delivery = Delivery::Told;
        self.discard_parts();
        self.desired.keep(bytes, span, state, parts.iter().map(|part| part.domain));
        self.hold_back();
        self.carry_out(now);
    }

    /// Why a desired state is not even looked at; `force`: whatever the disk is like.
    fn rejects(&self, key: ActivityKey<'_>, force: bool) -> Option<Refusal> {
        if self.runs(key.activity) {
            return Some(Refusal::SameActivity);
        }
        // Even while another runs: it would have a second end.
        if self.store.journal.contains(key) {
            return Some(Refusal::Applied);
        }
        let campaign = self.engine.campaign()?;
        if self.store.has_held() && !campaign.is_running() {
            // It would mix with what is still held of the last.
            let is_same = campaign.is_activity(key.activity);
            return Some(if is_same { Refusal::SameActivity } else { Refusal::Busy });
        }
        let is_blocked = !force && !campaign.is_running() && self.store.obstacle().is_some();
        is_blocked.then_some(Refusal::Unsaved)
    }

    /// Says why a desired state is not applied.
    fn reject(&mut self, now: Now, bytes: &[u8], key: ActivityKey<'_>, why: Refusal) {
        let activity = key.activity;
        let last = self.engine.campaign().map(|campaign| campaign.identity.activity.clone()).unwrap_or_default();
        match why {
            Refusal::SameActivity => self.note_repeated(activity),
            Refusal::Applied => {
                log::info!("{activity}: desired state ignored, it was applied already");
                self.console.tell(&|out| out.write_str("it was applied already"));
            }
            Refusal::Busy => {
                self.refusals.note(bytes);
                self.refuse(now, activity, &|out| write!(out, "Another update activity in progress - {last}"));
            }
            Refusal::RebootPending => {
                self.refusals.note(bytes);
                self.refuse(now, activity, &|out| write!(out, "reboot pending after {last}"));
            }
            Refusal::Unsaved => {
                let why = self.store.obstacle().unwrap_or_default().to_owned();
                // The next one is taken if the disk works again by then.
                self.store.hurry();
                self.refusals.note(bytes);
                self.refuse(now, activity, &|out| write!(out, "the end of {last} cannot be saved: {}", Escaped(&why)));
            }
        }
    }

    fn handle_get(&mut self, now: Now, topic: &str, bytes: &[u8]) {
        match Envelope::decode(bytes) {
            Ok(envelope) => {
                let mut effects = inventory::Effects::new();
                self.rounds.handle_get(now, envelope.activity, self.busy(), &mut effects);
                self.carry_out_inventory(now, effects);
            }
            Err(malformed) => self.ignore_malformed(now, topic, bytes, &malformed),
        }
    }

    /// With its actions on the stack, so it stands alone.
    #[inline(never)]
    fn handle_feedback(&mut self, now: Now, domain: DomainIx, topic: &str, bytes: &[u8], dup: bool) {
        if bytes.is_empty() {
            // The self-update agent sends that after a success (agents.md).
            return log::debug!("{topic}: empty message ignored");
        }
        let mut actions: Vec<_, ACTIONS_MAX> = Vec::new();
        let decoded =
            Envelope::decode(bytes).and_then(|envelope| Ok((envelope, feedback::decode(&envelope, &mut actions)?)));
        let (envelope, head) = match decoded {
            Ok(decoded) => decoded,
            Err(malformed) => return self.ignore_malformed(now, topic, bytes, &malformed),
        };
        let (activity, name) = (envelope.activity, &self.domains[domain.place()]);
        log::debug!("[{name}] {activity}: says {}, {} actions", head.status.name(), actions.len());
        if self.runs(activity) {
            self.console.hear(domain, head.status, head.message);
        }
        let feedback = Feedback {
            activity,
            status: head.status,
            message: head.message,
            actions: &actions,
            is_repeat: dup,
            past_limit: head.past_limit,
        };
        if let Err(rejected) = self.decide(now, Event::Feedback(domain, feedback)) {
            let why = match rejected {
                Rejected::NotTakingPart => "the domain takes no part",
                Rejected::Ended => "the domain's part has ended",
                _ => "no such activity runs",
            };
            let name = &self.domains[domain.place()];
            log::info!("[{name}] {activity}: {} ignored, {why}", head.status.name());
        }
    }

    #[inline(never)]
    fn handle_inventory(&mut self, now: Now, domain: DomainIx, topic: &str, bytes: &[u8], is_retained: bool) {
        let name = &self.domains[domain.place()];
        let decoded =
            Envelope::decode(bytes).and_then(|envelope| Ok((envelope, wire_inventory::decode(&envelope, name)?)));
        let (envelope, inventory) = match decoded {
            Ok(decoded) => decoded,
            Err(malformed) => return self.ignore_malformed(now, topic, bytes, &malformed),
        };
        let activity = envelope.activity;
        // An id of the agent's own: it is connected, and has perhaps started anew, though
        // what it lists may be outdated (agents.md).
        if !is_retained && !self.rounds.was_asked(domain, activity) && !self.runs(activity) {
            if self.busy().contains(domain) {
                self.store.journal.note(now, Kind::Hello, Some(domain));
            }
            let _ = self.decide(now, Event::Hello(domain));
        }
        let name = &self.domains[domain.place()];
        let outdated = self.inventories.timestamp(domain).is_some_and(|known| envelope.timestamp < known);
        if outdated && !self.rounds.is_answer(activity) {
            return log::info!("[{name}] {activity}: inventory ignored, a newer one is known");
        }
        match self.inventories.put(domain, &inventory, envelope.timestamp) {
            Ok(()) => log::debug!("[{name}] {activity}: inventory"),
            Err(limit) => log::error!("[{name}] {activity}: inventory refused: {limit}"),
        }
        let mut effects = inventory::Effects::new();
        self.rounds.handle_inventory(now.tick, domain, activity, &mut effects);
        self.carry_out_inventory(now, effects);
    }

    /// One line that names topic, activity and place.
    pub(super) fn ignore_malformed(&mut self, now: Now, topic: &str, bytes: &[u8], malformed: &Malformed) {
        let counters = &mut self.console.counters;
        counters.malformed = counters.malformed.saturating_add(1);
        self.store.journal.note_last(now, Kind::Malformed);
        match activity_of(bytes) {
            Some(activity) => log::warn!("{topic}: {activity}: message ignored: {malformed}"),
            None => log::warn!("{topic}: message ignored: {malformed}"),
        }
    }

    pub(super) fn runs(&self, activity: Text<'_>) -> bool {
        self.engine.campaign().is_some_and(|running| running.is_running() && running.is_activity(activity))
    }

    /// Whether a desired state comes again: its activity runs or has finished.
    pub(super) fn is_known(&self, envelope: &Envelope<'_>, bytes: &[u8]) -> bool {
        let key = key_of(envelope, bytes);
        key.is_some_and(|key| self.runs(key.activity) || self.store.journal.contains(key))
    }

    pub(super) fn note_repeated(&mut self, activity: Text<'_>) {
        self.console.tell(&|out| out.write_str("this activity runs already"));
        log::info!("{activity}: desired state ignored, this activity runs already");
    }
}

/// Where a message comes from.
pub(super) enum Origin<'t> {
    Edge,
    Thing(things::RequestTopic<'t>),
    Plain(Incoming),
}

pub(super) fn is_agents(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::AgentFeedback(_) | Incoming::AgentInventory(_))
}

/// Why a desired state is not applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// Its activity runs.
    SameActivity,
    /// It was applied already.
    Applied,
    /// Another activity runs.
    Busy,
    /// A reboot is due.
    RebootPending,
    /// The activity before is still unfinished on the disk.
    Unsaved,
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Refusal {
        match rejected {
            Rejected::Busy => Refusal::Busy,
            Rejected::RebootPending => Refusal::RebootPending,
            _ => Refusal::SameActivity,
        }
    }
}

/// The content of a desired state. Its checksum is of the payload alone: a redelivered
/// request may have other headers.
fn key_of<'a>(envelope: &Envelope<'a>, bytes: &[u8]) -> Option<ActivityKey<'a>> {
    let span = envelope.payload()?;
    let crc = checksum(&[bytes.get(span.start as usize..span.end())?]);
    Some(ActivityKey { activity: envelope.activity, timestamp: envelope.timestamp, crc })
}

/// Shown text as the content of a JSON string.
pub(super) fn escape(out: &mut dyn Write, shown: &dyn fmt::Display) -> fmt::Result {
    write!(crate::model::text::Escaping(out), "{shown}")
}
