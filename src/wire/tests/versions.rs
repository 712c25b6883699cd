//! What a desired state wants, and what an inventory shows.

use super::*;
use crate::wire::node::Versioned;

fn told<'a>(all: impl Iterator<Item = Versioned<'a>>) -> Vec<String> {
    all.map(|one| format!("{} {}", one.id, one.version)).collect()
}

#[test]
fn the_components_of_a_domain_come_with_their_versions() {
    let payload = r#"{"domains":[ {"id":"a"}, {"id":"b","components":[
        {"id":"x","version":"1","config":[{"key":"version","value":"9"}]} , {"version":null,"id":"\u0079"} ]},
        {"id":"c","components":null} ]}"#;
    let message = message(payload);
    let state = desired_state_of(message.as_bytes()).unwrap();
    let wanted = |ix| desired_state::wanted(message.as_bytes(), &state, ix).map(told);
    assert_eq!(wanted(0), Some(vec![]));
    assert_eq!(wanted(1), Some(vec![String::from("x 1"), String::from("y ")]));
    assert_eq!(wanted(2), Some(vec![]));
    assert_eq!(wanted(3), None);
}

#[test]
fn the_software_of_an_inventory_comes_with_its_versions() {
    for (nodes, expected) in [
        ("[]", &[][..]),
        ("null", &[]),
        (r#"[{"id":"a:x"}]"#, &["a:x "]),
        (
            r#"[ {"id":"a","type":"APPLICATION","parameters":[{"key":"version","value":"]}9"}]} ,
                {"version":"1\u002e0","id":"a:x"},{"id":"a:y","version":"2","name":"{[,"} ]"#,
            &["a ", "a:x 1.0", "a:y 2"],
        ),
    ] {
        let message = message(&format!(r#"{{"softwareNodes":{nodes}}}"#));
        let envelope = Envelope::decode(message.as_bytes()).unwrap();
        let inventory = inventory::decode(&envelope, "a").unwrap();
        assert_eq!(told(inventory.software()), expected, "{nodes}");
    }
}
