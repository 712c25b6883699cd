//! What an agent reports.

use std::fmt;

use crate::engine::event;
use crate::model::text::{Escaped, Text};
use crate::model::{ActionStatus, Status};
use crate::wire::agent::{encode_component, encode_parameters, software_type_name, SoftwareType};
use crate::wire::json::Json;
use crate::wire::malformed::Key;
use crate::wire::{feedback, inventory as wire};

/// The planned change of one component, and how far it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Action {
    /// The component's identifier in the domain; reported as `domain:id`. With it,
    /// the manager takes 384 bytes.
    pub id: String,
    /// The version that it changes to, or that is removed.
    pub version: String,
    /// How far it is.
    pub status: ActionStatus,
    /// Percent, 0 to 100; more counts as 100.
    pub progress: u8,
    /// In words; of more than 512 bytes the manager takes the beginning.
    pub message: String,
}

impl Action {
    /// One that is identified, and not begun.
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Action {
        let (id, version) = (id.into(), version.into());
        Action { id, version, status: ActionStatus::Identified, progress: 0, message: String::new() }
    }
}

/// What is there. The manager takes 64 KiB of it as it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inventory {
    /// What it runs on.
    pub hardware: Vec<HardwareNode>,
    /// What is installed. The first of them is the agent itself.
    pub software: Vec<SoftwareNode>,
    /// Identifiers of two nodes, of which the second belongs to the first.
    pub associations: Vec<(String, String)>,
}

/// A piece of hardware.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HardwareNode {
    /// Its identifier, the only one of its kind on the device.
    pub id: String,
    /// Its version; left out if empty, as all texts but the identifier.
    pub version: String,
    /// What people call it.
    pub name: String,
    /// Whether updates can be sent to it.
    pub addressable: bool,
    /// Keys and values.
    pub parameters: Vec<(String, String)>,
}

/// A piece of software.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SoftwareNode {
    /// Its identifier, the only one of its kind on the device. For a component
    /// `domain:id`: see [`Agent::node_id`](super::Agent::node_id).
    pub id: String,
    /// Its version; left out if empty, as all texts but the identifier.
    pub version: String,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: SoftwareType,
    /// Keys and values.
    pub parameters: Vec<(String, String)>,
}

impl Inventory {
    /// One of the domain's agent alone, in that version: its node is the domain's
    /// root, to which the manager associates its own.
    pub fn new(domain: &str, version: &str) -> Inventory {
        let root = SoftwareNode {
            id: format!("{domain}-update-agent"),
            version: version.to_owned(),
            name: format!("Update agent for {domain}"),
            kind: SoftwareType::Application,
            parameters: vec![("domain".to_owned(), domain.to_owned())],
        };
        Inventory { software: vec![root], ..Inventory::default() }
    }

    /// Adds a node, associated with the first software node.
    pub fn add_software(&mut self, node: SoftwareNode) {
        self.associate(&node.id);
        self.software.push(node);
    }

    /// The same with hardware.
    pub fn add_hardware(&mut self, node: HardwareNode) {
        self.associate(&node.id);
        self.hardware.push(node);
    }

    fn associate(&mut self, id: &str) {
        if let Some(root) = self.software.first() {
            self.associations.push((root.id.clone(), id.to_owned()));
        }
    }
}

/// Writes the feedback's payload.
pub(crate) fn write_feedback(
    out: &mut dyn fmt::Write,
    domain: &str,
    status: Status,
    message: &str,
    actions: &[Action],
) -> fmt::Result {
    let mut escaped = Vec::with_capacity(actions.len());
    for action in actions {
        let mut component = String::new();
        encode_component(&mut component, domain, &action.id, &action.version)?;
        escaped.push((component, Escaped(&action.message).to_string()));
    }
    let views = actions.iter().zip(&escaped).map(|(action, (component, words))| event::Action {
        // Not written: it stands in the component.
        id: Text::EMPTY,
        component,
        status: Some(action.status),
        progress: action.progress.min(100),
        message: Text::from_checked(words),
    });
    let views: Vec<_> = views.collect();
    let message = Escaped(message).to_string();
    feedback::encode(out, status, Text::from_checked(&message), &views)
}

/// Writes the inventory's payload.
pub(super) fn write_inventory(out: &mut dyn fmt::Write, inventory: &Inventory) -> fmt::Result {
    let (mut hardware, mut software, mut associations) = (String::new(), String::new(), String::new());
    let mut json = Json::new(&mut hardware);
    for node in &inventory.hardware {
        json.begin_object("")?;
        json.text(Key::Id.name(), &node.id)?;
        json.text_if_any(Key::Version.name(), &node.version)?;
        json.text_if_any(Key::Name.name(), &node.name)?;
        if node.addressable {
            json.raw(Key::Addressable.name(), &true)?;
        }
        encode_parameters(&mut json, &node.parameters)?;
        json.end_object()?;
    }
    let mut json = Json::new(&mut software);
    for node in &inventory.software {
        json.begin_object("")?;
        json.text(Key::Id.name(), &node.id)?;
        json.text_if_any(Key::Version.name(), &node.version)?;
        json.text_if_any(Key::Name.name(), &node.name)?;
        json.text(Key::Type.name(), &software_type_name(node.kind))?;
        encode_parameters(&mut json, &node.parameters)?;
        json.end_object()?;
    }
    let mut json = Json::new(&mut associations);
    for (source, target) in &inventory.associations {
        json.begin_object("")?;
        json.text(Key::SourceId.name(), source)?;
        json.text(Key::TargetId.name(), target)?;
        json.end_object()?;
    }
    let (hardware, software, associations) = (&*hardware, &*software, &*associations);
    wire::encode(out, &wire::Inventory { hardware, software, associations, root: None })
}
