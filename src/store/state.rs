//! How far an activity is, as it is saved.
//!
//! What stands in it is named, never numbered by its place: the configuration may have
//! changed since. Times are not saved: waits begin anew. Of actions the state holds
//! status and progress; their components stand in a record of their own, which is
//! written once.

use heapless::String;

use super::format::{checksum, fields, Fields, FIELD, HEADER, STATE};
use crate::limits::{
    ACTIONS_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, ORDERS_MAX, SAVED_PROGRESS_MAX, SAVED_WORDS_ALL, SAVED_WORDS_MAX,
};
use crate::model::text::Text;
use crate::model::{ActionStatus, Cause, Command, DomainIx, Limit, Phase, Reason, ReasonKind, Reboot, Run, Status};
use crate::orchestrator::campaign::Gone;
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
pub fn encode(campaign: &Campaign, names: &[std::string::String], beside: &Beside, out: &mut Fields<'_>) {
    out.put(tag::ACTIVITY, &[campaign.activity.as_bytes()]);
    out.put(tag::TIMESTAMP, &[&campaign.timestamp.to_le_bytes()]);
    out.put(tag::CRC, &[&campaign.crc.to_le_bytes()]);
    out.put(tag::KEY, &[&key(campaign).to_le_bytes()]);
    out.put(tag::RUN, &[&campaign.run.0.to_le_bytes()]);
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
        out.put(tag::CAUSE, &[&[cause.code()], &campaign.waited_ms.to_le_bytes()]);
    }
    let words_max = words_max(campaign);
    for (domain, name) in campaign.domains.iter().zip(names) {
        if let Some(domain) = domain {
            encode_domain(domain, name, words_max, out);
        }
    }
    for gone in &campaign.gone {
        encode_domain(&gone.part, &gone.name, words_max, out);
    }
    for name in campaign.unserved.iter() {
        out.put(tag::UNSERVED, &[name.as_bytes()]);
    }
    out.put(tag::REBOOT, &[&[beside.reboot.code()], &beside.boot]);
    out.put(tag::DELIVERED, &[&[u8::from(campaign.is_delivered)]]);
    out.put(tag::STARTS, &[&[campaign.starts]]);
    if let Some((phase, id)) = &beside.question {
        out.put(tag::QUESTION, &[&[phase.code()], id]);
    }
}

/// Writes what goes with a state, though a change of it alone is not worth a save: which
/// version of it this is, and how far the actions are, as many as there is room for.
pub fn encode_along(campaign: &Campaign, version: u32, out: &mut Fields<'_>) {
    out.put(tag::VERSION, &[&version.to_le_bytes()]);
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
    let parts = campaign.domains.iter().flatten().chain(campaign.gone.iter().map(|gone| &gone.part));
    let reasons = parts.flat_map(|domain| [&domain.failure, &domain.cleanup, &domain.obligation.kept]);
    let speaking = reasons.filter(|reason| matches!(reason, Some(Reason::Words(_)))).count();
    SAVED_WORDS_MAX.min(SAVED_WORDS_ALL / speaking.max(1))
}

fn encode_domain(domain: &Domain, name: &str, words_max: usize, out: &mut Fields<'_>) {
    let (state, phase) = (domain.state.code(), domain.state.phase().map_or(0, Phase::code));
    out.put(tag::DOMAIN, &[&[state, phase, u8::from(domain.fell_back), domain.repeats], name.as_bytes()]);
    encode_reason(tag::FAILURE, domain.failure.as_ref(), words_max, out);
    encode_reason(tag::CLEANUP, domain.cleanup.as_ref(), words_max, out);
    if has_more_than_owed(domain) {
        encode_obligation(&domain.obligation, out);
    }
    encode_reason(tag::KEPT, domain.obligation.kept.as_ref(), words_max, out);
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

/// A state that was saved.
#[derive(Debug)]
pub struct Saved {
    /// The campaign, but for its actions.
    pub campaign: Campaign,
    /// What was saved beside it.
    pub beside: Beside,
    /// How far its actions were.
    pub progress: Progress,
    /// Which of the states that were written it is; none if 0.1.0 wrote it.
    pub version: Option<u32>,
}

/// How far actions were.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    named: Vec<Known>,
    /// By the order in which they first came, as 0.1.0 wrote it.
    places: Vec<(Option<ActionStatus>, u8)>,
}

/// How far an action was.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    domain: DomainIx,
    /// The component's identifier, escaped as in JSON.
    id: std::string::String,
    status: Option<ActionStatus>,
    percent: u8,
}

/// What the fields of a state say. None if they name no activity.
pub fn decode(bytes: &[u8], names: &[std::string::String]) -> Option<Saved> {
    let saved =
        Saved { campaign: Campaign::new(), beside: Beside::default(), progress: Progress::default(), version: None };
    let mut reader = Reader { names, saved, parts: Vec::new(), reason: tag::FAILURE };
    fields(bytes).try_for_each(|(tag, content)| reader.take(tag, content))?;
    let Reader { mut saved, parts, .. } = reader;
    for part in parts {
        match place_of(part.name.as_bytes(), names) {
            Some(domain) => saved.campaign.domains[domain.place()] = Some(part.part),
            None => saved.campaign.gone.push(part),
        }
    }
    (!saved.campaign.activity.is_empty()).then_some(saved)
}

fn place_of(name: &[u8], names: &[std::string::String]) -> Option<DomainIx> {
    names.iter().take(DOMAINS_MAX).position(|known| known.as_bytes() == name).and_then(DomainIx::new)
}

/// Reads field after field.
struct Reader<'a> {
    names: &'a [std::string::String],
    saved: Saved,
    /// The domains so far, the one that is being read at the end.
    parts: Vec<Gone>,
    /// The tag of the reason that was read last.
    reason: u8,
}

impl Reader<'_> {
    /// Takes a field in; one that is not known is skipped. None: the state makes no sense.
    fn take(&mut self, tag: u8, content: &[u8]) -> Option<()> {
        let campaign = &mut self.saved.campaign;
        match tag {
            tag::ACTIVITY => campaign.activity = text(content)?,
            tag::TIMESTAMP => campaign.timestamp = i64::from_le_bytes(content.try_into().ok()?),
            tag::CRC => campaign.crc = u32::from_le_bytes(content.try_into().ok()?),
            tag::RUN => campaign.run = Run(u64::from_le_bytes(content.try_into().ok()?)),
            tag::PHASE => campaign.phase = Phase::of_code(*content.first()?)?,
            tag::ASKING => campaign.asking = Phase::of_code(*content.first()?),
            tag::APPROVED => campaign.approved = Phase::of_code(*content.first()?),
            tag::OUTCOME => campaign.outcome = Status::of_code(*content.first()?),
            tag::CAUSE => {
                campaign.cause = Cause::of_code(*content.first()?);
                campaign.waited_ms = u64::from_le_bytes(content.get(1..9)?.try_into().ok()?);
            }
            tag::UNSERVED => drop(campaign.unserved.push(text::<DOMAIN_ID_MAX>(content)?)),
            tag::DELIVERED => campaign.is_delivered = content == [1],
            tag::STARTS => campaign.starts = *content.first()?,
            tag::DOMAIN | tag::OBLIGATION | tag::FAILURE | tag::CLEANUP | tag::KEPT | tag::LIMIT => {
                return self.take_part(tag, content);
            }
            _ => return self.take_beside(tag, content),
        }
        Some(())
    }

    /// Takes in what a domain is like.
    fn take_part(&mut self, tag: u8, content: &[u8]) -> Option<()> {
        if tag == tag::DOMAIN {
            let name = core::str::from_utf8(content.get(4..)?).ok()?;
            if self.parts.len() < DOMAINS_MAX {
                self.parts.push(Gone { name: String::try_from(name).ok()?, part: decode_domain(content)? });
            }
            return Some(());
        }
        let Some(Gone { part, .. }) = self.parts.last_mut() else { return Some(()) };
        match tag {
            tag::OBLIGATION => {
                let kept = part.obligation.kept.take();
                part.obligation = Obligation { kept, ..decode_obligation(content)? };
            }
            tag::LIMIT => {
                if let Some(limit) = Limit::of_code(*content.first()?) {
                    *reason_of(part, self.reason) = Some(Reason::Limit(limit));
                }
            }
            _ => {
                *reason_of(part, tag) = Some(decode_reason(content));
                self.reason = tag;
            }
        }
        Some(())
    }

    /// Takes in what stands beside the campaign.
    fn take_beside(&mut self, tag: u8, content: &[u8]) -> Option<()> {
        let Saved { beside, progress, version, .. } = &mut self.saved;
        match tag {
            tag::PLACES => {
                let pairs = content.chunks_exact(2).take(ACTIONS_MAX);
                progress.places = pairs.map(|pair| (ActionStatus::of_code(pair[0]), pair[1].min(100))).collect();
            }
            tag::PROGRESS => {
                let nth = usize::from(*content.first()?);
                let name = self.parts.get(nth).map(|part| part.name.as_bytes());
                if let Some(domain) = name.and_then(|name| place_of(name, self.names)) {
                    let _ = progress.take(domain, &content[1..]);
                }
            }
            tag::REBOOT => {
                beside.reboot = Reboot::of_code(*content.first()?).unwrap_or_default();
                beside.boot = content.get(1..17)?.try_into().ok()?;
            }
            tag::QUESTION => beside.question = decode_question(content),
            tag::VERSION => *version = Some(u32::from_le_bytes(content.try_into().ok()?)),
            _ => {}
        }
        Some(())
    }
}

impl Progress {
    /// Takes in that of a domain's actions.
    fn take(&mut self, domain: DomainIx, mut rest: &[u8]) -> Option<()> {
        while let [low, high, after @ ..] = rest {
            let len = usize::from(u16::from_le_bytes([*low, *high]));
            let id = Text::parse(core::str::from_utf8(after.get(..len)?).ok()?)?;
            let (status, percent) = (ActionStatus::of_code(*after.get(len)?), (*after.get(len + 1)?).min(100));
            self.named.push(Known { domain, id: id.as_json().to_owned(), status, percent });
            rest = after.get(len + 2..)?;
        }
        Some(())
    }

    /// Puts it into the campaign, whose actions' components are there already. One of
    /// which nothing is known is left out: how far it was would be made up.
    pub fn apply(&self, campaign: &mut Campaign) {
        let mut places = self.places.iter();
        if self.places.len() == campaign.actions.len() {
            campaign.actions.resume(&mut |_, _| places.next().copied());
        } else {
            campaign.actions.resume(&mut |domain, id| {
                let is_it = |known: &&Known| known.domain == domain && Text::from_checked(&known.id) == id;
                self.named.iter().find(is_it).map(|known| (known.status, known.percent))
            });
        }
    }
}

/// Whether the record of kind `kind` in a damaged slot is still known to be of this
/// activity: puts it into `campaign` if that part is whole, and says whether it is.
pub fn decode_key(slot: &[u8], campaign: &mut Campaign) -> bool {
    let mut bytes = slot.get(HEADER..).unwrap_or_default();
    if let [STATE, _, _, state @ ..] = bytes {
        bytes = state;
    }
    campaign.reset();
    for (tag, content) in fields(bytes) {
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
    use crate::limits::{ACTIVITY_ID_MAX, SAVED_STATE_MAX};
    use crate::model::ActivityKey;
    use crate::model::{ActionStatus, Command, Status};
    use crate::orchestrator::event::{Action, DesiredState, Part};

    const SLOT: usize = 2 * SAVED_STATE_MAX;

    fn names() -> Vec<std::string::String> {
        ["containers", "self-update", "idle"].map(str::to_owned).to_vec()
    }

    /// A campaign with something in every field.
    fn campaign() -> Campaign {
        let mut campaign = Campaign::new();
        let id = |raw| Text::parse(raw).unwrap();
        let part = |raw, place| Part { id: id(raw), domain: DomainIx::new(place) };
        let parts = [part("containers", 0), part("self-update", 1), part("nobody", 99)];
        let key = ActivityKey { activity: id("a-\\u00e9"), timestamp: -5, crc: 77 };
        campaign.begin(&DesiredState { key, run: Run(3), parts: &parts });
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

    fn written(campaign: &Campaign, names: &[std::string::String], beside: &Beside) -> Vec<u8> {
        let mut slot = vec![0; SLOT];
        let mut out = Fields::new(&mut slot);
        encode(campaign, names, beside, &mut out);
        encode_along(campaign, 8, &mut out);
        let len = out.total().unwrap();
        let total = seal(&mut slot, Kind::State, 1, len).unwrap();
        slot.truncate(total);
        slot
    }

    fn resumed(slot: &[u8], names: &[std::string::String]) -> Option<Saved> {
        decode(&slot[HEADER..], names)
    }

    #[test]
    fn what_is_saved_comes_back() {
        let (before, beside) =
            (campaign(), Beside { reboot: Reboot::Waiting, boot: [7; 16], question: Some((Phase::Activate, [9; 16])) });
        let slot = written(&before, &names(), &beside);
        assert!(open(&slot, Kind::State).is_ok());
        let Saved { campaign: mut after, beside: found, progress, version } = resumed(&slot, &names()).unwrap();
        assert_eq!((found, version), (beside, Some(8)));
        after.actions = before.actions.clone();
        after.actions.resume(&mut |_, _| Some((None, 0)));
        progress.apply(&mut after);
        assert_eq!(format!("{after:?}"), format!("{:?}", before.clone()));
    }

    #[test]
    fn actions_are_found_by_name_and_those_of_which_nothing_is_known_are_left_out() {
        let mut before = campaign();
        let domain = DomainIx::new(1).unwrap();
        for n in 0..ACTIONS_MAX - 1 {
            let raw = format!("component-{n}");
            let component = format!(r#"{{"id":"{raw}"}}"#);
            let (id, progress) = (Text::parse(&raw).unwrap(), (n % 100) as u8);
            let action = Action { id, component: &component, status: None, progress, message: Text::EMPTY };
            before.actions.merge(domain, &action).unwrap();
        }
        let slot = written(&before, &names(), &Beside::default());
        let mut after = before.clone();
        resumed(&slot, &names()).unwrap().progress.apply(&mut after);
        assert!((50..ACTIONS_MAX).contains(&after.actions.len()), "{}", after.actions.len());
        for action in after.actions.iter().filter(|action| action.domain == domain) {
            let n: usize = action.id().as_json()["component-".len()..].parse().unwrap();
            assert_eq!(usize::from(action.progress), n % 100);
        }
    }

    #[test]
    fn domains_are_found_by_name_when_the_configuration_has_changed() {
        let slot = written(&campaign(), &names(), &Beside::default());
        let other = ["new", "self-update"].map(str::to_owned);
        let after = resumed(&slot, &other).unwrap().campaign;
        assert!(after.domains[0].is_none());
        assert_eq!(after.domains[1], campaign().domains[1]);
        // Whatever is not configured any more is kept, and comes back with its name.
        let gone = Gone { name: String::try_from("containers").unwrap(), part: campaign().domains[0].clone().unwrap() };
        assert_eq!(after.gone, [gone]);
        assert!(after.has_failed());
        let again = resumed(&written(&after, &other, &Beside::default()), &names()).unwrap().campaign;
        assert_eq!((again.domains, again.gone), (campaign().domains, Vec::new()));
    }

    #[test]
    fn what_a_newer_version_adds_is_skipped() {
        let mut slot = vec![0; SLOT];
        let mut out = Fields::new(&mut slot);
        out.put(250, &[&[1; 300]]);
        encode(&campaign(), &names(), &Beside::default(), &mut out);
        out.put(251, &[]);
        assert_eq!(resumed(&slot, &names()).unwrap().campaign.domains, campaign().domains);
    }

    #[test]
    fn no_bytes_do_harm() {
        let slot = written(&campaign(), &names(), &Beside::default());
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
        let slot = written(&campaign(), &names(), &Beside::default());
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
        campaign.begin(&DesiredState {
            key: ActivityKey { activity, timestamp: 1, crc: 1 },
            run: Run(1),
            parts: &parts,
        });
        for part in campaign.domains.iter_mut().flatten() {
            part.failure = Some(Reason::Words(String::try_from("w".repeat(512).as_str()).unwrap()));
        }
        let len = written(&campaign, &names, &Beside::default()).len();
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
            let slot = written(&campaign, &names, &beside);
            let after = resumed(&slot, &names).unwrap().campaign;
            assert_eq!(after.domains.iter().flatten().count(), DOMAINS_MAX);
            lens.push(slot.len());
        }
        println!("{lens:?} bytes");
        let most = lens.into_iter().max().unwrap();
        assert!(most <= SAVED_STATE_MAX, "{most} bytes");
    }
}
