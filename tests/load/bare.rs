//! An MQTT client with nothing to spare: what it takes to send and to receive is the
//! floor of what anybody needs.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes to and from the other end.
pub trait Stream: Read + Write + Send {
    /// What they go through.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

pub struct Bare {
    stream: Box<dyn Stream>,
    bytes: Vec<u8>,
    /// Where what is not yet taken begins.
    start: usize,
    last_id: u16,
    /// The other end has closed it, or it is broken.
    pub is_over: bool,
}

/// A message that came.
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
}

impl Message {
    /// What is in a PUBLISH with this first byte, and its packet id, if it has one.
    pub fn parse(first: u8, body: &[u8]) -> (Message, Option<[u8; 2]>) {
        let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8_lossy(&body[2..2 + len]).into_owned();
        let at = 2 + len;
        match first & 6 {
            0 => (Message { topic, payload: body[at..].to_vec() }, None),
            _ => (Message { topic, payload: body[at + 2..].to_vec() }, Some([body[at], body[at + 1]])),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap_or_default()
    }

    /// A string in the message, by its key.
    pub fn field(&self, key: &str) -> &str {
        let pattern = format!("\"{key}\":\"");
        let text = self.text();
        let Some(place) = text.find(&pattern) else { return "" };
        let rest = &text[place + pattern.len()..];
        &rest[..rest.find('"').unwrap_or(0)]
    }
}

impl Bare {
    pub fn connect(port: u16, id: &str) -> Bare {
        let mut bare = Bare::try_connect(port, id).expect("the broker is there");
        assert_eq!(bare.packet(Duration::from_secs(10)).map(|(first, _)| first), Some(0x20), "CONNACK");
        bare
    }

    /// One that has said CONNECT.
    pub fn try_connect(port: u16, id: &str) -> std::io::Result<Bare> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut bare = Bare::of_broker(stream);
        let mut connect = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        connect.extend(string(id));
        bare.stream.write_all(&packet(0x10, &connect))?;
        Ok(bare)
    }

    /// The other end of one: plays the broker.
    pub fn of_broker(stream: impl Stream + 'static) -> Bare {
        Bare { stream: Box::new(stream), bytes: Vec::new(), start: 0, last_id: 0, is_over: false }
    }

    pub fn subscribe(&mut self, filters: &[String]) {
        let mut subscribe = self.next_id().to_vec();
        for filter in filters {
            subscribe.extend(string(filter));
            subscribe.push(1);
        }
        self.send(&packet(0x82, &subscribe));
        assert_eq!(self.packet(Duration::from_secs(10)).map(|(first, _)| first), Some(0x90), "SUBACK");
    }

    fn next_id(&mut self) -> [u8; 2] {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id.to_be_bytes()
    }

    /// Sends at QoS 1, and waits for nothing.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        let publish = self.publish_packet(topic, payload);
        self.send(&publish);
    }

    /// A message at QoS 1.
    pub fn publish_packet(&mut self, topic: &str, payload: &[u8]) -> Vec<u8> {
        packet(0x32, &[&string(topic)[..], &self.next_id(), payload].concat())
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker takes it");
    }

    /// The same; whether the other end took it within the time.
    pub fn try_send(&mut self, bytes: &[u8], timeout: Duration) -> bool {
        let _ = self.stream.socket().set_write_timeout(Some(timeout));
        self.is_over |= self.stream.write_all(bytes).is_err();
        !self.is_over
    }

    /// The next message, acknowledged; none if none comes in time.
    pub fn next(&mut self, timeout: Duration) -> Option<Message> {
        let end = Instant::now() + timeout;
        loop {
            let (first, body) = self.packet(end.saturating_duration_since(Instant::now()))?;
            if first >> 4 != 3 {
                continue;
            }
            let (message, id) = Message::parse(first, &body);
            if let Some([a, b]) = id {
                self.send(&[0x40, 2, a, b]);
            }
            return Some(message);
        }
    }

    /// The next packet: its first byte, and what follows the header.
    pub fn packet(&mut self, timeout: Duration) -> Option<(u8, Vec<u8>)> {
        let end = Instant::now() + timeout;
        loop {
            let bytes = &self.bytes[self.start..];
            if let Some((header, len)) = length(bytes).filter(|(header, len)| bytes.len() >= header + len) {
                let result = (bytes[0], bytes[header..header + len].to_vec());
                self.start += header + len;
                return Some(result);
            }
            self.bytes.drain(..self.start);
            self.start = 0;
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.socket().set_read_timeout(Some(left)).expect("a timeout can be set");
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.is_over = true;
                    return None;
                }
                Ok(n) => self.bytes.extend(&buffer[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() >= end {
                        return None;
                    }
                }
                Err(_) => {
                    self.is_over = true;
                    return None;
                }
            }
        }
    }
}

fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for (place, byte) in bytes.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((place + 2, len));
        }
    }
    None
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

/// The answer to a SUBSCRIBE: QoS 1 for each of its filters.
pub fn suback(subscribe: &[u8]) -> Vec<u8> {
    let mut answer = subscribe[..2].to_vec();
    let mut at = 2;
    while at < subscribe.len() {
        at += 3 + usize::from(u16::from_be_bytes([subscribe[at], subscribe[at + 1]]));
        answer.push(1);
    }
    packet(0x90, &answer)
}
