//! Every decoder of `wire` on the same bytes, and what they decode written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use update_manager::engine::event::Action;
use update_manager::limits::{ACTIONS_MAX, ACTION_COMPONENT_MAX};
use update_manager::model::text::{Escaped, Text};
use update_manager::model::{Rollback, Status};
use update_manager::validate;
use update_manager::wire::things::{Identity, Request, RequestTopic};
use update_manager::wire::topic::{topic_form, Topics};
use update_manager::wire::{activity_of, consent, desired_state, encode, feedback, inventory};
use update_manager::wire::{Envelope, Malformed, TextFinder};
use update_manager_fuzz::json;

fuzz_target!(|bytes: &[u8]| {
    json::assert_agreement(bytes);
    assert_finder(bytes);
    assert_texts(bytes);
    match Envelope::decode(bytes) {
        Ok(envelope) => assert_envelope(bytes, &envelope),
        Err(malformed) => assert_said(&malformed),
    }
    let identity = Identity::decode(br#"{"deviceId":"test.ns:edge:device"}"#).expect("a good one");
    let _ = Identity::decode(bytes).map_err(|malformed| assert_said(&malformed));
    let topic = RequestTopic::parse("c///q/1/apply", &identity).expect("a good one");
    if let Ok((_, Err(malformed))) = Request::decode(bytes, &topic, &identity) {
        assert_said(&malformed);
    }
});

/// Where a feedback's actions are decoded into.
type Actions<'a> = heapless::Vec<Action<'a>, ACTIONS_MAX>;

/// What is wrong is said in one bounded line.
fn assert_said(malformed: &Malformed) {
    let said = malformed.to_string();
    assert!(!said.is_empty() && said.len() < 4096, "{said}");
    assert!(!said.contains(|c: char| c.is_control()), "{said:?}");
}

/// It finds the same, whether the message comes at once or byte by byte.
fn assert_finder(bytes: &[u8]) {
    let found = activity_of(bytes).map(json::plain);
    let mut finder = TextFinder::of_activity();
    bytes.iter().for_each(|byte| finder.push(std::slice::from_ref(byte)));
    assert_eq!(finder.activity().map(json::plain), found);
    if let Ok(envelope) = Envelope::decode(bytes) {
        assert_eq!(json::plain(envelope.activity), found.unwrap_or_default());
    }
}

/// Texts stay texts, cut and escaped; domains have topics that are known again.
fn assert_texts(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    let escaped = Escaped(raw).to_string();
    let text = Text::parse(&escaped).expect("what was escaped is a text");
    assert_eq!(json::plain(text), raw);
    if let Some(text) = Text::parse(raw) {
        for max in [0, 1, 5, 6, 11, 12, raw.len() / 2] {
            let cut = text.cut(max);
            assert!(cut.as_json().len() <= max && raw.starts_with(cut.as_json()));
            assert!(Text::parse(cut.as_json()).is_some(), "{cut:?}");
        }
        assert!(!text.to_string().contains(|c: char| c.is_control()));
    }
    let domain = raw.get(..raw.len().min(80)).unwrap_or("x");
    if topic_form(domain).is_ok() {
        if let Ok(topics) = Topics::new("device", &[domain, "other"]) {
            for incoming in topics.subscriptions() {
                assert_eq!(topics.classify(&topics.incoming(incoming)), Some(incoming));
            }
        }
    }
    let topics = Topics::new("device", &["containers"]).expect("good ones");
    if let Some(incoming) = topics.classify(raw) {
        assert_eq!(topics.incoming(incoming).as_str(), raw);
    }
}

fn assert_envelope(bytes: &[u8], envelope: &Envelope<'_>) {
    let value = json::value(bytes);
    if let Some(value) = &value {
        assert_eq!(value["activityId"].as_str().unwrap_or_default(), json::plain(envelope.activity));
        assert_eq!(value["timestamp"].as_i64().unwrap_or_default(), envelope.timestamp);
        assert_eq!(value["payload"].is_object(), envelope.payload().is_some());
    }
    let report = validate::check(bytes, &["containers"], &[], Rollback::None);
    match desired_state::decode(envelope) {
        Ok(state) => assert_desired_state(bytes, &state, value.as_ref()),
        Err(malformed) => {
            assert!(report.errors > 0 || envelope.payload().is_none(), "{malformed}");
            assert_said(&malformed);
        }
    }
    assert_feedback(envelope);
    match inventory::decode(envelope, "containers") {
        Ok(inventory) => {
            let again = message(envelope, |out| inventory::encode(out, &inventory));
            let again = Envelope::decode(again.as_bytes()).expect("what was written can be read");
            assert_eq!(inventory::decode(&again, "containers"), Ok(inventory));
        }
        Err(malformed) => assert_said(&malformed),
    }
    if let Err(malformed) = consent::decode(envelope) {
        assert_said(&malformed);
    }
}

/// A message of the same activity, which is JSON.
fn message(envelope: &Envelope<'_>, payload: impl Fn(&mut String) -> std::fmt::Result) -> String {
    let mut out = String::new();
    encode::head(&mut out, envelope.activity, 1).expect("a string takes all");
    payload(&mut out).expect("a string takes all");
    out.push_str(encode::TAIL);
    json::written(&out);
    out
}

fn assert_desired_state(bytes: &[u8], state: &desired_state::DesiredState, value: Option<&Value>) {
    let envelope = Envelope::decode(bytes).expect("it was before");
    for ix in 0..state.domains() {
        let part = message(&envelope, |out| desired_state::encode_part(bytes, state, ix, out));
        let again = Envelope::decode(part.as_bytes()).expect("what was written can be read");
        let again = desired_state::decode(&again).expect("a part is a desired state");
        assert_eq!((again.domains(), again.group(0), again.rollback()), (1, Some(0), None));
        let group = state.group(ix).expect("each domain has one");
        let before = (0..ix).filter_map(|ix| state.group(ix)).max();
        assert!(group <= before.map_or(0, |before| before + 1), "numbered as their first domains stand");
        assert_eq!(again.domain_id(part.as_bytes(), 0), state.domain_id(bytes, ix));
        if let (Some(all), Some(part)) = (value, json::value(part.as_bytes())) {
            assert_eq!(all["payload"]["domains"][ix], part["payload"]["domains"][0], "as it came");
        }
    }
    assert!(desired_state::encode_part(bytes, state, state.domains(), &mut String::new()).is_err());
    // Another message under the same places is an error, or nonsense, but no panic.
    let other: Vec<u8> = bytes.iter().rev().copied().collect();
    for ix in 0..state.domains() {
        let _ = desired_state::encode_part(&other, state, ix, &mut String::new());
        let _ = state.domain_id(&other, ix);
    }
}

fn assert_feedback(envelope: &Envelope<'_>) {
    let mut actions = Actions::new();
    let head = match feedback::decode(envelope, &mut actions) {
        Ok(head) => head,
        Err(malformed) => {
            assert!(actions.is_empty());
            return assert_said(&malformed);
        }
    };
    for action in &actions {
        assert!(!action.id.is_empty() && action.progress <= 100 && action.component.len() <= ACTION_COMPONENT_MAX);
    }
    if head.status == Status::Unknown {
        return;
    }
    let text = message(envelope, |out| feedback::encode(out, head.status, head.message, &actions));
    let again = Envelope::decode(text.as_bytes()).expect("what was written can be read");
    let mut actions_again = Actions::new();
    let head_again = feedback::decode(&again, &mut actions_again).expect("what was written can be read");
    assert_eq!((head_again.status, head_again.message), (head.status, head.message));
    assert_eq!(actions_again.len(), actions.len());
    for (a, b) in actions.iter().zip(&actions_again) {
        assert_eq!((a.id, a.component, a.status, a.progress), (b.id, b.component, b.status, b.progress));
        assert_eq!(a.message, b.message);
    }
}
