//! Requests to the digital twin (docs/twin-api.md) and their answers.
//!
//! In: requests. Out: answers to the backend, and a [`Wish`] for the other parts.
//!
//! Invariants: the answer goes out before anything that follows from the request. Answers
//! leave room for the messages of an activity.
//!
//! Deliberately absent: carrying out what is asked for.

use core::fmt::{self, Write};

use super::admission::is_known;
use super::refusals::Received;
use super::{Backend, Wish};
use crate::engine::event::ConsentAnswer;
use crate::engine::{Campaign, Event};
use crate::limits::PAYLOAD_IN_MAX;
use crate::manager::activity::runs;
use crate::manager::message::escape;
use crate::manager::outside::{message_to, Outside};
use crate::manager::wanted::Wanted;
use crate::model::text::Escaped;
use crate::model::time::Now;
use crate::mqtt::{Class, Publish};
use crate::wire::consent::ConsentReply;
use crate::wire::things::encode::{answer, Answer};
use crate::wire::things::{Operation, Reply, Request, RequestTopic};
use crate::wire::Malformed;

/// A request that has to be answered.
struct Open<'r, 'a> {
    topic: &'r RequestTopic<'r>,
    reply: Reply<'a>,
    /// The whole message.
    bytes: &'a [u8],
    received: Received,
}

impl Backend {
    /// Handles a request: answers it, and returns what it asks of the other parts. `question`
    /// is the UUID of the question that the owner was asked.
    pub(in crate::manager) fn handle_request<'a>(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        question: Option<&str>,
        topic: &RequestTopic<'a>,
        publish: &'a Publish,
    ) -> Wish<'a> {
        let Some(identity) = self.identity() else { return Wish::Nothing };
        let bytes: &[u8] = &publish.payload;
        let (reply, request) = match Request::decode(bytes, topic, identity) {
            Ok(decoded) => decoded,
            Err(foreign) => {
                log::debug!("request {}: ignored, {}", topic.id, foreign.0);
                return Wish::Nothing;
            }
        };
        let open = Open { topic, reply, bytes, received: Received::of(bytes, Some(publish.delivery)) };
        if self.is_repeat(&open, request.as_ref().ok()) {
            log::info!("request {}: ignored, it was handled when it came before", topic.id);
            return Wish::Nothing;
        }
        let result = request.and_then(|request| match request.operation {
            Operation::Apply => self.handle_apply(now, outside, campaign, &open, &request),
            Operation::Refresh => {
                let envelope = request.refresh()?;
                self.answer(now, outside, &open, Answer::Taken);
                Ok(Wish::Get(envelope.activity))
            }
            Operation::Consent => self.handle_consent(now, outside, campaign, question, &open, &request),
        });
        result.unwrap_or_else(|malformed| {
            self.refuse_request(now, outside, &open, &malformed.within(bytes));
            Wish::Nothing
        })
    }

    /// Returns whether a request was handled already: it came by another form of topic, or it
    /// is an answer of the owner that the broker delivers once more, for which no question
    /// would be open any more.
    fn is_repeat(&mut self, open: &Open<'_, '_>, request: Option<&Request<'_>>) -> bool {
        if open.reply.correlation_id.is_none() {
            return false;
        }
        let sum = open.received.sum;
        let is_answer = request.is_some_and(|request| request.operation == Operation::Consent);
        let is_redelivered = open.received.delivery.is_some_and(|delivery| delivery.dup);
        let is_answer_again = is_answer && is_redelivered && self.repeats.has(sum);
        self.repeats.is_copy(sum, open.topic.form()) || is_answer_again
    }

    /// Handles a request to apply a desired state.
    fn handle_apply<'a>(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        open: &Open<'_, 'a>,
        request: &Request<'a>,
    ) -> Result<Wish<'a>, Malformed> {
        let (envelope, state) = request.apply()?;
        let delivery = open.received.delivery;
        if !outside.has_activity_room() && !is_known(&outside.store, campaign, &envelope, open.bytes, delivery) {
            self.refuse_request(now, outside, open, &"too many messages wait for the broker");
            return Ok(Wish::Nothing);
        }
        self.answer(now, outside, open, Answer::Taken);
        Ok(Wanted::of(open.bytes, delivery, &envelope, state, &outside.names).map_or(Wish::Nothing, Wish::Apply))
    }

    /// Handles the owner's answer. Its correlation id has to be that of the question.
    fn handle_consent<'a>(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        question: Option<&str>,
        open: &Open<'_, 'a>,
        request: &Request<'a>,
    ) -> Result<Wish<'a>, Malformed> {
        let mut refuse = |why: &dyn fmt::Display| {
            self.refuse_request(now, outside, open, why);
            Ok(Wish::Nothing)
        };
        let Some(asked) = question else { return refuse(&"owner consent handler not available") };
        if !open.reply.correlation_id.is_some_and(|id| id.eq_str(asked)) {
            return refuse(&"correlation id mismatch");
        }
        let (envelope, said) = request.consent()?;
        let is_approval = match said {
            ConsentReply::Approved => true,
            ConsentReply::Denied => false,
            ConsentReply::Unknown => {
                return refuse(&"value.ownerConsentFeedback.status is neither APPROVED nor DENIED");
            }
        };
        if !runs(campaign, envelope.activity) {
            return refuse(&"no such activity waits for the owner's consent");
        }
        self.answer(now, outside, open, Answer::Taken);
        // The correlation id tells its repeat.
        Ok(Wish::Tell(Event::ConsentReply(ConsentAnswer::undated(envelope.activity, is_approval))))
    }

    /// Refuses an oversized request for `subject`.
    pub(super) fn refuse_large_request(
        &mut self,
        now: Now,
        outside: &mut Outside,
        topic: &RequestTopic<'_>,
        subject: &str,
        received: Received,
        len: usize,
    ) {
        let why = format_args!("the message has {len} bytes, at most {PAYLOAD_IN_MAX} are taken").to_string();
        let open = Open { topic, reply: Reply::unread(subject), bytes: &[], received };
        self.refuse_request(now, outside, &open, &why);
    }

    /// Counts and logs a request that is refused, and answers why, unless that was done
    /// already for this very message.
    fn refuse_request(&mut self, now: Now, outside: &mut Outside, open: &Open<'_, '_>, why: &dyn fmt::Display) {
        if self.refusals.was_told(open.received) {
            return log::info!("request {}: comes once more and is ignored, it was refused", open.topic.id);
        }
        outside.count_malformed(now);
        log::warn!("request {}: {} refused: {why}", open.topic.id, Escaped(open.reply.subject));
        self.answer(now, outside, open, Answer::Refused(&|out: &mut dyn Write| escape(out, why)));
    }

    /// Answers a request, if it wants an answer and there is room for it.
    fn answer(&self, now: Now, outside: &mut Outside, open: &Open<'_, '_>, with: Answer<'_>) {
        let Some(identity) = self.identity().filter(|_| open.reply.required) else { return };
        if !outside.has_answer_room() {
            // A broker that acknowledges nothing may deliver a request again and again. The
            // answers must not displace the messages of an activity.
            return log::warn!("request {}: not answered, too many messages wait for the broker", open.topic.id);
        }
        let topic = open.topic.answer(with.status());
        let body = |out: &mut dyn Write| answer(out, identity, &open.reply, with);
        outside.send(now, message_to(&topic, Class::Keep, &body));
    }
}
