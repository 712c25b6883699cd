//! What the manager does when something may have been lost, rule by rule, as `repair`:
//! late answers, failures, clean-up, clocks.

use crate::courses::{orders, times, KILL, ORDERS};
use crate::repair::{assert_repaired_at, forwarded, owing, owing_by, says, says_hello, tells};

const BOTH: &[&str] = &["one", "two"];

// Rule 4: late answers.

#[test]
fn a_late_success_counts_as_if_there_had_been_no_repair() {
    let mut world = owing("DOWNLOAD", "");
    says_hello(&mut world, "one");
    world.run_for(11_000);
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "IDENTIFY", "UPDATE"]);
}

#[test]
fn an_agent_that_identifies_after_a_late_success_is_led_again_and_holds_the_next_phase() {
    let mut world = owing_by(BOTH, "DOWNLOAD", "");
    says_hello(&mut world, "one");
    world.run_for(11_000);
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    says(&mut world, "one", "IDENTIFIED");
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "IDENTIFY", "DOWNLOAD"]);
    says(&mut world, "two", "DOWNLOAD_SUCCESS");
    assert_eq!(times(&world, "two", "UPDATE"), 0, "the next phase begins for nobody");
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    assert_eq!((times(&world, "one", "UPDATE"), times(&world, "two", "UPDATE")), (1, 1));
}

#[test]
fn nothing_leads_forward_once_cleanup_is_sent() {
    let mut world = owing("ACTIVATE", "");
    says_hello(&mut world, "one");
    world.run_for(11_000);
    says(&mut world, "one", "ACTIVATION_SUCCESS");
    assert_eq!(orders(&world, "one").last().unwrap(), "CLEANUP");
    for status in ["IDENTIFIED", "ACTIVATION_FAILURE", "INCOMPLETE"] {
        says(&mut world, "one", status);
    }
    says(&mut world, "one", "CLEANUP_SUCCESS");
    assert_eq!(world.last("a-1").status, "COMPLETED");
    assert_eq!(orders(&world, "one").last().unwrap(), "CLEANUP");
}

// Rule 5: a command that may never have come.

#[test]
fn the_command_that_is_owed_is_sent_once_more_if_the_repair_brings_nothing() {
    for order in &ORDERS[1..4] {
        let mut world = owing(order, "");
        says_hello(&mut world, "one");
        world.run_for(11_000);
        assert_eq!((forwarded(&world).len(), times(&world, "one", order)), (2, 1), "{order}");
        world.run_for(10_000);
        assert_eq!((forwarded(&world).len(), times(&world, "one", order)), (2, 2), "{order}");
        world.run_for(150_000);
        assert_eq!((forwarded(&world).len(), times(&world, "one", order)), (2, 2), "{order}: once");
    }
}

// Rule 6: failures.

#[test]
fn a_failure_that_answers_a_repeated_command_is_ignored() {
    let mut world = owing("DOWNLOAD", "");
    says_hello(&mut world, "one");
    world.run_for(21_000);
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "IDENTIFY", "DOWNLOAD"]);
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    says(&mut world, "one", "IDENTIFIED");
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    says(&mut world, "one", "DOWNLOAD_FAILURE");
    for status in ["UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        says(&mut world, "one", status);
    }
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn a_failure_while_a_repair_is_queued_counts_in_its_own_words_if_nothing_is_identified() {
    let mut world = owing("DOWNLOAD", "");
    says_hello(&mut world, "one");
    world.run_for(11_000);
    tells(&mut world, "one", "DOWNLOAD_FAILURE", "disk full");
    world.run_for(5_000);
    assert_eq!(times(&world, "one", "CLEANUP"), 0, "it is kept");
    world.run_for(6_000);
    assert_eq!(times(&world, "one", "CLEANUP"), 1, "it counts");
    says(&mut world, "one", "CLEANUP_SUCCESS");
    assert_eq!(world.last("a-1").message, "[one] disk full");
}

#[test]
fn a_failure_while_a_repair_is_queued_does_not_count_if_the_agent_starts_over() {
    let mut world = owing("DOWNLOAD", "");
    says_hello(&mut world, "one");
    world.run_for(11_000);
    tells(&mut world, "one", "DOWNLOAD_FAILURE", "disk full");
    says(&mut world, "one", "IDENTIFIED");
    assert_eq!(orders(&world, "one")[2..], ["IDENTIFY", "DOWNLOAD"]);
    for status in ["DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        says(&mut world, "one", status);
    }
    assert_eq!(world.last("a-1").status, "COMPLETED");
    assert_eq!(world.last("a-1").message, "");
}

#[test]
fn a_failure_of_a_phase_that_the_domain_has_left_well_is_ignored() {
    let mut world = owing("UPDATE", "");
    says(&mut world, "one", "DOWNLOAD_FAILURE");
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "UPDATE"]);
    says(&mut world, "one", "DOWNLOADING");
    says(&mut world, "one", "DOWNLOAD_FAILURE");
    assert_eq!(orders(&world, "one").last().unwrap(), "CLEANUP", "it has gone back to downloading");
}

// Rule 7: clean-up and rollback.

#[test]
fn cleanup_and_rollback_are_sent_again_at_a_hello_at_most_once_in_resume_after() {
    for order in ["CLEANUP", "ROLLBACK"] {
        let more = r#", "ownerConsentCommands": ["activate"], "cleanupTimeout": "2m""#;
        let mut world = owing("UPDATE", more);
        says(&mut world, "one", "UPDATE_SUCCESS");
        world.owner_says("a-1", if order == "CLEANUP" { "APPROVED" } else { "DENIED" });
        if order == "CLEANUP" {
            says(&mut world, "one", "ACTIVATION_SUCCESS");
        }
        assert_eq!(times(&world, "one", order), 1);
        world.run_for(12_000);
        says_hello(&mut world, "one");
        assert_eq!(times(&world, "one", order), 2, "{order} at once");
        world.run_for(5_000);
        says_hello(&mut world, "one");
        assert_eq!(times(&world, "one", order), 2, "{order} at most once in that time");
        assert_eq!(forwarded(&world).len(), 1);
    }
}

#[test]
fn a_domain_that_has_failed_never_gets_the_desired_state_again() {
    let mut world = owing_by(BOTH, "DOWNLOAD", "");
    says(&mut world, "one", "DOWNLOAD_FAILURE");
    for _ in 0..3 {
        says_hello(&mut world, "one");
        world.run_for(12_000);
    }
    world.power_cut(KILL);
    world.run_for(100_000);
    assert_eq!(forwarded(&world).len(), 1);
}

#[test]
fn a_rollback_that_succeeded_stays_so_when_its_repeat_fails() {
    let mut world = owing_by(BOTH, "UPDATE", r#", "ownerConsentCommands": ["activate"]"#);
    BOTH.iter().for_each(|domain| says(&mut world, domain, "UPDATE_SUCCESS"));
    world.owner_says("a-1", "DENIED");
    world.run_for(12_000);
    says_hello(&mut world, "one");
    assert_eq!(times(&world, "one", "ROLLBACK"), 2);
    says(&mut world, "one", "ROLLBACK_SUCCESS");
    says(&mut world, "one", "ROLLBACK_FAILURE");
    says(&mut world, "two", "ROLLBACK_SUCCESS");
    BOTH.iter().for_each(|domain| says(&mut world, domain, "CLEANUP_SUCCESS"));
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.message.as_str()), ("INCOMPLETE", "owner consent denied"));
}

#[test]
fn a_rollback_waits_for_a_domain_that_is_led_again() {
    let mut world = owing("DOWNLOAD", r#", "ownerConsentCommands": ["update"]"#);
    says_hello(&mut world, "one");
    world.run_for(11_000);
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    says(&mut world, "one", "IDENTIFIED");
    assert_eq!(orders(&world, "one"), ["IDENTIFY", "DOWNLOAD", "IDENTIFY", "DOWNLOAD"]);
    world.owner_says("a-1", "DENIED");
    world.run_for(1_000);
    assert_eq!(times(&world, "one", "ROLLBACK"), 0, "it still downloads");
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    assert_eq!(orders(&world, "one").last().unwrap(), "ROLLBACK");
}

// Rule 8: clocks.

#[test]
fn no_clock_ends_while_a_suspicion_waits_for_its_repair() {
    let mut world = owing("DOWNLOAD", "");
    world.run_for(235_000);
    says_hello(&mut world, "one");
    let at = world.now() + 10_000;
    assert_repaired_at(&mut world, at, "five seconds past the end of the phase");
    assert_eq!(times(&world, "one", "CLEANUP"), 0);
    says(&mut world, "one", "IDENTIFIED");
    assert_eq!(orders(&world, "one")[1..], ["DOWNLOAD", "IDENTIFY", "DOWNLOAD"]);
}

#[test]
fn no_clock_runs_before_the_manager_is_subscribed_after_its_start() {
    let mut world = owing("DOWNLOAD", "");
    world.power_cut(KILL);
    world.broker.reachable = false;
    world.run_for(3_600_000);
    world.broker_comes();
    world.run_for(60_000);
    assert_eq!(times(&world, "one", "CLEANUP"), 0);
    says(&mut world, "one", "DOWNLOADING");
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    assert_eq!(orders(&world, "one").last().unwrap(), "UPDATE");
}

#[test]
fn a_repair_gives_each_phase_its_whole_time_and_the_others_wait() {
    let mut world = owing_by(BOTH, "UPDATE", r#", "phaseTimeout": "2m""#);
    says(&mut world, "two", "UPDATE_SUCCESS");
    world.run_for(100_000);
    says_hello(&mut world, "one");
    world.run_for(11_000);
    for status in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS"] {
        world.run_for(110_000);
        says(&mut world, "one", status);
    }
    assert_eq!(times(&world, "two", "ACTIVATE"), 1);
    assert_eq!(times(&world, "one", "CLEANUP"), 0);
}

// Rule 9: what was never acknowledged.

#[test]
fn a_command_that_a_broker_without_a_session_never_took_is_dropped() {
    let mut world = owing("DOWNLOAD", "");
    world.broker.acknowledges = false;
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    let sent = world.sent_to("oneupdate/desiredstate/command").len();
    world.broker_goes();
    world.broker.forget_session();
    world.broker.acknowledges = true;
    world.broker_comes();
    world.run_for(5_000);
    let commands = world.broker.seen.iter().filter(|seen| seen.topic == "oneupdate/desiredstate/command");
    assert_eq!(commands.count(), sent, "it is not sent again");
    world.run_for(10_000);
    assert_eq!(forwarded(&world).len(), 2, "the domain is repaired");
}

// Rule 10: it has to end.

#[test]
fn a_record_that_was_taken_up_ten_times_without_a_word_is_given_up() {
    let mut world = owing("DOWNLOAD", "");
    for _ in 0..9 {
        world.power_cut(KILL);
        world.await_link();
        world.run_for(1_000);
        assert_eq!(times(&world, "one", "CLEANUP"), 0);
    }
    for _ in 0..2 {
        world.power_cut(KILL);
        world.await_link();
        world.run_for(1_000);
    }
    world.run_for(40_000);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
}

#[test]
fn a_word_about_the_activity_begins_the_count_anew() {
    let mut world = owing("DOWNLOAD", "");
    for _ in 0..25 {
        world.power_cut(KILL);
        world.await_link();
        world.run_for(1_000);
        says(&mut world, "one", "DOWNLOADING");
    }
    assert_eq!(world.story("a-1").last().unwrap(), "RUNNING");
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    assert_eq!(orders(&world, "one").last().unwrap(), "UPDATE");
}
