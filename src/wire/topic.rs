//! Topics (docs/protocol.md, "Topics").

use core::fmt;

use heapless::String;

use crate::limits::{DOMAINS_MAX, DOMAIN_ID_MAX, TOPIC_FORM_MAX, TOPIC_OUT_MAX};
use crate::model::DomainIx;

/// A topic of ours.
pub type Topic = String<TOPIC_OUT_MAX>;

/// What comes in, by its topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// The backend's desired state.
    DesiredState,
    /// A command of the backend; the top-level manager does nothing with it.
    DesiredStateCommand,
    /// The backend asks for the current state.
    CurrentStateGet,
    /// The owner's answer; subscribed while a consent is awaited.
    OwnerConsentFeedback,
    /// An agent's feedback.
    AgentFeedback(DomainIx),
    /// An agent's inventory.
    AgentInventory(DomainIx),
}

/// What goes out, by its topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// Our report to the backend.
    Feedback,
    /// The aggregated inventory; retained.
    Inventory,
    /// The question for the owner's consent.
    OwnerConsent,
    /// An agent's part of the desired state.
    AgentDesiredState(DomainIx),
    /// A command to an agent.
    AgentCommand(DomainIx),
    /// An agent is asked for its inventory.
    AgentCurrentStateGet(DomainIx),
}

pub(super) const DESIRED_STATE: &str = "desiredstate";
pub(super) const COMMAND: &str = "desiredstate/command";
pub(super) const CURRENT_STATE: &str = "currentstate";
pub(super) const CURRENT_STATE_GET: &str = "currentstate/get";
pub(super) const FEEDBACK: &str = "desiredstatefeedback";
const CONSENT: &str = "ownerconsent";
const CONSENT_FEEDBACK: &str = "ownerconsentfeedback";

type TopicForm = String<TOPIC_FORM_MAX>;

/// The topic form of a domain: dashes removed, then `update` appended unless it
/// already ends so.
///
/// # Errors
/// It is longer than `DOMAIN_ID_MAX` bytes, empty, or holds what a topic's level
/// may not: `/`, `+`, `#`, a control character [MQTT-4.7.1-1, MQTT-1.5.3-2].
pub fn topic_form(domain: &str) -> Result<TopicForm, TopicError<'_>> {
    if domain.len() > DOMAIN_ID_MAX {
        return Err(TopicError::TooLong(domain));
    }
    if domain.is_empty() || domain.chars().any(|c| matches!(c, '/' | '+' | '#') || c.is_control()) {
        return Err(TopicError::Unfit(domain));
    }
    let mut form: TopicForm = domain.chars().filter(|c| *c != '-').collect();
    if !form.ends_with("update") {
        // Fits: TOPIC_FORM_MAX has room for it.
        let _ = form.push_str("update");
    }
    Ok(form)
}

/// Why domains cannot have topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopicError<'d> {
    /// These two would have the same.
    Same(&'d str, &'d str),
    /// The domain's identifier is longer than `DOMAIN_ID_MAX` bytes.
    TooLong(&'d str),
    /// The domain's identifier cannot stand in a topic.
    Unfit(&'d str),
    /// There are more agents than `DOMAINS_MAX`.
    TooMany,
}

impl fmt::Display for TopicError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicError::Same(a, b) => write!(f, "domains {a:?} and {b:?} have the same topics"),
            TopicError::TooLong(domain) => write!(f, "domain {domain:?} is longer than {DOMAIN_ID_MAX} bytes"),
            TopicError::Unfit("") => f.write_str("a domain is empty"),
            TopicError::Unfit(domain) => write!(f, "domain {domain:?} has a character that no topic may have"),
            TopicError::TooMany => write!(f, "more than {DOMAINS_MAX} domains"),
        }
    }
}

/// The topic forms of the manager's domain and of the agents' domains.
#[derive(Clone, Debug)]
pub struct Topics {
    manager: TopicForm,
    /// At most `DOMAINS_MAX`.
    agents: Vec<TopicForm>,
}

impl Topics {
    /// Those of `manager`, the manager's own domain, and `agents` in the order of
    /// the configuration.
    ///
    /// # Errors
    /// Two of them have the same topics, there are too many, or one has none.
    pub fn new<'d>(manager: &'d str, agents: &[&'d str]) -> Result<Topics, TopicError<'d>> {
        let mut topics =
            Topics { manager: topic_form(manager)?, agents: Vec::with_capacity(agents.len().min(DOMAINS_MAX)) };
        for domain in agents {
            let form = topic_form(domain)?;
            if form == topics.manager {
                return Err(TopicError::Same(manager, domain));
            }
            if let Some(place) = topics.agents.iter().position(|other| *other == form) {
                return Err(TopicError::Same(agents[place], domain));
            }
            if topics.agents.len() >= DOMAINS_MAX {
                return Err(TopicError::TooMany);
            }
            topics.agents.push(form);
        }
        Ok(topics)
    }

    /// What comes in by `topic`; none if it is not one of ours.
    pub fn classify(&self, topic: &str) -> Option<Incoming> {
        let (form, rest) = topic.split_once('/')?;
        if form == self.manager {
            return match rest {
                DESIRED_STATE => Some(Incoming::DesiredState),
                COMMAND => Some(Incoming::DesiredStateCommand),
                CURRENT_STATE_GET => Some(Incoming::CurrentStateGet),
                CONSENT_FEEDBACK => Some(Incoming::OwnerConsentFeedback),
                _ => None,
            };
        }
        let domain = self.agents.iter().position(|agent| form == agent).and_then(DomainIx::new)?;
        match rest {
            FEEDBACK => Some(Incoming::AgentFeedback(domain)),
            CURRENT_STATE => Some(Incoming::AgentInventory(domain)),
            _ => None,
        }
    }

    /// The topic by which it comes in; also the filter to subscribe to, for it has
    /// no wildcard.
    pub fn incoming(&self, incoming: Incoming) -> Topic {
        match incoming {
            Incoming::DesiredState => self.topic(None, DESIRED_STATE),
            Incoming::DesiredStateCommand => self.topic(None, COMMAND),
            Incoming::CurrentStateGet => self.topic(None, CURRENT_STATE_GET),
            Incoming::OwnerConsentFeedback => self.topic(None, CONSENT_FEEDBACK),
            Incoming::AgentFeedback(domain) => self.topic(Some(domain), FEEDBACK),
            Incoming::AgentInventory(domain) => self.topic(Some(domain), CURRENT_STATE),
        }
    }

    /// The topic by which it goes out.
    pub fn outgoing(&self, outgoing: Outgoing) -> Topic {
        match outgoing {
            Outgoing::Feedback => self.topic(None, FEEDBACK),
            Outgoing::Inventory => self.topic(None, CURRENT_STATE),
            Outgoing::OwnerConsent => self.topic(None, CONSENT),
            Outgoing::AgentDesiredState(domain) => self.topic(Some(domain), DESIRED_STATE),
            Outgoing::AgentCommand(domain) => self.topic(Some(domain), COMMAND),
            Outgoing::AgentCurrentStateGet(domain) => self.topic(Some(domain), CURRENT_STATE_GET),
        }
    }

    /// All that is subscribed to for good: everything but the owner's consent.
    pub fn subscriptions(&self) -> impl Iterator<Item = Incoming> {
        let backend = [Incoming::DesiredState, Incoming::DesiredStateCommand, Incoming::CurrentStateGet];
        let agents = (0..self.agents.len()).filter_map(DomainIx::new);
        backend.into_iter().chain(agents.flat_map(|d| [Incoming::AgentFeedback(d), Incoming::AgentInventory(d)]))
    }

    /// # Panics
    /// If there is no such agent: an invariant of our own.
    fn topic(&self, agent: Option<DomainIx>, rest: &str) -> Topic {
        let form = agent.map_or(&self.manager, |domain| &self.agents[domain.place()]);
        [form, "/", rest].into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ix(place: usize) -> DomainIx {
        DomainIx::new(place).unwrap()
    }

    #[test]
    fn a_domain_becomes_a_topic_without_dashes_and_with_update_at_its_end() {
        for (domain, form) in [
            ("containers", "containersupdate"),
            ("self-update", "selfupdate"),
            ("device", "deviceupdate"),
            ("safety-domain", "safetydomainupdate"),
            ("update", "update"),
            ("up-date", "update"),
            ("updater", "updaterupdate"),
            ("--", "update"),
            ("Gerät", "Gerätupdate"),
        ] {
            assert_eq!(topic_form(domain).unwrap(), form);
        }
    }

    #[test]
    fn what_comes_in_is_told_by_its_topic() {
        let topics = Topics::new("device", &["containers", "self-update"]).unwrap();
        for (topic, incoming) in [
            ("deviceupdate/desiredstate", Some(Incoming::DesiredState)),
            ("deviceupdate/desiredstate/command", Some(Incoming::DesiredStateCommand)),
            ("deviceupdate/currentstate/get", Some(Incoming::CurrentStateGet)),
            ("deviceupdate/ownerconsentfeedback", Some(Incoming::OwnerConsentFeedback)),
            ("containersupdate/desiredstatefeedback", Some(Incoming::AgentFeedback(ix(0)))),
            ("selfupdate/desiredstatefeedback", Some(Incoming::AgentFeedback(ix(1)))),
            ("selfupdate/currentstate", Some(Incoming::AgentInventory(ix(1)))),
            ("deviceupdate/currentstate", None),
            ("deviceupdate/desiredstatefeedback", None),
            ("deviceupdate/ownerconsent", None),
            ("containersupdate/desiredstate", None),
            ("containersupdate/currentstate/get", None),
            ("containersupdate/currentstate/", None),
            ("otherupdate/currentstate", None),
            ("Deviceupdate/desiredstate", None),
            ("/deviceupdate/desiredstate", None),
            ("deviceupdate", None),
            ("é/currentstate", None),
            ("", None),
        ] {
            assert_eq!(topics.classify(topic), incoming, "{topic}");
            if let Some(incoming) = incoming {
                assert_eq!(topics.incoming(incoming), topic);
            }
        }
    }

    #[test]
    fn everything_but_the_consent_is_subscribed_to() {
        let topics = Topics::new("device", &["containers", "self-update"]).unwrap();
        let filters: Vec<_> = topics.subscriptions().map(|i| topics.incoming(i)).collect();
        assert_eq!(
            filters,
            [
                "deviceupdate/desiredstate",
                "deviceupdate/desiredstate/command",
                "deviceupdate/currentstate/get",
                "containersupdate/desiredstatefeedback",
                "containersupdate/currentstate",
                "selfupdate/desiredstatefeedback",
                "selfupdate/currentstate",
            ]
        );
    }

    #[test]
    fn what_goes_out_has_its_topic() {
        let topics = Topics::new("device", &["containers", "self-update"]).unwrap();
        for (outgoing, topic) in [
            (Outgoing::Feedback, "deviceupdate/desiredstatefeedback"),
            (Outgoing::Inventory, "deviceupdate/currentstate"),
            (Outgoing::OwnerConsent, "deviceupdate/ownerconsent"),
            (Outgoing::AgentDesiredState(ix(0)), "containersupdate/desiredstate"),
            (Outgoing::AgentCommand(ix(1)), "selfupdate/desiredstate/command"),
            (Outgoing::AgentCurrentStateGet(ix(1)), "selfupdate/currentstate/get"),
        ] {
            assert_eq!(topics.outgoing(outgoing), topic);
        }
    }

    #[test]
    fn domains_with_the_same_topics_are_refused_by_name() {
        let error = |manager, agents: &[&'static str]| Topics::new(manager, agents).unwrap_err().to_string();
        assert_eq!(error("device", &["a", "de-vice"]), r#"domains "device" and "de-vice" have the same topics"#);
        assert_eq!(
            error("device", &["self-update", "x", "self"]),
            r#"domains "self-update" and "self" have the same topics"#
        );
        assert_eq!(error("", &[]), "a domain is empty");
        assert_eq!(error("a/b", &[]), r#"domain "a/b" has a character that no topic may have"#);
        assert_eq!(error("x", &["a\0"]), r#"domain "a\0" has a character that no topic may have"#);
    }

    #[test]
    fn as_many_and_as_long_domains_as_the_limits_allow_have_topics() {
        let names: Vec<_> = (0..=DOMAINS_MAX).map(|n| format!("{n:0>64}")).collect();
        let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
        let topics = Topics::new("device", &names[..DOMAINS_MAX]).unwrap();
        assert_eq!(topics.outgoing(Outgoing::AgentCommand(ix(DOMAINS_MAX - 1))).len(), 64 + 6 + 21);
        assert_eq!(Topics::new("device", &names).unwrap_err().to_string(), "more than 64 domains");
        let long = "x".repeat(65);
        assert!(Topics::new(&long, &[]).unwrap_err().to_string().ends_with("is longer than 64 bytes"));
        let topics = Topics::new(names[0], &[]).unwrap();
        assert!(topics.classify(&topics.incoming(Incoming::OwnerConsentFeedback)).is_some());
    }
}
