//! Why a link ended.

use core::fmt;

/// Why a link ended or could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The broker answered CONNECT with this code (3.2.2.3).
    Refused(u8),
    /// The transport could not be made.
    Unreachable,
    /// The transport ended.
    Closed,
    /// No transport, or no CONNACK on it, within the connect timeout.
    ConnectTimeout,
    /// A PUBLISH was not acknowledged in time.
    AckTimeout,
    /// A SUBSCRIBE was not answered in time.
    SubscribeTimeout,
    /// An UNSUBSCRIBE was not answered in time.
    UnsubscribeTimeout,
    /// No PINGRESP in time.
    PingTimeout,
    /// Nothing of a begun PUBLISH could be sent for the acknowledge timeout.
    SendTimeout,
    /// The broker broke the protocol.
    Malformed(Malformed),
    /// More control packets than fit wait to be sent or answered.
    Full,
    /// A document was not the same when its second part was asked for. The
    /// broker never sees the torn message, and gets it whole on the next link.
    DocumentChanged,
    /// We ended it ourselves.
    Disconnected,
}

/// A packet of the broker's that breaks the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Name of the packet in the standard.
    pub packet: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

impl From<Malformed> for Reason {
    fn from(malformed: Malformed) -> Reason {
        Reason::Malformed(malformed)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Refused(1) => "the broker refused: unacceptable protocol version",
            Reason::Refused(2) => "the broker refused: client id rejected",
            Reason::Refused(3) => "the broker refused: server unavailable",
            Reason::Refused(4) => "the broker refused: bad user name or password",
            Reason::Refused(5) => "the broker refused: not authorized",
            Reason::Refused(code) => return write!(f, "the broker refused: code {code}"),
            Reason::Unreachable => "no connection to the broker",
            Reason::Closed => "the connection was closed",
            Reason::ConnectTimeout => "the broker did not answer CONNECT in time",
            Reason::AckTimeout => "the broker did not acknowledge a message in time",
            Reason::SubscribeTimeout => "the broker did not answer SUBSCRIBE in time",
            Reason::UnsubscribeTimeout => "the broker did not answer UNSUBSCRIBE in time",
            Reason::PingTimeout => "the broker did not answer PINGREQ in time",
            Reason::SendTimeout => "the broker takes no more bytes",
            Reason::Malformed(Malformed { packet, what }) => {
                return write!(f, "malformed {packet} from the broker: {what}")
            }
            Reason::Full => "too many subscriptions wait for the broker",
            Reason::DocumentChanged => "a document changed while it was sent",
            Reason::Disconnected => "disconnected",
        })
    }
}
