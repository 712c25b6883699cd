//! Exactly at a limit a message passes, one past it the limit is named.

use super::*;
use crate::limits::{ACTIONS_MAX, ACTION_COMPONENT_MAX, DOMAIN_ID_MAX};
use crate::model::Limit;

fn list(n: usize, element: impl Fn(usize) -> String) -> String {
    (0..n).map(element).collect::<Vec<_>>().join(",")
}

fn refusal(payload: &str) -> String {
    desired_state_of(message(payload).as_bytes()).unwrap_err().to_string()
}

#[test]
fn sixty_four_domains_pass_and_sixty_five_do_not() {
    let domains = |n| format!(r#"{{"domains":[{}]}}"#, list(n, |i| format!(r#"{{"id":"d{i}"}}"#)));
    assert_eq!(desired_state_of(message(&domains(64)).as_bytes()).unwrap().domains(), 64);
    assert_eq!(refusal(&domains(65)), "payload has more than 64 domains (byte 876)");
}

#[test]
fn components_are_counted_over_all_domains() {
    let domain = |id, n| {
        let components = list(n, |i| format!(r#"{{"id":"c{i}"}}"#));
        format!(r#"{{"id":"{id}","components":[{components}]}}"#)
    };
    let state = |a, b| format!(r#"{{"domains":[{},{}]}}"#, domain("a", a), domain("b", b));
    assert_eq!(desired_state_of(message(&state(200, 56)).as_bytes()).unwrap().domains(), 2);
    assert!(refusal(&state(200, 57)).starts_with("payload has more than 256 components (byte "));
    assert!(refusal(&state(257, 0)).starts_with("payload has more than 256 components (byte "));
}

#[test]
fn a_domain_of_64_bytes_passes_and_one_of_65_does_not() {
    let domain = |n| format!(r#"{{"domains":[{{"id":"{}"}}]}}"#, "x".repeat(n));
    assert!(desired_state_of(message(&domain(DOMAIN_ID_MAX)).as_bytes()).is_ok());
    assert_eq!(refusal(&domain(DOMAIN_ID_MAX + 1)), "payload.domains[0].id is longer than 64 bytes (byte 60)");
}

#[test]
fn thirty_two_levels_pass_and_thirty_three_do_not() {
    let deep = |n: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(n - 1), "]".repeat(n - 1));
    let objects = |n: usize| format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
    assert!(Envelope::decode(deep(32).as_bytes()).is_ok());
    assert!(Envelope::decode(objects(32).as_bytes()).is_ok());
    let error = "message has more than 32 levels (byte";
    assert_eq!(Envelope::decode(deep(33).as_bytes()).unwrap_err().to_string(), format!("{error} 36)"));
    assert_eq!(Envelope::decode(objects(33).as_bytes()).unwrap_err().to_string(), format!("{error} 160)"));
}

#[test]
fn actions_past_the_limit_are_left_out_and_the_limit_is_named() {
    let of = |n| {
        let actions = list(n, |i| format!(r#"{{"component":{{"id":"a{i}"}}}}"#));
        message(&format!(r#"{{"status":"IDENTIFIED","actions":[{actions}]}}"#))
    };
    let (fits, past) = (of(ACTIONS_MAX), of(ACTIONS_MAX + 1));
    let (head, actions) = feedback_of(fits.as_bytes()).unwrap();
    assert_eq!((head.past_limit, actions.len()), (None, 256));
    let (head, actions) = feedback_of(past.as_bytes()).unwrap();
    assert_eq!((head.past_limit, actions.len()), (Some(Limit::Actions), 256));
    assert!(actions[255].id.eq_str("a255"));
    let broken = past.replace(r#"{"id":"a256"}"#, r#"{"id":256}"#);
    let error = feedback_of(broken.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("payload.actions[256].component.id is not a string"), "{error}");
}

#[test]
fn a_component_past_the_limit_is_left_out_and_the_limit_is_named() {
    let of = |bytes: usize| {
        let component = format!(r#"{{"id":"a","version":"{}"}}"#, "x".repeat(bytes - 23));
        assert_eq!(component.len(), bytes);
        message(&format!(
            r#"{{"status":"RUNNING","actions":[{{"component":{component}}},{{"component":{{"id":"b"}}}}]}}"#
        ))
    };
    let (fits, past) = (of(ACTION_COMPONENT_MAX), of(ACTION_COMPONENT_MAX + 1));
    let (head, actions) = feedback_of(fits.as_bytes()).unwrap();
    assert_eq!((head.past_limit, actions.len()), (None, 2));
    let (head, actions) = feedback_of(past.as_bytes()).unwrap();
    assert_eq!(head.past_limit, Some(Limit::Component));
    assert_eq!(actions.len(), 1);
    assert!(actions[0].id.eq_str("b"));
}
