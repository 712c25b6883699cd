//! What an agent is asked.

use super::client::Message;
use crate::model::text::Text;
use crate::model::Command;
use crate::wire::agent::{self as wire, Incoming, Topics};
use crate::wire::node::KeyValue;
#[cfg(feature = "exec")]
use crate::wire::node::Node;
use crate::wire::{Envelope, Malformed, TextFinder};

/// Something that the agent is asked, or told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// The domain is to become this. It takes the place of a running activity.
    DesiredState {
        /// The activity, to be named in each feedback.
        activity: String,
        /// What is wanted.
        desired: DesiredState,
    },
    /// The next phase of the activity is to be gone through.
    Command {
        /// The activity; a command for one that is not known is to be ignored.
        activity: String,
        /// What is to be done.
        command: Command,
        /// The title of the baseline that it is for; empty: all components.
        baseline: String,
    },
    /// The inventory is asked for: by the manager, or, each time the link is new and
    /// all is subscribed, by ourselves, since it has to be reported then.
    CurrentStateGet {
        /// To be named in the answer; may be empty.
        activity: String,
    },
    /// A message that means nothing; it was skipped.
    Malformed {
        /// Its activity, as far as it can be read; else empty.
        activity: String,
        /// Whether it was to be a desired state, whose sender can be answered
        /// `IDENTIFICATION_FAILED`.
        is_desired_state: bool,
        /// What is wrong with it, and where.
        error: String,
    },
}

/// What a domain is to become.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DesiredState {
    /// All components that are to be there; what else is there is to be removed.
    pub components: Vec<Component>,
    /// Which of them change together.
    pub baselines: Vec<Baseline>,
    /// Keys and values of the domain as a whole.
    pub config: Vec<(String, String)>,
    /// All of it as it came, with what this program does not know: a JSON object.
    pub json: String,
}

/// A component that is to be there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Component {
    /// Its identifier in the domain; not empty.
    pub id: String,
    /// Its version; may be empty.
    pub version: String,
    /// Its keys and values.
    pub config: Vec<(String, String)>,
}

/// Components that change together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Baseline {
    /// By which commands name it.
    pub title: String,
    /// What it is, in words.
    pub description: String,
    /// What must hold before.
    pub preconditions: String,
    /// Identifiers of its components in the domain.
    pub components: Vec<String>,
}

/// What `message` asks of the domain's agent; none if its topic means nothing.
pub(super) fn decode(message: &Message, topics: &Topics, domain: &str) -> Option<Request> {
    let incoming = topics.classify(&message.topic)?;
    if message.is_retained && incoming != Incoming::CurrentStateGet {
        log::warn!("[{domain}] {}: ignored, the broker kept it from another time", message.topic);
        return None;
    }
    let bytes = message.payload.as_slice();
    let error = match message.len > bytes.len() {
        true => format!("message has {} bytes, at most {} are taken", message.len, bytes.len()),
        false => match understand(incoming, bytes, domain) {
            Ok(request) => return Some(request),
            Err(error) => error.within(bytes).to_string(),
        },
    };
    let mut finder = TextFinder::of_activity();
    finder.push(bytes);
    let activity = finder.activity().map_or(String::new(), plain);
    Some(Request::Malformed { activity, is_desired_state: incoming == Incoming::DesiredState, error })
}

fn understand(incoming: Incoming, bytes: &[u8], domain: &str) -> Result<Request, Malformed> {
    let envelope = Envelope::decode(bytes)?;
    let activity = plain(envelope.activity);
    Ok(match incoming {
        Incoming::DesiredState => Request::DesiredState { activity, desired: desired(&envelope, bytes, domain)? },
        Incoming::Command => {
            let (command, baseline) = wire::decode_command(&envelope)?;
            Request::Command { activity, command, baseline: plain(baseline) }
        }
        Incoming::CurrentStateGet => Request::CurrentStateGet { activity },
    })
}

fn desired(envelope: &Envelope<'_>, bytes: &[u8], domain: &str) -> Result<DesiredState, Malformed> {
    let part = wire::decode_part(envelope, domain)?;
    let json = envelope.payload().and_then(|span| bytes.get(span.start as usize..span.end()));
    Ok(DesiredState {
        components: part.components().map(component).collect(),
        baselines: part.baselines().map(|baseline| self::baseline(baseline, domain)).collect(),
        config: part.config().map(pair).collect(),
        json: String::from_utf8_lossy(json.unwrap_or_default()).into_owned(),
    })
}

/// The domain's part of a desired state in `json`; none if it is none.
#[cfg(feature = "exec")]
pub(crate) fn part(json: &str, domain: &str) -> Option<DesiredState> {
    let node = Node::document(json.as_bytes()).ok()?;
    desired(&Envelope::around(node), json.as_bytes(), domain).ok()
}

fn component(component: wire::Component<'_>) -> Component {
    let config = component.config().map(pair).collect();
    Component { id: plain(component.id), version: plain(component.version), config }
}

/// A baseline with those of its components that are of the domain.
fn baseline(baseline: wire::Baseline<'_>, domain: &str) -> Baseline {
    let components = baseline.components().map(plain);
    let of_domain = |name: String| Some(name.strip_prefix(domain)?.strip_prefix(':')?.to_owned());
    Baseline {
        title: plain(baseline.title),
        description: plain(baseline.description),
        preconditions: plain(baseline.preconditions),
        components: components.filter_map(of_domain).collect(),
    }
}

fn pair(entry: KeyValue<'_>) -> (String, String) {
    (plain(entry.key()), plain(entry.value()))
}

fn plain(text: Text<'_>) -> String {
    text.chars().collect()
}
