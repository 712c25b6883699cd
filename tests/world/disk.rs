//! A disk in memory, with two slots for each kind of record as the shell's disk has
//! them: a slot is overwritten in place and not cut to the new length.

use std::collections::VecDeque;

use update_manager::record::format::{seal, Draft, Flaw, Kind, HEADER};
use update_manager::record::slots::{look, Slot};
use update_manager::router::{Loaded, SaveJob};

/// Bytes that a disk writes from their beginning on or not at all.
const SECTOR: usize = 512;

/// What becomes of a write that the power cut meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing of it is on the disk.
    Lost,
    /// Of a thousand parts so many are, from its beginning.
    Head(usize),
    /// Of a thousand parts so many are, at its end; sectors are written whole.
    Tail(usize),
    /// All of it is; nobody was told.
    Whole,
}

/// What came of one step.
pub enum Step {
    /// There is nothing to do at this moment.
    Idle,
    /// A write is due.
    Due,
    /// The job with this number is done or has failed.
    Done(u32, Result<(), String>),
}

/// The job that runs.
struct Job {
    sequence: u32,
    drafts: VecDeque<Draft>,
    begun: u64,
    /// When its next write is done.
    due: u64,
}

#[derive(Default)]
pub struct Disk {
    slots: [[Vec<u8>; 2]; Kind::ALL.len()],
    /// Milliseconds that each write takes.
    pub slow_ms: u64,
    /// Milliseconds that a job took at most.
    pub slowest_ms: u64,
    /// From this operation on each one fails, with these words.
    pub fails: Option<(usize, &'static str)>,
    /// Whether one has failed.
    pub has_failed: bool,
    /// Writes that were begun, those that failed too.
    operations: usize,
    /// Bytes that were written.
    pub written: usize,
    job: Option<Job>,
    /// What becomes of the newest record when the power is cut: the place of a byte,
    /// and whether it is changed or the last that is left.
    pub hurt: Option<(usize, Hurt)>,
    /// Which was written last, and its bytes.
    newest: Option<(Kind, Slot, usize)>,
}

/// How a record is hurt at one of its bytes.
#[derive(Clone, Copy, Debug)]
pub enum Hurt {
    /// It is another one.
    Flip,
    /// The record ends before it.
    Cut,
}

impl Disk {
    /// Takes a job; only while there is none.
    pub fn begin(&mut self, now: u64, job: SaveJob) {
        assert!(self.is_idle());
        let drafts = job.drafts.into();
        self.job = Some(Job { sequence: job.sequence, drafts, begun: now, due: now + self.slow_ms });
    }

    pub fn is_idle(&self) -> bool {
        self.job.is_none()
    }

    /// When the write that runs is done.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.job.as_ref().map(|job| job.due)
    }

    /// What there is to do.
    pub fn poll(&mut self, now: u64) -> Step {
        let Some(job) = self.job.as_ref().filter(|job| job.due <= now) else { return Step::Idle };
        if !job.drafts.is_empty() {
            return Step::Due;
        }
        match self.end(now) {
            Some(sequence) => Step::Done(sequence, Ok(())),
            None => Step::Idle,
        }
    }

    /// Does the write that is due; the answer of a job that failed.
    pub fn write(&mut self, now: u64) -> Option<(u32, Result<(), String>)> {
        let slow_ms = self.slow_ms;
        let job = self.job.as_mut()?;
        let draft = job.drafts.pop_front()?;
        job.due = now + slow_ms;
        self.operations += 1;
        match self.fails.filter(|(from, _)| self.operations > *from) {
            None => {
                self.apply(draft, Fate::Whole);
                None
            }
            Some((_, why)) => {
                self.apply(draft, Fate::Head(500));
                self.has_failed = true;
                self.end(now).map(|sequence| (sequence, Err(why.to_owned())))
            }
        }
    }

    /// The job is over; its number.
    fn end(&mut self, now: u64) -> Option<u32> {
        let job = self.job.take()?;
        self.slowest_ms = self.slowest_ms.max(now - job.begun);
        Some(job.sequence)
    }

    /// The power is cut, and the write that runs ends so.
    pub fn cut(&mut self, fate: Fate) {
        if let Some(draft) = self.job.take().and_then(|mut job| job.drafts.pop_front()) {
            self.apply(draft, fate);
        }
        if let (Some((kind, slot, _)), Some((byte, hurt))) = (self.newest, self.hurt) {
            let place = &mut self.slots[kind as usize - 1][usize::from(slot == Slot::B)];
            match hurt {
                Hurt::Flip => place[byte] ^= 0x55,
                Hurt::Cut => place.truncate(byte),
            }
        }
    }

    /// The last byte of this kind's newest record is another one from now on.
    pub fn damage(&mut self, kind: Kind) {
        let slots = &mut self.slots[kind as usize - 1];
        if let Some((slot, record)) = look(&slots[0], &slots[1], kind).newest {
            let last = HEADER + record.fields.len() - 1;
            slots[usize::from(slot == Slot::B)][last] ^= 0x55;
        }
    }

    /// Bytes of the record that was written last.
    pub fn newest_len(&self) -> usize {
        self.newest.map_or(0, |(_, _, len)| len)
    }

    fn apply(&mut self, mut draft: Draft, fate: Fate) {
        let [a, b] = &mut self.slots[draft.kind as usize - 1];
        let (slot, sequence) = look(a, b, draft.kind).next();
        let fields = draft.bytes.len() - HEADER;
        let total = seal(&mut draft.bytes, draft.kind, sequence, fields).unwrap();
        let part = |parts: usize| total * parts / 1_000;
        let range = match fate {
            Fate::Lost => return,
            Fate::Head(parts) => 0..part(parts),
            Fate::Tail(parts) => (total - part(parts)).next_multiple_of(SECTOR).min(total)..total,
            Fate::Whole => 0..total,
        };
        let place = if slot == Slot::A { a } else { b };
        place.resize(place.len().max(range.end), 0);
        place[range.clone()].copy_from_slice(&draft.bytes[range.clone()]);
        self.written += range.len();
        self.newest = Some((draft.kind, slot, total));
    }

    /// What a start finds, as the shell finds it.
    pub fn load(&mut self) -> Loaded {
        let mut loaded = Loaded {
            document: self.fields(Kind::Document).unwrap_or_default(),
            actions: self.fields(Kind::Actions).unwrap_or_default(),
            history: self.fields(Kind::History).unwrap_or_default(),
            reports: self.fields(Kind::Reports).unwrap_or_default(),
            session: self.fields(Kind::Session).unwrap_or_default(),
            ..Loaded::default()
        };
        match self.fields(Kind::State) {
            Ok(state) => loaded.state = state,
            Err(damaged) => loaded.unreadable = damaged,
        }
        loaded
    }

    fn fields(&mut self, kind: Kind) -> Result<Vec<u8>, Vec<u8>> {
        let slots = &mut self.slots[kind as usize - 1];
        let found = look(&slots[0], &slots[1], kind);
        if let Some((_, record)) = found.newest {
            return Ok(record.fields.to_vec());
        }
        if found.is_unborn() {
            return Err(Vec::new());
        }
        let is_damaged = found.flaws.map(|flaw| flaw.is_some_and(|flaw| flaw != Flaw::Empty));
        let damaged = std::mem::take(slots).into_iter().zip(is_damaged).rfind(|(_, damaged)| *damaged);
        Err(damaged.map(|(bytes, _)| bytes).unwrap_or_default())
    }
}
