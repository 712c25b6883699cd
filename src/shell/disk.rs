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

    /// The fields of the newest record of a kind; none if there is none. A damaged
    /// slot is logged, and the other one counts.
    ///
    /// # Errors
    /// The system's.
    pub fn load(&self, kind: Kind) -> io::Result<Option<Vec<u8>>> {
        let (a, b) = (self.read(kind, Slot::A)?, self.read(kind, Slot::B)?);
        let found = slots::look(&a, &b, kind);
        for (flaw, slot) in found.flaws.iter().zip([Slot::A, Slot::B]) {
            if let Some(flaw) = flaw.filter(|flaw| *flaw != format::Flaw::Empty) {
                log::warn!("{}: {flaw}", self.path(kind, slot).display());
            }
        }
        Ok(found.newest.map(|(_, record)| record.fields.to_vec()))
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
