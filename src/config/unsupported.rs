//! What a configuration may ask for and is not built yet.

use super::{Broker, Config};

/// What `config` needs and this program cannot do yet, a line each. Not to run is
/// better than to run as something else.
pub fn unsupported(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let mut refuse = |line: String| lines.push(line);
    if config.things_enabled {
        refuse(String::from("thingsEnabled: the digital twin is not built yet; set thingsEnabled to false"));
    }
    if !config.owner_consent_commands.is_empty() {
        refuse(String::from("ownerConsentCommands: the owner's consent is not built yet; leave them out"));
    }
    if cfg!(not(feature = "tls")) && matches!(config.connection.broker, Broker::Tls { .. }) {
        refuse(String::from("connection.broker: this program is built without TLS; use tcp:// or unix://"));
    }
    if config.reboot_enabled {
        for agent in config.agents.iter().filter(|agent| agent.reboot_required) {
            refuse(format!(
                "agents.{}.rebootRequired: the reboot is not built yet; set it or rebootEnabled to false",
                agent.domain
            ));
        }
    }
    if !config.log.file.is_empty() {
        refuse(String::from("log.logFile: the log file is not built yet; leave it empty for standard error"));
    }
    lines
}
