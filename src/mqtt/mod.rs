//! An MQTT 3.1.1 client session without I/O: bytes in, bytes out, time as an
//! argument. It reconnects, keeps QoS 1 messages until they are acknowledged
//! and sends them again on the next link, receives QoS 0, 1 and 2, and skips
//! over what is too large. Section numbers and [MQTT-...] are those of the
//! standard.
//!
//! # How to drive it
//!
//! One turn of the caller's loop:
//!
//! 1. Wait until the transport can be read or takes bytes, or the time of
//!    [`Session::poll_timeout`] has come, or there is something to say.
//! 2. Read into [`Session::receive_buffer`] if that is not empty, and hand in how
//!    much came: [`Session::handle_received`]. At the transport's end or error,
//!    first step 3, then [`Session::handle_link_down`].
//! 3. Unless [`Session::is_mid_document`], take events: [`Session::poll_event`]
//!    until it returns `None`. Drop each payload before the next read. On
//!    [`Event::Connected`], [`Session::subscribe`]. Answers go in with
//!    [`Session::publish`] and [`Session::acknowledge`], the latter also much
//!    later.
//! 4. [`Session::handle_timeout`] with the time that it is.
//! 5. Once all that was handed out before is written: [`Session::poll_transmit`],
//!    write that, and again until it returns 0. If an event was held back for
//!    want of acknowledgements, step 3 again.
//! 6. [`Session::poll_link`] says what to do about the transport. `Open`: make
//!    one, then [`Session::handle_link_up`] or [`Session::handle_link_down`]; the
//!    connect timeout covers that too, by a `Close`. `Close`: write what step 5
//!    gave, as far as the transport takes it, close it, and say
//!    [`Session::handle_link_down`].
//!
//! To end: [`Session::disconnect`], then steps 5 and 6.
//!
//! # What holds
//!
//! - Nothing but CONNECT is sent before CONNACK [MQTT-3.1.0-1]. Then
//!   subscriptions and acknowledgements before messages, and nothing in the
//!   middle of a message.
//! - Messages are sent in the order in which they were queued; after a
//!   reconnection those that had been sent come first, with their packet ids and
//!   DUP [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1]. Only where the broker seems
//!   to refuse one do those to other topics overtake it, see `suspicion`.
//! - `Connected` and `Lost` alternate.
//! - Memory is bounded by `limits`: what waits to be sent is stored in one arena,
//!   what is received lies in one buffer.

mod acks;
mod attention;
mod codec;
mod control;
mod entry;
mod event;
mod inbound;
mod keepalive;
mod links;
mod message;
mod options;
mod outbound;
mod reason;
mod receive;
mod refused;
mod session;
mod suspicion;
mod unsendable;
mod window;

#[cfg(test)]
mod tests;

pub use acks::Ack;
pub use event::{Delivery, Event, LinkWish, Publish, Status};
pub use message::{Class, Document, Documents, Message, PublishError, Waiting, Write};
pub use options::{Options, Will};
pub use reason::{Malformed, Reason};
pub use refused::{Answer, Refused};
pub use session::Session;
pub use unsendable::{Refusal, Remedy};
pub(crate) use window::Window;
