//! How far an activity is, as it is saved.
//!
//! What stands in it is named, never numbered by its place: the configuration may have
//! changed since. Times are not saved: waits begin anew. Of actions the state holds
//! status and progress; their components stand in a record of their own, which is
//! written once.

mod read;
#[cfg(test)]
mod tests;

use super::format::{Fields, FIELD};
use super::journal::Times;
use super::kept::KeptPart;
use crate::engine::boot::{Boot, Boots};
use crate::engine::domain::{Domain, State, Wait};
use crate::engine::evidence::Evidence;
use crate::engine::group::{Group, GroupSet};
use crate::engine::obligation::Obligation;
use crate::engine::policy::{Lockstep, Policy};
use crate::engine::restore::Restore;
use crate::engine::Campaign;
use crate::limits::{KEPT_MAX, ORDERS_MAX, SAVED_PROGRESS_MAX, SAVED_WORDS_ALL, SAVED_WORDS_MAX};
use crate::model::text::Text;
use crate::model::{checksum, ActionStatus, Command, DomainIx, Phase, Reason, Reboot, Rollback, Status};
pub use read::{decode, decode_key, version, Progress, Saved};

/// Tags of a state's fields. A number is never given another meaning.
mod tag {
    pub const ACTIVITY: u8 = 1;
    pub const TIMESTAMP: u8 = 2;
    pub const CRC: u8 = 3;
    pub const PHASE: u8 = 4;
    pub const ASKING: u8 = 5;
    pub const OUTCOME: u8 = 6;
    pub const CAUSE: u8 = 7;
    pub const DOMAIN: u8 = 8;
    pub const FAILURE: u8 = 9;
    pub const CLEANUP: u8 = 10;
    pub const UNSERVED: u8 = 11;
    /// Status and progress of actions by their places. 0.1.0 wrote that.
    pub const PLACES: u8 = 12;
    pub const REBOOT: u8 = 13;
    pub const DELIVERED: u8 = 14;
    // 15: how often 0.1.0 took it up in one phase. Not read any more.
    pub const QUESTION: u8 = 16;
    /// Checksum of activity, timestamp and CRC, which stand before it.
    pub const KEY: u8 = 17;
    /// What the domain before it may still answer.
    pub const OBLIGATION: u8 = 18;
    /// A failure of the domain before it that does not count yet.
    pub const KEPT: u8 = 19;
    pub const APPROVED: u8 = 20;
    pub const STARTS: u8 = 21;
    /// The limit in the reason before it, by its code.
    pub const LIMIT: u8 = 22;
    /// Which activity it is. 0.1.0 knows nothing of that.
    pub const RUN: u8 = 23;
    /// Counts up with each state that is written, in whatever record.
    pub const VERSION: u8 = 24;
    /// A domain's actions: which of the domains above it is, then identifier, status and
    /// progress of each.
    pub const PROGRESS: u8 = 25;
    /// The policy that leads it, if it is not `Lockstep`.
    pub const POLICY: u8 = 26;
    /// What was announced, if the phase does not tell.
    pub const ANNOUNCED: u8 = 27;
    /// The groups that are committed, a bit for each.
    pub const COMMITTED: u8 = 28;
    /// The last phase that the domain before it was told to begin, and its group, if the
    /// domain's state does not tell.
    pub const COURSE: u8 = 29;
    /// The timestamp of an approval of the owner's that has counted.
    pub const COUNTED: u8 = 30;
    /// When it began, and how long it has lasted.
    pub const TIMES: u8 = 31;
    /// Which domains form a group, if they do.
    pub const ROLLBACK: u8 = 32;
    /// The groups that are turned back, a bit for each.
    pub const TURNED: u8 = 33;
    /// Why the verification command found groups bad.
    pub const FLAWS: u8 = 34;
    /// What shows whether the domain before it is as it was, a bit for each fact.
    pub const EVIDENCE: u8 = 35;
    /// How far the domain before it is with becoming what it was committed to.
    pub const RESTORE: u8 = 36;
    /// What a boot means for the domain before it.
    pub const BOOT: u8 = 37;
    /// How often the host has booted for the activity, and how far the reboot is.
    pub const BOOTS: u8 = 38;
    /// The state of the domain before it, where `DOMAIN` has another one for older releases.
    pub const EXACT: u8 = 39;
    /// An activity, and which of the domains above are committed to it.
    pub const COMMITTED_TO: u8 = 40;
    /// An activity, and the name of a domain that is committed to it and takes no part now.
    pub const COMMITTED_APART: u8 = 41;
}

/// What is saved beside the campaign.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Beside {
    /// How far the reboot is.
    pub reboot: Reboot,
    /// Which boot of the host it was, `/proc/sys/kernel/random/boot_id`; zeros if
    /// there is none.
    pub boot: [u8; 16],
    /// The phase that the owner is asked about, and the question's UUID.
    pub question: Option<(Phase, [u8; 16])>,
}

/// Writes all of the state that is worth a save when it changes; `names` are the domains
/// in the order of the configuration.
pub fn encode(campaign: &Campaign, names: &[String], beside: &Beside, out: &mut Fields<'_>) {
    out.put(tag::ACTIVITY, &[campaign.identity.activity.as_bytes()]);
    out.put(tag::TIMESTAMP, &[&campaign.identity.timestamp.to_le_bytes()]);
    out.put(tag::CRC, &[&campaign.identity.crc.to_le_bytes()]);
    out.put(tag::KEY, &[&key(campaign).to_le_bytes()]);
    out.put(tag::RUN, &[&campaign.identity.run.0.to_le_bytes()]);
    if campaign.policy != Lockstep.name() {
        out.put(tag::POLICY, &[campaign.policy.as_bytes()]);
    }
    out.put(tag::PHASE, &[&[campaign.phase.code()]]);
    if let Some(phase) = campaign.consent.asking {
        out.put(tag::ASKING, &[&[phase.code()]]);
    }
    if let Some(phase) = campaign.consent.approved {
        out.put(tag::APPROVED, &[&[phase.code()]]);
    }
    for timestamp in &campaign.consent.counted {
        out.put(tag::COUNTED, &[&timestamp.to_le_bytes()]);
    }
    if campaign.announced != read::announced(campaign) {
        out.put(tag::ANNOUNCED, &[&[campaign.announced.map_or(0, Status::code)]]);
    }
    if campaign.groups.committed != GroupSet::default() {
        out.put(tag::COMMITTED, &[&campaign.groups.committed.bits().to_le_bytes()]);
    }
    if campaign.groups.rollback != Rollback::None {
        out.put(tag::ROLLBACK, &[&[campaign.groups.rollback.code()]]);
    }
    if !campaign.groups.turned.is_empty() {
        out.put(tag::TURNED, &[&campaign.groups.turned.bits().to_le_bytes()]);
    }
    if !campaign.groups.flaws.is_empty() {
        let words = Text::from_checked(&campaign.groups.flaws).cut(SAVED_WORDS_MAX);
        out.put(tag::FLAWS, &[words.as_json().as_bytes()]);
    }
    if let Some(status) = campaign.end.outcome {
        out.put(tag::OUTCOME, &[&[status.code()]]);
    }
    if let Some(cause) = campaign.end.cause {
        out.put(tag::CAUSE, &[&[cause.code()], &campaign.end.waited_ms.to_le_bytes()]);
    }
    let words_max = words_max(campaign);
    for (domain, name) in campaign.domains.iter().zip(names) {
        if let Some(domain) = domain {
            encode_domain(campaign, domain, name, words_max, out);
        }
    }
    for gone in &campaign.absent.gone {
        encode_domain(campaign, &gone.part, &gone.name, words_max, out);
    }
    for name in campaign.absent.unserved.iter() {
        out.put(tag::UNSERVED, &[name.as_bytes()]);
    }
    out.put(tag::REBOOT, &[&[beside.reboot.code()], &beside.boot]);
    out.put(tag::DELIVERED, &[&[u8::from(campaign.end.is_delivered)]]);
    if campaign.boots != Boots::default() {
        let Boots { count, seen, is_due, is_late } = campaign.boots;
        out.put(tag::BOOTS, &[&[count, u8::from(is_due) | u8::from(is_late) << 1, seen]]);
    }
    out.put(tag::STARTS, &[&[campaign.starts.count]]);
    if let Some((phase, id)) = &beside.question {
        out.put(tag::QUESTION, &[&[phase.code()], id]);
    }
}

/// Writes to which activity each domain is committed.
pub fn encode_kept(campaign: &Campaign, names: &[String], parts: &[KeptPart], out: &mut Fields<'_>) {
    let name_of = |domain: DomainIx| names.get(domain.place());
    let mut places = [None; KEPT_MAX];
    for (place, domain) in campaign.participants().iter().enumerate() {
        let part = parts.iter().take(KEPT_MAX).position(|part| Some(&part.domain) == name_of(domain));
        part.into_iter().for_each(|part| places[part] = Some(place as u8));
    }
    let all = || parts.iter().zip(places);
    for (nth, (KeptPart { run, domain, .. }, place)) in all().enumerate() {
        if place.is_none() {
            out.put(tag::COMMITTED_APART, &[&run.0.to_le_bytes(), domain.as_bytes()]);
        } else if !all().take(nth).any(|(before, place)| before.run == *run && place.is_some()) {
            let of_run = all().filter(|(part, _)| part.run == *run);
            let places: heapless::Vec<u8, KEPT_MAX> = of_run.filter_map(|(_, place)| place).collect();
            out.put(tag::COMMITTED_TO, &[&run.0.to_le_bytes(), &places]);
        }
    }
}

/// Writes what goes with a state, though a change of it alone is not worth a save: which
/// version of it this is, how long the activity has lasted, and how far the actions are, as
/// many as there is room for.
pub fn encode_along(campaign: &Campaign, version: u32, times: Times, out: &mut Fields<'_>) {
    out.put(tag::VERSION, &[&version.to_le_bytes()]);
    out.put(tag::TIMES, &[&times.begun.to_le_bytes(), &times.lasted_ms.to_le_bytes()]);
    let mut room = SAVED_PROGRESS_MAX;
    for (nth, domain) in campaign.participants().iter().enumerate() {
        let mut content = heapless::Vec::<u8, SAVED_PROGRESS_MAX>::new();
        for action in campaign.actions.of(domain) {
            let id = action.id().as_json().as_bytes();
            let head = if content.is_empty() { FIELD + 1 } else { 0 };
            let Some(left) = room.checked_sub(head + 2 + id.len() + 2) else { continue };
            room = left;
            if content.is_empty() {
                // There is room for all that is put into it here and below.
                let _ = content.push(nth as u8);
            }
            let _ = content.extend_from_slice(&(id.len() as u16).to_le_bytes());
            let _ = content.extend_from_slice(id);
            let _ = content.extend_from_slice(&[action.status.map_or(0, ActionStatus::code), action.progress]);
        }
        if !content.is_empty() && out.has_room(content.len()) {
            out.put(tag::PROGRESS, &[&content]);
        }
    }
}

/// Bytes that each domain's words may have.
fn words_max(campaign: &Campaign) -> usize {
    let parts = campaign.domains.iter().flatten().chain(campaign.absent.gone.iter().map(|gone| &gone.part));
    let reasons = parts.flat_map(|domain| [&domain.failure, &domain.cleanup, &domain.obligation.kept]);
    let speaking = reasons.filter(|reason| matches!(reason, Some(Reason::Words(_)))).count();
    SAVED_WORDS_MAX.min(SAVED_WORDS_ALL / speaking.max(1))
}

/// By which the activity in a damaged state is known to be whole.
fn key(campaign: &Campaign) -> u32 {
    let pieces = [
        campaign.identity.activity.as_bytes(),
        &campaign.identity.timestamp.to_le_bytes(),
        &campaign.identity.crc.to_le_bytes(),
    ];
    checksum(&pieces)
}

fn encode_domain(campaign: &Campaign, domain: &Domain, name: &str, words_max: usize, out: &mut Fields<'_>) {
    let repeats = [u8::from(domain.fell_back), domain.repeats];
    let shown = state_for_older(campaign, domain);
    out.put(tag::DOMAIN, &[&shown.code(), &repeats, name.as_bytes()]);
    if shown.code() != domain.state.code() {
        out.put(tag::EXACT, &[&domain.state.code()]);
    }
    if domain.boot != Boot::No {
        out.put(tag::BOOT, &[&[domain.boot.code()]]);
    }
    if (domain.group, domain.furthest) != (Group::default(), read::furthest(campaign, shown)) {
        out.put(tag::COURSE, &[&[domain.furthest.map_or(0, Phase::code), domain.group.number()]]);
    }
    // Lockstep has no use for it.
    if campaign.policy != Lockstep.name() && domain.evidence != Evidence::default() {
        let [low, high] = domain.evidence.bits().to_le_bytes();
        let bits = [low, high];
        out.put(tag::EVIDENCE, &[if high == 0 { &bits[..1] } else { &bits }]);
    }
    if domain.restore != Restore::No {
        out.put(tag::RESTORE, &[&[domain.restore.code()]]);
    }
    encode_reason(tag::FAILURE, domain.failure.as_ref(), words_max, out);
    encode_reason(tag::CLEANUP, domain.cleanup.as_ref(), words_max, out);
    if has_more_than_owed(domain) {
        encode_obligation(&domain.obligation, out);
    }
    encode_reason(tag::KEPT, domain.obligation.kept.as_ref(), words_max, out);
}

/// Returns the state from which a release that knows neither boots before the commit nor
/// restoring brings the domain to a right end: a bootloader may go back to such a one.
fn state_for_older(campaign: &Campaign, domain: &Domain) -> State {
    let is_open = !domain.obligation.is_halted && !campaign.groups.committed.contains(domain.group);
    match domain.state {
        // What the domain was committed to is none of its business, so that it names the domain
        // as inconsistent.
        _ if domain.restore.is_apart() => State::CleaningUp(Wait::STOPPED),
        // What has activated on the new system is not in use on the old one: it is started over.
        State::Ready(Phase::Activate) if domain.boot != Boot::No && is_open => State::Working(Phase::Activate),
        state => state,
    }
}

/// Whether the domain's obligation says more than where it is: most do not.
fn has_more_than_owed(domain: &Domain) -> bool {
    let Obligation { course, queue, repairs, is_remembered, is_turning, is_halted, .. } = &domain.obligation;
    (*course, *repairs, *is_remembered || *is_turning || *is_halted) != (0, 0, false)
        || *queue != Domain::owing(domain.state).obligation.queue
}

/// Course, repairs and flags, then command and course of each message.
fn encode_obligation(obligation: &Obligation, out: &mut Fields<'_>) {
    let Obligation { is_remembered, is_turning, is_halted, .. } = *obligation;
    let flags = u8::from(is_remembered) | u8::from(is_turning) << 1 | u8::from(is_halted) << 2;
    let mut content = heapless::Vec::<u8, { 3 + 2 * ORDERS_MAX }>::new();
    // There is room for the whole queue.
    let _ = content.extend_from_slice(&[obligation.course, obligation.repairs, flags]);
    for order in obligation.queue.iter() {
        let _ = content.extend_from_slice(&[order.command.map_or(0, Command::code), order.course]);
    }
    out.put(tag::OBLIGATION, &[&content]);
}

fn encode_reason(tag: u8, reason: Option<&Reason>, words_max: usize, out: &mut Fields<'_>) {
    let kind = reason.map_or(0, |reason| reason.kind().code());
    match reason {
        None => {}
        Some(Reason::Words(words)) => {
            let words = Text::from_checked(words).cut(words_max);
            out.put(tag, &[&[kind], words.as_json().as_bytes()]);
        }
        Some(Reason::Status(status)) => out.put(tag, &[&[kind, status.code()]]),
        Some(Reason::Silent(command, ms)) => {
            out.put(tag, &[&[kind, command.map_or(0, Command::code)], &ms.to_le_bytes()])
        }
        Some(Reason::Lost(times)) => out.put(tag, &[&[kind, *times]]),
        Some(Reason::Refused(bytes)) => out.put(tag, &[&[kind], &bytes.to_le_bytes()]),
        Some(Reason::Limit(limit)) => {
            // The first version knows it by its words.
            let max = (limit.bound() as u64).to_le_bytes();
            out.put(tag, &[&[kind], &max, limit.name().as_bytes()]);
            out.put(tag::LIMIT, &[&[limit.code()]]);
        }
    }
}
