//! The digital twin (things.md): who we are is told by the edge, requests come as
//! commands to the thing, and each gets an answer.

use core::fmt::{self, Write};
use std::rc::Rc;

use super::backend::Backend;
use super::inbound::escape;
use super::outbound::message_to;
use super::Manager;
use crate::engine::Event;
use crate::inventory;
use crate::limits::{ANSWER_ROOM, ANSWER_ROOM_MESSAGES, PAYLOAD_IN_MAX, REPORTS_MAX};
use crate::model::time::Now;
use crate::model::{Run, Status};
use crate::mqtt::Class;
use crate::store::journal::{Kind, Past};
use crate::wire::consent::ConsentReply;
use crate::wire::things::encode::{answer, feature, Answer};
use crate::wire::things::{Identity, Operation, Reply, Request, RequestTopic, EDGE_REQUEST, EVENTS};

/// Of features only the newest is of interest.
const FEATURE: Class = Class::Newest(3);

/// What the twin needs to know.
#[derive(Default)]
pub(super) struct Twin {
    /// Who we are, as the edge last said.
    pub(super) identity: Option<Rc<Identity>>,
    /// What was to be reported of the activity that runs before anybody knew who we are,
    /// each status once: those before `RUNNING`, and that. Ends are marked in the journal.
    pub(super) waiting: heapless::Vec<Status, 3>,
    /// Which activity that is.
    pub(super) waiting_of: Run,
}

impl Manager {
    pub(super) fn identity(&self) -> Option<Rc<Identity>> {
        self.twin.as_ref()?.identity.clone()
    }

    /// How the backend is spoken to; none before a twin knows who it is.
    pub(super) fn backend(&self) -> Option<Backend> {
        match &self.twin {
            None => Some(Backend::Plain),
            Some(twin) => twin.identity.clone().map(Backend::Thing),
        }
    }

    /// Asks the edge who we are. What it said before counts until it says otherwise.
    pub(super) fn ask_edge(&mut self, now: Now) {
        self.send(now, message_to(EDGE_REQUEST, Class::LinkBound, &|_: &mut dyn Write| Ok(())));
        if self.identity().is_some() {
            self.set_up_thing(now);
        }
    }

    pub(super) fn handle_edge_response(&mut self, now: Now, topic: &str, bytes: &[u8]) {
        let identity = match Identity::decode(bytes) {
            Ok(identity) => identity,
            Err(malformed) => return log::error!("{topic}: refused: {malformed}"),
        };
        if self.identity().is_some_and(|known| *known == identity) {
            return log::debug!("{topic}: nothing new");
        }
        log::info!("the device is {:?}", identity.device_id());
        let filters = RequestTopic::filters(&identity);
        let filters: Vec<&str> = filters.iter().map(|filter| filter.as_str()).collect();
        self.subscribe_to(now, &filters);
        if let Some(twin) = &mut self.twin {
            twin.identity = Some(Rc::new(identity));
        }
        self.note_identity();
        // Requests to whom we were before.
        self.take_back(now);
        self.set_up_thing(now);
    }

    fn set_up_thing(&mut self, now: Now) {
        let Some(identity) = self.identity() else { return };
        let manager = self.manager.clone();
        self.send(now, message_to(EVENTS, FEATURE, &|out: &mut dyn Write| feature(out, &identity, &manager)));
        let mut effects = inventory::Effects::new();
        self.rounds.handle_link_up(now, self.busy(), &mut effects);
        self.carry_out_inventory(now, effects);
        self.tell_what_waited(now);
        self.ask_again(now);
    }

    pub(super) fn handle_request(&mut self, now: Now, topic: &RequestTopic<'_>, bytes: &[u8], dup: bool) {
        let Some(identity) = self.identity() else { return };
        if self.refusals.has(bytes, dup) {
            return log::info!("request {}: comes once more and is ignored, its desired state was refused", topic.id);
        }
        let (reply, request) = match Request::decode(bytes, topic, &identity) {
            Ok(decoded) => decoded,
            Err(foreign) => return log::debug!("request {}: ignored, {}", topic.id, foreign.0),
        };
        let result = request.and_then(|request| match reply.operation {
            Operation::Apply => self.handle_apply(now, topic, &reply, bytes, &request),
            Operation::Refresh => {
                let envelope = request.refresh()?;
                self.answer(now, topic, &reply, Answer::Taken);
                let mut effects = inventory::Effects::new();
                self.rounds.handle_get(now, envelope.activity, self.busy(), &mut effects);
                self.carry_out_inventory(now, effects);
                Ok(())
            }
            Operation::Consent => self.handle_thing_consent(now, topic, &reply, &request),
        });
        if let Err(malformed) = result {
            self.answer_refused(now, topic, &reply, &malformed.within(bytes));
        }
    }

    fn handle_apply(
        &mut self,
        now: Now,
        topic: &RequestTopic<'_>,
        reply: &Reply<'_>,
        bytes: &[u8],
        request: &Request<'_>,
    ) -> Result<(), crate::wire::Malformed> {
        let (envelope, state) = request.apply()?;
        if !self.has_answer_room() && !self.is_known(&envelope, bytes) {
            self.refusals.note(bytes);
            self.answer_refused(now, topic, reply, &"too many messages wait for the broker");
            return Ok(());
        }
        self.answer(now, topic, reply, Answer::Taken);
        self.apply(now, bytes, &envelope, state, false);
        Ok(())
    }

    /// The answer's correlation id has to be that of the question; it counts once.
    fn handle_thing_consent(
        &mut self,
        now: Now,
        topic: &RequestTopic<'_>,
        reply: &Reply<'_>,
        request: &Request<'_>,
    ) -> Result<(), crate::wire::Malformed> {
        let refuse = |manager: &mut Manager, why: &dyn fmt::Display| manager.answer_refused(now, topic, reply, why);
        let Some(asked) = self.question_id() else {
            refuse(self, &"owner consent handler not available");
            return Ok(());
        };
        if !reply.correlation_id.is_some_and(|id| id.eq_str(&asked)) {
            refuse(self, &"correlation id mismatch");
            return Ok(());
        }
        let (envelope, said) = request.consent()?;
        let approved = match said {
            ConsentReply::Approved => true,
            ConsentReply::Denied => false,
            ConsentReply::Unknown => {
                refuse(self, &"value.ownerConsentFeedback.status is neither APPROVED nor DENIED");
                return Ok(());
            }
        };
        if !self.runs(envelope.activity) {
            refuse(self, &"no such activity waits for the owner's consent");
            return Ok(());
        }
        self.answer(now, topic, reply, Answer::Taken);
        let _ = self.decide(now, Event::ConsentReply(envelope.activity, approved));
        Ok(())
    }

    /// A request that is too large to hold: all that is known is its topic.
    pub(super) fn refuse_oversized(&mut self, now: Now, topic: &RequestTopic<'_>, len: usize) {
        if let Some(operation) = topic.operation {
            let why = format_args!("the message has {len} bytes, at most {PAYLOAD_IN_MAX} are taken").to_string();
            self.answer_refused(now, topic, &Reply::unread(operation), &why);
        }
    }

    fn answer_refused(&mut self, now: Now, topic: &RequestTopic<'_>, reply: &Reply<'_>, why: &dyn fmt::Display) {
        let counters = &mut self.console.counters;
        counters.malformed = counters.malformed.saturating_add(1);
        self.store.journal.note_last(now, Kind::Malformed);
        log::warn!("request {}: {} refused: {why}", topic.id, reply.operation.name());
        self.answer(now, topic, reply, Answer::Refused(&|out: &mut dyn Write| escape(out, why)));
    }

    fn answer(&mut self, now: Now, topic: &RequestTopic<'_>, reply: &Reply<'_>, with: Answer<'_>) {
        let Some(identity) = self.identity().filter(|_| reply.required) else { return };
        if !self.session.has_room(ANSWER_ROOM, ANSWER_ROOM_MESSAGES) {
            // A broker that acknowledges nothing delivers a request again and again: its
            // answers must not push out what an activity has to say.
            return log::warn!("request {}: not answered, too many messages wait for the broker", topic.id);
        }
        let answer_topic = topic.answer(with.status());
        let body = |out: &mut dyn Write| answer(out, &identity, reply, with);
        self.send(now, message_to(&answer_topic, Class::Keep, &body));
    }

    /// Logs and keeps for later what cannot be reported before we know who we are.
    pub(super) fn wait_for_identity(&mut self, status: Status) {
        let Some(campaign) = self.engine.campaign() else { return };
        let (run, is_end) = (campaign.identity.run, campaign.end.outcome == Some(status));
        log::info!("{}: reported when the edge has said who we are", campaign.identity.activity);
        let Some(twin) = &mut self.twin else { return };
        if twin.waiting_of != run || is_end {
            twin.waiting.clear();
        }
        twin.waiting_of = run;
        if is_end {
            return self.store.set_untold(run, true);
        }
        if !twin.waiting.contains(&status) {
            // There are no more than it has room for.
            let _ = twin.waiting.push(status);
        }
    }

    /// Whether anything waits until we know who we are.
    pub(super) fn waits_for_identity(&self) -> bool {
        let has_status = self.twin.as_ref().is_some_and(|twin| !twin.waiting.is_empty());
        has_status || self.store.journal.past().any(|past| past.is_untold)
    }

    /// Reports what could not be reported before, as soon as we know who we are: no more
    /// ends than the broker has room for.
    pub(super) fn tell_what_waited(&mut self, now: Now) {
        if self.identity().is_none() || !self.waits_for_identity() {
            return;
        }
        let own = self.engine.campaign().map(|campaign| campaign.identity.run);
        let room = REPORTS_MAX.saturating_sub(self.session.found().count());
        let untold = self.store.journal.past().filter(|past| past.is_untold);
        let untold: Vec<Past> = untold.take(room).cloned().collect();
        for past in untold {
            match own == Some(past.run) {
                true => self.report(now, past.outcome),
                false => self.report_past(now, &past),
            }
            self.store.set_untold(past.run, false);
        }
        let Some(twin) = &mut self.twin else { return };
        let waiting = core::mem::take(&mut twin.waiting);
        if own == Some(twin.waiting_of) {
            waiting.into_iter().for_each(|status| self.report(now, status));
        }
    }
}
