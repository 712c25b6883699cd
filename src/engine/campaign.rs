//! The activity as it is saved and reported.

use core::mem::size_of;

use heapless::String;

use super::actions::Actions;
use super::boot::Boots;
use super::domain::{Domain, State};
use super::event::DesiredState;
use super::group::GroupSet;
use crate::limits::{
    ACTIVITY_ID_MAX, DOMAINS_MAX, DOMAIN_ID_MAX, PART_BYTES, POLICY_NAME_MAX, QUESTIONS_MAX, REASON_MAX,
};
use crate::model::text::Text;
use crate::model::{ActivityKey, Cause, DomainIx, DomainSet, PerDomain, Phase, Rollback, Run, Status};

const _: () = assert!(size_of::<Option<Domain>>() <= PART_BYTES);

/// One activity, from its acceptance on; kept after its end until the next.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Which activity it is.
    pub identity: Identity,
    /// The policy that leads it.
    pub policy: String<POLICY_NAME_MAX>,
    /// What the backend was told last of its beginning: `IDENTIFYING` or `IDENTIFIED`.
    pub announced: Option<Status>,
    /// The last phase that any domain was told to begin; the last of all when it is turned
    /// back.
    pub phase: Phase,
    /// How far its groups are.
    pub groups: Groups,
    /// The owner's consent.
    pub consent: Consent,
    /// How and why it ends.
    pub end: End,
    /// How often it was taken up.
    pub starts: Starts,
    /// The reboots in the middle of it.
    pub boots: Boots,
    /// The domains that take part, by place; those that do not are `None`.
    pub domains: PerDomain<Domain>,
    /// Domains without an agent.
    pub absent: Absent,
    /// Actions of all domains.
    pub actions: Actions,
}

/// Which activity it is.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Which one, among all that this manager has accepted.
    pub run: Run,
    /// The activity's identifier, escaped as in JSON.
    pub activity: String<ACTIVITY_ID_MAX>,
    /// The desired state's timestamp, milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// CRC-32 of the desired state's payload.
    pub crc: u32,
}

/// How far the groups of an activity are.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Which domains form a group.
    pub rollback: Rollback,
    /// Those that are turned back.
    pub turned: GroupSet,
    /// Those of which nothing is turned back any more.
    pub committed: GroupSet,
    /// Those that are verified. Not saved: verification begins anew at a start.
    pub verified: GroupSet,
    /// Those whose checks are being asked. Not saved either.
    pub verifying: GroupSet,
    /// Those that a check found bad. Not saved: they are turned back at once.
    pub bad: GroupSet,
    /// Why the verification command found them bad, escaped as in JSON.
    pub flaws: String<REASON_MAX>,
    /// Domains of which is kept what they were committed to before. Not saved.
    pub restorable: DomainSet,
}

impl Groups {
    /// Forgets what was verified and is not committed.
    pub(super) fn forget_checks(&mut self) {
        (self.verified, self.verifying, self.bad) = Default::default();
    }
}

/// The owner's consent to the phases of an activity.
#[derive(Clone, Debug, Default)]
pub struct Consent {
    /// The phase that waits for it.
    pub asking: Option<Phase>,
    /// The phase to which the owner has consented, and that has not begun since.
    pub approved: Option<Phase>,
    /// Timestamps of the approvals that have counted, as far as they have one.
    pub counted: heapless::Vec<i64, QUESTIONS_MAX>,
}

/// How and why an activity ends.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Its final status, once it has one.
    pub outcome: Option<Status>,
    /// Why it ends if no domain is to blame.
    pub cause: Option<Cause>,
    /// For how many milliseconds the owner was waited for, if that is the cause.
    pub waited_ms: u64,
    /// Whether the broker has acknowledged the final status.
    pub is_delivered: bool,
}

/// How often an activity was taken up.
#[derive(Clone, Debug, Default)]
pub struct Starts {
    /// How often while a domain owed something, without a feedback since.
    pub count: u8,
    /// Whether it was taken up after a start of the process. Not saved.
    pub is_taken_up: bool,
}

/// Domains of an activity that have no agent.
#[derive(Clone, Debug, Default)]
pub struct Absent {
    /// Those that took part before the last start and are not configured any more.
    pub gone: Vec<Gone>,
    /// Those that it names and no agent serves, escaped as in JSON.
    pub unserved: Box<heapless::Vec<String<DOMAIN_ID_MAX>, DOMAINS_MAX>>,
}

/// A domain that took part, and that the configuration does not have any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Gone {
    /// Its name.
    pub name: String<DOMAIN_ID_MAX>,
    /// Its part, as it was when it was last configured.
    pub part: Domain,
}

impl Default for Campaign {
    fn default() -> Campaign {
        Campaign::new()
    }
}

impl Campaign {
    /// An empty one. Allocates the places of domains and actions, once.
    pub fn new() -> Campaign {
        Campaign {
            identity: Identity::default(),
            policy: String::new(),
            announced: None,
            phase: Phase::Identify,
            groups: Groups::default(),
            consent: Consent::default(),
            end: End::default(),
            starts: Starts::default(),
            boots: Boots::default(),
            domains: PerDomain::new(),
            absent: Absent::default(),
            actions: Actions::new(),
        }
    }

    /// Becomes the activity of this desired state; no domain has been told anything. The
    /// groups are those of its baselines until a policy divides the domains.
    pub fn begin(&mut self, desired: &DesiredState<'_>) {
        self.reset();
        self.identity.run = desired.run;
        self.identity.activity = desired.key.activity.cut_to();
        self.identity.timestamp = desired.key.timestamp;
        self.identity.crc = desired.key.crc;
        for part in desired.parts {
            match part.domain {
                Some(domain) => {
                    self.domains[domain.place()] = Some(Domain { group: part.group, ..Domain::new(State::New) });
                }
                // As many parts as places: each is named once.
                None => drop(self.absent.unserved.push(part.id.cut_to())),
            }
        }
    }

    /// Becomes empty again.
    pub fn reset(&mut self) {
        self.identity = Identity::default();
        self.policy.clear();
        self.announced = None;
        self.phase = Phase::Identify;
        self.groups = Groups::default();
        self.consent = Consent::default();
        self.end = End::default();
        self.starts = Starts::default();
        self.boots = Boots::default();
        self.domains.clear();
        // Their places stay.
        self.absent.gone.clear();
        self.absent.unserved.clear();
        self.actions.clear();
    }

    /// The content of its desired state.
    pub fn key(&self) -> ActivityKey<'_> {
        ActivityKey {
            activity: Text::from_checked(&self.identity.activity),
            timestamp: self.identity.timestamp,
            crc: self.identity.crc,
        }
    }

    /// Whether it has no final status yet.
    pub fn is_running(&self) -> bool {
        self.end.outcome.is_none()
    }

    /// The phase that the domains are in which are led forward: the furthest of them.
    pub fn present_phase(&self) -> Phase {
        let is_led = |part: &&Domain| part.state.is_forward() && !part.restore.is_under_way();
        let forward = self.domains.iter().flatten().filter(is_led);
        match forward.filter_map(|part| part.furthest).max() {
            Some(phase) if self.phase != Phase::Cleanup => phase,
            _ => self.phase,
        }
    }

    /// Whether the backend was told that all domains have identified.
    pub fn is_identified(&self) -> bool {
        self.announced == Some(Status::Identified)
    }

    /// Whether `activity` is its identifier.
    pub fn is_activity(&self, activity: Text<'_>) -> bool {
        Text::from_checked(&self.identity.activity) == activity
    }

    /// The part of a domain, if it takes part.
    pub fn domain(&self, domain: DomainIx) -> Option<&Domain> {
        self.domains[domain.place()].as_ref()
    }

    /// The part of a domain, if it takes part.
    pub fn domain_mut(&mut self, domain: DomainIx) -> Option<&mut Domain> {
        self.domains.get_mut(domain.place())?.as_mut()
    }

    /// The domains whose state is as asked, in the order of the configuration.
    pub fn domains_in(&self, wanted: impl Fn(State) -> bool) -> DomainSet {
        let state_of = |d: &DomainIx| self.domain(*d).map(|domain| domain.state);
        DomainSet::first(DOMAINS_MAX).iter().filter(|d| state_of(d).is_some_and(&wanted)).collect()
    }

    /// The domains that take part.
    pub fn participants(&self) -> DomainSet {
        self.domains_in(|_| true)
    }

    /// Whether any domain has failed.
    pub fn has_failed(&self) -> bool {
        self.has_failed_beside(DomainSet::EMPTY)
    }

    /// Whether any domain has failed that is not one of these.
    pub fn has_failed_beside(&self, others: DomainSet) -> bool {
        let has_failed = |part: &Domain| part.failure.is_some();
        let is_asked = |domain: &DomainIx| self.domain(*domain).is_some_and(has_failed);
        let is_gone = self.absent.gone.iter().any(|gone| has_failed(&gone.part));
        is_gone || self.participants().without(others).iter().any(|domain| is_asked(&domain))
    }
}
