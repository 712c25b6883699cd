//! A domain's inventory (docs/agent-api.md, "The inventory"; docs/protocol.md, "The
//! aggregated inventory").

use core::fmt::{self, Write};

use super::envelope::Envelope;
use super::json::Json;
use super::malformed::{Key, Malformed};
use super::node::{self, Node, Versioned};
use crate::model::text::Text;

/// An inventory, as far as it goes into the aggregate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory<'a> {
    /// The hardware nodes as they came, without the brackets around them.
    pub hardware: &'a str,
    /// The software nodes, likewise.
    pub software: &'a str,
    /// The associations, likewise.
    pub associations: &'a str,
    /// Identifier of the root node; none without software nodes.
    pub root: Option<Text<'a>>,
}

impl<'a> Inventory<'a> {
    /// Returns its software nodes.
    pub fn software(&self) -> impl Iterator<Item = Versioned<'a>> {
        node::listed(self.software).filter_map(|node| node.versioned().ok())
    }
}

/// Decodes the payload of `domain`'s inventory.
///
/// # Errors
/// It is missing, or something that the backend has to read has a wrong type or
/// lacks its identifier.
pub fn decode<'a>(envelope: &Envelope<'a>, domain: &str) -> Result<Inventory<'a>, Malformed> {
    let payload = envelope.require("inventory")?;
    let [hardware, software, associations] =
        payload.fields([Key::HardwareNodes, Key::SoftwareNodes, Key::Associations])?;
    for node in node::elements(hardware)? {
        decode_node(node, domain)?;
    }
    let (mut first, mut root) = (None, None);
    for node in node::elements(software)? {
        let (id, is_root) = decode_node(node, domain)?;
        first = first.or(Some(id));
        root = root.or(is_root.then_some(id));
    }
    for association in node::elements(associations)? {
        let [source, target] = association.fields([Key::SourceId, Key::TargetId])?;
        source.ok_or_else(|| association.missing(Key::SourceId))?.string()?;
        target.ok_or_else(|| association.missing(Key::TargetId))?.string()?;
    }
    Ok(Inventory {
        hardware: content(hardware),
        software: content(software),
        associations: content(associations),
        root: root.or(first),
    })
}

/// Its identifier, and whether it is of type `APPLICATION` with a parameter that
/// says that it is the root of `domain`.
fn decode_node<'a>(node: Node<'a>, domain: &str) -> Result<(Text<'a>, bool), Malformed> {
    let [id, version, name, kind, addressable, parameters] =
        node.fields([Key::Id, Key::Version, Key::Name, Key::Type, Key::Addressable, Key::Parameters])?;
    let id = id.ok_or_else(|| node.missing(Key::Id))?.string()?;
    node::string(version)?;
    node::string(name)?;
    addressable.map_or(Ok(false), |node| node.leaf("is neither true nor false"))?;
    let mut names_domain = false;
    for parameter in node::elements(parameters)? {
        let parameter = parameter.key_value()?;
        names_domain |= parameter.key().eq_str("domain") && parameter.value().eq_str(domain);
    }
    Ok((id, node::string(kind)?.eq_str("APPLICATION") && names_domain))
}

/// What stands between the brackets of an array; empty if it has no element.
fn content(array: Option<Node<'_>>) -> &str {
    let raw = array.map_or("", |array| array.raw());
    raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']')).unwrap_or("").trim()
}

/// Encodes the payload as an agent does.
///
/// # Errors
/// `out` fails.
pub fn encode(out: &mut dyn Write, inventory: &Inventory<'_>) -> fmt::Result {
    let arrays = [
        (Key::HardwareNodes, inventory.hardware),
        (Key::SoftwareNodes, inventory.software),
        (Key::Associations, inventory.associations),
    ];
    let mut json = Json::new(out);
    json.begin_object("")?;
    for (key, elements) in arrays.iter().filter(|(_, elements)| !elements.is_empty()) {
        json.begin_array(key.name())?;
        json.raw("", elements)?;
        json.end_array()?;
    }
    json.end_object()
}

/// What the manager says of itself in the aggregate.
#[derive(Clone, Copy, Debug)]
pub struct OwnNode<'a> {
    /// Its domain.
    pub domain: &'a str,
    /// The version of the program; may be empty.
    pub version: &'a str,
}

/// The identifier of the manager's node.
impl fmt::Display for OwnNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-update-manager", self.domain)
    }
}

/// Encodes the payload of the aggregate. `hardware` and `software` are those nodes of
/// each domain, `associations` its root and its associations, all as in [`Inventory`] and
/// in the order of the configuration.
///
/// # Errors
/// `out` fails.
pub fn encode_aggregate<'a>(
    out: &mut dyn Write,
    own: &OwnNode<'_>,
    hardware: impl Iterator<Item = &'a str>,
    software: impl Iterator<Item = &'a str>,
    associations: impl Iterator<Item = (Text<'a>, &'a str)>,
) -> fmt::Result {
    let mut json = Json::new(out);
    json.begin_object("")?;
    let mut hardware = hardware.filter(|nodes| !nodes.is_empty()).peekable();
    if hardware.peek().is_some() {
        json.begin_array(Key::HardwareNodes.name())?;
        hardware.try_for_each(|nodes| json.raw("", &nodes))?;
        json.end_array()?;
    }
    json.begin_array(Key::SoftwareNodes.name())?;
    encode_own(&mut json, own)?;
    software.filter(|nodes| !nodes.is_empty()).try_for_each(|nodes| json.raw("", &nodes))?;
    json.end_array()?;
    let mut associations = associations.filter(|(root, others)| !root.is_empty() || !others.is_empty()).peekable();
    if associations.peek().is_some() {
        json.begin_array(Key::Associations.name())?;
        for (root, others) in associations {
            encode_associations(&mut json, own, root, others)?;
        }
        json.end_array()?;
    }
    json.end_object()
}

fn encode_own(json: &mut Json<'_>, own: &OwnNode<'_>) -> fmt::Result {
    json.begin_object("")?;
    json.text(Key::Id.name(), own)?;
    json.text_if_any(Key::Version.name(), own.version)?;
    json.text(Key::Name.name(), &"Update Manager")?;
    json.text(Key::Type.name(), &"APPLICATION")?;
    json.end_object()
}

/// Encodes the manager's association with the root of a domain, and those of the domain.
fn encode_associations(json: &mut Json<'_>, own: &OwnNode<'_>, root: Text<'_>, others: &str) -> fmt::Result {
    if !root.is_empty() {
        json.begin_object("")?;
        json.text(Key::SourceId.name(), own)?;
        json.escaped(Key::TargetId.name(), root.as_json())?;
        json.end_object()?;
    }
    match others {
        "" => Ok(()),
        others => json.raw("", &others),
    }
}
