//! A domain of a group that is turned back, and not known to be old, is restored
//! (docs/whole-device.md, "Restoring").

use super::Observer;
use crate::world::seen::{Report, Seen};
use crate::world::whole::end::inconsistent;
use crate::world::whole::setup::Kept;
use crate::world::whole::way::{Way, FORWARD};

impl Observer<'_> {
    /// Something is told under the id of the activity in which a domain is restored.
    pub(super) fn tell_restoring(&mut self, seen: &Seen) -> Option<String> {
        let Some((place, order)) = self.order(seen) else {
            return Some(format!("{} is not for what restores a domain", seen.topic));
        };
        let rule = self.misplaced(place, seen.at).or_else(|| self.lead_back(place, order, seen.at));
        self.restores[place].tell(order, seen.at);
        rule.map(|rule| format!("{order} to restore [{}]: {rule}", self.ways[place].part.domain))
    }

    /// Why the domain is not to be restored, or not yet.
    fn misplaced(&self, place: usize, now: u64) -> Option<String> {
        let way = &self.ways[place];
        let group = way.part.group;
        let is_untouched = way.given.is_empty() && !way.said.has_completed;
        let is_cleaned = way.is_over(now, self.patience.cleanup_ms) || !way.part.is_orderly;
        let why = match () {
            () if !self.ends.is_empty() => "it is told after the end",
            () if !self.setup.has_groups() => "each domain stands for itself",
            () if way.part.kept == Kept::No => "it was committed to nothing before",
            () if self.groups.committed.contains(&group) => "its group is committed",
            () if !self.is_turning(group, now) => "its group is not turned back",
            () if way.is_surely_old() => "it has rolled back",
            () if way.has_nothing_to_undo() && way.known.failure.is_some() => "its DOWNLOAD has failed",
            () if is_untouched && !self.has_cuts => "it was given nothing",
            // What a slow disk held back may have gone with the power.
            () if way.cleaned.is_none() && (self.patience.is_prompt || !self.has_cuts) => {
                "it was not cleaned up before"
            }
            () if !is_cleaned && !self.has_cuts => "its CLEANUP is not answered, nor waited for",
            () => return self.undone_before(place, now),
        };
        Some(why.to_owned())
    }

    /// A domain of higher order that is to be undone before this one.
    pub(super) fn undone_before(&self, place: usize, now: u64) -> Option<String> {
        let part = self.ways[place].part;
        let is_higher = |other: &usize| {
            let other = self.ways[*other].part;
            other.group == part.group && other.order > part.order
        };
        let mut higher = (0..self.ways.len()).filter(is_higher);
        let other = higher.find(|other| self.is_rolling_back(*other, now) || self.is_restoring(*other, now))?;
        Some(format!("[{}] is to be undone before it", self.ways[other].part.domain))
    }

    /// It waits for ROLLBACK or for its answer.
    pub(super) fn is_rolling_back(&self, place: usize, now: u64) -> bool {
        let way = &self.ways[place];
        self.wants_rollback(way, now) && !way.is_rolled_back(now, self.patience.cleanup_ms)
    }

    /// It is being restored, or has to be.
    pub(super) fn is_restoring(&self, place: usize, now: u64) -> bool {
        let (way, back) = (&self.ways[place], &self.restores[place]);
        match back.states {
            0 => self.has_to_be_restored(way) && !self.has_cuts,
            _ => !back.is_over(now, self.patience.cleanup_ms),
        }
    }

    /// It is certain that its group is turned back without it.
    fn has_to_be_restored(&self, way: &Way) -> bool {
        let is_refused = way.known.is_refused && !way.known.is_undone && !way.has_nothing_to_undo();
        let is_lost = is_refused || way.known.is_completed || way.is_past_return();
        let is_kept = way.part.kept == Kept::Surely && self.setup.has_groups();
        is_kept && way.part.is_orderly && is_lost && self.groups.turned.contains(&way.part.group)
    }

    /// It may be restored from now on: no ROLLBACK will help, or helped.
    pub(super) fn is_lost(&self, way: &Way, now: u64) -> bool {
        let is_rolled_back = way.is_rolled_back(now, self.patience.cleanup_ms) || !way.part.is_orderly;
        let is_done = is_rolled_back || way.said.has_completed || way.is_past_return();
        way.part.kept != Kept::No && self.setup.has_groups() && !way.is_surely_old() && is_done
    }

    /// An order under the id of its own.
    fn lead_back(&self, place: usize, order: &str, now: u64) -> Option<String> {
        let back = &self.restores[place];
        if order == "ROLLBACK" {
            return Some("it is tried once, and not undone".to_owned());
        }
        if order == "CLEANUP" {
            let owes = back.owes.as_ref().filter(|_| back.cleaned.is_none() && back.part.is_orderly);
            let owes = owes.filter(|(_, since)| now < since + self.patience.phase_ms && !self.has_cuts);
            let is_led = back.said.failure.is_none() && !back.said.has_ended;
            return owes.filter(|_| is_led).map(|(owed, _)| format!("it owes an answer to {owed}"));
        }
        if back.cleaned.is_some() {
            return Some("it was cleaned up".to_owned());
        }
        if let Some(failure) = &back.known.failure {
            return Some(format!("it has failed: {failure}"));
        }
        if back.known.is_completed {
            return Some("it has said COMPLETED".to_owned());
        }
        let Some(step) = FORWARD.iter().position(|command| *command == order) else {
            let is_again = back.states > 0 && !back.is_back && !self.has_cuts;
            return is_again.then(|| "it has got that, and has not been away".to_owned());
        };
        if back.said.has_actions == Some(false) && back.part.is_orderly {
            return Some("it has no actions".to_owned());
        }
        let before = if step == 0 { "IDENTIFY" } else { FORWARD[step - 1] };
        let is_early = back.part.is_orderly && !back.has_left(before);
        is_early.then(|| format!("it has not left {before}"))
    }

    /// The end says nothing else of those that were, or had to be, restored.
    pub(super) fn ends_restored(&self, end: &Report) -> Option<String> {
        let named = inconsistent(end);
        let is_restored = |way: &&Way| way.known.is_restored && named.contains(way.part.domain);
        if let Some(way) = self.restores.iter().find(is_restored) {
            return Some(format!("[{}] is restored, and is called inconsistent", way.part.domain));
        }
        let mut ways = self.ways.iter().zip(&self.restores);
        let (way, _) = ways.find(|(way, back)| back.states == 0 && self.has_to_be_restored(way))?;
        Some(format!("[{}] is not restored", way.part.domain))
    }
}
