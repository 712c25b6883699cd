//! How to connect.

use super::codec::STRING_MAX;

/// How to connect. It can hold a password, hence no `Debug`.
#[derive(Clone)]
pub struct Options {
    /// At most 65,535 bytes; empty (the broker chooses) only with a clean session.
    pub client_id: String,
    /// At most 65,535 bytes; empty is the same as none.
    pub username: Option<String>,
    /// At most 65,535 bytes; empty is the same as none.
    pub password: Option<String>,
    /// Seconds without a packet of ours after which the broker is pinged; 0: never.
    pub keep_alive_s: u16,
    /// Whether both sides forget the session when the link is lost.
    pub clean_session: bool,
    /// Milliseconds for making the link, and again for CONNACK; 0: no limit.
    pub connect_timeout_ms: u64,
    /// Milliseconds for the answer to a PUBLISH; 0: no limit.
    pub ack_timeout_ms: u64,
    /// Milliseconds for the answer to a SUBSCRIBE; 0: no limit.
    pub subscribe_timeout_ms: u64,
    /// Milliseconds for the answer to an UNSUBSCRIBE; 0: no limit.
    pub unsubscribe_timeout_ms: u64,
    /// Whether messages, and the last will, may be retained.
    pub retain: bool,
    /// What the broker publishes, retained, when it loses us.
    pub will: Option<Will>,
    /// Seed of the jitter of reconnections; should differ from device to device.
    pub seed: u64,
}

/// The last will (3.1.2.5): retained if that is allowed, QoS 1.
#[derive(Clone)]
pub struct Will {
    /// Not empty, at most 65,535 bytes, no wildcards, no NUL.
    pub topic: String,
    /// At most 65,535 bytes.
    pub payload: String,
}

impl Options {
    /// The configuration's defaults.
    pub fn new(client_id: impl Into<String>) -> Options {
        Options {
            client_id: client_id.into(),
            username: None,
            password: None,
            keep_alive_s: 20,
            clean_session: true,
            connect_timeout_ms: 30_000,
            ack_timeout_ms: 15_000,
            subscribe_timeout_ms: 15_000,
            unsubscribe_timeout_ms: 5_000,
            retain: true,
            will: None,
            seed: 0,
        }
    }

    /// What MQTT doesn't allow in them. Must pass before a session is made.
    ///
    /// # Errors
    /// Says what is wrong: a string that is too long or has a NUL
    /// [MQTT-1.5.3-2], a password without a user name [MQTT-3.1.2-22], no client
    /// id for a persistent session [MQTT-3.1.3-7].
    pub fn check(&self) -> Result<(), &'static str> {
        let username = self.username.as_deref().unwrap_or_default();
        let password = self.password.as_deref().unwrap_or_default();
        if self.client_id.len() > STRING_MAX {
            return Err("the client id has more than 65,535 bytes");
        }
        if username.len() > STRING_MAX {
            return Err("the user name has more than 65,535 bytes");
        }
        if password.len() > STRING_MAX {
            return Err("the password has more than 65,535 bytes");
        }
        if self.client_id.contains('\0') {
            return Err("the client id has a NUL character");
        }
        if username.contains('\0') {
            return Err("the user name has a NUL character");
        }
        if username.is_empty() && !password.is_empty() {
            return Err("there is a password but no user name");
        }
        if self.client_id.is_empty() && !self.clean_session {
            return Err("a session that is not clean needs a client id");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mqtt_forbids_in_a_connect_is_named() {
        let check = |change: fn(&mut Options)| {
            let mut options = Options::new("me");
            change(&mut options);
            options.check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|o| o.client_id.clear()), Ok(()));
        assert_eq!(check(|o| o.client_id = "x".repeat(65_535)), Ok(()));
        assert_eq!(check(|o| o.client_id = "x".repeat(65_536)), Err("the client id has more than 65,535 bytes"));
        assert_eq!(check(|o| o.username = Some("x".repeat(65_536))), Err("the user name has more than 65,535 bytes"));
        assert_eq!(check(|o| o.password = Some("x".repeat(65_536))), Err("the password has more than 65,535 bytes"));
        assert_eq!(check(|o| o.client_id = "a\0".into()), Err("the client id has a NUL character"));
        assert_eq!(check(|o| o.username = Some("\0".into())), Err("the user name has a NUL character"));
        assert_eq!(check(|o| o.password = Some("x".into())), Err("there is a password but no user name"));
        assert_eq!(
            check(|o| (o.client_id.clear(), o.clean_session = false).1),
            Err("a session that is not clean needs a client id")
        );
    }
}
