//! Messages to the broker, kept until it has acknowledged them, in order.

use core::fmt;

use super::codec;
use super::entry::{Entry, State};
use super::message::{Class, Document, Documents, Message, PublishError, Waiting, Write};
use super::suspicion::Suspicion;
use super::unsendable::{Refusal, Remedy, Unsendable};
use super::window::{Count, Window};
use crate::limits::{OUTBOUND_BYTES, OUTBOUND_MAX, UNSENDABLE_WITHIN_MS};
use crate::model::time::Tick;

/// A document was not the same when it was encoded again, or failed to encode.
#[derive(Debug)]
pub(super) struct DocumentChanged;

/// Bytes that `write` writes.
///
/// # Panics
/// If it fails: there is nothing that could.
fn count(write: Write<'_>) -> usize {
    let mut bytes = Count(0);
    assert!(write(&mut bytes).is_ok(), "a message can be written");
    bytes.0
}

/// Bytes of a document.
fn length_of(document: Option<Document>, documents: &dyn Documents) -> Result<u32, DocumentChanged> {
    let mut bytes = Count(0);
    if let Some(which) = document {
        documents.write(which, &mut bytes).map_err(|_| DocumentChanged)?;
    }
    Ok(bytes.0 as u32)
}

/// The messages.
pub(super) struct Outbound {
    /// What of it is used stands at its front, in the order of `entries`.
    arena: Vec<u8>,
    used: usize,
    /// At most `OUTBOUND_MAX`, at most one of them partly sent. Sent ones come
    /// before queued ones.
    entries: Vec<Entry>,
    /// Whether both sides forget a lost session, so that nothing need be sent again.
    clean_session: bool,
    pub suspicion: Suspicion,
    unsendable: Unsendable,
}

impl Outbound {
    pub fn new(clean_session: bool, retain: bool) -> Outbound {
        // Zeroed by the allocator, page by page when first used.
        let arena = vec![0; OUTBOUND_BYTES];
        Outbound {
            arena,
            used: 0,
            entries: Vec::with_capacity(OUTBOUND_MAX),
            clean_session,
            suspicion: Suspicion::new(),
            unsendable: Unsendable::new(retain),
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn used(&self) -> usize {
        self.used
    }

    /// Whether so many messages with so many stored bytes in all would be taken
    /// without loss of more than `Newest` ones and the details of `Found` ones but
    /// the last.
    pub fn has_room(&self, bytes: usize, messages: usize) -> bool {
        let older = self.entries.iter().rev().filter(|e| matches!(e.class, Class::Found(_))).skip(1);
        let spare = older.map(Entry::spare_detail).sum();
        self.fits(bytes.saturating_sub(spare), messages)
    }

    fn fits(&self, bytes: usize, messages: usize) -> bool {
        let evictable = || self.entries.iter().filter(|e| e.is_evictable());
        let free = OUTBOUND_BYTES - self.used + evictable().map(Entry::stored).sum::<usize>();
        bytes <= free && messages <= OUTBOUND_MAX - self.entries.len() + evictable().count()
    }

    /// Adds a message at the end. Superseded ones go, and if room is short what
    /// may be dropped.
    pub fn publish(&mut self, message: &Message<'_>, is_connected: bool) -> Result<(), PublishError> {
        codec::check_topic(message.topic).map_err(PublishError::Topic)?;
        let (body, detail) = match self.append(message) {
            Some(lengths) => lengths,
            None => self.append_short(message, is_connected)?,
        };
        if let Class::Newest(key) = message.class {
            self.drop_superseded(key, is_connected);
        }
        self.entries.push(Entry {
            topic: message.topic.len(),
            body,
            detail,
            document: message.document,
            document_len: 0,
            tail: message.tail,
            retain: message.retain,
            class: message.class,
            id: 0,
            dup: false,
            state: State::Queued,
        });
        Ok(())
    }

    /// Writes it behind the others, if it fits as it is; the bytes of body and detail.
    fn append(&mut self, message: &Message<'_>) -> Option<(usize, usize)> {
        if self.entries.len() >= OUTBOUND_MAX {
            return None;
        }
        let mut out = Window::new(0, &mut self.arena[self.used..]);
        fmt::Write::write_str(&mut out, message.topic).ok()?;
        (message.body)(&mut out).ok()?;
        let short = out.seen();
        message.detail.map_or(Ok(()), |detail| detail(&mut out)).ok()?;
        let whole = out.seen();
        self.used += whole;
        Some((short - message.topic.len(), whole - short))
    }

    /// The same where room is short.
    fn append_short(&mut self, message: &Message<'_>, is_connected: bool) -> Result<(usize, usize), PublishError> {
        let short = message.topic.len() + count(message.body);
        let whole = short + message.detail.map_or(0, count);
        // A message without its detail is better than none.
        let (need, detail) = if self.is_obtainable(whole, message.class) {
            (whole, message.detail)
        } else if self.is_obtainable(short, message.class) {
            (short, None)
        } else {
            return Err(PublishError::Full);
        };
        if let Class::Newest(key) = message.class {
            self.drop_superseded(key, is_connected);
        }
        self.make_room(need);
        self.append(&Message { detail, ..*message }).ok_or(PublishError::Full)
    }

    /// Whether [`make_room`](Self::make_room) would succeed.
    fn is_obtainable(&self, need: usize, class: Class) -> bool {
        let details = if class.is_kept() { self.entries.iter().map(Entry::spare_detail).sum() } else { 0 };
        self.fits(need.saturating_sub(details), 1)
    }

    /// Drops what may be dropped, oldest first, until there is room.
    fn make_room(&mut self, need: usize) {
        while self.entries.len() >= OUTBOUND_MAX || OUTBOUND_BYTES - self.used < need {
            if let Some(place) = self.entries.iter().position(Entry::is_evictable) {
                self.remove(place);
            } else if let Some(place) = self.entries.iter().position(|e| e.spare_detail() > 0) {
                self.trim(place);
            } else {
                break;
            }
        }
        assert!(
            self.entries.len() < OUTBOUND_MAX && OUTBOUND_BYTES - self.used >= need,
            "room was reckoned before it is made"
        );
    }

    /// Drops those whose place a newer one with the same key takes now.
    fn drop_superseded(&mut self, key: u8, is_connected: bool) {
        for place in (0..self.entries.len()).rev() {
            let e = &self.entries[place];
            let replaced = e.class == Class::Newest(key)
                && e.state == State::Queued
                && (e.id == 0 || self.clean_session)
                && (e.document.is_none() || !is_connected);
            if replaced {
                self.remove(place);
            }
        }
    }

    /// Takes out what the broker acknowledges. An id that nothing waits for is
    /// that of a dropped message.
    pub fn handle_ack(&mut self, id: u16) {
        if let Some(place) = self.entries.iter().position(|e| e.id == id && matches!(e.state, State::Sent(_))) {
            let at = self.start_of(place);
            self.suspicion.handle_ack(&self.arena[at..at + self.entries[place].topic]);
            self.remove(place);
        }
    }

    /// Takes out messages with such a document. One that is partly sent is sent
    /// to its end, but on this link only.
    pub fn discard(&mut self, which: impl Fn(Document) -> bool) {
        for place in (0..self.entries.len()).rev() {
            let e = &mut self.entries[place];
            if !e.document.is_some_and(&which) {
                continue;
            }
            if e.is_sending() {
                e.class = Class::LinkBound;
            } else {
                self.remove(place);
            }
        }
    }

    /// The link is lost: what was sent is to be sent again [MQTT-4.4.0-1], but
    /// what is bound to the link goes, and all but the newest of each key.
    pub fn handle_loss(&mut self, now: Tick) {
        self.unsendable.forget_old(now);
        for e in &mut self.entries {
            e.state = State::Queued;
        }
        let mut kept = [false; 256];
        for place in (0..self.entries.len()).rev() {
            let e = &self.entries[place];
            let goes = match e.class {
                Class::Keep | Class::Order | Class::Found(_) => false,
                Class::LinkBound => true,
                Class::Newest(key) => {
                    core::mem::replace(&mut kept[usize::from(key)], true) && (e.id == 0 || self.clean_session)
                }
            };
            if goes {
                self.remove(place);
            }
        }
    }

    /// The far side has ended the link, maybe because of the oldest message that it has not
    /// acknowledged.
    pub fn handle_ended(&mut self, now: Tick) {
        let Some(place) = self.entries.iter().position(|e| e.state != State::Queued) else {
            return self.suspicion.clear();
        };
        let e = &self.entries[place];
        let is_answer = match e.state {
            State::Queued => false,
            State::Sending { begun: at, .. } | State::Sent(at) => now.since(at) <= UNSENDABLE_WITHIN_MS,
        };
        if !is_answer {
            return self.suspicion.clear();
        }
        let at = self.start_of(place);
        let topic = &self.arena[at..at + e.topic];
        if self.suspicion.handle_ended(topic) {
            let remedy = self.unsendable.learn(now, topic, e.payload(), e.retain, e.detail > 0);
            self.apply(place, remedy);
        }
    }

    /// Applies a remedy, and has the caller told. A message that is not the same any more is
    /// sent as a new one.
    fn apply(&mut self, place: usize, remedy: Remedy) {
        let at = self.start_of(place);
        let e = &mut self.entries[place];
        let topic = String::from_utf8_lossy(&self.arena[at..at + e.topic]).into_owned();
        self.unsendable.tell(Refusal { topic, len: e.payload(), class: e.class, remedy });
        match remedy {
            Remedy::Unretained => self.entries.iter_mut().filter(|e| e.retain).for_each(|e| e.id = 0),
            Remedy::Trimmed => {
                e.id = 0;
                self.trim(place);
            }
            Remedy::Dropped => self.remove(place),
        }
    }

    /// Applies to the next messages what is known of them.
    pub fn apply_known(&mut self, documents: &dyn Documents) -> Result<(), DocumentChanged> {
        while !self.unsendable.is_empty() {
            let Some(place) = self.next() else { break };
            let at = self.start_of(place);
            let e = &mut self.entries[place];
            e.document_len = length_of(e.document, documents)?;
            let topic = &self.arena[at..at + e.topic];
            let Some(remedy) = self.unsendable.find(topic, e.payload(), e.class, e.detail > 0) else { break };
            self.apply(place, remedy);
        }
        Ok(())
    }

    /// What the caller is to be told of, once.
    pub fn poll_refusal(&mut self) -> Option<Refusal> {
        self.unsendable.poll()
    }

    /// Whether messages may be retained.
    pub fn may_retain(&self) -> bool {
        self.unsendable.may_retain()
    }

    /// The broker has lost the session: orders that were begun in it go.
    pub fn handle_session_lost(&mut self) {
        for place in (0..self.entries.len()).rev() {
            if self.entries[place].class == Class::Order && self.entries[place].id != 0 {
                self.remove(place);
            }
        }
    }

    /// Cuts its detail off.
    fn trim(&mut self, place: usize) {
        let at = self.start_of(place) + self.entries[place].topic + self.entries[place].body;
        let len = core::mem::take(&mut self.entries[place].detail);
        self.cut_out(at, len);
    }

    fn remove(&mut self, place: usize) {
        let (at, len) = (self.start_of(place), self.entries[place].stored());
        self.entries.remove(place);
        self.cut_out(at, len);
    }

    /// Where in the arena its topic begins.
    fn start_of(&self, place: usize) -> usize {
        self.entries[..place].iter().map(Entry::stored).sum()
    }

    fn cut_out(&mut self, at: usize, len: usize) {
        self.arena.copy_within(at + len..self.used, at);
        self.used -= len;
    }

    /// Whether a message with this packet id is kept.
    pub fn has_id(&self, id: u16) -> bool {
        self.entries.iter().any(|e| e.id == id)
    }

    /// Those of [`Class::Found`], in order.
    pub fn found(&self) -> impl Iterator<Item = Waiting<'_>> {
        let mut rest = &self.arena[..self.used];
        self.entries.iter().filter_map(move |e| {
            let (stored, behind) = rest.split_at(e.stored());
            rest = behind;
            let Class::Found(number) = e.class else { return None };
            let (topic, text) = stored.split_at(e.topic);
            let (body, detail) = text.split_at(e.body);
            Some(Waiting { number, topic, body, detail, tail: e.tail })
        })
    }

    /// Whether a message to this topic waits.
    pub fn has_topic(&self, topic: &str) -> bool {
        self.topics().any(|(_, known)| known == topic.as_bytes())
    }

    /// The messages with their topics.
    fn topics(&self) -> impl Iterator<Item = (&Entry, &[u8])> {
        let mut rest = &self.arena[..self.used];
        self.entries.iter().map(move |e| {
            let (stored, behind) = rest.split_at(e.stored());
            rest = behind;
            (e, &stored[..e.topic])
        })
    }

    /// Whether a message is partly sent.
    pub fn is_sending(&self) -> bool {
        self.entries.iter().any(Entry::is_sending)
    }

    /// Whether a message with a document is partly sent.
    pub fn is_mid_document(&self) -> bool {
        self.entries.iter().any(|e| e.is_sending() && e.document.is_some())
    }

    /// When the oldest message that waits for its acknowledgement was handed out.
    pub fn oldest_sent(&self) -> Option<Tick> {
        self.entries.iter().find_map(|e| match e.state {
            State::Sent(at) => Some(at),
            _ => None,
        })
    }

    /// Place of the next message to begin with, if one may be sent now.
    pub fn next(&self) -> Option<usize> {
        if !self.suspicion.is_careful() {
            return self.entries.iter().position(|e| e.state == State::Queued);
        }
        if self.oldest_sent().is_some() {
            return None;
        }
        let is_next =
            |(e, topic): (&Entry, &[u8]), held| e.state == State::Queued && self.suspicion.is_held(topic) == held;
        let held = || self.topics().position(|of| is_next(of, true)).filter(|_| self.suspicion.is_trial());
        self.topics().position(|of| is_next(of, false)).or_else(held)
    }

    /// Whether this message was never begun before.
    pub fn is_new(&self, place: usize) -> bool {
        self.entries[place].id == 0
    }

    /// Begins with this message. `free_id` becomes the packet id of one that was
    /// never begun before.
    pub fn start(
        &mut self,
        now: Tick,
        place: usize,
        free_id: u16,
        documents: &dyn Documents,
    ) -> Result<(), DocumentChanged> {
        let e = &mut self.entries[place];
        e.document_len = length_of(e.document, documents)?;
        e.dup = e.id != 0;
        if e.id == 0 {
            e.id = free_id;
        }
        e.state = State::Sending { begun: now, done: 0 };
        Ok(())
    }

    /// Writes the next bytes of the partly sent message to `out`; 0 if there is
    /// no such message. Handed out completely, it waits for its acknowledgement.
    pub fn write(&mut self, now: Tick, documents: &dyn Documents, out: &mut [u8]) -> Result<usize, DocumentChanged> {
        let Some(place) = self.entries.iter().position(Entry::is_sending) else { return Ok(0) };
        let (at, may_retain) = (self.start_of(place), self.may_retain());
        let e = &mut self.entries[place];
        let State::Sending { begun, done } = e.state else { return Ok(0) };
        let stored = &self.arena[at..at + e.stored()];
        let (topic, text) = stored.split_at(e.topic);
        let remaining = 2 + e.topic + 2 + e.payload();
        let retain = e.retain && may_retain;
        let (header, header_len) = codec::publish_header(e.dup, retain, remaining);
        let total = header_len + remaining;

        let len = out.len().min(total - done);
        let is_end = done + len == total;
        let mut window = Window::new(done, &mut out[..len]);
        window.put(&header[..header_len]);
        window.put(&(e.topic as u16).to_be_bytes());
        window.put(topic);
        window.put(&e.id.to_be_bytes());
        window.put(text);
        if let Some(which) = e.document.filter(|_| !window.is_full()) {
            // Before the end, an error only says that the window is full.
            let result = documents.write(which, &mut window);
            if is_end && (result.is_err() || window.seen() != total - e.tail.len()) {
                return Err(DocumentChanged);
            }
        }
        window.put(e.tail.as_bytes());
        if !window.is_full() {
            return Err(DocumentChanged);
        }
        e.state = if is_end { State::Sent(now) } else { State::Sending { begun, done: done + len } };
        Ok(len)
    }
}
