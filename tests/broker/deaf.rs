//! A mosquitto that refuses a subscription, by its plugin for dynamic security.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::link::Client;
use crate::peers::PATIENCE;
use crate::presence::{kept, TOPIC};
use crate::processes::{free_port, wait_until, Broker, Manager};

const REFUSED: &str = "deviceupdate/desiredstate";
const CONTROL: &str = "$CONTROL/dynamic-security/v1";

/// The plugin, which comes with mosquitto.
fn plugin() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|folder| folder.path());
    let folders = folders.chain([PathBuf::from("/usr/lib"), PathBuf::from("/usr/local/lib")]);
    let mut plugins = folders.map(|folder| folder.join("mosquitto_dynamic_security.so"));
    plugins.find(|plugin| plugin.exists()).expect("mosquitto has its plugin for dynamic security")
}

/// A broker where everybody may do everything but to subscribe to the desired state.
fn strict() -> Broker {
    let lines = format!("plugin {}\nplugin_opt_config_file {{folder}}/rights.json", plugin().display());
    let mut broker = Broker::prepare(free_port("127.0.0.1"), &lines);
    let allowed = json!({
        "publishClientSend": true, "publishClientReceive": true, "subscribe": true, "unsubscribe": true
    });
    let acls = json!([
        { "acltype": "subscribeLiteral", "topic": REFUSED, "allow": false },
        { "acltype": "publishClientSend", "topic": "$CONTROL/#", "allow": true },
    ]);
    let rights = json!({
        "defaultACLAccess": allowed,
        "clients": [],
        "groups": [{ "groupname": "all", "roles": [{ "rolename": "deaf" }] }],
        "roles": [{ "rolename": "deaf", "acls": acls }],
        "anonymousGroup": "all",
    });
    fs::write(broker.folder.file("rights.json"), rights.to_string()).unwrap();
    broker.resume();
    broker
}

#[test]
fn a_refused_subscription_is_asked_for_again_and_the_status_is_offline_meanwhile() {
    let broker = strict();
    let config = json!({ "connection": { "statusTopic": TOPIC, "clientId": "manager" } });
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &["containers"], config);
    assert_eq!(kept(&broker)["status"], "offline");
    let asked = || broker.said("Received SUBSCRIBE from manager");
    wait_until("it is asked for again", PATIENCE, || asked() == 2);
    let line = format!("deaf: the broker refuses the subscription to {REFUSED}");
    wait_until("each refusal is told", PATIENCE, || manager.said(&line) == 2);
    let right = json!({
        "command": "removeRoleACL", "rolename": "deaf", "acltype": "subscribeLiteral", "topic": REFUSED
    });
    // The broker ends the connections of all whose rights change.
    let mut owner = Client::connect(&broker.address(), "owner").unwrap();
    owner.publish(CONTROL, &json!({ "commands": [right] }).to_string(), false);
    let _ = owner.flush(PATIENCE);
    wait_until("it hears", PATIENCE, || kept(&broker)["status"] == "online");
}
