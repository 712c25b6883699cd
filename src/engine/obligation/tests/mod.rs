//! The rules of repair, one by one: suspicion, repair, and how often.

mod late;
mod stale;

use super::{InDoubt, Order};
use crate::engine::effect::TimerKind;
use crate::engine::event::{Event, Feedback, Link};
use crate::engine::resume_tests::{booted, booted_with};
use crate::engine::tests::{feedback, ix, Course, SETTINGS};
use crate::engine::Settings;
use crate::limits::DOMAINS_MAX;
use crate::model::time::Tick;
use crate::model::{Command, DomainSet, Phase, Reason, Status};

const MINUTE: u64 = 60_000;

impl Course {
    fn hello(&mut self, domain: usize) -> String {
        self.handle(Event::Hello(ix(domain))).unwrap();
        self.told()
    }

    /// Hands in a feedback that the broker may have delivered before.
    fn say_again(&mut self, domain: usize, status: Status) -> String {
        self.say_of(Feedback { is_repeat: true, ..feedback(status, "", &[]) }, domain, true)
    }

    fn say_words(&mut self, domain: usize, status: Status, words: &str) -> String {
        self.handle(Event::Feedback(ix(domain), feedback(status, words, &[]))).unwrap();
        self.told()
    }

    fn repair_at(&mut self, now: u64) -> String {
        self.timeout(TimerKind::Repair, now)
    }

    fn failure(&self, domain: usize) -> Option<&Reason> {
        self.campaign().domain(ix(domain)).unwrap().failure.as_ref()
    }

    fn queue(&self, domain: usize) -> Vec<(Option<Command>, u8)> {
        let queue = &self.campaign().domain(ix(domain)).unwrap().obligation.queue;
        queue.iter().map(|Order { command, course }| (*command, *course)).collect()
    }

    /// The link is lost, and is there again at once.
    fn relink(&mut self, session_present: bool) -> String {
        self.handle(Event::Link(Link::Down)).unwrap();
        self.link(session_present)
    }
}

/// One domain that has been started over in this phase and has not answered: `Tick` is
/// one minute past its hello.
fn repaired(phase: Phase) -> Course {
    let mut course = Course::reach(SETTINGS, 1, phase);
    course.hello(0);
    assert_eq!(course.repair_at(MINUTE), "desiredstate>0");
    course
}

// Rule 1: suspicion.

#[test]
fn a_hello_alone_repeats_nothing_and_a_word_about_the_phase_ends_the_suspicion() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    assert_eq!(course.hello(0), "");
    assert!(matches!(course.engine.in_doubt(ix(0)), Some(InDoubt::Suspected { .. })));
    course.say(0, Status::Downloading, true);
    assert_eq!(course.engine.in_doubt(ix(0)), None);
    assert_eq!(course.repair_at(10 * MINUTE), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
}

#[test]
fn neither_a_redelivered_word_nor_one_about_another_phase_ends_a_suspicion() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.hello(0);
    course.say_again(0, Status::Updating);
    course.say(0, Status::Identified, true);
    course.say(0, Status::Running, true);
    assert_eq!(course.repair_at(MINUTE), "desiredstate>0");
}

#[test]
fn in_an_update_a_word_about_the_download_ends_it_too() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.hello(0);
    course.say(0, Status::Downloading, true);
    assert_eq!(course.repair_at(MINUTE), "");
    course.hello(0);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    assert_eq!(course.repair_at(3 * MINUTE), "");
}

#[test]
fn in_an_update_the_end_of_the_download_before_ends_no_suspicion() {
    // As after the manager of 0.1.0 has repeated DOWNLOAD: UPDATE may be lost.
    let mut course = Course::reach(SETTINGS, 1, Phase::Update);
    course.hello(0);
    course.say_again(0, Status::Downloading);
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "");
    assert_eq!(course.repair_at(MINUTE), "desiredstate>0");
}

#[test]
fn what_happens_while_nothing_is_owed_is_remembered_over_a_start() {
    let mut before = Course::reach(SETTINGS, 2, Phase::Download);
    before.say(0, Status::DownloadSuccess, true);
    before.hello(0);
    assert_eq!(before.repair_at(10 * MINUTE), "", "it owes nothing");
    let mut course = booted(&before, SETTINGS);
    course.link(true);
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>0 Update>1");
    let begun = course.now.0;
    assert_eq!(course.say(1, Status::Updating, true), "");
    assert_eq!(course.repair_at(begun + MINUTE - 1), "");
    assert_eq!(course.repair_at(begun + MINUTE), "desiredstate>0");
}

// Rule 2: repair.

#[test]
fn a_domain_in_doubt_is_led_from_its_beginning_to_the_phase_of_the_others() {
    let mut course = Course::reach(SETTINGS, 2, Phase::Activate);
    course.say(0, Status::ActivationSuccess, true);
    course.hello(1);
    assert_eq!(course.repair_at(MINUTE), "desiredstate>1");
    assert_eq!(course.say(1, Status::Identified, true), "Download>1");
    assert_eq!(course.say(1, Status::DownloadSuccess, true), "Update>1");
    assert_eq!(course.say(1, Status::UpdateSuccess, true), "Activate>1");
    assert_eq!(course.say(1, Status::ActivationSuccess, true), "Cleanup>0 Cleanup>1");
}

#[test]
fn it_counts_from_the_last_hello_but_at_most_half_of_the_phase_from_the_first() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    for second in (0..300).step_by(10) {
        course.now = Tick(second * 1_000);
        assert_eq!(course.hello(0), "");
    }
    assert_eq!(course.repair_at(299_999), "");
    assert_eq!(course.repair_at(300_000), "desiredstate>0");
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    course.now = Tick(590_000);
    course.hello(0);
    assert_eq!(course.repair_at(600_000), "", "however long the link is up, and the phase runs");
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    course.hello(0);
    course.now = Tick(50_000);
    course.hello(0);
    assert_eq!(course.repair_at(109_999), "");
    assert_eq!(course.repair_at(110_000), "desiredstate>0");
}

#[test]
fn after_a_start_it_counts_from_the_subscriptions_or_from_a_session_that_was_kept() {
    let before = Course::reach(SETTINGS, 1, Phase::Download);
    for session_present in [true, false] {
        let mut course = booted(&before, SETTINGS);
        assert_eq!(course.repair_at(MINUTE), "", "there is no link yet");
        let fresh = Link::Fresh { unsent: DomainSet::EMPTY, dropped: DomainSet::EMPTY };
        course.handle(Event::Link(if session_present { Link::Kept } else { fresh })).unwrap();
        course.now = Tick(2 * MINUTE);
        course.handle(Event::Link(Link::Subscribed)).unwrap();
        let begun = if session_present { 1 } else { 2 };
        assert_eq!(course.repair_at((begun + 1) * MINUTE - 1), "");
        assert_eq!(course.repair_at((begun + 1) * MINUTE), "desiredstate>0");
    }
}

#[test]
fn nobody_is_judged_without_a_link_or_before_the_broker_has_delivered_what_it_kept() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    course.hello(0);
    course.handle(Event::Link(Link::Down)).unwrap();
    assert_eq!(course.repair_at(9 * MINUTE), "");
    course.link(true);
    assert_eq!(course.repair_at(9 * MINUTE + 4_999), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
}

#[test]
fn a_link_that_comes_and_goes_does_not_put_it_off_for_ever() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    course.hello(0);
    for second in (0..300).step_by(30) {
        course.now = Tick(second * 1_000);
        course.relink(true);
    }
    assert_eq!(course.repair_at(300_000), "desiredstate>0");
}

#[test]
fn after_a_boot_of_the_host_the_first_hello_starts_it_over_at_once_and_a_later_one_does_not() {
    let before = Course::reach(SETTINGS, 1, Phase::Update);
    let mut course = booted_with(&before, SETTINGS, true);
    course.link(true);
    assert_eq!(course.hello(0), "desiredstate>0");
    assert_eq!(course.hello(0), "");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.hello(0), "");
}

#[test]
fn after_a_boot_of_the_host_a_domain_without_a_hello_is_started_over_after_its_read_timeout() {
    let before = Course::reach(SETTINGS, 2, Phase::Update);
    let mut read_timeouts_ms = [20_000; DOMAINS_MAX];
    read_timeouts_ms[1] = 3 * MINUTE;
    let mut course = booted_with(&before, Settings { read_timeouts_ms, ..SETTINGS }, true);
    course.link(false);
    assert_eq!(course.repair_at(19_999), "");
    assert_eq!(course.repair_at(20_000), "desiredstate>0");
    assert_eq!(course.repair_at(20_000 + 2 * MINUTE), "Update>0", "the other one is still waited for");
    assert_eq!(course.repair_at(3 * MINUTE), "desiredstate>1");
}

#[test]
fn an_agent_that_survived_the_boot_of_the_host_is_not_started_over() {
    let before = Course::reach(SETTINGS, 1, Phase::Update);
    let mut course = booted_with(&before, SETTINGS, true);
    course.link(true);
    course.say(0, Status::Updating, true);
    assert_eq!(course.hello(0), "", "a suspicion as always");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

// Rule 3: how often.

#[test]
fn silence_starts_a_domain_over_once_and_a_new_event_once_more_but_three_times_in_a_phase() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.repair_at(2 * MINUTE), "Update>0");
    assert_eq!(course.repair_at(5 * MINUTE), "", "mere silence is no reason");
    for n in 2..=3 {
        course.now = Tick(n * 10 * MINUTE);
        course.hello(0);
        assert_eq!(course.repair_at((n * 10 + 1) * MINUTE), "desiredstate>0");
        let states = course.queue(0).iter().filter(|(command, _)| command.is_none()).count();
        assert_eq!(states as u64, n, "the agent may get to each of them");
    }
    course.hello(0);
    assert_eq!(course.repair_at(40 * MINUTE), "Update>0", "what it owes, but not the desired state");
    assert_eq!(course.timeout(TimerKind::Phase, 50 * MINUTE), "Cleanup>0");
    assert_eq!(course.failure(0), Some(&Reason::Silent(Some(Command::Update), 600_000)));
}

#[test]
fn a_new_phase_of_the_others_counts_anew() {
    let mut course = Course::reach(SETTINGS, 1, Phase::Download);
    for n in 1..=3 {
        course.hello(0);
        assert_eq!(course.repair_at(n * MINUTE), "desiredstate>0");
        assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    }
    course.hello(0);
    assert_eq!(course.repair_at(5 * MINUTE), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
    course.hello(0);
    assert_eq!(course.repair_at(6 * MINUTE), "desiredstate>0");
}

#[test]
fn what_was_sent_between_two_repairs_is_still_to_be_answered_after_the_first() {
    let mut course = repaired(Phase::Update);
    assert_eq!(course.repair_at(2 * MINUTE), "Update>0");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
    course.hello(0);
    assert_eq!(course.repair_at(3 * MINUTE), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    for late in [Status::UpdateFailure, Status::ActivationFailure] {
        assert_eq!(course.say(0, late, true), "", "{late:?}");
    }
    assert_eq!(course.say(0, Status::Identified, true), "Download>0", "it has got to the second");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0", "of the first of the two");
    assert_eq!(course.say(0, Status::DownloadFailure, true), "");
    assert_eq!(course.say(0, Status::UpdateSuccess, true), "Activate>0");
}

#[test]
fn a_repair_stays_in_the_queue_though_an_earlier_one_was_lost() {
    let mut course = Course::new(SETTINGS);
    course.apply("a-1", 1, 1).unwrap();
    course.hello(0);
    assert_eq!(course.repair_at(MINUTE), "desiredstate>0");
    assert_eq!(course.say(0, Status::Identified, true), "Identified Running Download>0", "to which of the two?");
    course.hello(0);
    assert_eq!(course.repair_at(2 * MINUTE), "desiredstate>0");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0", "late");
    assert_eq!(course.say(0, Status::Identified, true), "Download>0");
    assert_eq!(course.say(0, Status::UpdateFailure, true), "");
    assert_eq!(course.say(0, Status::DownloadSuccess, true), "Update>0");
}
