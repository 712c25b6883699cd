//! A mosquitto with a plain listener and one with TLS, and managers for it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{json, Value};

use crate::certificates::{path, Authority, Kind, NOW};
use crate::peers::PATIENCE;
use crate::processes::{free_port, wait_until, Folder, Manager};

/// A folder with the authority `ca` and the broker's certificate `broker`, which
/// is for localhost.
pub struct World {
    _folder: Folder,
    dir: PathBuf,
    pub plain: u16,
    pub port: u16,
    process: Option<Child>,
}

impl World {
    /// The broker is not started yet.
    pub fn prepare() -> World {
        let folder = Folder::new();
        let (plain, port) = (free_port("127.0.0.1"), free_port("127.0.0.1"));
        let world = World { dir: folder.file(""), _folder: folder, plain, port, process: None };
        Authority::new(world.dir(), "ca").sign("broker", Kind::Ec, "subjectAltName=DNS:localhost,IP:127.0.0.1", NOW);
        world
    }

    /// One whose broker runs.
    pub fn start() -> World {
        let mut world = World::prepare();
        world.serve("broker", "", "");
        world
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The one that signed the broker's certificate.
    pub fn authority(&self) -> Authority<'_> {
        Authority::existing(self.dir(), "ca")
    }

    /// How the log begins if a connection cannot be made.
    pub fn failure(&self) -> String {
        format!("cannot connect to tls://localhost:{}", self.port)
    }

    pub fn file(&self, name: &str) -> String {
        path(self.dir(), name)
    }

    /// (Re)starts the broker with a certificate, further lines for its TLS
    /// listener, and lines for OpenSSL.
    pub fn serve(&mut self, cert: &str, lines: &str, openssl: &str) {
        self.stop();
        let (plain, port, dir) = (self.plain, self.port, self.file(""));
        let lines = lines.replace("{folder}", dir.trim_end_matches('/'));
        let config = format!(
            "per_listener_settings true\nuser root\nlog_type all\nset_tcp_nodelay true\n\
             listener {plain} 127.0.0.1\nallow_anonymous true\n\
             listener {port} 127.0.0.1\nallow_anonymous true\n\
             certfile {dir}{cert}.pem\nkeyfile {dir}{cert}.key\n{lines}\n"
        );
        fs::write(self.file("mosquitto.conf"), config).unwrap();
        fs::write(self.file("openssl.cnf"), openssl_config(openssl)).unwrap();
        let log = File::options().append(true).create(true).open(self.file("log")).unwrap();
        let search = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(self.file("mosquitto.conf"));
        command.env("PATH", search).env("OPENSSL_CONF", self.file("openssl.cnf"));
        let child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("these tests need mosquitto: apt-get install mosquitto")
            }
            Err(error) => panic!("cannot start mosquitto: {error}"),
        };
        self.process = Some(child);
        wait_until("mosquitto listens", Duration::from_secs(5), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// How often the broker's log says `words`.
    pub fn said(&self, words: &str) -> usize {
        fs::read_to_string(self.file("log")).unwrap_or_default().matches(words).count()
    }

    /// A manager that trusts `ca`, with further keys of `connection`.
    pub fn manager(&self, connection: Value) -> Manager {
        self.manager_at(&format!("tls://localhost:{}", self.port), connection)
    }

    pub fn manager_at(&self, broker: &str, connection: Value) -> Manager {
        let mut all = json!({ "caCert": self.file("ca.pem") });
        all.as_object_mut().unwrap().extend(connection.as_object().unwrap().clone());
        Manager::start_with(broker, &["containers"], json!({ "connection": all }))
    }

    /// How a manager ends that cannot start: its exit code and what it says.
    pub fn refused(&self, connection: Value) -> (Option<i32>, String) {
        let folder = Folder::new();
        let mut all = json!({ "broker": format!("tls://localhost:{}", self.port), "caCert": self.file("ca.pem") });
        all.as_object_mut().unwrap().extend(connection.as_object().unwrap().clone());
        let config = json!({
            "connection": all, "thingsEnabled": false, "rebootEnabled": false,
            "stateDir": folder.file("state"), "consoleSocket": folder.file("console.sock"),
        });
        fs::write(folder.file("config.json"), config.to_string()).unwrap();
        let Output { status, stderr, .. } = Command::new("timeout")
            .arg("10")
            .arg(env!("CARGO_BIN_EXE_update-manager"))
            .arg("--config-file")
            .arg(folder.file("config.json"))
            .env("FILE_SYS_RQ", folder.file("sysrq"))
            .env("FILE_SYS_RQ_TRIGGER", folder.file("sysrq-trigger"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("-- the broker said:\n{}", fs::read_to_string(self.file("log")).unwrap_or_default());
        }
    }
}

/// The file in which OpenSSL finds `lines` for every connection.
pub fn openssl_config(lines: &str) -> String {
    format!("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n{lines}\n")
}

/// Waits until the manager's log has a line that ends in `words`.
pub fn await_line(manager: &Manager, words: &str) {
    let line = format!("{words}\n");
    wait_until(words, PATIENCE, || manager.said(&line) > 0);
}

/// Waits until the broker has accepted the manager.
pub fn await_connected(manager: &Manager) {
    await_line(manager, " connected");
}
