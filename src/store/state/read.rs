//! Reading a saved state again.

use heapless::String;

use super::{key, tag, Beside};
use crate::engine::boot::{Boot, Boots};
use crate::engine::campaign::Gone;
use crate::engine::domain::{Domain, State};
use crate::engine::evidence::Evidence;
use crate::engine::group::{Group, GroupSet};
use crate::engine::obligation::Obligation;
use crate::engine::policy::{Lockstep, Policy};
use crate::engine::restore::Restore;
use crate::engine::Campaign;
use crate::limits::{ACTIONS_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, KEPT_MAX};
use crate::model::text::Text;
use crate::model::{
    ActionStatus, Cause, Command, DomainIx, Limit, Phase, Reason, ReasonKind, Reboot, Rollback, Run, Status,
};
use crate::store::format::{fields, HEADER, STATE};
use crate::store::journal::Times;

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
    /// To which activity each domain is committed, by its name.
    pub kept: Vec<(std::string::String, Run)>,
    /// When it began, and how long it had lasted; none if 0.1.0 wrote it.
    pub times: Option<Times>,
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

/// Which of the states that were written these are the fields of; none if 0.1.0 wrote it.
pub fn version(bytes: &[u8]) -> Option<u32> {
    let (_, version) = fields(bytes).find(|(tag, _)| *tag == tag::VERSION)?;
    Some(u32::from_le_bytes(version.try_into().ok()?))
}

/// What the fields of a state say. None if they name no activity.
pub fn decode(bytes: &[u8], names: &[std::string::String]) -> Option<Saved> {
    let mut saved = Saved {
        campaign: Campaign::new(),
        beside: Beside::default(),
        progress: Progress::default(),
        version: None,
        kept: Vec::new(),
        times: None,
    };
    // 0.1.0 knows no other.
    let _ = saved.campaign.policy.push_str(Lockstep.name());
    let mut reader = Reader { names, saved, parts: Vec::new(), reason: tag::FAILURE, announced: None };
    fields(bytes).try_for_each(|(tag, content)| reader.take(tag, content))?;
    let Reader { mut saved, parts, announced: known, .. } = reader;
    saved.campaign.announced = known.unwrap_or_else(|| announced(&saved.campaign));
    for part in parts {
        match place_of(part.name.as_bytes(), names) {
            Some(domain) => saved.campaign.domains[domain.place()] = Some(part.part),
            None => saved.campaign.absent.gone.push(part),
        }
    }
    (!saved.campaign.identity.activity.is_empty()).then_some(saved)
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
    /// What was announced, if the record says so.
    announced: Option<Option<Status>>,
}

impl Reader<'_> {
    /// Takes a field in; one that is not known is skipped. None: the state makes no sense.
    fn take(&mut self, tag: u8, content: &[u8]) -> Option<()> {
        let campaign = &mut self.saved.campaign;
        match tag {
            tag::ACTIVITY => campaign.identity.activity = text(content)?,
            tag::TIMESTAMP => campaign.identity.timestamp = i64::from_le_bytes(content.try_into().ok()?),
            tag::CRC => campaign.identity.crc = u32::from_le_bytes(content.try_into().ok()?),
            tag::RUN => campaign.identity.run = Run::of_bytes(content)?,
            tag::POLICY => campaign.policy = String::try_from(core::str::from_utf8(content).ok()?).ok()?,
            tag::ANNOUNCED => self.announced = Some(Status::of_code(*content.first()?)),
            tag::COMMITTED => {
                campaign.groups.committed = GroupSet::of_bits(u64::from_le_bytes(content.try_into().ok()?))
            }
            tag::ROLLBACK => campaign.groups.rollback = Rollback::of_code(*content.first()?)?,
            tag::TURNED => campaign.groups.turned = GroupSet::of_bits(u64::from_le_bytes(content.try_into().ok()?)),
            tag::FLAWS => campaign.groups.flaws = text(content)?,
            tag::PHASE => campaign.phase = Phase::of_code(*content.first()?)?,
            tag::ASKING => campaign.consent.asking = Phase::of_code(*content.first()?),
            tag::APPROVED => campaign.consent.approved = Phase::of_code(*content.first()?),
            // No more are written than there is room for.
            tag::COUNTED => drop(campaign.consent.counted.push(i64::from_le_bytes(content.try_into().ok()?))),
            tag::OUTCOME => campaign.end.outcome = Status::of_code(*content.first()?),
            tag::CAUSE => {
                // One that is not known is one all the same: the activity must not end well.
                campaign.end.cause = Cause::of_code(*content.first()?).or(Some(Cause::Unreadable));
                campaign.end.waited_ms = u64::from_le_bytes(content.get(1..9)?.try_into().ok()?);
            }
            tag::UNSERVED => drop(campaign.absent.unserved.push(text::<DOMAIN_ID_MAX>(content)?)),
            tag::DELIVERED => campaign.end.is_delivered = content == [1],
            tag::BOOTS => {
                let [count, flags, seen] = content else { return None };
                let (is_due, is_late) = (flags & 1 != 0, flags & 2 != 0);
                campaign.boots = Boots { count: *count, seen: *seen, is_due, is_late };
            }
            tag::STARTS => campaign.starts.count = *content.first()?,
            tag::DOMAIN
            | tag::COURSE
            | tag::OBLIGATION
            | tag::EVIDENCE
            | tag::RESTORE
            | tag::BOOT
            | tag::EXACT
            | tag::FAILURE
            | tag::CLEANUP
            | tag::KEPT
            | tag::LIMIT => return self.take_part(tag, content),
            _ => return self.take_beside(tag, content),
        }
        Some(())
    }

    /// Takes in what a domain is like.
    fn take_part(&mut self, tag: u8, content: &[u8]) -> Option<()> {
        if tag == tag::DOMAIN {
            let name = core::str::from_utf8(content.get(4..)?).ok()?;
            if self.parts.len() < DOMAINS_MAX {
                let part = decode_domain(content, &self.saved.campaign)?;
                self.parts.push(Gone { name: String::try_from(name).ok()?, part });
            }
            return Some(());
        }
        let Some(Gone { part, .. }) = self.parts.last_mut() else { return Some(()) };
        match tag {
            tag::OBLIGATION => {
                let kept = part.obligation.kept.take();
                part.obligation = Obligation { kept, ..decode_obligation(content)? };
            }
            tag::EVIDENCE => {
                let high = content.get(1).copied().unwrap_or_default();
                part.evidence = Evidence::of_bits(u16::from_le_bytes([*content.first()?, high]));
            }
            tag::EXACT => {
                part.state = State::of_code(content.try_into().ok()?)?;
                part.obligation = Domain::owing(part.state).obligation;
            }
            tag::BOOT => part.boot = Boot::of_code(*content.first()?).unwrap_or_default(),
            // A stage that is not known is one that this release cannot go on with.
            tag::RESTORE => part.restore = Restore::of_code(*content.first()?).unwrap_or(Restore::GivenUp),
            tag::COURSE => {
                part.furthest = Phase::of_code(*content.first()?);
                part.group = Group::new(usize::from(*content.get(1)?))?;
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
        let Saved { beside, progress, version, times, .. } = &mut self.saved;
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
            tag::TIMES => {
                let number = |at| Some(u64::from_le_bytes(content.get(at..at + 8)?.try_into().ok()?));
                *times = Some(Times { begun: number(0)?, lasted_ms: number(8)? });
            }
            tag::VERSION => *version = Some(u32::from_le_bytes(content.try_into().ok()?)),
            tag::COMMITTED_TO | tag::COMMITTED_APART => drop(self.take_kept(tag, content)),
            _ => {}
        }
        Some(())
    }

    /// Takes in which domains are committed to an activity. One that cannot be read is
    /// committed to none that is known.
    fn take_kept(&mut self, tag: u8, content: &[u8]) -> Option<()> {
        let (run, domains) = (Run::of_bytes(content.get(..8)?)?, content.get(8..)?);
        let kept = &mut self.saved.kept;
        let mut take = |name: &str| {
            if name.len() <= DOMAIN_ID_MAX && kept.len() < KEPT_MAX && kept.iter().all(|(known, _)| known != name) {
                kept.push((name.to_owned(), run));
            }
        };
        match tag {
            tag::COMMITTED_TO => {
                let parts = domains.iter().filter_map(|nth| self.parts.get(usize::from(*nth)));
                parts.for_each(|part| take(&part.name));
            }
            _ => take(core::str::from_utf8(domains).ok()?),
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
            (tag::ACTIVITY, ..) => campaign.identity.activity = text(content).unwrap_or_default(),
            (tag::TIMESTAMP, Ok(timestamp), _) => campaign.identity.timestamp = timestamp,
            (tag::CRC, _, Ok(crc)) => campaign.identity.crc = crc,
            (tag::KEY, _, Ok(found)) => return !campaign.identity.activity.is_empty() && found == key(campaign),
            _ => {}
        }
    }
    false
}

/// What was announced if the record does not say so: 0.1.0 said no more.
pub(super) fn announced(campaign: &Campaign) -> Option<Status> {
    let has_begun =
        campaign.phase != Phase::Identify || campaign.consent.asking.is_some() || campaign.consent.approved.is_some();
    Some(if has_begun { Status::Identified } else { Status::Identifying })
}

/// The last phase that a domain in this state was told to begin if the record does not say
/// so: one that works is led to where all are, since it may have been started over.
pub(super) fn furthest(campaign: &Campaign, state: State) -> Option<Phase> {
    let least = Domain::new(state).furthest;
    match state {
        State::Working(_) if campaign.phase != Phase::Cleanup => least.max(Some(campaign.phase)),
        _ => least,
    }
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

fn decode_domain(content: &[u8], campaign: &Campaign) -> Option<Domain> {
    let state = State::of_code([content[0], content[1]])?;
    let furthest = furthest(campaign, state);
    Some(Domain { furthest, fell_back: content[2] == 1, repeats: content[3], ..Domain::owing(state) })
}

fn decode_obligation(content: &[u8]) -> Option<Obligation> {
    let [course, repairs, flags, orders @ ..] = content else { return None };
    let mut obligation = Obligation {
        course: *course,
        repairs: *repairs,
        is_remembered: flags & 1 != 0,
        is_turning: flags & 2 != 0,
        is_halted: flags & 4 != 0,
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
        ReasonKind::Refused => Reason::Refused(u32::from_le_bytes(rest.get(..4)?.try_into().ok()?)),
    })
}

/// Text that was JSON's before it was saved, and is checked again.
fn text<const N: usize>(bytes: &[u8]) -> Option<String<N>> {
    let text = Text::parse(core::str::from_utf8(bytes).ok()?)?;
    String::try_from(text.as_json()).ok()
}
