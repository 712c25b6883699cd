//! What each role needs is allowed.

use std::time::Duration;

use serde_json::{json, Value};
use update_manager::agent;

use crate::link::envelope::{envelope, text};
use crate::link::Client;
use crate::peers::{desired_state, PATIENCE};
use crate::world::{World, DOMAINS};

#[test]
fn an_activity_with_the_owners_consent_completes_with_a_user_for_each_role() {
    let world = World::start(json!({ "ownerConsentCommands": ["download"] }));
    let agents = world.agents();
    let mut owner = world.client("owner");
    owner.subscribe(&["deviceupdate/ownerconsent"]).unwrap();
    let mut backend = world.peers("backend", &[]);
    backend.await_manager();
    backend.apply("act", desired_state(&DOMAINS, 2));
    backend.flush();

    let (_, asked) = owner.next(PATIENCE).expect("the owner is asked");
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!((text(&asked, "activityId"), text(&asked["payload"], "command")), ("act", "DOWNLOAD"));
    owner.publish("deviceupdate/ownerconsentfeedback", &envelope("act", json!({ "status": "APPROVED" })), false);
    owner.flush(PATIENCE).unwrap();

    assert_eq!(backend.finish("act").status(), "COMPLETED");
    for (agent, domain) in agents.into_iter().zip(DOMAINS) {
        let read = agent.join().unwrap();
        let own = domain.replace('-', "");
        assert!(read.iter().all(|(topic, _)| topic.starts_with(&own)), "{domain} reads {read:?}");
        let commands: Vec<&str> = read.iter().map(|(_, trigger)| &**trigger).filter(|t| !t.contains("state")).collect();
        assert_eq!(commands, ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
    }
}

#[test]
fn as_a_digital_twin_the_connector_is_told_and_heard() {
    let world = World::start(json!({ "thingsEnabled": true }));
    let mut connector = world.client("connector");
    connector.subscribe(&["edge/thing/request", "e", "command///res/#"]).unwrap();
    let identity = json!({ "deviceId": "test:gateway", "tenantId": "t", "policyId": "" }).to_string();
    // The manager asks as soon as it is there, be it before us or after.
    connector.publish("edge/thing/response", &identity, false);
    let feature = loop {
        match connector.next(PATIENCE).expect("the manager asks who it is, or tells of itself") {
            (topic, _) if topic == "edge/thing/request" => connector.publish("edge/thing/response", &identity, false),
            (_, message) => break serde_json::from_str::<Value>(&message).unwrap(),
        }
    };
    assert_eq!(text(&feature, "topic"), "test/gateway/things/twin/commands/modify");

    let request = json!({
        "topic": "test/gateway/things/live/messages/apply",
        "headers": { "response-required": true, "correlation-id": "c" },
        "path": "/features/UpdateManager/inbox/messages/apply",
        "value": { "activityId": "act", "timestamp": 1 },
    });
    connector.publish("command///req/r1/apply", &request.to_string(), false);
    let answer = next(&mut connector, "command///res/r1/400");
    assert!(answer.to_string().contains("desired state is missing"), "{answer}");
}

/// The next message on a topic.
fn next(client: &mut Client, topic: &str) -> Value {
    loop {
        let (place, message) = client.next(PATIENCE).unwrap_or_else(|| panic!("nothing on {topic}"));
        if place == topic {
            return serde_json::from_str(&message).unwrap();
        }
    }
}

#[test]
fn nobody_connects_without_a_password() {
    let world = World::start(json!({}));
    for (user, password) in [("", ""), ("manager", ""), ("manager", "guess"), ("nobody", "nobody's")] {
        let refused = world.refused();
        let mut client = agent::Client::new(world.connection(user, password)).unwrap();
        assert!(client.connect(Duration::from_secs(1)).is_err(), "{user:?} got in with {password:?}");
        assert!(world.refused() > refused, "{user:?} with {password:?} was not refused, but not heard");
    }
}
