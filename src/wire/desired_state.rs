//! The desired state and its parts (docs/backend-api.md, "The desired state";
//! docs/protocol.md, "The activity", step 1).

use core::fmt::{self, Write};

use heapless::Vec;

use super::envelope::Envelope;
use super::malformed::{Key, Malformed, What};
use super::node::{self, Node, Versioned};
use super::scan::Span;
use crate::limits::{COMPONENTS_MAX, DOMAINS_MAX, DOMAIN_ID_MAX};
use crate::model::text::Text;
use crate::model::Rollback;

/// Where the parts of a desired state stand in its message. It holds no text, so
/// it is as true of a copy of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredState {
    domains: Vec<Entry, DOMAINS_MAX>,
    baselines: Option<Span>,
    rollback: Option<Rollback>,
}

/// Where a domain's entry stands, and which others baselines connect with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The content of its identifier.
    id: Span,
    /// The whole object.
    object: Span,
    /// The number of its group.
    group: u8,
}

impl DesiredState {
    /// Domains that it names, at most `DOMAINS_MAX`, each once.
    pub fn domains(&self) -> usize {
        self.domains.len()
    }

    /// The identifier of the domain in place `ix`; `bytes` is the message that was
    /// decoded, or a copy.
    pub fn domain_id<'a>(&self, bytes: &'a [u8], ix: usize) -> Option<Text<'a>> {
        let id = self.domains.get(ix)?.id;
        let raw = core::str::from_utf8(bytes.get(id.start as usize..id.end())?).ok()?;
        Some(Text::from_checked(raw))
    }

    /// Returns the number of the group of the domain in place `ix`: the same for all domains
    /// that baselines connect, directly or through others. Groups are numbered from 0 as their
    /// first domains stand; a domain in no baseline is alone in its own.
    pub fn group(&self, ix: usize) -> Option<usize> {
        self.domains.get(ix).map(|entry| usize::from(entry.group))
    }

    /// Returns which domains are to be turned back together, if it says so for itself.
    pub fn rollback(&self) -> Option<Rollback> {
        self.rollback
    }

    /// Puts the domains in the places `one` and `other` into one group. Until they are
    /// numbered, a group is known by the place of its first domain.
    fn connect(&mut self, one: usize, other: usize) {
        let (one, other) = (self.domains[one].group, self.domains[other].group);
        for entry in self.domains.iter_mut().filter(|entry| entry.group == one || entry.group == other) {
            entry.group = one.min(other);
        }
    }

    /// Numbers the groups, which are known by the places of their first domains.
    fn number_groups(&mut self) {
        let mut numbers = [0; DOMAINS_MAX];
        let mut next = 0;
        for (place, entry) in self.domains.iter_mut().enumerate() {
            let first = usize::from(entry.group);
            if first == place {
                numbers[place] = next;
                next += 1;
            }
            entry.group = numbers[first];
        }
    }

    /// The place of the domain with this name; none if there is none. `bytes` is the
    /// message that was decoded, or a copy.
    pub fn place_of(&self, bytes: &[u8], name: &str) -> Option<usize> {
        (0..self.domains()).find(|place| self.domain_id(bytes, *place).is_some_and(|id| id.eq_str(name)))
    }
}

/// Decodes the payload. All of it is checked that a domain's agent would have to
/// read; what the protocol does not know is left alone.
///
/// # Errors
/// It is missing, something has a wrong type or lacks its identifier, a domain is
/// named twice, or it is past `DOMAINS_MAX`, `COMPONENTS_MAX` or `DOMAIN_ID_MAX`.
pub fn decode(envelope: &Envelope<'_>) -> Result<DesiredState, Malformed> {
    let payload = envelope.require("desired state")?;
    let [baselines, domains, rollback] = payload.fields([Key::Baselines, Key::Domains, Key::Rollback])?;
    for baseline in node::elements(baselines)? {
        check_baseline(baseline)?;
    }
    let mut state = DesiredState {
        baselines: baselines.map(|node| node.span()),
        rollback: rollback.map(decode_rollback).transpose()?,
        ..DesiredState::default()
    };
    let mut named: Vec<Text<'_>, DOMAINS_MAX> = Vec::new();
    let mut components = 0;
    for domain in node::elements(domains)? {
        let [id, config, parts] = domain.fields([Key::Id, Key::Config, Key::Components])?;
        let id = id.ok_or_else(|| domain.missing(Key::Id))?;
        let text = check_domain_id(id, &named)?;
        let entry = Entry {
            id: Span::new(id.span().start as usize + 1, id.span().end() - 1),
            object: domain.span(),
            group: state.domains.len() as u8,
        };
        if named.push(text).is_err() || state.domains.push(entry).is_err() {
            return Err(payload.error(What::More(DOMAINS_MAX as u32, "domains")).at(domain.span()));
        }
        check_config(config)?;
        for component in node::elements(parts)? {
            check_component(component)?;
            components += 1;
            if components > COMPONENTS_MAX {
                return Err(payload.error(What::More(COMPONENTS_MAX as u32, "components")).at(component.span()));
            }
        }
    }
    connect_domains(&mut state, baselines, &named)?;
    Ok(state)
}

fn decode_rollback(rollback: Node<'_>) -> Result<Rollback, Malformed> {
    let known = Rollback::of_name(rollback.string()?);
    known.ok_or_else(|| rollback.error(What::Is("is none of none, baseline, device")))
}

/// Puts domains that a baseline names into one group. It may name others than the desired
/// state has.
fn connect_domains(state: &mut DesiredState, baselines: Option<Node<'_>>, named: &[Text<'_>]) -> Result<(), Malformed> {
    for baseline in node::elements(baselines)? {
        let mut places = named_by(baseline).filter_map(|component| {
            let component = component.string().ok()?;
            named.iter().position(|domain| is_of(component, *domain))
        });
        if let Some(first) = places.next() {
            places.for_each(|place| state.connect(first, place));
        }
    }
    state.number_groups();
    Ok(())
}

fn check_domain_id<'a>(id: Node<'a>, named: &[Text<'_>]) -> Result<Text<'a>, Malformed> {
    let text = id.name()?;
    if text.as_json().len() > DOMAIN_ID_MAX {
        return Err(id.error(What::Longer(DOMAIN_ID_MAX as u32)));
    }
    match named.contains(&text) {
        true => Err(id.error(What::Repeated)),
        false => Ok(text),
    }
}

fn check_component(component: Node<'_>) -> Result<(), Malformed> {
    let [id, version, config] = component.fields([Key::Id, Key::Version, Key::Config])?;
    id.ok_or_else(|| component.missing(Key::Id))?.name()?;
    node::string(version)?;
    check_config(config)
}

fn check_config(config: Option<Node<'_>>) -> Result<(), Malformed> {
    node::elements(config)?.try_for_each(|entry| entry.key_value().map(drop))
}

fn check_baseline(baseline: Node<'_>) -> Result<(), Malformed> {
    let [title, description, preconditions, components] =
        baseline.fields([Key::Title, Key::Description, Key::Preconditions, Key::Components])?;
    for text in [title, description, preconditions] {
        node::string(text)?;
    }
    node::elements(components)?.try_for_each(|component| component.string().map(drop))
}

/// Returns the components that are wanted of the domain in place `ix`. `bytes` is the message that was
/// decoded, or a copy; none if there is no such domain, or `bytes` is another message.
pub fn wanted<'a>(bytes: &'a [u8], state: &DesiredState, ix: usize) -> Option<impl Iterator<Item = Versioned<'a>>> {
    let text = core::str::from_utf8(bytes).ok()?;
    let entry = state.domains.get(ix)?;
    let [components] = Node::checked(text, entry.object).fields([Key::Components]).ok()?;
    Some(node::elements(components).ok()?.filter_map(|component| component.versioned().ok()))
}

/// Encodes the payload for the agent of the domain in place `ix`: the domain's
/// entry as it came, and of each baseline that names components of the domain a
/// copy with just those. `bytes` is the message that was decoded, or a copy.
///
/// # Errors
/// `out` fails, there is no such domain, or `bytes` is another message.
pub fn encode_part(bytes: &[u8], state: &DesiredState, ix: usize, out: &mut dyn Write) -> fmt::Result {
    let text = core::str::from_utf8(bytes).map_err(|_| fmt::Error)?;
    let entry = state.domains.get(ix).ok_or(fmt::Error)?;
    let object = Node::checked(text, entry.object).object().map_err(|_| fmt::Error)?;
    let domain = Text::from_checked(entry.id.of(text));
    let baselines = state.baselines.map(|span| Node::checked(text, span));
    let mut before = "{\"baselines\":[";
    for baseline in node::elements(baselines).map_err(|_| fmt::Error)? {
        if components_of(baseline, domain).next().is_some() {
            out.write_str(before)?;
            encode_baseline(baseline, domain, out)?;
            before = ",";
        }
    }
    out.write_str(if before == "," { "],\"domains\":[" } else { "{\"domains\":[" })?;
    out.write_str(object.raw())?;
    out.write_str("]}")
}

/// A copy of the baseline that lists just the components of `domain`.
fn encode_baseline(baseline: Node<'_>, domain: Text<'_>, out: &mut dyn Write) -> fmt::Result {
    let mut before = '{';
    for (key, value) in baseline.members() {
        write!(out, "{before}\"{}\":", key.as_json())?;
        before = ',';
        if !key.eq_str(Key::Components.name()) {
            out.write_str(value.raw())?;
            continue;
        }
        let mut bracket = '[';
        for component in components_of(baseline, domain) {
            write!(out, "{bracket}{}", component.raw())?;
            bracket = ',';
        }
        out.write_char(']')?;
    }
    out.write_char('}')
}

/// The components of the baseline that are of `domain`.
fn components_of<'a>(baseline: Node<'a>, domain: Text<'a>) -> impl Iterator<Item = Node<'a>> {
    named_by(baseline).filter(move |component| is_of(component.string().unwrap_or_default(), domain))
}

/// The components of the baseline.
fn named_by(baseline: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let is_components = |(key, _): &(Text<'_>, Node<'_>)| key.eq_str(Key::Components.name());
    let components = baseline.members().find(is_components).and_then(|(_, value)| value.elements().ok());
    components.into_iter().flatten()
}

/// Whether a component of a baseline is of `domain`: it stands before the first colon.
fn is_of(component: Text<'_>, domain: Text<'_>) -> bool {
    let mut chars = component.chars();
    domain.chars().all(|c| c != ':' && chars.next() == Some(c)) && chars.next() == Some(':')
}
