//! The session at the broker: which of it is kept, and what is done when it is lost.

use crate::actors::{desired_state, Obedient};
use crate::scenario::World;
use crate::seen::{From, Seen};

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
