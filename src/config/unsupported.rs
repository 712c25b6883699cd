//! What a configuration may ask for and is not built yet.

use super::{Broker, Config};

/// What `config` needs and this program cannot do yet, a line each. Not to run is
/// better than to run as something else.
pub fn unsupported(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let mut refuse = |line: String| lines.push(line);
    if let Broker::Tls { .. } = config.connection.broker {
        refuse(String::from("connection.broker: TLS is not built yet; use tcp:// or unix://"));
    }
    lines
}
