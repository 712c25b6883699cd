//! MQTT by hand, for what the session would not do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Publishes at QoS 1 what may be too large for the session.
pub fn publish(broker: &str, topic: &str, payload: &[u8]) {
    let mut stream = TcpStream::connect(broker).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut connect = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
    connect.extend(string("raw"));
    stream.write_all(&packet(0x10, &connect)).unwrap();
    expect(&mut stream, &[0x20, 2, 0, 0]);
    let mut publish = string(topic);
    publish.extend([0, 1]);
    publish.extend(payload);
    stream.write_all(&packet(0x32, &publish)).unwrap();
    expect(&mut stream, &[0x40, 2, 0, 1]);
    stream.write_all(&packet(0xE0, &[])).unwrap();
}

/// A packet with its fixed header (MQTT 3.1.1, 2.2).
pub fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = rest.len();
    loop {
        let digit = (len % 128) as u8;
        len /= 128;
        bytes.push(if len > 0 { digit | 0x80 } else { digit });
        if len == 0 {
            break;
        }
    }
    bytes.extend(rest);
    bytes
}

/// A string with its length (MQTT 3.1.1, 1.5.3).
pub fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn expect(stream: &mut TcpStream, wanted: &[u8]) {
    let mut answer = vec![0; wanted.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, wanted);
}
