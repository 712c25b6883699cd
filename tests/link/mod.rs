//! The crate's own MQTT client as tests and examples want it: with text, and
//! whatever cannot be done is a panic.

// Each of those who include it uses a part of it.
#![allow(dead_code)]

use std::fmt;
use std::io;
use std::time::Duration;

use update_manager::agent::{self, connection, Connection};
use update_manager::mqtt::Class;

pub mod envelope;

/// How long a broker's answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that comes back by itself; see [`agent::Client`].
pub struct Client(agent::Client);

impl Client {
    /// Connects to `host:port`, or to an address with a scheme.
    ///
    /// # Errors
    /// `TimedOut` if the broker does not accept it in 10 s.
    pub fn connect(address: &str, id: &str) -> io::Result<Client> {
        let connection = connection(address).map_err(io::Error::other)?;
        Client::connect_with(Connection { client_id: id.into(), ..connection })
    }

    /// The same with another connection than the usual one.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_with(connection: Connection) -> io::Result<Client> {
        let mut client = agent::Client::new(connection)?;
        client.connect(PATIENCE)?;
        Ok(Client(client))
    }

    /// Subscribes to all of `filters`; returns when the broker has said so.
    ///
    /// # Errors
    /// `TimedOut` if it does not.
    pub fn subscribe(&mut self, filters: &[impl AsRef<str>]) -> io::Result<()> {
        self.0.subscribe(filters, PATIENCE)
    }

    /// Hands over a message at QoS 1; it is sent again if it gets lost.
    pub fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        let body = |out: &mut dyn fmt::Write| out.write_str(payload);
        let result = self.0.publish(topic, retain, Class::Keep, &body);
        assert!(result.is_ok(), "cannot publish {} bytes on {topic}: {result:?}", payload.len());
    }

    /// The next message; none if none comes within `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Option<(String, String)> {
        let message = self.0.next(timeout)?;
        Some((message.topic, String::from_utf8_lossy(&message.payload).into_owned()))
    }

    /// Returns when the broker has acknowledged all that was published.
    ///
    /// # Errors
    /// `TimedOut` if it does not within `timeout`.
    pub fn flush(&mut self, timeout: Duration) -> io::Result<()> {
        self.0.flush(timeout)
    }

    /// How often the broker has accepted it.
    pub fn connections(&self) -> u32 {
        self.0.connections()
    }

    /// Ends the session with all that it still has to send.
    pub fn disconnect(self) {
        let _ = self.0.disconnect(PATIENCE);
    }
}
