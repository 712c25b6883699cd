//! The owner's answer in plain mode.

use super::*;
use crate::wire::consent::{decode, ConsentReply};

fn reply(payload: &str) -> Result<ConsentReply, String> {
    let message = message(payload);
    Envelope::decode(message.as_bytes()).and_then(|envelope| decode(&envelope)).map_err(|e| e.to_string())
}

#[test]
fn an_owner_approves_or_denies_in_exact_case() {
    for (payload, expected) in [
        (r#"{"status":"APPROVED"}"#, ConsentReply::Approved),
        (r#"{"x":1,"status":"\u0044ENIED"}"#, ConsentReply::Denied),
        (r#"{"status":"approved"}"#, ConsentReply::Unknown),
        (r#"{"status":"APPROVED "}"#, ConsentReply::Unknown),
        (r#"{"status":""}"#, ConsentReply::Unknown),
    ] {
        assert_eq!(reply(payload), Ok(expected), "{payload}");
    }
}

#[test]
fn an_owners_answer_without_a_status_is_refused_by_place() {
    for (payload, expected) in [
        ("null", "owner consent feedback is missing"),
        ("{}", "payload.status is missing (byte 42)"),
        (r#"{"status":null}"#, "payload.status is missing (byte 42)"),
        (r#"{"status":true}"#, "payload.status is not a string (byte 52)"),
        (r#""APPROVED""#, "payload is not an object (byte 42)"),
        (r#"{"status":"DENIED","status":"APPROVED"}"#, "payload.status stands twice (byte 70)"),
    ] {
        assert_eq!(reply(payload), Err(expected.to_string()), "{payload}");
    }
}
