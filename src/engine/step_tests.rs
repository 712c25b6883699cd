//! A step that makes no sense is refused with its reason, and changes nothing.

use std::cell::Cell;
use std::rc::Rc;

use super::effect::Notice;
use super::group::Group;
use super::policy::{Act, Fault, Lockstep, Policy, Step, View};
use super::tests::{asking, ix, Course, SETTINGS};
use super::*;
use crate::model::{Reason, Status};

/// `Lockstep`, but for what it is made to want.
#[derive(Default)]
struct Whims(Rc<Cell<Option<Step>>>);

impl Policy for Whims {
    fn name(&self) -> &'static str {
        "lockstep"
    }

    fn next(&self, view: &View<'_>) -> Step {
        self.0.get().unwrap_or_else(|| Lockstep.next(view))
    }
}

/// A course that is led to some place, and wants something else there.
struct Whimsical {
    course: Course,
    whim: Rc<Cell<Option<Step>>>,
}

impl Whimsical {
    fn new(settings: Settings) -> Whimsical {
        let whim = Rc::default();
        let mut course = Course::led_by(settings, Policies::only(Whims(Rc::clone(&whim))));
        course.link(false);
        course.apply("a-1", 1, 2).unwrap();
        Whimsical { course, whim }
    }

    /// Two domains, led to where both owe an answer to the command of this phase.
    fn at(phase: Phase) -> Whimsical {
        let mut whimsical = Whimsical::new(SETTINGS);
        let before = Phase::ALL.into_iter().take_while(|before| *before < phase);
        before.for_each(|before| whimsical.both_say(before.success()));
        whimsical
    }

    fn both_say(&mut self, status: Status) {
        [0, 1].iter().for_each(|domain| drop(self.course.say(*domain, status, true)));
    }

    /// What is wrong with this step now; it has to change nothing.
    fn fault(&mut self, step: Step) -> Option<Fault> {
        let before = format!("{:?}", self.course.campaign());
        self.whim.set(Some(step));
        self.course.out.clear();
        let (now, out) = (self.course.now, &mut self.course.out);
        self.course.engine.handle(now, Event::Unsaved(false), out).unwrap();
        self.whim.set(None);
        let mut faults = self.course.out.iter().filter_map(|effect| match effect {
            Effect::Notice(Notice::Fault(fault)) => Some(*fault),
            _ => None,
        });
        let fault = faults.next_back();
        assert!(fault.is_none() || format!("{:?}", self.course.campaign()) == before, "{step:?} has changed something");
        fault
    }
}

fn both() -> DomainSet {
    DomainSet::first(2)
}

fn forward(phase: Phase) -> Act {
    Act::Forward(phase)
}

#[test]
fn a_step_about_domains_that_take_no_part_is_refused() {
    let mut course = Whimsical::at(Phase::Download);
    for domains in [DomainSet::EMPTY, DomainSet::first(3)] {
        assert_eq!(course.fault(Step::Do(Act::Cleanup, domains)), Some(Fault::NotTakingPart));
    }
}

#[test]
fn a_domain_does_only_what_follows_from_where_it_is() {
    let mut course = Whimsical::at(Phase::Update);
    let acts = [
        forward(Phase::Identify),
        forward(Phase::Download),
        forward(Phase::Update),
        forward(Phase::Activate),
        forward(Phase::Cleanup),
        Act::Restore,
        Act::Cleanup,
    ];
    for act in acts {
        assert_eq!(course.fault(Step::Do(act, both())), Some(Fault::Unready(act)), "it works");
    }
    course.both_say(Status::UpdateSuccess);
    course.both_say(Status::ActivationSuccess);
    for act in [Act::Cleanup, Act::Rollback] {
        assert_eq!(course.fault(Step::Do(act, both())), Some(Fault::Unready(act)), "it cleans up");
    }
    let mut identifies = Whimsical::at(Phase::Identify);
    let act = Act::Rollback;
    assert_eq!(identifies.fault(Step::Do(act, both())), Some(Fault::Unready(act)), "there is nothing to undo");
}

#[test]
fn nothing_is_turned_back_after_the_commit() {
    let mut course = Whimsical::at(Phase::Activate);
    course.course.engine.campaign.groups.committed.insert(Group::default());
    assert_eq!(course.fault(Step::Commit(Group::default())), Some(Fault::Committed));
    assert_eq!(course.fault(Step::Do(Act::Rollback, both())), Some(Fault::Committed));
}

#[test]
fn nothing_leads_forward_when_the_activity_is_to_be_turned_back() {
    let mut course = Whimsical::at(Phase::Activate);
    course.whim.set(Some(Step::Wait));
    course.course.handle(Event::Cancel(true)).unwrap();
    let act = forward(Phase::Activate);
    assert_eq!(course.fault(Step::Do(act, both())), Some(Fault::TurnedBack));
    assert_eq!(course.fault(Step::Commit(Group::default())), Some(Fault::TurnedBack));
}

#[test]
fn what_a_gate_holds_is_left_alone() {
    let mut course = Whimsical::new(asking(&[Phase::Download]));
    course.both_say(Status::Identified);
    assert_eq!(course.fault(Step::Do(forward(Phase::Download), both())), Some(Fault::Held));
}

#[test]
fn the_beginning_is_announced_once_and_in_order() {
    let mut course = Whimsical::at(Phase::Identify);
    for status in [Status::Identifying, Status::Running, Status::Completed] {
        assert_eq!(course.fault(Step::Announce(status)), Some(Fault::Announcement(status)));
    }
}

#[test]
fn only_what_is_activated_is_verified() {
    let group = Group::default();
    let mut course = Whimsical::at(Phase::Activate);
    assert_eq!(course.fault(Step::Verify(group)), Some(Fault::NotActivated), "it activates");
    assert_eq!(course.fault(Step::Commit(group)), Some(Fault::NotActivated), "it activates");
    course.course.engine.campaign.groups.verified.insert(group);
    assert_eq!(course.fault(Step::Verify(group)), Some(Fault::Verified), "the second time");
    assert_eq!(course.fault(Step::Verify(Group::new(7).unwrap())), Some(Fault::NotActivated), "nobody is in it");
}

#[test]
fn an_activity_ends_when_it_can() {
    let mut course = Whimsical::at(Phase::Download);
    for outcome in [Status::Completed, Status::Incomplete, Status::IdentificationFailed, Status::Running] {
        assert_eq!(course.fault(Step::Finish(outcome)), Some(Fault::Unfinished(outcome)), "the domains work");
    }
}

#[test]
fn a_view_says_of_each_domain_whether_it_has_work_has_begun_and_has_failed() {
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 3).unwrap();
    [(0, true), (1, false), (2, true)]
        .iter()
        .for_each(|(domain, has)| drop(course.say(*domain, Status::Identified, *has)));
    course.say(2, Status::DownloadFailure, true);
    let view = View::new(course.campaign(), &Grouping::DEFAULT);
    let of = |wanted: &dyn Fn(DomainIx) -> bool| [0, 1, 2, 3].map(|place| wanted(ix(place)));
    assert_eq!(of(&|domain| view.has_actions(domain)), [true, false, true, false]);
    assert_eq!(of(&|domain| view.has_begun(domain)), [true, false, true, false]);
    assert_eq!(of(&|domain| view.group(domain) == Some(Group::default())), [true, true, true, false]);
    assert_eq!(of(&|domain| view.can_restore(domain)), [false; 4]);
    assert_eq!(view.failure(ix(0)), None);
    assert_eq!(view.failure(ix(2)), Some(&Reason::Status(Status::DownloadFailure)));
    assert_eq!(view.phase(Group::default()), Some(Phase::Download));
    assert_eq!(view.phase(Group::new(7).unwrap()), None);
    assert!(view.untouched().is_empty() && view.has_failed());
}

#[test]
fn each_fault_says_what_is_wrong() {
    let faults = [
        Fault::NotTakingPart,
        Fault::Unready(Act::Rollback),
        Fault::Committed,
        Fault::Held,
        Fault::TurnedBack,
        Fault::Announcement(Status::Running),
        Fault::Verified,
        Fault::NotActivated,
        Fault::Unfinished(Status::Completed),
    ];
    let words: std::collections::HashSet<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), faults.len());
    assert!(words.iter().all(|words| words.len() > 15), "{words:?}");
}
