//! The answer of the edge: who we are (docs/twin-api.md, "Who the device is").
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{json, Value};
use update_manager::model::text::Text;
use update_manager::model::Command;
use update_manager::wire::things::encode::{self, Answer};
use update_manager::wire::things::{Identity, Operation, Reply, RequestTopic};
use update_manager_fuzz::broker::covers;
use update_manager_fuzz::json;

fuzz_target!(|bytes: &[u8]| {
    json::assert_agreement(bytes);
    let identity = match Identity::decode(bytes) {
        Ok(identity) => identity,
        Err(malformed) => return assert!(malformed.to_string().len() < 1024),
    };
    let (device, tenant) = (identity.device_id(), identity.tenant_id());
    assert_eq!(device, format!("{}:{}", identity.namespace(), identity.name()));
    assert!(!identity.namespace().is_empty() && !identity.name().is_empty());
    // It has a number in it that no float can hold, or not.
    if let Some(value) = json::value(bytes) {
        assert_eq!(value["deviceId"], device);
        assert_eq!(value["tenantId"].as_str().unwrap_or_default(), tenant);
    }
    let again = json!({"tenantId": tenant, "deviceId": device, "policyId": 7}).to_string();
    assert_eq!(Identity::decode(again.as_bytes()).as_ref(), Ok(&identity), "{again}");
    assert_topics(&identity);
    assert_texts(&identity);
});

/// What is asked of us comes by the filters, and has an answer's topic.
fn assert_topics(identity: &Identity) {
    let filters = RequestTopic::filters(identity);
    for filter in &filters {
        let before = filter.strip_suffix("/#").expect("all that is below");
        assert!(!before.contains(['+', '#', '\0']) && before.split('/').count() == 4, "{filter}");
    }
    for (before, answers) in [("command//", "res"), ("c//", "s")] {
        let request = if answers == "res" { "req" } else { "q" };
        for device in ["", identity.device_id()] {
            let topic = format!("{before}{device}/{request}/id-1/apply");
            assert!(filters.iter().any(|filter| covers(filter, &topic)), "{topic}");
            let parsed = RequestTopic::parse(&topic, identity).expect("it is ours");
            assert_eq!(parsed.answer(204).as_str(), format!("{before}{device}/{answers}/id-1/204"));
        }
    }
}

/// Whatever we tell as this thing is JSON, and says whose it is.
fn assert_texts(identity: &Identity) {
    let activity = Text::parse(r"a\u0022").expect("an escaped quote");
    let topic = format!("{}/{}/things/", identity.namespace(), identity.name());
    let check = |write: &dyn Fn(&mut String) -> std::fmt::Result| {
        let mut text = String::new();
        write(&mut text).expect("a string takes all");
        let value: Value = json::written(&text).expect("numbers of ours");
        assert!(value["topic"].as_str().expect("a topic").starts_with(&topic), "{text}");
    };
    check(&|out| encode::feature(out, identity, "de\"vice"));
    check(&|out| encode::consent(out, identity, activity, u64::MAX, "id", Command::Update));
    check(&|out| {
        encode::inventory_head(out, identity, activity, 1, "device")?;
        out.push_str("{}");
        out.push_str(encode::INVENTORY_TAIL);
        Ok(())
    });
    check(&|out| {
        encode::feedback_head(out, identity, activity, 1)?;
        out.push('{');
        out.push_str(encode::FEEDBACK_TAIL);
        Ok(())
    });
    check(&|out| encode::answer(out, identity, &Reply::unread(Operation::Refresh.name()), Answer::Taken));
}
