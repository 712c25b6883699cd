//! Passes on what comes in: events of the session, messages, and requests of the console
//! go to the part that understands them, and the engine's events that they are go to the
//! engine.
//!
//! In: the session's events, and lines from the console. Out: calls of the parts, events
//! for the engine, acknowledgements, answers to the console.
//!
//! Invariants: a message is acknowledged unless the process is ending; a persistent session
//! delivers it again then. A malformed message is counted and logged once, here, unless its
//! sender gets an answer.
//!
//! Deliberately absent: the meaning of any message.

use super::agents;
use super::backend::admission::{standing, Why};
use super::backend::{Origin, Wish};
use super::console::control::Control;
use super::console::show::Sight;
use super::console::{self, pieces, Bars, Place, Reply, Step};
use super::inventory::Sent;
use super::owner;
use super::subscriptions::WantedFilters;
use super::wanted::Wanted;
use super::Manager;
use crate::console::view::Host;
use crate::engine::event::Standing;
use crate::engine::{Event, Link};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{DomainIx, DomainSet, Run};
use crate::mqtt::{Answer, Class, Delivery, Event as SessionEvent, Publish, Refusal, Remedy};
use crate::store::journal::Kind;
use crate::wire::topic::Incoming;
use crate::wire::{Envelope, Malformed};

impl Manager {
    /// Returns the next event of the session; none while a document is being sent, since
    /// the source of the document must not change meanwhile.
    pub(super) fn next_event(&mut self, now: Now) -> Option<SessionEvent> {
        let session = &mut self.outside.session;
        if session.is_mid_document() {
            return None;
        }
        session.poll_event(now.tick)
    }

    /// Handles one event of the session.
    pub(super) fn handle_event(&mut self, now: Now, event: SessionEvent) {
        match event {
            SessionEvent::Connected { session_present } => self.handle_connected(now, session_present),
            SessionEvent::Lost(_) => {
                self.agents.handle_lost(&self.outside);
                self.subscriptions.handle_lost();
                self.presence.handle_lost();
                self.outside.store.journal.note(now, Kind::Lost, None);
                self.backend.forget_skimmed();
                self.outside.store.drop_acknowledgements();
                let _ = self.decide(now, Event::Link(Link::Down));
            }
            SessionEvent::Refused(refusal) => self.handle_refusal(now, &refusal),
            SessionEvent::Subscribed { packet } => {
                self.handle_subscribed(now, packet, &[]);
                let (form, campaign) = (self.backend.form(), self.activity.campaign());
                self.owner.handle_subscribed(now, &mut self.outside, form, campaign, packet);
            }
            SessionEvent::SubscribeRefused { filters, packet } => self.handle_subscribed(now, packet, &filters),
            SessionEvent::Unsubscribed { packet } => {
                if self.subscriptions.handle_unsubscribed(packet) {
                    self.take_back_subscriptions(now);
                }
                self.ending.handle_unsubscribed();
            }
            SessionEvent::Publish(publish) => {
                self.outside.count_message();
                if !self.ending.has_begun() {
                    self.handle_publish(now, &publish);
                    self.outside.acknowledge(publish.ack);
                }
            }
            SessionEvent::Oversized { topic, len, part, last, delivery, ack } => {
                self.backend.skim(&part);
                if last && self.ending.has_begun() {
                    self.backend.forget_skimmed();
                } else if last {
                    let campaign = self.activity.campaign();
                    self.backend.refuse_skimmed(now, &mut self.outside, campaign, &topic, len, delivery);
                    self.outside.acknowledge(ack);
                }
            }
        }
    }

    /// Handles that the broker refuses a message for good. A domain that was to get it fails;
    /// an end is told in a shorter form.
    fn handle_refusal(&mut self, now: Now, refusal: &Refusal) {
        let Refusal { topic, len, class, remedy } = refusal;
        log::error!("{topic}: the broker refuses a message of {len} bytes, {remedy}");
        match class {
            _ if *remedy != Remedy::Dropped => {}
            Class::Found(run) => self.backend.report_shorter(now, &mut self.outside, Run(*run), *len),
            Class::Order => {
                let bytes = u32::try_from(*len).unwrap_or(u32::MAX);
                if let Some(domain) = self.outside.names.domain_of_order(topic) {
                    let _ = self.decide(now, Event::Refused(domain, bytes));
                }
            }
            _ => {}
        }
    }

    fn handle_connected(&mut self, now: Now, session_present: bool) {
        self.outside.store.journal.note(now, Kind::Connected, None);
        log::info!("connected{}", if session_present { ", the broker kept the session" } else { "" });
        let wanted = self.filters();
        let packet = self.subscriptions.renew(now, &mut self.outside.session, &wanted, session_present);
        self.agents.await_subscription(packet);
        self.take_back_subscriptions(now);
        let event = self.agents.handle_connected(&self.outside, session_present);
        let _ = self.decide(now, event);
        if self.backend.is_twin() {
            self.backend.ask_edge(now, &mut self.outside);
            self.set_up_thing(now);
        } else {
            let effects = self.inventory.handle_link_up(now, self.activity.busy());
            self.carry_out_inventory(now, &effects);
            self.ask_owner(now);
        }
    }

    /// Catches up with the backend as soon as the twin knows which thing it is.
    fn set_up_thing(&mut self, now: Now) {
        if !self.backend.set_up_feature(now, &mut self.outside) {
            return;
        }
        let effects = self.inventory.handle_link_up(now, self.activity.busy());
        self.carry_out_inventory(now, &effects);
        self.backend.tell_what_waited(now, &mut self.outside, self.activity.campaign());
        self.ask_owner(now);
    }

    /// Handles the answer to a SUBSCRIBE, in which the filters in these places are refused.
    fn handle_subscribed(&mut self, now: Now, packet: u16, refused: &[u16]) {
        let was_deaf = !self.subscriptions.refused().is_empty();
        let topics = &self.outside.names.topics;
        let is_feedback = |topic: &String| {
            matches!(self.backend.classify(topics, topic), Some(Origin::Plain(Incoming::AgentFeedback(_))))
        };
        let was_feedback_lost = self.subscriptions.refused().iter().any(is_feedback);
        let answer = self.subscriptions.handle_subscribed(now, packet, refused);
        if let Some(event) = self.agents.handle_subscribed(packet) {
            let _ = self.decide(now, event);
        }
        if !self.ending.has_begun() && answer != Answer::Unasked {
            self.presence.publish(now, &mut self.outside, answer == Answer::Heard);
        }
        if was_deaf && answer == Answer::Heard {
            self.handle_hearing(now, was_feedback_lost);
        }
    }

    /// Handles that the broker takes what it has refused. If agents were not heard, what they
    /// have said is lost, as with a session.
    fn handle_hearing(&mut self, now: Now, was_feedback_lost: bool) {
        log::info!("not deaf any more: the broker takes the subscriptions");
        if was_feedback_lost {
            let lost = Link::Fresh { unsent: DomainSet::EMPTY, dropped: DomainSet::EMPTY };
            let _ = self.decide(now, Event::Link(lost));
        }
        if !self.backend.is_thing_unknown() {
            let effects = self.inventory.handle_link_up(now, self.activity.busy());
            self.carry_out_inventory(now, &effects);
        }
    }

    /// Asks the broker again for what it has refused, if that is due.
    pub(super) fn ask_for_refused(&mut self, now: Now) {
        if self.ending.has_begun() {
            return;
        }
        let wanted = self.wanted_filters();
        match self.subscriptions.ask_again(now, &mut self.outside.session, &wanted) {
            None => {}
            // What was refused is not wanted any more.
            Some(0) if self.outside.session.is_connected() => self.presence.publish(now, &mut self.outside, true),
            Some(packet) => self.owner.handle_asked_again(packet, self.subscriptions.refused()),
        }
    }

    fn handle_publish(&mut self, now: Now, publish: &Publish) {
        let Publish { topic, payload, delivery, .. } = publish;
        let Delivery { dup, retain, .. } = *delivery;
        let result = match self.backend.classify(&self.outside.names.topics, topic) {
            Some(Origin::Edge) => {
                self.handle_edge(now, topic, payload);
                Ok(())
            }
            Some(Origin::Thing(request)) => {
                let (campaign, question) = (self.activity.campaign(), self.owner.question_id());
                let outside = &mut self.outside;
                let wish = self.backend.handle_request(now, outside, campaign, question, &request, publish);
                self.grant(now, wish);
                Ok(())
            }
            Some(Origin::Plain(Incoming::DesiredState)) => {
                // The backend has its answer.
                let _ = self.take_desired_state(now, payload, Some(*delivery), false);
                Ok(())
            }
            Some(Origin::Plain(Incoming::DesiredStateCommand)) => {
                log::info!("{topic}: ignored, it is not for the top-level manager");
                Ok(())
            }
            Some(Origin::Plain(Incoming::CurrentStateGet)) => {
                Envelope::decode(payload).map(|envelope| self.grant(now, Wish::Get(envelope.activity)))
            }
            Some(Origin::Plain(Incoming::AgentFeedback(domain))) => {
                self.handle_feedback(now, domain, topic, payload, dup)
            }
            Some(Origin::Plain(Incoming::AgentInventory(domain))) => {
                self.handle_inventory(now, domain, payload, retain)
            }
            Some(Origin::Plain(Incoming::OwnerConsentFeedback)) if retain => {
                log::warn!("{topic}: ignored, an owner's answer that the broker kept answers no question of ours");
                Ok(())
            }
            Some(Origin::Plain(Incoming::OwnerConsentFeedback)) => self.handle_consent_reply(now, payload, dup),
            None => {
                self.handle_stray(now, topic);
                Ok(())
            }
        };
        if let Err(malformed) = result {
            self.outside.ignore_malformed(now, topic, payload, &malformed);
        }
    }

    /// Does what the backend has asked for.
    fn grant(&mut self, now: Now, wish: Wish<'_>) {
        match wish {
            Wish::Nothing => {}
            Wish::Apply(wanted) => {
                // The backend has its answer.
                let _ = self.apply(now, &wanted, false);
            }
            Wish::Get(activity) => {
                let effects = self.inventory.handle_get(now, activity, self.activity.busy());
                self.carry_out_inventory(now, &effects);
            }
            Wish::Tell(event) => {
                let _ = self.decide(now, event);
            }
        }
    }

    /// Takes a desired state of the backend or the console; with `force` even if the end of
    /// the activity before cannot be saved.
    fn take_desired_state(
        &mut self,
        now: Now,
        payload: &[u8],
        delivery: Option<Delivery>,
        force: bool,
    ) -> Result<(), Why> {
        let campaign = self.activity.campaign();
        match self.backend.read_desired_state(now, &mut self.outside, campaign, payload, delivery)? {
            Some(wanted) => self.apply(now, &wanted, force),
            None => Ok(()),
        }
    }

    /// Begins a desired state, or answers why it is not applied.
    fn apply(&mut self, now: Now, wanted: &Wanted<'_>, force: bool) -> Result<(), Why> {
        let store = &self.outside.store;
        let standing = Standing {
            restorable: store.restorable(&self.outside.names.domains),
            is_held: store.has_held(),
            is_blocked: !force && store.obstacle().is_some(),
            ..standing(store, wanted.key, wanted.delivery)
        };
        if let Err(rejected) = self.activity.begin(now, wanted, store.next_run(), standing) {
            let campaign = self.activity.campaign();
            return Err(self.backend.reject(now, &mut self.outside, campaign, wanted, rejected));
        }
        self.outside.store.accept();
        self.agents.begin(&mut self.outside, wanted);
        self.settle(now);
        Ok(())
    }

    /// Takes the identity that the edge announces.
    fn handle_edge(&mut self, now: Now, topic: &str, bytes: &[u8]) {
        let Some(filters) = self.backend.handle_edge(topic, bytes) else { return };
        self.subscriptions.handle_identity(now, &mut self.outside.session, &filters);
        // Requests to the thing that we were before.
        self.take_back_subscriptions(now);
        self.set_up_thing(now);
    }

    /// Handles a feedback. Its actions are on the stack, hence a function that is never
    /// inlined.
    #[inline(never)]
    fn handle_feedback(
        &mut self,
        now: Now,
        domain: DomainIx,
        topic: &str,
        bytes: &[u8],
        dup: bool,
    ) -> Result<(), Malformed> {
        if bytes.is_empty() {
            // The self-update agent sends that after a success (docs/agents.md, "The self-update agent").
            log::debug!("{topic}: empty message ignored");
            return Ok(());
        }
        let mut actions = heapless::Vec::new();
        let feedback = agents::decode(bytes, dup, &mut actions)?;
        self.agents.hear(&self.outside.names, self.activity.campaign(), domain, &feedback);
        if let Err(rejected) = self.decide(now, Event::Feedback(domain, feedback)) {
            agents::log_rejected(&self.outside.names, domain, &feedback, rejected);
        }
        Ok(())
    }

    #[inline(never)]
    fn handle_inventory(&mut self, now: Now, domain: DomainIx, bytes: &[u8], retain: bool) -> Result<(), Malformed> {
        let sent = Sent::decode(&self.outside.names, domain, bytes)?;
        if !retain && self.inventory.is_unasked(&sent) && !self.activity.runs(sent.activity) {
            if self.activity.busy().contains(domain) {
                self.outside.store.journal.note(now, Kind::Hello, Some(domain));
            }
            let _ = self.decide(now, Event::Hello(domain));
        }
        if let Some(effects) = self.inventory.handle_inventory(now, &self.outside.names, &sent) {
            self.carry_out_inventory(now, &effects);
            if !retain {
                self.show(now, &sent);
            }
        }
        Ok(())
    }

    fn handle_consent_reply(&mut self, now: Now, bytes: &[u8], dup: bool) -> Result<(), Malformed> {
        if let Some(event) = self.owner.read_reply(bytes, dup)? {
            if let Err(rejected) = self.decide(now, event) {
                owner::log_rejected(&event, rejected);
            }
        }
        Ok(())
    }

    /// Takes back the subscription by which an unwanted message came.
    fn handle_stray(&mut self, now: Now, topic: &str) {
        log::warn!("a message to {topic} is none of ours");
        if !self.subscriptions.is_taking_back() {
            let wanted = self.wanted_filters();
            self.subscriptions.handle_stray(now, &mut self.outside.session, topic, &wanted);
        }
    }

    /// Asks the owner the open question, if there is one.
    pub(super) fn ask_owner(&mut self, now: Now) {
        let Manager { outside, activity, backend, owner, subscriptions, .. } = self;
        owner.ask_again(now, outside, subscriptions, backend.form(), activity.campaign());
    }

    /// Reports the current state under the campaign's activity.
    pub(super) fn report_inventory(&mut self, now: Now) {
        let Some(campaign) = self.activity.campaign() else { return };
        let activity = Text::from_checked(&campaign.identity.activity);
        let effects = self.inventory.handle_get(now, activity, self.activity.busy());
        self.carry_out_inventory(now, &effects);
    }

    /// Returns the permanent filters.
    fn filters(&self) -> WantedFilters {
        let filters = self.backend.filters(&self.outside.names);
        WantedFilters { filters, is_thing_unknown: self.backend.is_thing_unknown() }
    }

    /// Returns the filters that the broker should have now.
    fn wanted_filters(&self) -> WantedFilters {
        let mut wanted = self.filters();
        wanted.filters.extend(self.owner.filter().map(str::to_owned));
        wanted
    }

    /// Takes back subscriptions that are not wanted any more.
    fn take_back_subscriptions(&mut self, now: Now) {
        if !self.ending.has_begun() {
            let wanted = self.wanted_filters();
            self.subscriptions.take_back(now, &mut self.outside.session, &wanted);
        }
    }

    /// Takes the next step of the shutdown if it is due.
    pub(super) fn advance_ending(&mut self, now: Now) {
        if self.ending.advance(now.tick, &mut self.outside) {
            let filters = self.filters().filters;
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            self.outside.session.unsubscribe(now.tick, &filters);
        }
    }

    /// Answers one request of the console, a line without its end, in `out`, which is empty.
    /// `from` is the place of the answer's next piece; none at its beginning.
    pub fn handle_console(
        &mut self,
        now: Now,
        host: &Host<'_>,
        line: &[u8],
        from: Option<Place>,
        out: &mut String,
    ) -> Reply {
        let is_mid_document = self.outside.session.is_mid_document();
        let bars = Bars { is_ending: self.ending.has_begun(), is_mid_document };
        match self.console.begin(now.tick, &self.outside, host, bars, line, out) {
            Step::Later => return Reply::Later,
            Step::Answered => return Reply::Whole,
            Step::Changed => {}
            Step::Inventory => {
                return pieces::show_inventory(&self.inventory, &self.outside.names.manager, from, out);
            }
            Step::Show(request) => {
                let Manager { outside, activity, backend, agents, inventory, presence, subscriptions, .. } = &*self;
                let (started, thing, refused) = (presence.started(), backend.thing(), subscriptions.refused());
                console::show(
                    &Sight { now, host, started, refused, outside, activity, thing, agents, inventory },
                    &request,
                    out,
                );
                return Reply::Whole;
            }
            Step::Apply(request) => {
                let why = self.take_desired_state(now, line, None, request.force).err().unwrap_or_default();
                console::answer_apply(&request, self.activity.campaign(), &why, out);
            }
            Step::Control(request) => {
                let control = Control::of(&request, self.activity.campaign());
                let result = self.decide(now, control.event());
                console::answer_control(&control, result, out);
            }
        }
        match self.console.release(now.tick, &self.outside.store, line, out) {
            true => Reply::Whole,
            false => Reply::Later,
        }
    }
}
