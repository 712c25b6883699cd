//! Bytes <-> packets. The only file that names mqttbytes.
//!
//! mqttbytes accepts much that MQTT forbids, and its size check ends the link.
//! So what came is measured and checked here first, and only whole packets
//! that passed are given to it.

use bytes::{Bytes, BytesMut};
use mqttbytes::v4::{self, Publish, SubAck, SubscribeReasonCode};
use mqttbytes::{Error, QoS};

use super::event::Delivery;
use super::options::Options;
use super::reason::Malformed;
use crate::limits::{CONTROL_BYTES, PAYLOAD_IN_MAX, TOPIC_IN_MAX};

/// Bytes that a string of a packet can have; its length is 16 bits.
pub(super) const STRING_MAX: usize = 65_535;

/// The longest fixed header: type and flags, and four bytes of length.
pub(super) const FIXED_HEADER_MAX: usize = 5;

/// By the number of the type (2.2.1).
const NAMES: [&str; 16] = [
    "packet of type 0",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "packet of type 15",
];

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBACK: u8 = 9;
const UNSUBACK: u8 = 11;
const PINGRESP: u8 = 13;

/// What stands at the front of the received bytes.
pub(super) enum Front {
    /// Not enough to say, or not yet the whole packet.
    Short,
    /// A whole packet.
    Whole(Whole),
    /// All of a PUBLISH up to its payload; it goes past a limit of ours.
    Large(Large),
}

/// A whole packet, checked as far as mqttbytes doesn't.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    /// Its type, from 2 to 13.
    kind: u8,
    /// Bytes of it.
    pub len: usize,
    /// Whether we will owe the server an acknowledgement for it.
    pub is_acknowledged: bool,
}

impl Whole {
    pub fn is_connack(&self) -> bool {
        self.kind == CONNACK
    }

    pub fn is_pubrel(&self) -> bool {
        self.kind == PUBREL
    }

    /// Its name in the standard.
    pub fn name(&self) -> &'static str {
        NAMES[usize::from(self.kind)]
    }
}

/// A PUBLISH whose payload or topic goes past our limit.
pub(super) struct Large {
    /// Bytes of it before the payload.
    pub head: usize,
    /// Its topic, at most `TOPIC_IN_MAX` bytes of it.
    pub topic: String,
    /// Bytes of its payload.
    pub payload: usize,
    /// 0, 1 or 2.
    pub qos: u8,
    /// How it comes.
    pub delivery: Delivery,
}

/// A packet from the server.
pub(super) enum Packet {
    ConnAck {
        session_present: bool,
        /// 0 is success; 3.2.2.3.
        code: u8,
    },
    Publish {
        topic: String,
        payload: Bytes,
        qos: u8,
        delivery: Delivery,
    },
    PubAck(u16),
    PubRel(u16),
    SubAck {
        id: u16,
        /// How many filters it answers.
        filters: usize,
        /// Places of those that were refused.
        refused: Vec<u16>,
    },
    UnsubAck(u16),
    PingResp,
    /// An answer to what we never send.
    Stray,
}

/// Measures and checks what stands at the front of `bytes`.
pub(super) fn measure(bytes: &[u8]) -> Result<Front, Malformed> {
    let Some((first, header, remaining)) = fixed_header(bytes)? else { return Ok(Front::Short) };
    let kind = first >> 4;
    let expected = match kind {
        PUBLISH => return measure_publish(bytes, first, header, remaining),
        PINGRESP => 0..=0,
        SUBACK => 3..=CONTROL_BYTES,
        _ => 2..=2,
    };
    if !expected.contains(&remaining) {
        return Err(malformed(kind, "wrong length"));
    }
    let len = header + remaining;
    if bytes.len() < len {
        return Ok(Front::Short);
    }
    if kind != CONNACK && kind != PINGRESP && bytes[header..header + 2] == [0, 0] {
        return Err(malformed(kind, "packet id 0"));
    }
    Ok(Front::Whole(Whole { kind, len, is_acknowledged: false }))
}

/// First byte, bytes of the fixed header, and the remaining length (2.2).
fn fixed_header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let (kind, flags) = (first >> 4, first & 0x0f);
    match kind {
        0 | 15 => return Err(malformed(kind, "reserved type")),
        PUBLISH if flags & 0x06 == 0x06 => return Err(malformed(kind, "QoS 3")),
        PUBLISH => {}
        PUBREL if flags != 2 => return Err(malformed(kind, "wrong flags")),
        PUBREL => {}
        CONNACK | PUBACK | PUBREC | PUBCOMP | SUBACK | UNSUBACK | PINGRESP if flags != 0 => {
            return Err(malformed(kind, "wrong flags"))
        }
        CONNACK | PUBACK | PUBREC | PUBCOMP | SUBACK | UNSUBACK | PINGRESP => {}
        _ => return Err(malformed(kind, "a server never sends it")),
    }
    let mut remaining = 0;
    for (place, byte) in rest.iter().take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((first, place + 2, remaining)));
        }
    }
    if rest.len() >= 4 {
        return Err(malformed(kind, "remaining length of more than four bytes"));
    }
    Ok(None)
}

fn measure_publish(bytes: &[u8], first: u8, header: usize, remaining: usize) -> Result<Front, Malformed> {
    let wrong = |what| malformed(PUBLISH, what);
    let qos = (first >> 1) & 3;
    let id_len = if qos == 0 { 0 } else { 2 };
    let rest = &bytes[header..];
    let topic_len = match rest {
        [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ if remaining < 2 => return Err(wrong("no topic")),
        _ => return Ok(Front::Short),
    };
    let Some(payload) = remaining.checked_sub(2 + topic_len + id_len) else {
        return Err(wrong("topic or packet id goes past the packet's end"));
    };
    if topic_len == 0 {
        return Err(wrong("empty topic"));
    }
    let is_large = payload > PAYLOAD_IN_MAX || topic_len > TOPIC_IN_MAX;
    let head = 2 + topic_len + id_len;
    if rest.len() < if is_large { head } else { remaining } {
        return Ok(Front::Short);
    }
    let topic = core::str::from_utf8(&rest[2..2 + topic_len]).map_err(|_| wrong("topic is not UTF-8"))?;
    check_topic(topic).map_err(wrong)?;
    let id = if qos == 0 { 0 } else { u16::from_be_bytes([rest[head - 2], rest[head - 1]]) };
    if qos != 0 && id == 0 {
        return Err(wrong("packet id 0"));
    }
    if is_large {
        let topic = cut(topic, TOPIC_IN_MAX).to_owned();
        let delivery = Delivery { id, dup: first & 0x08 != 0, retain: first & 0x01 != 0 };
        return Ok(Front::Large(Large { head: header + head, topic, payload, qos, delivery }));
    }
    Ok(Front::Whole(Whole { kind: PUBLISH, len: header + remaining, is_acknowledged: qos != 0 }))
}

/// What is wrong with a topic name [MQTT-4.7.3-1] [MQTT-3.3.2-2] [MQTT-1.5.3-2].
pub(super) fn check_topic(topic: &str) -> Result<(), &'static str> {
    if topic.is_empty() {
        return Err("empty topic");
    }
    if topic.len() > STRING_MAX {
        return Err("topic of more than 65,535 bytes");
    }
    match topic.bytes().find(|b| matches!(b, 0 | b'+' | b'#')) {
        None => Ok(()),
        Some(0) => Err("NUL in the topic"),
        Some(_) => Err("wildcard in the topic"),
    }
}

/// At most `len_max` bytes of `text`, whole characters.
fn cut(text: &str, len_max: usize) -> &str {
    let mut len = text.len().min(len_max);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    &text[..len]
}

/// Reads one packet that [`measure`] found whole; `bytes` is just that.
pub(super) fn read(bytes: BytesMut) -> Result<Packet, Malformed> {
    let kind = bytes[0] >> 4;
    // All that the short ones have. Their length may be written in up to four bytes.
    let last = [bytes[bytes.len() - 2], bytes[bytes.len() - 1]];
    match kind {
        // mqttbytes takes reserved flags and refuses to tell unknown codes.
        CONNACK if last[0] & 0xfe != 0 => Err(malformed(kind, "wrong flags")),
        CONNACK => Ok(Packet::ConnAck { session_present: last[0] & 1 != 0, code: last[1] }),
        PUBACK => Ok(Packet::PubAck(u16::from_be_bytes(last))),
        PUBREL => Ok(Packet::PubRel(u16::from_be_bytes(last))),
        UNSUBACK => Ok(Packet::UnsubAck(u16::from_be_bytes(last))),
        PINGRESP => Ok(Packet::PingResp),
        PUBLISH | SUBACK => read_long(kind, bytes).map_err(|error| match error {
            Error::InvalidSubscribeReasonCode(_) => malformed(kind, "unknown return code"),
            _ => malformed(kind, "unreadable"),
        }),
        _ => Ok(Packet::Stray),
    }
}

/// A PUBLISH or SUBACK. `v4::read` would bring all that a server reads with it.
fn read_long(kind: u8, bytes: BytesMut) -> Result<Packet, Error> {
    let header = mqttbytes::check(bytes.iter(), bytes.len())?;
    let bytes = bytes.freeze();
    if kind == SUBACK {
        let SubAck { pkid, return_codes } = SubAck::read(header, bytes)?;
        let codes = return_codes.iter().enumerate();
        let refused = codes.filter(|(_, code)| **code == SubscribeReasonCode::Failure).map(|(place, _)| place as u16);
        return Ok(Packet::SubAck { id: pkid, filters: return_codes.len(), refused: refused.collect() });
    }
    let Publish { topic, payload, retain, dup, qos, pkid } = Publish::read(header, bytes)?;
    Ok(Packet::Publish { topic, payload, qos: qos as u8, delivery: Delivery { id: pkid, dup, retain } })
}

fn malformed(kind: u8, what: &'static str) -> Malformed {
    Malformed { packet: NAMES[usize::from(kind)], what }
}

/// Writes CONNECT. `out` must be empty: mqttbytes patches its flags at an
/// absolute place.
pub(super) fn write_connect(options: &Options, retain: bool, out: &mut BytesMut) {
    assert!(out.is_empty(), "CONNECT is the first packet of a link");
    let mut connect = v4::Connect::new(options.client_id.as_str());
    connect.keep_alive = options.keep_alive_s;
    connect.clean_session = options.clean_session;
    if let Some(will) = &options.will {
        connect.last_will = Some(v4::LastWill::new(&will.topic, will.payload.as_str(), QoS::AtLeastOnce, retain));
    }
    if let Some(name) = &options.username {
        connect.set_login(name.as_str(), options.password.as_deref().unwrap_or_default());
    }
    written(connect.write(out));
}

/// Writes SUBSCRIBE for QoS 1.
pub(super) fn write_subscribe(id: u16, filters: &[&str], out: &mut BytesMut) {
    let filters = filters.iter().map(|f| v4::SubscribeFilter::new((*f).to_owned(), QoS::AtLeastOnce));
    let mut packet = v4::Subscribe::new_many(filters);
    packet.pkid = id;
    written(packet.write(out));
}

/// Writes UNSUBSCRIBE.
pub(super) fn write_unsubscribe(id: u16, filters: &[&str], out: &mut BytesMut) {
    let topics = filters.iter().map(|f| (*f).to_owned()).collect();
    written(v4::Unsubscribe { pkid: id, topics }.write(out));
}

/// Writes PUBACK, or PUBREC for QoS 2. Four bytes.
pub(super) fn write_ack(id: u16, qos2: bool, out: &mut BytesMut) {
    written(if qos2 { v4::PubRec::new(id).write(out) } else { v4::PubAck::new(id).write(out) });
}

/// Writes PUBCOMP. Four bytes.
pub(super) fn write_pubcomp(id: u16, out: &mut BytesMut) {
    written(v4::PubComp::new(id).write(out));
}

/// Writes PINGREQ. Two bytes.
pub(super) fn write_pingreq(out: &mut BytesMut) {
    written(v4::PingReq.write(out));
}

/// Writes DISCONNECT. Two bytes.
pub(super) fn write_disconnect(out: &mut BytesMut) {
    written(v4::Disconnect.write(out));
}

fn written(result: Result<usize, Error>) {
    assert!(result.is_ok(), "a packet of ours is too long");
}

/// The fixed header of a QoS 1 PUBLISH, and how many bytes of it count.
/// mqttbytes would want the whole payload at once.
pub(super) fn publish_header(dup: bool, retain: bool, remaining: usize) -> ([u8; FIXED_HEADER_MAX], usize) {
    assert!(remaining < 1 << 28, "a message of ours is too long");
    let mut header = [PUBLISH << 4 | u8::from(dup) << 3 | 1 << 1 | u8::from(retain), 0, 0, 0, 0];
    let (mut rest, mut len) = (remaining, 1);
    loop {
        let more = rest >= 0x80;
        header[len] = (rest & 0x7f) as u8 | u8::from(more) << 7;
        len += 1;
        rest >>= 7;
        if !more {
            return (header, len);
        }
    }
}
