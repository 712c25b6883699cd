//! Requests to the twin (docs/twin-api.md, "Requests"): the first line is the topic, the rest
//! the message. Each message is read as every operation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::fmt::Write;
use update_manager::limits::{ANSWER_TOPIC_MAX, TOPIC_IN_MAX};
use update_manager::model::text::Escaping;
use update_manager::wire::things::encode::{self, Answer};
use update_manager::wire::things::{Identity, Incoming, Operation, Reply, Request, RequestTopic, EVENTS};
use update_manager::wire::{desired_state, Envelope, Malformed};
use update_manager_fuzz::broker::covers;
use update_manager_fuzz::json;

const INBOX: &str = "/features/UpdateManager/inbox/messages/";

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (topic, message) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let topic = String::from_utf8_lossy(topic);
    let identity = Identity::decode(br#"{"deviceId":"test.ns:edge:device","tenantId":"t1"}"#).expect("a good one");
    json::assert_agreement(message);
    if let Some(topic) = RequestTopic::parse(&topic, &identity) {
        assert_topic(&topic, &identity);
        assert_request(&topic, message, &identity);
    }
    // The message counts, whatever became of the topic.
    let topic = RequestTopic::parse("command///req/1/", &identity).expect("a good one");
    assert_request(&topic, message, &identity);
    assert_eq!(Incoming::classify(EVENTS, Some(&identity)), None);
});

fn assert_topic(topic: &RequestTopic<'_>, identity: &Identity) {
    let answer = topic.answer(400);
    assert!(answer.ends_with("/400") && answer.len() <= ANSWER_TOPIC_MAX && answer.len() <= TOPIC_IN_MAX + 3);
    assert!(!answer.contains(|c: char| matches!(c, '+' | '#') || c.is_control()), "{answer:?}");
    assert_eq!(answer.split('/').count(), 6);
    // By another filter of ours we would hear ourselves.
    assert!(!RequestTopic::filters(identity).iter().any(|filter| covers(filter, &answer)), "{answer}");
}

fn assert_request(topic: &RequestTopic<'_>, message: &[u8], identity: &Identity) {
    let value = json::value(message);
    let (reply, request) = match Request::decode(message, topic, identity) {
        Ok(decoded) => decoded,
        Err(foreign) => return assert!(!foreign.0.is_empty()),
    };
    if let (Some(value), Ok(request)) = (&value, &request) {
        assert_ours(value, &reply, request.operation);
    }
    assert_answers(&reply, identity, request.as_ref().err());
    let Ok(request) = request else { return };
    for malformed in [
        request.apply().map(|(envelope, state)| assert_desired_state(message, &envelope, &state)).err(),
        request.refresh().map(|envelope| assert!(envelope.payload().is_none())).err(),
        request.consent().map(|(envelope, _)| assert!(envelope.payload().is_some())).err(),
    ]
    .into_iter()
    .flatten()
    {
        assert_answers(&reply, identity, Some(&malformed));
    }
}

/// What was taken for a request of ours is one to serde_json too.
fn assert_ours(value: &Value, reply: &Reply<'_>, operation: Operation) {
    let name = operation.name();
    assert_eq!(reply.subject, name);
    assert_eq!(value["path"].as_str(), Some(format!("{INBOX}{name}").as_str()));
    assert_eq!(value["topic"].as_str(), Some(format!("test.ns/edge:device/things/live/messages/{name}").as_str()));
    let headers = &value["headers"];
    let header = |name: &str| {
        let mut all = headers.as_object().into_iter().flatten();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or(&Value::Null, |(_, value)| value)
    };
    assert_eq!(header("correlation-id").as_str().map(str::to_owned), reply.correlation_id.map(json::plain));
    assert_eq!(reply.required, *header("response-required") != Value::Bool(false));
}

/// An answer is JSON, and has of the request what it must have.
fn assert_answers(reply: &Reply<'_>, identity: &Identity, malformed: Option<&Malformed>) {
    let words = |out: &mut dyn Write| match malformed {
        Some(malformed) => write!(Escaping(out), "{malformed}"),
        None => Ok(()),
    };
    for answer in [Answer::Taken, Answer::Refused(&words)] {
        let mut text = String::new();
        encode::answer(&mut text, identity, reply, answer).expect("a string takes all");
        let value = json::written(&text).expect("numbers of ours");
        assert_eq!(value["status"], answer.status());
        assert_eq!(value["headers"]["response-required"], false);
        assert_eq!(
            value["headers"].get("correlation-id").map(|id| id.as_str().expect("a string").to_owned()),
            reply.correlation_id.map(json::plain)
        );
        assert!(value["path"].as_str().expect("a path").ends_with(reply.subject));
        if let Answer::Refused(_) = answer {
            let said = malformed.map(Malformed::to_string).unwrap_or_default();
            assert_eq!(value["value"]["message"].as_str(), Some(said.as_str()));
        }
    }
}

/// Each domain's part holds its entry as it came.
fn assert_desired_state(message: &[u8], envelope: &Envelope<'_>, state: &desired_state::DesiredState) {
    assert!(!envelope.activity.is_empty());
    for ix in 0..state.domains() {
        let mut part = String::new();
        desired_state::encode_part(message, state, ix, &mut part).expect("a string takes all");
        let id = state.domain_id(message, ix).expect("it has so many domains");
        if let Some(value) = json::written(&part) {
            assert_eq!(value["domains"][0]["id"].as_str(), Some(json::plain(id).as_str()));
        }
    }
    assert!(state.domain_id(message, state.domains()).is_none());
}
