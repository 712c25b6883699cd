//! Parts of a course that policies are put together from, in the order in which an activity
//! goes through them. Each returns the next step of its part, none when it has nothing to
//! do, so that the next part is asked.

use super::{Act, Ending, Stand, Step, View};
use crate::model::{DomainIx, DomainSet, Phase, Status};

/// It identifies: there is nothing to undo, and it can be cleaned up at once.
const IDENTIFYING: Stand = Stand::Owes(Act::Forward(Phase::Identify));

fn is_committed(view: &View<'_>, domain: DomainIx) -> bool {
    view.group(domain).is_some_and(|group| view.is_committed(group))
}

/// Returns the next step to turn all domains back, if the activity has been cancelled or
/// refused; none otherwise. Policies begin with it:
///
/// - A domain that was told DOWNLOAD or more, and has not failed, gets ROLLBACK, then
///   CLEANUP. All others that were told anything get CLEANUP alone; those of a group that is
///   committed as well, since nothing of it is turned back.
/// - When all have answered, the activity ends `INCOMPLETE`; at once if no domain was told
///   DOWNLOAD (docs/protocol.md, "The activity").
pub fn turn_back(view: &View<'_>) -> Option<Step> {
    view.cause()?;
    let is_forward =
        |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Owes(Act::Forward(_))) || stand.left().is_some();
    let forward = view.domains_that(is_forward);
    let is_undone = |domain: &DomainIx| view.has_begun(*domain) && !is_committed(view, *domain);
    let begun: DomainSet = forward.iter().filter(is_undone).collect();
    if !begun.is_empty() {
        return Some(Step::Do(Act::Rollback, begun));
    }
    let is_over = |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Did(..) | IDENTIFYING);
    let over = view.domains_that(is_over);
    if !over.is_empty() {
        return Some(Step::Do(Act::Cleanup, over));
    }
    let has_begun = view.domains().iter().any(|domain| view.has_begun(domain));
    if has_begun && view.any(Stand::is_owing) {
        return Some(Step::Wait);
    }
    Some(Step::Finish(view.inconsistent().unwrap_or(Status::Incomplete)))
}

/// Returns the next step until all domains have identified: they get the desired state
/// together. If one fails, the activity ends `IDENTIFICATION_FAILED`, and nobody gets a
/// command; one that fails alone is left out.
pub fn identify(view: &View<'_>) -> Option<Step> {
    match view.announced() {
        Some(Status::Identified) => return None,
        Some(_) => {}
        None => return Some(Step::Announce(Status::Identifying)),
    }
    let new = view.domains_that(|stand| stand == Stand::New);
    if !new.is_empty() {
        return Some(Step::Do(Act::Forward(Phase::Identify), new));
    }
    if view.any(Stand::is_owing) {
        return Some(Step::Wait);
    }
    Some(match view.has_failed_with_others() {
        true => Step::Finish(Status::IdentificationFailed),
        false => Step::Announce(Status::Identified),
    })
}

/// Returns the next step to lead these domains, which have identified, up to their
/// activation: each phase begins when all of them have left the one before. One that fails
/// gets CLEANUP at once. None when all that have not failed have activated, or belong to a
/// group that is committed.
pub fn lead(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let of = |wanted: &dyn Fn(Stand) -> bool| view.domains_that(wanted).and(domains);
    let failed = of(&Stand::has_failed);
    if !failed.is_empty() {
        return Some(Step::Do(Act::Cleanup, failed));
    }
    let phase = domains.iter().filter_map(|domain| view.furthest(domain)).max();
    let open = domains.iter().filter(|domain| !is_committed(view, *domain)).collect::<DomainSet>();
    let left = open.iter().filter_map(|domain| view.stand(domain)?.left()).min();
    let is_under_way = |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Owes(Act::Forward(_) | Act::Rollback));
    let waits = !of(&is_under_way).is_empty();
    match left {
        // A domain that was not configured for a while is behind the others, and led to them.
        Some(left) if left < Phase::Activate && (Some(left) < phase || !waits) => {
            let ready = of(&|stand| stand.left() == Some(left)).and(open);
            Some(left.next().map_or(Step::Wait, |next| Step::Do(Act::Forward(next), ready)))
        }
        _ if waits => Some(Step::Wait),
        _ => None,
    }
}

/// Returns the next step to the end: all that have activated, failed or been rolled back
/// get CLEANUP, and when no domain owes anything, those that nobody leads on as well. When
/// all have ended, the activity has its final status.
pub fn finish(view: &View<'_>) -> Step {
    let is_over = |stand: Stand| match stand {
        Stand::Did(Act::Forward(_), Ending::Ok) => stand.left() == Some(Phase::Activate),
        Stand::Did(..) => true,
        _ => false,
    };
    let is_left = |stand: Stand| matches!(stand, Stand::Did(..));
    let (over, left) = (view.domains_that(is_over), view.domains_that(is_left));
    if !over.is_empty() {
        return Step::Do(Act::Cleanup, over);
    }
    if view.any(|stand| stand.is_owing() || matches!(stand, Stand::Held(_))) {
        return Step::Wait;
    }
    if !left.is_empty() {
        return Step::Do(Act::Cleanup, left);
    }
    Step::Finish(if view.has_failed() { Status::Incomplete } else { Status::Completed })
}
