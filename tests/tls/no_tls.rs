//! Whoever answers at the broker's address without TLS is told apart, and nobody
//! can keep the manager waiting.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::processes::wait_until;
use crate::world::{await_line, World};

#[test]
fn a_listener_without_tls_is_told_apart() {
    let world = World::start();
    let address = format!("tls://127.0.0.1:{}", world.plain);
    let manager = world.manager_at(&address, json!({}));
    await_line(&manager, &format!("cannot connect to {address}: closed by the broker during TLS's handshake"));
}

#[test]
fn a_peer_that_talks_something_else_is_told_apart() {
    let world = World::prepare();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tls://{}", listener.local_addr().unwrap());
    let manager = world.manager_at(&address, json!({}));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    await_line(&manager, &format!("cannot connect to {address}: what the broker sends is no TLS"));
    // The alert decode_error or the like, then the end.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest[rest.len() - 7..rest.len() - 1], [21, 3, 3, 0, 2, 2], "a fatal alert is said");
}

#[test]
fn a_silent_peer_is_left_after_the_connect_timeout_and_tried_again() {
    let world = World::prepare();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tls://{}", listener.local_addr().unwrap());
    let mut manager = world.manager_at(&address, json!({ "connectTimeout": "1s" }));
    let _first = listener.accept().unwrap();
    await_line(&manager, "connection closed: the broker did not answer CONNECT in time");
    let _second = listener.accept().unwrap();
    let (code, time) = manager.terminate();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn a_peer_that_never_ends_its_handshake_does_not_fill_the_memory() {
    let world = World::prepare();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tls://{}", listener.local_addr().unwrap());
    let manager = world.manager_at(&address, json!({}));
    let (mut stream, _) = listener.accept().unwrap();
    // A handshake message that claims 16 MiB, in records of 16 KiB.
    let mut record = vec![22, 3, 3, 64, 0];
    record.extend([2, 255, 255, 255]);
    record.resize(5 + 16 * 1024, 0);
    for _ in 0..1000 {
        if stream.write_all(&record).is_err() {
            break;
        }
    }
    let line = format!("cannot connect to {address}: ");
    wait_until("it is refused", Duration::from_secs(10), || manager.said(&line) > 0);
    assert!(manager.resident_kb() < 16 * 1024);
}
