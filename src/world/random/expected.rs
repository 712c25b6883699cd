//! What holds of every random world when it has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use super::Course;
use crate::world::seen::{From, Report, Seen};
use crate::world::wire::is_refusal;

/// The final statuses of one activity.
#[derive(Default)]
struct Ends {
    /// Of an activity that was accepted.
    own: usize,
    /// That it was not accepted.
    refusals: usize,
}

impl Course {
    pub(super) fn check(&mut self) {
        let ends = self.world.ends();
        let mut by_activity: BTreeMap<&str, Ends> = BTreeMap::new();
        for end in &ends {
            let of = by_activity.entry(&end.activity).or_default();
            match is_refusal(&end.message) {
                true => of.refusals += 1,
                false => of.own += 1,
            }
        }
        let accepted = self.world.accepted.borrow().clone();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        accepted.iter().for_each(|activity| *times.entry(activity).or_default() += 1);
        if self.world.power.cuts.is_empty() {
            self.check_exactly(&by_activity, &times);
        } else {
            self.check_past_cuts(&by_activity, &times);
        }
        self.check_console(&by_activity, &times);
        self.check_groups();
        if self.is_calm() {
            check_calm(&ends);
        }
    }

    /// Each that was accepted has its end, each that was taken and not accepted is
    /// refused.
    fn check_exactly(&self, ends: &BTreeMap<&str, Ends>, accepted: &BTreeMap<&str, usize>) {
        let none = Ends::default();
        let of = |activity: &str| ends.get(activity).unwrap_or(&none);
        for (activity, times) in accepted {
            assert_eq!(of(activity).own, *times, "{activity}: final statuses");
        }
        let in_order = self.world.accepted.borrow();
        for pair in in_order.windows(2) {
            assert!(pair[0] != pair[1], "{}: accepted once more, though nothing else came between", pair[0]);
        }
        for (activity, ends) in ends {
            assert!(accepted.contains_key(activity) || ends.own == 0, "{activity}: an end, though it did not begin");
        }
        for activity in activities_of(self.taken()) {
            // Of two that are equal, a refusal counts for both if the second one comes as a
            // redelivery.
            assert!(accepted.contains_key(&*activity) || of(&activity).refusals > 0, "{activity}: no refusal");
        }
        let wanted = self.wanted();
        for (activity, ends) in ends {
            let accepted = accepted.get(activity).copied().unwrap_or(0);
            let (refusals, wanted) = (ends.refusals, wanted.get(*activity).copied().unwrap_or(0));
            // One that is delivered once more when nothing is in its way any more begins.
            assert!(refusals <= wanted, "{activity}: {refusals} refusals, wanted {wanted} times");
            assert!(accepted <= wanted, "{activity}: accepted {accepted} times, wanted {wanted} times");
        }
        for activity in self.answered_as_taken() {
            let is_known = accepted.contains_key(&*activity) || of(&activity).refusals > 0;
            assert!(is_known, "{activity}: answered as taken, and neither begun nor refused");
        }
    }

    /// One that a cut met before it was saved was not acknowledged: a clean session does
    /// not bring it again, and the backend has heard nothing. Or it came again while the one
    /// before was taken up, and was refused.
    fn check_past_cuts(&self, ends: &BTreeMap<&str, Ends>, accepted: &BTreeMap<&str, usize>) {
        let cuts = self.world.power.cuts.len();
        for activity in accepted.keys() {
            let is_unheard = self.world.reports(activity).is_empty();
            assert!(ends.contains_key(activity) || is_unheard, "{activity}: no final status");
        }
        let wanted = self.wanted();
        for (activity, ends) in ends {
            let (refusals, wanted) = (ends.refusals, wanted.get(*activity).copied().unwrap_or(0));
            // Each cut takes the memory of those that were refused and not acknowledged.
            assert!(refusals <= wanted * (1 + cuts), "{activity}: {refusals} refusals, wanted {wanted} times");
        }
    }

    /// What the console was told is so.
    fn check_console(&self, ends: &BTreeMap<&str, Ends>, accepted: &BTreeMap<&str, usize>) {
        for activity in &self.wishes.begun_at_console {
            assert!(accepted.contains_key(activity.as_str()), "{activity}: begun at the console, and not accepted");
        }
        // A twin without an identity tells nobody else, and a cut may take what waits for
        // the broker.
        if self.is_twin || !self.world.power.cuts.is_empty() {
            return;
        }
        for activity in &self.wishes.refused_at_console {
            let refusals = ends.get(activity.as_str()).map_or(0, |ends| ends.refusals);
            let least = count(&self.wishes.refused_at_console, activity);
            assert!(refusals >= least, "{activity}: {refusals} refusals, {least} at the console alone");
        }
    }

    /// The desired states that the manager has acknowledged on the plain topic.
    fn taken(&self) -> impl Iterator<Item = Seen> + '_ {
        let taken = self.world.broker.taken.iter().filter(|taken| taken.topic == "deviceupdate/desiredstate");
        taken.map(|taken| Seen::new(0, From::Others, &taken.topic, &taken.bytes, false))
    }

    /// How often each activity was wanted, wherever that was.
    fn wanted(&self) -> BTreeMap<String, usize> {
        let is_one = |seen: &&Seen| seen.topic == "deviceupdate/desiredstate" || seen.topic == "command///req/r/apply";
        let by_backend = self.world.broker.seen.iter().filter(is_one).map(Seen::activity);
        let all = by_backend.chain(self.wishes.at_console.iter().map(String::as_str));
        let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
        all.for_each(|activity| *wanted.entry(activity.to_owned()).or_default() += 1);
        wanted
    }

    /// The activities that a twin has answered as taken.
    fn answered_as_taken(&self) -> BTreeSet<String> {
        let answers = self.world.broker.seen.iter().filter(|seen| seen.topic == "command///res/r/204");
        let ids = answers.map(|seen| seen.json()["headers"]["correlation-id"].as_str().unwrap_or_default().to_owned());
        let ids: BTreeSet<String> = ids.collect();
        let taken = self.wishes.requested.iter().filter(|(correlation, _)| ids.contains(correlation));
        taken.map(|(_, activity)| activity.clone()).collect()
    }
}

/// Whatever was begun is done.
fn check_calm(ends: &[Report]) {
    for end in ends.iter().filter(|end| !is_refusal(&end.message)) {
        // An agent that does again what comes again may be killed while it does.
        let is_excused = ["any supported domain", "no agent for domain", "unreadable", "inconsistent: "];
        let is_excused = is_excused.iter().any(|words| end.message.contains(words));
        let Report { activity, status, message, .. } = end;
        assert!(status == "COMPLETED" || is_excused, "calm, but {activity}: {status} {message}");
    }
}

fn activities_of(all: impl Iterator<Item = Seen>) -> BTreeSet<String> {
    all.map(|seen| seen.activity().to_owned()).collect()
}

fn count(all: &[String], activity: &str) -> usize {
    all.iter().filter(|one| *one == activity).count()
}
