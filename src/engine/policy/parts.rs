//! Parts of a course that policies are put together from, in the order in which an activity
//! goes through them. Each returns the next step of its part, none when it has nothing to
//! do, so that the next part is asked.

use super::{Act, Stand, Step, View};
use crate::model::{DomainSet, Phase, Status};

/// Returns the next step to turn all domains back, if the activity has been cancelled or
/// refused; none otherwise. Policies begin with it:
///
/// - A domain that was told DOWNLOAD or more, and has not failed, gets ROLLBACK, then
///   CLEANUP. All others that have identified get CLEANUP alone.
/// - When all have answered, the activity ends `INCOMPLETE`; at once if no domain was told
///   DOWNLOAD (docs/protocol.md, "The activity").
pub fn turn_back(view: &View<'_>) -> Option<Step> {
    view.cause()?;
    let is_forward =
        |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Owes(Act::Forward(_))) || stand.left().is_some();
    let forward = view.domains_that(is_forward);
    let begun: DomainSet = forward.iter().filter(|domain| view.has_begun(*domain)).collect();
    if !begun.is_empty() {
        return Some(Step::Do(Act::Rollback, begun));
    }
    let is_over = |stand: Stand| stand.has_failed() || matches!(stand, Stand::Did(Act::Rollback | Act::Restore, _));
    let over = view.domains_that(|stand| is_forward(stand) || is_over(stand));
    if !over.is_empty() {
        return Some(Step::Do(Act::Cleanup, over));
    }
    let has_begun = view.domains().iter().any(|domain| view.has_begun(domain));
    if has_begun && view.any(Stand::is_owing) {
        return Some(Step::Wait);
    }
    Some(Step::Finish(Status::Incomplete))
}

/// Returns the next step until all domains have identified: they get the desired state
/// together. If one fails, the activity ends `IDENTIFICATION_FAILED`, and nobody gets a
/// command.
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
    Some(match view.has_failed() {
        true => Step::Finish(Status::IdentificationFailed),
        false => Step::Announce(Status::Identified),
    })
}

/// Returns the next step to lead these domains, which have identified, up to their
/// activation: each phase begins when all of them have left the one before. One that fails
/// gets CLEANUP at once. None when all that have not failed have activated.
pub fn lead(view: &View<'_>, domains: DomainSet) -> Option<Step> {
    let of = |wanted: &dyn Fn(Stand) -> bool| view.domains_that(wanted).and(domains);
    let failed = of(&Stand::has_failed);
    if !failed.is_empty() {
        return Some(Step::Do(Act::Cleanup, failed));
    }
    let phase = domains.iter().filter_map(|domain| view.furthest(domain)).max();
    let left = domains.iter().filter_map(|domain| view.stand(domain)?.left()).min();
    let is_under_way = |stand: Stand| matches!(stand, Stand::Held(_) | Stand::Owes(Act::Forward(_) | Act::Rollback));
    let waits = !of(&is_under_way).is_empty();
    match left {
        // A domain that was not configured for a while is behind the others, and led to them.
        Some(left) if left < Phase::Activate && (Some(left) < phase || !waits) => {
            let ready = of(&|stand| stand.left() == Some(left));
            Some(left.next().map_or(Step::Wait, |next| Step::Do(Act::Forward(next), ready)))
        }
        _ if waits => Some(Step::Wait),
        _ => None,
    }
}

/// Returns the next step to the end: all that have activated get CLEANUP, and when they
/// have ended the activity has its final status.
pub fn finish(view: &View<'_>) -> Step {
    let ready = view.domains_that(|stand| stand.left() == Some(Phase::Activate));
    if !ready.is_empty() {
        return Step::Do(Act::Cleanup, ready);
    }
    if view.any(|stand| !stand.is_done()) {
        return Step::Wait;
    }
    Step::Finish(if view.has_failed() { Status::Incomplete } else { Status::Completed })
}
