//! What every message has in common (docs/protocol.md, "Envelope" and "Topics").

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

/// Topic `sub` of `domain`, say `containersupdate/desiredstate`.
pub fn topic(domain: &str, sub: &str) -> String {
    let domain = domain.replace('-', "");
    let suffix = if domain.ends_with("update") { "" } else { "update" };
    format!("{domain}{suffix}/{sub}")
}

/// A message of the activity, created now.
pub fn envelope(activity: &str, payload: Value) -> String {
    json!({ "activityId": activity, "timestamp": now_ms(), "payload": payload }).to_string()
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A string in `value`, empty if it is not there.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// An array in `value`, empty if it is not there.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
