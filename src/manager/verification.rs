//! Verification: the calls of the command that checks what a group has activated, and what
//! inventories show of it.
//!
//! In: checks that the engine wants or does not want any more, verdicts, and inventories.
//! Out: calls for the shell, requests to agents, and events for the engine.
//!
//! Invariants: a group has one call at most. The engine gets a verdict only while it wants
//! one: neither after it has ended the check nor after its activity has ended.
//!
//! Deliberately absent: when something is asked again, and what follows from a verdict; the
//! engine decides that.

use heapless::Vec;

use super::agents;
use super::inventory::{Inventory, Sent};
use super::outside::Outside;
use super::Manager;
use crate::engine::event::{Moment, Shown, Verdict};
use crate::engine::group::Group;
use crate::engine::{Campaign, Event};
use crate::inventory::difference::{self, Difference};
use crate::limits::DOMAINS_MAX;
use crate::model::text::Text;
use crate::model::time::Now;
use crate::model::{DomainIx, DomainSet};
use crate::wire::activity::{self, ActivityId};

/// A call of the command.
pub struct Call<'a> {
    /// The group that is to be checked.
    pub group: Group,
    /// The identifier of the activity.
    pub activity: Text<'a>,
    /// The names of the group's domains, in the order of the configuration.
    pub domains: Vec<&'a str, DOMAINS_MAX>,
}

/// Holds where the check of each group is.
pub(super) struct Verification([Check; DOMAINS_MAX]);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Check {
    /// Whether the command is to be called.
    is_due: bool,
    call: Progress,
}

/// Where the last call of a group is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Progress {
    /// It is over.
    #[default]
    Over,
    /// The shell has it.
    Runs,
    /// Its verdict is not wanted any more, and the shell does not know yet.
    Unwanted,
    /// The shell ends it.
    Ending,
}

impl Verification {
    /// Creates it without a check.
    pub(super) fn new() -> Verification {
        Verification([Check::default(); DOMAINS_MAX])
    }

    /// Handles that the engine wants a group to be checked.
    pub(super) fn begin(&mut self, group: Group) {
        let check = self.check(group);
        check.is_due = check.call != Progress::Runs;
    }

    /// Handles that the engine does not want a group to be checked any more.
    pub(super) fn end(&mut self, group: Group) {
        end(self.check(group));
    }

    /// Handles that nothing is checked any more.
    pub(super) fn end_all(&mut self) {
        self.0.iter_mut().for_each(end);
    }

    /// Returns the group for which the command is to be called now, once.
    fn take_due(&mut self) -> Option<Group> {
        let is_due = |check: &Check| check.is_due && check.call == Progress::Over;
        let place = self.0.iter().position(is_due)?;
        self.0[place] = Check { is_due: false, call: Progress::Runs };
        Group::new(place)
    }

    /// Returns the group whose call is to be ended now, once.
    fn take_unwanted(&mut self) -> Option<Group> {
        let place = self.0.iter().position(|check| check.call == Progress::Unwanted)?;
        self.0[place].call = Progress::Ending;
        Group::new(place)
    }

    /// Handles the end of a group's call. Returns whether its verdict is wanted.
    fn handle_over(&mut self, group: Group) -> bool {
        core::mem::take(&mut self.check(group).call) == Progress::Runs
    }

    fn check(&mut self, group: Group) -> &mut Check {
        // There are as many groups as places.
        &mut self.0[usize::from(group.number())]
    }
}

fn end(check: &mut Check) {
    check.is_due = false;
    if check.call == Progress::Runs {
        check.call = Progress::Unwanted;
    }
}

impl Manager {
    /// Returns the next call of the verification command; none if none is to be made now.
    /// `handle_checked` has to follow when it is over, however that comes to pass.
    pub fn poll_check(&mut self) -> Option<Call<'_>> {
        let Manager { outside, activity, verification, ending, .. } = self;
        let campaign = activity.campaign().filter(|_| !ending.has_begun())?;
        let group = verification.take_due()?;
        let is_of_group = |domain: &DomainIx| campaign.domain(*domain).is_some_and(|part| part.group == group);
        let domains = campaign.participants().iter().filter(is_of_group);
        Some(Call {
            group,
            activity: Text::from_checked(&campaign.identity.activity),
            domains: domains.map(|domain| outside.names.domain(domain)).collect(),
        })
    }

    /// Returns the next group whose call is to be ended; none if none is. `handle_checked`
    /// follows all the same when it is over.
    pub fn poll_end_check(&mut self) -> Option<Group> {
        self.verification.take_unwanted()
    }

    /// Handles the end of a call, and what the command says of the group.
    pub fn handle_checked(&mut self, now: Now, group: Group, verdict: Verdict<'_>) {
        if !self.verification.handle_over(group) {
            return;
        }
        let campaign = self.activity.campaign();
        let activity = campaign.map_or(Text::EMPTY, |campaign| Text::from_checked(&campaign.identity.activity));
        let number = group.number();
        match verdict {
            Verdict::Good => log::debug!("{activity}: group {number}: the verification command says good"),
            Verdict::NotYet => log::debug!("{activity}: group {number}: the verification command says not yet"),
            Verdict::Bad(why) => log::info!("{activity}: group {number}: the verification command says bad: {why}"),
        }
        let _ = self.decide(now, Event::Checked(group, verdict));
    }

    /// Tells the engine what an inventory that has just come shows of the components that the
    /// running activity wants, if its domain takes part.
    pub(super) fn show(&mut self, now: Now, sent: &Sent<'_>) {
        if !self.activity.busy().contains(sent.domain) {
            return;
        }
        let name = self.outside.names.domain(sent.domain);
        let Some(wanted) = self.agents.components(sent.domain) else { return };
        let difference = difference::find(wanted, name, sent.software());
        let shown = match &difference {
            None => Shown::All,
            Some(Difference::Missing(id)) => Shown::Missing(Text::from_checked(id)),
            Some(Difference::Other(words)) => Shown::Other(Text::from_checked(words)),
        };
        let id = self.activity.campaign().and_then(booted_id);
        let is_its = id.is_some_and(|id| Text::from_checked(id.as_str()) == sent.activity);
        let moment = if is_its { Moment::SinceBoot } else { Moment::Any };
        let _ = self.decide(now, Event::Shown(sent.domain, shown, moment));
    }
}

/// Asks a domain's agent for its inventory, under the running activity.
pub(super) fn ask(
    now: Now,
    outside: &mut Outside,
    inventory: &mut Inventory,
    campaign: Option<&Campaign>,
    domain: DomainIx,
) {
    let Some(campaign) = campaign.filter(|campaign| campaign.is_running()) else { return };
    ask_as(now, outside, inventory, Text::from_checked(&campaign.identity.activity), domain);
}

/// Asks a domain's agent for its inventory after a boot. The answer is told from all that was
/// asked before by an id of its own.
pub(super) fn ask_booted(
    now: Now,
    outside: &mut Outside,
    inventory: &mut Inventory,
    campaign: Option<&Campaign>,
    domain: DomainIx,
) {
    let Some(id) = campaign.filter(|campaign| campaign.is_running()).and_then(booted_id) else { return };
    ask_as(now, outside, inventory, Text::from_checked(&id), domain);
}

fn ask_as(now: Now, outside: &mut Outside, inventory: &mut Inventory, activity: Text<'_>, domain: DomainIx) {
    inventory.note_asked(domain, activity);
    agents::ask(now, outside, [domain].into_iter().collect::<DomainSet>(), activity);
}

/// Returns the id of what is asked after the boots that there have been for the activity.
fn booted_id(campaign: &Campaign) -> Option<ActivityId> {
    activity::booted(Text::from_checked(&campaign.identity.activity), campaign.boots.seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: usize) -> Group {
        Group::new(number).unwrap()
    }

    #[test]
    fn each_group_has_one_call_and_its_verdict_counts_while_it_is_wanted() {
        let mut checks = Verification::new();
        assert_eq!(checks.take_due(), None);
        [63, 0].into_iter().for_each(|number| checks.begin(group(number)));
        assert_eq!([checks.take_due(), checks.take_due(), checks.take_due()], [Some(group(0)), Some(group(63)), None]);
        checks.begin(group(0));
        assert_eq!(checks.take_due(), None, "it is being called");
        assert!(checks.handle_over(group(0)));
        assert!(!checks.handle_over(group(0)), "nobody has called");
        checks.end(group(63));
        assert_eq!([checks.take_unwanted(), checks.take_unwanted()], [Some(group(63)), None]);
        assert!(!checks.handle_over(group(63)));
    }

    #[test]
    fn the_next_call_of_a_group_waits_for_the_end_of_the_one_before() {
        let mut checks = Verification::new();
        checks.begin(group(1));
        checks.take_due();
        checks.end(group(1));
        checks.begin(group(1));
        assert_eq!(checks.take_due(), None);
        checks.take_unwanted();
        assert_eq!(checks.take_due(), None);
        assert!(!checks.handle_over(group(1)));
        assert_eq!(checks.take_due(), Some(group(1)));
        assert!(checks.handle_over(group(1)));
    }

    #[test]
    fn what_is_ended_before_it_was_called_is_not_called() {
        let mut checks = Verification::new();
        [1, 2].into_iter().for_each(|number| checks.begin(group(number)));
        checks.end(group(1));
        checks.end_all();
        assert_eq!((checks.take_due(), checks.take_unwanted()), (None, None));
    }
}
