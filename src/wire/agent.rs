//! The agents' side of the protocol (docs/agent-api.md): what the
//! manager sends is read, and what an agent reports is written.

use core::fmt::{self, Write};

use super::desired_state;
use super::envelope::Envelope;
use super::json::Json;
use super::malformed::{Key, Malformed, What};
use super::node::{self, Elements, KeyValue, Node};
use super::topic::{topic_form, Topic, TopicError, COMMAND, CURRENT_STATE, CURRENT_STATE_GET, DESIRED_STATE, FEEDBACK};
use crate::limits::TOPIC_FORM_MAX;
use crate::model::text::Text;
use crate::model::Command;

/// What comes to an agent, by its topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// Its part of a desired state.
    DesiredState,
    /// A command.
    Command,
    /// It is asked for its inventory.
    CurrentStateGet,
}

/// The topics of one agent.
#[derive(Clone, Debug)]
pub struct Topics(heapless::String<TOPIC_FORM_MAX>);

impl Topics {
    /// Those of the domain's agent.
    ///
    /// # Errors
    /// The domain can have none: see [`topic_form`].
    pub fn new(domain: &str) -> Result<Topics, TopicError<'_>> {
        topic_form(domain).map(Topics)
    }

    /// What comes in by `topic`; none if it is not one of the agent's.
    pub fn classify(&self, topic: &str) -> Option<Incoming> {
        match topic.strip_prefix(self.0.as_str())?.strip_prefix('/')? {
            DESIRED_STATE => Some(Incoming::DesiredState),
            COMMAND => Some(Incoming::Command),
            CURRENT_STATE_GET => Some(Incoming::CurrentStateGet),
            _ => None,
        }
    }

    /// All that an agent subscribes to.
    pub fn subscriptions(&self) -> [Topic; 3] {
        [DESIRED_STATE, COMMAND, CURRENT_STATE_GET].map(|rest| self.topic(rest))
    }

    /// Where it reports how far it is.
    pub fn feedback(&self) -> Topic {
        self.topic(FEEDBACK)
    }

    /// Where it reports its inventory.
    pub fn inventory(&self) -> Topic {
        self.topic(CURRENT_STATE)
    }

    fn topic(&self, rest: &str) -> Topic {
        [self.0.as_str(), "/", rest].into_iter().collect()
    }
}

/// Decodes a command: what is to be done, and the title of the baseline that it is
/// for; empty: all that the activity has.
///
/// # Errors
/// It is missing, something has a wrong type, or the command is not known.
pub fn decode_command<'a>(envelope: &Envelope<'a>) -> Result<(Command, Text<'a>), Malformed> {
    let payload = envelope.require("command")?;
    let [command, baseline] = payload.fields([Key::Command, Key::Baseline])?;
    let command = command.ok_or_else(|| payload.missing(Key::Command))?;
    let known = Command::of_name(command.string()?).ok_or_else(|| command.error(What::Is("is not a command")))?;
    Ok((known, node::string(baseline)?))
}

/// A desired state as an agent reads it. All in it was checked.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    config: Option<Node<'a>>,
    components: Option<Node<'a>>,
    baselines: Option<Node<'a>>,
}

/// A component that is to be there.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    /// Its identifier in its domain; not empty.
    pub id: Text<'a>,
    /// May be empty.
    pub version: Text<'a>,
    config: Option<Node<'a>>,
}

/// Components that change together.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// What it is called; may be empty, as the other texts.
    pub title: Text<'a>,
    /// In words.
    pub description: Text<'a>,
    /// What must hold before.
    pub preconditions: Text<'a>,
    components: Option<Node<'a>>,
}

/// Decodes the part of `domain`.
///
/// # Errors
/// As of [`desired_state::decode`], or it does not name the domain.
pub fn decode_part<'a>(envelope: &Envelope<'a>, domain: &str) -> Result<Part<'a>, Malformed> {
    desired_state::decode(envelope)?;
    let payload = envelope.require("desired state")?;
    let [baselines, domains] = payload.fields([Key::Baselines, Key::Domains])?;
    for entry in node::elements(domains)? {
        let [id, config, components] = entry.fields([Key::Id, Key::Config, Key::Components])?;
        if node::string(id)?.eq_str(domain) {
            return Ok(Part { config, components, baselines });
        }
    }
    Err(payload.error(What::Missing("the agent's domain")))
}

impl<'a> Part<'a> {
    /// The domain's own configuration.
    pub fn config(&self) -> impl Iterator<Item = KeyValue<'a>> {
        key_values(self.config)
    }

    /// The components, in order.
    pub fn components(&self) -> impl Iterator<Item = Component<'a>> {
        checked(self.components).filter_map(|component| {
            let [id, version, config] = component.fields([Key::Id, Key::Version, Key::Config]).ok()?;
            Some(Component { id: node::string(id).ok()?, version: node::string(version).ok()?, config })
        })
    }

    /// The baselines, in order.
    pub fn baselines(&self) -> impl Iterator<Item = Baseline<'a>> {
        checked(self.baselines).filter_map(|baseline| {
            let keys = [Key::Title, Key::Description, Key::Preconditions, Key::Components];
            let [title, description, preconditions, components] = baseline.fields(keys).ok()?;
            Some(Baseline {
                title: node::string(title).ok()?,
                description: node::string(description).ok()?,
                preconditions: node::string(preconditions).ok()?,
                components,
            })
        })
    }
}

impl<'a> Component<'a> {
    /// Its configuration.
    pub fn config(&self) -> impl Iterator<Item = KeyValue<'a>> {
        key_values(self.config)
    }
}

impl<'a> Baseline<'a> {
    /// Its components, as `domain:id`.
    pub fn components(&self) -> impl Iterator<Item = Text<'a>> {
        checked(self.components).filter_map(|component| component.string().ok())
    }
}

fn key_values(config: Option<Node<'_>>) -> impl Iterator<Item = KeyValue<'_>> {
    checked(config).filter_map(|entry| entry.key_value().ok())
}

/// The elements of an array that was checked.
fn checked(array: Option<Node<'_>>) -> impl Iterator<Item = Node<'_>> {
    node::elements(array).unwrap_or(Elements::none())
}

/// What a piece of software is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SoftwareType {
    /// A container.
    #[default]
    Container,
    /// A program.
    Application,
    /// An image of a file system or partition.
    Image,
    /// Bytes without a format.
    Raw,
    /// Data.
    Data,
}

/// As it is spelled in an inventory.
pub fn software_type_name(kind: SoftwareType) -> &'static str {
    match kind {
        SoftwareType::Container => "CONTAINER",
        SoftwareType::Application => "APPLICATION",
        SoftwareType::Image => "IMAGE",
        SoftwareType::Raw => "RAW",
        SoftwareType::Data => "DATA",
    }
}

/// Encodes a component, as it stands in a feedback's actions; `version` may be empty.
///
/// # Errors
/// `out` fails.
pub fn encode_component(out: &mut dyn Write, domain: &str, id: &str, version: &str) -> fmt::Result {
    let mut json = Json::new(out);
    json.begin_object("")?;
    json.text(Key::Id.name(), &format_args!("{domain}:{id}"))?;
    json.text_if_any(Key::Version.name(), version)?;
    json.end_object()
}

/// Encodes the parameters of a node; nothing if there are none.
///
/// # Errors
/// `json` fails.
pub fn encode_parameters(json: &mut Json<'_>, parameters: &[(String, String)]) -> fmt::Result {
    if parameters.is_empty() {
        return Ok(());
    }
    json.begin_array(Key::Parameters.name())?;
    for (name, value) in parameters {
        json.begin_object("")?;
        json.text(Key::Key.name(), name)?;
        json.text_if_any(Key::Value.name(), value)?;
        json.end_object()?;
    }
    json.end_array()
}
