//! What is asked of us: every request has its outcome.

use super::damage::Random;
use super::*;
use crate::limits::CORRELATION_ID_MAX;
use crate::wire::consent::ConsentReply;
use crate::wire::things::{Foreign, Operation, Reply, Request, RequestTopic};

type Decoded<'a> = Result<(Reply<'a>, Result<Request<'a>, Malformed>), Foreign>;

fn decode<'a>(message: &'a str, name: &'a str) -> Decoded<'a> {
    let mut topic = RequestTopic::parse("command///req/r/", &identity()).unwrap();
    topic.subject = name;
    Request::decode(message.as_bytes(), &topic, &identity())
}

/// What becomes of a request: the operation that is carried out, or why not; and
/// whether it is to be answered, with which correlation id.
fn outcome(message: &str, name: &str) -> (String, bool, String) {
    let told = |reply: Reply<'_>, what: String| {
        (what, reply.required, reply.correlation_id.map_or(String::from("none"), |id| id.to_string()))
    };
    match decode(message, name) {
        Ok((reply, Ok(request))) => {
            let read = match request.operation {
                Operation::Apply => request.apply().map(|(e, state)| format!("{} {}", e.activity, state.domains())),
                Operation::Refresh => request.refresh().map(|e| format!("{}", e.activity)),
                Operation::Consent => request.consent().map(|(e, reply)| format!("{} {reply:?}", e.activity)),
            };
            let what = match read {
                Ok(what) => format!("{} {what}", reply.subject),
                Err(flaw) => flaw.within(message.as_bytes()).to_string(),
            };
            told(reply, what)
        }
        Err(Foreign(what)) => (what.to_string(), false, String::new()),
        Ok((reply, Err(flaw))) => told(reply, format!("{}: {flaw}", reply.subject)),
    }
}

/// A request as the reference's backend writes it.
fn request(operation: &str, value: &str) -> String {
    format!(
        r#"{{"topic":"test.ns/edge:device/things/live/messages/{operation}","headers":{{"correlation-id":"c","response-required":true,"content-type":"application/json"}},"path":"/features/UpdateManager/inbox/messages/{operation}","value":{value}}}"#
    )
}

/// The same without a value.
fn request_without_value(operation: &str) -> String {
    request(operation, "").replace(",\"value\":", "")
}

#[test]
fn every_malformed_request_has_an_answer_that_says_what_is_wrong() {
    for (name, message, expected) in [
        ("apply", request("apply", r#"{"activityId":"x","timestamp":1}"#), "desired state is missing"),
        ("apply", request("apply", r#""text""#), "value is not an object (byte 212)"),
        ("apply", request_without_value("apply"), "desired state is missing"),
        ("apply", request("apply", "null"), "desired state is missing"),
        ("apply", request("apply", "[]"), "value is not an object (byte 212)"),
        (
            "apply",
            request("apply", r#"{"activityId":5,"desiredState":{}}"#),
            "value.activityId is not a string (byte 226)",
        ),
        (
            "apply",
            request("apply", r#"{"activityId":"x","desiredState":"x"}"#),
            "value.desiredState is not an object (byte 245)",
        ),
        (
            "apply",
            request("apply", r#"{"activityId":"x","desiredState":{"domains":"%d%s"}}"#),
            "value.desiredState.domains is not an array (byte 256)",
        ),
        (
            "apply",
            request("apply", r#"{"activityId":"x","desiredState":{"domains":[null]}}"#),
            "value.desiredState.domains[0] is not an object (byte 257)",
        ),
        (
            "apply",
            request("apply", r#"{"activityId":"x","desiredState":{"domains":[{"id":"a"},{"id":"a"}]}}"#),
            "value.desiredState.domains[1].id repeats the domain a (byte 274)",
        ),
        (
            "apply",
            request(
                "apply",
                r#"{"activityId":"x","desiredState":{"domains":[{"id":"a","components":[{"id":"b","config":[1]}]}]}}"#,
            ),
            "value.desiredState.domains[0].components[0].config[0] is not an object (byte 301)",
        ),
        ("apply", request("apply", r#"{"desiredState":{}}"#), "value.activityId is missing or empty (byte 212)"),
        (
            "apply",
            request("apply", r#"{"activityId":"","desiredState":{}}"#),
            "value.activityId is missing or empty (byte 212)",
        ),
        (
            "apply",
            request("apply", r#"{"activityId":"x","timestamp":"1","desiredState":{}}"#),
            "value.timestamp is not an integer of 64 bits (byte 242)",
        ),
        ("refresh", request("refresh", r#""x""#), "value is not an object (byte 216)"),
        ("refresh", request("refresh", r#"{"activityId":[]}"#), "value.activityId is not a string (byte 230)"),
        ("consent", request("consent", "{}"), "owner consent feedback is missing"),
        (
            "consent",
            request("consent", r#"{"ownerConsentFeedback":{}}"#),
            "value.ownerConsentFeedback.status is missing (byte 240)",
        ),
    ] {
        assert_eq!(outcome(&message, name), (expected.to_string(), true, "c".to_string()), "{message}");
    }
}

#[test]
fn what_cannot_be_read_is_answered_with_what_its_topic_tells() {
    for (message, expected) in [
        ("hello", "refresh: message is not JSON: a value is expected (byte 0)"),
        ("", "refresh: message is empty (byte 0)"),
        ("null", "refresh: message is not an object (byte 0)"),
        ("[]", "refresh: message is not an object (byte 0)"),
        ("{}", "refresh: path is missing (byte 0)"),
        (r#"{"path":null,"topic":5}"#, "refresh: path is missing (byte 0)"),
        (r#"{"path":{},"value":{}}"#, "refresh: path is not a string (byte 8)"),
        (r#"{"topic":"","topic":""}"#, "refresh: topic stands twice (byte 20)"),
    ] {
        assert_eq!(outcome(message, "refresh"), (expected.to_string(), true, "none".to_string()), "{message}");
        let other = (expected.replacen("refresh", "bogus", 1), true, "none".to_string());
        assert_eq!(outcome(message, "bogus"), other, "{message}");
    }
    let truncated = request("apply", "{}");
    assert_eq!(
        outcome(&truncated[..100], "apply"),
        ("apply: message ends too early (byte 100)".to_string(), true, "none".to_string())
    );
}

#[test]
fn an_answer_has_what_can_be_read_of_a_malformed_request() {
    let message = request("apply", "{}");
    for (message, expected, id) in [
        (
            message.replace("test.ns/edge:device/things/live/messages/apply", "nonsense"),
            "apply: topic is not namespace/name/things/live/messages/ and the path's operation (byte 9)",
            "c",
        ),
        (
            message.replace("messages/apply\",\"headers", "messages/refresh\",\"headers"),
            "apply: topic is not namespace/name/things/live/messages/ and the path's operation (byte 9)",
            "c",
        ),
        (
            message.replace("things/live", "things/twin"),
            "apply: topic is not namespace/name/things/live/messages/ and the path's operation (byte 9)",
            "c",
        ),
        (message.replace("\"topic\"", "\"Topic\""), "apply: topic is missing (byte 0)", "c"),
        (
            message.replace(r#""correlation-id":"c""#, r#""correlation-id":7"#),
            "apply: headers.correlation-id is not a string (byte 86)",
            "none",
        ),
        (
            message.replace(r#""correlation-id""#, r#""correlation-id":"","correlation-id""#),
            "apply: headers.correlation-id stands twice (byte 106)",
            "none",
        ),
        (
            message.replace(r#""correlation-id""#, r#""Correlation-Id":"","correlation-id""#),
            "apply: headers.correlation-id stands twice (byte 106)",
            "none",
        ),
        (
            message.replace(":\"c\"", &format!(":\"{}\"", "c".repeat(CORRELATION_ID_MAX + 1))),
            "apply: headers.correlation-id is longer than 512 bytes (byte 86)",
            "none",
        ),
    ] {
        assert_eq!(outcome(&message, "refresh"), (expected.to_string(), true, id.to_string()), "{message}");
    }
    let longest = "c".repeat(CORRELATION_ID_MAX);
    assert_eq!(outcome(&message.replace(":\"c\"", &format!(":\"{longest}\"")), "apply").2, longest);
    let bad_headers = message.replace("\"headers\":{", "\"headers\":7,\"x\":{");
    assert_eq!(
        outcome(&bad_headers, "apply"),
        ("apply: headers is not an object (byte 68)".to_string(), true, "none".to_string())
    );
}

#[test]
fn only_a_plain_false_leaves_a_request_without_an_answer() {
    let with = |header: &str| request("refresh", "{}").replace(r#""response-required":true"#, header);
    for (header, required) in [
        (r#""response-required":false"#, false),
        (r#""response-required":"false""#, true),
        (r#""response-required":"true""#, true),
        (r#""response-required":null"#, true),
        (r#""response-required":0"#, true),
        (r#""Response-Required":false"#, false),
        (r#""RESPONSE-REQUIRED":false"#, false),
        (r#""response\u002drequired":false"#, false),
        (r#""response_required":false"#, true),
    ] {
        assert_eq!(decode(&with(header), "refresh").unwrap().0.required, required, "{header}");
    }
    let malformed = with(r#""response-required":false"#).replace(r#"{}}"#, r#""x"}"#);
    assert_eq!(
        outcome(&malformed, "refresh"),
        ("value is not an object (byte 217)".to_string(), false, "c".to_string())
    );
    let bare = r#"{"topic":"test.ns/edge:device/things/live/messages/apply","path":"/features/UpdateManager/inbox/messages/apply","value":{"activityId":"x"}}"#;
    assert_eq!(outcome(bare, "apply"), ("desired state is missing".to_string(), true, "none".to_string()));
}

#[test]
fn another_thing_feature_or_operation_is_none_of_ours() {
    let message = request("apply", r#"{"activityId":"x","desiredState":{}}"#);
    let of = |thing: &str| message.replace("test.ns/edge:device/", &format!("{thing}/"));
    let at = |path: &str| message.replace("/features/UpdateManager/inbox/messages/apply", path);
    for other in [
        of("other/thing"),
        of("test.ns/edge:devic"),
        of("test.ns/edge:device2"),
        of("Test.ns/edge:device"),
        of("test.ns:edge/device"),
        of("_/_"),
    ] {
        assert_eq!(outcome(&other, "apply").0, "another thing", "{other}");
    }
    for other in [
        request("bogus", "{}"),
        at("/features/Other/inbox/messages/apply"),
        at("/features/UpdateManager/outbox/messages/apply"),
        at("/features/UpdateManager/inbox/messages/apply/"),
        at("/features/UpdateManager/inbox/messages/Apply"),
        at("/features/UpdateManager/inbox/messages/"),
        at("features/UpdateManager/inbox/messages/apply"),
        at("/"),
        at(""),
    ] {
        assert_eq!(outcome(&other, "apply").0, "another feature or operation", "{other}");
    }
    let unanswered = of("other/thing").replace("\"path\"", "\"p\"");
    assert_eq!(outcome(&unanswered, "apply").0, "another thing");
}

#[test]
fn a_request_is_taken_for_what_its_own_topic_and_path_say() {
    let escaped = request("apply", r#"{"activityId":"\u0061","desiredState":{"domains":[{"id":"c"}]}}"#)
        .replace("test.ns/edge", r"test.ns\/\u0065dge")
        .replace("/features/UpdateManager/inbox", r"\/features/UpdateManager\/inbo\u0078");
    assert_eq!(outcome(&escaped, "bogus"), ("apply a 1".to_string(), true, "c".to_string()));
    for (operation, value, expected) in [
        ("apply", r#"{"activityId":"e1","timestamp":1,"desiredState":{}}"#, "apply e1 0"),
        ("refresh", "{}", "refresh "),
        ("refresh", "null", "refresh "),
        ("refresh", r#"{"activityId":"r","timestamp":5,"payload":7,"desiredState":7}"#, "refresh r"),
        ("consent", r#"{"activityId":"a","ownerConsentFeedback":{"status":"DENIED"}}"#, "consent a Denied"),
        ("consent", r#"{"ownerConsentFeedback":{"status":"x"}}"#, "consent  Unknown"),
    ] {
        assert_eq!(outcome(&request(operation, value), operation).0, expected);
    }
    assert_eq!(outcome(&request_without_value("refresh"), "refresh").0, "refresh ");
}

#[test]
fn a_namespace_with_a_name_of_odd_characters_is_compared_as_it_is() {
    let identity = identity_of("n:a\"\\€");
    let topic = RequestTopic::parse("c///q/1/refresh", &identity).unwrap();
    let message = request("refresh", "{}").replace("test.ns/edge:device/", r#"n/a\"\u005c\u20ac/"#);
    assert!(Request::decode(message.as_bytes(), &topic, &identity).unwrap().1.is_ok());
    let other = message.replace(r"\u005c", "");
    assert_eq!(Request::decode(other.as_bytes(), &topic, &identity).unwrap_err(), Foreign("another thing"));
}

#[test]
fn a_desired_state_is_the_same_as_in_plain_mode() {
    let payload = r#"{"baselines":[{"title":"b","components":["c:x","d:y"]}],"domains":[{"id":"c","components":[{"id":"x"}]},{"id":"d"}]}"#;
    let plain = message(payload);
    let twin = request("apply", &format!(r#"{{"timestamp":-7,"desiredState": {payload},"activityId":"m"}}"#));
    let (envelope, state) = decode(&twin, "apply").unwrap().1.unwrap().apply().unwrap();
    assert!(envelope.activity.eq_str("m"));
    assert_eq!(envelope.timestamp, -7);
    assert_eq!(envelope.payload().unwrap().of(&twin), payload);
    let copy = twin.clone().into_bytes();
    let plain_state = desired_state_of(plain.as_bytes()).unwrap();
    for ix in [0, 1] {
        assert_eq!(part(&copy, &state, ix), part(plain.as_bytes(), &plain_state, ix));
        assert_eq!(state.domain_id(&copy, ix), plain_state.domain_id(plain.as_bytes(), ix));
    }
}

#[test]
fn an_owners_answer_is_the_same_as_in_plain_mode() {
    let message =
        request("consent", r#"{"activityId":"a","timestamp":3,"ownerConsentFeedback":{"status":"APPROVED"}}"#);
    let (reply, request) = decode(&message, "consent").unwrap();
    let (envelope, consent) = request.unwrap().consent().unwrap();
    assert_eq!((envelope.timestamp, consent), (3, ConsentReply::Approved));
    assert!(envelope.activity.eq_str("a") && reply.correlation_id.unwrap().eq_str("c"));
}

#[test]
fn a_request_cut_at_any_byte_is_refused() {
    let message = request("consent", r#"{"activityId":"a","ownerConsentFeedback":{"status":"APPROVED"}}"#);
    for end in 0..message.len() {
        let Ok((reply, Err(flaw))) = decode(&message[..end], "consent") else {
            panic!("{end} bytes are taken");
        };
        assert_eq!(reply, Reply::unread("consent"));
        assert!(flaw.offset as usize <= end);
    }
}

#[test]
fn damaged_requests_and_edge_responses_do_no_harm() {
    let seeds = [
        request("apply", r#"{"activityId":"a","timestamp":1,"desiredState":{"domains":[{"id":"c"}]}}"#),
        request("refresh", r#"{"activityId":"r","timestamp":1}"#),
        request("consent", r#"{"activityId":"a","ownerConsentFeedback":{"status":"APPROVED"}}"#),
        r#"{"deviceId":"test.ns:edge:device","tenantId":"t1","policyId":""}"#.to_string(),
    ];
    let topics = ["command///req/1/apply", "c//test.ns:edge:device/q//consent"];
    let identity = identity();
    let mut random = Random(0xfeed_beef);
    let mut outcomes = [0; 4];
    for round in 0..40_000 {
        let mut bytes = seeds[round % seeds.len()].clone().into_bytes();
        random.damage(&mut bytes);
        let mut topic = topics[round % topics.len()].as_bytes().to_vec();
        random.damage(&mut topic);
        let topic = String::from_utf8_lossy(&topic);
        let topic = RequestTopic::parse(&topic, &identity);
        let topic = topic.unwrap_or_else(|| RequestTopic::parse(topics[0], &identity).unwrap());
        assert!(topic.answer(400).ends_with("/400"));
        outcomes[match Request::decode(&bytes, &topic, &identity) {
            Ok((_, Ok(request))) => {
                let _ = (request.apply(), request.refresh(), request.consent());
                0
            }
            Err(Foreign(_)) => 1,
            Ok((_, Err(flaw))) => {
                assert!(flaw.to_string().len() < 300);
                2
            }
        }] += 1;
        outcomes[3] += usize::from(Identity::decode(&bytes).is_ok());
    }
    assert!(outcomes.iter().all(|n| *n > 500), "{outcomes:?}: the damage tests nothing");
}
