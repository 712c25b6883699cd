//! What is better than in Eclipse Kanto's Update Manager (docs/replacing-kanto.md, "What is
//! better"): the course of an activity and what the backend is told.

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::{configuration, World};

const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const ALL: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
const BOTH: [&str; 2] = ["one", "two"];

fn says(world: &mut World, domain: &str, status: &str, message: &str) {
    let action = format!(r#"{{"component":{{"id":"{domain}:app","version":"2"}},"status":"IDENTIFIED"}}"#);
    world.agent_says(
        domain,
        format!(
            r#"{{"activityId":"a-1","payload":{{"status":"{status}","message":"{message}","actions":[{action}]}}}}"#
        ),
    );
}

/// Both domains have identified an action.
fn both_identified(more: &str) -> World {
    let mut world = World::with(&BOTH, more);
    world.backend_applies("a-1", &desired_state(&BOTH));
    BOTH.iter().for_each(|domain| says(&mut world, domain, "IDENTIFIED", ""));
    world
}

#[test]
fn eight_fast_agents_never_hang() {
    let domains = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"];
    let mut world = domains.iter().fold(World::plain(&domains), |world, domain| world.joined_by(Obedient::new(domain)));
    for n in 0..30 {
        let activity = format!("a-{n}");
        world.backend_applies(&activity, &desired_state(&domains));
        assert_eq!(world.story(&activity), DONE);
        assert_eq!(world.last(&activity).actions.len(), 8);
        assert_eq!(world.states_of().last(), Some(&activity));
    }
}

#[test]
fn a_malformed_desired_state_is_answered_wherever_its_id_can_be_read() {
    let mut world = World::plain(&["one"]);
    for (n, (payload, place)) in [
        (r#"{"domains":[null]}"#, "payload.domains[0]"),
        (r#"{"domains":{}}"#, "payload.domains"),
        (r#"{"domains":[{"id":7}]}"#, "payload.domains[0].id"),
        (r#"{"domains":[{"id":"one","components":[{}]}]}"#, "payload.domains[0].components[0].id"),
        (r#"{"domains":[{"id":"one"}"#, ""),
        ("null", "desired state is missing"),
    ]
    .into_iter()
    .enumerate()
    {
        let activity = format!("a-{n}");
        world.backend_applies(&activity, payload);
        assert_eq!(world.story(&activity), ["IDENTIFICATION_FAILED"], "{payload}");
        assert!(world.last(&activity).message.contains(place), "{}", world.last(&activity).message);
    }
    assert!(world.sent_to("oneupdate/desiredstate").is_empty());
}

#[test]
fn a_domain_that_is_named_twice_is_named_in_the_answer() {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["one", "one"]));
    assert_eq!(world.story("a-1"), ["IDENTIFICATION_FAILED"]);
    assert!(world.last("a-1").message.contains("one"), "{}", world.last("a-1").message);
}

#[test]
fn without_an_id_it_is_refused_in_the_log_only() {
    let mut world = World::plain(&["one"]);
    world.expects_error("a desired state without an activity id is refused");
    world.backend_applies("", &desired_state(&["one"]));
    assert!(world.sent_to("deviceupdate/desiredstatefeedback").is_empty());
}

#[test]
fn messages_that_kill_the_reference_are_ignored() {
    let mut world = both_identified("");
    for payload in ["{\"actions\":[{}]}", "{\"status\":\"DOWNLOADING\",\"actions\":[null]}", "7", "{}", "null"] {
        world.agent_says("one", format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
        world.agent_has("one", format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
    }
    world.agent_has("one", r#"{"payload":{"softwareNodes":[null]}}"#);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING"]);
}

#[test]
fn the_next_phase_begins_when_the_failing_domain_answers_last() {
    let mut world = both_identified("");
    says(&mut world, "one", "DOWNLOAD_SUCCESS", "");
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    says(&mut world, "two", "DOWNLOAD_FAILURE", "disk full");
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE"]);
    assert_eq!(world.commands("two"), ["DOWNLOAD", "CLEANUP"]);
    for status in ["UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        says(&mut world, "one", status, "");
    }
    assert_eq!(world.last("a-1").status, "RUNNING", "the other still cleans up");
    says(&mut world, "two", "CLEANUP_SUCCESS", "");
    assert_eq!(world.commands("one"), ALL);
    assert_eq!(
        (world.last("a-1").status.as_str(), world.last("a-1").message.as_str()),
        ("INCOMPLETE", "[two] disk full")
    );
}

#[test]
fn every_domain_that_failed_is_named_in_its_own_words_and_in_order() {
    let mut world = both_identified("");
    says(&mut world, "two", "DOWNLOAD_FAILURE", r#"no \"space\""#);
    says(&mut world, "one", "DOWNLOAD_FAILURE", "");
    for domain in BOTH {
        says(&mut world, domain, "CLEANUP_SUCCESS", "");
    }
    assert_eq!(world.last("a-1").message, r#"[one] DOWNLOAD_FAILURE; [two] no "space""#);
}

#[test]
fn identification_fails_once_all_have_answered_and_nobody_gets_a_command() {
    let mut world = World::plain(&BOTH);
    world.backend_applies("a-1", &desired_state(&BOTH));
    says(&mut world, "two", "IDENTIFICATION_FAILED", "no");
    assert_eq!(world.story("a-1"), ["IDENTIFYING"]);
    says(&mut world, "one", "IDENTIFICATION_FAILED", "cannot identify");
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-1").message, "[one] cannot identify; [two] no");
    assert!(world.commands("one").is_empty() && world.commands("two").is_empty());
}

#[test]
fn a_silent_domain_has_failed_while_the_others_go_on() {
    let mut world = both_identified("");
    says(&mut world, "one", "DOWNLOAD_SUCCESS", "");
    says(&mut world, "two", "DOWNLOAD_SUCCESS", "");
    says(&mut world, "one", "UPDATE_SUCCESS", "");
    world.run_for(600_000);
    assert_eq!(world.commands("two"), ["DOWNLOAD", "UPDATE", "CLEANUP"]);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE"]);
    for status in ["ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        says(&mut world, "one", status, "");
    }
    says(&mut world, "two", "CLEANUP_SUCCESS", "");
    assert_eq!(world.last("a-1").message, "[two] no answer to UPDATE in 10m");
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
}

#[test]
fn a_domain_that_is_silent_while_identifying_fails_the_identification() {
    let mut world = World::with(&BOTH, r#""phaseTimeout": "90s""#);
    world.backend_applies("a-1", &desired_state(&BOTH));
    says(&mut world, "one", "IDENTIFIED", "");
    world.run_for(90_000);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-1").message, "[two] no answer to the desired state in 1m30s");
    assert!(world.commands("one").is_empty() && world.commands("two").is_empty());
}

#[test]
fn an_early_completed_ends_that_domains_part() {
    let mut world = both_identified("");
    says(&mut world, "one", "COMPLETED", "");
    says(&mut world, "two", "DOWNLOAD_SUCCESS", "");
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    for status in ["UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        says(&mut world, "two", status, "");
    }
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_cleanup_that_never_ends_does_not_touch_the_next_activity() {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["one"]));
    for status in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS"] {
        says(&mut world, "one", status, "");
    }
    world.run_for(30_000);
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").message, "[one] no answer to CLEANUP in 30s");
    let mut world = world.joined_by(Obedient::paced("one", 1_000));
    world.backend_applies("a-2", &desired_state(&["one"]));
    world.run_for(120_000);
    assert_eq!(world.story("a-2"), DONE);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn an_unknown_domain_alone_is_incomplete_with_the_activitys_id_and_that_is_all() {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["nobody"]));
    assert_eq!(world.story("a-1"), ["INCOMPLETE"]);
    assert_eq!(world.last("a-1").message, "the desired state manifest does not contain any supported domain");
    assert!(world.sent_to("oneupdate/desiredstate").is_empty());
}

#[test]
fn an_unknown_domain_beside_a_known_one_is_named_in_the_final_message() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["nobody", "one", "no-one"]));
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").message, "no agent for domain nobody; no agent for domain no-one");
    assert!(world.logged(&["a-1: no agent for domain nobody"]));
}

#[test]
fn a_second_desired_state_is_refused_and_never_applied() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::paced("one", 1_000));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.backend_applies("a-2", &desired_state(&["one"]));
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-2").message, "Another update activity in progress - a-1");
    world.run_for(600_000);
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.story("a-2").len(), 1);
    assert_eq!(world.sent_to("oneupdate/desiredstate").len(), 1);
}

#[test]
fn the_running_activitys_own_id_again_is_ignored() {
    let mut world = both_identified("");
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.backend_applies("a-1", "{broken");
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING"]);
    assert!(world.logged(&["a-1: desired state ignored, this activity runs already"]));
}

#[test]
fn a_redelivered_desired_state_is_ignored_and_one_with_another_timestamp_applied() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!(world.story("a-1"), DONE);
    world.run_for(1);
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!(world.story("a-1"), [DONE, DONE].concat());
}

#[test]
fn a_redelivery_is_ignored_while_another_activity_runs() {
    let mut world =
        World::plain(&["one", "two"]).joined_by(Obedient::new("one")).joined_by(Obedient::paced("two", 1_000));
    world.broker.misses_acks = true;
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!(world.story("a-1"), DONE);
    world.broker.misses_acks = false;
    world.backend_applies("a-2", &desired_state(&["two"]));
    world.broker.retry();
    world.backend_applies("a-3", &desired_state(&["one"]));
    assert_eq!(world.story("a-3"), ["IDENTIFICATION_FAILED"]);
    world.run_for(600_000);
    for activity in ["a-1", "a-2"] {
        assert_eq!(world.story(activity), DONE);
    }
}

#[test]
fn running_is_told_at_most_once_in_an_interval_and_only_if_something_changed() {
    let mut world = both_identified(r#""reportFeedbackInterval": "10s""#);
    let running = |world: &World| -> Vec<u64> {
        world.reports("a-1").iter().filter(|report| report.status == "RUNNING").map(|report| report.at).collect()
    };
    assert_eq!(running(&world), [0]);
    world.run_for(35_000);
    assert_eq!(running(&world), [0], "nothing has changed");
    let progress = |percent: u8| {
        format!(
            r#"{{"activityId":"a-1","payload":{{"status":"DOWNLOADING","actions":[{{"component":{{"id":"one:app"}},"status":"DOWNLOADING","progress":{percent}}}]}}}}"#
        )
    };
    (1..=4).for_each(|percent| world.agent_says("one", progress(percent)));
    world.run_for(5_000);
    assert_eq!(running(&world), [0, 40_000]);
    world.agent_says("one", progress(4));
    world.run_for(20_000);
    assert_eq!(running(&world), [0, 40_000], "the same again is no change");
    world.run_for(1_000);
    world.agent_says("one", progress(5));
    world.run_for(60_000);
    assert_eq!(running(&world), [0, 40_000, 70_000]);
}

#[test]
fn an_interval_of_zero_means_no_running_at_all() {
    let mut world =
        World::with(&["one"], r#""reportFeedbackInterval": "0s""#).joined_by(Obedient::paced("one", 50_000));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000_000);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
}

#[test]
fn actions_come_in_the_order_of_configuration_then_of_arrival() {
    let mut world = World::plain(&BOTH);
    world.backend_applies("a-1", &desired_state(&["two", "one"]));
    let listed = |domain: &str, ids: [&str; 2]| {
        let action = |id: &str| format!(r#"{{"component":{{"id":"{domain}:{id}"}},"status":"IDENTIFIED"}}"#);
        format!(
            r#"{{"activityId":"a-1","payload":{{"status":"IDENTIFIED","actions":[{},{}]}}}}"#,
            action(ids[0]),
            action(ids[1])
        )
    };
    world.agent_says("two", listed("two", ["z", "a"]));
    world.agent_says("one", listed("one", ["y", "b"]));
    let last = world.last("a-1");
    let ids: Vec<&str> = last.actions().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["one:y", "one:b", "two:z", "two:a"]);
}

#[test]
fn told_to_end_it_reports_the_running_activity_and_says_good_bye() {
    let mut world = both_identified("");
    world.terminate();
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
    assert_eq!(world.last("a-1").message, "update manager terminated");
    world.run_for(2_000);
    assert!(world.is_ended());
    assert!(world.commands("one").len() == 1 && world.commands("two").len() == 1);
}

#[test]
fn a_broker_that_is_absent_at_start_is_waited_for() {
    let mut world = World::offline(&configuration(&["one"], "")).joined_by(Obedient::new("one"));
    world.broker.reachable = false;
    world.run_for(600_000);
    world.broker_comes();
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn an_activity_goes_on_over_a_lost_connection() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::paced("one", 1_000));
    world.backend_applies("a-1", &desired_state(&["one"]));
    for _ in 0..8 {
        world.run_for(1_500);
        world.cut();
        world.await_link();
    }
    world.run_for(600_000 * 5);
    // What an agent says while the manager is away is lost: perhaps no answer in time.
    assert_eq!(world.reports("a-1").iter().filter(|report| report.is_final()).count(), 1);
}

#[test]
fn the_end_of_an_activity_is_told_when_the_broker_is_there_again() {
    let mut world = both_identified("");
    world.broker_goes();
    world.run_for(600_000 + 30_000);
    world.broker_comes();
    let last = world.last("a-1");
    assert_eq!(last.status, "INCOMPLETE");
    assert!(last.message.contains("[two] no answer to DOWNLOAD in 10m"), "{}", last.message);
    assert!(!world.states().is_empty());
}

#[test]
fn what_the_broker_does_not_acknowledge_is_sent_again_in_the_same_session() {
    let mut world = both_identified(r#""connection": {"clientId": "um", "cleanSession": false}"#);
    world.broker.acknowledges = false;
    BOTH.iter().for_each(|domain| says(&mut world, domain, "DOWNLOAD_SUCCESS", ""));
    world.run_for(15_000);
    assert!(world.logged(&["connection closed"]));
    world.broker.acknowledges = true;
    world.await_link();
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE"]);
    let again = world.broker.seen.iter().filter(|seen| seen.again && seen.topic == "oneupdate/desiredstate/command");
    assert_eq!(again.count(), 1);
}

#[test]
fn in_a_persistent_session_nothing_that_was_sent_meanwhile_is_lost() {
    let session = r#""connection": {"clientId": "um", "cleanSession": false}"#;
    let mut world = World::with(&["one"], session).joined_by(Obedient::new("one"));
    world.broker_goes();
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.broker_comes();
    assert_eq!(world.story("a-1"), DONE);
    world.broker_goes();
    world.broker.forget_session();
    world.broker_comes();
    world.backend_applies("a-2", &desired_state(&["one"]));
    assert_eq!(world.story("a-2"), DONE, "subscribed anew at a broker that forgot");
}

#[test]
fn a_retained_desired_state_is_applied_once_however_often_it_comes() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::new("one"));
    let state = desired_state(&["one"]);
    world.publish_retained(
        "deviceupdate/desiredstate",
        format!(r#"{{"activityId":"a-1","timestamp":1,"payload":{state}}}"#),
    );
    for _ in 0..3 {
        world.cut();
        world.await_link();
    }
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.commands("one"), ALL);
}

#[test]
fn a_refused_subscription_is_an_error_that_names_it() {
    let mut world = World::offline(&configuration(&["one"], ""));
    world.broker.refuses.filters.push("oneupdate/currentstate".to_owned());
    world.expects_error("the broker refuses the subscription to oneupdate/currentstate");
    world.settle();
    assert!(world.logged(&["the broker refuses the subscription to oneupdate/currentstate"]));
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut world = World::offline(&configuration(&["one"], "")).joined_by(Obedient::new("one"));
    world.link.read_max = 1;
    world.settle();
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!(world.story("a-1"), DONE);
}
