//! The question for the owner's consent. Its answer's topic is subscribed to only
//! as long as the question is open, and the question goes out only once that
//! subscription is acknowledged: no answer can be missed, and an answer to an
//! earlier question cannot count for this one.

use core::fmt;

use super::backend::{Backend, Frame};
use super::outbound::message_to;
use super::Manager;
use crate::engine::{Event, Rejected};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{Command, Phase};
use crate::mqtt::Class;
use crate::wire::consent::{self, ConsentReply};
use crate::wire::topic::{Incoming, Outgoing};
use crate::wire::Envelope;

/// An open question.
pub(super) struct Question {
    command: Command,
    /// A UUID, by which a twin's answer is known.
    id: String,
    /// The SUBSCRIBE that its publication waits for.
    packet: u16,
    is_published: bool,
}

impl Manager {
    pub(super) fn ask_consent(&mut self, now: Now, phase: Phase) {
        let Some(command) = phase.command() else { return };
        let id = hyphenated(self.id_of_question(phase));
        self.question = Some(Question { command, id, packet: 0, is_published: false });
        self.ask_again(now);
    }

    /// By what the question for this phase is known: it stays the same over a restart.
    fn id_of_question(&mut self, phase: Phase) -> [u8; 16] {
        if let Some((_, id)) = self.asked.filter(|(of, _)| *of == phase) {
            return id;
        }
        let id = self.uuid();
        self.asked = Some((phase, id));
        id
    }

    /// What is saved of the question that is open or about to be asked.
    pub(super) fn question_to_save(&mut self) -> Option<(Phase, [u8; 16])> {
        let phase = self.engine.campaign().filter(|campaign| campaign.is_running())?.consent.asking?;
        Some((phase, self.id_of_question(phase)))
    }

    /// A new connection knows nothing of the question; its answer may be lost.
    pub(super) fn ask_again(&mut self, now: Now) {
        let Some(question) = &mut self.question else { return };
        question.is_published = false;
        if !self.session.is_connected() {
            // It is asked when there is a connection.
            return;
        }
        if self.twin.is_some() {
            // A twin's answer comes among its requests, which are subscribed to.
            return self.publish_question(now);
        }
        let topic = self.topics.incoming(Incoming::OwnerConsentFeedback);
        let packet = self.subscribe_to(now, &[&topic]);
        if let Some(question) = &mut self.question {
            question.packet = packet;
        }
    }

    pub(super) fn close_consent(&mut self, now: Now) {
        self.asked = None;
        if self.question.take().is_some() && self.twin.is_none() {
            let topic = self.topics.incoming(Incoming::OwnerConsentFeedback);
            self.session.unsubscribe(now.tick, &[&topic]);
        }
    }

    /// A SUBSCRIBE was acknowledged; perhaps the question waited for it.
    pub(super) fn handle_subscribed(&mut self, now: Now, packet: u16) {
        if self.question.as_ref().is_some_and(|question| question.packet == packet) {
            self.publish_question(now);
        }
    }

    fn publish_question(&mut self, now: Now) {
        let Some(backend) = self.backend() else { return };
        let Some(question) = self.question.as_mut().filter(|question| !question.is_published) else { return };
        let Some(campaign) = self.engine.campaign() else { return };
        question.is_published = true;
        let (command, id) = (question.command, question.id.clone());
        let activity = campaign.identity.activity.clone();
        let activity = Text::from_checked(&activity);
        log::info!("{activity}: the owner is asked for consent to {}", command.name());
        let frame = Frame { backend: &backend, activity, timestamp: now.wall };
        let body = |out: &mut dyn fmt::Write| frame.consent(out, &id, command);
        let topic = backend.topic(&self.topics, Outgoing::OwnerConsent);
        // The next connection asks again.
        self.send(now, message_to(&topic, Class::LinkBound, &body));
    }

    /// The UUID of the question that the owner of a twin was asked, if one is open.
    pub(super) fn question_id(&self) -> Option<String> {
        let published = self.question.as_ref().filter(|question| question.is_published);
        published.filter(|_| matches!(self.backend(), Some(Backend::Thing(_)))).map(|question| question.id.clone())
    }

    /// A random UUID (RFC 9562, version 4), from a xorshift that was seeded by the
    /// system: it has to differ, not to be a secret.
    fn uuid(&mut self) -> [u8; 16] {
        let mut word = || {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.random
        };
        let (high, low) = (word() & !0xf000 | 0x4000, word() >> 2 | 1 << 63);
        (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
    }

    pub(super) fn handle_consent_reply(&mut self, now: Now, topic: &str, bytes: &[u8]) {
        let decoded = Envelope::decode(bytes).and_then(|envelope| Ok((envelope.activity, consent::decode(&envelope)?)));
        let (activity, answer) = match decoded {
            Ok(decoded) => decoded,
            Err(malformed) => return self.ignore_malformed(now, topic, bytes, &malformed),
        };
        if !self.question.as_ref().is_some_and(|question| question.is_published) {
            return log::info!("{activity}: owner's answer ignored, nothing was asked");
        }
        let approved = match answer {
            ConsentReply::Approved => true,
            ConsentReply::Denied => false,
            ConsentReply::Unknown => return log::warn!("{activity}: owner's answer ignored, its status is unknown"),
        };
        match self.decide(now, Event::ConsentReply(activity, approved)) {
            Ok(()) => {}
            Err(Rejected::NotAsked) => log::info!("{activity}: owner's answer ignored, nothing was asked"),
            Err(_) => log::info!("{activity}: owner's answer ignored, no such activity runs"),
        }
    }
}

/// A UUID as it is written.
fn hyphenated(id: [u8; 16]) -> String {
    let id = u128::from_be_bytes(id);
    let (a, b, c) = (id >> 96, id >> 80 & 0xffff, id >> 64 & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", id >> 48 & 0xffff, id & 0xffff_ffff_ffff)
}
