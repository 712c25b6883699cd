//! Verification: whether what a group has activated is good (docs/whole-device.md,
//! "Verification").
//!
//! Checks are the command about the whole group, and the inventories of the domains that
//! are to show what is wanted. Each is asked until it is good, more and more rarely. When
//! all are good and have been for long enough, the group is verified. When that has not come
//! to pass in time, or the command says so, it is bad.
//!
//! Nothing of it is saved: it begins anew with each start. Deliberately absent: how a check
//! is asked.

use core::fmt::Write;

use heapless::String;

use super::boot::Boot;
use super::domain::{Domain, Ended, State};
use super::effect::{Effect, Effects};
use super::event::{Moment, Shown, Verdict};
use super::group::{Group, GroupSet};
use super::policy::Fault;
use super::settings::Checks;
use super::Engine;
use crate::limits::{DOMAINS_MAX, REASON_MAX, VERIFY_AGAIN_MAX_MS, VERIFY_AGAIN_MS};
use crate::model::text::Text;
use crate::model::time::{Duration, Tick};
use crate::model::{DomainIx, DomainSet, Phase, Reason};

/// The groups that are verified at this moment, by their numbers, and what the inventories
/// of their domains show.
#[derive(Clone, Debug)]
pub(super) struct Verifying {
    rounds: Box<[Option<Round>; DOMAINS_MAX]>,
    inventories: Box<[Check; DOMAINS_MAX]>,
}

/// The verification of a group.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// When it has failed.
    ends: Tick,
    /// Since when all checks of domains that do not fail alone have been good.
    good_since: Option<Tick>,
    /// The command; none if there is none to ask.
    command: Option<Check>,
    /// The domains whose inventories are to show what is wanted.
    inventories: DomainSet,
}

/// A check of a group or a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Check {
    /// When its last answer came, if that was good.
    good_at: Option<Tick>,
    /// It was asked and has not answered.
    is_asked: bool,
    /// When it is asked next; none as long as its answer is awaited.
    due: Option<Tick>,
    /// How long after an answer that was not good it is asked again, in milliseconds.
    again_ms: u64,
}

impl Check {
    /// Returns one that is asked now.
    fn asked() -> Check {
        Check { good_at: None, is_asked: true, due: None, again_ms: VERIFY_AGAIN_MS }
    }

    fn ask(&mut self) {
        (self.is_asked, self.due) = (true, None);
    }

    fn take_good(&mut self, now: Tick) {
        *self = Check { good_at: Some(now), is_asked: false, due: None, again_ms: VERIFY_AGAIN_MS };
    }

    fn take_not_yet(&mut self, now: Tick) {
        let due = Some(now.after(self.again_ms));
        let again_ms = (self.again_ms * 2).min(VERIFY_AGAIN_MAX_MS);
        *self = Check { good_at: None, is_asked: false, due, again_ms };
    }
}

impl Verifying {
    /// Returns when the first group has failed; none if none is verified.
    pub(super) fn end(&self) -> Option<Tick> {
        self.rounds.iter().flatten().map(|round| round.ends).min()
    }
}

impl Default for Verifying {
    fn default() -> Verifying {
        Verifying { rounds: Box::new([None; DOMAINS_MAX]), inventories: Box::new([Check::default(); DOMAINS_MAX]) }
    }
}

/// Beginning and end.
impl Engine {
    /// Begins to verify a group; one that has nothing to verify is good at once.
    ///
    /// # Errors
    /// It is verified already, or being verified, or not activated.
    pub(super) fn verify(&mut self, now: Tick, group: Group, out: &mut Effects) -> Result<(), Fault> {
        let groups = &self.campaign.groups;
        if groups.verified.or(groups.verifying).or(groups.bad).contains(group) {
            return Err(Fault::Verified);
        }
        if !self.is_activated(group) {
            return Err(Fault::NotActivated);
        }
        let Checks { has_command, inventories, after_reboot, timeout_ms, .. } = self.settings.grouping.checks;
        let activated = self.activated(group);
        // What has shown it since the boot is not asked again: some agents lose their activity by
        // that.
        let is_open = |part: &Domain| part.boot == Boot::Over && !part.evidence.shows_new;
        let is_asked = |domain: &DomainIx| self.campaign.domain(*domain).is_some_and(is_open);
        let after_boot: DomainSet = after_reboot.iter().filter(is_asked).collect();
        let inventories = inventories.or(after_boot).and(activated);
        let command = (has_command && !activated.is_empty()).then(Check::asked);
        if command.is_none() && inventories.is_empty() {
            self.campaign.groups.verified.insert(group);
            return Ok(());
        }
        self.campaign.groups.verifying.insert(group);
        if command.is_some() {
            out.push(Effect::Check(group));
        }
        for domain in inventories.iter() {
            self.verifying.inventories[domain.place()] = Check::asked();
            out.push(Effect::AskInventory(domain));
        }
        let round = Round { ends: now.after(timeout_ms), good_since: None, command, inventories };
        self.verifying.rounds[usize::from(group.number())] = Some(round);
        self.plan(now, group);
        Ok(())
    }

    /// Ends the verification of a group, whatever it would have come to or has come to.
    pub(super) fn end_verification(&mut self, group: Group, out: &mut Effects) {
        let round = self.verifying.rounds[usize::from(group.number())].take();
        let (groups, this) = (&mut self.campaign.groups, GroupSet::from(group));
        (groups.verifying, groups.verified) = (groups.verifying.without(this), groups.verified.without(this));
        if round.and_then(|round| round.command).is_some_and(|command| command.is_asked) {
            out.push(Effect::EndCheck(group));
        }
    }

    /// Ends all verifications: the activity has ended.
    pub(super) fn end_verifications(&mut self, out: &mut Effects) {
        self.campaign.groups.verifying.iter().for_each(|group| self.end_verification(group, out));
    }

    /// Returns whether all domains of the group have activated, have failed, or have ended
    /// their part.
    pub(super) fn is_activated(&self, group: Group) -> bool {
        let mut parts = self.campaign.domains.iter().flatten().filter(|part| part.group == group).peekable();
        let is_any = parts.peek().is_some();
        is_any && parts.all(|part| part.state.is_activated() || part.failure.is_some())
    }

    /// Returns the domains of the group that have something in use which can be verified.
    fn activated(&self, group: Group) -> DomainSet {
        let has_changed = |domain: &DomainIx| {
            let part = self.campaign.domain(*domain).filter(|part| part.group == group && part.failure.is_none());
            part.is_some_and(|part| match part.state {
                State::Ready(Phase::Activate) => true,
                State::Done(Ended::Completed) => self.campaign.actions.count(*domain) > 0,
                _ => false,
            })
        };
        self.campaign.participants().iter().filter(has_changed).collect()
    }
}

impl State {
    /// Returns whether it has activated, or its part has ended.
    fn is_activated(self) -> bool {
        self.is_done() || self == State::Ready(Phase::Activate)
    }
}

/// Answers.
impl Engine {
    /// The command has answered about a group.
    pub(super) fn handle_checked(&mut self, now: Tick, group: Group, verdict: Verdict<'_>, out: &mut Effects) {
        let round = self.verifying.rounds[usize::from(group.number())].as_mut();
        let Some(command) = round.and_then(|round| round.command.as_mut()).filter(|command| command.is_asked) else {
            return;
        };
        match verdict {
            Verdict::Good => command.take_good(now),
            Verdict::NotYet => command.take_not_yet(now),
            Verdict::Bad(reason) => {
                command.is_asked = false;
                self.find_bad(group, reason, out);
            }
        }
        self.conclude(now, group);
    }

    /// A domain's inventory has come, asked for or not.
    pub(super) fn handle_shown(
        &mut self,
        now: Tick,
        domain: DomainIx,
        shown: Shown<'_>,
        moment: Moment,
        out: &mut Effects,
    ) {
        let Some(part) = self.campaign.domain(domain).filter(|_| self.is_running()) else { return };
        let (group, boot) = (part.group, part.boot);
        if boot.is_open() {
            if boot == Boot::Asked && moment == Moment::SinceBoot {
                self.judge_boot(now, domain, shown, out);
            }
            return;
        }
        if self.campaign.groups.committed.contains(group) {
            if let Some(part) = self.campaign.domain_mut(domain) {
                part.evidence.shows_other = matches!(shown, Shown::Other(_));
            }
            return;
        }
        let round = self.verifying.rounds[usize::from(group.number())];
        if !round.is_some_and(|round| round.inventories.contains(domain)) {
            return;
        }
        let check = &mut self.verifying.inventories[domain.place()];
        match shown {
            Shown::All => check.take_good(now),
            // What a boot has not brought does not come any more.
            Shown::Other(words) if boot == Boot::Over => {
                let words = words.cut_to();
                self.fail(domain, Reason::Words(words), out);
                return self.condemn(group, domain, out);
            }
            Shown::Missing(_) | Shown::Other(_) => check.take_not_yet(now),
        }
        self.conclude(now, group);
    }

    /// The group is verified if all that is needed is good, and has been for long enough.
    fn conclude(&mut self, now: Tick, group: Group) {
        let Some(round) = self.verifying.rounds[usize::from(group.number())] else { return };
        let needed = round.inventories.without(self.settings.grouping.fail_alone);
        let checks = needed.iter().map(|domain| &self.verifying.inventories[domain.place()]);
        let answers = checks.chain(&round.command).map(|check| check.good_at);
        // The oldest answer; `None` comes first if one is not good. With nothing to ask all is
        // good.
        let oldest = answers.min().unwrap_or(Some(now));
        let good_since = round.good_since.or(Some(now)).filter(|_| oldest.is_some());
        let stable_ms = self.settings.grouping.checks.stable_ms;
        let is_stable = good_since.is_some_and(|since| stable_ms == 0 || oldest >= Some(since.after(stable_ms)));
        let is_shown = |domain: DomainIx| self.verifying.inventories[domain.place()].good_at.is_some();
        let is_over = now >= round.ends;
        if is_stable && (is_over || round.inventories.iter().all(is_shown)) {
            return self.find_good(group);
        }
        if let Some(round) = &mut self.verifying.rounds[usize::from(group.number())] {
            round.good_since = good_since;
        }
        self.plan(now, group);
    }

    fn find_good(&mut self, group: Group) {
        self.campaign.groups.verified.insert(group);
        self.verifying.rounds[usize::from(group.number())] = None;
        let groups = &mut self.campaign.groups;
        groups.verifying = groups.verifying.without(groups.verified);
    }

    /// The command found the group bad.
    pub(super) fn find_bad(&mut self, group: Group, reason: Text<'_>, out: &mut Effects) {
        self.end_verification(group, out);
        let groups = &mut self.campaign.groups;
        groups.bad.insert(group);
        let separator = if groups.flaws.is_empty() { "" } else { "; " };
        let words = if reason.is_empty() { Text::from_checked("not verified") } else { reason };
        let room = REASON_MAX.saturating_sub(groups.flaws.len() + separator.len());
        if room > 0 {
            // There is room for both.
            let _ = groups.flaws.push_str(separator);
            let _ = groups.flaws.push_str(words.cut(room).as_json());
        }
    }
}

/// Clocks.
impl Engine {
    /// Returns when a check is to be asked next, or a verification is over.
    pub(super) fn verification_due(&self) -> Option<Tick> {
        let rounds = self.verifying.rounds.iter().flatten();
        let due = |round: &Round| {
            let shown = round.inventories.iter().map(|domain| &self.verifying.inventories[domain.place()]);
            shown.chain(&round.command).filter_map(|check| check.due).chain([round.ends]).min()
        };
        rounds.filter_map(due).min()
    }

    /// Sets when checks that are good are asked again: each second, and when they have been
    /// good for long enough.
    fn plan(&mut self, now: Tick, group: Group) {
        let stable_ms = self.settings.grouping.checks.stable_ms;
        let Some(round) = &mut self.verifying.rounds[usize::from(group.number())] else { return };
        let end = round.good_since.map(|since| since.after(stable_ms));
        let again = now.after(VERIFY_AGAIN_MS);
        let due = end.filter(|end| *end > now).map_or(again, |end| end.min(again));
        let mut plan = |check: &mut Check| match (check.is_asked, check.good_at) {
            (false, Some(_)) if stable_ms > 0 => check.due = check.due.or(Some(due)),
            // An agent may never answer, or its answer may be lost.
            _ => {}
        };
        round.command.iter_mut().for_each(&mut plan);
        round.inventories.iter().for_each(|domain| plan(&mut self.verifying.inventories[domain.place()]));
        for domain in round.inventories.iter() {
            let check = &mut self.verifying.inventories[domain.place()];
            if check.is_asked && check.due.is_none() {
                check.due = Some(now.after(VERIFY_AGAIN_MAX_MS));
            }
        }
    }

    /// Asks what is due, and ends what is over.
    pub(super) fn handle_verification_timeout(&mut self, now: Tick, out: &mut Effects) {
        for group in self.campaign.groups.verifying.iter() {
            let Some(round) = self.verifying.rounds[usize::from(group.number())].as_mut() else { continue };
            if round.ends <= now {
                self.handle_late(now, group, out);
                continue;
            }
            let is_due = |check: &Check| check.due.is_some_and(|due| due <= now);
            if let Some(command) = round.command.as_mut().filter(|check| is_due(check)) {
                command.ask();
                out.push(Effect::Check(group));
            }
            for domain in round.inventories.iter() {
                let check = &mut self.verifying.inventories[domain.place()];
                if is_due(check) {
                    check.ask();
                    out.push(Effect::AskInventory(domain));
                }
            }
            self.plan(now, group);
        }
    }

    /// The group is bad because of this domain, unless that fails alone.
    fn condemn(&mut self, group: Group, domain: DomainIx, out: &mut Effects) {
        if !self.settings.grouping.fail_alone.contains(domain) {
            self.end_verification(group, out);
            self.campaign.groups.bad.insert(group);
        }
    }

    /// The group was not verified in time. Domains whose inventory does not show what is
    /// wanted are to blame, those that fail alone for themselves; otherwise the command.
    fn handle_late(&mut self, now: Tick, group: Group, out: &mut Effects) {
        self.conclude(now, group);
        let Some(round) = self.verifying.rounds[usize::from(group.number())] else {
            return self.blame_alone(group, out);
        };
        let missing = |domain: &DomainIx| self.verifying.inventories[domain.place()].good_at.is_none();
        let blamed: DomainSet = round.inventories.iter().filter(missing).collect();
        for domain in blamed.iter() {
            self.blame(domain, out);
        }
        let mut words = String::<REASON_MAX>::new();
        // It is shorter than the bound.
        let _ = write!(words, "not verified in {}", Duration(self.settings.grouping.checks.timeout_ms));
        match blamed.without(self.settings.grouping.fail_alone).is_empty() {
            true => self.find_bad(group, Text::from_checked(&words), out),
            false => {
                self.end_verification(group, out);
                self.campaign.groups.bad.insert(group);
            }
        }
    }

    /// The group is good but for domains that fail alone.
    fn blame_alone(&mut self, group: Group, out: &mut Effects) {
        let alone = self.settings.grouping.fail_alone.and(self.settings.grouping.checks.inventories);
        for domain in alone.and(self.activated(group)).iter() {
            if self.verifying.inventories[domain.place()].good_at.is_none() {
                self.blame(domain, out);
            }
        }
    }

    /// The domain's inventory has not shown what is wanted.
    fn blame(&mut self, domain: DomainIx, out: &mut Effects) {
        let mut words = String::<REASON_MAX>::new();
        let timeout = Duration(self.settings.grouping.checks.timeout_ms);
        // It is shorter than the bound.
        let _ = write!(words, "its inventory has not shown what is wanted in {timeout}");
        self.fail(domain, Reason::Words(words), out);
    }
}
