//! The boot of the host that a group waits for before its commit, and what is asked after it
//! (docs/whole-device.md, "Across a reboot").
//!
//! ```text
//!   verified ─> reboot ─> inventory of what boots ─> desired state to all ─> verified ─> commit
//!                              └── the old version has booted: turned back ──┘
//! ```
//!
//! Any boot after a domain has answered ACTIVATE is that boot, whoever caused it. A domain that
//! was booted and is turned back is old only when a further boot has shown it.
//!
//! Invariants: an inventory counts only if it was asked for since the boot; of our own reboots
//! there are at most two in an activity. Deliberately absent: how a reboot comes about, which
//! [`reboot`](super::reboot) has, and how a bootloader decides.

use core::fmt::Write;

use heapless::String;

use super::domain::{Domain, State};
use super::effect::{Effect, Effects, Notice, TimerKind};
use super::event::{Feedback, Shown};
use super::group::GroupSet;
use super::obligation::Obligation;
use super::policy::Fault;
use super::resume::Saved;
use super::Engine;
use crate::limits::{REASON_MAX, REBOOTS_MAX, VERIFY_AGAIN_MAX_MS, VERIFY_AGAIN_MS};
use crate::model::table::table;
use crate::model::text::Text;
use crate::model::time::{Duration, Tick};
use crate::model::{DomainIx, DomainSet, Phase, Reason, Reboot};

table! {
    /// What a boot of the host means for a domain.
    #[derive(Default)]
    pub enum Boot {
        /// Nothing.
        #[default]
        No = 0 "no",
        /// It takes effect with the next one.
        Owed = 1 "owed",
        /// The host has booted, and its agent is waited for.
        Due = 2 "due",
        /// Its inventory is awaited.
        Asked = 3 "asked",
        /// It was given the desired state again.
        Told = 4 "told",
        /// It is known what the boot has made of it.
        Over = 5 "over",
    }
}

impl Boot {
    /// Returns whether something is awaited of the agent before anything else follows.
    pub fn is_open(self) -> bool {
        matches!(self, Boot::Due | Boot::Asked)
    }
}

/// Our reboots in an activity, before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Boots {
    /// How often the host has booted for it.
    pub count: u8,
    /// How often it has booted since something waited for that, whoever caused it.
    pub seen: u8,
    /// A reboot is under way.
    pub is_due: bool,
    /// The host did not go down.
    pub is_late: bool,
}

impl Boots {
    /// Returns whether the host may be rebooted for the activity.
    pub fn may_follow(self) -> bool {
        self.count < REBOOTS_MAX && !self.is_late
    }
}

impl Domain {
    /// Nothing is asked or waited for any more because of a boot.
    pub(super) fn close_boot(&mut self) {
        self.boot = match self.boot {
            Boot::Owed => Boot::No,
            Boot::Due | Boot::Asked => Boot::Over,
            boot => boot,
        };
    }
}

/// The reboot.
impl Engine {
    /// A domain has answered ACTIVATE well: it may take effect with a boot.
    pub(super) fn note_activated(&mut self, domain: DomainIx) {
        let boots = self.settings.grouping.boots.contains(domain);
        let Some(part) = self.campaign.domain_mut(domain).filter(|part| boots && !part.obligation.is_halted) else {
            return;
        };
        if part.boot == Boot::No {
            part.boot = Boot::Owed;
        }
    }

    /// The host reboots before anything else follows.
    ///
    /// # Errors
    /// It does already, or may not.
    pub(super) fn reboot_between(&mut self, now: Tick, out: &mut Effects) -> Result<(), Fault> {
        if self.campaign.boots.is_due || !self.campaign.boots.may_follow() {
            return Err(Fault::Rebooting);
        }
        let view = self.view();
        let lost: DomainSet = view.domains().iter().filter(|domain| view.needs_boot(*domain)).collect();
        for domain in lost.iter() {
            if let Some(part) = self.campaign.domain_mut(domain) {
                part.boot = Boot::Owed;
                // The end of restoring it has lifted that.
                part.obligation.is_halted = true;
            }
        }
        self.campaign.boots.is_due = true;
        // Somebody may have held it before the manager was started anew.
        if self.reboot != Reboot::Held {
            self.reboot.begin(now, out);
        }
        out.push(Effect::AwaitDelivery);
        self.running.tell(now, out);
        Ok(())
    }

    /// The timer of the reboot has run off in the middle of an activity.
    pub(super) fn handle_reboot_between(&mut self, now: Tick, out: &mut Effects) {
        let phase_timeout_ms = self.settings.phase_timeout_ms;
        if self.reboot == Reboot::Triggered {
            return self.miss_boot(out);
        }
        let is_saved = self.settings.is_saved && !self.is_unsaved;
        self.reboot.handle_timeout(now, self.settings.rebooting.after_ms, is_saved, out);
        if self.reboot == Reboot::Triggered {
            out.push(Effect::SetTimer(TimerKind::Reboot, now.after(phase_timeout_ms)));
        }
    }

    /// The host is still up: what waits for its boot has failed.
    fn miss_boot(&mut self, out: &mut Effects) {
        self.reboot = Reboot::None;
        (self.campaign.boots.is_due, self.campaign.boots.is_late) = (false, true);
        let mut words = String::<REASON_MAX>::new();
        // It is shorter than the bound.
        let _ = write!(words, "the host has not rebooted in {}", Duration(self.settings.phase_timeout_ms));
        let is_owing = |part: &&mut Domain| part.boot == Boot::Owed;
        let mut late = GroupSet::default();
        for part in self.campaign.domains.iter_mut().flatten().filter(is_owing) {
            if part.obligation.is_halted {
                part.boot = Boot::Over;
            } else {
                late.insert(part.group);
            }
        }
        for group in late.without(self.campaign.groups.turned).iter() {
            self.find_bad(group, Text::from_checked(&words), out);
        }
    }

    /// An older release, or one that did not commit after a reboot, has not noted what takes
    /// effect with a boot.
    fn note_activated_unnoted(&mut self) {
        let committed = self.campaign.groups.committed;
        for domain in self.settings.grouping.boots.iter() {
            let is_open =
                |part: &Domain| part.state == State::Ready(Phase::Activate) && !committed.contains(part.group);
            if self.campaign.domain(domain).is_some_and(is_open) {
                self.note_activated(domain);
            }
        }
    }

    /// A group is turned back: nothing more is asked because of a boot, and none is waited for
    /// unless another group does.
    pub(super) fn forget_boot(&mut self, out: &mut Effects) {
        let halted = self.campaign.domains.iter_mut().flatten().filter(|part| part.obligation.is_halted);
        halted.for_each(Domain::close_boot);
        let is_owed = self.campaign.domains.iter().flatten().any(|part| part.boot == Boot::Owed);
        if self.campaign.boots.is_due && !is_owed {
            // The host may be going down already.
            self.campaign.boots.count += u8::from(self.reboot == Reboot::Triggered);
            self.campaign.boots.is_due = false;
            self.reboot = Reboot::None;
            out.push(Effect::StopTimer(TimerKind::Reboot));
        }
    }

    /// The process has started in the middle of an activity: perhaps the host has booted.
    pub(super) fn take_up_boot(&mut self, saved: &Saved) {
        self.note_activated_unnoted();
        let boots = &mut self.campaign.boots;
        self.reboot = match saved.reboot {
            Reboot::Held if !saved.has_booted => Reboot::Held,
            _ => Reboot::None,
        };
        boots.count = boots.count.saturating_add(u8::from(boots.is_due && saved.has_booted));
        boots.is_due = false;
        let mut booted = GroupSet::default();
        if saved.has_booted && self.campaign.domains.iter().flatten().any(|part| part.boot != Boot::No) {
            self.campaign.boots.seen = self.campaign.boots.seen.wrapping_add(1);
        }
        for part in self.campaign.domains.iter_mut().flatten() {
            let is_in_use = part.state.is_forward() && !part.obligation.is_halted;
            part.evidence.shows_new &= !saved.has_booted;
            match part.boot {
                // It is asked again.
                Boot::Asked => part.boot = Boot::Due,
                Boot::Owed if saved.has_booted => part.boot = Boot::Due,
                // Perhaps another system has booted this time.
                Boot::Told | Boot::Over if saved.has_booted && is_in_use => {
                    part.state = State::Ready(Phase::Activate);
                    part.obligation = Obligation { course: part.obligation.course, ..Obligation::default() };
                    part.boot = Boot::Due;
                }
                _ => {}
            }
            if part.boot == Boot::Due && !part.obligation.is_halted {
                booted.insert(part.group);
            }
        }
        // The others of the group were in use together with it, but for those that have activated
        // since the boot.
        let is_with = |part: &&mut Domain| saved.has_booted && part.boot == Boot::No && booted.contains(part.group);
        for part in self.campaign.domains.iter_mut().flatten().filter(is_with) {
            if part.state == State::Ready(Phase::Activate) {
                part.boot = Boot::Due;
            }
        }
    }
}

/// What follows a boot.
impl Engine {
    /// The agent is there: what boots shows its inventory first, all others get the desired
    /// state. Returns whether that was awaited.
    pub(super) fn greet_after_boot(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) -> bool {
        let Some(part) = self.campaign.domain(domain).filter(|part| part.boot.is_open()) else { return false };
        match part.boot == Boot::Asked || self.settings.rebooting.required.contains(domain) {
            true => self.ask_after_boot(now, domain, out),
            false => self.tell_after_boot(now, domain, out),
        }
        true
    }

    fn ask_after_boot(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.boot = Boot::Asked;
            part.obligation.times.asked.get_or_insert(now);
            part.obligation.times.asked_again = Some(now);
            out.push(Effect::AskBooted(domain));
        }
    }

    /// One that says `COMPLETED` before it is told anything has got what was sent to it before the
    /// boot. Returns whether its inventory is awaited.
    pub(super) fn is_content_after_boot(&mut self, domain: DomainIx) -> bool {
        let Some(part) = self.campaign.domain_mut(domain).filter(|part| part.boot.is_open()) else { return false };
        part.obligation.times.is_content = true;
        true
    }

    /// The domain gets the desired state, unless it has said already that it has nothing to do.
    fn go_on_after_boot(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        if !part.obligation.times.is_content {
            return self.tell_after_boot(now, domain, out);
        }
        part.boot = Boot::Over;
        part.note_new_course(Some(Phase::Activate));
        part.obligation.answered();
        (part.obligation.is_remembered, part.obligation.times.is_content) = (false, false);
    }

    /// The domain gets the desired state again, as in a new course.
    fn tell_after_boot(&mut self, now: Tick, domain: DomainIx, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let course = part.obligation.queue.last_course().max(part.obligation.course).saturating_add(1);
        part.boot = Boot::Told;
        part.obligation = Obligation { course, ..Obligation::default() };
        self.oblige(now, domain, Phase::Identify, out);
    }

    /// A domain that was given the desired state after a boot has identified, with these actions,
    /// or says that it has completed (none). Returns whether it has nothing more to do.
    pub(super) fn confirm(&mut self, domain: DomainIx, feedback: Option<&Feedback<'_>>, out: &mut Effects) -> bool {
        let Some(part) = self.campaign.domain_mut(domain).filter(|part| part.boot == Boot::Told) else { return false };
        part.boot = Boot::Over;
        let remembers = feedback.is_some_and(Feedback::remembers_all);
        if !remembers {
            part.note_new_course(Some(Phase::Activate));
        }
        let has_nothing_to_do = feedback.map_or(true, |feedback| feedback.actions.is_empty());
        if has_nothing_to_do || remembers || part.is_stopped() {
            part.rest();
            part.obligation.is_remembered = false;
            part.evidence.is_sure = true;
            return true;
        }
        out.push(Effect::Notice(Notice::StartedOver(domain)));
        false
    }

    /// A domain has failed that was given the desired state after a boot: it had activated
    /// before. Returns the phase that it has failed in.
    pub(super) fn phase_of_failure(&mut self, domain: DomainIx) -> Phase {
        let Some(part) = self.campaign.domain_mut(domain) else { return Phase::Download };
        if !matches!(part.boot, Boot::Due | Boot::Asked | Boot::Told) {
            return part.state.phase().unwrap_or(Phase::Download);
        }
        if part.boot == Boot::Told {
            part.note_new_course(Some(Phase::Activate));
        }
        part.boot = Boot::Over;
        Phase::Activate
    }

    /// The inventory shows what has booted, asked for since.
    pub(super) fn judge_boot(&mut self, now: Tick, domain: DomainIx, shown: Shown<'_>, out: &mut Effects) {
        let Some(part) = self.campaign.domain_mut(domain) else { return };
        let is_halted = part.obligation.is_halted;
        match shown {
            // It is asked again.
            Shown::Missing(_) => {}
            Shown::All if is_halted => {
                part.evidence.is_old = false;
                part.boot = Boot::Over;
            }
            Shown::All => {
                part.evidence.shows_new = true;
                self.go_on_after_boot(now, domain, out);
            }
            Shown::Other(words) => {
                part.evidence.shows_old = true;
                if is_halted {
                    part.evidence.is_old = true;
                    part.boot = Boot::Over;
                    return;
                }
                let mut reason = String::<REASON_MAX>::new();
                let words = words.cut(REASON_MAX - BOOTED_OLD.len());
                // There is room for both.
                let _ = reason.push_str(BOOTED_OLD).and_then(|()| reason.push_str(words.as_json()));
                self.fail(domain, Reason::Words(reason), out);
                self.drop_out(now, domain, out);
            }
        }
    }

    /// Returns when a domain is to be asked or told because of a boot.
    pub(super) fn boot_due(&self, domain: DomainIx, part: &Domain) -> Option<Tick> {
        let hearing = self.hears_since().filter(|_| part.boot.is_open())?;
        let times = &part.obligation.times;
        match part.boot {
            Boot::Due => Some(hearing.after(self.settings.read_timeouts_ms[domain.place()])),
            _ => {
                let again = times.asked_again?.max(hearing).after(VERIFY_AGAIN_MAX_MS);
                Some(again.min(self.boot_end(domain, part)?))
            }
        }
    }

    /// Until when an inventory is asked for.
    fn boot_end(&self, domain: DomainIx, part: &Domain) -> Option<Tick> {
        let wait_ms = match part.obligation.is_halted {
            true => self.settings.grouping.checks.timeout_ms,
            false => self.settings.read_timeouts_ms[domain.place()].max(VERIFY_AGAIN_MS),
        };
        Some(part.obligation.times.asked?.after(wait_ms))
    }

    /// Asks or tells what is due because of a boot.
    pub(super) fn handle_boot_timeout(&mut self, now: Tick, out: &mut Effects) {
        for domain in self.campaign.participants().iter() {
            let Some(part) = self.campaign.domain(domain) else { continue };
            if !self.boot_due(domain, part).is_some_and(|at| at <= now) {
                continue;
            }
            let is_over = part.boot == Boot::Asked && self.boot_end(domain, part).is_some_and(|end| end <= now);
            match (is_over, part.obligation.is_halted) {
                (false, _) => drop(self.greet_after_boot(now, domain, out)),
                // Its agent does not say what has booted; the desired state may tell.
                (true, false) => self.go_on_after_boot(now, domain, out),
                (true, true) => {
                    if let Some(part) = self.campaign.domain_mut(domain) {
                        part.boot = Boot::Over;
                    }
                }
            }
        }
    }
}

/// Begins the reason of a domain whose old version has booted.
const BOOTED_OLD: &str = "the host has booted the old version: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_read_as_it_was_saved() {
        Boot::check_table();
    }
}
