//! Which domains a desired state wants to be turned back together.

use super::*;
use crate::limits::DOMAINS_MAX;
use crate::model::Rollback;

/// The numbers of the groups of these domains, which these baselines connect.
fn groups(domains: &[&str], baselines: &[&[&str]]) -> Vec<usize> {
    let domains: Vec<String> = domains.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    let components = |names: &&[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let baselines: Vec<String> =
        baselines.iter().map(|names| format!(r#"{{"components":[{}]}}"#, components(names))).collect();
    let payload = format!(r#"{{"baselines":[{}],"domains":[{}]}}"#, baselines.join(","), domains.join(","));
    let state = desired_state_of(message(&payload).as_bytes()).unwrap();
    assert_eq!(state.group(state.domains()), None);
    (0..state.domains()).map(|ix| state.group(ix).unwrap()).collect()
}

#[test]
fn baselines_connect_domains_directly_and_through_others() {
    let four = ["a", "b", "c", "d"];
    let cases: [(&[&[&str]], [usize; 4]); 12] = [
        (&[], [0, 1, 2, 3]),
        (&[&[]], [0, 1, 2, 3]),
        (&[&["a:x", "b:y"]], [0, 0, 1, 2]),
        (&[&["d:x", "a:y"]], [0, 1, 2, 0]),
        (&[&["d:x", "c:y"], &["b:x", "a:y"]], [0, 0, 1, 1]),
        (&[&["a:x", "a:y"], &["b:x"]], [0, 1, 2, 3]),
        (&[&["c:x", "d:y"], &["d:z", "b:x"]], [0, 1, 1, 1]),
        (&[&["a:x", "b:x"], &["c:x", "d:x"], &["d:x", "a:x"]], [0, 0, 0, 0]),
        (&[&["d:x", "c:x", "b:x", "a:x"]], [0, 0, 0, 0]),
        // Domains and components that the desired state lacks, and names that are none.
        (&[&["a:x", "nobody:x"], &["nobody:x", "b:x"]], [0, 1, 2, 3]),
        (&[&["nobody:x", "b", ":", "", "c:", "bc:x", "b:x:y"]], [0, 1, 1, 2]),
        (&[&["A:x", "b:x"], &["\\u0061:x", "d\\u003ax"]], [0, 1, 2, 0]),
    ];
    for (baselines, expected) in cases {
        assert_eq!(groups(&four, baselines), expected, "{baselines:?}");
    }
    assert_eq!(groups(&["a:b", "a", "c"], &[&["a:b:x", "c:x"]]), [0, 1, 1], "a component's domain has no colon");
    assert!(groups(&[], &[&["a:x", "b:x"]]).is_empty());
}

#[test]
fn as_many_domains_as_there_may_be_are_connected() {
    let names: Vec<String> = (0..DOMAINS_MAX).map(|n| format!("d{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(groups(&names, &[]).into_iter().eq(0..DOMAINS_MAX));
    // Each pair has one domain of the pair before it: one chain, from its end.
    let pairs: Vec<[String; 2]> = (1..DOMAINS_MAX).rev().map(|n| [n, n - 1].map(|n| format!("d{n}:c"))).collect();
    let pairs: Vec<[&str; 2]> = pairs.iter().map(|pair| [pair[0].as_str(), pair[1].as_str()]).collect();
    let chain: Vec<&[&str]> = pairs.iter().map(|pair| &pair[..]).collect();
    assert_eq!(groups(&names, &chain), [0; DOMAINS_MAX]);
    let even: Vec<&[&str]> = chain.iter().copied().skip(1).step_by(2).collect();
    let expected = (0..DOMAINS_MAX).map(|n| n.div_ceil(2));
    assert!(groups(&names, &even).into_iter().eq(expected), "all pairs of an odd and the next even number");
}

#[test]
fn a_desired_state_says_what_is_turned_back_in_three_words_or_nothing() {
    for (payload, rollback) in [
        ("{}", None),
        (r#"{"rollback":null}"#, None),
        (r#"{"rollback":"none"}"#, Some(Rollback::None)),
        (r#"{"rollback":"baseline"}"#, Some(Rollback::Baseline)),
        (r#"{"rollback":"\u0064evice"}"#, Some(Rollback::Device)),
        // Not a key yet.
        (r#"{"maintenanceWindow":7,"Rollback":7}"#, None),
    ] {
        assert_eq!(desired_state_of(message(payload).as_bytes()).unwrap().rollback(), rollback, "{payload}");
    }
}

#[test]
fn any_other_word_is_refused_by_place() {
    let no_word = "payload.rollback is none of none, baseline, device (byte 54)";
    for (payload, expected) in [
        (r#"{"rollback":"all"}"#, no_word),
        (r#"{"rollback":"Device"}"#, no_word),
        (r#"{"rollback":""}"#, no_word),
        (r#"{"rollback":true}"#, "payload.rollback is not a string (byte 54)"),
        (r#"{"rollback":"none","rollback":null}"#, "payload.rollback stands twice (byte 72)"),
    ] {
        assert_eq!(desired_state_of(message(payload).as_bytes()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn no_agent_gets_the_word() {
    let message = message(r#"{"rollback":"device","domains":[{"id":"a"}]}"#);
    let state = desired_state_of(message.as_bytes()).unwrap();
    assert_eq!(part(message.as_bytes(), &state, 0), r#"{"domains":[{"id":"a"}]}"#);
}
