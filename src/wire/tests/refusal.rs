//! Every malformed message is refused with words that name what and where, and
//! its activity is found where it can be read.

use core::mem::size_of;

use super::super::activity_of;
use super::*;

fn refusals(decode: fn(&[u8]) -> Option<Malformed>, cases: &[(&[u8], &str)]) {
    for (bytes, expected) in cases {
        let error = decode(bytes).map(|error| error.within(bytes).to_string());
        assert_eq!(error.as_deref(), Some(*expected), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn an_envelope_that_is_malformed_is_refused_by_place() {
    refusals(
        |bytes| Envelope::decode(bytes).err(),
        &[
            (b"", "message is empty (byte 0)"),
            (b" \n", "message is empty (byte 2)"),
            (b"hello {", "message is not JSON: a value is expected (byte 0)"),
            (br#"{"activityId":"x","payl"#, "message ends too early (byte 23)"),
            (b"null", "message is not an object (byte 0)"),
            (b"42", "message is not an object (byte 0)"),
            (b"[]", "message is not an object (byte 0)"),
            (br#""x""#, "message is not an object (byte 0)"),
            (br#"{"activityId":"m","timestamp":1,"payload":"text"}"#, "payload is not an object (byte 42)"),
            (br#"{"activityId":"m","timestamp":1,"payload":[]}"#, "payload is not an object (byte 42)"),
            (br#"{"activityId":5,"timestamp":1,"payload":{}}"#, "activityId is not a string (byte 14)"),
            (br#"{"activityId":"m","timestamp":"1","payload":{}}"#, "timestamp is not an integer of 64 bits (byte 30)"),
            (br#"{"activityId":"m","timestamp":1.5,"payload":{}}"#, "timestamp is not an integer of 64 bits (byte 30)"),
            (br#"{"timestamp":1.0}"#, "timestamp is not an integer of 64 bits (byte 13)"),
            (br#"{"timestamp":1e3}"#, "timestamp is not an integer of 64 bits (byte 13)"),
            (br#"{"timestamp":9223372036854775808}"#, "timestamp is not an integer of 64 bits (byte 13)"),
            (
                br#"{"activityId":"m","timestamp":99999999999999999999,"payload":{}}"#,
                "timestamp is not an integer of 64 bits (byte 30)",
            ),
            (br#"{"activityId":"m","timestamp":1,"payload":{}} garbage"#, "message goes on after its end (byte 46)"),
            (
                b"\xef\xbb\xbf{\"activityId\":\"m\",\"timestamp\":1,\"payload\":{}}",
                "message has a byte order mark (byte 0)",
            ),
            (
                b"{\"activityId\":\"m\xff\xfe\",\"timestamp\":1,\"payload\":{\"status\":\"\xff\"}}",
                "message is not UTF-8 (byte 16)",
            ),
            (&[0; 64], "message is not JSON: a value is expected (byte 0)"),
            (br#"{"activityId":"a","activityId":"m","timestamp":1,"payload":{}}"#, "activityId stands twice (byte 31)"),
            (br#"{"activityId":"a","activity\u0049d":null}"#, "activityId stands twice (byte 36)"),
            (br#"{"payload":{},"payload":{}}"#, "payload stands twice (byte 24)"),
            (b"\xff\xfe{\0\"\0", "message is not UTF-8 (byte 0)"),
            (
                br#"{"activityId":"m\ud800","timestamp":1,"payload":{}}"#,
                "message has half of a surrogate pair in a string (byte 16)",
            ),
            (br#"{"activityId":"m\x"}"#, "message has an escape in a string that means nothing (byte 16)"),
            (b"{\"activityId\":\"a\nb\"}", "message has a raw control character in a string (byte 16)"),
            (br#"{"a":1,}"#, "message is not JSON: a key is expected (byte 7)"),
            (br#"{"a":[1,]}"#, "message is not JSON: a value is expected (byte 8)"),
            (br#"{"a":[1 2]}"#, "message is not JSON: a comma or the closing bracket is expected (byte 8)"),
            (br#"{"a" 1}"#, "message is not JSON: a colon is expected (byte 5)"),
            (br#"{"a""#, "message ends too early (byte 4)"),
            (br#"{"a":01}"#, "message is not JSON: a comma or the closing bracket is expected (byte 6)"),
            (br#"{"a":+1}"#, "message is not JSON: a value is expected (byte 5)"),
            (br#"{"a":1.}"#, "message is not JSON: a number is not well formed (byte 5)"),
            (br#"{"a":-}"#, "message is not JSON: a number is not well formed (byte 5)"),
            (br#"{"a":[}"#, "message is not JSON: a value is expected (byte 6)"),
            (br#"{"a":{]}"#, "message is not JSON: a key is expected (byte 6)"),
            (br#"{"a":nul}"#, "message is not JSON: a value is expected (byte 5)"),
            (br#"{'a':1}"#, "message is not JSON: a key is expected (byte 1)"),
            (br#"{"a":1"#, "message ends too early (byte 6)"),
        ],
    );
}

#[test]
fn an_envelope_without_its_keys_is_an_empty_one() {
    let cases: [&[u8]; 4] = [
        b" {} ",
        br#"{"activityId":null,"timestamp":null,"payload":null}"#,
        br#"{"ACTIVITYID":"m","TimeStamp":1,"PAYLOAD":{}}"#,
        br#"{"other":[{"activityId":"x"}]}"#,
    ];
    for bytes in cases {
        let envelope = Envelope::decode(bytes).unwrap();
        assert!(envelope.activity.is_empty());
        assert_eq!((envelope.timestamp, envelope.payload()), (0, None));
    }
    let envelope = Envelope::decode(br#"{"payload":{"a":1},"timestamp":-9223372036854775808,"activityId":"\u006d"}"#);
    let envelope = envelope.unwrap();
    assert!(envelope.activity.eq_str("m"));
    assert_eq!(envelope.timestamp, i64::MIN);
    assert_eq!(envelope.payload(), Some(super::super::Span { start: 11, len: 7 }));
}

#[test]
fn a_desired_state_that_is_malformed_is_refused_by_place() {
    let cases = [
        ("null", "desired state is missing"),
        (r#"{"domains":[null]}"#, "payload.domains[0] is not an object (byte 54)"),
        (r#"{"domains":[{}]}"#, "payload.domains[0].id is missing (byte 54)"),
        (r#"{"domains":[{"id":null}]}"#, "payload.domains[0].id is missing (byte 54)"),
        (r#"{"domains":[{"id":""}]}"#, "payload.domains[0].id is empty (byte 60)"),
        (r#"{"domains":[{"id":5}]}"#, "payload.domains[0].id is not a string (byte 60)"),
        (r#"{"domains":[[]]}"#, "payload.domains[0] is not an object (byte 54)"),
        (r#"{"domains":"containers"}"#, "payload.domains is not an array (byte 53)"),
        (r#"{"domains":{}}"#, "payload.domains is not an array (byte 53)"),
        (r#"{"domains":[],"domains":[]}"#, "payload.domains stands twice (byte 66)"),
        (r#"{"baselines":[null],"domains":[{"id":"containers"}]}"#, "payload.baselines[0] is not an object (byte 56)"),
        (r#"{"baselines":{}}"#, "payload.baselines is not an array (byte 55)"),
        (r#"{"baselines":[{"title":1}]}"#, "payload.baselines[0].title is not a string (byte 65)"),
        (r#"{"baselines":[{"components":[null]}]}"#, "payload.baselines[0].components[0] is not a string (byte 71)"),
        (r#"{"baselines":[{"components":"a:b"}]}"#, "payload.baselines[0].components is not an array (byte 70)"),
        (
            r#"{"baselines":[{"components":[],"components":[]}]}"#,
            "payload.baselines[0].components stands twice (byte 86)",
        ),
        (
            r#"{"domains":[{"id":"containers","components":[null],"config":[null]}]}"#,
            "payload.domains[0].config[0] is not an object (byte 103)",
        ),
        (
            r#"{"domains":[{"id":"containers","components":[null]}]}"#,
            "payload.domains[0].components[0] is not an object (byte 87)",
        ),
        (
            r#"{"domains":[{"id":"c"},{"id":"d","components":[{"id":"a"},{"version":"1"}]}]}"#,
            "payload.domains[1].components[1].id is missing (byte 100)",
        ),
        (
            r#"{"domains":[{"id":"c","components":[{"id":""}]}]}"#,
            "payload.domains[0].components[0].id is empty (byte 84)",
        ),
        (
            r#"{"domains":[{"id":"c","components":[{"id":"a","version":1}]}]}"#,
            "payload.domains[0].components[0].version is not a string (byte 98)",
        ),
        (
            r#"{"domains":[{"id":"c","components":[{"id":"a","config":[{},{"key":"k","value":5}]}]}]}"#,
            "payload.domains[0].components[0].config[1] is not one string key with one string value (byte 101)",
        ),
        (
            r#"{"domains":[{"id":"c","config":[{"key":"k","key":"k"}]}]}"#,
            "payload.domains[0].config[0] is not one string key with one string value (byte 74)",
        ),
        (r#"{"domains":[{"id":"c","config":["k"]}]}"#, "payload.domains[0].config[0] is not an object (byte 74)"),
        (
            r#"{"domains":[{"id":"containers","components":[{"id":"a","version":"1"}]},{"id":"containers","components":[{"id":"b","version":"2"}]}]}"#,
            "payload.domains[1].id repeats the domain containers (byte 120)",
        ),
        (
            r#"{"domains":[{"id":"c\u006f"},{"id":"c\u001bo"},{"id":"co"}]}"#,
            "payload.domains[2].id repeats the domain co (byte 95)",
        ),
    ];
    for (payload, expected) in cases {
        refusals(|bytes| desired_state_of(bytes).err(), &[(message(payload).as_bytes(), expected)]);
    }
    refusals(
        |bytes| desired_state_of(bytes).err(),
        &[(b"{}", "desired state is missing"), (br#"{"activityId":"m"}"#, "desired state is missing")],
    );
}

#[test]
fn a_feedback_that_is_malformed_is_refused_by_place() {
    let cases = [
        ("null", "feedback is missing"),
        ("{}", "payload.status is missing (byte 42)"),
        (r#"{"status":null}"#, "payload.status is missing (byte 42)"),
        (r#"{"status":5}"#, "payload.status is not a string (byte 52)"),
        (r#"{"status":"DOWNLOADING","message":5}"#, "payload.message is not a string (byte 76)"),
        (r#"{"status":"DOWNLOADING","actions":{}}"#, "payload.actions is not an array (byte 76)"),
        (r#"{"status":"DOWNLOADING","actions":[{}]}"#, "payload.actions[0].component is missing (byte 77)"),
        (r#"{"status":"DOWNLOADING","actions":[null]}"#, "payload.actions[0] is not an object (byte 77)"),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{}}]}"#,
            "payload.actions[0].component.id is missing (byte 90)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":null}]}"#,
            "payload.actions[0].component is missing (byte 77)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":"a"}]}"#,
            "payload.actions[0].component is not an object (byte 90)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":""}}]}"#,
            "payload.actions[0].component.id is empty (byte 96)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a","version":1}}]}"#,
            "payload.actions[0].component.version is not a string (byte 110)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"progress":300}]}"#,
            "payload.actions[0].progress is not an integer from 0 to 100 (byte 112)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"progress":256}]}"#,
            "payload.actions[0].progress is not an integer from 0 to 100 (byte 112)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"progress":-1}]}"#,
            "payload.actions[0].progress is not an integer from 0 to 100 (byte 112)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"progress":1.0}]}"#,
            "payload.actions[0].progress is not an integer from 0 to 100 (byte 112)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"progress":"1"}]}"#,
            "payload.actions[0].progress is not an integer from 0 to 100 (byte 112)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"status":1}]}"#,
            "payload.actions[0].status is not a string (byte 110)",
        ),
        (
            r#"{"status":"DOWNLOADING","actions":[{"component":{"id":"a"},"message":[]}]}"#,
            "payload.actions[0].message is not a string (byte 111)",
        ),
    ];
    for (payload, expected) in cases {
        refusals(|bytes| feedback_of(bytes).err(), &[(message(payload).as_bytes(), expected)]);
    }
}

#[test]
fn an_inventory_that_is_malformed_is_refused_by_place() {
    let cases = [
        ("null", "inventory is missing"),
        (r#"{"softwareNodes":[null]}"#, "payload.softwareNodes[0] is not an object (byte 60)"),
        (
            r#"{"softwareNodes":[{"id":"a","type":"APPLICATION","parameters":[null]}]}"#,
            "payload.softwareNodes[0].parameters[0] is not an object (byte 105)",
        ),
        (r#"{"hardwareNodes":[null]}"#, "payload.hardwareNodes[0] is not an object (byte 60)"),
        (r#"{"hardwareNodes":[{}]}"#, "payload.hardwareNodes[0].id is missing (byte 60)"),
        (
            r#"{"hardwareNodes":[{"id":"h","addressable":"yes"}]}"#,
            "payload.hardwareNodes[0].addressable is neither true nor false (byte 84)",
        ),
        (r#"{"associations":[null]}"#, "payload.associations[0] is not an object (byte 59)"),
        (r#"{"associations":[{"targetId":"x"}]}"#, "payload.associations[0].sourceId is missing (byte 59)"),
        (
            r#"{"associations":[{"sourceId":"x","targetId":5}]}"#,
            "payload.associations[0].targetId is not a string (byte 86)",
        ),
        (r#"{"softwareNodes":[{"id":5}]}"#, "payload.softwareNodes[0].id is not a string (byte 66)"),
        (r#"{"softwareNodes":[{"id":"a","type":5}]}"#, "payload.softwareNodes[0].type is not a string (byte 77)"),
        (r#"{"softwareNodes":{}}"#, "payload.softwareNodes is not an array (byte 59)"),
    ];
    for (payload, expected) in cases {
        refusals(|bytes| inventory_of(bytes).err(), &[(message(payload).as_bytes(), expected)]);
    }
}

#[test]
fn a_message_nested_too_deep_is_refused_and_its_activity_still_found() {
    for n in [9000, 20000] {
        let bytes = [br#"{"activityId":"x","timestamp":1,"payload":"#.as_slice(), &vec![b'['; n], &vec![b']'; n], b"}"]
            .concat();
        refusals(|bytes| Envelope::decode(bytes).err(), &[(&bytes, "message has more than 32 levels (byte 73)")]);
        assert!(activity_of(&bytes).unwrap().eq_str("x"));
    }
}

#[test]
fn a_malformed_feedback_leaves_no_actions_behind() {
    let good = message(r#"{"status":"IDENTIFIED","actions":[{"component":{"id":"a"}}]}"#);
    let bad = message(r#"{"status":"IDENTIFIED","actions":[{"component":{"id":"a"}},{}]}"#);
    let mut actions = heapless::Vec::new();
    feedback::decode(&Envelope::decode(good.as_bytes()).unwrap(), &mut actions).unwrap();
    assert_eq!(actions.len(), 1);
    assert!(feedback::decode(&Envelope::decode(bad.as_bytes()).unwrap(), &mut actions).is_err());
    assert!(actions.is_empty());
}

#[test]
fn an_error_is_small_enough_to_be_passed_around() {
    assert!(size_of::<Malformed>() < 128, "{}", size_of::<Malformed>());
}
