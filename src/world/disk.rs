//! A disk in memory, below the code that the shell runs on a real one: a file is
//! overwritten in place and not cut to the new length.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind, Result as IoResult};
use std::rc::Rc;

use crate::shell::disk::{Disk as Shell, Folder};
use crate::store::format::{Kind, HEADER};
use crate::store::slots::{look, Slot};
use crate::store::{Failure, Found, Job, Write};

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
    /// The job is done or has failed.
    Done(Result<(), Failure>),
}

/// What does not work.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The next write to this file, or to any, fails halfway.
    Once(Option<(Kind, Slot)>),
    /// Each write to this file fails, and so does each to what takes its place.
    Slot(Kind, Slot),
    /// This file cannot be read.
    Read(Kind, Slot),
    /// Nothing can be written at all, not even opened for that.
    ReadOnly,
    /// Something stands in the place of this file that is none.
    Folder(Kind, Slot),
}

/// The job that runs.
struct Running {
    writes: VecDeque<Write>,
    done: usize,
    begun: u64,
    /// When its next write is done.
    due: u64,
}

/// The files, as a system keeps them.
#[derive(Default)]
struct Files {
    all: BTreeMap<String, Vec<u8>>,
    has_vanished: bool,
    faults: Vec<Fault>,
    /// From this operation on each one fails, with these words.
    fails: Option<(usize, &'static str)>,
    /// Writes that were begun, those that failed too.
    operations: usize,
    has_failed: bool,
    written: usize,
}

/// The folder that they are in.
#[derive(Clone, Default)]
struct State(Rc<RefCell<Files>>);

#[derive(Default)]
pub struct Disk {
    files: State,
    /// Milliseconds that each write takes.
    pub slow_ms: u64,
    /// Milliseconds that a job took at most.
    pub slowest_ms: u64,
    /// From this operation on each one fails, with these words.
    pub fails: Option<(usize, &'static str)>,
    /// Whether one has failed.
    pub has_failed: bool,
    /// What was saved was lost once.
    was_lost: bool,
    /// Bytes that were written, and syncs.
    pub written: usize,
    pub syncs: usize,
    job: Option<Running>,
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

impl Fault {
    /// Whether a write to this file fails.
    fn meets(&self, name: &str) -> bool {
        match self {
            Fault::Once(None) | Fault::ReadOnly => true,
            Fault::Once(Some((kind, slot))) | Fault::Slot(kind, slot) | Fault::Folder(kind, slot) => {
                slot.name(*kind) == name
            }
            Fault::Read(..) => false,
        }
    }
}

impl Files {
    /// Why a write to this file fails, and whether it has written a part by then.
    fn failure(&mut self, name: &str) -> Option<(Error, bool)> {
        if self.has_vanished {
            return Some((Error::from_raw_os_error(libc::ENOENT), false));
        }
        if let Some((_, why)) = self.fails.filter(|(from, _)| self.operations > *from) {
            return Some((Error::other(why), true));
        }
        let place = self.faults.iter().position(|fault| fault.meets(name))?;
        Some(match self.faults[place] {
            Fault::Once(_) => {
                self.faults.remove(place);
                (Error::from_raw_os_error(libc::ENOSPC), true)
            }
            Fault::ReadOnly => (Error::from_raw_os_error(libc::EROFS), false),
            Fault::Folder(..) => (Error::from_raw_os_error(libc::EISDIR), false),
            _ => (Error::from_raw_os_error(libc::EIO), true),
        })
    }

    fn overwrite(&mut self, name: &str, bytes: &[u8], range: std::ops::Range<usize>) {
        let place = self.all.entry(name.to_owned()).or_default();
        place.resize(place.len().max(range.end), 0);
        place[range.clone()].copy_from_slice(&bytes[range.clone()]);
        self.written += range.len();
    }
}

impl Folder for State {
    fn read(&self, name: &str) -> IoResult<Vec<u8>> {
        let files = self.0.borrow();
        let meets = |fault: &Fault| match fault {
            Fault::Read(kind, slot) | Fault::Folder(kind, slot) => slot.name(*kind) == name,
            _ => false,
        };
        match files.all.get(name) {
            _ if files.faults.iter().any(meets) => Err(Error::from_raw_os_error(libc::EIO)),
            Some(bytes) => Ok(bytes.clone()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn write(&self, name: &str, pieces: &[&[u8]]) -> IoResult<()> {
        let bytes = pieces.concat();
        let mut files = self.0.borrow_mut();
        files.operations += 1;
        match files.failure(name) {
            None => {
                files.overwrite(name, &bytes, 0..bytes.len());
                Ok(())
            }
            Some((error, is_part)) => {
                if is_part {
                    files.overwrite(name, &bytes, 0..bytes.len() / 2);
                }
                files.has_failed = true;
                Err(error)
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> IoResult<()> {
        let mut files = self.0.borrow_mut();
        if files.faults.iter().any(|fault| matches!(fault, Fault::ReadOnly)) {
            return Err(Error::from_raw_os_error(libc::EROFS));
        }
        let before = files.faults.len();
        files.faults.retain(|fault| !matches!(fault, Fault::Folder(kind, slot) if slot.name(*kind) == from));
        let folder = (files.faults.len() < before).then(Vec::new);
        let bytes = files.all.remove(from).or(folder).ok_or(ErrorKind::NotFound)?;
        files.all.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn make(&self) -> IoResult<bool> {
        Ok(core::mem::take(&mut self.0.borrow_mut().has_vanished))
    }
}

impl Disk {
    /// Takes a job; only while there is none.
    pub fn begin(&mut self, now: u64, job: Job) {
        assert!(self.is_idle());
        self.job = Some(Running { writes: job.writes.into(), done: 0, begun: now, due: now + self.slow_ms });
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
        if !job.writes.is_empty() {
            return Step::Due;
        }
        self.end(now);
        Step::Done(Ok(()))
    }

    /// Does the write that is due; the answer of a job that failed.
    pub fn write(&mut self, now: u64) -> Option<Result<(), Failure>> {
        let slow_ms = self.slow_ms;
        let job = self.job.as_mut()?;
        let write = job.writes.pop_front()?;
        job.due = now + slow_ms;
        let done = job.done;
        job.done += 1;
        self.files.0.borrow_mut().fails = self.fails;
        let result = Shell(self.files.clone()).write(&write);
        let files = self.files.0.borrow();
        (self.has_failed, self.written) = (files.has_failed, files.written);
        drop(files);
        self.newest = Some((write.kind, write.slot, write.pieces().concat().len()));
        match result {
            Ok(()) => {
                self.syncs += 1;
                None
            }
            Err((why, is_gone)) => {
                self.end(now);
                Some(Err(Failure { done, why, is_gone }))
            }
        }
    }

    /// The job is over.
    fn end(&mut self, now: u64) {
        if let Some(job) = self.job.take() {
            self.slowest_ms = self.slowest_ms.max(now - job.begun);
        }
    }

    /// The power is cut, and the write that runs ends so.
    pub fn cut(&mut self, fate: Fate) {
        if let Some(write) = self.job.take().and_then(|mut job| job.writes.pop_front()) {
            self.tear(&write, fate);
        }
        if let (Some((kind, slot, _)), Some((byte, hurt))) = (self.newest, self.hurt) {
            let mut files = self.files.0.borrow_mut();
            let Some(place) = files.all.get_mut(&slot.name(kind)) else { return };
            match hurt {
                Hurt::Flip => place[byte] ^= 0x55,
                Hurt::Cut => place.truncate(byte),
            }
        }
    }

    /// Of a write so much is on the disk.
    fn tear(&mut self, write: &Write, fate: Fate) {
        let bytes = write.pieces().concat();
        let total = bytes.len();
        let part = |parts: usize| total * parts / 1_000;
        let range = match fate {
            Fate::Lost => return,
            Fate::Head(parts) => 0..part(parts),
            Fate::Tail(parts) => (total - part(parts)).next_multiple_of(SECTOR).min(total)..total,
            Fate::Whole => 0..total,
        };
        self.files.0.borrow_mut().overwrite(&write.slot.name(write.kind), &bytes, range);
        self.newest = Some((write.kind, write.slot, total));
    }

    /// Writes that were begun, those that failed too.
    pub fn operations(&self) -> usize {
        self.files.0.borrow().operations
    }

    /// Whether anything does not work, or what was saved was lost once.
    pub fn is_unsound(&self) -> bool {
        self.fails.is_some() || self.was_lost || !self.files.0.borrow().faults.is_empty()
    }

    /// This does not work from now on.
    pub fn add(&mut self, fault: Fault) {
        self.files.0.borrow_mut().faults.push(fault);
    }

    /// All works again.
    pub fn mend(&mut self) {
        self.files.0.borrow_mut().faults.clear();
        self.fails = None;
    }

    /// The folder is gone, with all that was in it.
    pub fn vanish(&mut self) {
        self.was_lost = true;
        let mut files = self.files.0.borrow_mut();
        files.all.clear();
        files.has_vanished = true;
    }

    /// The last byte of this kind's newest record is another one from now on.
    pub fn damage(&mut self, kind: Kind) {
        if let Some((slot, len)) = self.newest_of(kind) {
            let mut files = self.files.0.borrow_mut();
            files.all.entry(slot.name(kind)).and_modify(|bytes| bytes[len - 1] ^= 0x55);
        }
    }

    /// The files of these kinds are gone.
    pub fn remove(&mut self, kinds: &[Kind]) {
        let is_gone = |name: &str| kinds.iter().any(|kind| Slot::ALL.iter().any(|slot| slot.name(*kind) == name));
        self.files.0.borrow_mut().all.retain(|name, _| !is_gone(name));
    }

    /// Where this kind's newest record is, and its bytes.
    pub fn newest_of(&self, kind: Kind) -> Option<(Slot, usize)> {
        let files = self.files.0.borrow();
        let bytes = |slot: Slot| files.all.get(&slot.name(kind)).cloned().unwrap_or_default();
        let (a, b) = (bytes(Slot::A), bytes(Slot::B));
        look(&a, &b, kind).newest.map(|(slot, record)| (slot, HEADER + record.fields.len()))
    }

    /// Bytes of the record that was written last.
    pub fn newest_len(&self) -> usize {
        self.newest.map_or(0, |(_, _, len)| len)
    }

    /// What is on the disk, to look at.
    pub fn found(&self) -> Found {
        let read = |kind: Kind, slot: Slot| self.files.read(&slot.name(kind)).unwrap_or_default();
        Found(Kind::ALL.map(|kind| Slot::ALL.map(|slot| Ok(read(kind, slot)))))
    }

    /// What a start finds.
    pub fn load(&mut self) -> Found {
        Shell(self.files.clone()).load()
    }
}
