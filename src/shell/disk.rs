//! The saved campaign's files: two slots for each kind of record, in `stateDir`.
//! A slot is overwritten in place and synced before anybody is told that it is
//! saved; all of it may take long, so it happens on a thread of its own.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::limits::SAVED_RECORD_MAX;
use crate::record::format::{self, Draft, Kind, HEADER};
use crate::record::slots::{self, Slot};

/// Where records are saved.
#[derive(Clone, Debug)]
pub struct Disk(PathBuf);

/// What is found in a kind's slots.
#[derive(Debug)]
pub enum Content {
    /// The fields of the newest record.
    Fields(Vec<u8>),
    /// No record; the bytes of a damaged one, or none.
    Unreadable(Vec<u8>),
}

impl Disk {
    /// The folder at `path`, made if it is missing, readable by nobody else.
    ///
    /// # Errors
    /// The system's: it cannot be made, or not be written.
    pub fn open(path: &str) -> io::Result<Disk> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let disk = Disk(PathBuf::from(path));
        let probe = disk.0.join("probe");
        File::create(&probe)?;
        fs::remove_file(&probe)?;
        Ok(disk)
    }

    /// The fields of the newest record of a kind. A damaged slot is logged, and the
    /// other one counts; if neither does, both are moved aside.
    ///
    /// # Errors
    /// The system's.
    pub fn load(&self, kind: Kind) -> io::Result<Content> {
        let slots = [(Slot::A, self.read(kind, Slot::A)?), (Slot::B, self.read(kind, Slot::B)?)];
        let found = slots::look(&slots[0].1, &slots[1].1, kind);
        let mut damaged = Vec::new();
        for ((slot, bytes), flaw) in slots.iter().zip(found.flaws) {
            let Some(flaw) = flaw.filter(|flaw| *flaw != format::Flaw::Empty) else { continue };
            let path = self.path(kind, *slot);
            log::warn!("{}: {flaw}", path.display());
            if found.newest.is_none() {
                let aside = path.with_extension(if *slot == Slot::A { "a.corrupt" } else { "b.corrupt" });
                fs::rename(&path, &aside)?;
                log::error!("{} is moved aside to {}", path.display(), aside.display());
                damaged.clone_from(bytes);
            }
        }
        Ok(match found.newest {
            Some((_, record)) => Content::Fields(record.fields.to_vec()),
            None => Content::Unreadable(damaged),
        })
    }

    /// Saves a record; when this returns it survives a power cut.
    ///
    /// # Errors
    /// The system's; the record before it still counts.
    pub fn save(&self, mut draft: Draft) -> io::Result<()> {
        let kind = draft.kind;
        let (a, b) = (self.read(kind, Slot::A)?, self.read(kind, Slot::B)?);
        let (slot, sequence) = slots::look(&a, &b, kind).next();
        let fields = draft.bytes.len().saturating_sub(HEADER);
        let sealed = format::seal(&mut draft.bytes, kind, sequence, fields);
        sealed.ok_or(io::Error::new(io::ErrorKind::InvalidInput, "the record is too short for its header"))?;
        let path = self.path(kind, slot);
        let is_new = !path.exists();
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        file.write_all(&draft.bytes)?;
        file.sync_data()?;
        if is_new {
            File::open(&self.0)?.sync_all()?;
        }
        Ok(())
    }

    fn read(&self, kind: Kind, slot: Slot) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match File::open(self.path(kind, slot)) {
            Ok(file) => file.take(SAVED_RECORD_MAX as u64).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(bytes)
    }

    fn path(&self, kind: Kind, slot: Slot) -> PathBuf {
        let name = match kind {
            Kind::State => "state",
            Kind::Document => "document",
            Kind::Actions => "actions",
            Kind::History => "history",
        };
        let slot = match slot {
            Slot::A => "a",
            Slot::B => "b",
        };
        self.0.join(Path::new(name).with_extension(slot))
    }
}
