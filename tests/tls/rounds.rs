//! What works without TLS works with it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{json, Value};

use crate::certificates::{Authority, Kind, NOW};
use crate::link::envelope::{envelope, topic};
use crate::peers::{desired_state, Peers, PATIENCE, STATE};
use crate::processes::wait_until;
use crate::world::{await_connected, await_line, openssl_config, World};
use update_manager::limits::{COMPONENTS_MAX, INVENTORY_MAX};

fn peers(world: &World) -> Peers {
    Peers::connect(&format!("127.0.0.1:{}", world.plain), &["containers"])
}

#[test]
fn the_current_state_is_asked_for_and_told() {
    let world = World::start();
    let mut peers = peers(&world);
    let mut manager = world.manager(json!({}));
    peers.await_manager();
    peers.settle();
    let (code, time) = manager.terminate();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(2), "{time:?}");
    wait_until("the good-bye", PATIENCE, || world.said("disconnected.") > 0);
    assert_eq!(world.said("OpenSSL Error"), 0, "TLS must end in order");
}

#[test]
fn the_largest_messages_pass_in_both_directions() {
    let world = World::start();
    let mut peers = peers(&world);
    let _manager = world.manager(json!({}));
    peers.await_manager();
    peers.apply("act", desired_state(&["containers"], COMPONENTS_MAX));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    let node = |i: usize| json!({ "id": format!("containers:{i:04}"), "version": "1", "type": "CONTAINER" });
    let nodes: Vec<Value> = (0..INVENTORY_MAX / 80).map(node).collect();
    let inventory = envelope("spontaneous", json!({ "softwareNodes": nodes }));
    assert!(inventory.len() > INVENTORY_MAX / 2 && inventory.len() < INVENTORY_MAX, "{}", inventory.len());
    peers.publish(&topic("containers", "currentstate"), &inventory, false);
    peers.play_until("the large inventory", |said| said.raw.len() > INVENTORY_MAX / 2 && said.topic == STATE);
}

#[test]
fn a_broker_is_found_by_its_address() {
    let world = World::start();
    let manager = world.manager_at(&format!("ssl://127.0.0.1:{}", world.port), json!({}));
    await_connected(&manager);
}

/// Whether the broker speaks this version, given as an option of `openssl s_client`,
/// which is made to speak all.
fn speaks(world: &World, version: &str) -> bool {
    let (address, config) = (format!("127.0.0.1:{}", world.port), world.file("client.cnf"));
    let all = "MinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0";
    fs::write(&config, openssl_config(all)).unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, version]).env("OPENSSL_CONF", config);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn tls_1_2_and_tls_1_3_are_spoken_and_nothing_below() {
    let mut world = World::prepare();
    let options = ["-tls1_1", "-tls1_2", "-tls1_3"];
    for (place, version) in ["TLSv1.1", "TLSv1.2", "TLSv1.3"].into_iter().enumerate() {
        let only = format!("MinProtocol = {version}\nMaxProtocol = {version}\nCipherString = DEFAULT@SECLEVEL=0");
        world.serve("broker", "", &only);
        let manager = world.manager(json!({}));
        match place {
            0 => await_line(&manager, &format!("{}: the broker speaks neither TLS 1.2 nor TLS 1.3", world.failure())),
            _ => await_connected(&manager),
        }
        let spoken = options.map(|option| speaks(&world, option));
        assert_eq!(spoken, [place == 0, place == 1, place == 2], "{version}");
    }
}

#[test]
fn every_kind_of_server_certificate_is_taken() {
    let mut world = World::prepare();
    Authority::new(world.dir(), "other");
    for (name, kind) in [("rsa", Kind::Rsa), ("ed25519", Kind::Ed25519), ("ec", Kind::Ec)] {
        Authority::existing(world.dir(), "other").sign(name, kind, "subjectAltName=DNS:localhost", NOW);
        world.serve(name, "", "");
        await_connected(&world.manager(json!({ "caCert": world.file("other.pem") })));
    }
}

#[test]
fn a_connection_is_kept_by_pings_and_comes_back_after_the_broker() {
    let mut world = World::start();
    let mut peers = peers(&world);
    let manager = world.manager(json!({ "keepAlive": "1s" }));
    peers.await_manager();
    wait_until("two pings", PATIENCE, || world.said("Received PINGREQ from um") > 1);
    assert_eq!(manager.said("connection"), 0);
    world.serve("broker", "", "");
    peers.await_manager();
    await_line(&manager, "connection lost: closed by the broker");
}
