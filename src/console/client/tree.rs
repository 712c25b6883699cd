//! The inventory as a tree.

use std::fmt::Write;

use crate::limits::CONSOLE_LEVELS_MAX;
use crate::model::text::Text;
use crate::wire::malformed::{Key, Malformed};
use crate::wire::node::{self, Node};

struct Tree<'a> {
    /// Identifier, version and name; whether it was drawn.
    nodes: Vec<(Text<'a>, Text<'a>, Text<'a>, bool)>,
    /// From what to what.
    edges: Vec<(Text<'a>, Text<'a>)>,
    text: String,
}

/// The aggregated inventory as lines: what each node is associated with stands below
/// it, two columns further in; hardware and what nothing leads to stands at the left.
pub(super) fn draw(inventory: &str) -> String {
    let mut tree = Tree { nodes: Vec::new(), edges: Vec::new(), text: String::new() };
    match tree.read(inventory) {
        Ok(()) => {}
        Err(malformed) => return format!("{malformed}\n"),
    }
    let is_target = |id: &Text<'_>| tree.edges.iter().any(|(_, target)| target == id);
    let roots: Vec<usize> = (0..tree.nodes.len()).filter(|place| !is_target(&tree.nodes[*place].0)).collect();
    roots.into_iter().for_each(|place| tree.draw(place, 0));
    // What only leads in circles has no beginning.
    (0..tree.nodes.len()).for_each(|place| tree.draw(place, 0));
    tree.text
}

impl<'a> Tree<'a> {
    fn read(&mut self, inventory: &'a str) -> Result<(), Malformed> {
        let [hardware, software, associations] = Node::document(inventory.as_bytes())?.fields([
            Key::HardwareNodes,
            Key::SoftwareNodes,
            Key::Associations,
        ])?;
        for node in node::elements(software)?.chain(node::elements(hardware)?) {
            let [id, version, name] = node.fields([Key::Id, Key::Version, Key::Name])?;
            self.nodes.push((node::string(id)?, node::string(version)?, node::string(name)?, false));
        }
        for association in node::elements(associations)? {
            let [source, target] = association.fields([Key::SourceId, Key::TargetId])?;
            self.edges.push((node::string(source)?, node::string(target)?));
        }
        Ok(())
    }

    fn draw(&mut self, place: usize, level: usize) {
        let (id, version, name, is_drawn) = self.nodes[place];
        if is_drawn || level > CONSOLE_LEVELS_MAX {
            return;
        }
        self.nodes[place].3 = true;
        // A string takes all that is written to it.
        let _ = write!(self.text, "{:width$}{id}", "", width = 2 * level);
        if !version.is_empty() {
            let _ = write!(self.text, " {version}");
        }
        if !name.is_empty() && name != id {
            let _ = write!(self.text, " ({name})");
        }
        self.text.push('\n');
        for edge in 0..self.edges.len() {
            let (source, target) = self.edges[edge];
            if source == id {
                if let Some(next) = self.nodes.iter().position(|(id, ..)| *id == target) {
                    self.draw(next, level + 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_node_stands_below_it() {
        let inventory = r#"{"hardwareNodes":[{"id":"board","version":"2"}],
            "softwareNodes":[{"id":"m","version":"1","name":"M"},{"id":"a:x"},{"id":"a","name":"a"}],
            "associations":[{"sourceId":"m","targetId":"a"},{"sourceId":"a","targetId":"a:x"},
            {"sourceId":"a:x","targetId":"nobody"}]}"#;
        assert_eq!(draw(inventory), "m 1 (M)\n  a\n    a:x\nboard 2\n");
    }

    #[test]
    fn circles_end() {
        let inventory = r#"{"softwareNodes":[{"id":"a"},{"id":"b"}],
            "associations":[{"sourceId":"a","targetId":"b"},{"sourceId":"b","targetId":"a"}]}"#;
        assert_eq!(draw(inventory), "a\n  b\n");
        assert_eq!(draw("{}"), "");
    }
}
