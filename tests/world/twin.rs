//! The digital twin (docs/twin-api.md).

#[path = "twin/nameless.rs"]
mod nameless;
#[path = "twin/requests.rs"]
mod requests;

use serde_json::{json, Value};

use update_manager::store::format::Kind;
use update_manager::world::actors::{desired_state, inventory, Obedient};
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::World;
use update_manager::world::seen::text;
use update_manager::world::settings::parse;

const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const FEATURE: &str = "/features/UpdateManager";
const PROPERTIES: &str = "/features/UpdateManager/properties";
const CONSENT: &str = "/features/UpdateManager/outbox/messages/consent";

/// A manager that does not know yet who it is.
fn nameless(more: &str) -> World {
    World::new(&format!(r#"{{"agents": {{"one": {{}}}}{more}}}"#))
}

fn named(more: &str) -> World {
    let mut world = nameless(more).joined_by(Obedient::new("one"));
    edge_says(&mut world, "ns:name");
    world
}

fn edge_says(world: &mut World, device: &str) {
    world.publish("edge/thing/response", format!(r#"{{"deviceId":"{device}","tenantId":"t","policyId":""}}"#));
}

fn request(thing: &str, operation: &str, value: &Value) -> String {
    json!({
        "topic": format!("{thing}/things/live/messages/{operation}"),
        "headers": { "correlation-id": "c-1", "response-required": true, "content-type": "application/json" },
        "path": format!("/features/UpdateManager/inbox/messages/{operation}"),
        "value": value,
    })
    .to_string()
}

fn apply(activity: &str) -> String {
    let state: Value = serde_json::from_str(&desired_state(&["one"])).unwrap();
    request("ns/name", "apply", &json!({ "activityId": activity, "timestamp": 1, "desiredState": state }))
}

fn consent(activity: &str, correlation: &str, status: &str) -> String {
    let value = json!({ "activityId": activity, "timestamp": 1, "ownerConsentFeedback": { "status": status } });
    request("ns/name", "consent", &value).replace("c-1", correlation)
}

/// What was told on `e` with this path.
fn told(world: &World, path: &str) -> Vec<Value> {
    world.sent_to("e").iter().map(|seen| seen.json()).filter(|json| text(json, "path") == path).collect()
}

fn answer(world: &World, topic: &str) -> Value {
    world.sent_to(topic).last().unwrap_or_else(|| panic!("an answer to {topic}")).json()
}

fn refusal(world: &World, id: &str) -> String {
    let answer = answer(world, &format!("command///res/{id}/400"));
    assert_eq!(answer["status"], 400);
    assert_eq!(answer["value"]["error"], "messages:parameter.invalid");
    text(&answer["value"], "message").to_owned()
}

#[test]
fn who_it_is_is_asked_with_an_empty_message_and_nothing_told_before() {
    let mut world = nameless("");
    let asked = world.sent_to("edge/thing/request");
    assert_eq!((asked.len(), asked[0].bytes.len()), (1, 0));
    world.run_for(3_600_000);
    world.agent_has("one", inventory("one", "", 1));
    world.run_for(60_000);
    assert!(world.sent_to("e").is_empty());
    assert!(!world.broker.has_filter("deviceupdate/desiredstate"));
}

#[test]
fn a_late_answer_sets_up_the_feature_then_the_inventory() {
    let mut world = nameless("").joined_by(Obedient::new("one"));
    world.run_for(3_600_000);
    edge_says(&mut world, "ns:name");
    let paths: Vec<String> = world.sent_to("e").iter().map(|seen| text(&seen.json(), "path").to_owned()).collect();
    assert_eq!(paths, [FEATURE, PROPERTIES]);
    let state = &told(&world, PROPERTIES)[0];
    assert_eq!(text(state, "topic"), "ns/name/things/twin/commands/modify");
    assert!(text(&state["value"], "activityId").starts_with("initial-current-state-"));
    assert_eq!(state["value"]["inventory"]["softwareNodes"][1]["id"], "one-update-agent");
    for filter in ["command///req/#", "command//ns:name/req/#", "c///q/#", "c//ns:name/q/#"] {
        assert!(world.broker.has_filter(filter), "{filter}");
    }
}

#[test]
fn the_same_ids_again_mean_nothing() {
    let mut world = named("");
    let told = world.sent_to("e").len();
    edge_says(&mut world, "ns:name");
    world.publish("edge/thing/response", r#"{"deviceId":"ns:name","tenantId":"t","policyId":"p:q"}"#);
    assert_eq!(world.sent_to("e").len(), told);
}

#[test]
fn changed_ids_leave_the_old_thing_and_set_up_the_new_one() {
    let mut world = named("");
    edge_says(&mut world, "ns:other");
    assert_eq!(told(&world, FEATURE).len(), 2);
    assert_eq!(text(told(&world, PROPERTIES).last().unwrap(), "topic"), "ns/other/things/twin/commands/modify");
    assert!(!world.broker.has_filter("command//ns:name/req/#"));
    assert!(world.broker.has_filter("command//ns:other/req/#") && world.broker.has_filter("command///req/#"));
    world.publish("command///req/r1/apply", apply("a-1"));
    assert!(world.story("a-1").is_empty(), "for the old thing");
    world.publish("command///req/r2/apply", apply("a-1").replace("ns/name", "ns/other"));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn an_id_that_changes_during_an_activity_takes_its_reports_along() {
    let mut world = nameless("").joined_by(Obedient::paced("one", 1_000));
    edge_says(&mut world, "ns:name");
    world.publish("command///req/r1/apply", apply("a-1"));
    world.run_for(3_500);
    edge_says(&mut world, "ns:other");
    world.run_for(60_000);
    assert_eq!(world.story("a-1"), DONE);
    let reports = told(&world, "/features/UpdateManager/outbox/messages/feedback");
    assert_eq!(text(&reports[0], "topic"), "ns/name/things/live/messages/feedback");
    assert_eq!(text(&reports[3], "topic"), "ns/other/things/live/messages/feedback");
}

#[test]
fn ids_that_are_none_are_refused_with_an_error() {
    let mut world = nameless("");
    world.expects_error("edge/thing/response: refused");
    for device in ["", "name", ":", "ns:", "ns:a/b", "ns:+"] {
        edge_says(&mut world, device);
    }
    world.publish("edge/thing/response", "null");
    world.publish("edge/thing/response", b"");
    assert!(world.sent_to("e").is_empty());
    edge_says(&mut world, "ns:name");
    assert_eq!(told(&world, FEATURE).len(), 1);
}

#[test]
fn an_activity_is_applied_answered_and_told() {
    let mut world = named("");
    world.publish("command///req/r1/apply", apply("a-1"));
    let answer = answer(&world, "command///res/r1/204");
    assert_eq!(answer["status"], 204);
    assert_eq!(answer["headers"], json!({ "correlation-id": "c-1", "response-required": false }));
    assert_eq!(text(&answer, "path"), "/features/UpdateManager/outbox/messages/apply");
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
    assert_eq!(text(&told(&world, PROPERTIES).last().unwrap()["value"], "activityId"), "a-1");
    assert!(world.sent_to("deviceupdate/desiredstatefeedback").is_empty() && world.states().is_empty());
}

#[test]
fn every_form_of_topic_is_heard_and_answered_in_kind() {
    for (asked, answered) in [
        ("command///req/r1/apply", "command///res/r1/204"),
        ("command//ns:name/req/r1/apply", "command//ns:name/res/r1/204"),
        ("command//ns:name/req//apply", "command//ns:name/res//204"),
        ("c///q/r1/apply", "c///s/r1/204"),
        ("c//ns:name/q/r1/apply", "c//ns:name/s/r1/204"),
    ] {
        let mut world = named("");
        world.publish(asked, apply("a-1"));
        assert_eq!(answer(&world, answered)["status"], 204, "{asked}");
        assert_eq!(world.story("a-1"), DONE);
    }
}

#[test]
fn what_is_malformed_is_answered_and_what_is_not_ours_is_not() {
    let mut world = named("");
    for (id, body) in [("r1", ""), ("r2", "{}"), ("r3", "null"), ("r4", "{\"topic\":"), ("r5", "[]")] {
        world.publish(&format!("command///req/{id}/apply"), body);
        assert!(!refusal(&world, id).is_empty());
    }
    world.publish(
        "command///req/r6/apply",
        request("ns/name", "apply", &json!({ "activityId": "a-1", "timestamp": 1 })),
    );
    assert!(refusal(&world, "r6").contains("desired state"), "{}", refusal(&world, "r6"));
    let before = world.broker.seen.len();
    world.publish("command///req/r7/apply", apply("a-1").replace("ns/name", "ns/another"));
    world.publish("command///req/r8/apply", apply("a-1").replace("UpdateManager", "Other"));
    world.publish("command///req/r9/explode", apply("a-1").replace("/apply", "/explode"));
    assert_eq!(world.broker.seen.len(), before + 3, "no answer");
    assert!(world.story("a-1").is_empty());
}

#[test]
fn an_answer_is_sent_unless_it_is_declined() {
    let mut world = named("");
    let refresh = request("ns/name", "refresh", &json!({ "activityId": "r", "timestamp": 1 }));
    world.publish("command///req/r1/refresh", refresh.replace("true", "false"));
    assert!(world.sent_to("command///res/r1/204").is_empty());
    world.publish("command///req/r2/refresh", refresh.replace(r#""response-required":true"#, r#""x":1"#));
    world.publish("command///req/r3/refresh", refresh.replace("true", "\"maybe\""));
    assert_eq!(world.sent_to("command///res/r2/204").len(), 1);
    assert_eq!(world.sent_to("command///res/r3/204").len(), 1);
    assert_eq!(text(&told(&world, PROPERTIES).last().unwrap()["value"], "activityId"), "r");
}

#[test]
fn only_an_answer_with_the_questions_correlation_id_counts_once() {
    let mut world = named(r#", "ownerConsentCommands": ["download", "update"]"#);
    world.publish("command///req/early/consent", consent("a-1", "x", "APPROVED"));
    assert_eq!(refusal(&world, "early"), "owner consent handler not available");
    world.publish("command///req/r1/apply", apply("a-1"));
    let question = told(&world, CONSENT).pop().unwrap();
    assert_eq!(question["value"]["ownerConsent"], json!({ "command": "DOWNLOAD" }));
    assert_eq!(question["headers"]["response-required"], true);
    let first = text(&question["headers"], "correlation-id").to_owned();
    world.publish("command///req/r2/consent", consent("a-1", "wrong", "APPROVED"));
    assert_eq!(refusal(&world, "r2"), "correlation id mismatch");
    world.publish("command///req/r3/consent", consent("a-2", &first, "APPROVED"));
    world.publish("command///req/r4/consent", consent("a-1", &first, "PERHAPS"));
    assert!(!refusal(&world, "r3").is_empty() && !refusal(&world, "r4").is_empty());
    assert!(world.commands("one").is_empty());
    world.publish("command///req/r5/consent", consent("a-1", &first, "APPROVED"));
    assert_eq!(answer(&world, "command///res/r5/204")["status"], 204);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    // The first answer again: the second question has another id.
    world.publish("command///req/r6/consent", consent("a-1", &first, "APPROVED"));
    assert_eq!(refusal(&world, "r6"), "correlation id mismatch");
    let second = text(&told(&world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
    assert_ne!(first, second);
    world.publish("command///req/r7/consent", consent("a-1", &second, "APPROVED"));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_refusal_is_told_as_in_plain_mode() {
    let mut world = named(r#", "ownerConsentCommands": ["update"]"#);
    world.publish("command///req/r1/apply", apply("a-1"));
    let id = text(&told(&world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
    world.publish("command///req/r2/consent", consent("a-1", &id, "DENIED"));
    assert_eq!(world.commands("one"), ["DOWNLOAD", "ROLLBACK", "CLEANUP"]);
    assert_eq!(world.last("a-1").message, "owner consent denied");
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
}

#[test]
fn after_a_lost_connection_everything_is_set_up_again_under_the_known_identity() {
    let mut world = named("");
    let features = told(&world, FEATURE).len();
    world.cut();
    world.await_link();
    assert_eq!(world.sent_to("edge/thing/request").len(), 2);
    assert_eq!(told(&world, FEATURE).len(), features + 1, "without a word from the edge");
    for filter in ["edge/thing/response", "command///req/#", "oneupdate/desiredstatefeedback", "oneupdate/currentstate"]
    {
        assert!(world.broker.has_filter(filter), "{filter}");
    }
    world.publish("command///req/r1/apply", apply("a-1"));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn reports_that_waited_for_the_link_go_out_and_the_question_is_asked_again_with_its_id() {
    let mut world = named(r#", "ownerConsentCommands": ["download"]"#);
    world.publish("command///req/r1/apply", apply("a-1"));
    let id = |world: &World| text(&told(world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
    let first = id(&world);
    world.broker_goes();
    world.run_for(60_000);
    world.broker_comes();
    assert_eq!(told(&world, CONSENT).len(), 2);
    assert_eq!(id(&world), first);
    world.publish("command///req/r2/consent", consent("a-1", &first, "APPROVED"));
    assert_eq!(world.story("a-1"), DONE);
    let mut world = named("");
    world.publish("command///req/r1/apply", apply("a-1"));
    world.broker_goes();
    world.run_for(1_000_000);
    world.broker_comes();
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_second_and_a_malformed_desired_state_are_refused_as_in_plain_mode() {
    let mut world = nameless("");
    edge_says(&mut world, "ns:name");
    world.publish("command///req/r1/apply", apply("a-1"));
    world.publish("command///req/r2/apply", apply("a-2"));
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-2").message, "Another update activity in progress - a-1");
    assert_eq!(world.story("a-1"), ["IDENTIFYING"]);
}

#[test]
fn a_question_that_comes_up_without_a_link_is_asked_once_when_there_is_one() {
    let mut world = World::new(r#"{"agents": {"one": {}, "two": {}}, "ownerConsentCommands": ["update"]}"#);
    edge_says(&mut world, "ns:name");
    let state: Value = serde_json::from_str(&desired_state(&["one", "two"])).unwrap();
    let wanted = json!({ "activityId": "a-1", "timestamp": 1, "desiredState": state });
    world.publish("command///req/r1/apply", request("ns/name", "apply", &wanted));
    let action = r#"{"component":{"id":"app"}}"#;
    for (domain, status) in [("one", "IDENTIFIED"), ("two", "IDENTIFIED"), ("one", "DOWNLOAD_SUCCESS")] {
        let payload = format!(r#"{{"status":"{status}","actions":[{action}]}}"#);
        world.agent_says(domain, format!(r#"{{"activityId":"a-1","payload":{payload}}}"#));
    }
    world.broker_goes();
    world.run_for(600_000);
    world.broker_comes();
    assert_eq!(told(&world, CONSENT).len(), 1);
}

#[test]
fn a_request_that_the_broker_kept_over_a_restart_is_taken_before_the_edge_has_answered() {
    let mut world = World::saved(r#"{"agents": {"one": {}}}"#).joined_by(Obedient::new("one"));
    edge_says(&mut world, "ns:name");
    world.run_for(1_000);
    let outage = Outage { fate: Fate::Lost, down_ms: 30_000, boots: true, agents_too: false };
    world.power_cut(outage);
    world.run_for(1_000);
    world.publish("command///req/1/apply", apply("a-1"));
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
    edge_says(&mut world, "ns:name");
    assert!(world.logged(&["edge/thing/response: nothing new"]));
    edge_says(&mut world, "ns:other");
    world.run_for(1_000);
    assert!(!world.broker.has_filter("command//ns:name/req/#") && world.broker.has_filter("command//ns:other/req/#"));
}

#[test]
fn answers_that_a_broker_does_not_acknowledge_push_out_no_final_status() {
    let mut world = World::new(r#"{"agents": {"one": {}}}"#).joined_by(Obedient::paced("one", 1_000));
    edge_says(&mut world, "ns:name");
    world.publish("command///req/1/apply", apply("a-1"));
    world.run_for(2_000);
    world.broker.acknowledges = false;
    for n in 0..300 {
        world.publish(&format!("command///req/{n}/consent"), consent("a-1", "no question", "APPROVED"));
    }
    world.run_for(10_000);
    assert!(world.logged(&["not answered, too many messages wait for the broker"]));
    world.broker.acknowledges = true;
    world.cut();
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn an_open_question_keeps_its_correlation_id_over_a_restart() {
    // The second question: a manager that makes up a new one would take the first's id.
    let config = r#"{"agents": {"one": {}}, "ownerConsentCommands": ["download", "update"]}"#;
    let mut world = World::saved(config).joined_by(Obedient::new("one"));
    edge_says(&mut world, "ns:name");
    world.publish("command///req/1/apply", apply("a-1"));
    let first = text(&told(&world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
    world.publish("command///req/0/consent", consent("a-1", &first, "APPROVED"));
    world.run_for(1_000);
    let outage = Outage { fate: Fate::Lost, down_ms: 300, boots: false, agents_too: false };
    world.power_cut(outage);
    world.run_for(1_000);
    world.await_link();
    edge_says(&mut world, "ns:name");
    let asked = told(&world, CONSENT);
    let ids = asked.iter().map(|question| text(&question["headers"], "correlation-id"));
    let ids: Vec<&str> = ids.filter(|id| *id != first).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!((ids[0].len(), ids[0]), (36, ids[1]));
    let id = ids[0].to_owned();
    world.publish("command///req/2/consent", consent("a-1", &id, "APPROVED"));
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn the_question_of_an_activity_that_cannot_go_on_is_not_that_of_the_next() {
    let config = |commands: &str| format!(r#"{{"agents": {{"one": {{}}}}, "ownerConsentCommands": [{commands}]}}"#);
    let mut world = World::saved(&config(r#""download", "update""#)).joined_by(Obedient::new("one"));
    let last = |world: &World| text(&told(world, CONSENT).pop().unwrap()["headers"], "correlation-id").to_owned();
    edge_says(&mut world, "ns:name");
    world.publish("command///req/1/apply", apply("a-1"));
    let approval = consent("a-1", &last(&world), "APPROVED");
    world.publish("command///req/2/consent", approval);
    world.run_for(1_000);
    let (asked, before) = (last(&world), told(&world, CONSENT).len());
    world.expects_error("its desired state cannot be read any more");
    world.expects_error("is moved aside to document.corrupt");
    world.disk.iter_mut().for_each(|disk| disk.damage(Kind::Document));
    // The same phase is the first that the next activity asks about.
    world.config = parse(&config(r#""update""#));
    world.power_cut(Outage { fate: Fate::Lost, down_ms: 300, boots: false, agents_too: false });
    world.run_for(1_000);
    world.await_link();
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "INCOMPLETE");
    world.publish("command///req/3/apply", apply("a-2"));
    world.run_for(1_000);
    assert_eq!(told(&world, CONSENT).len(), before + 1);
    assert_ne!(last(&world), asked);
}

#[test]
fn each_question_has_a_random_uuid_of_its_own() {
    let mut world = named(r#", "ownerConsentCommands": ["download", "update", "activate"]"#);
    world.publish("command///req/1/apply", apply("a-1"));
    for n in 0..3 {
        let id = text(&told(&world, CONSENT)[n]["headers"], "correlation-id").to_owned();
        world.publish(&format!("command///req/c{n}/consent"), consent("a-1", &id, "APPROVED"));
        world.run_for(100);
    }
    let asked = told(&world, CONSENT);
    let ids: Vec<&str> = asked.iter().map(|question| text(&question["headers"], "correlation-id")).collect();
    assert_eq!((ids.len(), world.last("a-1").status.as_str()), (3, "COMPLETED"));
    for id in &ids {
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "RFC 9562, version 4: {id}");
        let others = ids.iter().filter(|other| *other != id).flat_map(|other| other.split('-'));
        assert!(others.clone().all(|other| !parts.contains(&other)), "{ids:?}");
    }
}

#[test]
fn a_request_that_was_refused_is_answered_once_however_often_the_broker_delivers_it() {
    let mut world = named("");
    let malformed = request("ns/name", "apply", &json!({ "activityId": "a-1", "desiredState": { "domains": [{}] } }));
    let refresh = request("ns/name", "refresh", &json!("none"));
    for (operation, request) in [("apply", malformed), ("refresh", refresh)] {
        world.broker.misses_acks = true;
        world.publish(&format!("command///req/{operation}/{operation}"), &request);
        world.broker.misses_acks = false;
        world.broker.retry();
        world.run_for(1_000);
        let answers = world.sent_to(&format!("command///res/{operation}/400"));
        assert_eq!(answers.len(), 1, "{operation}");
    }
}

#[test]
fn what_the_broker_refuses_of_a_twin_does_not_hold_up_what_is_behind_it() {
    let mut world = named("");
    world.run_for(1_000);
    world.expects_error("e: the broker refuses a message of");

    // A report without actions is shorter.
    world.broker.refuses.larger_than = Some(320);
    world.publish("command///req/r1/apply", apply("a-1"));
    world.run_for(300_000);
    assert!(world.logged(&["e: the broker refuses a message of", "it goes without its details"]));
    assert_eq!(world.story("a-1").last().map(String::as_str), Some("COMPLETED"));
}
