//! What is asked of us (docs/twin-api.md, "Requests" and "Answers").

use super::super::consent::{self, ConsentReply};
use super::super::desired_state::{self, DesiredState};
use super::super::malformed::{Key, Malformed, What};
use super::super::node::Node;
use super::super::Envelope;
use super::{is, Identity, Operation, RequestTopic};
use crate::limits::CORRELATION_ID_MAX;
use crate::model::text::Text;

/// What an answer has of its request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// What is asked for: the operation or, if the message does not tell it, what its topic
    /// has in that place.
    pub subject: &'a str,
    /// The request's header, at most `CORRELATION_ID_MAX` bytes; none if absent,
    /// null or unreadable.
    pub correlation_id: Option<Text<'a>>,
    /// Whether an answer is to be sent: unless the request says `false`.
    pub required: bool,
}

impl<'a> Reply<'a> {
    /// The answer to a request for `subject` of which nothing else can be read: no
    /// JSON, or past `PAYLOAD_IN_MAX`.
    pub fn unread(subject: &'a str) -> Reply<'a> {
        Reply { subject, correlation_id: None, required: true }
    }

    /// Takes what it needs of the headers, as far as they can be read. Their names count
    /// whatever their case, as Ditto has it.
    fn read(&mut self, headers: Option<Node<'a>>) -> Result<(), Malformed> {
        let Some(headers) = headers else {
            return Ok(());
        };
        let [correlation, required] = headers.headers([Key::CorrelationId, Key::ResponseRequired])?;
        self.required = required.map_or(true, |node| node.raw() != "false");
        if let Some(node) = correlation {
            let id = node.string()?;
            if id.as_json().len() > CORRELATION_ID_MAX {
                return Err(node.error(What::Longer(CORRELATION_ID_MAX as u32)));
            }
            self.correlation_id = Some(id);
        }
        Ok(())
    }
}

/// A request is for this: none of ours, no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Foreign(pub &'static str);

/// A request to us whose value was not yet looked at.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked for.
    pub operation: Operation,
    value: Option<Node<'a>>,
}

impl<'a> Request<'a> {
    /// Decodes a whole message that came by `topic`. Its own topic and path say
    /// what it is for, compared to the last character. If the path cannot be read, it is
    /// malformed, and has an answer that names what `topic` says.
    ///
    /// # Errors
    /// It is for another thing, feature or operation. Inside: it is no JSON object,
    /// a key of it has a wrong type or stands twice, its topic or path is missing,
    /// its topic is none of a message to a thing, or of another operation than its
    /// path; or its correlation id is past `CORRELATION_ID_MAX`.
    pub fn decode(
        message: &'a [u8],
        topic: &RequestTopic<'a>,
        identity: &Identity,
    ) -> Result<(Reply<'a>, Result<Request<'a>, Malformed>), Foreign> {
        const KEYS: [Key; 4] = [Key::Topic, Key::Headers, Key::Path, Key::Value];
        let (document, fields) = match Node::document(message).and_then(|node| Ok((node, node.fields(KEYS)?))) {
            Ok(read) => read,
            Err(flaw) => return Ok((Reply::unread(topic.subject), Err(flaw))),
        };
        let [address, headers, path, value] = fields;
        let address = Address { document, topic: address, path };
        if let Some(what) = address.foreign(identity) {
            return Err(Foreign(what));
        }
        let mut reply = Reply::unread(address.operation().map_or(topic.subject, |operation| operation.name()));
        let checked = reply.read(headers).and_then(|()| address.check(identity));
        Ok((reply, checked.map(|operation| Request { operation, value })))
    }

    /// Decodes the value of a request to apply a desired state. Unlike in plain
    /// mode there is an answer without an activity too, so it has to be there.
    ///
    /// # Errors
    /// As of [`Envelope::decode`] and [`desired_state::decode`]; or its activity is
    /// missing or empty.
    pub fn apply(&self) -> Result<(Envelope<'a>, DesiredState), Malformed> {
        let envelope = self.envelope(Key::DesiredState)?;
        let state = desired_state::decode(&envelope)?;
        match self.value.filter(|_| envelope.activity.is_empty()) {
            Some(value) => Err(Malformed { what: What::Is("is missing or empty"), ..value.missing(Key::ActivityId) }),
            None => Ok((envelope, state)),
        }
    }

    /// Decodes the value of a request for the current state; all of it may be left
    /// out.
    ///
    /// # Errors
    /// As of [`Envelope::decode`].
    pub fn refresh(&self) -> Result<Envelope<'a>, Malformed> {
        self.value.map_or(Ok(Envelope::EMPTY), Envelope::without_payload)
    }

    /// Decodes the value of the owner's answer. Whether one is awaited, and under
    /// which correlation id, is to be asked first: backends know those answers.
    ///
    /// # Errors
    /// As of [`Envelope::decode`] and [`consent::decode`].
    pub fn consent(&self) -> Result<(Envelope<'a>, ConsentReply), Malformed> {
        let envelope = self.envelope(Key::OwnerConsentFeedback)?;
        Ok((envelope, consent::decode(&envelope)?))
    }

    fn envelope(&self, payload: Key) -> Result<Envelope<'a>, Malformed> {
        self.value.map_or(Ok(Envelope::EMPTY), |value| Envelope::of(value, payload))
    }
}

/// What a message says about whom it is for.
struct Address<'a> {
    document: Node<'a>,
    topic: Option<Node<'a>>,
    path: Option<Node<'a>>,
}

impl<'a> Address<'a> {
    /// What it is for, if that can be read and is none of ours.
    fn foreign(&self, identity: &Identity) -> Option<&'static str> {
        if text(self.topic).is_some_and(|topic| is_of_other_thing(topic, identity)) {
            return Some("another thing");
        }
        text(self.path).filter(|path| operation_of(*path).is_none()).map(|_| "another feature or operation")
    }

    /// The operation that its path names.
    fn operation(&self) -> Option<Operation> {
        text(self.path).and_then(operation_of)
    }

    /// What it is for, if it is well formed.
    fn check(&self, identity: &Identity) -> Result<Operation, Malformed> {
        let path = self.path.ok_or_else(|| self.document.missing(Key::Path))?;
        path.string()?;
        let operation = self.operation().ok_or_else(|| path.error(What::Is("is of no operation")))?;
        let node = self.topic.ok_or_else(|| self.document.missing(Key::Topic))?;
        let topic = node.string()?;
        let expected = [identity.namespace(), "/", identity.name(), "/things/live/messages/", operation.name()];
        match is(topic, &expected) {
            true => Ok(operation),
            false => Err(node.error(What::Is("is not namespace/name/things/live/messages/ and the path's operation"))),
        }
    }
}

/// The content of a node, if it is a string.
fn text(node: Option<Node<'_>>) -> Option<Text<'_>> {
    node.and_then(|node| node.string().ok())
}

/// Returns the operation of the path `/features/UpdateManager/inbox/messages/<operation>`.
pub fn operation_of(path: Text<'_>) -> Option<Operation> {
    const INBOX: &str = "/features/UpdateManager/inbox/messages/";
    Operation::ALL.into_iter().find(|operation| is(path, &[INBOX, operation.name()]))
}

/// Whether a topic begins with namespace, name and `things`, but not with ours.
fn is_of_other_thing(topic: Text<'_>, identity: &Identity) -> bool {
    let mut rest = topic.chars();
    let ours = [identity.namespace(), "/", identity.name(), "/"];
    if ours.iter().flat_map(|part| part.chars()).all(|c| rest.next() == Some(c)) {
        return false;
    }
    let mut rest = topic.chars();
    let mut skip_level = || rest.by_ref().take_while(|c| *c != '/').count() > 0;
    skip_level() && skip_level() && rest.take_while(|c| *c != '/').eq("things".chars())
}
