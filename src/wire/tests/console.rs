//! What our own client asks is what the manager reads.

use super::*;
use crate::wire::console::{decode, encode, encode_end, encode_error, encode_taken, Ask, Request, FULL, TOO_LONG};

#[test]
fn a_request_is_read_as_it_was_asked() {
    for ask in [Ask::Apply, Ask::Cancel] {
        for (force, json) in [(false, false), (true, false), (false, true), (true, true)] {
            let activity = Text::from_checked("demo");
            let request = Request { ask, activity, json, force, screen: (0, 0), since: 0 };
            let desired = (ask == Ask::Apply).then_some((7, r#"{"domains":[]}"#));
            let mut line = String::new();
            encode(&mut line, &request, desired).unwrap();
            let read = decode(line.as_bytes()).unwrap();
            assert_eq!((read.ask, read.activity, read.json, read.force), (ask, activity, json, force), "{line}");
            if desired.is_some() {
                // The same line is the message that a backend would have sent.
                let envelope = Envelope::decode(line.as_bytes()).unwrap();
                assert_eq!((envelope.activity, envelope.timestamp), (activity, 7));
                assert_eq!(desired_state_of(line.as_bytes()).unwrap().domains(), 0);
            }
        }
    }
    let flaw = decode(br#"{"command":"apply","force":"yes"}"#).unwrap_err();
    assert_eq!(
        flaw.within(br#"{"command":"apply","force":"yes"}"#).to_string(),
        "force is neither true nor false (byte 27)"
    );
}

#[test]
fn what_is_zero_or_empty_is_not_in_a_request() {
    let request =
        |screen, since| Request { ask: Ask::Watch, activity: Text::EMPTY, json: false, force: false, screen, since };
    for (screen, since, line) in [
        ((0, 0), 0, r#"{"command":"watch"}"#),
        ((80, 0), 0, r#"{"command":"watch","columns":80}"#),
        ((1, 1), 1, r#"{"command":"watch","columns":1,"rows":1,"timestamp":1}"#),
    ] {
        let mut out = String::new();
        encode(&mut out, &request(screen, since), None).unwrap();
        assert_eq!(out, format!("{line}\n"));
        let read = decode(line.as_bytes()).unwrap();
        assert_eq!((read.screen, read.since), (screen, since));
    }
}

#[test]
fn an_answer_to_apply_leaves_out_what_is_empty() {
    for (activity, is_taken, why, expected) in [
        ("a-1", true, "", r#"{"id":"a-1","taken":true}"#),
        ("a-1", false, "busy", r#"{"id":"a-1","taken":false,"reason":"busy"}"#),
        ("", false, "no id", r#"{"taken":false,"reason":"no id"}"#),
    ] {
        let mut out = String::new();
        encode_taken(&mut out, Text::from_checked(activity), is_taken, why).unwrap();
        assert_eq!(out, expected);
    }
}

#[test]
fn a_refusal_that_is_held_ready_is_an_answer_like_any_other() {
    for (ready, why) in [(FULL, "too many consoles are open"), (TOO_LONG, "the request is too long")] {
        let mut line = String::new();
        encode_error(&mut line, &why).unwrap();
        encode_end(&mut line, "", Some(crate::exit::FAILED)).unwrap();
        assert_eq!(ready, line.as_bytes());
    }
}
