//! The broker's address.

use core::fmt;

const PORT_PLAIN: u16 = 1883;
const PORT_TLS: u16 = 8883;

/// Where the broker is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broker {
    /// TCP without encryption.
    Tcp {
        /// Name, IPv4 address, or IPv6 address without brackets.
        host: String,
        /// Not 0.
        port: u16,
    },
    /// TCP with TLS.
    Tls {
        /// Name, IPv4 address, or IPv6 address without brackets.
        host: String,
        /// Not 0.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: String,
    },
}

/// An address as it is written: the broker, and who to be there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The broker.
    pub broker: Broker,
    /// The user name in front of the host; none if empty or absent.
    pub username: Option<String>,
    /// The password after the user name, if there is one.
    pub password: Option<String>,
}

/// Without user name and password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.broker.fmt(f)
    }
}

/// As an address, the port always there.
impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Broker::Tcp { host, port } => ("tcp", host, port),
            Broker::Tls { host, port } => ("tls", host, port),
            Broker::Unix { path } => return write!(f, "unix://{path}"),
        };
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

/// `text` without what stands in front of its last `@`, for messages. Without one, what
/// follows the host and is no port may be a password whose `@` was forgotten.
pub fn without_user_info(text: &str) -> &str {
    if let Some((_, rest)) = text.rsplit_once('@') {
        return rest;
    }
    let start = text.find("://").map_or(0, |at| at + 3);
    let host = text.get(start..).unwrap_or_default();
    match host.split_once(':') {
        Some((name, port)) if !name.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.get(..start + name.len()).unwrap_or_default()
        }
        _ => text,
    }
}

/// Reads `scheme://user:password@host:port`. Without `scheme://` it is plain
/// TCP, as the reference's MQTT library has it.
///
/// # Errors
/// What is wrong, without anything that may be secret.
pub fn parse_address(text: &str) -> Result<Address, String> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => match text.strip_prefix("unix:") {
            Some(path) => (String::from("unix"), path),
            None => (String::from("tcp"), text),
        },
    };
    let tls = match scheme.as_str() {
        "tcp" | "mqtt" => false,
        "ssl" | "tls" | "mqtts" | "mqtt+ssl" | "tcps" => true,
        "unix" => return parse_unix(rest),
        "ws" | "wss" => return Err(format!("MQTT over WebSocket ({scheme}) is not supported")),
        _ => return Err(String::from("the scheme is none of tcp, mqtt, ssl, tls, mqtts, mqtt+ssl, tcps, unix")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let (user_info, place) = match authority.rsplit_once('@') {
        Some((user_info, place)) => (Some(user_info), place),
        None => (None, authority),
    };
    let (host, port) = parse_place(place, if tls { PORT_TLS } else { PORT_PLAIN })?;
    let (username, password) = match user_info {
        None => (None, None),
        Some(user_info) => {
            let (user, password) = match user_info.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (user_info, None),
            };
            let unescaped = |text| unescape(text).ok_or("a bad % escape in front of the @");
            (Some(unescaped(user)?), password.map(unescaped).transpose()?)
        }
    };
    let broker = if tls { Broker::Tls { host, port } } else { Broker::Tcp { host, port } };
    Ok(Address { broker, username: username.filter(|name| !name.is_empty()), password })
}

/// Host, and port or `port_default`.
fn parse_place(place: &str, port_default: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a [ without its ]")?;
            if host.is_empty() {
                return Err("no address between [ and ]");
            }
            match port.strip_prefix(':') {
                None if !port.is_empty() => return Err("more than a port after the ]"),
                port => (host, port.unwrap_or("")),
            }
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    if port.contains(':') {
        return Err("an IPv6 address stands in brackets, as in tcp://[::1]:1883");
    }
    let port = match port {
        "" if host.is_empty() => return Err("no host"),
        "" => port_default,
        port if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port > 0).ok_or("the port is not 1 to 65535")?
        }
        _ => return Err("the port is no number"),
    };
    let host = unescape(host).ok_or("a bad % escape in the host")?;
    if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("a blank or control character in the host");
    }
    // As Go: without a host, the own one.
    Ok((if host.is_empty() { String::from("localhost") } else { host }, port))
}

/// `rest` is what follows `unix:` or `unix://`.
fn parse_unix(rest: &str) -> Result<Address, String> {
    let path = rest.split(['?', '#']).next().unwrap_or("");
    if path.is_empty() || (!path.starts_with('/') && path.contains('/')) {
        return Err(String::from("a Unix socket is written unix:///path"));
    }
    let path = unescape(path).ok_or("a bad % escape in the path")?;
    Ok(Address { broker: Broker::Unix { path }, username: None, password: None })
}

/// Undoes `%xx`. None if one is bad, or the result is no UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push((high << 4 | low) as u8);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_in_one_form_with_their_port() {
        for (text, shown) in [
            ("tcp://localhost:1883", "tcp://localhost:1883"),
            ("mqtt://broker", "tcp://broker:1883"),
            ("TCP://10.0.0.1:1884/", "tcp://10.0.0.1:1884"),
            ("ssl://broker", "tls://broker:8883"),
            ("tls://broker:1", "tls://broker:1"),
            ("mqtts://broker", "tls://broker:8883"),
            ("mqtt+ssl://broker", "tls://broker:8883"),
            ("tcps://broker", "tls://broker:8883"),
            ("tcp://[::1]:1883", "tcp://[::1]:1883"),
            ("tcp://[fe80::1%25eth0]", "tcp://[fe80::1%eth0]:1883"),
            ("tcp://:1883", "tcp://localhost:1883"),
            ("localhost:1883", "tcp://localhost:1883"),
            ("unix:///run/mosquitto.sock", "unix:///run/mosquitto.sock"),
            ("unix:/run/a%20b", "unix:///run/a b"),
            ("unix://here.sock", "unix://here.sock"),
        ] {
            assert_eq!(parse_address(text).map(|a| a.broker.to_string()), Ok(shown.to_string()), "{text}");
        }
    }

    #[test]
    fn user_info_is_taken_and_not_shown() {
        let address = parse_address("tcp://me%40home:a%3Ab@c@host:1").unwrap();
        assert_eq!(address.username.as_deref(), Some("me@home"));
        assert_eq!(address.password.as_deref(), Some("a:b@c"));
        assert_eq!(address.broker.to_string(), "tcp://host:1");
        let address = parse_address("tcp://me@host").unwrap();
        assert_eq!((address.username.as_deref(), address.password), (Some("me"), None));
    }

    #[test]
    fn bad_addresses_are_refused_without_what_may_be_secret() {
        for text in [
            "",
            "tcp://",
            "ws://host",
            "WSS://host",
            "http://host",
            "://host",
            "tcp://host:0",
            "tcp://host:65536",
            "tcp://host:x",
            "tcp://host:+1",
            "tcp://::1:1883",
            "tcp://[::1",
            "tcp://[::1]x",
            "tcp://[]:1",
            "tcp://ho st",
            "tcp://a%zz:secret@host",
            "tcp://%ff@host",
            "unix:",
            "unix://",
            "unix://run/x.sock",
            "secret://me:secret@host",
        ] {
            let error = parse_address(text).unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
        assert!(parse_address("wss://host").unwrap_err().contains("(wss)"));
        assert_eq!(without_user_info("tcp://me:p@ss@host:x"), "host:x");
    }
}
