//! Cases in which release 0.1.0 broke a promise, as a review found them.

use update_manager::world::actors::{desired_state, inventory, Obedient};
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::{text, From, Report, Seen};
use update_manager::world::settings::parse;

/// The process alone ends.
const KILL: Outage = Outage { fate: Fate::Lost, down_ms: 300, boots: false, agents_too: false };

/// The whole host loses its power.
const BOOT: Outage = Outage { fate: Fate::Lost, down_ms: 300, boots: true, agents_too: true };

const KEPT: &str = r#""connection": {"clientId": "um", "cleanSession": false}"#;

const ONE: [&str; 1] = ["one"];
const TWO: [&str; 2] = ["one", "two"];

/// The answers of an agent from DOWNLOAD on.
const SUCCESSES: [&str; 4] = ["DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"];

/// A manager that saves, with a session that the broker keeps, and no agent.
fn saving(domains: &[&str]) -> World {
    let mut world = World::saved(&configuration(domains, KEPT));
    world.run_for(1_000);
    world
}

/// The final reports that the manager has sent since then, those that it had sent before too.
fn ends_since(world: &World, since: u64) -> Vec<String> {
    let sent = world.broker.seen.iter().filter(|seen| seen.from == From::Manager && seen.at >= since);
    let ends = sent.filter_map(Seen::report).filter(Report::is_final);
    ends.map(|report| format!("{} {}", report.activity, report.status)).collect()
}

/// An agent's feedback with nothing but a status.
fn bare(status: &str) -> String {
    format!(r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{{"status":"{status}"}}}}"#)
}

/// An agent's answer to the desired state, with one action.
fn identified(domain: &str) -> String {
    let action = format!(r#"{{"component":{{"id":"{domain}:a","version":"2"}},"status":"IDENTIFIED"}}"#);
    let payload = format!(r#"{{"status":"IDENTIFIED","actions":[{action}]}}"#);
    format!(r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{payload}}}"#)
}

/// The agent of this domain does the rest of its work.
fn succeeds(world: &mut World, domain: &str) {
    for status in SUCCESSES {
        world.agent_says(domain, bare(status));
        world.run_for(500);
    }
}

fn assert_ended(world: &World, status: &str, message: &str) {
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.message.as_str()), (status, message));
    assert_eq!(world.ends().len(), 1, "final statuses");
}

#[test]
fn activities_with_the_same_content_and_timestamp_are_both_told_after_a_cut() {
    for timestamp in ["", r#""timestamp":1700000000000,"#] {
        let mut world = World::saved(&configuration(&ONE, KEPT)).joined_by(Obedient::new("one"));
        world.run_for(1_000);
        world.broker.acknowledges = false;
        for id in ["a-1", "a-2"] {
            let payload = desired_state(&ONE);
            let wanted = format!(r#"{{"activityId":"{id}",{timestamp}"payload":{payload}}}"#);
            world.publish("deviceupdate/desiredstate", wanted);
            world.run_for(1_000);
            assert_eq!(world.last(id).status, "COMPLETED");
        }
        let cut = world.now();
        world.power_cut(BOOT);
        world.broker.acknowledges = true;
        world.run_for(60_000);
        assert_eq!(ends_since(&world, cut), ["a-1 COMPLETED", "a-2 COMPLETED"], "timestamp: {timestamp:?}");
    }
}

/// What the manager has sent to the agent of `one` about the activity, in order.
fn orders(world: &World) -> Vec<String> {
    let is_order = |seen: &&Seen| seen.topic.starts_with("oneupdate/desiredstate");
    let name = |seen: &Seen| if seen.command().is_empty() { "IDENTIFY" } else { seen.command() }.to_owned();
    world.sent().filter(is_order).map(name).collect()
}

#[test]
fn an_agent_that_restarts_is_started_over_though_its_clock_went_back() {
    for wall in [1_800_000_000_000, 1_000] {
        let mut world = World::plain(&ONE);
        world.agent_has("one", inventory("one", "", 1_700_000_000_100));
        world.backend_applies("a-1", &desired_state(&ONE));
        world.agent_says("one", identified("one"));
        world.run_for(5_000);
        world.agent_has("one", inventory("one", "initial-current-state-77", wall));
        world.run_for(59_000);
        assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD"], "nothing is repeated on suspicion alone");
        world.run_for(2_000);
        assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD", "IDENTIFY"], "the clock shows {wall}");
        world.agent_says("one", identified("one"));
        succeeds(&mut world, "one");
        let expected = ["IDENTIFY", "DOWNLOAD", "IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
        assert_eq!(orders(&world), expected);
        assert_ended(&world, "COMPLETED", "");
    }
}

/// An agent that downloads for three minutes and says so once, at the beginning.
fn with_a_quiet_agent(restarts: bool) -> World {
    let mut world = saving(&ONE);
    world.backend_applies("a-1", &desired_state(&ONE));
    world.agent_says("one", identified("one"));
    world.run_for(1_000);
    world.agent_says("one", bare("DOWNLOADING"));
    world.run_for(5_000);
    if restarts {
        world.power_cut(KILL);
    }
    world.run_for(180_000);
    world
}

#[test]
fn a_quiet_agent_is_left_alone() {
    let mut world = with_a_quiet_agent(false);
    assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD"]);
    succeeds(&mut world, "one");
    assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
    assert_ended(&world, "COMPLETED", "");
}

#[test]
fn a_quiet_agent_is_not_given_up_after_a_restart_of_the_manager() {
    let mut world = with_a_quiet_agent(true);
    // One repair and what was owed once more, then its silence is waited for.
    assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD", "IDENTIFY", "DOWNLOAD"]);
    succeeds(&mut world, "one");
    assert_eq!(orders(&world)[4..], ["UPDATE", "ACTIVATE", "CLEANUP"]);
    assert_ended(&world, "COMPLETED", "");
}

#[test]
fn reconnects_of_an_agent_are_no_failure() {
    let mut world = World::plain(&ONE);
    world.backend_applies("a-1", &desired_state(&ONE));
    world.agent_says("one", identified("one"));
    for n in 0..5 {
        world.run_for(5_000);
        world.agent_says("one", bare("DOWNLOADING"));
        let wall = world.wall();
        world.agent_has("one", inventory("one", &format!("initial-current-state-{n}"), wall));
    }
    assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD"]);
    succeeds(&mut world, "one");
    assert_eq!(orders(&world), ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
    assert_ended(&world, "COMPLETED", "");
}

const UNSAVED: &str = "the activity could not be saved";

/// A manager whose disk takes so many writes of an activity and then none. An agent does
/// each of its steps in `pace_ms`.
fn on_a_full_disk(writes: usize, pace_ms: u64) -> World {
    let mut world = World::saved(&configuration(&ONE, KEPT)).joined_by(Obedient::paced("one", pace_ms));
    world.expects_error("could not be saved");
    world.run_for(1_000);
    world.disk.as_mut().unwrap().fails = Some((writes, "no space"));
    world.backend_applies("a-1", &desired_state(&ONE));
    world
}

fn frees_the_disk(world: &mut World) {
    world.disk.as_mut().unwrap().fails = None;
}

/// Long after its end the activity is not taken up again by the next start.
fn assert_over_for_good(world: &mut World, writes: usize) {
    world.run_for(600_000);
    let (cut, before) = (world.now(), orders(world));
    world.power_cut(KILL);
    world.run_for(60_000);
    assert_eq!(ends_since(world, cut), [""; 0], "a second end, after {writes} writes");
    assert_eq!(orders(world), before, "commanded again, after {writes} writes");
}

#[test]
fn an_activity_that_ended_on_a_full_disk_is_not_taken_up_again() {
    for writes in 0..12 {
        let mut world = on_a_full_disk(writes, 100);
        world.run_for(20_000);
        assert_eq!(world.last("a-1").status, "COMPLETED");
        frees_the_disk(&mut world);
        assert_over_for_good(&mut world, writes);
    }
}

#[test]
fn an_end_on_a_full_disk_says_that_the_activity_could_not_be_saved() {
    let mut world = on_a_full_disk(0, 100);
    world.run_for(20_000);
    assert_ended(&world, "COMPLETED", UNSAVED);
}

#[test]
fn an_end_says_nothing_of_the_disk_before_a_write_has_failed() {
    for writes in 0..20 {
        let mut world = on_a_full_disk(writes, 100);
        // So slow that the end is on the disk before the next write is done.
        world.slow_disk(20);
        while world.ends().is_empty() {
            world.run_for(10);
        }
        let has_failed = world.disk.as_ref().unwrap().has_failed;
        let message = world.last("a-1").message;
        assert!(message == UNSAVED && has_failed || message.is_empty(), "{message:?} after {writes} writes");
    }
}

#[test]
fn an_end_says_nothing_of_a_disk_that_has_space_again() {
    for writes in 0..12 {
        let mut world = on_a_full_disk(writes, 20_000);
        while !world.disk.as_ref().unwrap().has_failed && world.ends().is_empty() {
            world.run_for(100);
        }
        world.run_for(1_000);
        let is_late = !world.ends().is_empty();
        frees_the_disk(&mut world);
        world.run_for(600_000);
        if !is_late {
            assert_ended(&world, "COMPLETED", "");
        }
        assert_over_for_good(&mut world, writes);
    }
}

#[test]
fn an_activity_goes_on_after_a_restart_when_the_disk_had_space_again() {
    for writes in 0..6 {
        let mut world = on_a_full_disk(writes, 20_000);
        while !world.disk.as_ref().unwrap().has_failed && world.ends().is_empty() {
            world.run_for(100);
        }
        frees_the_disk(&mut world);
        // Time to write it once more, while the agent works.
        world.run_for(70_000);
        if !world.ends().is_empty() {
            continue;
        }
        let before = world.commands("one");
        world.power_cut(KILL);
        world.run_for(1_000);
        assert_eq!(world.commands("one"), before, "commanded again, after {writes} writes");
        world.run_for(600_000);
        assert_ended(&world, "COMPLETED", "");
        assert_over_for_good(&mut world, writes);
    }
}

/// The status of this action after DOWNLOAD.
fn status_of(n: u64) -> &'static str {
    if n == 65 {
        "DOWNLOAD_FAILURE"
    } else {
        "DOWNLOAD_SUCCESS"
    }
}

/// Feedback with ninety actions, more than are saved.
fn with_actions(status: &str, of_action: &dyn Fn(u64) -> (&'static str, u64)) -> String {
    let action = |n: u64| {
        let (status, progress) = of_action(n);
        // The first ones are large, so that not all of them fit.
        let version = if n < 70 { "x".repeat(330) } else { String::new() };
        let component = format!(r#"{{"id":"one:{n}","version":"{version}"}}"#);
        format!(r#"{{"component":{component},"status":"{status}","progress":{progress}}}"#)
    };
    let actions: Vec<String> = (0..90).map(action).collect();
    let payload = format!(r#"{{"status":"{status}","actions":[{}]}}"#, actions.join(","));
    format!(r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{payload}}}"#)
}

#[test]
fn actions_keep_their_own_progress_over_a_restart() {
    let mut world = saving(&ONE);
    world.backend_applies("a-1", &desired_state(&ONE));
    world.agent_says("one", with_actions("IDENTIFIED", &|_| ("IDENTIFIED", 0)));
    world.run_for(1_000);
    world.agent_says("one", with_actions("DOWNLOAD_SUCCESS", &|n| (status_of(n), n)));
    world.run_for(1_000);
    world.power_cut(KILL);
    world.run_for(2_000);
    world.agent_says("one", bare("UPDATE_FAILURE"));
    world.agent_says("one", bare("CLEANUP_SUCCESS"));
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.message.as_str()), ("INCOMPLETE", "[one] UPDATE_FAILURE"));
    assert!(!last.actions.is_empty());
    for action in &last.actions {
        let id = text(&action["component"], "id");
        let n: u64 = id.strip_prefix("one:").unwrap().parse().unwrap();
        let shown = (text(action, "status"), action["progress"].as_u64().unwrap_or(0));
        assert_eq!(shown, (status_of(n), n), "{id}");
    }
}

/// How an activity ends of whose domains one has a component that is too large, while
/// the other has not identified.
fn end_past_a_limit(restarts: bool) -> (String, String) {
    let mut world = saving(&TWO);
    world.backend_applies("a-1", &desired_state(&TWO));
    world.agent_says("one", identified("one").replace(r#""2""#, &format!("\"{}\"", "x".repeat(400))));
    world.run_for(1_000);
    if restarts {
        world.power_cut(KILL);
        world.run_for(2_000);
    }
    world.agent_says("two", identified("two"));
    world.run_for(1_000);
    assert!(world.commands("one").is_empty() && world.commands("two").is_empty());
    let last = world.last("a-1");
    (last.status, last.message)
}

#[test]
fn a_domain_past_a_limit_has_failed_also_after_a_restart() {
    let (status, message) = end_past_a_limit(false);
    assert_eq!(status, "IDENTIFICATION_FAILED");
    assert!(message.starts_with("[one] more than 384 "), "{message}");
    assert_eq!(end_past_a_limit(true), (status, message));
}

/// Two domains have identified, and `one` has said this. Then the manager starts with a
/// configuration that has no `one`, if it is removed, and `two` does its work.
fn without_one(said: &str, is_removed: bool) -> World {
    let mut world = saving(&TWO);
    world.backend_applies("a-1", &desired_state(&TWO));
    world.agent_says("one", identified("one"));
    world.agent_says("two", identified("two"));
    world.agent_says("one", said);
    world.run_for(1_000);
    if is_removed {
        world.config = parse(&configuration(&["two"], KEPT));
    }
    world.power_cut(KILL);
    world.run_for(2_000);
    world.agent_says("one", bare("CLEANUP_SUCCESS"));
    succeeds(&mut world, "two");
    world
}

#[test]
fn a_domain_that_has_failed_counts_though_its_configuration_is_removed() {
    let failed = bare("DOWNLOAD_FAILURE").replace("}}", r#","message":"no space"}}"#);
    for is_removed in [false, true] {
        assert_ended(&without_one(&failed, is_removed), "INCOMPLETE", "[one] no space");
    }
}

#[test]
fn a_domain_that_has_succeeded_counts_though_its_configuration_is_removed() {
    for is_removed in [false, true] {
        assert_ended(&without_one(&bare("COMPLETED"), is_removed), "COMPLETED", "");
    }
}

#[test]
fn a_domain_that_is_removed_before_its_end_has_no_agent() {
    for said in ["DOWNLOADING", "DOWNLOAD_SUCCESS"] {
        let world = without_one(&bare(said), true);
        assert_eq!(world.last("a-1").message, "no agent for domain one");
        assert_eq!(world.ends().len(), 1);
    }
}

#[test]
fn an_activity_whose_only_domain_is_removed_ends() {
    let mut world = saving(&ONE);
    world.backend_applies("a-1", &desired_state(&ONE));
    world.agent_says("one", identified("one"));
    world.run_for(1_000);
    world.config = parse(&configuration(&["two"], KEPT));
    world.power_cut(KILL);
    world.run_for(600_000);
    assert_eq!(world.ends().len(), 1, "final statuses");
    assert!(world.last("a-1").message.contains("no agent for domain one"), "{}", world.last("a-1").message);
    world.backend_applies("a-2", &desired_state(&["two"]));
    assert_eq!(world.last("a-2").status, "IDENTIFYING", "the next is taken");
}

/// A desired state past the limit.
fn oversized() -> String {
    format!(r#"{{"activityId":"big","timestamp":1,"payload":{{"domains":[],"x":"{}"}}}}"#, "x".repeat(300_000))
}

#[test]
fn an_oversized_desired_state_that_the_broker_delivers_once_more_is_refused_once() {
    let mut world = saving(&ONE);
    world.slow_disk(5_000);
    world.backend_applies("a-1", &desired_state(&["nobody"]));
    world.run_for(100);
    world.publish("deviceupdate/desiredstate", oversized());
    assert_eq!(world.story("big"), ["IDENTIFICATION_FAILED"]);
    // Its acknowledgement waits for the save, and the link breaks before that.
    world.broker_goes();
    world.run_for(60_000);
    world.broker_comes();
    world.run_for(60_000);
    assert_eq!(world.story("big"), ["IDENTIFICATION_FAILED"]);
}

#[test]
fn an_oversized_desired_state_that_the_backend_sends_twice_is_refused_each_time() {
    let mut world = saving(&ONE);
    for times in 1..=2 {
        world.publish("deviceupdate/desiredstate", oversized());
        world.run_for(1_000);
        assert_eq!(world.story("big").len(), times);
    }
    assert!(world.last("big").message.contains("bytes, at most 262144 are taken"), "{}", world.last("big").message);
}
