//! Who we are, as the connector says (docs/twin-api.md, "Who the device is").

use heapless::String;

use super::super::malformed::{Key, Malformed, What};
use super::super::node::{self, Node};
use crate::limits::{TENANT_ID_MAX, THING_ID_MAX};

/// The thing that we are a part of, and its tenant. Two are equal if these
/// identifiers are; the policy's makes no difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    device: String<THING_ID_MAX>,
    tenant: String<TENANT_ID_MAX>,
    /// Bytes before the first colon.
    namespace: usize,
}

impl Identity {
    /// Decodes the payload of [`EDGE_RESPONSE`](super::EDGE_RESPONSE).
    ///
    /// The thing's identifier is held to Ditto's rules ("Namespaces and names"):
    /// a namespace in parts of ASCII letters, digits and underscores, each with a
    /// letter first, with dots or dashes between; a colon; a name without slash
    /// and the characters U+0000 to U+001F and U+007F to U+00FF, which may have
    /// more colons. Ditto lets a namespace be empty; ours must not be. Nor may the
    /// name have a `+` or `#`: it becomes part of topics [MQTT-4.7.1-1].
    /// The tenant may be absent, null or empty; nothing is made of it.
    ///
    /// # Errors
    /// It is no JSON object, an identifier is missing, not a string, or past
    /// `THING_ID_MAX` or `TENANT_ID_MAX`, or the thing's breaks a rule.
    pub fn decode(bytes: &[u8]) -> Result<Identity, Malformed> {
        let document = Node::document(bytes)?;
        let [device, tenant] = document.fields([Key::DeviceId, Key::TenantId])?;
        let id = device.ok_or_else(|| document.missing(Key::DeviceId))?;
        let device = plain(id)?;
        let namespace = check_id(&device).map_err(|flaw| id.error(What::Is(flaw)))?;
        Ok(Identity { device, tenant: tenant.map_or(Ok(String::new()), plain)?, namespace })
    }

    /// The identity with these identifiers, unescaped, as it was saved. None if one is past
    /// its limit or the thing's breaks a rule of [`decode`](Self::decode).
    pub fn of(device: &str, tenant: &str) -> Option<Identity> {
        let namespace = check_id(device).ok()?;
        let (device, tenant) = (String::try_from(device).ok()?, String::try_from(tenant).ok()?);
        Some(Identity { device, tenant, namespace })
    }

    /// The thing's identifier, unescaped: namespace, colon, name.
    pub fn device_id(&self) -> &str {
        &self.device
    }

    /// What stands before the first colon: ASCII without quotes and backslashes.
    pub fn namespace(&self) -> &str {
        &self.device[..self.namespace]
    }

    /// What stands after the first colon, unescaped. To be escaped in JSON.
    pub fn name(&self) -> &str {
        &self.device[self.namespace + 1..]
    }

    /// The tenant's identifier, unescaped; may be empty.
    pub fn tenant_id(&self) -> &str {
        &self.tenant
    }
}

/// A string without its escapes.
fn plain<const N: usize>(node: Node<'_>) -> Result<String<N>, Malformed> {
    let mut plain = String::new();
    let longer = |()| node.error(What::Longer(N as u32));
    node::string(Some(node))?.chars().try_for_each(|c| plain.push(c).map_err(longer))?;
    Ok(plain)
}

/// The bytes of the namespace, or what is wrong.
fn check_id(id: &str) -> Result<usize, &'static str> {
    if id.is_empty() {
        return Err("is empty");
    }
    let (namespace, name) = id.split_once(':').ok_or("has no colon between namespace and name")?;
    if namespace.is_empty() {
        return Err("has no namespace before its colon");
    }
    if name.is_empty() {
        return Err("has no name after its colon");
    }
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if !namespace.split(['.', '-']).all(is_part) {
        return Err("has a namespace that Ditto does not allow");
    }
    if name.contains(|c: char| matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{ff}' | '/')) {
        return Err("has a character in its name that Ditto does not allow");
    }
    if name.contains(['+', '#']) {
        return Err("has a wildcard of MQTT in its name");
    }
    Ok(namespace.len())
}
