//! The session at the broker: which of it is kept, and what is done when it is lost.

use update_manager::store::format::Kind;

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::{From, Seen};
use update_manager::world::settings::parse;

const KEPT: &str = r#""connection": {"clientId": "um", "cleanSession": false}"#;

/// The topics of the messages that the manager has sent more than once.
fn sent_again(world: &World) -> Vec<&str> {
    let again = world.broker.seen.iter().filter(|seen| seen.from == From::Manager && seen.again);
    again.map(|seen: &Seen| seen.topic.as_str()).collect()
}

/// A manager in the middle of an activity, whose last messages the broker has not
/// acknowledged when the link breaks. The agent has got them.
fn unacknowledged(more: &str) -> World {
    let mut world = World::with(&["one"], more).joined_by(Obedient::paced("one", 1_000));
    world.broker.acknowledges = false;
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.cut();
    world.broker.acknowledges = true;
    world
}

#[test]
fn messages_to_agents_are_sent_again_in_a_session_that_the_broker_has_kept() {
    let mut world = unacknowledged(KEPT);
    world.await_link();
    let again = sent_again(&world);
    assert!(again.contains(&"oneupdate/desiredstate") && again.contains(&"deviceupdate/desiredstatefeedback"));
}

#[test]
fn of_a_lost_session_only_reports_are_sent_again() {
    for more in ["", KEPT] {
        let mut world = unacknowledged(more);
        world.broker.forget_session();
        world.await_link();
        let again = sent_again(&world);
        assert!(!again.is_empty() && again.iter().all(|topic| topic.starts_with("deviceupdate/")), "{again:?}");
    }
}

/// The process ends, and a new one begins with another configuration at once.
const RESTART: Outage = Outage { fate: Fate::Whole, down_ms: 0, boots: false, agents_too: false };

fn restart(world: &mut World, config: &str) {
    world.config = parse(config);
    world.power_cut(RESTART);
    world.await_link();
    world.run_for(1_000);
}

#[test]
fn a_desired_state_that_comes_during_the_good_bye_is_for_the_next_process() {
    let config = configuration(&["one"], KEPT);
    let mut world = World::saved(&config).joined_by(Obedient::new("one"));
    world.run_for(1_000);
    // It waits a moment for the broker, which does not answer.
    world.broker.acknowledges = false;
    world.backend_asks("get");
    world.terminate();
    let large = format!(r#"{{"activityId":"a-2","payload":{{"x":"{}"}}}}"#, "x".repeat(300_000));
    world.publish("deviceupdate/desiredstate", large);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(10_000);
    assert!(world.is_ended() && world.story("a-1").is_empty() && world.story("a-2").is_empty());
    world.broker.acknowledges = true;
    restart(&mut world, &config);
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
}

const TWIN: &str = r#"{"thingsEnabled": true, "agents": {"one": {}}}"#;

fn edge_says(world: &mut World, device: &str) {
    world.publish("edge/thing/response", format!(r#"{{"deviceId":"{device}","tenantId":"t"}}"#));
    world.run_for(100);
}

/// The filters of these that the broker has in the manager's session.
fn has<'f>(world: &World, filters: &[&'f str]) -> Vec<&'f str> {
    filters.iter().copied().filter(|filter| world.broker.has_filter(filter)).collect()
}

#[test]
fn the_session_is_kept_by_default_if_activities_are_saved() {
    let mut world = World::saved(&configuration(&["one"], "")).joined_by(Obedient::new("one"));
    world.run_for(1_000);
    world.broker_goes();
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.broker_comes();
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn subscriptions_of_a_domain_that_is_gone_are_taken_back() {
    let mut world = World::saved(&configuration(&["one", "two"], ""));
    world.run_for(1_000);
    let gone = ["twoupdate/desiredstatefeedback", "twoupdate/currentstate"];
    assert_eq!(has(&world, &gone), gone);
    restart(&mut world, &configuration(&["one"], ""));
    assert_eq!(has(&world, &gone), [""; 0]);
    assert_eq!(has(&world, &["oneupdate/currentstate", "deviceupdate/desiredstate"]).len(), 2);
    // And they stay away: the list was saved again.
    let written = world.disk.as_ref().map(|disk| disk.written);
    restart(&mut world, &configuration(&["one"], ""));
    assert_eq!(world.disk.as_ref().map(|disk| disk.written), written, "nothing has changed");
    assert!(world.logged(&["the subscription to twoupdate/currentstate is taken back"]));
}

#[test]
fn many_subscriptions_are_taken_back_bit_by_bit() {
    let names: Vec<String> = (0..64).map(|n| format!("{n:0>60}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::saved(&configuration(&names, ""));
    world.run_for(1_000);
    let others: Vec<String> = (0..64).map(|n| format!("{n:b>60}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    restart(&mut world, &configuration(&others, ""));
    let count = |names: &[&str]| {
        let topics = names.iter().map(|name| format!("{name}update/currentstate"));
        topics.filter(|topic| world.broker.has_filter(topic)).count()
    };
    assert_eq!((count(&names), count(&others)), (0, 64));
    assert_eq!(world.link.losses, 1, "no link was lost but with the process");
}

#[test]
fn the_topics_of_the_backend_are_taken_back_when_a_twin_takes_its_place() {
    let mut world = World::saved(&configuration(&["one"], ""));
    world.run_for(1_000);
    let plain = ["deviceupdate/desiredstate", "deviceupdate/desiredstate/command", "deviceupdate/currentstate/get"];
    assert_eq!(has(&world, &plain), plain);
    restart(&mut world, TWIN);
    assert_eq!(has(&world, &plain), [""; 0]);
    edge_says(&mut world, "t:d");
    let requests = ["command///req/#", "command//t:d/req/#", "c///q/#", "c//t:d/q/#"];
    assert_eq!(has(&world, &requests), requests);
    restart(&mut world, &configuration(&["one"], ""));
    assert_eq!(has(&world, &requests), [""; 0]);
    assert_eq!(has(&world, &plain), plain);
}

#[test]
fn requests_to_a_twin_are_kept_until_the_edge_has_said_who_it_is() {
    let mut world = World::saved(TWIN);
    edge_says(&mut world, "t:d");
    let requests = ["command///req/#", "command//t:d/req/#", "c///q/#", "c//t:d/q/#"];
    restart(&mut world, TWIN);
    assert_eq!(has(&world, &requests), requests, "nobody knows yet who it is");
    edge_says(&mut world, "t:e");
    assert_eq!(has(&world, &requests), ["command///req/#", "c///q/#"]);
    assert_eq!(has(&world, &["command//t:e/req/#", "c//t:e/q/#"]).len(), 2);
    // The same without a restart.
    edge_says(&mut world, "t:f");
    assert_eq!(has(&world, &["command//t:e/req/#", "c//t:e/q/#"]).len(), 0);
    assert_eq!(has(&world, &["command//t:f/req/#", "c//t:f/q/#"]).len(), 2);
}

const CONSENT: &str = "deviceupdate/ownerconsentfeedback";

#[test]
fn a_question_that_was_open_leaves_no_subscription() {
    let asking = configuration(&["one"], r#""ownerConsentCommands": ["download"], "ownerConsentTimeout": "1h""#);
    let mut world = World::saved(&asking).joined_by(Obedient::new("one"));
    world.run_for(1_000);
    let written = world.disk.as_ref().map(|disk| disk.written);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000);
    assert!(world.broker.has_filter(CONSENT));
    restart(&mut world, &asking);
    assert!(world.broker.has_filter(CONSENT), "it is open still");
    world.owner_says("a-1", "APPROVED");
    world.run_for(1_000);
    assert!(!world.broker.has_filter(CONSENT) && world.last("a-1").status == "COMPLETED");
    assert!(world.disk.as_ref().map(|disk| disk.written) > written);
    // Once more, and the owner is not asked any more.
    world.backend_applies("a-2", &desired_state(&["one"]));
    world.run_for(1_000);
    assert!(world.broker.has_filter(CONSENT));
    let Some(disk) = &mut world.disk else { panic!("there is a disk") };
    disk.damage(Kind::State);
    world.expects_error("what was saved of it cannot be read");
    restart(&mut world, &configuration(&["one"], ""));
    assert!(!world.broker.has_filter(CONSENT));
}

#[test]
fn a_subscription_of_which_nothing_is_known_is_taken_back_when_a_message_comes_by_it() {
    let mut world = World::saved(&configuration(&["one", "two"], ""));
    world.run_for(1_000);
    let Some(disk) = &mut world.disk else { panic!("there is a disk") };
    disk.damage(Kind::Session);
    world.expects_error("is moved aside");
    restart(&mut world, &configuration(&["one"], ""));
    let gone = ["twoupdate/desiredstatefeedback", "twoupdate/currentstate"];
    assert_eq!(has(&world, &gone), gone);
    // More than there is room for among the requests to the broker.
    let topics = gone.iter().cycle().take(400);
    topics.for_each(|topic| world.broker.publish(world.clock.elapsed, topic, b"{}", false));
    world.run_for(100);
    world.publish(gone[1], "{}");
    world.run_for(100);
    assert_eq!(has(&world, &gone), [""; 0]);
    assert_eq!(world.link.losses, 1, "no link was lost but with the process");
}

#[test]
fn the_list_is_empty_after_a_clean_session() {
    let mut world = World::saved(&configuration(&["one", "two"], ""));
    world.run_for(1_000);
    let clean = r#""connection": {"cleanSession": true}"#;
    restart(&mut world, &configuration(&["one", "two"], clean));
    restart(&mut world, &configuration(&["one"], ""));
    assert_eq!(has(&world, &["twoupdate/currentstate"]), [""; 0]);
    assert!(!world.logged(&["is taken back"]), "the broker has forgotten it");
}

#[test]
fn what_cannot_be_taken_back_at_once_is_taken_back_on_the_next_link() {
    let mut world = World::saved(&configuration(&["one", "two"], ""));
    world.run_for(1_000);
    world.config = parse(&configuration(&["one"], ""));
    world.broker.reachable = false;
    world.power_cut(RESTART);
    world.run_for(5_000);
    // Not even the first link lasts.
    world.broker_comes();
    world.cut();
    world.await_link();
    world.run_for(1_000);
    assert_eq!(has(&world, &["twoupdate/currentstate", "oneupdate/currentstate"]), ["oneupdate/currentstate"]);
}

#[test]
fn of_the_progress_that_the_broker_has_not_acknowledged_only_the_newest_is_sent_again() {
    let mut world = World::with(&["one"], r#""reportFeedbackInterval": "1s""#);
    world = world.joined_by(Obedient::new("one").silent_at("DOWNLOAD"));
    world.broker.acknowledges = false;
    world.backend_applies("a-1", &desired_state(&["one"]));
    for progress in [10, 20, 30] {
        let action = format!(r#"{{"component":{{"id":"one:app","version":"2"}},"progress":{progress}}}"#);
        let payload = format!(r#"{{"status":"DOWNLOADING","actions":[{action}]}}"#);
        world.agent_says("one", format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
        world.run_for(1_000);
    }
    let running = |world: &World, again: bool| {
        let all = world.broker.seen.iter().filter(|seen| seen.from == From::Manager && seen.again == again);
        let reports = all.filter_map(Seen::report).filter(|report| report.status == "RUNNING");
        reports.map(|report| report.actions[0]["progress"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(running(&world, false), [None, Some(10), Some(20), Some(30)]);
    world.cut();
    world.broker.acknowledges = true;
    world.await_link();
    assert_eq!(running(&world, true), [Some(30)]);
}
