//! Reports to the backend: the status of an activity, its end, and the inventory.
//!
//! In: effects of the engine and the inventory, and saved reports of earlier activities.
//! Out: messages in the form that the backend expects.
//!
//! Invariants: until the broker has acknowledged a final report, the session finds it by the
//! number of its activity. A report that a save has delayed has the contents of the moment
//! when it is sent.
//!
//! Deliberately absent: the moment of a report.

use core::fmt;

use super::form::Frame;
use super::Backend;
use crate::engine::actions::KnownAction;
use crate::engine::Campaign;
use crate::manager::documents::INVENTORY;
use crate::manager::message;
use crate::manager::outside::{message_to, send, Outside};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{Run, Status};
use crate::mqtt::{Class, Message, Write};
use crate::store::journal::Past;
use crate::store::reports::Report;
use crate::wire::encode::{self, ActionView};
use crate::wire::status::action_status_for_backend;
use crate::wire::things::{self, EDGE_REQUEST, EDGE_RESPONSE, EVENTS};
use crate::wire::topic::Outgoing;

/// Of `RUNNING` only the newest is of interest.
const RUNNING: Class = Class::Newest(0);

/// Of current states only the newest is of interest.
const CURRENT_STATE: Class = Class::Newest(1);

/// Of features only the newest is of interest.
const FEATURE: Class = Class::Newest(3);

impl Backend {
    /// Reports this status of the activity, as soon as a twin's identity is known.
    pub(in crate::manager) fn report(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
        status: Status,
    ) {
        let Some(campaign) = campaign else { return };
        let Some(form) = self.form() else { return self.wait_for_identity(outside, campaign, status) };
        let activity = Text::from_checked(&campaign.identity.activity);
        let is_unsaved = outside.store.is_unsaved();
        let domains = &outside.names.domains;
        let words = |out: &mut dyn fmt::Write| message::write(campaign, domains, is_unsaved, out);
        let has_words = || {
            let mut length = encode::Count::default();
            // Counting cannot fail.
            let _ = words(&mut length);
            length.bytes > 0
        };
        // The activity may have ended while a save held this report back.
        let is_end = campaign.end.outcome == Some(status);
        let has_news = status == Status::Running && (campaign.is_turning_back() || campaign.boots.is_due);
        let explained = (is_end || has_news) && has_words();
        match explained {
            true => log::info!("{activity}: {}: {}", status.name(), message::logged(words)),
            false => log::info!("{activity}: {}", status.name()),
        }
        let words: Write<'_> = &words;
        let frame = Frame { form: &form, activity, timestamp: now.wall };
        let body = feedback(frame, status, explained.then_some(words));
        let detail = |out: &mut dyn fmt::Write| encode::feedback_actions(out, campaign.actions.iter().map(view));
        let class = match status {
            _ if is_end => Class::Found(campaign.identity.run.0),
            Status::Running => RUNNING,
            _ => Class::Keep,
        };
        let topic = form.topic(&outside.names.topics, Outgoing::Feedback);
        let tail = form.feedback_tail();
        let message = Message { detail: Some(&detail), tail, ..message_to(&topic, class, &body) };
        if let Err(error) = outside.session.publish(now.tick, message) {
            log::error!("{activity}: {} is lost: {error}", status.name());
        }
    }

    /// Keeps a status until the twin's identity is known.
    fn wait_for_identity(&mut self, outside: &mut Outside, campaign: &Campaign, status: Status) {
        let (run, is_end) = (campaign.identity.run, campaign.end.outcome == Some(status));
        log::info!("{}: reported when the edge has said who we are", campaign.identity.activity);
        if let Some(twin) = &mut self.twin {
            twin.wait(run, status, is_end);
            if is_end {
                outside.store.set_untold(run, true);
            }
        }
    }

    /// Reports all that has waited for the twin's identity, if that is known now, but no more
    /// ends than there is room for.
    pub(in crate::manager) fn tell_what_waited(
        &mut self,
        now: Now,
        outside: &mut Outside,
        campaign: Option<&Campaign>,
    ) {
        if self.identity().is_none() || !self.has_waiting(outside) {
            return;
        }
        let own = campaign.map(|campaign| campaign.identity.run);
        let untold = outside.store.journal.past().filter(|past| past.is_untold);
        let untold: Vec<Past> = untold.take(outside.report_room()).cloned().collect();
        for past in untold {
            match own == Some(past.run) {
                true => self.report(now, outside, campaign, past.outcome),
                false => self.report_past(now, outside, &past, usize::MAX),
            }
            outside.store.set_untold(past.run, false);
        }
        let waiting = self.twin.as_mut().map(|twin| twin.take_waiting(own)).unwrap_or_default();
        waiting.into_iter().for_each(|status| self.report(now, outside, campaign, status));
    }

    /// Reports an end in its shortest form, since the broker refuses it with so many bytes.
    pub(in crate::manager) fn report_shorter(&self, now: Now, outside: &mut Outside, run: Run, refused: usize) {
        let past = outside.store.journal.past().find(|past| past.run == run).cloned();
        past.into_iter().for_each(|past| self.report_past(now, outside, &past, refused));
    }

    /// Reports the end of an earlier activity from the journal, if that takes less bytes than
    /// `limit`.
    fn report_past(&self, now: Now, outside: &mut Outside, past: &Past, limit: usize) {
        let Some(form) = self.form() else { return };
        let activity = Text::from_checked(&past.activity);
        let words: Write<'_> = &|out| out.write_str(&past.reason);
        let words = (!past.reason.is_empty()).then_some(words);
        let status = past.outcome;
        let mut length = encode::Count::default();
        // Counting cannot fail.
        let _ = feedback(Frame { form: &form, activity, timestamp: now.wall }, status, words)(&mut length);
        if length.bytes + form.feedback_tail().len() < limit {
            log::info!("{activity}: {}, told late", past.outcome.name());
            self.send_feedback(now, outside, activity, Class::Found(past.run.0), status, words);
        }
    }

    /// Sends a feedback without actions; nothing as long as a twin's identity is unknown.
    pub(super) fn send_feedback(
        &self,
        now: Now,
        outside: &mut Outside,
        activity: Text<'_>,
        class: Class,
        status: Status,
        words: encode::Words<'_>,
    ) {
        let Some(form) = self.form() else { return };
        let body = feedback(Frame { form: &form, activity, timestamp: now.wall }, status, words);
        let topic = form.topic(&outside.names.topics, Outgoing::Feedback);
        let tail = form.feedback_tail();
        outside.send(now, Message { tail, ..message_to(&topic, class, &body) });
    }

    /// Reports the aggregated inventory.
    pub(in crate::manager) fn report_inventory(&self, now: Now, outside: &mut Outside, activity: Text<'_>) {
        // A twin asks for all inventories when it learns its identity.
        let Some(form) = self.form() else { return };
        log::info!("{activity}: inventory reported");
        let Outside { session, names, .. } = outside;
        let frame = Frame { form: &form, activity, timestamp: now.wall };
        let body = |out: &mut dyn fmt::Write| frame.inventory(out, &names.manager);
        let topic = form.topic(&names.topics, Outgoing::Inventory);
        let (retain, tail) = (form.retains_inventory(), form.inventory_tail());
        let message = message_to(&topic, CURRENT_STATE, &body);
        send(session, now, Message { retain, document: Some(INVENTORY), tail, ..message });
    }

    /// Asks the edge for the twin's identity. The known one holds until it answers.
    pub(in crate::manager) fn ask_edge(&self, now: Now, outside: &mut Outside) {
        if self.is_thing_unknown() {
            log::info!("nothing is taken from the backend or reported before {EDGE_RESPONSE} says who the device is");
            log::info!("where there is no connector that answers, thingsEnabled: false does without");
        }
        outside.send(now, message_to(EDGE_REQUEST, Class::LinkBound, &|_: &mut dyn fmt::Write| Ok(())));
    }

    /// Creates the twin's feature. Returns false if its identity is unknown.
    pub(in crate::manager) fn set_up_feature(&self, now: Now, outside: &mut Outside) -> bool {
        let Some(identity) = self.identity() else { return false };
        let Outside { session, names, .. } = outside;
        let body = |out: &mut dyn fmt::Write| things::encode::feature(out, identity, &names.manager);
        send(session, now, message_to(EVENTS, FEATURE, &body));
        true
    }
}

/// Sends a saved final report of an earlier activity.
pub(in crate::manager) fn resume(now: Now, outside: &mut Outside, run: Run, report: &Report) {
    log::info!("the end of an earlier activity is told, the broker has not acknowledged it");
    let body = |out: &mut dyn fmt::Write| out.write_str(&report.payload);
    outside.send(now, message_to(&report.topic, Class::Found(run.0), &body));
}

/// Writes a feedback up to its actions.
fn feedback<'a>(
    frame: Frame<'a>,
    status: Status,
    words: encode::Words<'a>,
) -> impl Fn(&mut dyn fmt::Write) -> fmt::Result + 'a {
    move |out| {
        frame.feedback(out)?;
        encode::feedback_head(out, status, words)
    }
}

fn view(action: &KnownAction) -> ActionView<'_> {
    ActionView {
        component: action.component(),
        status: action.status.map(action_status_for_backend),
        progress: action.progress,
        message: action.message().as_json(),
    }
}
