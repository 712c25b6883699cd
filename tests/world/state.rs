//! The current state (docs/protocol.md, "When the current state is reported").

use serde_json::Value;

use update_manager::world::actors::{desired_state, inventory, Obedient};
use update_manager::world::scenario::World;

const BOTH: [&str; 2] = ["one", "two"];

fn nodes(state: &Value) -> Vec<&str> {
    let nodes = state["payload"]["softwareNodes"].as_array().unwrap();
    nodes.iter().map(|node| node["id"].as_str().unwrap()).collect()
}

#[test]
fn a_request_is_answered_as_soon_as_all_agents_have() {
    let mut world = World::plain(&BOTH).joined_by(Obedient::paced("one", 200)).joined_by(Obedient::paced("two", 900));
    world.run_for(10_000);
    world.backend_asks("get-1");
    let asked = world.now();
    world.run_for(60_000);
    assert_eq!(world.states().last().unwrap().0, asked + 900);
    assert_eq!(world.states_of().last().unwrap(), "get-1");
}

#[test]
fn an_activity_can_begin_while_a_request_is_open() {
    let mut world = World::plain(&["one"]);
    world.backend_asks("get-1");
    let mut world = world.joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn an_agent_that_is_absent_at_start_does_not_delay_the_activity_of_another_or_its_own() {
    let mut world = World::plain(&BOTH).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert_eq!((world.now(), world.last("a-1").status.as_str()), (0, "COMPLETED"));
    let mut world = world.joined_by(Obedient::new("two"));
    world.backend_applies("a-2", &desired_state(&BOTH));
    assert_eq!((world.now(), world.last("a-2").status.as_str()), (0, "COMPLETED"));
}

#[test]
fn it_is_reported_with_what_is_known_when_the_slowest_read_timeout_ends() {
    let agents = r#""agents": {"one": {"readTimeout": "3s"}, "two": {"readTimeout": "5s"}}"#;
    let mut world = World::new(&format!(r#"{{"thingsEnabled": false, {agents}}}"#));
    world.agent_has("two", inventory("two", &world.asked("two")[0], 1));
    world.run_for(60_000);
    let (at, state) = world.states().remove(0);
    assert_eq!(at, 5_000);
    assert_eq!(nodes(&state), ["device-update-manager", "two-update-agent", "two:app"]);
}

#[test]
fn an_answer_to_a_request_counts_whatever_its_timestamp() {
    let mut world = World::plain(&["one"]);
    world.agent_has("one", inventory("one", "", world.wall()));
    world.backend_asks("get-1");
    // The agent's clock was set back by years.
    world.agent_has("one", inventory("one", "get-1", 1_000).replace("one:app", "one:new"));
    assert_eq!(world.states_of().last().unwrap(), "get-1");
    assert_eq!(nodes(&world.states().last().unwrap().1)[2], "one:new");
    // From there on its clock is the one that counts.
    world.agent_has("one", inventory("one", "", 2_000).replace("one:app", "one:newer"));
    world.run_for(60_000);
    assert_eq!(nodes(&world.states().last().unwrap().1)[2], "one:newer");
}

#[test]
fn a_clock_of_the_managers_that_is_set_changes_no_wait() {
    for set in [-1_000_000_000_000_i64, 1_000_000_000_000] {
        let mut world = World::plain(&["one"]).joined_by(Obedient::paced("one", 50_000));
        world.backend_applies("a-1", &desired_state(&["one"]));
        world.run_for(120_000);
        world.clock.wall_ms = set;
        world.run_for(1_000_000);
        assert_eq!(world.last("a-1").status, "COMPLETED");
        let running = world.reports("a-1").iter().filter(|report| report.status == "RUNNING").count();
        assert!((2..=9).contains(&running), "{running}");
        assert_eq!(world.states_of().last().unwrap(), "a-1");
    }
}

#[test]
fn it_is_reported_after_every_activity_whatever_its_end() {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.agent_says("one", r#"{"activityId":"a-1","payload":{"status":"IDENTIFICATION_FAILED"}}"#);
    assert_eq!(world.asked("one").last().unwrap(), "a-1");
    world.agent_has("one", inventory("one", "a-1", 1));
    assert_eq!(world.states_of(), ["initial-current-state-1700000000000", "a-1"]);
}

#[test]
fn it_alone_is_kept_by_the_broker() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    let kept: Value = serde_json::from_slice(world.broker.retained("deviceupdate/currentstate").unwrap()).unwrap();
    assert_eq!(kept["activityId"], "a-1");
    assert!(world.broker.seen.iter().filter(|seen| seen.retain).all(|seen| seen.topic == "deviceupdate/currentstate"));
}

#[test]
fn changes_are_collected_and_any_other_report_takes_their_place() {
    let mut world = World::plain(&["one"]);
    world.run_for(60_000);
    for n in 0..5 {
        world.agent_has("one", inventory("one", "", n));
        world.run_for(5_000);
    }
    assert_eq!(world.states_of().len(), 1);
    world.run_for(5_000);
    assert_eq!(world.states_of()[1..], [""]);
    world.agent_has("one", inventory("one", "", 9));
    world.backend_asks("get-1");
    world.agent_has("one", inventory("one", "get-1", 10));
    world.run_for(120_000);
    assert_eq!(world.states_of()[1..], ["", "get-1"]);
}

#[test]
fn agents_are_asked_again_on_every_connection() {
    let mut world = World::plain(&BOTH);
    world.cut();
    world.await_link();
    assert_eq!(world.asked("one").len(), 2);
    assert_eq!(world.asked("two").len(), 2);
}
