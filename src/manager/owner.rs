//! The owner's consent. Before the question goes out, the manager subscribes to the topic of
//! the answer and waits until the broker acknowledges that; when the question is closed it
//! unsubscribes. So no answer is missed, and an answer to an earlier question does not count
//! for this one. The answer to a twin arrives among its requests.
//!
//! In: the engine's wish to ask, new connections, and answers. Out: questions, and events for
//! the engine.
//!
//! Invariants: at most one question is open. The question for a phase keeps its UUID, over a
//! restart too.
//!
//! Deliberately absent: the timeout of an answer, and what follows from it.

use core::fmt;

use super::backend::form::{Form, Frame};
use super::outside::{message_to, Names, Outside};
use super::subscriptions::Subscriptions;
use crate::engine::event::ConsentAnswer;
use crate::engine::{Campaign, Event, Rejected};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{Command, Phase};
use crate::mqtt::Class;
use crate::wire::consent::{self, ConsentReply};
use crate::wire::topic::{Incoming, Outgoing, Topic};
use crate::wire::{Envelope, Malformed};

/// An open question.
struct Question {
    command: Command,
    /// A UUID, the correlation id of a twin's answer.
    id: String,
    /// The SUBSCRIBE that it waits for.
    packet: u16,
    is_published: bool,
}

/// Holds the question to the owner.
pub(super) struct Owner {
    /// The topic of the answer; none for a twin.
    topic: Option<Topic>,
    question: Option<Question>,
    /// Phase and UUID of the question that is open or about to be asked.
    asked: Option<(Phase, [u8; 16])>,
    /// The UUID of the next question, but for its version.
    next: u128,
}

impl Owner {
    /// Creates it without a question. `ids` is random: the UUIDs of questions begin there.
    pub(super) fn new(names: &Names, is_twin: bool, ids: u128) -> Owner {
        let topic = (!is_twin).then(|| names.topics.incoming(Incoming::OwnerConsentFeedback));
        Owner { topic, question: None, asked: None, next: ids }
    }

    /// Forgets the question that was saved if the activity that was taken up does not ask it.
    pub(super) fn drop_unasked(&mut self, campaign: Option<&Campaign>) {
        let asking = campaign.and_then(|campaign| campaign.consent.asking);
        self.asked = self.asked.filter(|(phase, _)| asking == Some(*phase));
    }

    /// Takes phase and UUID of the question that was saved.
    pub(super) fn resume(&mut self, question: Option<(Phase, [u8; 16])>) {
        self.asked = question;
    }

    /// Opens the question for this phase; `ask_again` sends it.
    pub(super) fn open(&mut self, phase: Phase) {
        let Some(command) = phase.command() else { return };
        let id = hyphenated(self.id_of(phase));
        self.question = Some(Question { command, id, packet: 0, is_published: false });
    }

    /// Returns the UUID of the question for this phase.
    fn id_of(&mut self, phase: Phase) -> [u8; 16] {
        if let Some((_, id)) = self.asked.filter(|(of, _)| *of == phase) {
            return id;
        }
        let id = self.uuid();
        self.asked = Some((phase, id));
        id
    }

    /// Returns the next UUID (RFC 9562, version 4). All bits change from one to the next, so
    /// that nobody takes two for the same.
    fn uuid(&mut self) -> [u8; 16] {
        const VERSION: u128 = 0xf << 76 | 0x3 << 62;
        // The fraction of the golden ratio.
        self.next = self.next.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        (self.next & !VERSION | 0x4 << 76 | 0x2 << 62).to_be_bytes()
    }

    /// Returns phase and UUID of the question that is open or about to be asked, to be saved.
    pub(super) fn question_to_save(&mut self, campaign: Option<&Campaign>) -> Option<(Phase, [u8; 16])> {
        let phase = campaign.filter(|campaign| campaign.is_running())?.consent.asking?;
        Some((phase, self.id_of(phase)))
    }

    /// Asks the open question, on a new connection again, since its answer may be lost.
    pub(super) fn ask_again(
        &mut self,
        now: Now,
        outside: &mut Outside,
        subscriptions: &mut Subscriptions,
        form: Option<Form>,
        campaign: Option<&Campaign>,
    ) {
        let Some(question) = &mut self.question else { return };
        question.is_published = false;
        if !outside.session.is_connected() {
            // The next connection asks it.
            return;
        }
        match &self.topic {
            Some(topic) => question.packet = subscriptions.subscribe(now, &mut outside.session, &[topic]),
            // A twin's subscriptions are permanent.
            None => self.publish(now, outside, form, campaign),
        }
    }

    /// Handles the answer to a SUBSCRIBE: sends the question if it has waited for that.
    pub(super) fn handle_subscribed(
        &mut self,
        now: Now,
        outside: &mut Outside,
        form: Option<Form>,
        campaign: Option<&Campaign>,
        packet: u16,
    ) {
        if self.question.as_ref().is_some_and(|question| question.packet == packet) {
            self.publish(now, outside, form, campaign);
        }
    }

    /// Notes that refused filters were asked for again: the question waits for that answer if
    /// its topic was among them.
    pub(super) fn handle_asked_again(&mut self, packet: u16, refused: &[String]) {
        let is_refused = |topic: &Topic| refused.iter().any(|filter| filter == topic.as_str());
        if let (Some(question), true) = (&mut self.question, self.topic.as_ref().is_some_and(is_refused)) {
            question.packet = packet;
        }
    }

    fn publish(&mut self, now: Now, outside: &mut Outside, form: Option<Form>, campaign: Option<&Campaign>) {
        let (Some(form), Some(campaign)) = (form, campaign) else { return };
        let Some(question) = self.question.as_mut().filter(|question| !question.is_published) else { return };
        question.is_published = true;
        let command = question.command;
        let activity = Text::from_checked(&campaign.identity.activity);
        log::info!("{activity}: the owner is asked for consent to {}", command.name());
        let frame = Frame { form: &form, activity, timestamp: now.wall };
        let body = |out: &mut dyn fmt::Write| frame.consent(out, &question.id, command);
        let topic = form.topic(&outside.names.topics, Outgoing::OwnerConsent);
        // The next connection asks again.
        outside.send(now, message_to(&topic, Class::LinkBound, &body));
    }

    /// Closes the question.
    pub(super) fn close(&mut self, now: Now, outside: &mut Outside) {
        self.asked = None;
        if let (Some(_), Some(topic)) = (self.question.take(), &self.topic) {
            outside.session.unsubscribe(now.tick, &[topic]);
        }
    }

    /// Returns the filter of the answer while a question is open; none for a twin.
    pub(super) fn filter(&self) -> Option<&str> {
        self.topic.as_deref().filter(|_| self.question.is_some())
    }

    /// Returns the UUID of the open question if it was sent.
    pub(super) fn question_id(&self) -> Option<&str> {
        let published = self.question.as_ref().filter(|question| question.is_published);
        published.map(|question| question.id.as_str())
    }

    /// Decodes an answer on the plain topic. Returns an event for the engine, unless there is
    /// nothing to answer. An answer that the broker delivers once more (DUP) may have counted
    /// for an earlier question; if it has not, the question is asked again on this link.
    ///
    /// # Errors
    /// It is malformed.
    pub(super) fn read_reply<'a>(&self, bytes: &'a [u8], dup: bool) -> Result<Option<Event<'a>>, Malformed> {
        let envelope = Envelope::decode(bytes)?;
        let (activity, answer) = (envelope.activity, consent::decode(&envelope)?);
        if dup {
            log::info!("{activity}: owner's answer ignored, the broker delivers it once more");
            return Ok(None);
        }
        if self.question_id().is_none() {
            log::info!("{activity}: owner's answer ignored, nothing was asked");
            return Ok(None);
        }
        let is_approval = match answer {
            ConsentReply::Approved => true,
            ConsentReply::Denied => false,
            ConsentReply::Unknown => {
                log::warn!("{activity}: owner's answer ignored, its status is unknown");
                return Ok(None);
            }
        };
        Ok(Some(Event::ConsentReply(ConsentAnswer { activity, is_approval, timestamp: envelope.timestamp })))
    }
}

/// Logs why the engine ignores an answer.
pub(super) fn log_rejected(event: &Event<'_>, rejected: Rejected) {
    let Event::ConsentReply(ConsentAnswer { activity, .. }) = event else { return };
    match rejected {
        Rejected::Repeated => log::info!("{activity}: owner's answer ignored, it has counted before"),
        Rejected::NotAsked => log::info!("{activity}: owner's answer ignored, nothing was asked"),
        _ => log::info!("{activity}: owner's answer ignored, no such activity runs"),
    }
}

/// Formats a UUID.
fn hyphenated(id: [u8; 16]) -> String {
    let id = u128::from_be_bytes(id);
    let (a, b, c) = (id >> 96, id >> 80 & 0xffff, id >> 64 & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", id >> 48 & 0xffff, id & 0xffff_ffff_ffff)
}
