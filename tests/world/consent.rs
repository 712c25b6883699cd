//! The owner's consent in plain mode (docs/protocol.md, "The activity", step 6).

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};

const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const ANSWERS: &str = "deviceupdate/ownerconsentfeedback";

fn begun(commands: &str) -> World {
    let more = format!(r#""ownerConsentCommands": [{commands}]"#);
    let mut world = World::with(&["one"], &more).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world
}

fn questions(world: &World) -> Vec<String> {
    world.sent_to("deviceupdate/ownerconsent").iter().map(|seen| seen.command().to_owned()).collect()
}

#[test]
fn the_owner_is_asked_before_each_configured_phase_and_listened_to_only_then() {
    let mut world = World::with(&["one"], r#""ownerConsentCommands": ["download", "Update", "ACTIVATE"]"#)
        .joined_by(Obedient::new("one"));
    assert!(!world.broker.has_filter(ANSWERS));
    world.backend_applies("a-1", &desired_state(&["one"]));
    for (n, command) in ["DOWNLOAD", "UPDATE", "ACTIVATE"].into_iter().enumerate() {
        assert_eq!(questions(&world).last().unwrap(), command);
        assert_eq!(world.commands("one").len(), n);
        assert!(world.broker.has_filter(ANSWERS));
        assert_eq!(world.sent_to("deviceupdate/ownerconsent")[n].activity(), "a-1");
        world.owner_says("a-1", "APPROVED");
    }
    assert!(!world.broker.has_filter(ANSWERS));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn an_answer_counts_for_one_question_once() {
    let mut world = begun(r#""download", "update""#);
    world.owner_says("a-1", "APPROVED");
    assert_eq!(questions(&world), ["DOWNLOAD", "UPDATE"]);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world.run_for(60_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

/// An answer of the owner, with this timestamp.
fn answer(timestamp: u64, status: &str) -> String {
    format!(r#"{{"activityId":"a-1","timestamp":{timestamp},"payload":{{"status":"{status}"}}}}"#)
}

#[test]
fn an_answer_that_is_sent_once_more_does_not_count_for_the_next_question() {
    let mut world = begun(r#""download", "update", "activate""#);
    for (timestamp, asked) in [(7, "UPDATE"), (8, "ACTIVATE")] {
        world.publish(ANSWERS, answer(timestamp, "APPROVED"));
        assert_eq!(questions(&world).last().unwrap(), asked);
        for earlier in 7..=timestamp {
            world.publish(ANSWERS, answer(earlier, "APPROVED"));
        }
        assert_eq!(questions(&world).last().unwrap(), asked, "a repeat approves nothing");
    }
    assert!(world.logged(&["a-1: owner's answer ignored, it has counted before"]));
    world.publish(ANSWERS, answer(8, "DENIED"));
    assert_eq!(world.last("a-1").message, "owner consent denied", "another answer counts, whenever it was made");
}

#[test]
fn answers_without_a_timestamp_cannot_be_told_apart_and_count() {
    for bare in [answer(0, "APPROVED"), r#"{"activityId":"a-1","payload":{"status":"APPROVED"}}"#.to_owned()] {
        let mut world = begun(r#""download", "update""#);
        world.publish(ANSWERS, &bare);
        world.publish(ANSWERS, &bare);
        assert_eq!(world.story("a-1"), DONE);
    }
}

#[test]
fn an_approval_that_has_counted_is_not_held_against_the_next_activity() {
    let mut world = begun(r#""download""#);
    world.publish(ANSWERS, answer(7, "APPROVED"));
    assert_eq!(world.story("a-1"), DONE);
    world.run_for(1);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.publish(ANSWERS, answer(7, "APPROVED"));
    assert_eq!(world.story("a-1"), [DONE, DONE].concat(), "of another activity with this id");
}

#[test]
fn an_answer_that_has_counted_does_not_count_again_after_a_restart() {
    let more = r#""ownerConsentCommands": ["download", "update"]"#;
    let mut world = World::saved(&configuration(&["one"], more)).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000);
    world.publish(ANSWERS, answer(7, "APPROVED"));
    world.run_for(1_000);
    assert_eq!(questions(&world).last().unwrap(), "UPDATE");
    world.power_cut(Outage { fate: Fate::Whole, down_ms: 1_000, boots: false, agents_too: false });
    world.run_for(60_000);
    world.publish(ANSWERS, answer(7, "APPROVED"));
    world.run_for(60_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world.publish(ANSWERS, answer(8, "APPROVED"));
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn an_answer_that_the_broker_delivers_once_more_approves_nothing() {
    let mut world = begun(r#""download", "update""#);
    world.broker.misses_acks = true;
    world.publish(ANSWERS, r#"{"activityId":"a-1","payload":{"status":"APPROVED"}}"#);
    assert_eq!(questions(&world).last().unwrap(), "UPDATE");
    world.broker.retry();
    world.run_for(20_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    assert!(world.logged(&["owner's answer ignored, the broker delivers it once more"]));
}

#[test]
fn other_activities_unknown_statuses_and_noise_change_nothing_and_are_logged() {
    let mut world = begun(r#""download""#);
    world.owner_says("a-2", "APPROVED");
    world.owner_says("", "APPROVED");
    world.owner_says("a-1", "PERHAPS");
    world.owner_says("a-1", "approved");
    world.publish(ANSWERS, b"");
    world.publish(ANSWERS, br#"{"activityId":"a-1","payload":null}"#);
    assert!(world.commands("one").is_empty());
    assert!(world.logged(&["a-2: owner's answer ignored"]));
    assert!(world.logged(&["a-1: owner's answer ignored, its status is unknown"]));
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn feedback_is_taken_while_the_owner_thinks() {
    let mut world = begun(r#""download""#);
    let feedback = r#"{"activityId":"a-1","payload":{"status":"RUNNING","actions":[{"component":{"id":"one:app"},"status":"DOWNLOADING","progress":7}]}}"#;
    world.agent_says("one", feedback);
    world.run_for(60_000);
    assert_eq!(world.last("a-1").actions(), [("one:app", "DOWNLOADING")]);
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.story("a-1").last().unwrap(), "COMPLETED");
}

#[test]
fn refused_before_the_download_the_agents_are_cleaned_up_and_the_activity_ends_at_once() {
    let mut world = begun(r#""download""#);
    world.owner_says("a-1", "DENIED");
    assert_eq!(world.commands("one"), ["CLEANUP"]);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
    assert_eq!(world.last("a-1").message, "owner consent denied");
    assert_eq!(world.states_of().last().unwrap(), "a-1");
}

#[test]
fn refused_later_what_was_done_is_rolled_back_then_cleaned_up() {
    for (command, commands) in [
        ("update", vec!["DOWNLOAD", "ROLLBACK", "CLEANUP"]),
        ("activate", vec!["DOWNLOAD", "UPDATE", "ROLLBACK", "CLEANUP"]),
    ] {
        let mut world = begun(&format!("\"{command}\""));
        world.owner_says("a-1", "DENIED");
        assert_eq!(world.commands("one"), commands);
        assert_eq!(world.last("a-1").status, "INCOMPLETE");
        assert_eq!(world.last("a-1").message, "owner consent denied");
        let told = world.broker.seen.len();
        world.run_for(3_600_000);
        let after: Vec<_> = world.broker.seen[told..].iter().filter(|seen| seen.activity() == "a-1").collect();
        assert!(after.is_empty(), "nothing after it: {after:?}");
    }
}

#[test]
fn a_rollback_that_fails_or_is_not_answered_is_named() {
    for (agent, named) in [
        (Obedient::new("one").failing_at("ROLLBACK"), "[one] ROLLBACK_FAILURE"),
        (Obedient::new("one").failing_at("ROLLBACK").saying("no way back"), "[one] ROLLBACK_FAILURE: no way back"),
        (Obedient::new("one").silent_at("ROLLBACK"), "[one] no answer to ROLLBACK in 30s"),
    ] {
        let mut world = World::with(&["one"], r#""ownerConsentCommands": ["update"]"#).joined_by(agent);
        world.backend_applies("a-1", &desired_state(&["one"]));
        world.owner_says("a-1", "DENIED");
        world.run_for(60_000);
        assert_eq!(world.commands("one"), ["DOWNLOAD", "ROLLBACK", "CLEANUP"]);
        assert_eq!(world.last("a-1").status, "INCOMPLETE");
        assert_eq!(world.last("a-1").message, format!("owner consent denied; {named}"));
        let (_, report) = world.asks(r#"{"command":"report"}"#);
        assert!(report.contains("was not rolled back [one]\n"), "{report}");
    }
}

#[test]
fn no_answer_in_time_is_a_refusal_that_says_so() {
    let mut world = begun(r#""update""#);
    let asked = world.now();
    world.run_for(1_799_999);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world.run_for(1);
    assert_eq!(world.commands_at("one")[1], (asked + 1_800_000, "ROLLBACK".to_owned()));
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
    assert_eq!(world.last("a-1").message, "owner consent not given in 30m");
    assert!(!world.broker.has_filter(ANSWERS));
}

#[test]
fn an_approval_after_the_end_starts_nothing() {
    let mut world = begun(r#""download""#);
    world.run_for(1_800_000);
    assert_eq!(world.last("a-1").message, "owner consent not given in 30m");
    world.owner_says("a-1", "APPROVED");
    world.run_for(60_000);
    assert_eq!(world.commands("one"), ["CLEANUP"]);
}

#[test]
fn the_phases_clock_starts_after_the_answer() {
    let mut world = World::with(&["one"], r#""ownerConsentCommands": ["download"]"#);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(500_000);
    world.agent_says(
        "one",
        r#"{"activityId":"a-1","payload":{"status":"IDENTIFIED","actions":[{"component":{"id":"one:app"}}]}}"#,
    );
    world.run_for(1_700_000);
    world.owner_says("a-1", "APPROVED");
    let approved = world.now();
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world.run_for(600_000);
    assert_eq!(world.commands_at("one").last().unwrap(), &(approved + 600_000, "CLEANUP".to_owned()));
}

#[test]
fn an_open_question_is_asked_again_on_the_next_connection() {
    let mut world = begun(r#""download""#);
    world.broker_goes();
    world.run_for(10_000);
    world.broker_comes();
    assert_eq!(questions(&world), ["DOWNLOAD", "DOWNLOAD"]);
    assert!(world.broker.has_filter(ANSWERS));
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_question_is_closed_when_no_domain_is_left_to_go_on() {
    let mut world = begun(r#""download""#);
    world.agent_says("one", r#"{"activityId":"a-1","payload":{"status":"INCOMPLETE","message":"restarted"}}"#);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
    assert_eq!(world.last("a-1").message, "[one] restarted");
    assert!(!world.broker.has_filter(ANSWERS));
    world.owner_says("a-1", "APPROVED");
    assert!(world.commands("one").is_empty());
}

#[test]
fn told_to_end_while_the_owner_thinks() {
    let mut world = begun(r#""download""#);
    world.terminate();
    assert_eq!(world.last("a-1").message, "update manager terminated");
    world.run_for(2_000);
    assert!(world.is_ended());
}

#[test]
fn a_question_that_the_broker_does_not_acknowledge_is_asked_once_on_each_link() {
    let mut world = begun(r#""download""#);
    world.broker.acknowledges = false;
    for _ in 0..5 {
        // So long that the broker does not end the link because of a message.
        world.run_for(6_000);
        world.cut();
        world.await_link();
    }
    let asked = world.broker.seen.iter().filter(|seen| seen.topic == "deviceupdate/ownerconsent");
    assert_eq!(asked.count(), 6, "it does not pile up");
    world.broker.acknowledges = true;
    world.cut();
    world.await_link();
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn a_question_that_comes_up_without_a_link_is_asked_once_when_there_is_one() {
    let mut world = World::with(&["one", "two"], r#""ownerConsentCommands": ["update"]"#);
    world.backend_applies("a-1", &desired_state(&["one", "two"]));
    let says = |world: &mut World, domain: &str, status: &str| {
        let action = format!(r#"{{"component":{{"id":"{domain}:app"}}}}"#);
        let payload = format!(r#"{{"status":"{status}","actions":[{action}]}}"#);
        world.agent_says(domain, format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
    };
    ["one", "two"].iter().for_each(|domain| says(&mut world, domain, "IDENTIFIED"));
    says(&mut world, "one", "DOWNLOAD_SUCCESS");
    world.broker_goes();
    // The other is silent: its time is up, and the owner is to be asked.
    world.run_for(600_000);
    assert!(questions(&world).is_empty());
    world.broker_comes();
    assert_eq!(questions(&world), ["UPDATE"]);
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE"]);
}

#[test]
fn an_answer_that_the_broker_kept_approves_nothing() {
    let mut world = World::with(&["one"], r#""ownerConsentCommands": ["download"]"#);
    let kept = r#"{"activityId":"a-1","timestamp":1,"payload":{"status":"APPROVED"}}"#;
    world.publish_retained("deviceupdate/ownerconsentfeedback", kept);
    world.backend_applies("a-1", &desired_state(&["one"]));
    let payload = r#"{"status":"IDENTIFIED","actions":[{"component":{"id":"one:app"}}]}"#;
    world.agent_says("one", format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
    assert_eq!(questions(&world), ["DOWNLOAD"]);
    assert!(world.commands("one").is_empty());
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
}

#[test]
fn nothing_is_waited_for_after_an_activity_with_a_question() {
    let more = r#""ownerConsentCommands": ["download"], "connection": {"keepAlive": "0s"}"#;
    let mut world = World::with(&["one"], more).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(10_000);
    assert!(world.manager.poll_timeout().is_some(), "the owner");
    world.owner_says("a-1", "APPROVED");
    assert_eq!(world.last("a-1").status, "COMPLETED");
    world.run_for(60_000);
    assert_eq!(world.manager.poll_timeout(), None);
}
