//! The policy's steps: each is checked, passes the gates, and is taken.

use super::domain::State;
use super::effect::{Effect, Effects, Notice};
use super::gates::Before;
use super::group::Group;
use super::policy::{saved_name, turn_back, Act, Fault, Stand, Step, View};
use super::Engine;
use crate::limits::DOMAINS_MAX;
use crate::model::time::Tick;
use crate::model::{Cause, DomainIx, DomainSet, Phase, Status};

impl Engine {
    /// Asks the policy for step after step, until it waits. That comes to an end: each step
    /// that is taken brings a domain, a group or the activity further, and none leads back
    /// to where it could be taken again.
    pub(super) fn follow(&mut self, now: Tick, out: &mut Effects) {
        while self.is_running() {
            self.withdraw_question(out);
            let step = self.next();
            if step == Step::Wait {
                return;
            }
            if let Err(fault) = self.take(now, step, out) {
                return out.push(Effect::Notice(Notice::Fault(fault)));
            }
        }
    }

    /// What the policy wants next. An activity whose policy is not there is turned back.
    fn next(&self) -> Step {
        let view = self.view();
        match self.policies.find(&self.campaign.policy) {
            Some(policy) => policy.next(&view),
            None => turn_back(&view).unwrap_or(Step::Wait),
        }
    }

    /// Chooses the policy of an activity that begins, and has it divide the domains. Without
    /// one that suits, the activity ends.
    pub(super) fn choose_policy(&mut self, out: &mut Effects) {
        let view = View::new(&self.campaign, &self.settings.grouping);
        let Some(policy) = self.policies.choose(&view) else {
            return self.give_up(Cause::NoPolicy, out);
        };
        let mut groups = [Group::default(); DOMAINS_MAX];
        for domain in view.domains().iter() {
            groups[domain.place()] = policy.group(&view, domain);
        }
        let name = saved_name(policy);
        self.campaign.policy.clear();
        // It is as long as there is room for.
        let _ = self.campaign.policy.push_str(name);
        for (part, group) in self.campaign.domains.iter_mut().zip(groups) {
            if let Some(part) = part {
                part.group = group;
            }
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View::new(&self.campaign, &self.settings.grouping)
    }

    /// Takes one step.
    ///
    /// # Errors
    /// It makes no sense at this moment; nothing has changed.
    fn take(&mut self, now: Tick, step: Step, out: &mut Effects) -> Result<(), Fault> {
        match step {
            Step::Wait => Ok(()),
            Step::Do(act, domains) => self.act(now, act, domains, out),
            Step::Announce(status) => self.announce(now, status, out),
            Step::Verify(group) => self.verify(now, group, out),
            Step::Reboot => self.reboot_between(now, out),
            Step::Commit(group) => self.commit(now, group, out),
            Step::TurnBack(group) => self.turn_group_back(group, out),
            Step::Finish(outcome) => self.finish(now, outcome, out),
        }
    }

    fn act(&mut self, now: Tick, act: Act, domains: DomainSet, out: &mut Effects) -> Result<(), Fault> {
        if domains.is_empty() || !domains.without(self.campaign.participants()).is_empty() {
            return Err(Fault::NotTakingPart);
        }
        domains.iter().try_for_each(|domain| self.check(act, domain))?;
        match act {
            Act::Forward(phase) => return self.begin(now, phase, domains, out),
            Act::Rollback => domains.iter().for_each(|domain| self.turn(now, domain, out)),
            Act::Restore => domains.iter().for_each(|domain| self.restore(now, domain, out)),
            Act::Cleanup => self.clean_up_all(now, domains, out),
        }
        Ok(())
    }

    /// Whether the domain is where the act can begin.
    fn check(&self, act: Act, domain: DomainIx) -> Result<(), Fault> {
        let view = self.view();
        let (Some(stand), Some(group)) = (view.stand(domain), view.group(domain)) else {
            return Err(Fault::NotTakingPart);
        };
        let is_ready = match act {
            Act::Forward(_) if view.cause().is_some() => return Err(Fault::TurnedBack),
            Act::Forward(_) if view.is_turned_back(group) => return Err(Fault::GroupTurnedBack),
            Act::Forward(_) | Act::Rollback | Act::Restore if view.is_committed(group) => {
                return Err(Fault::Committed);
            }
            Act::Forward(Phase::Identify) => stand == Stand::New,
            Act::Forward(Phase::Cleanup) => false,
            Act::Forward(phase) => match stand {
                Stand::Held(held) if held == act => return Err(Fault::Held),
                stand => stand.left().and_then(Phase::next) == Some(phase),
            },
            Act::Rollback => {
                let is_led =
                    matches!(stand, Stand::Held(_) | Stand::Owes(Act::Forward(_)) | Stand::Did(Act::Forward(_), _));
                is_led && view.has_begun(domain)
            }
            Act::Restore => view.can_restore(domain),
            Act::Cleanup => match stand {
                Stand::Held(_) | Stand::Did(..) => true,
                Stand::Owes(Act::Forward(phase)) => phase == Phase::Identify,
                Stand::Done(_) => view.is_turned_back(group) && view.has_committed_by_itself(domain),
                _ => false,
            },
        };
        if is_ready {
            Ok(())
        } else {
            Err(Fault::Unready(act))
        }
    }

    /// Begins a phase in the domains that have left the one before, unless a gate holds
    /// them back.
    fn begin(&mut self, now: Tick, phase: Phase, domains: DomainSet, out: &mut Effects) -> Result<(), Fault> {
        if !self.pass(now, Before::Command(phase), out)? {
            return Ok(());
        }
        self.campaign.phase = self.campaign.phase.max(phase);
        self.campaign.consent.approved = self.campaign.consent.approved.filter(|approved| *approved != phase);
        for domain in domains.iter() {
            if let Some(part) = self.campaign.domain_mut(domain) {
                part.obligation.repairs = 0;
                part.furthest = part.furthest.max(Some(phase));
            }
            self.oblige(now, domain, phase, out);
        }
        Ok(())
    }

    /// The clean-up of domains that have not failed is the last phase.
    fn clean_up_all(&mut self, now: Tick, domains: DomainSet, out: &mut Effects) {
        let has_succeeded = |domain: DomainIx| self.campaign.domain(domain).is_some_and(|part| part.failure.is_none());
        let is_end = domains.iter().any(has_succeeded);
        domains.iter().for_each(|domain| self.clean_up(now, domain, out));
        let is_on_the_way = |state: State| state == State::New || state.is_forward();
        if is_end && self.campaign.domains_in(is_on_the_way).is_empty() {
            self.campaign.phase = Phase::Cleanup;
        }
    }

    fn announce(&mut self, now: Tick, status: Status, out: &mut Effects) -> Result<(), Fault> {
        let is_next = match status {
            Status::Identifying => self.campaign.announced.is_none(),
            Status::Identified => self.campaign.announced == Some(Status::Identifying),
            _ => false,
        };
        if !is_next {
            return Err(Fault::Announcement(status));
        }
        self.campaign.announced = Some(status);
        out.push(Effect::Report(status));
        let has_work = !self.campaign.domains_in(|state| !state.is_done()).is_empty();
        if status == Status::Identified && has_work {
            self.running.begin(now, out);
        }
        Ok(())
    }

    fn commit(&mut self, now: Tick, group: Group, out: &mut Effects) -> Result<(), Fault> {
        if self.campaign.groups.committed.contains(group) {
            return Err(Fault::Committed);
        }
        if self.campaign.end.cause.is_some() {
            return Err(Fault::TurnedBack);
        }
        if self.campaign.groups.turned.contains(group) {
            return Err(Fault::GroupTurnedBack);
        }
        if !self.is_activated(group) {
            return Err(Fault::NotActivated);
        }
        if self.pass(now, Before::Commit(group), out)? {
            self.campaign.groups.committed.insert(group);
        }
        Ok(())
    }

    /// Nothing leads the domains of the group forward from now on; those that are busy are
    /// waited for.
    fn turn_group_back(&mut self, group: Group, out: &mut Effects) -> Result<(), Fault> {
        if self.campaign.groups.committed.contains(group) {
            return Err(Fault::Committed);
        }
        if self.campaign.groups.turned.contains(group) {
            return Err(Fault::GroupTurnedBack);
        }
        self.end_verification(group, out);
        self.campaign.groups.turned.insert(group);
        let gone = self.campaign.absent.gone.iter_mut().map(|gone| &mut gone.part);
        let parts = self.campaign.domains.iter_mut().flatten().chain(gone);
        for part in parts.filter(|part| part.group == group) {
            part.obligation.is_halted = true;
            part.obligation.is_remembered = false;
        }
        self.forget_boot(out);
        Ok(())
    }

    /// The end of an activity that agents took part in.
    fn finish(&mut self, now: Tick, outcome: Status, out: &mut Effects) -> Result<(), Fault> {
        let view = self.view();
        let has_begun = view.domains().iter().any(|domain| view.has_begun(domain));
        let is_over = match outcome {
            Status::Completed => !view.has_failed() && view.cause().is_none(),
            Status::Incomplete => true,
            Status::IncompleteInconsistent => view.inconsistent() == Some(outcome),
            Status::IdentificationFailed => view.announced() == Some(Status::Identifying) && !has_begun,
            _ => false,
        };
        // Before the download there is nothing to undo, and no end to wait for.
        let is_owing = |stand: Stand| stand.is_owing() && (has_begun || stand != Stand::Owes(Act::Cleanup));
        if !is_over || view.any(is_owing) {
            return Err(Fault::Unfinished(outcome));
        }
        self.close(outcome, out);
        self.settle_end(now, outcome, out);
        Ok(())
    }
}
