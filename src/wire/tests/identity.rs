//! Who we are, and the topics that follow from it.

use super::*;
use crate::limits::{TENANT_ID_MAX, THING_ID_MAX, TOPIC_IN_MAX};
use crate::wire::things::{Incoming, RequestTopic};

fn refusal(bytes: &[u8]) -> String {
    Identity::decode(bytes).unwrap_err().to_string()
}

fn request<'t>(topic: &'t str, identity: &Identity) -> Option<RequestTopic<'t>> {
    match Incoming::classify(topic, Some(identity)) {
        Some(Incoming::Request(topic)) => Some(topic),
        _ => None,
    }
}

#[test]
fn namespace_and_name_part_at_the_first_colon() {
    let identity =
        Identity::decode(br#"{"deviceId":"test.ns:edge:device","tenantId":"t1","policyId":"","x":[]}"#).unwrap();
    assert_eq!((identity.namespace(), identity.name()), ("test.ns", "edge:device"));
    assert_eq!((identity.device_id(), identity.tenant_id()), ("test.ns:edge:device", "t1"));
}

#[test]
fn ids_that_ditto_allows_are_taken() {
    for device in ["a:b", "A1_b.c-D.e_:x", "edge:\u{20ac} \"\\,;%2F$'~@&=", "n:a:b::", "n:\u{100}", "z:..", "n: "] {
        assert_eq!(identity_of(device).device_id(), device);
    }
}

#[test]
fn ids_are_the_same_however_they_are_written() {
    let decode = |text: &str| Identity::decode(text.as_bytes()).unwrap();
    let identity = decode(r#"{"deviceId":"n:é€","tenantId":"t"}"#.replace('é', "e").as_str());
    assert_eq!(identity, decode(r#" {"policyId":"p:q","tenantId":"\u0074","deviceId":"\u006e:e\u20ac"}"#));
    assert_ne!(identity, decode(r#"{"deviceId":"n:e€","tenantId":"t2"}"#));
    assert_ne!(identity, decode(r#"{"deviceId":"n:e€"}"#));
    assert_ne!(identity, decode(r#"{"deviceId":"N:e€","tenantId":"t"}"#));
    assert_eq!(decode(r#"{"deviceId":"n:e","tenantId":null}"#), decode(r#"{"deviceId":"n:e","tenantId":""}"#));
}

#[test]
fn an_edge_response_that_is_malformed_is_refused_by_place() {
    for (bytes, expected) in [
        ("", "message is empty (byte 0)"),
        ("null", "message is not an object (byte 0)"),
        ("{}", "deviceId is missing (byte 0)"),
        (r#"{"deviceId":null}"#, "deviceId is missing (byte 0)"),
        (r#"{"deviceId":5}"#, "deviceId is not a string (byte 12)"),
        (r#"{"deviceId":""}"#, "deviceId is empty (byte 12)"),
        (r#"{"deviceId":"edge"}"#, "deviceId has no colon between namespace and name (byte 12)"),
        (r#"{"deviceId":":name"}"#, "deviceId has no namespace before its colon (byte 12)"),
        (r#"{"deviceId":":"}"#, "deviceId has no namespace before its colon (byte 12)"),
        (r#"{"deviceId":"ns:"}"#, "deviceId has no name after its colon (byte 12)"),
        (r#"{"deviceId":"a:b","deviceId":"a:b"}"#, "deviceId stands twice (byte 29)"),
        (r#"{"deviceId":"a:b","tenantId":7}"#, "tenantId is not a string (byte 29)"),
        (r#"{"deviceId":"a:b""#, "message ends too early (byte 17)"),
    ] {
        assert_eq!(refusal(bytes.as_bytes()), expected, "{bytes}");
    }
    for namespace in ["1a", "_a", ".a", "a.", "a..b", "a-", "-a", "a.1", "a/b", "a b", "a+", "#", "é", "a\\u0000"] {
        let message = format!(r#"{{"deviceId":"{namespace}:x"}}"#);
        let expected = "deviceId has a namespace that Ditto does not allow (byte 12)";
        assert_eq!(refusal(message.as_bytes()), expected, "{namespace}");
    }
    for name in ["a/b", "/", "\\u0000", "\\n", "\\u001f", "\\u007f", "\u{80}", "ÿ"] {
        let message = format!(r#"{{"deviceId":"n:{name}"}}"#);
        let expected = "deviceId has a character in its name that Ditto does not allow (byte 12)";
        assert_eq!(refusal(message.as_bytes()), expected, "{name}");
    }
    for name in ["#", "a+b", "\\u0023"] {
        let message = format!(r#"{{"deviceId":"n:{name}"}}"#);
        assert_eq!(refusal(message.as_bytes()), "deviceId has a wildcard of MQTT in its name (byte 12)", "{name}");
    }
}

#[test]
fn ids_at_their_limit_pass_and_one_past_it_is_named() {
    let message = |device: usize, tenant: usize| {
        format!(r#"{{"deviceId":"n:{}","tenantId":"{}"}}"#, "\\u0061".repeat(device - 2), "t".repeat(tenant))
    };
    let identity = Identity::decode(message(THING_ID_MAX, TENANT_ID_MAX).as_bytes()).unwrap();
    assert_eq!((identity.device_id().len(), identity.tenant_id().len()), (256, 256));
    assert_eq!(RequestTopic::filters(&identity)[1].len(), 9 + 256 + 6);
    assert_eq!(refusal(message(257, 1).as_bytes()), "deviceId is longer than 256 bytes (byte 12)");
    assert_eq!(refusal(message(3, 257).as_bytes()), "tenantId is longer than 256 bytes (byte 34)");
}

#[test]
fn requests_come_by_four_filters() {
    let filters = RequestTopic::filters(&identity());
    let expected = ["command///req/#", "command//test.ns:edge:device/req/#", "c///q/#", "c//test.ns:edge:device/q/#"];
    assert_eq!(filters.each_ref().map(|filter| filter.as_str()), expected);
}

#[test]
fn a_request_is_answered_by_the_form_of_topic_that_it_came_by() {
    for (topic, id, subject, answer) in [
        ("command///req/1/apply", "1", "apply", "command///res/1/204"),
        (
            "command//test.ns:edge:device/req/a b%€/refresh",
            "a b%€",
            "refresh",
            "command//test.ns:edge:device/res/a b%€/204",
        ),
        ("c///q/$x/consent", "$x", "consent", "c///s/$x/204"),
        ("c//test.ns:edge:device/q/9/apply", "9", "apply", "c//test.ns:edge:device/s/9/204"),
        ("command//test.ns:edge:device/req//apply", "", "apply", "command//test.ns:edge:device/res//204"),
        ("command///req/1/bogus", "1", "bogus", "command///res/1/204"),
        ("command///req/1/", "1", "", "command///res/1/204"),
    ] {
        let request = request(topic, &identity()).unwrap();
        assert_eq!((request.id, request.subject), (id, subject), "{topic}");
        assert_eq!(request.answer(204), answer);
    }
}

#[test]
fn what_is_no_request_to_us_is_told_by_its_topic() {
    for topic in [
        "",
        "command",
        "command///req",
        "command///req/1",
        "command///req/1/apply/",
        "command///req/1/apply/x",
        "command///res/1/apply",
        "command///q/1/apply",
        "c///req/1/apply",
        "c///s/1/204",
        "Command///req/1/apply",
        "/command///req/1/apply",
        "command/t1//req/1/apply",
        "command//other:device/req/1/apply",
        "command//test.ns:edge:devic/req/1/apply",
        "command//test.ns:edge:device2/req/1/apply",
        "command//TEST.ns:edge:device/req/1/apply",
        "command///req/#/apply",
        "command///req/a+/apply",
        "command///req/\u{0}/apply",
        "command///req/\u{9f}/apply",
        "edge/thing/request",
        "e",
    ] {
        assert_eq!(Incoming::classify(topic, Some(&identity())), None, "{topic}");
    }
    assert_eq!(Incoming::classify("edge/thing/response", None), Some(Incoming::EdgeResponse));
    assert_eq!(Incoming::classify("edge/thing/response", Some(&identity())), Some(Incoming::EdgeResponse));
    assert_eq!(Incoming::classify("command///req/1/apply", None), None);
}

#[test]
fn the_longest_topic_of_a_request_has_an_answer() {
    let of = |bytes: usize| format!("command///req/{}/", "i".repeat(bytes - 15));
    assert_eq!(request(&of(TOPIC_IN_MAX), &identity()).unwrap().answer(400).len(), TOPIC_IN_MAX + 3);
    assert_eq!(request(&of(TOPIC_IN_MAX + 1), &identity()), None);
}
