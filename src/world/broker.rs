//! A broker in bytes, with one client: the manager. Everybody else hands in and
//! takes out whole messages.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};
use mqttbytes::v4::{self, Packet, SubscribeReasonCode};
use mqttbytes::QoS;

use crate::world::seen::{From, Seen};

/// What the broker knows, does, and has seen.
pub struct Broker {
    /// Whether a link to it can be made.
    pub reachable: bool,
    /// Whether it answers PUBLISH.
    pub acknowledges: bool,
    /// Whether the manager's acknowledgements get lost on the way to it.
    pub misses_acks: bool,
    /// What it refuses.
    pub refuses: Refuses,
    /// What it has sent and the manager has not read.
    output: BytesMut,
    /// Every message, in order, whoever it is from.
    pub seen: Vec<Seen>,
    input: BytesMut,
    acks: Acks,
    /// What the manager has acknowledged.
    pub taken: Vec<Taken>,
    session: Option<Session>,
    retained: BTreeMap<String, Vec<u8>>,
}

/// What a broker refuses.
#[derive(Default)]
pub struct Refuses {
    /// Subscriptions to these filters.
    pub filters: Vec<String>,
    /// When it has refused a subscription, in milliseconds.
    pub at: Vec<u64>,
    /// Connections on which something is to be retained: it ends them.
    pub retain: bool,
    /// Connections on which a larger packet comes: it ends them.
    pub larger_than: Option<usize>,
    /// Connections on which a message to this topic comes: it ends them.
    pub topic: Option<String>,
    /// The connections that it has ended.
    pub ended: u32,
    is_ending: bool,
}

/// Places in `seen` of the manager's messages.
#[derive(Default)]
struct Acks {
    /// Those that the broker acknowledged in `output`.
    answered: Vec<usize>,
    /// Those that it did not acknowledge on this link.
    withheld: Vec<usize>,
    /// Those whose acknowledgement the manager did not get on an earlier link.
    unanswered: Vec<usize>,
}

/// A message that the manager has acknowledged, and when.
pub struct Taken {
    pub topic: String,
    pub bytes: Bytes,
    /// In milliseconds.
    pub at: u64,
    /// How many messages the broker had seen then.
    pub after: usize,
}

/// What it keeps for the manager, on this link or past it.
#[derive(Default)]
struct Session {
    clean: bool,
    connected: bool,
    filters: Vec<String>,
    last_id: u16,
    /// Sent to the manager or to be sent, and not acknowledged. What is sent once more has
    /// DUP [MQTT-3.3.1-1].
    unacknowledged: VecDeque<v4::Publish>,
}

impl Default for Broker {
    fn default() -> Broker {
        Broker {
            reachable: true,
            acknowledges: true,
            misses_acks: false,
            refuses: Refuses::default(),
            output: BytesMut::new(),
            seen: Vec::new(),
            input: BytesMut::new(),
            acks: Acks::default(),
            taken: Vec::new(),
            session: None,
            retained: BTreeMap::new(),
        }
    }
}

impl Broker {
    /// Whether the manager is subscribed to exactly this.
    pub fn has_filter(&self, filter: &str) -> bool {
        self.session.as_ref().is_some_and(|session| session.filters.iter().any(|known| known == filter))
    }

    /// The message that it keeps of this topic.
    pub fn retained(&self, topic: &str) -> Option<&[u8]> {
        self.retained.get(topic).map(Vec::as_slice)
    }

    pub fn handle_link_down(&mut self) {
        self.input.clear();
        if !self.output.is_empty() {
            self.acks.unanswered.append(&mut self.acks.answered);
        }
        self.acks.unanswered.append(&mut self.acks.withheld);
        self.acks.answered.clear();
        self.output.clear();
        self.session = self.session.take().filter(|session| !session.clean);
        if let Some(session) = &mut self.session {
            session.connected = false;
        }
    }

    /// It sends once more what the manager has not acknowledged, on the same link, as old
    /// brokers do after a while.
    pub fn retry(&mut self) {
        let waiting: Vec<v4::Publish> = self.session().unacknowledged.iter().cloned().collect();
        waiting.iter().for_each(|publish| publish.write(&mut self.output).map(drop).unwrap());
    }

    /// It forgets the session of a manager that is away, as one that is restarted
    /// without its database.
    pub fn forget_session(&mut self) {
        self.session = self.session.take().filter(|session| session.connected);
    }

    /// What it has sent, as much as fits; how many bytes that is.
    pub fn read(&mut self, room: &mut [u8]) -> usize {
        let len = room.len().min(self.output.len());
        room[..len].copy_from_slice(&self.output[..len]);
        self.output.advance(len);
        if self.output.is_empty() {
            self.acks.answered.clear();
        }
        len
    }

    /// Bytes of the first packet that it has sent and the manager has not read.
    pub fn packet(&self) -> usize {
        length(&self.output).unwrap_or(usize::MAX)
    }

    /// The bytes that the manager has sent, cut behind each packet.
    pub fn packets<'b>(&self, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut known = self.input.len();
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let total = match known {
                0 => length(bytes),
                _ => length(&[&self.input, bytes].concat()),
            };
            let (packet, rest) = bytes.split_at(total.map_or(bytes.len(), |total| (total - known).min(bytes.len())));
            all.push(packet);
            (bytes, known) = (rest, 0);
        }
        all
    }

    /// Takes what the manager has sent.
    pub fn handle(&mut self, at: u64, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        if self.refuses.larger_than.is_some_and(|most| length(&self.input).is_some_and(|len| len > most)) {
            self.end();
        }
        while !self.refuses.is_ending {
            match v4::read(&mut self.input, 1 << 28) {
                Ok(packet) => self.handle_packet(at, packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => return,
                Err(error) => panic!("the manager's bytes are no packet: {error:?}"),
            }
        }
    }

    fn handle_packet(&mut self, at: u64, packet: Packet) {
        match packet {
            Packet::Connect(connect) => {
                let is_retained = connect.last_will.as_ref().is_some_and(|will| will.retain);
                match self.refuses.retain && is_retained {
                    true => self.end(),
                    false => self.connect(connect.clean_session),
                }
            }
            Packet::Publish(publish) => {
                let is_topic = self.refuses.topic.as_ref() == Some(&publish.topic);
                match is_topic || self.refuses.retain && publish.retain {
                    true => self.end(),
                    false => self.take(at, &publish),
                }
            }
            Packet::PubAck(_) if self.misses_acks => {}
            Packet::PubAck(ack) => {
                let waiting = &mut self.session().unacknowledged;
                let place = waiting.iter().position(|sent| sent.pkid == ack.pkid);
                let taken = place.and_then(|place| waiting.remove(place));
                if let Some(sent) = taken {
                    let after = self.seen.len();
                    self.taken.push(Taken { topic: sent.topic, bytes: sent.payload, at, after });
                }
            }
            Packet::Subscribe(subscribe) => {
                let mut codes = Vec::new();
                for filter in &subscribe.filters {
                    let refused = self.refuses.filters.contains(&filter.path);
                    self.refuses.at.extend(refused.then_some(at));
                    codes.push(match refused {
                        true => SubscribeReasonCode::Failure,
                        false => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                    });
                    if !refused && !self.has_filter(&filter.path) {
                        self.session().filters.push(filter.path.clone());
                    }
                }
                v4::SubAck::new(subscribe.pkid, codes).write(&mut self.output).unwrap();
                self.send_retained(&subscribe);
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.session().filters.retain(|filter| !unsubscribe.topics.contains(filter));
                v4::UnsubAck::new(unsubscribe.pkid).write(&mut self.output).unwrap();
            }
            Packet::PingReq => v4::PingResp.write(&mut self.output).map(drop).unwrap(),
            Packet::Disconnect => {}
            other => panic!("the manager sent {other:?}"),
        }
    }

    fn end(&mut self) {
        self.refuses.is_ending = true;
        self.refuses.ended += 1;
    }

    /// Whether it ends the connection now.
    pub fn takes_end(&mut self) -> bool {
        std::mem::take(&mut self.refuses.is_ending)
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("CONNECT comes first")
    }

    fn connect(&mut self, clean: bool) {
        let kept = self.session.take().filter(|_| !clean);
        let present = kept.is_some();
        self.session = Some(Session { clean, connected: true, ..kept.unwrap_or_default() });
        v4::ConnAck::new(v4::ConnectReturnCode::Success, present).write(&mut self.output).unwrap();
        self.retry();
        self.session().unacknowledged.iter_mut().for_each(|publish| publish.dup = true);
    }

    /// Takes a message of the manager's.
    fn take(&mut self, at: u64, publish: &v4::Publish) {
        assert_eq!(publish.qos, QoS::AtLeastOnce, "every message goes out at QoS 1");
        let mut seen = Seen::new(at, From::Manager, &publish.topic, &publish.payload, publish.retain);
        if publish.retain {
            self.retained.insert(seen.topic.clone(), seen.bytes.clone());
        }
        let is_same = |place: &usize| self.seen[*place].topic == seen.topic && self.seen[*place].bytes == seen.bytes;
        let earlier = self.acks.unanswered.iter().position(is_same);
        seen.again = earlier.map(|place| self.acks.unanswered.remove(place)).is_some();
        match self.acknowledges {
            true => self.acks.answered.push(self.seen.len()),
            false => self.acks.withheld.push(self.seen.len()),
        }
        self.seen.push(seen);
        if self.acknowledges {
            v4::PubAck::new(publish.pkid).write(&mut self.output).unwrap();
        }
    }

    /// Takes a message of anybody else's.
    pub fn publish(&mut self, at: u64, topic: &str, bytes: &[u8], retain: bool) {
        if retain {
            self.retained.insert(topic.to_owned(), bytes.to_vec());
        }
        self.deliver(topic, bytes, false);
        self.seen.push(Seen::new(at, From::Others, topic, bytes, retain));
    }

    fn send_retained(&mut self, subscribe: &v4::Subscribe) {
        let kept = self.retained.iter().map(|(topic, bytes)| (topic.clone(), bytes.clone()));
        let matching = kept.filter(|(topic, _)| subscribe.filters.iter().any(|filter| matches(&filter.path, topic)));
        for (topic, bytes) in matching.collect::<Vec<_>>() {
            self.deliver(&topic, &bytes, true);
        }
    }

    fn deliver(&mut self, topic: &str, bytes: &[u8], retain: bool) {
        let Some(session) = &mut self.session else { return };
        if !session.filters.iter().any(|filter| matches(filter, topic)) {
            return;
        }
        session.last_id = session.last_id % u16::MAX + 1;
        let mut publish = v4::Publish::new(topic, QoS::AtLeastOnce, bytes);
        (publish.pkid, publish.retain) = (session.last_id, retain);
        if session.connected {
            publish.write(&mut self.output).unwrap();
            publish.dup = true;
        }
        session.unacknowledged.push_back(publish);
    }
}

/// Bytes of the first packet in `bytes`, all of which need not be there yet.
fn length(bytes: &[u8]) -> Option<usize> {
    let (mut total, mut shift) = (0, 0);
    for (place, byte) in bytes.get(1..)?.iter().enumerate() {
        total |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(total + place + 2);
        }
    }
    None
}

/// Whether a filter takes a topic (4.7).
pub fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[test]
fn filters_take_topics_as_the_standard_says() {
    for (filter, topic, taken) in [
        ("a/b", "a/b", true),
        ("a/b", "a/b/c", false),
        ("a/b", "a", false),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("a/+/c", "a/b/c", true),
        ("a/+", "a/b/c", false),
        ("command///req/#", "command///req/id/apply", true),
        ("command///req/#", "command//x/req/id/apply", false),
        ("#", "anything/at/all", true),
    ] {
        assert_eq!(matches(filter, topic), taken, "{filter} {topic}");
    }
}
