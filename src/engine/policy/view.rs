//! What a policy sees of an activity. It is derived from the campaign alone, and the
//! campaign is what is saved.

use super::super::boot::Boot;
use super::super::campaign::Campaign;
use super::super::domain::{Domain, Ended, Ending, State};
use super::super::gates::{self, Before};
use super::super::group::{Group, GroupSet};
use super::super::restore::Restore;
use super::super::settings::Grouping;
use super::Act;
use crate::limits::ORDER_DEFAULT;
use crate::model::{Cause, DomainIx, DomainSet, Phase, Reason, Rollback, Status};

/// How an activity stands.
#[derive(Clone, Copy)]
pub struct View<'a> {
    campaign: &'a Campaign,
    grouping: &'a Grouping,
}

/// How a domain stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// It has not been told anything.
    New,
    /// A gate holds it back from this, which needs no further step: it begins when the gate
    /// opens and the policy wants it then. It can be cleaned up or rolled back.
    Held(Act),
    /// It has been told to do this and has not answered. One that is started over owes the
    /// last phase that it was told to begin.
    Owes(Act),
    /// It has done this, or failed, or said nothing in time.
    Did(Act, Ending),
    /// Its part has ended.
    Done(Ended),
}

impl Stand {
    /// Returns whether it owes an answer.
    pub fn is_owing(self) -> bool {
        matches!(self, Stand::Owes(_))
    }

    /// Returns the phase that it has left well, and may be led on from.
    pub fn left(self) -> Option<Phase> {
        match self {
            Stand::Did(Act::Forward(phase), Ending::Ok) => Some(phase),
            _ => None,
        }
    }

    /// Returns whether it has failed to do what it was led to, or said nothing in time.
    pub fn has_failed(self) -> bool {
        matches!(self, Stand::Did(Act::Forward(_), Ending::Failed | Ending::Silent))
    }

    /// Returns whether its part has ended.
    pub fn is_done(self) -> bool {
        matches!(self, Stand::Done(_))
    }
}

/// Whether what a group has activated is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verification {
    /// It has not begun to be verified.
    Idle,
    /// The checks are asked.
    Verifying,
    /// All checks are good.
    Good,
    /// A check is bad, or was not good in time.
    Bad,
}

impl<'a> View<'a> {
    pub(in super::super) fn new(campaign: &'a Campaign, grouping: &'a Grouping) -> View<'a> {
        View { campaign, grouping }
    }

    /// Returns the domains that take part, as far as they are configured.
    pub fn domains(&self) -> DomainSet {
        self.campaign.participants()
    }

    /// Returns the domains that stand as asked.
    pub fn domains_that(&self, wanted: impl Fn(Stand) -> bool) -> DomainSet {
        self.domains().iter().filter(|domain| self.stand(*domain).is_some_and(&wanted)).collect()
    }

    /// Returns whether any domain stands as asked.
    pub fn any(&self, wanted: impl Fn(Stand) -> bool) -> bool {
        !self.domains_that(wanted).is_empty()
    }

    /// Returns how a domain stands; none if it takes no part.
    pub fn stand(&self, domain: DomainIx) -> Option<Stand> {
        let part = self.campaign.domain(domain)?;
        if part.restore.is_under_way() {
            return Some(Stand::Owes(Act::Restore));
        }
        if part.boot.is_open() {
            let act = if part.obligation.is_halted { Act::Rollback } else { Act::Forward(Phase::Activate) };
            return Some(Stand::Owes(act));
        }
        Some(match part.state {
            State::New => Stand::New,
            State::Working(_) if part.obligation.is_turning => Stand::Owes(Act::Rollback),
            State::Working(phase) => Stand::Owes(Act::Forward(part.furthest.map_or(phase, |last| last.max(phase)))),
            State::Ready(phase) => {
                match phase.next().filter(|next| gates::holds(self.campaign, Before::Command(*next))) {
                    Some(next) => Stand::Held(Act::Forward(next)),
                    None => Stand::Did(Act::Forward(phase), Ending::Ok),
                }
            }
            State::Failed(phase) => Stand::Did(Act::Forward(phase), ending_of(part)),
            State::RollingBack(_) => Stand::Owes(Act::Rollback),
            State::RolledBack(ending) => Stand::Did(Act::Rollback, ending),
            State::CleaningUp(_) => Stand::Owes(Act::Cleanup),
            State::Done(ended) => Stand::Done(ended),
        })
    }

    /// Returns the last phase that a domain was told to begin, over all its courses; none
    /// before the first.
    pub fn furthest(&self, domain: DomainIx) -> Option<Phase> {
        self.campaign.domain(domain)?.furthest
    }

    /// Returns whether a domain was told DOWNLOAD or more, so that there may be something
    /// to undo.
    pub fn has_begun(&self, domain: DomainIx) -> bool {
        self.campaign.domain(domain).is_some_and(Domain::has_begun)
    }

    /// Returns the domains that have identified and were told nothing since: they can be
    /// left as they are.
    pub fn untouched(&self) -> DomainSet {
        let waits = |stand: Stand| matches!(stand, Stand::Held(_)) || stand.left().is_some();
        self.domains_that(waits).iter().filter(|domain| !self.has_begun(*domain)).collect()
    }

    /// Returns why a domain failed.
    pub fn failure(&self, domain: DomainIx) -> Option<&'a Reason> {
        self.campaign.domain(domain)?.failure.as_ref()
    }

    /// Returns whether a domain has named actions: otherwise it has nothing to do.
    pub fn has_actions(&self, domain: DomainIx) -> bool {
        self.campaign.actions.count(domain) > 0
    }

    /// Returns whether a domain can be told to roll back: some are known not to once they were
    /// given ACTIVATE.
    pub fn can_roll_back(&self, domain: DomainIx) -> bool {
        !self.grouping.until_activate.contains(domain) || self.furthest(domain) < Some(Phase::Activate)
    }

    /// Returns whether a domain of a group that is turned back can become again what it was
    /// committed to before, and is to: it is not known to be old, and that was not tried.
    pub fn can_restore(&self, domain: DomainIx) -> bool {
        let Campaign { groups, .. } = self.campaign;
        let is_open = |part: &Domain| {
            let is_free = matches!(
                part.state,
                State::RolledBack(_)
                    | State::Failed(_)
                    | State::Ready(_)
                    | State::Done(Ended::Completed | Ended::CleanedUp)
            );
            let is_lost = groups.turned.contains(part.group) && self.campaign.is_inconsistent(part);
            // A further boot shows what has become of it, and nothing else.
            let is_for_boot = self.grouping.boots.contains(domain)
                && part.evidence.was_booted
                && part.state == State::RolledBack(Ending::Ok);
            is_free && is_lost && !is_for_boot && matches!(part.restore, Restore::No | Restore::Cleared)
        };
        groups.restorable.contains(domain) && self.campaign.domain(domain).is_some_and(is_open)
    }

    /// Returns whether the host has to boot before a group can be committed, or before it is
    /// known what has become of a domain of it that was turned back.
    pub fn owes_boot(&self, group: Group) -> bool {
        let owes = |domain: DomainIx| {
            let is_owed = self.campaign.domain(domain).is_some_and(|part| part.boot == Boot::Owed);
            is_owed || self.needs_boot(domain)
        };
        self.campaign.boots.may_follow() && self.domains_of(group).iter().any(owes)
    }

    /// Returns whether a domain that was booted is turned back, so that only a further boot shows
    /// what it is.
    pub fn needs_boot(&self, domain: DomainIx) -> bool {
        let is_undone =
            |part: &Domain| part.state == State::RolledBack(Ending::Ok) || part.restore == Restore::Restored;
        let is_in_use = |part: &Domain| part.evidence.was_booted && !part.evidence.shows_old;
        let is_lost =
            |part: &Domain| self.campaign.groups.turned.contains(part.group) && is_undone(part) && is_in_use(part);
        self.grouping.boots.contains(domain) && self.campaign.domain(domain).is_some_and(is_lost)
    }

    /// Returns whether the host is to reboot before anything else follows.
    pub fn is_rebooting(&self) -> bool {
        self.campaign.boots.is_due
    }

    /// Returns whether a domain has failed what its own inventory was to show: it has
    /// activated all the same.
    pub fn has_failed_its_check(&self, domain: DomainIx) -> bool {
        let has_activated = self.stand(domain).and_then(Stand::left) == Some(Phase::Activate);
        has_activated && self.failure(domain).is_some()
    }

    /// Returns whether a domain has failed before anything of it was changed.
    pub fn has_failed_unchanged(&self, domain: DomainIx) -> bool {
        let is_so = |part: &Domain| matches!(part.state, State::Failed(_)) && part.evidence.is_old;
        self.campaign.domain(domain).is_some_and(is_so)
    }

    /// Returns whether a domain's failure turns nobody else back.
    pub fn fails_alone(&self, domain: DomainIx) -> bool {
        self.grouping.fail_alone.contains(domain)
    }

    /// Returns the place of a domain in the order of activation, 1 to 100.
    pub fn order(&self, domain: DomainIx) -> u8 {
        self.grouping.orders.get(domain.place()).copied().unwrap_or(ORDER_DEFAULT)
    }

    /// Returns which domains form a group, as the desired state or the configuration says.
    pub fn rollback(&self) -> Rollback {
        self.campaign.groups.rollback
    }

    /// Returns whether anything that is configured, or that the desired state says, makes a
    /// difference to groups.
    pub fn is_grouped(&self) -> bool {
        self.grouping.is_in_use() || self.rollback() != Rollback::None
    }

    /// Returns whether the desired state names a domain that no agent serves.
    pub fn has_unserved(&self) -> bool {
        !self.campaign.absent.unserved.is_empty()
    }

    /// Returns the groups that the domains belong to.
    pub fn groups(&self) -> GroupSet {
        self.domains().iter().filter_map(|domain| self.group(domain)).collect()
    }

    /// Returns whether a group is turned back.
    pub fn is_turned_back(&self, group: Group) -> bool {
        self.campaign.groups.turned.contains(group)
    }

    /// Returns whether a domain of the group was told something and is not configured any
    /// more.
    pub fn has_lost_a_domain(&self, group: Group) -> bool {
        let mut gone = self.campaign.absent.gone.iter().map(|gone| &gone.part);
        gone.any(|part| part.group == group && !part.state.is_done())
    }

    /// Returns the final status of an activity of which a domain is neither new nor known to
    /// be old; none if none is.
    pub fn inconsistent(&self) -> Option<Status> {
        self.campaign.is_any_inconsistent().then_some(match self.grouping.reports_inconsistent {
            true => Status::IncompleteInconsistent,
            false => Status::Incomplete,
        })
    }

    /// Returns whether a domain was given a command and has committed by itself, without
    /// being told to clean up.
    pub fn has_committed_by_itself(&self, domain: DomainIx) -> bool {
        let is_done = self.stand(domain) == Some(Stand::Done(Ended::Completed));
        let was_cleaned = self.campaign.domain(domain).is_some_and(|part| part.evidence.was_cleaned);
        is_done && self.has_begun(domain) && !was_cleaned
    }

    /// Returns the group of a domain that takes part; before a policy has divided the
    /// domains, that of the baselines that connect it with others.
    pub fn group(&self, domain: DomainIx) -> Option<Group> {
        Some(self.campaign.domain(domain)?.group)
    }

    /// Returns the domains of a group.
    pub fn domains_of(&self, group: Group) -> DomainSet {
        self.domains().iter().filter(|domain| self.group(*domain) == Some(group)).collect()
    }

    /// Returns the last phase that a domain of the group was told to begin; none before the
    /// first.
    pub fn phase(&self, group: Group) -> Option<Phase> {
        self.domains_of(group).iter().filter_map(|domain| self.furthest(domain)).max()
    }

    /// Returns whether what a group has activated is verified.
    pub fn verification(&self, group: Group) -> Verification {
        let groups = &self.campaign.groups;
        match () {
            () if groups.bad.contains(group) => Verification::Bad,
            () if groups.verified.contains(group) => Verification::Good,
            () if groups.verifying.contains(group) => Verification::Verifying,
            () => Verification::Idle,
        }
    }

    /// Returns whether nothing of a group is turned back any more.
    pub fn is_committed(&self, group: Group) -> bool {
        self.campaign.groups.committed.contains(group)
    }

    /// Returns whether a gate holds back the commit of a group.
    pub fn is_held(&self, group: Group) -> bool {
        gates::holds(self.campaign, Before::Commit(group))
    }

    /// Returns what was announced last: `IDENTIFYING` or `IDENTIFIED`.
    pub fn announced(&self) -> Option<Status> {
        self.campaign.announced
    }

    /// Returns why the activity is to be turned back: it was cancelled, or refused.
    pub fn cause(&self) -> Option<Cause> {
        self.campaign.end.cause
    }

    /// Returns whether any domain has failed whose failure is not its own affair.
    pub fn has_failed_with_others(&self) -> bool {
        self.campaign.has_failed_beside(self.grouping.fail_alone)
    }

    /// Returns whether any domain has failed, one that is not configured any more included.
    pub fn has_failed(&self) -> bool {
        self.campaign.has_failed()
    }
}

fn ending_of(part: &Domain) -> Ending {
    match part.failure {
        Some(Reason::Silent(..)) => Ending::Silent,
        _ => Ending::Failed,
    }
}
