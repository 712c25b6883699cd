//! What is told to the twin and answered, byte for byte as in the reference's
//! traces (`s24_*`), apart from the times.

use core::fmt::Write;

use super::*;
use crate::model::{ActionStatus, Command, Status};
use crate::wire::encode::ActionView;
use crate::wire::things::encode::{self as twin, Answer};
use crate::wire::things::{Reply, Request, RequestTopic};

fn text(raw: &str) -> Text<'_> {
    Text::parse(raw).unwrap()
}

fn answered(identity: &Identity, reply: &Reply<'_>, answer: Answer<'_>) -> String {
    let mut out = String::new();
    twin::answer(&mut out, identity, reply, answer).unwrap();
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&out).is_ok(), "{out}");
    out
}

#[test]
fn the_feature_is_made_as_the_reference_makes_it() {
    let mut out = String::new();
    twin::feature(&mut out, &identity(), "device").unwrap();
    assert_eq!(
        out,
        r#"{"topic":"test.ns/edge:device/things/twin/commands/modify","headers":{"response-required":false},"path":"/features/UpdateManager","value":{"definition":["com.bosch.iot.suite.edge.update:UpdateManager:1.0.0"],"properties":{"domain":"device"}}}"#
    );
    assert_eq!(out.len(), 242);
}

#[test]
fn the_inventory_is_reported_as_the_reference_reports_it() {
    let mut out = String::new();
    let activity = text("initial-current-state-1764000000000");
    twin::inventory_head(&mut out, &identity(), activity, 1764000000000, "device").unwrap();
    out.push_str(r#"{"hardwareNodes":[{"id":"containers-hw","version":"1","addressable":true}]}"#);
    out.push_str(twin::INVENTORY_TAIL);
    assert_eq!(
        out,
        r#"{"topic":"test.ns/edge:device/things/twin/commands/modify","headers":{"content-type":"application/json","response-required":false},"path":"/features/UpdateManager/properties","value":{"activityId":"initial-current-state-1764000000000","timestamp":1764000000000,"domain":"device","inventory":{"hardwareNodes":[{"id":"containers-hw","version":"1","addressable":true}]}}}"#
    );
}

#[test]
fn a_feedback_is_reported_as_the_reference_reports_it() {
    let report = |status, actions: &[ActionView<'_>]| {
        let mut out = String::new();
        twin::feedback_head(&mut out, &identity(), text("act-1"), 1764000000000).unwrap();
        encode::feedback_head(&mut out, status, None).unwrap();
        encode::feedback_actions(&mut out, actions.iter().copied()).unwrap();
        out + twin::FEEDBACK_TAIL
    };
    let identifying = report(Status::Identifying, &[]);
    assert_eq!(
        identifying,
        r#"{"topic":"test.ns/edge:device/things/live/messages/feedback","headers":{"content-type":"application/json","response-required":false},"path":"/features/UpdateManager/outbox/messages/feedback","value":{"activityId":"act-1","timestamp":1764000000000,"desiredStateFeedback":{"status":"IDENTIFYING"}}}"#
    );
    assert_eq!(identifying.len(), 296);
    let view =
        |component| ActionView { component, status: Some(ActionStatus::UpdateSuccess), progress: 100, message: "" };
    let completed = report(
        Status::Completed,
        &[
            view(r#"{"id":"containers:comp0","version":"1.0"}"#),
            view(r#"{"id":"containers:comp1","version":"1.0"}"#),
            view(r#"{"id":"self-update:comp0","version":"1.0"}"#),
            view(r#"{"id":"self-update:comp1","version":"1.0"}"#),
        ],
    );
    assert_eq!(completed.len(), 696);
    assert!(completed.ends_with(
        r#"{"component":{"id":"self-update:comp1","version":"1.0"},"status":"UPDATE_SUCCESS","progress":100}]}}}"#
    ));
}

#[test]
fn the_owner_is_asked_as_the_reference_asks() {
    let mut out = String::new();
    let uuid = "01234567-89ab-4cde-8f01-23456789abcd";
    twin::consent(&mut out, &identity(), text("act-1"), 1764000000000, uuid, Command::Download).unwrap();
    assert_eq!(
        out,
        r#"{"topic":"test.ns/edge:device/things/live/messages/consent","headers":{"content-type":"application/json","correlation-id":"01234567-89ab-4cde-8f01-23456789abcd","response-required":true},"path":"/features/UpdateManager/outbox/messages/consent","value":{"activityId":"act-1","timestamp":1764000000000,"ownerConsent":{"command":"DOWNLOAD"}}}"#
    );
    assert_eq!(out.len(), 339);
}

#[test]
fn the_requests_of_the_traces_are_answered_as_the_reference_answers() {
    let identity = identity();
    let topic = RequestTopic::parse("command///req/req1/apply", &identity).unwrap();
    let taken = r#"{"topic": "test.ns/edge:device/things/live/messages/apply", "headers": {"correlation-id": "cid-1", "response-required": true, "content-type": "application/json"}, "path": "/features/UpdateManager/inbox/messages/apply", "value": {"activityId": "act-1", "timestamp": 1764000000000, "desiredState": {"domains": [{"id": "containers", "config": [], "components": [{"id": "comp0", "version": "1.0", "config": [{"key": "k", "value": "v"}]}, {"id": "comp1", "version": "1.0", "config": [{"key": "k", "value": "v"}]}]}]}}}"#;
    assert_eq!(taken.len(), 513);
    let (reply, request) = Request::decode(taken.as_bytes(), &topic, &identity).unwrap();
    let (envelope, state) = request.unwrap().apply().unwrap();
    assert!(envelope.activity.eq_str("act-1"));
    assert_eq!((envelope.timestamp, state.domains()), (1764000000000, 1));
    assert_eq!(topic.answer(Answer::Taken.status()), "command///res/req1/204");
    assert_eq!(
        answered(&identity, &reply, Answer::Taken),
        r#"{"topic":"test.ns/edge:device/things/live/messages/apply","headers":{"correlation-id":"cid-1","response-required":false},"path":"/features/UpdateManager/outbox/messages/apply","status":204}"#
    );

    let topic = RequestTopic::parse("command///req/early/consent", &identity).unwrap();
    let refused = r#"{"topic": "test.ns/edge:device/things/live/messages/consent", "headers": {"correlation-id": "x", "response-required": true, "content-type": "application/json"}, "path": "/features/UpdateManager/inbox/messages/consent", "value": {"activityId": "act-1", "timestamp": 1764000000000, "ownerConsentFeedback": {"status": "APPROVED"}}}"#;
    let (reply, request) = Request::decode(refused.as_bytes(), &topic, &identity).unwrap();
    assert!(request.is_ok());
    let answer = Answer::Refused(&|out: &mut dyn Write| out.write_str("owner consent handler not available"));
    assert_eq!(topic.answer(answer.status()), "command///res/early/400");
    assert_eq!(
        answered(&identity, &reply, answer),
        r#"{"topic":"test.ns/edge:device/things/live/messages/consent","headers":{"content-type":"application/json","correlation-id":"x","response-required":false},"path":"/features/UpdateManager/outbox/messages/consent","value":{"error":"messages:parameter.invalid","status":400,"message":"owner consent handler not available"},"status":400}"#
    );
}

#[test]
fn an_answer_to_what_cannot_be_read_has_no_correlation_id() {
    let topic = RequestTopic::parse("c///q/1/apply", &identity()).unwrap();
    let identity = identity_of("n:\"odd\"");
    let Ok((reply, Err(flaw))) = Request::decode(b"hello", &topic, &identity) else {
        panic!("taken");
    };
    let words = |out: &mut dyn Write| write!(crate::model::text::Escaping(out), "{flaw}");
    assert_eq!(
        answered(&identity, &reply, Answer::Refused(&words)),
        r#"{"topic":"n/\"odd\"/things/live/messages/apply","headers":{"content-type":"application/json","response-required":false},"path":"/features/UpdateManager/outbox/messages/apply","value":{"error":"messages:parameter.invalid","status":400,"message":"message is not JSON: a value is expected (byte 0)"},"status":400}"#
    );
}

#[test]
fn a_correlation_id_goes_back_as_it_came() {
    let id = r#"\u0041\"é\n"#;
    let reply = Reply { subject: "refresh", correlation_id: Some(text(id)), required: true };
    let answer = answered(&identity(), &reply, Answer::Taken);
    assert!(answer.contains(&format!(r#""headers":{{"correlation-id":"{id}","#)), "{answer}");
}
