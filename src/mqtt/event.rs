//! What the session tells its caller.

use bytes::Bytes;

use super::acks::Ack;
use super::reason::Reason;
use super::unsendable::Refusal;
use crate::model::time::Tick;

/// Something that happened. Owned: it borrows nothing of the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The broker accepted us. Nothing is subscribed on this link yet unless
    /// the broker kept the session.
    Connected {
        /// Whether the broker kept the session.
        session_present: bool,
    },
    /// All filters of a SUBSCRIBE were accepted.
    Subscribed {
        /// What `subscribe` returned.
        packet: u16,
    },
    /// Some filters of a SUBSCRIBE were refused; the others were accepted.
    SubscribeRefused {
        /// What `subscribe` returned.
        packet: u16,
        /// Places of the refused filters in what was given to `subscribe`.
        filters: Vec<u16>,
    },
    /// An UNSUBSCRIBE was answered.
    Unsubscribed {
        /// What `unsubscribe` returned.
        packet: u16,
    },
    /// A message.
    Publish(Publish),
    /// A part of a message that goes past a limit. Its parts follow each other
    /// without another event between, bar `Lost`, after which the rest never comes.
    Oversized {
        /// Its topic, at most `TOPIC_IN_MAX` bytes of it.
        topic: String,
        /// Bytes of the whole payload.
        len: usize,
        /// The next bytes of it: `SKIP_CHUNK`, or what is left.
        part: Bytes,
        /// Whether it is the last part.
        last: bool,
        /// How it came.
        delivery: Delivery,
        /// With the last part; none for QoS 0.
        ack: Option<Ack>,
    },
    /// The broker refuses a message of ours for good. Comes after the `Lost` that showed it,
    /// or when one like it would have been sent.
    Refused(Refusal),
    /// The session has no link any more, or is about to. Comes once after each
    /// `Connected`.
    Lost(Reason),
}

/// How a message came, by which it is told from others with the same content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delivery {
    /// Its packet id, which it keeps when it is delivered once more in the same session
    /// [MQTT-4.4.0-1]; 0 for QoS 0.
    pub id: u16,
    /// Whether it may have come before [MQTT-3.3.1-1].
    pub dup: bool,
    /// Whether it is an old message that the broker kept for new subscribers.
    pub retain: bool,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publish {
    /// At most `TOPIC_IN_MAX` bytes; not empty, without wildcards and NUL.
    pub topic: String,
    /// At most `PAYLOAD_IN_MAX` bytes. It is a piece of the receive buffer: drop
    /// it before the next read, or a new buffer has to be allocated.
    pub payload: Bytes,
    /// How it came.
    pub delivery: Delivery,
    /// To be handed to `acknowledge`; none for QoS 0.
    pub ack: Option<Ack>,
}

/// What the caller is to do about the transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkWish {
    /// Make it now, then say `handle_link_up` or `handle_link_down`. Said once.
    Open,
    /// Have none; ask again at this time.
    Wait(Tick),
    /// Leave it as it is: up, or being made.
    Keep,
    /// Write what was handed out already, close it or stop making it, then say
    /// `handle_link_down`. After `disconnect`, said for ever.
    Close(Reason),
}

/// How the session stands, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Whether the broker has accepted us on the present link.
    pub connected: bool,
    /// Since when it is so; none until the first connection.
    pub since: Option<Tick>,
    /// Connections after the first.
    pub reconnects: u32,
    /// Why the last link ended or could not be made.
    pub last: Option<Reason>,
    /// When the next link is tried, if none is there or being made.
    pub retry_at: Option<Tick>,
}
