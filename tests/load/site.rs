//! A broker with a plain listener and one with TLS, and managers for it.

use std::path::PathBuf;

use serde_json::{json, Value};

use crate::certificates::{Authority, Kind, NOW};
use crate::processes::{free_port, Broker, Manager};

/// A static binary of the manager.
pub struct Build {
    pub name: &'static str,
    pub program: PathBuf,
    pub is_tls: bool,
}

impl Build {
    /// Those that the environment names: with TLS, and without.
    pub fn all() -> Vec<Build> {
        let build = |name, variable, is_tls| {
            let program = std::env::var_os(variable)?.into();
            Some(Build { name, program, is_tls })
        };
        let builds = [build("without TLS", "LOAD_MANAGER", false), build("with TLS", "LOAD_MANAGER_TLS", true)];
        builds.into_iter().flatten().collect()
    }
}

pub struct Site {
    pub broker: Broker,
    tls_port: u16,
}

impl Site {
    pub fn start() -> Site {
        let tls_port = free_port("127.0.0.1");
        let lines = format!(
            "max_packet_size 2000000\nlistener {tls_port} 127.0.0.1\nallow_anonymous true\n\
             certfile {{folder}}/broker.pem\nkeyfile {{folder}}/broker.key\n"
        );
        let mut broker = Broker::prepare(free_port("127.0.0.1"), &lines);
        let folder = broker.folder.file("");
        Authority::new(&folder, "ca").sign("broker", Kind::Ec, "subjectAltName=DNS:localhost,IP:127.0.0.1", NOW);
        broker.resume();
        Site { broker, tls_port }
    }

    pub fn port(&self) -> u16 {
        self.broker.port
    }

    /// A manager as it is installed, but for what `config` has otherwise.
    pub fn manager(&self, build: &Build, domains: &[&str], config: Value) -> Manager {
        let address = match build.is_tls {
            true => format!("tls://localhost:{}", self.tls_port),
            false => format!("tcp://{}", self.broker.address()),
        };
        manager(build, &address, &self.broker.folder.file("ca.pem").display().to_string(), domains, config)
    }
}

/// A manager for the broker at an address. Of `config`, `isSaved` is for us: whether
/// activities are saved.
pub fn manager(build: &Build, address: &str, authority: &str, domains: &[&str], config: Value) -> Manager {
    let mut all = json!({
        "log": { "logLevel": "INFO" }, "connection": {}, "consoleSocket": "", "currentStateDelay": "30s"
    });
    if config["isSaved"] != true {
        all["stateDir"] = "".into();
    }
    if build.is_tls {
        all["connection"]["caCert"] = authority.into();
    }
    for (key, value) in config.as_object().into_iter().flatten().filter(|(key, _)| *key != "isSaved") {
        match (all[key].as_object_mut(), value.as_object()) {
            (Some(inner), Some(value)) => inner.extend(value.clone()),
            _ => all[key] = value.clone(),
        }
    }
    Manager::start_program(&build.program, address, domains, all, |_| {})
}
