//! A mosquitto with the configuration and the ACL that are shipped, a password for
//! each role, and a manager that has its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use serde_json::{json, Value};
use update_manager::agent::{connection, Connection};

use crate::link::envelope::topic;
use crate::link::Client;
use crate::peers::Peers;
use crate::processes::{free_port, Broker, Manager};

pub const DOMAINS: [&str; 2] = ["containers", "self-update"];
/// A user of the tests alone, who sees all that arrives.
const WITNESS: &str = "witness";
const USERS: [&str; 7] = ["manager", "backend", "owner", "connector", "containersupdate", "selfupdate", WITNESS];

pub struct World {
    broker: Broker,
    _manager: Manager,
}

impl World {
    /// One whose manager has further keys in its configuration.
    pub fn start(config: Value) -> World {
        let mut broker = Broker::prepare(free_port("127.0.0.1"), "");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/mosquitto");
        let read = |name| fs::read_to_string(shipped.join(name)).unwrap();
        let here = format!("{}/", broker.folder.file("").display()).replace("//", "/");
        let conf = read("update-manager.conf").replace("/etc/mosquitto/", &here);
        let port = broker.port.to_string();
        assert!(conf.contains("listener 1883 127.0.0.1"), "the shipped broker listens on the loopback interface");
        let conf = conf.replace("listener 1883", &format!("listener {port}"));
        // The user matters only to root, which mosquitto would give up.
        let own = format!("user root\nlog_type all\npersistence_location {here}\n{conf}");
        fs::write(broker.folder.file("mosquitto.conf"), own).unwrap();
        let acl = format!("{}\nuser {WITNESS}\ntopic read #\n", read("update-manager.acl"));
        fs::write(broker.folder.file("update-manager.acl"), acl).unwrap();
        let passwords = broker.folder.file("update-manager.passwd");
        fs::write(&passwords, "").unwrap();
        for user in USERS {
            let search = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
            let mut command = Command::new("mosquitto_passwd");
            let done = command.env("PATH", search).arg("-b").arg(&passwords).args([user, &password(user)]).output();
            assert!(done.unwrap().status.success(), "mosquitto_passwd cannot add {user}");
        }
        broker.resume();

        let mut all = json!({ "connection": { "username": "manager", "password": password("manager") } });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &DOMAINS, all);
        World { broker, _manager: manager }
    }

    /// The broker's host and port.
    pub fn address(&self) -> String {
        self.broker.address()
    }

    pub fn client(&self, user: &str) -> Client {
        Client::connect_with(self.connection(user, &password(user))).unwrap()
    }

    /// How many connections the broker has refused.
    pub fn refused(&self) -> usize {
        self.broker.said("not authorised")
    }

    /// A connection for this user and password.
    pub fn connection(&self, user: &str, password: &str) -> Connection {
        let usual = connection(&self.broker.address()).unwrap();
        Connection { username: user.into(), password: password.into(), ..usual }
    }

    /// One who plays roles: the backend, or the agents of some domains.
    pub fn peers(&self, user: &str, domains: &[&str]) -> Peers {
        Peers::connect_as(self.connection(user, &password(user)), domains)
    }

    /// Somebody who sees everything.
    pub fn witness(&self) -> Client {
        let mut witness = self.client(WITNESS);
        witness.subscribe(&["#"]).unwrap();
        witness
    }

    /// Both agents, each a user of its own, for one activity. What comes of them is
    /// the topic and the trigger of all that they read.
    pub fn agents(&self) -> Vec<JoinHandle<Vec<(String, String)>>> {
        let play = |domain: &'static str| {
            let user = topic(domain, "").trim_end_matches('/').to_owned();
            let connection = self.connection(&user, &password(&user));
            let (ready, is_ready) = mpsc::channel();
            let thread = thread::spawn(move || {
                let mut agent = Peers::connect_as(connection, &[domain]);
                ready.send(()).unwrap();
                agent.play_until("CLEANUP", |said| said.trigger() == "CLEANUP");
                agent.flush();
                agent.said.iter().map(|said| (said.topic.clone(), said.trigger().to_owned())).collect()
            });
            is_ready.recv().expect("the agent is there");
            thread
        };
        DOMAINS.map(play).into()
    }
}

pub fn password(user: &str) -> String {
    format!("{user}'s")
}
