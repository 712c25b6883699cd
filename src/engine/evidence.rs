//! What shows whether a domain is as it was before the activity (docs/whole-device.md,
//! "Turning back").
//!
//! A domain of a group that is turned back counts as old only if that is known: it was given
//! nothing that changes anything, or it has said that it is back, or its silence says so.
//! Everything else is inconsistent, and the final status names it.

use super::campaign::Campaign;
use super::domain::{Domain, Ended, Ending, State};
use super::restore::Restore;
use super::Engine;
use crate::model::{ActionStatus, Command, DomainIx, Phase, Reason, Rollback};

/// What is known of a domain, beside where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Evidence {
    /// It is known to be as it was before.
    pub is_old: bool,
    /// It was given UPDATE in a course before the present one: what it says of the present
    /// one does not show that it is old.
    pub was_updated: bool,
    /// It has answered the last command that led it forward, and neither said that it is
    /// connected nor seen a boot of the host since: it still knows the activity.
    pub is_sure: bool,
    /// It was given ROLLBACK.
    pub was_rolled_back: bool,
    /// Its inventory has shown another version since its group was committed.
    pub shows_other: bool,
    /// It has said COMPLETED of its own accord: it has committed by itself.
    pub has_committed: bool,
    /// The host has booted since it was given ACTIVATE, or has committed by itself.
    pub was_booted: bool,
    /// It was given CLEANUP when it had committed by itself.
    pub was_cleaned: bool,
    /// Its inventory has shown the old version since a boot of the host.
    pub shows_old: bool,
    /// It has shown all that is wanted since the last one.
    pub shows_new: bool,
}

impl Evidence {
    /// Returns a bit for each, by which it is saved.
    pub fn bits(self) -> u16 {
        let Evidence { is_old, was_updated, is_sure, was_rolled_back, shows_other, .. } = self;
        let Evidence { has_committed, was_booted, was_cleaned, shows_old, shows_new, .. } = self;
        let first = [is_old, was_updated, is_sure, was_rolled_back, shows_other];
        let all = first.into_iter().chain([has_committed, was_booted, was_cleaned]);
        all.chain([shows_old, shows_new]).rev().fold(0, |bits, bit| bits << 1 | u16::from(bit))
    }

    /// Returns that which was saved as these bits.
    pub fn of_bits(bits: u16) -> Evidence {
        let bit = |n: u16| bits & 1 << n != 0;
        Evidence {
            is_old: bit(0),
            was_updated: bit(1),
            is_sure: bit(2),
            was_rolled_back: bit(3),
            shows_other: bit(4),
            has_committed: bit(5),
            was_booted: bit(6),
            was_cleaned: bit(7),
            shows_old: bit(8),
            shows_new: bit(9),
        }
    }
}

impl Domain {
    /// Notes that the domain begins another course; `phase` is the last one that it was
    /// given in the present course.
    pub(super) fn note_new_course(&mut self, phase: Option<Phase>) {
        self.evidence.was_updated |= phase >= Some(Phase::Update);
        self.evidence.is_sure = false;
    }

    /// Notes that the domain has failed in this phase. A download changes nothing.
    pub(super) fn note_failure(&mut self, phase: Phase) {
        let is_answered = !matches!(self.failure, Some(Reason::Silent(..) | Reason::Lost(_)));
        self.evidence.is_sure = is_answered;
        self.evidence.is_old |= phase <= Phase::Download && !self.evidence.was_updated;
    }

    /// Notes that the host has booted: what was activated with it is in use now, and what the
    /// domain has committed by itself.
    pub(super) fn note_boot(&mut self) {
        self.evidence.was_booted |= self.furthest >= Some(Phase::Activate) || self.evidence.has_committed;
    }

    /// Notes how its ROLLBACK ended. Some agents never answer it: silence counts only where
    /// nothing else can have happened. What takes effect with a boot (`boots`) is not undone
    /// by a word after one.
    fn note_rollback(&mut self, ending: Ending, boots: bool) {
        let Evidence { was_updated, is_sure, was_booted, shows_old, .. } = self.evidence;
        let says_so = match ending {
            _ if boots && shows_old => {
                self.evidence.is_old = true;
                return;
            }
            Ending::Ok => !(boots && was_booted),
            Ending::Silent => is_sure && self.furthest < Some(Phase::Activate),
            Ending::Failed => false,
        };
        self.evidence.is_old = says_so && !was_updated;
    }

    /// Returns whether it is known to be as it was before.
    fn is_old(&self) -> bool {
        let is_untouched = !self.has_begun() && !self.evidence.has_committed;
        let had_nothing_to_do = matches!(self.state, State::Done(Ended::Idle | Ended::Unidentified));
        self.evidence.is_old || is_untouched || had_nothing_to_do
    }

    /// Returns whether it was turned back and is old: what its agent lists of actions then is
    /// not news.
    pub(super) fn is_back(&self) -> bool {
        self.evidence.is_old && (self.evidence.was_rolled_back || self.restore == Restore::Restored)
    }
}

impl Engine {
    /// A domain's ROLLBACK has ended. Actions of a domain that is back have failed, as the
    /// containers agent says itself.
    pub(super) fn judge_rollback(&mut self, domain: DomainIx, ending: Ending) {
        let boots = self.settings.rebooting.required.contains(domain);
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        part.note_rollback(ending, boots);
        // Without groups an activity that is given up is told as it always was.
        if part.evidence.is_old && (part.obligation.is_halted || self.campaign.end.cause.is_none()) {
            self.campaign.actions.set_all(domain, ActionStatus::UpdateFailure);
        }
    }
}

impl Engine {
    /// A domain of a group that is turned back says that it has rolled back after it was
    /// waited for in vain: it was only slow. Returns whether that is news.
    pub(super) fn undo_late(&mut self, domain: DomainIx) -> bool {
        let Some(part) = self.campaign.domain_mut(domain) else { return false };
        if !part.obligation.is_halted || !part.evidence.was_rolled_back || part.evidence.is_old {
            return false;
        }
        let is_silence = |reason: &Reason| matches!(reason, Reason::Silent(Some(Command::Rollback), _));
        if part.failure.as_ref().is_some_and(is_silence) {
            part.failure = None;
        } else if part.cleanup.as_ref().is_some_and(is_silence) {
            part.cleanup = None;
        }
        self.judge_rollback(domain, Ending::Ok);
        true
    }
}

impl Campaign {
    /// Returns whether it runs, and something of it is being turned back.
    pub fn is_turning_back(&self) -> bool {
        self.is_running() && !self.groups.turned.is_empty()
    }

    /// Returns whether something of the activity was turned back.
    pub fn has_turned_back(&self) -> bool {
        let is_undone = |part: &Domain| part.is_back() && self.groups.turned.contains(part.group);
        self.domains.iter().flatten().any(is_undone)
    }

    /// Returns whether a part of the activity, which ends now or has ended, is neither new nor
    /// known to be old.
    pub fn is_inconsistent(&self, part: &Domain) -> bool {
        if self.groups.rollback == Rollback::None {
            return false;
        }
        match self.groups.committed.contains(part.group) {
            true => part.evidence.shows_other,
            false => !part.is_old(),
        }
    }

    /// Returns whether any domain is neither new nor known to be old.
    pub fn is_any_inconsistent(&self) -> bool {
        let gone = self.absent.gone.iter().map(|gone| &gone.part);
        self.domains.iter().flatten().chain(gone).any(|part| self.is_inconsistent(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_read_as_it_was_saved() {
        assert!((0..1 << 10).all(|bits| Evidence::of_bits(bits).bits() == bits));
    }
}
