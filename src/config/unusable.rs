//! What is well formed and still cannot be run.

use super::{Broker, Config};

/// Why the manager cannot run with `config`, a line each. Not to run is better
/// than to run as something else.
pub fn unusable(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    if cfg!(not(feature = "tls")) && matches!(config.connection.broker, Broker::Tls { .. }) {
        lines.push(String::from("connection.broker: this program is built without TLS; use tcp:// or unix://"));
    }
    let is_kept = config.connection.clean_session == Some(false);
    // With a state folder the shell finds an id that stays the same.
    if is_kept && config.connection.client_id.is_empty() && config.state_dir.is_empty() {
        lines.push(String::from("connection.cleanSession: false needs a connection.clientId, or a stateDir"));
    }
    lines
}
