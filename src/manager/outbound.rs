//! From effects to messages.

use core::fmt;

use super::backend::Frame;
use super::retained::{self, part, INVENTORY};
use super::{message, Delivery, Manager};
use crate::engine::actions::KnownAction;
use crate::engine::effect::Notice;
use crate::engine::obligation::Doubt;
use crate::engine::Effect;
use crate::inventory;
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{Command, DomainIx, DomainSet, Status};
use crate::mqtt::{Class, Message, Session, Write};
use crate::store::journal::{Kind, Past};
use crate::wire::encode::{self, ActionView};
use crate::wire::status::{action_status_for_backend, status_for_backend};
use crate::wire::topic::Outgoing;

/// Of `RUNNING` only the newest is of interest.
const RUNNING: Class = Class::Newest(0);

/// Of current states only the newest is of interest.
const CURRENT_STATE: Class = Class::Newest(1);

impl Manager {
    /// Does what the engine wants done.
    pub(super) fn carry_out(&mut self, now: Now) {
        let mut place = 0;
        // None of them hands an event to the engine, which would change them.
        while let Some(effect) = self.effects.get(place).copied() {
            place += 1;
            match effect {
                Effect::Report(status) => self.report(now, status),
                Effect::Forward(domain) => self.forward(now, domain),
                Effect::Send(domain, command) => self.command(now, domain, command),
                Effect::AskConsent(phase) => self.ask_consent(now, phase),
                Effect::CloseConsent => self.close_consent(now),
                Effect::AwaitDelivery => self.delivery = Delivery::Reports,
                Effect::Reboot => self.reboot_wanted = true,
                Effect::ReportInventory => self.report_inventory(now),
                Effect::SetTimer(kind, at) => self.timers.set(kind, Some(at)),
                Effect::StopTimer(kind) => self.timers.set(kind, None),
                Effect::Notice(notice) => self.notice(now, notice),
            }
        }
    }

    /// Does what the inventory's rounds want done.
    pub(super) fn carry_out_inventory(&mut self, now: Now, effects: inventory::Effects) {
        for effect in &effects {
            match effect {
                inventory::Effect::Ask(domains, activity) => self.ask(now, *domains, Text::from_checked(activity)),
                inventory::Effect::Report(activity) => self.publish_inventory(now, Text::from_checked(activity)),
            }
        }
    }

    /// Answers a desired state that is not applied. `words` writes why, as the
    /// content of a JSON string.
    pub(super) fn refuse(&mut self, now: Now, activity: Text<'_>, words: Write<'_>) {
        let counters = &mut self.console.counters;
        counters.desired_states = counters.desired_states.saturating_add(1);
        self.store.journal.note_last(now, Kind::Refused);
        self.console.tell(words);
        log::warn!("{activity}: desired state refused: {}", message::logged(words));
        let Some(backend) = self.backend() else { return };
        let frame = Frame { backend: &backend, activity, timestamp: now.wall };
        let body = |out: &mut dyn fmt::Write| {
            frame.feedback(out)?;
            encode::feedback_head(out, Status::IdentificationFailed, Some(words))
        };
        let topic = backend.topic(&self.topics, Outgoing::Feedback);
        let tail = backend.feedback_tail();
        self.send(now, Message { tail, ..message_to(&topic, Class::Keep, &body) });
    }

    pub(super) fn report(&mut self, now: Now, status: Status) {
        let Some(campaign) = self.engine.campaign() else { return };
        let Some(backend) = self.backend() else { return self.wait_for_identity(status) };
        let activity = Text::from_checked(&campaign.identity.activity);
        let is_unsaved = self.store.is_unsaved();
        let words = |out: &mut dyn fmt::Write| message::write(campaign, &self.domains, is_unsaved, out);
        let has_words = || {
            let mut length = encode::Count::default();
            // Counting cannot fail.
            let _ = words(&mut length);
            length.bytes > 0
        };
        // What was held back for a save is told when the activity may have ended.
        let is_end = campaign.end.outcome == Some(status);
        let explained = is_end && has_words();
        let status = status_for_backend(status);
        match explained {
            true => log::info!("{activity}: {}: {}", status.name(), message::logged(words)),
            false => log::info!("{activity}: {}", status.name()),
        }
        let words: Write<'_> = &words;
        let frame = Frame { backend: &backend, activity, timestamp: now.wall };
        let body = |out: &mut dyn fmt::Write| {
            frame.feedback(out)?;
            encode::feedback_head(out, status, explained.then_some(words))
        };
        let detail = |out: &mut dyn fmt::Write| encode::feedback_actions(out, campaign.actions.iter().map(view));
        let class = match status {
            _ if is_end => Class::Found(campaign.identity.run.0),
            Status::Running => RUNNING,
            _ => Class::Keep,
        };
        let topic = backend.topic(&self.topics, Outgoing::Feedback);
        let tail = backend.feedback_tail();
        let message = Message { detail: Some(&detail), tail, ..message_to(&topic, class, &body) };
        if let Err(error) = self.session.publish(now.tick, message) {
            log::error!("{activity}: {} is lost: {error}", status.name());
        }
    }

    /// Reports the end of an activity before the last one, as it is remembered.
    pub(super) fn report_past(&mut self, now: Now, past: &Past) {
        let Some(backend) = self.backend() else { return };
        let activity = Text::from_checked(&past.activity);
        log::info!("{activity}: {}, told late", past.outcome.name());
        let frame = Frame { backend: &backend, activity, timestamp: now.wall };
        let words: Write<'_> = &|out| out.write_str(&past.reason);
        let body = |out: &mut dyn fmt::Write| {
            frame.feedback(out)?;
            let status = status_for_backend(past.outcome);
            encode::feedback_head(out, status, (!past.reason.is_empty()).then_some(words))
        };
        let topic = backend.topic(&self.topics, Outgoing::Feedback);
        let tail = backend.feedback_tail();
        self.send(now, Message { tail, ..message_to(&topic, Class::Found(past.run.0), &body) });
    }

    fn forward(&mut self, now: Now, domain: DomainIx) {
        let Some(campaign) = self.engine.campaign() else { return };
        let activity = Text::from_checked(&campaign.identity.activity);
        log::info!("[{}] {activity}: desired state", self.domains[domain.place()]);
        let body = |out: &mut dyn fmt::Write| encode::head(out, activity, now.wall);
        let topic = self.topics.outgoing(Outgoing::AgentDesiredState(domain));
        let message = message_to_agent(&topic, Class::Order, &body);
        send(&mut self.session, now, Message { document: Some(part(domain)), ..message });
    }

    fn command(&mut self, now: Now, domain: DomainIx, command: Command) {
        let Some(campaign) = self.engine.campaign() else { return };
        let activity = Text::from_checked(&campaign.identity.activity);
        log::info!("[{}] {activity}: {}", self.domains[domain.place()], command.name());
        let body = |out: &mut dyn fmt::Write| {
            encode::head(out, activity, now.wall)?;
            encode::command(out, command)
        };
        let topic = self.topics.outgoing(Outgoing::AgentCommand(domain));
        send(&mut self.session, now, message_to_agent(&topic, Class::Order, &body));
    }

    fn report_inventory(&mut self, now: Now) {
        let Some(campaign) = self.engine.campaign() else { return };
        let activity = campaign.identity.activity.clone();
        let mut effects = inventory::Effects::new();
        self.rounds.handle_get(now, Text::from_checked(&activity), self.busy(), &mut effects);
        self.carry_out_inventory(now, effects);
    }

    fn ask(&mut self, now: Now, domains: DomainSet, activity: Text<'_>) {
        if !self.session.is_connected() {
            // The next connection asks all agents anyway.
            return;
        }
        let body = |out: &mut dyn fmt::Write| {
            encode::head(out, activity, now.wall)?;
            out.write_str(encode::NULL)
        };
        for domain in domains.iter() {
            log::debug!("[{}] {activity}: asked for its inventory", self.domains[domain.place()]);
            let topic = self.topics.outgoing(Outgoing::AgentCurrentStateGet(domain));
            self.send(now, message_to_agent(&topic, Class::LinkBound, &body));
        }
    }

    fn publish_inventory(&mut self, now: Now, activity: Text<'_>) {
        // A twin that learns who it is asks for all inventories anyway.
        let Some(backend) = self.backend() else { return };
        log::info!("{activity}: inventory reported");
        let manager = self.manager.clone();
        let frame = Frame { backend: &backend, activity, timestamp: now.wall };
        let body = |out: &mut dyn fmt::Write| frame.inventory(out, &manager);
        let topic = backend.topic(&self.topics, Outgoing::Inventory);
        let (retain, tail) = (backend.retains_inventory(), backend.inventory_tail());
        let message = message_to(&topic, CURRENT_STATE, &body);
        self.send(now, Message { retain, document: Some(INVENTORY), tail, ..message });
    }

    pub(super) fn send(&mut self, now: Now, message: Message<'_>) {
        send(&mut self.session, now, message);
    }

    fn notice(&mut self, now: Now, notice: Notice) {
        self.note_notice(now, notice);
        let Some(campaign) = self.engine.campaign() else { return };
        let activity = Text::from_checked(&campaign.identity.activity);
        let name = |domain: DomainIx| &self.domains[domain.place()];
        let part = |domain: DomainIx| campaign.domain(domain);
        match notice {
            Notice::Ignored(domain, status) => {
                log::info!("[{}] {activity}: {} ignored, it answers nothing", name(domain), status.name());
            }
            Notice::Doubted(domain, doubt) => {
                let why = match doubt {
                    Doubt::Start(true) => "the host has booted",
                    Doubt::Start(false) => "the manager has started",
                    Doubt::Hello => "its agent has connected",
                    Doubt::SessionLost => "the broker has lost the session",
                };
                log::info!("[{}] {activity}: in doubt, {why}", name(domain));
            }
            Notice::Repaired(domain) => {
                log::warn!("[{}] {activity}: started over, the desired state is sent again", name(domain));
            }
            Notice::StartedOver(domain) => {
                log::warn!("[{}] {activity}: has started over, led again from DOWNLOAD", name(domain));
            }
            Notice::Repeated(domain, command) => {
                log::warn!("[{}] {activity}: {} sent once more", name(domain), command.name());
            }
            Notice::FailureKept(domain, status) => {
                let status = status.name();
                log::warn!("[{}] {activity}: {status} counts only if the domain does not start over", name(domain));
            }
            Notice::ActionsDropped(domain) => {
                log::warn!("[{}] {activity}: actions past the limit are left out", name(domain));
            }
            Notice::Fault(fault) => log::error!("{activity}: the policy is at fault: {fault}"),
            Notice::RebootDisabled => log::warn!("{activity}: needs a reboot, and rebootEnabled is false"),
            Notice::Failed(domain) => {
                if let Some(reason) = part(domain).and_then(|part| part.failure.as_ref()) {
                    let why = message::logged(|out| message::write_reason(reason, out));
                    log::warn!("[{}] {activity}: failed: {why}", name(domain));
                }
            }
            Notice::NotCleanedUp(domain) => {
                if let Some(reason) = part(domain).and_then(|part| part.cleanup.as_ref()) {
                    let why = message::logged(|out| message::write_reason(reason, out));
                    log::warn!("[{}] {activity}: not cleaned up: {why}", name(domain));
                }
            }
        }
    }

    /// What the journal keeps of it.
    fn note_notice(&mut self, now: Now, notice: Notice) {
        let (kind, domain) = match notice {
            Notice::Repaired(domain) => (Kind::Repaired, domain),
            Notice::StartedOver(domain) => (Kind::StartedOver, domain),
            Notice::Repeated(domain, _) => (Kind::Repeated, domain),
            Notice::FailureKept(domain, _) => (Kind::FailureKept, domain),
            _ => return,
        };
        self.store.journal.note(now, kind, Some(domain));
    }

    /// Forgets about parts of the desired state that are still to be sent.
    pub(super) fn discard_parts(&mut self) {
        self.session.discard_documents(retained::is_part);
    }
}

fn send(session: &mut Session, now: Now, message: Message<'_>) {
    if let Err(error) = session.publish(now.tick, message) {
        log::error!("a message to {} is lost: {error}", message.topic);
    }
}

/// A message that is an envelope around what its body writes.
fn message_to_agent<'a>(topic: &'a str, class: Class, body: Write<'a>) -> Message<'a> {
    Message { tail: encode::TAIL, ..message_to(topic, class, body) }
}

/// A message that is its body alone.
pub(super) fn message_to<'a>(topic: &'a str, class: Class, body: Write<'a>) -> Message<'a> {
    Message { topic, retain: false, class, body, detail: None, document: None, tail: "" }
}

fn view(action: &KnownAction) -> ActionView<'_> {
    ActionView {
        component: action.component(),
        status: action.status.map(action_status_for_backend),
        progress: action.progress,
        message: action.message().as_json(),
    }
}
