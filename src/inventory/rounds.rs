//! Asking the agents for their inventories, and the moments at which the
//! aggregate is reported. Pure, like the engine.

use core::fmt::Write;

use heapless::{HistoryBuffer, String, Vec};

use crate::limits::{ACTIVITY_ID_MAX, DOMAINS_MAX, RECENT_ROUNDS_MAX, ROUNDS_MAX, ROUND_REPORTS_MAX};
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{DomainIx, DomainSet};

/// An activity's identifier, escaped as in JSON; empty for a spontaneous report.
pub type ActivityId = String<ACTIVITY_ID_MAX>;

/// What is to be done, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask these domains for their inventories, under this activity.
    Ask(DomainSet, ActivityId),
    /// Report the aggregate, with this activity.
    Report(ActivityId),
}

/// Effects of one event: each round's reports, and one request.
pub type Effects = Vec<Effect, { ROUNDS_MAX * ROUND_REPORTS_MAX + 2 }>;

/// A request to the agents that is not answered by all yet.
#[derive(Clone, Debug)]
struct Round {
    /// What the agents were asked with.
    asked: ActivityId,
    /// What is reported when it ends, for each who wanted it.
    reports: Vec<ActivityId, ROUND_REPORTS_MAX>,
    owing: DomainSet,
    end: Tick,
}

/// The requests under way and the report that is due.
#[derive(Clone, Debug)]
pub struct Rounds {
    read_timeout_ms: Vec<u64, DOMAINS_MAX>,
    delay_ms: u64,
    /// Oldest first.
    open: Vec<Round, ROUNDS_MAX>,
    /// When spontaneous changes are reported.
    due: Option<Tick>,
    /// Makes ids of our own differ within a millisecond.
    asked: u32,
    /// Under which the agents were asked lately: late answers are known by them.
    recent: HistoryBuffer<(ActivityId, DomainSet), RECENT_ROUNDS_MAX>,
    /// The activity for whose verification agents were asked last, and those agents.
    verifying: (ActivityId, DomainSet),
}

impl Rounds {
    /// For as many domains as there are read timeouts, in milliseconds; spontaneous
    /// changes are reported after `delay_ms`.
    pub fn new(read_timeout_ms: &[u64], delay_ms: u64) -> Rounds {
        let read_timeout_ms = read_timeout_ms.iter().copied().take(DOMAINS_MAX).collect();
        Rounds {
            read_timeout_ms,
            delay_ms,
            open: Vec::new(),
            due: None,
            asked: 0,
            recent: HistoryBuffer::new(),
            verifying: Default::default(),
        }
    }

    /// The session is up. `busy` are the domains that take part in the running
    /// activity: they are not asked (docs/agents.md, "The self-update agent").
    pub fn handle_link_up(&mut self, now: Now, busy: DomainSet, out: &mut Effects) {
        let mut id = ActivityId::new();
        // Fits: 20 digits at most.
        let _ = write!(id, "initial-current-state-{}", now.wall);
        self.ask(now, id.clone(), id, busy, out);
    }

    /// Somebody wants the current state, under this activity; it may be empty.
    pub fn handle_get(&mut self, now: Now, activity: Text<'_>, busy: DomainSet, out: &mut Effects) {
        let report = ActivityId::try_from(activity.as_json()).unwrap_or_default();
        let mut asked = report.clone();
        if asked.is_empty() {
            self.asked = self.asked.wrapping_add(1);
            let _ = write!(asked, "current-state-{}-{}", now.wall, self.asked);
        }
        self.ask(now, asked, report, busy, out);
    }

    /// Whether no request is open.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// A domain's agent is asked under this activity, to verify it. Nothing is reported of
    /// its answer: the end of the activity reports everything.
    pub fn note_asked(&mut self, domain: DomainIx, activity: Text<'_>) {
        if Text::from_checked(&self.verifying.0) != activity {
            self.verifying = (activity.cut_to(), DomainSet::EMPTY);
        }
        self.verifying.1.insert(domain);
    }

    /// Whether an inventory of this domain with this activity answers a request that is open.
    pub fn is_answer(&self, domain: DomainIx, activity: Text<'_>) -> bool {
        let is_it = |round: &Round| Text::from_checked(&round.asked) == activity;
        !activity.is_empty() && (self.open.iter().any(is_it) || self.verifies(domain, activity))
    }

    fn verifies(&self, domain: DomainIx, activity: Text<'_>) -> bool {
        let (asked, of) = &self.verifying;
        Text::from_checked(asked) == activity && of.contains(domain)
    }

    /// Whether this domain's agent was asked under this activity, now or lately. Another
    /// one may have made the same identifier in the same millisecond.
    pub fn was_asked(&self, domain: DomainIx, activity: Text<'_>) -> bool {
        let is_it =
            |(asked, of): &(ActivityId, DomainSet)| Text::from_checked(asked) == activity && of.contains(domain);
        !activity.is_empty() && (self.recent.iter().any(is_it) || self.verifies(domain, activity))
    }

    /// A domain's inventory came in, and is stored.
    pub fn handle_inventory(&mut self, now: Tick, domain: DomainIx, activity: Text<'_>, out: &mut Effects) {
        let answers = |round: &Round| !activity.is_empty() && Text::from_checked(&round.asked) == activity;
        let Some(newest) = self.open.iter().rposition(answers) else {
            if !self.verifies(domain, activity) {
                self.handle_change(now, out);
            }
            return;
        };
        self.open.iter_mut().take(newest + 1).for_each(|round| round.owing.remove(domain));
        self.end_rounds(now, out);
    }

    /// When `handle_timeout` is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.open.iter().map(|round| round.end).chain(self.due).min()
    }

    /// Ends what is over at `now`.
    pub fn handle_timeout(&mut self, now: Tick, out: &mut Effects) {
        self.end_rounds(now, out);
        if self.due.is_some_and(|due| due <= now) {
            self.report(ActivityId::new(), out);
        }
    }

    fn ask(&mut self, now: Now, asked: ActivityId, report: ActivityId, busy: DomainSet, out: &mut Effects) {
        let owing = DomainSet::first(self.read_timeout_ms.len()).without(busy);
        if owing.is_empty() {
            return self.report(report, out);
        }
        self.recent.write((asked.clone(), owing));
        let slowest = owing.iter().filter_map(|d| self.read_timeout_ms.get(d.place())).max();
        let end = now.tick.after(slowest.copied().unwrap_or(0));
        let mut reports = Vec::new();
        let _ = reports.push(report);
        match self.open.push(Round { asked, reports, owing, end }) {
            Ok(()) => {
                if let Some(round) = self.open.last() {
                    let _ = out.push(Effect::Ask(owing, round.asked.clone()));
                }
            }
            Err(further) => self.join_newest(further),
        }
    }

    /// Past the bound a request shares the newest round; past that round's bound
    /// the latest one counts.
    fn join_newest(&mut self, further: Round) {
        let Some(newest) = self.open.last_mut() else { return };
        for report in further.reports {
            if newest.reports.is_full() {
                newest.reports.pop();
            }
            let _ = newest.reports.push(report);
        }
    }

    fn handle_change(&mut self, now: Tick, out: &mut Effects) {
        if self.delay_ms == 0 {
            return self.report(ActivityId::new(), out);
        }
        self.due.get_or_insert(now.after(self.delay_ms));
    }

    fn end_rounds(&mut self, now: Tick, out: &mut Effects) {
        let mut place = 0;
        while let Some(round) = self.open.get(place) {
            if round.owing.is_empty() || round.end <= now {
                let round = self.open.remove(place);
                round.reports.into_iter().for_each(|report| self.report(report, out));
            } else {
                place += 1;
            }
        }
    }

    /// Any report tells all changes so far.
    fn report(&mut self, activity: ActivityId, out: &mut Effects) {
        self.due = None;
        let pushed = out.push(Effect::Report(activity));
        assert!(pushed.is_ok(), "as many effects as there are reports");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Text<'_> {
        Text::from_checked(raw)
    }

    fn ix(place: usize) -> DomainIx {
        DomainIx::new(place).unwrap()
    }

    fn at(ms: u64) -> Now {
        Now { tick: Tick(ms), wall: 1_700_000_000_000 + ms }
    }

    /// The rounds of three domains, and what they did last.
    struct World(Rounds);

    impl World {
        fn new() -> World {
            World(Rounds::new(&[1000, 2000, 500], 300))
        }

        fn act(&mut self, step: impl FnOnce(&mut Rounds, &mut Effects)) -> std::vec::Vec<std::string::String> {
            let mut out = Effects::new();
            step(&mut self.0, &mut out);
            let told = |effect: &Effect| match effect {
                Effect::Ask(domains, id) => format!("ask {domains:?} {id}"),
                Effect::Report(id) => format!("report {id}"),
            };
            out.iter().map(told).collect()
        }

        fn get(&mut self, ms: u64, id: &str) -> std::vec::Vec<std::string::String> {
            self.act(|rounds, out| rounds.handle_get(at(ms), text(id), DomainSet::EMPTY, out))
        }

        fn answer(&mut self, ms: u64, domain: usize, id: &str) -> std::vec::Vec<std::string::String> {
            self.act(|rounds, out| rounds.handle_inventory(Tick(ms), ix(domain), text(id), out))
        }

        fn timeout(&mut self, ms: u64) -> std::vec::Vec<std::string::String> {
            self.act(|rounds, out| rounds.handle_timeout(Tick(ms), out))
        }
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn the_aggregate_is_reported_as_soon_as_all_have_answered() {
        let mut world = World::new();
        assert_eq!(world.get(0, "g"), ["ask {0, 1, 2} g"]);
        assert_eq!(world.answer(1, 0, "g"), NOTHING);
        assert_eq!(world.answer(1, 2, "g"), NOTHING);
        assert_eq!(world.answer(2, 1, "g"), ["report g"]);
        assert_eq!(world.0.poll_timeout(), None);
    }

    #[test]
    fn or_when_the_slowest_read_timeout_ends() {
        let mut world = World::new();
        world.get(10, "g");
        world.answer(11, 1, "g");
        assert_eq!(world.0.poll_timeout(), Some(Tick(2010)));
        assert_eq!(world.timeout(2009), NOTHING);
        assert_eq!(world.timeout(2010), ["report g"]);
    }

    #[test]
    fn a_connection_asks_all_but_the_busy_domains() {
        let mut world = World::new();
        let busy = [ix(1)].into_iter().collect();
        let asked = world.act(|rounds, out| rounds.handle_link_up(at(5), busy, out));
        assert_eq!(asked, ["ask {0, 2} initial-current-state-1700000000005"]);
        assert_eq!(world.0.poll_timeout(), Some(Tick(1005)), "the slowest of those asked");
        let all = DomainSet::first(3);
        let asked = world.act(|rounds, out| rounds.handle_get(at(6), text("g"), all, out));
        assert_eq!(asked, ["report g"], "nobody to ask: reported at once");
    }

    #[test]
    fn without_an_activity_agents_are_asked_under_an_id_of_our_own() {
        let mut world = World::new();
        assert_eq!(world.get(0, ""), ["ask {0, 1, 2} current-state-1700000000000-1"]);
        assert_eq!(world.get(0, ""), ["ask {0, 1, 2} current-state-1700000000000-2"]);
        for domain in [0, 1] {
            world.answer(1, domain, "current-state-1700000000000-2");
        }
        assert_eq!(world.answer(1, 2, "current-state-1700000000000-2"), ["report ", "report "]);
    }

    #[test]
    fn an_answer_counts_for_every_older_round_but_no_newer_one() {
        let mut world = World::new();
        world.get(0, "a");
        world.get(1, "b");
        [0, 1].into_iter().for_each(|domain| drop(world.answer(2, domain, "b")));
        assert_eq!(world.answer(2, 2, "a"), ["report a"]);
        assert_eq!(world.answer(2, 2, "b"), ["report b"]);
    }

    #[test]
    fn past_the_bound_a_request_joins_the_newest_round() {
        let mut world = World::new();
        for id in ["a", "b", "c", "d"] {
            assert_eq!(world.get(0, id).len(), 1);
        }
        for id in ["e", "f", "g", "h"] {
            assert_eq!(world.get(1, id), NOTHING);
        }
        let reports = world.timeout(2000);
        assert_eq!(reports, ["report a", "report b", "report c", "report d", "report e", "report f", "report h"]);
    }

    #[test]
    fn spontaneous_changes_are_reported_together_after_the_delay() {
        let mut world = World::new();
        assert_eq!(world.answer(0, 0, ""), NOTHING);
        assert_eq!(world.answer(200, 1, "nobody asked"), NOTHING);
        assert_eq!(world.timeout(299), NOTHING);
        assert_eq!(world.timeout(300), ["report "]);
        assert_eq!(world.0.poll_timeout(), None);
    }

    #[test]
    fn any_other_report_takes_the_place_of_a_spontaneous_one() {
        let mut world = World::new();
        world.answer(0, 0, "");
        world.get(1, "g");
        [0, 1, 2].into_iter().for_each(|domain| drop(world.answer(2, domain, "g")));
        assert_eq!(world.timeout(300), NOTHING);
    }

    #[test]
    fn without_a_delay_a_change_is_reported_at_once() {
        let mut world = World(Rounds::new(&[1000], 0));
        assert_eq!(world.answer(0, 0, ""), ["report "]);
    }

    #[test]
    fn an_answer_that_verifies_is_known_and_reported_only_with_a_request() {
        let mut world = World::new();
        world.0.note_asked(ix(1), text("a"));
        world.0.note_asked(ix(2), text("\\u0061"));
        assert!([1, 2].iter().all(|place| world.0.was_asked(ix(*place), text("a"))));
        assert!(world.0.is_answer(ix(1), text("a")) && !world.0.is_answer(ix(0), text("a")));
        assert_eq!(world.answer(0, 1, "a"), NOTHING);
        assert_eq!(world.0.poll_timeout(), None, "no change to be reported");
        world.answer(0, 0, "a");
        assert_eq!(world.0.poll_timeout(), Some(Tick(300)), "that one was not asked");
        world.get(0, "a");
        [0, 2].into_iter().for_each(|domain| drop(world.answer(1, domain, "a")));
        assert_eq!(world.answer(1, 1, "a"), ["report a"]);
        world.0.note_asked(ix(0), text("b"));
        assert!(world.0.was_asked(ix(0), text("b")) && !world.0.is_answer(ix(1), text("a")), "the latest counts");
    }

    #[test]
    fn only_a_domain_that_was_asked_can_have_answered() {
        let (mut rounds, mut out) = (World::new().0, Effects::new());
        rounds.handle_get(at(0), text("get-1"), [ix(1)].into_iter().collect(), &mut out);
        assert!(rounds.was_asked(ix(0), text("get-1")));
        assert!(!rounds.was_asked(ix(1), text("get-1")), "it was busy");
        assert!(!rounds.was_asked(ix(0), text("get-2")) && !rounds.was_asked(ix(0), text("")));
    }

    #[test]
    fn a_late_answer_is_reported_like_a_spontaneous_one() {
        let mut world = World::new();
        world.get(0, "g");
        assert!(world.0.is_answer(ix(0), text("g")));
        world.timeout(2000);
        assert!(!world.0.is_answer(ix(0), text("g")));
        world.answer(2001, 0, "g");
        assert_eq!(world.timeout(2301), ["report "]);
    }
}
