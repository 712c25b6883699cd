//! Groups of domains succeed together or are turned back together (docs/whole-device.md).
//!
//! Each group has a phase of its own; groups do not wait for each other:
//!
//! ```text
//! DOWNLOAD -> UPDATE -> ACTIVATE by order -> verify -> commit -> CLEANUP
//!     └──────────┴──────────┴─ a failure ──────┘
//!                                  └─> wait for who is busy -> ROLLBACK by order, descending -> CLEANUP
//! ```
//!
//! Shared are the identification, the owner's consent and the end. With `rollback: none`
//! all domains are one group, and one that fails is cleaned up while the others go on.

use super::super::group::Group;
use super::{identify, turn_back, Act, Policy, Stand, Step, Verification, View};
use crate::model::{DomainIx, DomainSet, Phase, Rollback, Status};

/// The policy of activities for which groups make a difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Together;

impl Policy for Together {
    fn name(&self) -> &'static str {
        "together"
    }

    fn suits(&self, view: &View<'_>) -> bool {
        view.is_grouped()
    }

    fn group(&self, view: &View<'_>, domain: DomainIx) -> Group {
        match view.rollback() {
            Rollback::Baseline => view.group(domain).unwrap_or_default(),
            Rollback::None | Rollback::Device => Group::default(),
        }
    }

    fn next(&self, view: &View<'_>) -> Step {
        begin(view).unwrap_or_else(|| lead_all(view))
    }
}

/// Returns the next step that concerns the activity as a whole: until all domains have
/// identified, and when it is given up before there are groups to turn back.
fn begin(view: &View<'_>) -> Option<Step> {
    let has_turned = view.groups().iter().any(|group| view.is_turned_back(group));
    let has_begun = has_turned || view.domains().iter().any(|domain| view.has_begun(domain));
    if view.rollback() == Rollback::None || !has_begun {
        if let Some(step) = turn_back(view) {
            return Some(step);
        }
    }
    // The whole cannot be reached without that domain.
    if view.rollback() != Rollback::None && view.announced() == Some(Status::Identifying) && view.has_unserved() {
        return Some(Step::Finish(Status::IdentificationFailed));
    }
    identify(view)
}

/// Returns the next step of the first group that has one. When all have ended, so does the
/// activity.
fn lead_all(view: &View<'_>) -> Step {
    let (mut waits, mut reboots) = (false, false);
    for group in view.groups().iter() {
        match lead_group(view, group) {
            Some(Step::Wait) => waits = true,
            Some(Step::Reboot) => reboots = true,
            Some(step) => return step,
            None => {}
        }
    }
    if waits || reboots {
        // One boot serves all groups.
        return if waits || view.is_rebooting() { Step::Wait } else { Step::Reboot };
    }
    if let Some(status) = view.inconsistent() {
        return Step::Finish(status);
    }
    let is_committed = view.groups().iter().all(|group| view.is_committed(group));
    match () {
        () if view.has_failed() || !is_committed => Step::Finish(Status::Incomplete),
        () => Step::Finish(Status::Completed),
    }
}

/// Returns the next step of a group; none when it has ended.
fn lead_group(view: &View<'_>, group: Group) -> Option<Step> {
    let domains = view.domains_of(group);
    if view.is_committed(group) {
        return clean_up(view, domains);
    }
    if view.is_turned_back(group) {
        let reboot = || view.owes_boot(group).then_some(Step::Reboot);
        let end = || clean_up_early(view, domains).or_else(|| clean_up(view, domains));
        return undo(view, domains).or_else(reboot).or_else(end);
    }
    if has_failed(view, group) {
        return Some(Step::TurnBack(group));
    }
    drop_failed(view, domains).or_else(|| lead(view, domains)).or_else(|| {
        Some(match view.verification(group) {
            Verification::Idle => Step::Verify(group),
            Verification::Good if view.owes_boot(group) => Step::Reboot,
            Verification::Good if !view.is_held(group) => Step::Commit(group),
            _ => Step::Wait,
        })
    })
}

/// Returns whether the group is to be turned back.
fn has_failed(view: &View<'_>, group: Group) -> bool {
    if view.cause().is_some() || view.verification(group) == Verification::Bad {
        return true;
    }
    let takes_along = |domain: DomainIx| !view.fails_alone(domain) && view.failure(domain).is_some();
    let has_failed = view.has_lost_a_domain(group) || view.domains_of(group).iter().any(takes_along);
    has_failed && view.rollback() != Rollback::None
}

/// Returns the next step for domains that have failed alone: one that has activated is
/// rolled back by itself, and each is cleaned up.
fn drop_failed(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let unfit: DomainSet = domains.iter().filter(|domain| view.has_failed_its_check(*domain)).collect();
    if !unfit.is_empty() {
        return Some(Step::Do(Act::Rollback, unfit));
    }
    let is_over = |stand: Stand| stand.has_failed() || matches!(stand, Stand::Did(Act::Rollback, _));
    some(view.domains_that(is_over).and(domains)).map(|over| Step::Do(Act::Cleanup, over))
}

/// Returns the next step to lead the domains up to their activation, those that have failed
/// excepted: each phase begins when all have left the one before, and ACTIVATE goes out by
/// their order. None when all have activated.
fn lead(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let of = |wanted: &dyn Fn(Stand) -> bool| view.domains_that(wanted).and(domains);
    let left = domains.iter().filter_map(|domain| view.stand(domain)?.left()).min();
    let is_busy = |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Owes(Act::Forward(_)));
    let busy = of(&is_busy);
    let Some(next) = left.filter(|left| *left < Phase::Activate).and_then(Phase::next) else {
        return some(busy).map(|_| Step::Wait);
    };
    let ready = of(&|stand| stand.left() == left);
    // A domain that was not configured for a while is behind the others, and led to them.
    let is_before = |stand: Stand| match stand {
        Stand::Owes(Act::Forward(phase)) => phase < next || next == Phase::Activate,
        stand => matches!(stand, Stand::Held(_)),
    };
    if !of(&is_before).is_empty() {
        return Some(Step::Wait);
    }
    let first = ready.iter().map(|domain| view.order(domain)).min();
    let begins = |domain: &DomainIx| next != Phase::Activate || Some(view.order(*domain)) == first;
    Some(Step::Do(Act::Forward(next), ready.iter().filter(begins).collect()))
}

/// Returns the next step to undo what the domains were given: those that are busy are waited
/// for first, then the last in their order begins. A domain whose download failed has nothing
/// to undo, unless it was updated before it was started over. One that cannot be rolled back is
/// restored. None when all that can be is undone.
fn undo(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let of = |wanted: &dyn Fn(Stand) -> bool| view.domains_that(wanted).and(domains);
    if !of(&|stand| matches!(stand, Stand::Owes(Act::Forward(_)))).is_empty() {
        return Some(Step::Wait);
    }
    let is_led = |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Did(Act::Forward(_), _));
    let has_changed = |domain: &DomainIx| view.has_begun(*domain) && !view.has_failed_unchanged(*domain);
    let changed = of(&is_led).iter().filter(has_changed);
    let left: DomainSet = changed.filter(|domain| view.can_roll_back(*domain)).collect();
    let lost: DomainSet = domains.without(left).iter().filter(|domain| view.can_restore(*domain)).collect();
    let under_way = of(&|stand| matches!(stand, Stand::Owes(Act::Rollback | Act::Restore)));
    let order = |domain: &DomainIx| view.order(*domain);
    let last = left.iter().chain(lost.iter()).chain(under_way.iter()).map(|domain| order(&domain)).max()?;
    let begins = |domains: DomainSet| some(domains.iter().filter(|domain| order(domain) == last).collect());
    let step = begins(left).map(|left| Step::Do(Act::Rollback, left));
    Some(step.or_else(|| begins(lost).map(|lost| Step::Do(Act::Restore, lost))).unwrap_or(Step::Wait))
}

/// Returns the next step for domains that ended early: they have committed by themselves, but
/// still hold what they would need to go back.
fn clean_up_early(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let early = domains.iter().filter(|domain| view.has_committed_by_itself(*domain)).collect();
    some(early).map(|early| Step::Do(Act::Cleanup, early))
}

/// Returns the next step to clean up after the domains; none when their parts have ended.
fn clean_up(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let over = view.domains_that(|stand| matches!(stand, Stand::Held(_) | Stand::Did(..))).and(domains);
    let under_way = view.domains_that(Stand::is_owing).and(domains);
    some(over).map(|over| Step::Do(Act::Cleanup, over)).or_else(|| some(under_way).map(|_| Step::Wait))
}

fn some(domains: DomainSet) -> Option<DomainSet> {
    (!domains.is_empty()).then_some(domains)
}
