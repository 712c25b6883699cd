//! The activity of a message that is malformed or too large.

use super::super::{activity_of, TextFinder};
use super::*;
use crate::limits::ACTIVITY_ID_MAX;

#[test]
fn the_activity_is_found_wherever_it_can_be_read() {
    let deep = [br#"{"activityId":"m","payload":"#.as_slice(), &[b'['; 9000], &[b']'; 9000], b"}"].concat();
    let after = [br#"{"payload":"#.as_slice(), &[b'['; 9000], &[b']'; 9000], br#","activityId":"m"}"#].concat();
    let cases: [(&[u8], Option<&str>); 42] = [
        (br#"{"activityId":"m"}"#, Some("m")),
        (br#" { "x" : {"activityId":"no"} , "activityId" : "m" } "#, Some("m")),
        (br#"{"activityId":"x","payl"#, Some("x")),
        (br#"{"activityId":"m","payload":{}} garbage"#, Some("m")),
        (br#"{"activityId":"m","payload":{"domains":[{"#, Some("m")),
        (br#"{"payload":{"a":"\ud800","b":01},"activityId":"m"}"#, Some("m")),
        (b"{\"payload\":\"\xff\xfe\",\"activityId\":\"m\"}", Some("m")),
        (b"\xef\xbb\xbf{\"activityId\":\"m\"}", Some("m")),
        (br#"{"payload":{"s":"}\"{[","activityId":"no"},"activityId":"m"}"#, Some("m")),
        (br#"{"timestamp":1.5,"activityId":"m"}"#, Some("m")),
        (br#"{"activityId":"a","activityId":"m"}"#, Some("m")),
        (br#"{"activity\u0049d":"\u006d"}"#, Some(r"\u006d")),
        (br#"{"activityId":"a\"b\\"}"#, Some(r#"a\"b\\"#)),
        (&deep, Some("m")),
        (&after, Some("m")),
        (b"", None),
        (b"{}", None),
        (b"null", None),
        (br#""activityId":"m""#, None),
        (br#"["activityId","m"]"#, None),
        (br#"[{"activityId":"m"}]"#, None),
        (br#"["x","activityId":"m"]"#, None),
        (br#"{"payload":{"activityId":"m"}}"#, None),
        (br#"{"ACTIVITYID":"m"}"#, None),
        (br#"{"activityId":""}"#, None),
        (br#"{"activityId":5}"#, None),
        (br#"{"activityId":null}"#, None),
        (br#"{"activityId":["m"]}"#, None),
        (br#"{"activityId":{"activityId":"m"}}"#, None),
        (br#"{"activityId":"m"#, None),
        (br#"{"activityId":"a","activityId":"m"#, None),
        (br#"{"activityId":"m\ud800"}"#, None),
        (b"{\"activityId\":\"m\xff\"}", None),
        (b"{\"activityId\":\"m\n\"}", None),
        (br#"{} {"activityId":"m"}"#, None),
        (b"{\xef\"activityId\":\"m\"}", None),
        (b"   \xef\xbb\xbf{\"activityId\":\"m\"}", None),
        (br#":{"activityId":"m"}"#, None),
        (br#",{"activityId":"m"}"#, None),
        (br#"x{"activityId":"m"}"#, None),
        (br#"{"a":{"activityId",:"no"},"activityId":"m"}"#, Some("m")),
        (b"{\0\"\0a\0c\0t\0", None),
    ];
    for (bytes, expected) in cases {
        let found = activity_of(bytes).map(|text| text.as_json());
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(80)]));
    }
}

#[test]
fn the_activity_is_found_before_and_after_a_payload_of_a_mebibyte_in_parts() {
    let payload = format!(r#"{{"message":"{}"}}"#, r#"\"}{x"#.repeat(1 << 18));
    let before = format!(r#"{{"activityId":"m\u0031","payload":{payload}}}"#);
    let after = format!(r#"{{"payload":{payload},"activityId":"m\u0031"}}"#);
    for (message, sizes) in [(&before, [3, 16384]), (&after, [7, 16384])] {
        for size in sizes {
            let mut finder = TextFinder::of_activity();
            message.as_bytes().chunks(size).for_each(|part| finder.push(part));
            assert!(finder.activity().unwrap().eq_str("m1"));
        }
    }
}

#[test]
fn an_activity_past_the_limit_is_not_found_and_is_refused() {
    let fits = format!(r#"{{"activityId":"{}"}}"#, "x".repeat(ACTIVITY_ID_MAX));
    let past = format!(r#"{{"activityId":"{}"}}"#, "x".repeat(ACTIVITY_ID_MAX + 1));
    assert_eq!(activity_of(fits.as_bytes()).unwrap().as_json().len(), ACTIVITY_ID_MAX);
    assert_eq!(Envelope::decode(fits.as_bytes()).unwrap().activity.as_json().len(), ACTIVITY_ID_MAX);
    assert_eq!(activity_of(past.as_bytes()), None);
    let error = Envelope::decode(past.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "activityId is longer than 256 bytes (byte 14)");
}

#[test]
fn the_finder_agrees_with_the_envelope_however_the_message_is_cut_in_parts() {
    let message = message(r#"{"activityId":"no","a":["b\"",{}]}"#);
    for at in 0..=message.len() {
        let mut finder = TextFinder::of_activity();
        finder.push(&message.as_bytes()[..at]);
        assert_eq!(finder.activity().map(|text| text.as_json()), (at >= 17).then_some("m"), "{at} bytes");
        finder.push(&message.as_bytes()[at..]);
        assert_eq!(finder.activity().unwrap(), Envelope::decode(message.as_bytes()).unwrap().activity);
    }
}
