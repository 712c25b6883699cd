//! Subscriptions that the broker refuses: the manager says that it is deaf, asks again, and
//! catches up when it hears.

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::{configuration, World};

const STATUS: &str = "device/update-manager";
const ANNOUNCED: &str = r#""connection": {"statusTopic": "device/update-manager"}"#;
const DESIRED_STATE: &str = "deviceupdate/desiredstate";
const FEEDBACK: &str = "oneupdate/desiredstatefeedback";
const CONSENT: &str = "deviceupdate/ownerconsentfeedback";

/// A world whose broker refuses this.
fn deaf(filter: &str, more: &str) -> World {
    let comma = if more.is_empty() { "" } else { ", " };
    let mut world = World::offline(&configuration(&["one"], &format!("{ANNOUNCED}{comma}{more}")));
    world.broker.refuses.filters.push(filter.to_owned());
    world.expects_error("deaf: the broker refuses the subscription to");
    world = world.joined_by(Obedient::new("one"));
    world.settle();
    world
}

fn status(world: &World) -> &str {
    let kept = world.broker.retained(STATUS).map(|bytes| std::str::from_utf8(bytes).unwrap());
    let status = kept.and_then(|kept| kept.strip_prefix(r#"{"status":""#));
    status.and_then(|status| status.split('"').next()).unwrap_or("nothing")
}

fn shown(world: &mut World) -> String {
    world.asks(r#"{"command":"status"}"#).1
}

#[test]
fn a_refused_subscription_is_asked_for_again_with_growing_pauses_and_the_status_is_offline_meanwhile() {
    let mut world = deaf(DESIRED_STATE, "");
    assert!(
        world.logged(&["deaf: the broker refuses the subscription to deviceupdate/desiredstate, asked again in 5s"])
    );
    assert_eq!(status(&world), "offline");
    let text = shown(&mut world);
    assert!(text.contains("deaf       the broker refuses the subscription to deviceupdate/desiredstate\n"), "{text}");
    let (answer, _) = world.asks(r#"{"command":"status","json":true}"#);
    assert!(answer.to_string().contains(r#""refused":["deviceupdate/desiredstate"]"#), "{answer}");
    world.run_for(1_000_000);
    let pauses: Vec<u64> = world.broker.refuses.at.windows(2).map(|at| at[1] - at[0]).collect();
    assert_eq!(pauses[..8], [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    assert_eq!(world.broker.seen.iter().filter(|seen| seen.topic == STATUS).count(), 1, "it is said once");
    world.broker.refuses.filters.clear();
    world.run_for(300_000);
    assert!(world.broker.has_filter(DESIRED_STATE));
    assert_eq!(status(&world), "online");
    assert!(!shown(&mut world).contains("deaf"));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn on_a_new_link_everything_is_asked_for_at_once() {
    let mut world = deaf(DESIRED_STATE, "");
    world.broker_goes();
    assert!(!shown(&mut world).contains("deaf"));
    world.broker.refuses.filters.clear();
    world.broker_comes();
    world.run_for(100);
    assert_eq!(status(&world), "online");
    world.run_for(1_000_000);
    assert_eq!(world.broker.refuses.at.len(), 1);
}

#[test]
fn what_an_agent_says_to_deaf_ears_is_not_the_end_of_its_activity() {
    let mut world = deaf(FEEDBACK, "");
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(4_000);
    assert_eq!(world.commands("one"), [""; 0], "its answer is not heard");
    world.broker.refuses.filters.clear();
    world.run_for(70_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn the_inventory_of_an_agent_is_asked_for_as_soon_as_it_can_be_heard() {
    let mut world = deaf("oneupdate/currentstate", "");
    world.run_for(4_000);
    let asked = |world: &World| world.broker.seen.iter().filter(|s| s.topic == "oneupdate/currentstate/get").count();
    let before = asked(&world);
    world.broker.refuses.filters.clear();
    world.run_for(2_000);
    assert_eq!(asked(&world), before + 1);
}

#[test]
fn the_owner_is_asked_as_soon_as_the_answer_can_be_heard() {
    let asking = r#""ownerConsentCommands": ["download"], "ownerConsentTimeout": "1h""#;
    let mut world = deaf(CONSENT, asking);
    assert_eq!(status(&world), "online");
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000);
    assert_eq!(status(&world), "offline");
    let asked = |world: &World| world.broker.seen.iter().any(|seen| seen.topic == "deviceupdate/ownerconsent");
    assert!(!asked(&world));
    world.broker.refuses.filters.clear();
    world.run_for(5_000);
    assert!(asked(&world) && status(&world) == "online");
    world.owner_says("a-1", "APPROVED");
    world.run_for(1_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn a_refused_subscription_that_nobody_wants_any_more_does_not_make_it_deaf() {
    let asking = r#""ownerConsentCommands": ["download"], "ownerConsentTimeout": "2s""#;
    let mut world = deaf(CONSENT, asking);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(6_000);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
    assert_eq!(status(&world), "online");
    assert!(!shown(&mut world).contains("deaf"));
}
