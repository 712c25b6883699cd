//! Notices: what the engine has to say to a person who reads the log or the journal.
//!
//! In: notices. Out: log lines and journal entries.
//!
//! Invariant: a notice has no other effect.
//!
//! Deliberately absent: state of its own.

use crate::engine::effect::Notice;
use crate::engine::obligation::Doubt;
use crate::engine::Campaign;
use crate::manager::message;
use crate::manager::outside::{Names, Outside};
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{DomainIx, Reason};
use crate::store::journal::Kind;

/// Logs a notice, and notes it in the journal if that keeps its kind.
pub(in crate::manager) fn handle(now: Now, outside: &mut Outside, campaign: Option<&Campaign>, notice: Notice) {
    if let Some((kind, domain)) = kept(notice) {
        outside.store.journal.note(now, kind, Some(domain));
    }
    if let Some(campaign) = campaign {
        write_log(&outside.names, campaign, notice);
    }
}

/// Returns the journal entry of a notice, if it has one.
fn kept(notice: Notice) -> Option<(Kind, DomainIx)> {
    match notice {
        Notice::Repaired(domain) => Some((Kind::Repaired, domain)),
        Notice::StartedOver(domain) => Some((Kind::StartedOver, domain)),
        Notice::Repeated(domain, _) => Some((Kind::Repeated, domain)),
        Notice::FailureKept(domain, _) => Some((Kind::FailureKept, domain)),
        _ => None,
    }
}

fn write_log(names: &Names, campaign: &Campaign, notice: Notice) {
    let activity = Text::from_checked(&campaign.identity.activity);
    let name = |domain: DomainIx| names.domain(domain);
    match notice {
        Notice::Ignored(domain, status) => {
            log::info!("[{}] {activity}: {} ignored, it answers nothing", name(domain), status.name());
        }
        Notice::Doubted(domain, doubt) => {
            let why = match doubt {
                Doubt::Start(true) => "the host has booted",
                Doubt::Start(false) => "the manager has started",
                Doubt::Hello => "its agent has connected",
                Doubt::SessionLost => "the broker has lost the session",
            };
            log::info!("[{}] {activity}: in doubt, {why}", name(domain));
        }
        Notice::Repaired(domain) => {
            log::warn!("[{}] {activity}: started over, the desired state is sent again", name(domain));
        }
        Notice::StartedOver(domain) => {
            log::warn!("[{}] {activity}: has started over, led again from DOWNLOAD", name(domain));
        }
        Notice::Repeated(domain, command) => {
            log::warn!("[{}] {activity}: {} sent once more", name(domain), command.name());
        }
        Notice::FailureKept(domain, status) => {
            let status = status.name();
            log::warn!("[{}] {activity}: {status} counts only if the domain does not start over", name(domain));
        }
        Notice::ActionsDropped(domain) => {
            log::warn!("[{}] {activity}: actions past the limit are left out", name(domain));
        }
        Notice::Restoring(domain) => {
            log::warn!("[{}] {activity}: to be restored to what it was committed to before", name(domain));
        }
        Notice::NotRestored(domain) => {
            if let Some(why) = campaign.domain(domain).and_then(|part| part.cleanup.as_ref()) {
                log::warn!("[{}] {activity}: not restored: {}", name(domain), shown(why));
            }
        }
        Notice::Fault(fault) => log::error!("{activity}: the policy is at fault: {fault}"),
        Notice::RebootDisabled => log::warn!("{activity}: needs a reboot, and rebootEnabled is false"),
        Notice::Failed(domain) => {
            if let Some(why) = campaign.domain(domain).and_then(|part| part.failure.as_ref()) {
                log::warn!("[{}] {activity}: failed: {}", name(domain), shown(why));
            }
        }
        Notice::NotCleanedUp(domain) => {
            if let Some(why) = campaign.domain(domain).and_then(|part| part.cleanup.as_ref()) {
                log::warn!("[{}] {activity}: not cleaned up: {}", name(domain), shown(why));
            }
        }
    }
}

fn shown(reason: &Reason) -> impl core::fmt::Display + '_ {
    message::logged(|out| message::write_reason(reason, out))
}
