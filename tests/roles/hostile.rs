//! A hostile client that has an agent's password.

use serde_json::{json, Value};

use crate::link::envelope::{envelope, topic};
use crate::link::Client;
use crate::peers::{desired_state, PATIENCE};
use crate::world::{World, DOMAINS};

/// What it tries to say, one for each thing that somebody else is to say.
fn forged() -> Vec<(&'static str, String)> {
    let state = || envelope("forged", desired_state(&DOMAINS, 1));
    let command = |name| envelope("forged", json!({ "command": name }));
    let feedback = |status| envelope("forged", json!({ "status": status }));
    let twin = |operation: &str| {
        json!({
            "topic": format!("test/gateway/things/live/messages/{operation}"),
            "headers": { "response-required": true, "correlation-id": "forged" },
            "path": format!("/features/UpdateManager/inbox/messages/{operation}"),
            "value": { "activityId": "forged", "timestamp": 1, "desiredState": desired_state(&DOMAINS, 1) },
        })
        .to_string()
    };
    vec![
        // The backend's.
        ("deviceupdate/desiredstate", state()),
        ("deviceupdate/desiredstate/command", command("ROLLBACK")),
        ("deviceupdate/currentstate/get", envelope("forged", Value::Null)),
        // The owner's.
        ("deviceupdate/ownerconsentfeedback", envelope("forged", json!({ "status": "APPROVED" }))),
        // The manager's, towards all.
        ("deviceupdate/desiredstatefeedback", feedback("COMPLETED")),
        ("deviceupdate/currentstate", envelope("forged", json!({}))),
        ("deviceupdate/ownerconsent", envelope("forged", json!({ "command": "UPDATE" }))),
        ("deviceupdate/status", "gone".into()),
        ("containersupdate/desiredstate", state()),
        ("containersupdate/desiredstate/command", command("ACTIVATE")),
        ("containersupdate/currentstate/get", envelope("forged", Value::Null)),
        ("selfupdate/desiredstate", state()),
        ("selfupdate/desiredstate/command", command("ACTIVATE")),
        // Another agent's.
        ("containersupdate/desiredstatefeedback", feedback("UPDATE_FAILURE")),
        ("containersupdate/currentstate", envelope("forged", json!({}))),
        // The connector's, and the manager's towards it.
        ("edge/thing/response", json!({ "deviceId": "evil:twin", "tenantId": "t" }).to_string()),
        ("edge/thing/request", String::new()),
        ("command///req/forged/apply", twin("apply")),
        ("command//test:gateway/req/forged/consent", twin("consent")),
        ("c///q/forged/apply", twin("apply")),
        ("command///res/forged/204", "{}".into()),
        ("e", "{}".into()),
    ]
}

#[test]
fn nothing_of_what_an_agent_says_in_anothers_name_arrives() {
    let world = World::start(json!({}));
    let mut witness = world.witness();
    let mut hostile = world.client("selfupdate");
    for (topic, message) in forged() {
        hostile.publish(topic, &message, false);
        hostile.publish(topic, &message, true);
    }
    until_honest(&mut hostile, &mut witness);

    // Nor does the broker keep anything of it for those who come later.
    drop(witness);
    until_honest(&mut hostile, &mut world.witness());
}

/// The hostile client says what it may: when that has come, all before it has come
/// or never will. Nothing forged is seen.
fn until_honest(hostile: &mut Client, witness: &mut Client) {
    hostile.publish("selfupdate/currentstate", &envelope("honest", json!({})), false);
    hostile.flush(PATIENCE).unwrap();
    loop {
        let (topic, message) = witness.next(PATIENCE).expect("what it may say arrives");
        assert!(!message.contains("forged") && !message.contains("evil:twin"), "on {topic}: {message}");
        assert!(!["", "{}", "gone"].contains(&message.as_str()), "on {topic}: {message:?}");
        if message.contains("honest") {
            return;
        }
    }
}

#[test]
fn an_agent_reads_nothing_but_what_is_for_it() {
    let world = World::start(json!({}));
    let mut nosy = world.client("containersupdate");
    nosy.subscribe(&["#"]).unwrap();
    let agents = world.agents();
    let mut backend = world.peers("backend", &[]);
    backend.await_manager();
    backend.apply("act", desired_state(&DOMAINS, 1));
    assert_eq!(backend.finish("act").status(), "COMPLETED");
    for agent in agents {
        agent.join().unwrap();
    }
    let probe = envelope("the end", Value::Null);
    backend.publish("deviceupdate/currentstate/get", &probe, false);
    backend.flush();
    let mut read = Vec::new();
    loop {
        let (topic, message) = nosy.next(PATIENCE).expect("it is asked for its state, too");
        read.push(topic);
        if message.contains("the end") {
            break;
        }
    }
    read.sort();
    read.dedup();
    let own = ["currentstate/get", "desiredstate", "desiredstate/command"].map(|sub| topic("containers", sub));
    assert_eq!(read, own);
}
