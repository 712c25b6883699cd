//! Topics towards the connector (docs/twin-api.md, "Topics").

use core::fmt::Write;

use heapless::String;

use super::Identity;
use crate::limits::{ANSWER_TOPIC_MAX, REQUEST_FILTER_MAX, TOPIC_IN_MAX};

/// An empty message here asks who we are.
pub const EDGE_REQUEST: &str = "edge/thing/request";

/// The answer to that, see [`Identity`]; also unasked. To be subscribed to.
pub const EDGE_RESPONSE: &str = "edge/thing/response";

/// Everything that we tell unasked.
pub const EVENTS: &str = "e";

/// What comes in, by its topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming<'t> {
    /// The connector says who we are.
    EdgeResponse,
    /// Something is asked of us, or of another on this device.
    Request(RequestTopic<'t>),
}

impl<'t> Incoming<'t> {
    /// What comes in by `topic`; none if it is not one of ours. Before there is an
    /// identity no request is.
    pub fn classify(topic: &'t str, identity: Option<&Identity>) -> Option<Incoming<'t>> {
        match identity {
            _ if topic == EDGE_RESPONSE => Some(Incoming::EdgeResponse),
            Some(identity) => RequestTopic::parse(topic, identity).map(Incoming::Request),
            None => None,
        }
    }
}

/// The topic of a request, in one of four forms: `command///req/<id>/<operation>`,
/// `command//<device id>/req/<id>/<operation>`, and both with `c` and `q` in place
/// of `command` and `req`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestTopic<'t> {
    short: bool,
    /// Ours, or empty.
    device: &'t str,
    /// The asker's identifier of the request. Kanto's documentation has it empty,
    /// and so it is in the topic of the answer then.
    pub id: &'t str,
    /// What is asked for, as the topic has it: the message counts, if it can be read.
    pub subject: &'t str,
}

impl<'t> RequestTopic<'t> {
    /// The filters by which requests to `identity` come in, to be subscribed to.
    pub fn filters(identity: &Identity) -> [String<REQUEST_FILTER_MAX>; 4] {
        let filter = |before: [&str; 3]| before.into_iter().collect();
        let device = identity.device_id();
        [
            filter(["command//", "", "/req/#"]),
            filter(["command//", device, "/req/#"]),
            filter(["c//", "", "/q/#"]),
            filter(["c//", device, "/q/#"]),
        ]
    }

    /// Whether requests to a thing come by this filter or topic.
    pub fn is_of_request(filter: &str) -> bool {
        filter.starts_with("command//") || filter.starts_with("c//")
    }

    /// The filter by which a request to any thing came, if the topic is that of one.
    pub fn filter_of(topic: &str) -> Option<std::string::String> {
        let mut levels = topic.splitn(5, '/');
        let [root, blank, device, kind] = [levels.next()?, levels.next()?, levels.next()?, levels.next()?];
        levels.next()?;
        let is_one = blank.is_empty() && matches!((root, kind), ("command", "req") | ("c", "q"));
        is_one.then(|| format!("{root}//{device}/{kind}/#"))
    }

    /// Takes a topic apart. None if it has another form, names another device, or
    /// is past `TOPIC_IN_MAX`; and if its identifier has what the topic of an
    /// answer must not: a wildcard [MQTT-3.3.2-2] or a control character, for which
    /// brokers may close the connection [MQTT-1.5.3].
    pub fn parse(topic: &'t str, identity: &Identity) -> Option<RequestTopic<'t>> {
        let mut levels = topic.split('/');
        let mut level = || levels.next();
        let short = match level()? {
            "command" => false,
            "c" => true,
            _ => return None,
        };
        let tenant = level()?;
        let device = level().filter(|device| device.is_empty() || *device == identity.device_id())?;
        let request = level()?;
        let id = level().filter(|id| !id.contains(|c: char| matches!(c, '+' | '#') || c.is_control()))?;
        let subject = level()?;
        let is_request = tenant.is_empty() && request == if short { "q" } else { "req" };
        if !is_request || level().is_some() || topic.len() > TOPIC_IN_MAX {
            return None;
        }
        Some(RequestTopic { short, device, id, subject })
    }

    /// Returns which of the four forms it has, from 0.
    pub fn form(&self) -> u8 {
        u8::from(self.short) << 1 | u8::from(self.device.is_empty())
    }

    /// The topic of the answer with `status`, 3 digits, in the form of the request.
    pub fn answer(&self, status: u16) -> String<ANSWER_TOPIC_MAX> {
        let [first, verb] = if self.short { ["c", "s"] } else { ["command", "res"] };
        let mut topic = String::new();
        // Fits: `parse` saw to it.
        let _ = write!(topic, "{first}//{}/{verb}/{}/{status}", self.device, self.id);
        topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_their_topics() {
        for (topic, filter) in [
            ("command///req/id/apply", Some("command///req/#")),
            ("c//d:1/q//apply", Some("c//d:1/q/#")),
            ("command//d/q/id/apply", None),
            ("command///req", None),
            ("deviceupdate/desiredstate", None),
        ] {
            assert_eq!(RequestTopic::filter_of(topic).as_deref(), filter, "{topic}");
            assert!(filter.map_or(true, RequestTopic::is_of_request));
        }
    }
}
