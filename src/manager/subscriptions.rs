//! The subscriptions in our session. The broker keeps them over a restart of the manager,
//! whose configuration may have changed since: a domain is gone, the backend speaks on other
//! topics, a question is not open any more. So all filters that the broker may have are
//! saved, and those that are not wanted any more are taken back.
//!
//! In: the filters that the other parts want, the saved session, and the broker's answers.
//! Out: SUBSCRIBE, UNSUBSCRIBE, the filters that the broker refuses, and the record of the
//! session.
//!
//! Invariants: at most `FILTERS_MAX` filters are known. At most one UNSUBSCRIBE of unwanted
//! filters is under way. While a twin's identity is unknown, no filter of requests is taken
//! back.
//!
//! Deliberately absent: which filters are wanted.

use crate::limits::{FILTERS_MAX, TAKEN_BACK_BYTES};
use crate::model::time::{Duration, Now, Tick};
use crate::mqtt::{Answer, Options, Refused, Session};
use crate::store::format::Draft;
use crate::store::session;
use crate::wire::things::{Identity, RequestTopic};
use crate::wire::topic::{Incoming, Topics};

/// A filter that the broker may have in our session.
struct Filter {
    text: String,
    /// Whether it may have it now; otherwise it may again soon.
    is_live: bool,
    /// Whether an UNSUBSCRIBE with it is not answered yet.
    is_leaving: bool,
}

/// The filters that the broker should have.
pub(super) struct WantedFilters {
    pub(super) filters: Vec<String>,
    /// A twin does not know its identity, and so its filters, yet.
    pub(super) is_thing_unknown: bool,
}

impl WantedFilters {
    fn has(&self, filter: &str) -> bool {
        self.filters.iter().any(|wanted| wanted == filter)
    }

    /// Returns whether it is unknown if this filter is wanted.
    fn is_unknown(&self, filter: &str) -> bool {
        self.is_thing_unknown && RequestTopic::is_of_request(filter)
    }
}

/// Holds what is known of the session and its filters.
pub(super) struct Subscriptions {
    client_id: String,
    /// Whether the client ID was made at random and saved.
    is_random: bool,
    /// The broker forgets them with the link, so there is nothing to save.
    is_clean: bool,
    /// At most `FILTERS_MAX`; those that were subscribed to last are at the end.
    filters: Vec<Filter>,
    /// That of the owner's consent, if the owner may be asked by it. It comes and goes with
    /// each question: to save it once for all spares the flash.
    consent: Option<String>,
    /// Whether the list has changed since it was last saved.
    is_changed: bool,
    /// Whether the broker has accepted us.
    is_known: bool,
    /// The UNSUBSCRIBE that is not answered yet; 0: none.
    request: u16,
    /// Those that the broker refuses.
    refused: Refused,
}

impl Subscriptions {
    /// Creates it for a session without subscriptions. `consent`: the owner may be asked on
    /// plain topics.
    pub(super) fn new(options: &Options, topics: &Topics, consent: bool) -> Subscriptions {
        let mut subscriptions = Subscriptions {
            client_id: options.client_id.clone(),
            is_random: false,
            is_clean: options.clean_session,
            filters: Vec::new(),
            consent: consent.then(|| topics.incoming(Incoming::OwnerConsentFeedback).as_str().to_owned()),
            is_changed: false,
            is_known: false,
            request: 0,
            refused: Refused::default(),
        };
        subscriptions.add_consent();
        subscriptions
    }

    /// Takes what was saved of this session. `is_new`: the client ID was made at random just
    /// now, and is saved at once.
    pub(super) fn resume(&mut self, saved: session::Session, is_new: bool) {
        self.load(saved);
        if is_new {
            (self.is_random, self.is_changed, self.is_known) = (true, true, true);
        }
    }

    fn load(&mut self, saved: session::Session) {
        if saved.client_id != self.client_id {
            return;
        }
        self.is_random = saved.is_random;
        // The broker drops a session that was kept when a clean one begins [MQTT-3.1.2-6].
        self.is_changed = self.is_clean && !saved.filters.is_empty();
        if !self.is_clean {
            let live = |text| Filter { text, is_live: true, is_leaving: false };
            self.filters = saved.filters.into_iter().map(live).collect();
            self.add_consent();
        }
    }

    /// Returns whether the saved session goes on.
    pub(super) fn goes_on(&self, saved: &session::Session) -> bool {
        !self.is_clean && saved.client_id == self.client_id
    }

    fn add_consent(&mut self) {
        let Some(topic) = &self.consent else { return };
        if !self.filters.iter().any(|filter| filter.text == *topic) {
            let text = topic.clone();
            self.push(Filter { text, is_live: false, is_leaving: false });
        }
    }

    fn push(&mut self, filter: Filter) {
        if self.filters.len() >= FILTERS_MAX {
            self.filters.remove(0);
        }
        self.filters.push(filter);
        self.note_change();
    }

    /// Notes that the record of the session has changed.
    fn note_change(&mut self) {
        self.is_changed |= !self.is_clean;
    }

    /// Notes a filter that is subscribed to.
    fn note(&mut self, text: &str) {
        match self.filters.iter().position(|filter| filter.text == text) {
            Some(place) => {
                let filter = self.filters.remove(place);
                self.filters.push(Filter { is_live: true, is_leaving: false, ..filter });
            }
            None => self.push(Filter { text: text.to_owned(), is_live: true, is_leaving: false }),
        }
    }

    /// Handles that the broker has lost the session. Filters that are not `expected` again
    /// are forgotten.
    fn handle_session_lost(&mut self, expected: impl Fn(&str) -> bool) {
        self.filters.iter_mut().for_each(|filter| filter.is_live = false);
        self.forget(|filter| !expected(&filter.text));
    }

    /// Forgets these filters, except that of the consent.
    fn forget(&mut self, which: impl Fn(&Filter) -> bool) {
        let (before, consent) = (self.filters.len(), self.consent.as_deref());
        self.filters.retain(|filter| !which(filter) || consent == Some(&filter.text));
        if self.filters.len() < before {
            self.note_change();
        }
    }

    /// Returns the record of the session if it has changed and the broker has accepted us;
    /// `identity` is a twin's.
    pub(super) fn take_draft(&mut self, identity: Option<&Identity>) -> Option<Draft> {
        if !self.is_changed || !self.is_known {
            return None;
        }
        let filters = self.filters.iter().filter(|_| !self.is_clean).map(|filter| filter.text.as_str());
        let thing = identity.filter(|_| !self.is_clean).map(|identity| (identity.device_id(), identity.tenant_id()));
        let draft = session::encode(&self.client_id, self.is_random, filters, thing);
        self.is_changed = false;
        draft
    }

    /// Notes that the record is not on the disk.
    pub(super) fn note_unsaved(&mut self) {
        self.is_changed = true;
    }

    /// Handles a new identity of the twin, whose requests arrive by these filters.
    pub(super) fn handle_identity(&mut self, now: Now, session: &mut Session, filters: &[String]) {
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        self.subscribe(now, session, &filters);
        self.note_change();
    }

    /// Subscribes, and notes the filters. Returns the packet identifier.
    pub(super) fn subscribe(&mut self, now: Now, session: &mut Session, filters: &[&str]) -> u16 {
        let packet = session.subscribe(now.tick, filters);
        self.refused.note(packet, filters);
        if packet != 0 {
            filters.iter().for_each(|filter| self.note(filter));
        }
        packet
    }

    /// Subscribes to all wanted filters on a new connection. Returns the packet identifier.
    pub(super) fn renew(
        &mut self,
        now: Now,
        session: &mut Session,
        wanted: &WantedFilters,
        session_present: bool,
    ) -> u16 {
        self.is_known = true;
        self.request = 0;
        self.filters.iter_mut().for_each(|filter| filter.is_leaving = false);
        if !session_present {
            self.handle_session_lost(|filter| wanted.has(filter) || wanted.is_unknown(filter));
        }
        let filters: Vec<&str> = wanted.filters.iter().map(String::as_str).collect();
        self.subscribe(now, session, &filters)
    }

    /// Handles the answer to a SUBSCRIBE, in which the filters in these places are refused.
    pub(super) fn handle_subscribed(&mut self, now: Now, packet: u16, places: &[u16]) -> Answer {
        let answer = self.refused.handle_answer(now.tick, packet, places);
        if !places.is_empty() {
            let pause = Duration(self.refused.poll_timeout().map_or(0, |at| at.since(now.tick)));
            for filter in self.refused.filters() {
                log::error!("deaf: the broker refuses the subscription to {filter}, asked again in {pause}");
            }
        }
        answer
    }

    /// Handles the loss of the link.
    pub(super) fn handle_lost(&mut self) {
        self.refused.handle_lost();
    }

    /// Returns the filters that the broker refuses.
    pub(super) fn refused(&self) -> &[String] {
        self.refused.filters()
    }

    /// Returns when refused filters are asked for again.
    pub(super) fn poll_timeout(&self) -> Option<Tick> {
        self.refused.poll_timeout()
    }

    /// Asks again for refused filters if that is due. Returns the packet identifier, none if
    /// nothing is due, and 0 if all of them are unwanted by now.
    pub(super) fn ask_again(&mut self, now: Now, session: &mut Session, wanted: &WantedFilters) -> Option<u16> {
        if !self.refused.take_due(now.tick) {
            return None;
        }
        self.refused.keep(|filter| wanted.has(filter));
        let filters = self.refused.filters().to_vec();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        Some(self.subscribe(now, session, &filters))
    }

    /// Takes back subscriptions that are not wanted any more, at most `TAKEN_BACK_BYTES` at a
    /// time.
    pub(super) fn take_back(&mut self, now: Now, session: &mut Session, wanted: &WantedFilters) {
        if self.is_taking_back() || !session.is_connected() {
            return;
        }
        let mut bytes = 0;
        for filter in self.filters.iter_mut().filter(|filter| filter.is_live) {
            let text = &filter.text;
            let is_unwanted = !wanted.is_unknown(text) && !wanted.has(text);
            if is_unwanted && bytes + text.len() <= TAKEN_BACK_BYTES {
                bytes += text.len();
                filter.is_leaving = true;
                log::info!("the subscription to {text} is taken back");
            }
        }
        let leaving = self.filters.iter().filter(|filter| filter.is_leaving);
        let filters: Vec<&str> = leaving.map(|filter| filter.text.as_str()).collect();
        self.request = session.unsubscribe(now.tick, &filters);
    }

    /// Returns whether an UNSUBSCRIBE of unwanted filters is under way.
    pub(super) fn is_taking_back(&self) -> bool {
        self.request != 0
    }

    /// Handles the answer to an UNSUBSCRIBE. Returns whether it was one of unwanted filters.
    #[must_use]
    pub(super) fn handle_unsubscribed(&mut self, packet: u16) -> bool {
        let is_it = self.request == packet;
        if is_it {
            self.forget_leaving();
        }
        is_it
    }

    fn forget_leaving(&mut self) {
        self.request = 0;
        self.forget(|filter| filter.is_leaving);
        for filter in self.filters.iter_mut().filter(|filter| filter.is_leaving) {
            (filter.is_live, filter.is_leaving) = (false, false);
        }
    }

    /// Handles a message that nobody wants, so the broker has a subscription that we do not
    /// know. Takes back its topic, and the filter that a twin had for it. However many of
    /// these messages arrive, one UNSUBSCRIBE is under way at a time.
    pub(super) fn handle_stray(&mut self, now: Now, session: &mut Session, topic: &str, wanted: &WantedFilters) {
        let filter = RequestTopic::filter_of(topic);
        // A request that cannot be read may arrive by a filter that is wanted.
        let is_judged = filter.as_ref().map_or(true, |filter| !wanted.is_thing_unknown && !wanted.has(filter));
        if self.is_taking_back() || !is_judged {
            return;
        }
        let filters: Vec<&str> = [Some(topic), filter.as_deref()].into_iter().flatten().collect();
        self.request = session.unsubscribe(now.tick, &filters);
        for filter in self.filters.iter_mut().filter(|filter| filters.contains(&filter.text.as_str())) {
            filter.is_leaving = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::format::HEADER;

    fn kept(clean_session: bool, consent: bool) -> Subscriptions {
        let topics = Topics::new("device", &["one"]).unwrap();
        Subscriptions::new(&Options { clean_session, ..Options::new("me") }, &topics, consent)
    }

    fn saved(client_id: &str, filters: &[&str]) -> session::Session {
        session::decode(&session::encode(client_id, false, filters.iter().copied(), None).unwrap().bytes[HEADER..])
    }

    fn texts(kept: &Subscriptions) -> Vec<&str> {
        kept.filters.iter().map(|filter| filter.text.as_str()).collect()
    }

    #[test]
    fn the_list_changes_only_when_it_grows_or_shrinks() {
        let mut kept = kept(false, true);
        kept.load(saved("me", &["a", "deviceupdate/ownerconsentfeedback", "b"]));
        assert!(!kept.is_changed);
        kept.note("a");
        assert!(!kept.is_changed && texts(&kept) == ["deviceupdate/ownerconsentfeedback", "b", "a"]);
        kept.filters.iter_mut().take(2).for_each(|filter| filter.is_leaving = true);
        kept.forget_leaving();
        assert!(kept.is_changed && texts(&kept) == ["deviceupdate/ownerconsentfeedback", "a"]);
        kept.is_changed = false;
        kept.note("deviceupdate/ownerconsentfeedback");
        assert!(!kept.is_changed && kept.filters.iter().all(|filter| filter.is_live));
        kept.note("c");
        assert!(kept.is_changed);
        kept.is_changed = false;
        kept.handle_session_lost(|filter| filter == "a");
        assert!(kept.is_changed && texts(&kept) == ["a", "deviceupdate/ownerconsentfeedback"]);
    }

    #[test]
    fn the_list_of_another_session_does_not_count() {
        let mut kept = kept(false, false);
        kept.load(saved("other", &["a"]));
        assert!(texts(&kept).is_empty());
    }

    #[test]
    fn of_a_clean_session_nothing_is_left() {
        let mut kept = kept(true, true);
        kept.load(saved("me", &[]));
        kept.note("a");
        assert!(!kept.is_changed);
        kept.load(saved("me", &["b"]));
        assert!(kept.is_changed && !texts(&kept).contains(&"b"));
    }

    #[test]
    fn past_the_limit_the_oldest_are_forgotten() {
        let mut kept = kept(false, false);
        (0..FILTERS_MAX + 1).for_each(|n| kept.note(&n.to_string()));
        assert_eq!((texts(&kept).len(), texts(&kept)[0]), (FILTERS_MAX, "1"));
    }
}
