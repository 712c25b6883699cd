//! How far an activity is, as it is saved.
//!
//! Domains are saved by name: the configuration may have changed since. Times are
//! not saved: waits begin anew. Of actions the state holds status and progress;
//! their components stand in a record of their own, which is written once.

use heapless::String;

use super::format::{checksum, fields, Fields, HEADER};
use crate::limits::{DOMAINS_MAX, DOMAIN_ID_MAX, ORDERS_MAX, SAVED_WORDS_ALL, SAVED_WORDS_MAX};
use crate::model::text::Text;
use crate::model::{ActionStatus, Cause, Command, DomainIx, Limit, Phase, Reason, ReasonKind, Reboot, Status};
use crate::orchestrator::domain::{Domain, State};
use crate::orchestrator::repair::Obligation;
use crate::orchestrator::Campaign;

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
    pub const ACTIONS: u8 = 12;
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

/// Writes the state; `names` are the domains in the order of the configuration.
pub fn encode(campaign: &Campaign, names: &[std::string::String], beside: &Beside, out: &mut Fields<'_>) {
    out.put(tag::ACTIVITY, &[campaign.activity.as_bytes()]);
    out.put(tag::TIMESTAMP, &[&campaign.timestamp.to_le_bytes()]);
    out.put(tag::CRC, &[&campaign.crc.to_le_bytes()]);
    out.put(tag::KEY, &[&key(campaign).to_le_bytes()]);
    out.put(tag::PHASE, &[&[campaign.phase.code()]]);
    if let Some(phase) = campaign.asking {
        out.put(tag::ASKING, &[&[phase.code()]]);
    }
    if let Some(phase) = campaign.approved {
        out.put(tag::APPROVED, &[&[phase.code()]]);
    }
    if let Some(status) = campaign.outcome {
        out.put(tag::OUTCOME, &[&[status.code()]]);
    }
    if let Some(cause) = campaign.cause {
        let (code, ms) = (cause.code(), campaign.waited_ms);
        out.put(tag::CAUSE, &[&[code], &ms.to_le_bytes()]);
    }
    let parts = campaign.domains.iter().flatten();
    let reasons = parts.flat_map(|domain| [&domain.failure, &domain.cleanup, &domain.obligation.kept]);
    let speaking = reasons.filter(|reason| matches!(reason, Some(Reason::Words(_)))).count();
    let words_max = SAVED_WORDS_MAX.min(SAVED_WORDS_ALL / speaking.max(1));
    for (domain, name) in campaign.domains.iter().zip(names) {
        let Some(domain) = domain else { continue };
        let (state, phase) = (domain.state.code(), domain.state.phase().map_or(0, Phase::code));
        out.put(tag::DOMAIN, &[&[state, phase, u8::from(domain.fell_back), domain.repeats], name.as_bytes()]);
        encode_reason(tag::FAILURE, domain.failure.as_ref(), words_max, out);
        encode_reason(tag::CLEANUP, domain.cleanup.as_ref(), words_max, out);
        if has_more_than_owed(domain) {
            encode_obligation(&domain.obligation, out);
        }
        encode_reason(tag::KEPT, domain.obligation.kept.as_ref(), words_max, out);
    }
    for name in campaign.unserved.iter() {
        out.put(tag::UNSERVED, &[name.as_bytes()]);
    }
    let mut actions = heapless::Vec::<u8, { 2 * crate::limits::ACTIONS_MAX }>::new();
    for action in campaign.actions.in_order_of_arrival() {
        let _ = actions.extend_from_slice(&[action.status.map_or(0, ActionStatus::code), action.progress]);
    }
    out.put(tag::ACTIONS, &[&actions]);
    out.put(tag::REBOOT, &[&[beside.reboot.code()], &beside.boot]);
    out.put(tag::DELIVERED, &[&[u8::from(campaign.is_delivered)]]);
    out.put(tag::STARTS, &[&[campaign.starts]]);
    if let Some((phase, id)) = &beside.question {
        out.put(tag::QUESTION, &[&[phase.code()], id]);
    }
}

/// Whether the domain's obligation says more than where it is: most do not.
fn has_more_than_owed(domain: &Domain) -> bool {
    let Obligation { course, queue, repairs, is_remembered, is_turning, .. } = &domain.obligation;
    (*course, *repairs, *is_remembered, *is_turning) != (0, 0, false, false)
        || *queue != Domain::owing(domain.state).obligation.queue
}

/// Course, repairs and flags, then command and course of each message.
fn encode_obligation(obligation: &Obligation, out: &mut Fields<'_>) {
    let flags = u8::from(obligation.is_remembered) | u8::from(obligation.is_turning) << 1;
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
        Some(Reason::Limit(limit)) => {
            // The first version knows it by its words.
            let max = (limit.bound() as u64).to_le_bytes();
            out.put(tag, &[&[kind], &max, limit.name().as_bytes()]);
            out.put(tag::LIMIT, &[&[limit.code()]]);
        }
    }
}

/// What the fields of a state say, put into `campaign`. Domains that are no longer
/// configured are left out; status and progress of actions are given to `action`,
/// in the order in which they first came. None if it names no activity.
pub fn decode(
    bytes: &[u8],
    names: &[std::string::String],
    campaign: &mut Campaign,
    action: &mut dyn FnMut(usize, Option<ActionStatus>, u8),
) -> Option<Beside> {
    let mut beside = Beside::default();
    let mut current: Option<DomainIx> = None;
    let mut reason = tag::FAILURE;
    campaign.reset();
    for (tag, content) in fields(bytes) {
        match tag {
            tag::ACTIVITY => campaign.activity = text(content)?,
            tag::TIMESTAMP => campaign.timestamp = i64::from_le_bytes(content.try_into().ok()?),
            tag::CRC => campaign.crc = u32::from_le_bytes(content.try_into().ok()?),
            tag::PHASE => campaign.phase = Phase::of_code(*content.first()?)?,
            tag::ASKING => campaign.asking = Phase::of_code(*content.first()?),
            tag::OUTCOME => campaign.outcome = Status::of_code(*content.first()?),
            tag::CAUSE => {
                campaign.cause = Cause::of_code(*content.first()?);
                campaign.waited_ms = u64::from_le_bytes(content.get(1..9)?.try_into().ok()?);
            }
            tag::DOMAIN => {
                let name = core::str::from_utf8(content.get(4..)?).ok()?;
                current = names.iter().take(DOMAINS_MAX).position(|known| known == name).and_then(DomainIx::new);
                if let Some(domain) = current {
                    campaign.domains[domain.place()] = decode_domain(content);
                }
            }
            tag::FAILURE | tag::CLEANUP | tag::KEPT => {
                if let Some(part) = current.and_then(|domain| campaign.domain_mut(domain)) {
                    *reason_of(part, tag) = Some(decode_reason(content));
                    reason = tag;
                }
            }
            tag::LIMIT => {
                let limit = Limit::of_code(*content.first()?);
                if let (Some(part), Some(limit)) = (current.and_then(|domain| campaign.domain_mut(domain)), limit) {
                    *reason_of(part, reason) = Some(Reason::Limit(limit));
                }
            }
            tag::OBLIGATION => {
                if let Some(part) = current.and_then(|domain| campaign.domain_mut(domain)) {
                    part.obligation = decode_obligation(content)?;
                }
            }
            tag::APPROVED => campaign.approved = Phase::of_code(*content.first()?),
            tag::UNSERVED => drop(campaign.unserved.push(text::<DOMAIN_ID_MAX>(content)?)),
            tag::ACTIONS => {
                for (place, pair) in content.chunks_exact(2).enumerate() {
                    action(place, ActionStatus::of_code(pair[0]), pair[1].min(100));
                }
            }
            tag::REBOOT => {
                beside.reboot = Reboot::of_code(*content.first()?).unwrap_or_default();
                beside.boot = content.get(1..17)?.try_into().ok()?;
            }
            tag::DELIVERED => campaign.is_delivered = content == [1],
            tag::QUESTION => beside.question = decode_question(content),
            tag::STARTS => campaign.starts = *content.first()?,
            _ => {}
        }
    }
    (!campaign.activity.is_empty()).then_some(beside)
}

/// Puts whose state it was into `campaign`, if that part of a damaged one is whole;
/// whether it is.
pub fn decode_key(slot: &[u8], campaign: &mut Campaign) -> bool {
    campaign.reset();
    for (tag, content) in fields(slot.get(HEADER..).unwrap_or_default()) {
        match (tag, content.try_into().map(i64::from_le_bytes), content.try_into().map(u32::from_le_bytes)) {
            (tag::ACTIVITY, ..) => campaign.activity = text(content).unwrap_or_default(),
            (tag::TIMESTAMP, Ok(timestamp), _) => campaign.timestamp = timestamp,
            (tag::CRC, _, Ok(crc)) => campaign.crc = crc,
            (tag::KEY, _, Ok(found)) => return !campaign.activity.is_empty() && found == key(campaign),
            _ => {}
        }
    }
    false
}

/// By which the activity in a damaged state is known to be whole.
fn key(campaign: &Campaign) -> u32 {
    let pieces = [campaign.activity.as_bytes(), &campaign.timestamp.to_le_bytes(), &campaign.crc.to_le_bytes()];
    checksum(&pieces)
}

/// Where the reason with this tag belongs.
fn reason_of(part: &mut Domain, tag: u8) -> &mut Option<Reason> {
    match tag {
        tag::CLEANUP => &mut part.cleanup,
        tag::KEPT => &mut part.obligation.kept,
        _ => &mut part.failure,
    }
}

fn decode_question(content: &[u8]) -> Option<(Phase, [u8; 16])> {
    let (phase, id) = content.split_first()?;
    Some((Phase::of_code(*phase)?, id.try_into().ok()?))
}

fn decode_domain(content: &[u8]) -> Option<Domain> {
    let state = State::of_code(content[0], Phase::of_code(content[1]))?;
    Some(Domain { fell_back: content[2] == 1, repeats: content[3], ..Domain::owing(state) })
}

fn decode_obligation(content: &[u8]) -> Option<Obligation> {
    let [course, repairs, flags, orders @ ..] = content else { return None };
    let mut obligation = Obligation {
        course: *course,
        repairs: *repairs,
        is_remembered: flags & 1 != 0,
        is_turning: flags & 2 != 0,
        ..Obligation::default()
    };
    for order in orders.chunks_exact(2) {
        obligation.queue.push(Command::of_code(order[0]), order[1]);
    }
    Some(obligation)
}

/// A reason that cannot be read is one all the same: a failure must not get lost.
fn decode_reason(content: &[u8]) -> Reason {
    let reason = content.split_first().and_then(|(kind, rest)| decode_kind(ReasonKind::of_code(*kind)?, rest));
    reason.unwrap_or(Reason::Status(Status::Unknown))
}

fn decode_kind(kind: ReasonKind, rest: &[u8]) -> Option<Reason> {
    Some(match kind {
        ReasonKind::Words => Reason::Words(text(rest)?),
        ReasonKind::Status => Reason::Status(Status::of_code(*rest.first()?)?),
        ReasonKind::Silent => {
            let ms = u64::from_le_bytes(rest.get(1..9)?.try_into().ok()?);
            Reason::Silent(Command::of_code(*rest.first()?), ms)
        }
        // The first version had no code and another spelling of the second limit.
        ReasonKind::Limit => Reason::Limit(match rest.get(8..)? {
            words if words == Limit::Actions.name().as_bytes() => Limit::Actions,
            _ => Limit::Component,
        }),
        ReasonKind::Lost => Reason::Lost(*rest.first()?),
    })
}

/// Text that was JSON's before it was saved, and is checked again.
fn text<const N: usize>(bytes: &[u8]) -> Option<String<N>> {
    let text = Text::parse(core::str::from_utf8(bytes).ok()?)?;
    String::try_from(text.as_json()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::format::{open, seal, Kind};
    use super::*;
    use crate::limits::{ACTIONS_MAX, ACTIVITY_ID_MAX, SAVED_STATE_MAX};
    use crate::model::{ActionStatus, Command, Status};
    use crate::orchestrator::event::{Action, DesiredState, Part};

    const SLOT: usize = 2 * SAVED_STATE_MAX;

    type Actions = Vec<(Option<ActionStatus>, u8)>;

    fn names() -> Vec<std::string::String> {
        ["containers", "self-update", "idle"].map(str::to_owned).to_vec()
    }

    /// A campaign with something in every field.
    fn campaign() -> Campaign {
        let mut campaign = Campaign::new();
        let id = |raw| Text::parse(raw).unwrap();
        let part = |raw, place| Part { id: id(raw), domain: DomainIx::new(place) };
        let parts = [part("containers", 0), part("self-update", 1), part("nobody", 99)];
        campaign.begin(&DesiredState { activity: id("a-\\u00e9"), timestamp: -5, crc: 77, parts: &parts });
        campaign.phase = Phase::Update;
        campaign.asking = Some(Phase::Activate);
        campaign.outcome = Some(Status::Incomplete);
        (campaign.cause, campaign.waited_ms) = (Some(Cause::ConsentLate), 1_800_000);
        let first = campaign.domain_mut(DomainIx::new(0).unwrap()).unwrap();
        first.state = State::Done;
        first.failure = Some(Reason::Silent(Some(Command::Update), 600_000));
        first.cleanup = Some(Reason::Status(Status::CleanupFailure));
        let second = campaign.domain_mut(DomainIx::new(1).unwrap()).unwrap();
        *second = Domain { fell_back: true, repeats: 2, ..Domain::owing(State::Working(Phase::Update)) };
        second.failure = Some(Reason::Words(String::try_from(r#"no \"space\""#).unwrap()));
        let component = r#"{"id":"x"}"#;
        let action = |status, progress| Action { id: id("x"), component, status, progress, message: Text::default() };
        let domain = DomainIx::new(0).unwrap();
        campaign.actions.merge(domain, &action(Some(ActionStatus::Removing), 40)).unwrap();
        campaign
    }

    fn saved(campaign: &Campaign, names: &[std::string::String], beside: &Beside) -> Vec<u8> {
        let mut slot = vec![0; SLOT];
        let mut out = Fields::new(&mut slot);
        encode(campaign, names, beside, &mut out);
        let len = out.total().unwrap();
        let total = seal(&mut slot, Kind::State, 1, len).unwrap();
        slot.truncate(total);
        slot
    }

    fn resumed(slot: &[u8], names: &[std::string::String]) -> (Campaign, Option<Beside>, Actions) {
        let (mut campaign, mut actions) = (Campaign::new(), Vec::new());
        let beside =
            decode(&slot[HEADER..], names, &mut campaign, &mut |_, status, progress| actions.push((status, progress)));
        (campaign, beside, actions)
    }

    #[test]
    fn what_is_saved_comes_back() {
        let (before, beside) =
            (campaign(), Beside { reboot: Reboot::Waiting, boot: [7; 16], question: Some((Phase::Activate, [9; 16])) });
        let slot = saved(&before, &names(), &beside);
        assert!(open(&slot, Kind::State).is_ok());
        let (after, found, actions) = resumed(&slot, &names());
        assert_eq!(found, Some(beside));
        assert_eq!(actions, [(Some(ActionStatus::Removing), 40)]);
        assert_eq!((&after.activity, after.timestamp, after.crc), (&before.activity, -5, 77));
        assert_eq!((after.phase, after.asking, after.outcome), (before.phase, before.asking, before.outcome));
        assert_eq!((after.cause, &after.domains, &after.unserved), (before.cause, &before.domains, &before.unserved));
    }

    #[test]
    fn domains_are_found_by_name_when_the_configuration_has_changed() {
        let slot = saved(&campaign(), &names(), &Beside::default());
        let other = ["new", "self-update"].map(str::to_owned);
        let (after, _, _) = resumed(&slot, &other);
        assert!(after.domains[0].is_none());
        assert_eq!(after.domains[1], campaign().domains[1]);
    }

    #[test]
    fn what_a_newer_version_adds_is_skipped() {
        let mut slot = vec![0; SLOT];
        let mut out = Fields::new(&mut slot);
        out.put(250, &[&[1; 300]]);
        encode(&campaign(), &names(), &Beside::default(), &mut out);
        out.put(251, &[]);
        let (after, beside, _) = resumed(&slot, &names());
        assert!(beside.is_some() && after.domains == campaign().domains);
    }

    #[test]
    fn no_bytes_do_harm() {
        let slot = saved(&campaign(), &names(), &Beside::default());
        for at in HEADER..slot.len() {
            let _ = resumed(&slot[..at], &names());
            for flip in 0..8 {
                let mut other = slot.clone();
                other[at] ^= 1 << flip;
                let _ = resumed(&other, &names());
            }
        }
    }

    #[test]
    fn of_a_damaged_state_it_is_known_whose_it_was_or_nothing() {
        let slot = saved(&campaign(), &names(), &Beside::default());
        let mut known = 0;
        for at in 0..slot.len() {
            for flip in 0..8 {
                let (mut other, mut found) = (slot.clone(), Campaign::new());
                other[at] ^= 1 << flip;
                if decode_key(&other, &mut found) {
                    known += 1;
                    assert_eq!((&*found.activity, found.timestamp, found.crc), ("a-\\u00e9", -5, 77));
                }
            }
        }
        let key_len = 4 * 3 + 8 + 8 + 4 + 4;
        assert_eq!(known, 8 * (slot.len() - key_len));
    }

    #[test]
    fn a_state_with_sixteen_domains_failed_stays_within_its_budget() {
        let names: Vec<_> = (0..16).map(|n| format!("{n:0>32}")).collect();
        let parts: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(place, name)| Part { id: Text::parse(name).unwrap(), domain: DomainIx::new(place) })
            .collect();
        let mut campaign = Campaign::new();
        let activity = Text::parse("3f2504e0-4f89-41d3-9a0c-0305e82c3301").unwrap();
        campaign.begin(&DesiredState { activity, timestamp: 1, crc: 1, parts: &parts });
        for part in campaign.domains.iter_mut().flatten() {
            part.failure = Some(Reason::Words(String::try_from("w".repeat(512).as_str()).unwrap()));
        }
        let len = saved(&campaign, &names, &Beside::default()).len();
        assert!(len <= 2048, "{len} bytes");
    }

    #[test]
    fn a_state_with_every_domain_and_all_that_can_be_set_fits() {
        let names: Vec<_> = (0..DOMAINS_MAX).map(|n| format!("{n:0>DOMAIN_ID_MAX$}")).collect();
        let activity = "a".repeat(ACTIVITY_ID_MAX);
        let words = |n: usize| Some(Reason::Words(String::try_from("w".repeat(n).as_str()).unwrap()));
        let mut lens = Vec::new();
        let silent = Some(Reason::Silent(Some(Command::Update), u64::MAX));
        for reason in [words(512), silent, Some(Reason::Limit(Limit::Component))] {
            let mut campaign = campaign();
            campaign.reset();
            campaign.activity = String::try_from(activity.as_str()).unwrap();
            (campaign.asking, campaign.approved) = (Some(Phase::Activate), Some(Phase::Activate));
            (campaign.outcome, campaign.cause) = (Some(Status::Incomplete), Some(Cause::ConsentLate));
            for place in 0..DOMAINS_MAX {
                let mut part = Domain::owing(State::Working(Phase::Update));
                (part.failure, part.cleanup) = (reason.clone(), reason.clone());
                part.obligation.kept = reason.clone();
                (part.obligation.course, part.obligation.is_remembered) = (9, true);
                (0..ORDERS_MAX).for_each(|_| part.obligation.queue.push(Some(Command::Update), 9));
                campaign.domains[place] = Some(part);
            }
            for n in 0..ACTIONS_MAX {
                let (id, component) = (format!("{n}"), format!(r#"{{"id":"{n}"}}"#));
                let (id, message) = (Text::parse(&id).unwrap(), Text::default());
                let action = Action { id, component: &component, status: None, progress: 1, message };
                campaign.actions.merge(DomainIx::new(0).unwrap(), &action).unwrap();
            }
            let beside = Beside { reboot: Reboot::Waiting, boot: [7; 16], question: Some((Phase::Activate, [9; 16])) };
            let slot = saved(&campaign, &names, &beside);
            let (after, found, _) = resumed(&slot, &names);
            assert!(found.is_some() && after.domains.iter().flatten().count() == DOMAINS_MAX);
            lens.push(slot.len());
        }
        println!("{lens:?} bytes");
        let most = lens.into_iter().max().unwrap();
        assert!(most <= SAVED_STATE_MAX, "{most} bytes");
    }
}
