//! All ways to a broker, and brokers that are none.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::peers::{desired_state, Peers};
use crate::processes::{free_port, wait_until, Broker, Manager};
use crate::raw::{packet, string};

const ONE: [&str; 1] = ["containers"];

/// An activity completes with a manager that is connected to `address`.
fn assert_works(broker: &Broker, address: &str, config: serde_json::Value) {
    let mut peers = Peers::connect(&broker.address(), &ONE);
    let _manager = Manager::start_with(address, &ONE, config);
    peers.await_manager();
    peers.apply("act", desired_state(&ONE, 1));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
}

#[test]
fn a_unix_socket_is_a_way_to_the_broker() {
    let broker = Broker::start_with("listener 0 {folder}/socket\nallow_anonymous true");
    assert_works(&broker, &format!("unix://{}", broker.folder.file("socket").display()), json!({}));
}

#[test]
fn an_ipv6_address_is_a_way_to_the_broker() {
    if TcpListener::bind("[::1]:0").is_err() {
        return println!("skipped: no IPv6 here");
    }
    let port = free_port("::1");
    let broker = Broker::start_with(&format!("listener {port} ::1\nallow_anonymous true"));
    assert_works(&broker, &format!("mqtt://[::1]:{port}"), json!({}));
}

#[test]
fn a_host_name_is_a_way_to_the_broker() {
    let broker = Broker::start();
    assert_works(&broker, &format!("tcp://localhost:{}", broker.port), json!({}));
}

/// A broker with a second port, where user `um` needs the password `s3cret`.
fn guarded() -> (Broker, String) {
    let port = free_port("127.0.0.1");
    let lines = format!("listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {{folder}}/users");
    let mut broker = Broker::prepare(free_port("127.0.0.1"), &lines);
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(broker.folder.file("users"))
        .args(["um", "s3cret"])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "mosquitto_passwd comes with mosquitto");
    broker.resume();
    (broker, format!("tcp://127.0.0.1:{port}"))
}

#[test]
fn user_and_password_open_a_guarded_broker() {
    let (broker, address) = guarded();
    assert_works(&broker, &address, json!({ "connection": { "username": "um", "password": "s3cret" } }));
}

#[test]
fn a_wrong_password_is_told_in_the_log_but_not_shown() {
    let (_broker, address) = guarded();
    let config = json!({ "connection": { "username": "um", "password": "wr0ng" } });
    let mut manager = Manager::start_with(&address, &ONE, config);
    wait_until("the log tells of the refusal", Duration::from_secs(5), || {
        manager.said("not authori") + manager.said("user name or password") > 0
    });
    assert!(manager.is_alive());
    assert_eq!(manager.said("wr0ng"), 0);
}

/// Accepts a connection, and reads the CONNECT.
fn accept(listener: &TcpListener) -> TcpStream {
    let mut accepted = None;
    wait_until("the manager comes back", Duration::from_secs(15), || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (mut stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut connect = [0; 12];
    stream.read_exact(&mut connect).unwrap();
    assert_eq!((connect[0], &connect[2..8]), (0x10, &b"\x00\x04MQTT"[..]));
    stream
}

#[test]
fn a_broker_that_sends_garbage_is_left_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut manager = Manager::start(&format!("tcp://127.0.0.1:{port}"), &ONE);
    let accepted = [0x20, 2, 0, 0];
    let garbage: [Vec<u8>; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        [&accepted[..], &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]].concat(),
        [&accepted[..], &packet(0x36, &[string("a"), vec![0, 1]].concat())].concat(),
        [&accepted[..], &packet(0x30, &string("with/#/wildcard"))].concat(),
    ];
    for bytes in garbage {
        let mut stream = accept(&listener);
        stream.write_all(&bytes).unwrap();
        // The manager closes; what it may have sent before is read away.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(manager.is_alive(), "it died of {bytes:?}");
    }
    drop(listener);
    let mut broker = Broker::prepare(port, "");
    broker.resume();
    let mut peers = Peers::connect(&broker.address(), &ONE);
    peers.await_manager();
    peers.apply("act", desired_state(&ONE, 1));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
}
