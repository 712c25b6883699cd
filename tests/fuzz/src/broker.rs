//! The far end of an MQTT link.

use bytes::BytesMut;
use mqttbytes::v4::{self, Packet};
use mqttbytes::QoS;

/// Takes whole packets out of `wire`, as a server reads them.
///
/// # Panics
/// A server could not read them.
pub fn packets(wire: &mut BytesMut) -> Vec<Packet> {
    let mut all = Vec::new();
    loop {
        match v4::read(wire, 1 << 28) {
            Ok(packet) => all.push(packet),
            Err(mqttbytes::Error::InsufficientBytes(_)) => return all,
            Err(error) => panic!("no server reads that: {error:?}"),
        }
    }
}

/// A CONNACK.
pub fn connack(session_present: bool, code: u8) -> Vec<u8> {
    vec![0x20, 2, u8::from(session_present), code]
}

/// A packet that is just a packet id.
pub fn small(first: u8, id: u16) -> Vec<u8> {
    vec![first, 2, (id >> 8) as u8, id as u8]
}

/// The answer to a SUBSCRIBE.
pub fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x90, (2 + codes.len()) as u8, (id >> 8) as u8, id as u8];
    packet.extend_from_slice(codes);
    packet
}

/// A PUBLISH to the client, with whatever is in it.
pub fn publish(topic: &str, qos: u8, id: u16, dup: bool, payload: &[u8]) -> Vec<u8> {
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos % 3)];
    let mut publish = v4::Publish::new(topic, qos, payload);
    publish.pkid = if qos == QoS::AtMostOnce { 0 } else { id.max(1) };
    publish.dup = dup && qos != QoS::AtMostOnce;
    let mut out = BytesMut::new();
    publish.write(&mut out).expect("a short topic can be written");
    out.to_vec()
}

/// Whether `filter` covers `topic` (4.7).
pub fn covers(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    let mut filters = filter.split('/');
    loop {
        match (filters.next(), levels.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(_)) => {}
            (Some(filter), Some(level)) if filter == level => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}
