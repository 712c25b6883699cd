//! The question for the owner's consent. Its answer's topic is subscribed to only
//! as long as the question is open, and the question goes out only once that
//! subscription is acknowledged: no answer can be missed, and an answer to an
//! earlier question cannot count for this one.

use core::fmt;

use super::Router;
use crate::mqtt::Class;
use crate::orchestrator::phase::{Command, Phase};
use crate::orchestrator::{Event, Rejected};
use crate::text::Text;
use crate::time::Now;
use crate::wire::consent::{self, Answer};
use crate::wire::status::command_name;
use crate::wire::topic::{Incoming, Outgoing};
use crate::wire::{encode, Envelope};

/// An open question.
pub(super) struct Question {
    command: Command,
    /// The SUBSCRIBE that its publication waits for.
    packet: u16,
    is_published: bool,
}

impl Router {
    pub(super) fn ask_consent(&mut self, now: Now, phase: Phase) {
        let Some(command) = phase.command() else { return };
        let packet = self.subscribe_to_answer(now);
        self.question = Some(Question { command, packet, is_published: false });
    }

    /// A new connection knows nothing of the question; its answer may be lost.
    pub(super) fn ask_again(&mut self, now: Now) {
        if let Some(Question { command, .. }) = self.question {
            let packet = self.subscribe_to_answer(now);
            self.question = Some(Question { command, packet, is_published: false });
        }
    }

    pub(super) fn close_consent(&mut self, now: Now) {
        if self.question.take().is_some() {
            let topic = self.topics.incoming(Incoming::OwnerConsentFeedback);
            self.session.unsubscribe(now.tick, &[&topic]);
        }
    }

    fn subscribe_to_answer(&mut self, now: Now) -> u16 {
        let topic = self.topics.incoming(Incoming::OwnerConsentFeedback);
        self.session.subscribe(now.tick, &[&topic])
    }

    /// A SUBSCRIBE was acknowledged; perhaps the question waited for it.
    pub(super) fn publish_question(&mut self, now: Now, packet: u16) {
        let waits = |question: &&mut Question| question.packet == packet && !question.is_published;
        let Some(question) = self.question.as_mut().filter(waits) else { return };
        let Some(campaign) = self.orchestrator.campaign() else { return };
        question.is_published = true;
        let command = question.command;
        let activity = campaign.activity.clone();
        let activity = Text::from_checked(&activity);
        log::info!("{activity}: the owner is asked for consent to {}", command_name(command));
        let body = |out: &mut dyn fmt::Write| {
            encode::head(out, activity, now.wall)?;
            encode::command(out, command)
        };
        self.publish(now, Outgoing::OwnerConsent, Class::Keep, &body, None, encode::TAIL);
    }

    pub(super) fn handle_consent_reply(&mut self, now: Now, topic: &str, bytes: &[u8]) {
        let decoded = Envelope::decode(bytes).and_then(|envelope| Ok((envelope.activity, consent::decode(&envelope)?)));
        let (activity, answer) = match decoded {
            Ok(decoded) => decoded,
            Err(malformed) => return self.ignore_malformed(topic, bytes, &malformed),
        };
        if !self.question.as_ref().is_some_and(|question| question.is_published) {
            return log::info!("{activity}: owner's answer ignored, nothing was asked");
        }
        let approved = match answer {
            Answer::Approved => true,
            Answer::Denied => false,
            Answer::Unknown => return log::warn!("{activity}: owner's answer ignored, its status is unknown"),
        };
        match self.decide(now, Event::ConsentReply(activity, approved)) {
            Ok(()) => {}
            Err(Rejected::NotAsked) => log::info!("{activity}: owner's answer ignored, nothing was asked"),
            Err(_) => log::info!("{activity}: owner's answer ignored, no such activity runs"),
        }
    }
}
