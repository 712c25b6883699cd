//! An inventory as a tree in plain ASCII.

use std::collections::HashSet;

use serde_json::Value;

use crate::link::envelope::{list, text};

/// Prints the inventory: under each node those that it is associated with.
pub fn print(inventory: &Value) {
    let targets: HashSet<&str> = list(inventory, "associations").iter().map(|a| text(a, "targetId")).collect();
    let mut seen = HashSet::new();
    for node in nodes(inventory) {
        if !targets.contains(text(node, "id")) {
            print_node(inventory, node, &mut seen, "", "", "");
        }
    }
}

fn nodes(inventory: &Value) -> impl Iterator<Item = &Value> {
    list(inventory, "softwareNodes").iter().chain(list(inventory, "hardwareNodes"))
}

/// A node that was printed before is not printed again: associations may form
/// circles.
fn print_node<'a>(
    inventory: &'a Value,
    node: &'a Value,
    seen: &mut HashSet<&'a str>,
    indent: &str,
    branch: &str,
    next: &str,
) {
    let id = text(node, "id");
    if !seen.insert(id) {
        return;
    }
    let kind = match text(node, "type") {
        "" => "hardware".to_owned(),
        kind => kind.to_lowercase(),
    };
    println!("  {indent}{branch}{id} {} ({kind})", text(node, "version"));
    let indent = format!("{indent}{next}");
    let associations = list(inventory, "associations").iter().filter(|a| text(a, "sourceId") == id);
    let targets: Vec<&str> = associations.map(|a| text(a, "targetId")).collect();
    let children: Vec<&Value> = nodes(inventory).filter(|node| targets.contains(&text(node, "id"))).collect();
    for (i, child) in children.iter().enumerate() {
        let is_last = i + 1 == children.len();
        let (branch, next) = if is_last { ("`-- ", "    ") } else { ("|-- ", "|   ") };
        print_node(inventory, child, seen, &indent, branch, next);
    }
}
