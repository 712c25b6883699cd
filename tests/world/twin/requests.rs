//! Requests as connectors and backends of all kinds send them.

use update_manager::limits::PAYLOAD_IN_MAX;

use super::*;

/// The forms by which a connector may deliver one request.
const FORMS: [[&str; 2]; 4] = [
    ["command///req/r", "command///res/r"],
    ["command//ns:name/req/r", "command//ns:name/res/r"],
    ["c///q/r", "c///s/r"],
    ["c//ns:name/q/r", "c//ns:name/s/r"],
];

/// How often the request `r` was answered, whatever the form and the status.
fn answers(world: &World) -> usize {
    let to = |form: &str, status: u16| world.sent_to(&format!("{form}/{status}")).len();
    FORMS.iter().map(|[_, answered]| to(answered, 204) + to(answered, 400)).sum()
}

/// Delivers a request by two forms, as a connector does that serves both.
fn deliver_twice(world: &mut World, forms: [usize; 2], operation: &str, request: &str) {
    for form in forms {
        world.publish(&format!("{}/{operation}", FORMS[form][0]), request);
    }
}

#[test]
fn names_of_headers_count_whatever_their_case() {
    let mut world = named(r#", "ownerConsentCommands": ["download"]"#);
    let spell = |request: String| {
        request.replace("correlation-id", "Correlation-ID").replace("response-required", "RESPONSE-Required")
    };
    world.publish("command///req/r1/apply", spell(apply("a-1")));
    assert_eq!(answer(&world, "command///res/r1/204")["headers"]["correlation-id"], "c-1");
    let question = told(&world, CONSENT).pop().unwrap();
    let id = text(&question["headers"], "correlation-id").to_owned();
    let approval = spell(consent("a-1", &id, "APPROVED"));
    world.publish(
        "command///req/r2/consent",
        approval.replace("\"RESPONSE-Required\":true", "\"Response-Required\":false"),
    );
    assert_eq!(world.story("a-1"), DONE);
    assert!(world.sent_to("command///res/r2/204").is_empty(), "none is wanted");
    let both = apply("a-2").replace(r#""correlation-id""#, r#""Correlation-Id":"x","correlation-id""#);
    world.publish("command///req/r3/apply", both);
    assert!(refusal(&world, "r3").starts_with("headers.correlation-id stands twice"), "{}", refusal(&world, "r3"));
}

#[test]
fn a_malformed_request_is_answered_whatever_the_operation_of_its_topic() {
    let mut world = named("");
    let cut = r#"{"topic":"ns/name/things/live/messages/apply","value":{"desiredState":{"domains":[],}}}"#;
    let bodies = [cut, "", "hello", "{}", "[]", r#"{"path":7}"#];
    for (n, body) in bodies.into_iter().enumerate() {
        for operation in ["um", "", "Apply", "explode", "\"{"] {
            let id = format!("{n}-{}", operation.len());
            world.publish(&format!("command//ns:name/req/{id}/{operation}"), body);
            let answer = answer(&world, &format!("command//ns:name/res/{id}/400"));
            assert_eq!(
                (&answer["status"], &answer["value"]["error"]),
                (&json!(400), &json!("messages:parameter.invalid"))
            );
            assert_eq!(text(&answer, "topic"), format!("ns/name/things/live/messages/{operation}"));
            assert_eq!(text(&answer, "path"), format!("/features/UpdateManager/outbox/messages/{operation}"));
        }
    }
    // It may be whole, and be meant for somebody else.
    let before = world.broker.seen.len();
    world.publish("command///req/r1/um", apply("a-1").replace("ns/name", "ns/another"));
    world.publish("command///req/r2/um", apply("a-1").replace("UpdateManager", "Other"));
    assert_eq!(world.broker.seen.len(), before + 2, "no answer");
    world.publish("command///req/r3/um", apply("a-1"));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_request_that_is_too_large_is_answered_as_far_as_it_is_ours() {
    let mut world = named("");
    let large = |path: &str| format!(r#"{{"path":"{path}","value":"{}"}}"#, "x".repeat(PAYLOAD_IN_MAX));
    world.publish("command///req/r1/um", large("/features/UpdateManager/inbox/messages/apply"));
    assert_eq!(text(&answer(&world, "command///res/r1/400"), "topic"), "ns/name/things/live/messages/apply");
    assert!(refusal(&world, "r1").contains("at most"), "{}", refusal(&world, "r1"));
    world.publish("command///req/r2/um", large("/features/Other/inbox/messages/install"));
    world.publish("command///req/r3/apply", large("/features/Other/inbox/messages/apply"));
    for id in ["r2", "r3"] {
        assert!(world.sent_to(&format!("command///res/{id}/400")).is_empty(), "{id} is another feature's");
    }
    world.publish("command///req/r4/um", "x".repeat(PAYLOAD_IN_MAX + 1));
    assert_eq!(text(&answer(&world, "command///res/r4/400"), "topic"), "ns/name/things/live/messages/um");
}

#[test]
fn a_request_that_comes_by_two_forms_of_topic_is_handled_once() {
    let refresh = request("ns/name", "refresh", &json!({ "activityId": "r", "timestamp": 1 }));
    let malformed = request("ns/name", "apply", &json!({ "activityId": "a-1", "desiredState": 7 }));
    for forms in [[1, 3], [3, 1], [0, 2], [0, 1]] {
        let mut world = named("");
        let inventories = told(&world, PROPERTIES).len();
        deliver_twice(&mut world, forms, "refresh", &refresh);
        world.run_for(1_000);
        assert_eq!((answers(&world), told(&world, PROPERTIES).len()), (1, inventories + 1), "{forms:?}");
        deliver_twice(&mut world, forms, "apply", &malformed);
        assert_eq!(answers(&world), 2, "{forms:?}");
        deliver_twice(&mut world, forms, "apply", &apply("a-1"));
        assert_eq!((answers(&world), world.story("a-1")), (3, DONE.map(String::from).to_vec()), "{forms:?}");
        // The backend asks again, by both as before.
        deliver_twice(&mut world, forms, "refresh", &refresh);
        world.run_for(1_000);
        assert_eq!(answers(&world), 4, "{forms:?}");
    }
}

#[test]
fn an_answer_of_the_owner_that_comes_by_two_forms_of_topic_is_taken_and_not_refused() {
    let mut world = named(r#", "ownerConsentCommands": ["download", "update"]"#);
    world.publish("command///req/r1/apply", apply("a-1"));
    for n in 1..=2 {
        let id = text(&told(&world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
        deliver_twice(&mut world, [1, 3], "consent", &consent("a-1", &id, "APPROVED"));
        assert_eq!(answers(&world), n, "one each");
        assert_eq!(world.sent_to("command//ns:name/res/r/204").len(), n);
    }
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn an_answer_of_the_owner_that_the_broker_delivers_once_more_is_not_refused() {
    let mut world = named(r#", "ownerConsentCommands": ["download"]"#);
    world.publish("command///req/r1/apply", apply("a-1"));
    let id = text(&told(&world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
    world.broker.misses_acks = true;
    world.publish("command///req/r/consent", consent("a-1", &id, "APPROVED"));
    world.broker.misses_acks = false;
    world.broker.retry();
    world.run_for(1_000);
    assert_eq!((answers(&world), world.story("a-1")), (1, DONE.map(String::from).to_vec()));
}

#[test]
fn requests_without_a_correlation_id_or_with_another_content_are_each_handled() {
    let mut world = named("");
    let refresh = request("ns/name", "refresh", &json!({ "activityId": "r", "timestamp": 1 }));
    let bare = refresh.replace(r#""correlation-id":"c-1","#, "");
    assert_ne!(bare, refresh);
    deliver_twice(&mut world, [1, 3], "refresh", &bare);
    assert_eq!(answers(&world), 2, "nothing says that they are one");
    world.publish("command//ns:name/req/r/refresh", &refresh);
    world.publish("c//ns:name/q/r/apply", apply("a-1"));
    assert_eq!(
        (answers(&world), world.story("a-1")),
        (4, DONE.map(String::from).to_vec()),
        "a backend with a fixed id"
    );
}

#[test]
fn while_eight_ends_wait_for_the_broker_a_request_is_refused_unless_it_is_known() {
    let mut world = named("");
    world.broker.acknowledges = false;
    for n in 1..=9 {
        world.publish(&format!("command///req/r{n}/apply"), apply(&format!("a-{n}")));
        world.run_for(10);
    }
    assert_eq!((world.story("a-8"), world.story("a-9")), (DONE.map(str::to_owned).to_vec(), Vec::new()));
    assert_eq!(refusal(&world, "r9"), "too many messages wait for the broker");
    world.publish("command///req/again/apply", apply("a-8"));
    answer(&world, "command///res/again/204");
    assert_eq!(world.story("a-8"), DONE);
}
