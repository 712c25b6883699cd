//! The largest messages that there may be, of activities and of inventories.

use update_manager::limits::COMPONENTS_MAX;

use crate::agents::enveloped;

/// So many domains with the longest names.
pub fn domains(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:02}{}", "d".repeat(62))).collect()
}

/// The longest name of an activity that begins like this.
pub fn activity(name: &str) -> String {
    format!("{name}{}", "a".repeat(256 - name.len()))
}

/// An inventory of so many bytes.
pub fn inventory(activity: &str, domain: &str, bytes: usize) -> String {
    let node = |name: &str| format!(r#"{{"softwareNodes":[{{"id":"{domain}-node","name":"{name}"}}]}}"#);
    enveloped(activity, &node(&"n".repeat(bytes - node("").len())))
}

/// A desired state that shares out as many components as there may be.
pub fn desired_state(activity: &str, domains: &[&str]) -> String {
    let (value, each) = ("v".repeat(900), COMPONENTS_MAX / domains.len());
    let component = |n: usize| format!(r#"{{"id":"c{n}","version":"1","config":[{{"key":"k","value":"{value}"}}]}}"#);
    let list: Vec<String> = (0..each).map(component).collect();
    let list = list.join(",");
    let parts: Vec<String> = domains.iter().map(|id| format!(r#"{{"id":"{id}","components":[{list}]}}"#)).collect();
    let desired = enveloped(activity, &format!(r#"{{"domains":[{}]}}"#, parts.join(",")));
    assert!((245_000..262_144).contains(&desired.len()), "{}", desired.len());
    desired
}

/// The feedback of one of so many domains about its share of the actions.
pub fn feedback(activity: &str, status: &str, domains: usize) -> String {
    let (pad, words) = ("p".repeat(340), "w".repeat(512));
    let action = |n: usize| {
        format!(r#"{{"component":{{"id":"c{n:03}","version":"{pad}"}},"status":"IDENTIFIED","message":"{words}"}}"#)
    };
    let list: Vec<String> = (0..COMPONENTS_MAX / domains).map(action).collect();
    enveloped(activity, &format!(r#"{{"status":"{status}","message":"{words}","actions":[{}]}}"#, list.join(",")))
}
