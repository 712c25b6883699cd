//! The rules of a reboot before the commit (docs/whole-device.md, "Across a reboot"), whatever
//! was cut.

use crate::world::scenario::World;
use crate::world::seen::{topic, From, Report, Seen};
use crate::world::whole::inconsistent;
use crate::world::whole::loader::{AfterBoot, Trial};
use crate::world::whole::setup::Setup;
use crate::world::whole::shape::{Host, Member, Shape, ACTIVITY};
use crate::world::whole::way::FORWARD;

/// There are never more reboots of ours in an activity.
const REBOOTS_MAX: usize = 2;

/// One activity, looked at when all is over.
struct Look<'w> {
    shape: &'w Shape,
    world: &'w World,
    end: &'w Report,
}

pub fn check(shape: &Shape, host: &Host, world: &World, setup: &Setup, end: &Report) {
    let look = Look { shape, world, end };
    look.check_end(host, setup);
    look.check_reboots();
    look.check_questions();
    look.check_second(host);
    for member in shape.members.iter().filter(|member| look.is_bound(member)) {
        look.check_confirmed(member);
    }
    for group in setup.groups() {
        look.check_commit(group);
    }
}

impl Look<'_> {
    fn of_group(&self, group: usize) -> impl Iterator<Item = &Member> + Clone {
        self.shape.members.iter().filter(move |member| self.shape.group_of(member) == group)
    }

    /// Whether this was told to the domain in the activity, `IDENTIFY` for the desired state.
    fn is_order(seen: &Seen, domain: &str, order: &str) -> bool {
        if seen.from != From::Manager || seen.activity() != ACTIVITY {
            return false;
        }
        match order {
            "IDENTIFY" => seen.topic == topic(domain, "desiredstate"),
            command => seen.topic == topic(domain, "desiredstate/command") && seen.command() == command,
        }
    }

    /// When this was told to it.
    fn told<'s>(&'s self, domain: &'s str, order: &'s str) -> impl Iterator<Item = u64> + 's {
        let seen = self.world.broker.seen.iter();
        seen.filter(move |seen| Look::is_order(seen, domain, order)).map(|seen| seen.at)
    }

    /// When it was told to clean up, unless it had said `COMPLETED` without actions before: that
    /// CLEANUP only makes it free for another activity.
    fn cleaned<'s>(&'s self, domain: &'s str) -> impl Iterator<Item = u64> + 's {
        let bare = self.bare_end(domain).unwrap_or(u64::MAX);
        self.told(domain, "CLEANUP").filter(move |at| *at < bare)
    }

    /// When its agent said `COMPLETED` without actions: its part has ended.
    fn bare_end(&self, domain: &str) -> Option<u64> {
        let feedback = topic(domain, "desiredstatefeedback");
        let is_of = |seen: &&Seen| seen.topic == feedback && seen.activity() == ACTIVITY;
        let has_actions = |seen: &Seen| seen.json()["payload"]["actions"].as_array().is_some_and(|it| !it.is_empty());
        let is_bare = |seen: &&Seen| seen.status() == "COMPLETED" && !has_actions(seen);
        self.world.broker.seen.iter().filter(is_of).find(is_bare).map(|seen| seen.at)
    }

    /// The final status is the one that the shape leads to.
    fn check_end(&self, host: &Host, setup: &Setup) {
        let end = self.end;
        let booted = self.world.power.cuts.iter().any(|at| *at < end.at);
        let fails = self.shape.members.iter().any(|member| member.boots == Some(Trial::FALLS_BACK)) || host.is_bad;
        let is_cut = self.world.mere_cuts() > 0;
        if fails || setup.cancelled.is_some_and(|(_, known)| known != usize::MAX) {
            assert!(end.status.starts_with("INCOMPLETE"), "{end:?}");
        } else if !is_cut && setup.cancelled.is_none() && (host.reboots || host.other_after.is_some()) {
            assert_eq!(end.status, "COMPLETED", "{end:?}");
        }
        if !is_cut && !host.reboots && host.other_after.is_none() {
            assert!(end.message.contains("the host has not rebooted in 2m"), "{end:?}");
        }
        assert!(end.status != "COMPLETED" || booted, "it is committed without a boot: {end:?}");
        let all_remember = self.shape.members.iter().all(|member| member.after_boot == AfterBoot::Remembers);
        if !is_cut && all_remember {
            assert!(inconsistent(end).is_empty(), "all can be turned back: {end:?}");
        }
    }

    /// None past the end, never more than two, and the backend is told before.
    fn check_reboots(&self) {
        let World { reboots, .. } = self.world;
        let Some(first) = reboots.first() else { return };
        assert!(reboots.len() <= REBOOTS_MAX + self.world.mere_cuts(), "{reboots:?}");
        assert!(reboots.iter().all(|at| *at < self.end.at), "{reboots:?} past the end at {}", self.end.at);
        let told = self
            .world
            .reports(ACTIVITY)
            .iter()
            .filter(|report| report.status == "RUNNING" && report.at <= *first)
            .count();
        assert!(told >= 2, "the backend is told that it waits");
    }

    /// What was booted and has rolled back is shown by a second boot, after which nobody is led.
    fn check_second(&self, host: &Host) {
        let World { reboots, .. } = self.world;
        if self.world.mere_cuts() > 0 || !host.reboots || !host.is_bad {
            return;
        }
        let mut booting = self.shape.members.iter().filter(|member| member.boots.is_some());
        let has_rolled_back = booting.any(|member| {
            let feedback = topic(member.domain, "desiredstatefeedback");
            self.world.broker.seen.iter().any(|seen| seen.topic == feedback && seen.status() == "ROLLBACK_SUCCESS")
        });
        assert_eq!(reboots.len(), 1 + usize::from(has_rolled_back), "{reboots:?}");
        let Some(second) = reboots.get(1) else { return };
        for member in &self.shape.members {
            let mut led = ["IDENTIFY", "ROLLBACK"].into_iter().chain(FORWARD);
            let late = led.find(|order| self.told(member.domain, order).any(|at| at > *second));
            assert_eq!(late, None, "[{}] is told that after the second boot", member.domain);
        }
    }

    /// No consent is asked for after the first reboot.
    fn check_questions(&self) {
        let Some(first) = self.world.reboots.first() else { return };
        let late = self.world.sent_to("deviceupdate/ownerconsent").iter().find(|seen| seen.at > *first).map(|it| it.at);
        assert_eq!(late, None, "the owner is asked after the reboot");
    }

    /// Whether its group waits for a boot.
    fn is_bound(&self, member: &Member) -> bool {
        self.of_group(self.shape.group_of(member)).any(|other| other.boots.is_some())
    }

    /// An agent that says that it has activated all, or has nothing left to do, is told nothing
    /// that leads it forward until it identifies otherwise.
    fn check_confirmed(&self, member: &Member) {
        let feedback = topic(member.domain, "desiredstatefeedback");
        let mut has_confirmed = false;
        for seen in &self.world.broker.seen {
            if seen.topic == feedback && seen.activity() == ACTIVITY && seen.status() == "IDENTIFIED" {
                let json = seen.json();
                let actions = json["payload"]["actions"].as_array().cloned().unwrap_or_default();
                has_confirmed = actions.iter().all(|action| action["status"] == "ACTIVATION_SUCCESS");
            }
            let is_forward = FORWARD.iter().any(|command| Look::is_order(seen, member.domain, command));
            assert!(
                !(is_forward && has_confirmed && !seen.again),
                "{} leads [{}] forward at {}, which has confirmed",
                seen.command(),
                member.domain,
                seen.at
            );
        }
    }

    /// A group that waits for its boot is committed after a boot, when what boots was asked and
    /// all of it were given the desired state again.
    fn check_commit(&self, group: usize) {
        let members = self.of_group(group);
        let Some(booting) = members.clone().find(|member| member.boots.is_some()) else {
            return self.check_free(group);
        };
        let first =
            |times: &dyn Fn(&str) -> Option<u64>| members.clone().filter_map(|member| times(member.domain)).min();
        let Some(cleaned) = first(&|domain| self.cleaned(domain).min()) else { return };
        let Some(activated) = self.told(booting.domain, "ACTIVATE").next() else { return };
        if first(&|domain| self.told(domain, "ROLLBACK").min()).is_some_and(|rolled| rolled <= cleaned) {
            return;
        }
        let boots = self.world.power.cuts.iter().filter(|at| **at > activated && **at < cleaned);
        let is_whole = |boot: &&u64| {
            let in_time = |at: u64| at > **boot && at <= cleaned;
            let mut asked = self.world.sent_to(&topic(booting.domain, "currentstate/get"));
            asked.retain(|seen| seen.activity().starts_with("a-1#boot"));
            let is_checked = self.world.company.checks.calls.iter().any(|call| in_time(call.at));
            let has_ended = |member: &Member| self.bare_end(member.domain).is_some_and(|end| end <= **boot);
            let is_told = |member: &Member| self.told(member.domain, "IDENTIFY").any(in_time);
            asked.iter().any(|seen| in_time(seen.at))
                && members.clone().all(|member| has_ended(member) || is_told(member))
                && (is_checked || !self.shape.setup().is_checked)
        };
        assert!(boots.clone().any(|boot| is_whole(&boot)), "group {group} is cleaned up at {cleaned}, boots {boots:?}");
    }

    /// A group that owes no boot waits for none.
    fn check_free(&self, group: usize) {
        let Some(first) = self.world.reboots.first().filter(|_| self.world.mere_cuts() == 0) else { return };
        let late = self.of_group(group).find(|member| self.told(member.domain, "CLEANUP").any(|at| at > *first));
        assert!(late.is_none(), "{late:?} owes no boot, and is cleaned up after it");
    }
}
