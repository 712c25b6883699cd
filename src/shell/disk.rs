//! The saved campaign's files: two slots for each kind of record, in `stateDir`.
//! A slot is overwritten in place and synced before anybody is told that it is
//! saved; all of it may take long, so it happens on a thread of its own.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
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

    /// The same if the folder is there; otherwise whether it could be made, without
    /// making it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn try_open(path: &str) -> io::Result<Disk> {
        if Path::new(path).exists() {
            return Disk::open(path);
        }
        let absolute = std::env::current_dir()?.join(path);
        let parent = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let name = CString::new(parent.as_os_str().as_bytes())?;
        // SAFETY: the path ends with NUL.
        match unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } {
            0 => Ok(Disk(parent.to_owned())),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether the folder lies in memory, so that a power cut takes what is saved.
    pub fn is_volatile(&self) -> bool {
        // From linux/magic.h: ramfs, tmpfs, and overlays, whose upper layer is often one.
        const VOLATILE: [u32; 3] = [0x8584_58f6, 0x0102_1994, 0x794c_7630];
        let Ok(path) = CString::new(self.0.as_os_str().as_bytes()) else { return false };
        let mut stat = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the path ends with NUL, and the buffer is of the type that is filled.
        let filled = unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) } == 0;
        // SAFETY: it was filled, for the call says so.
        filled && VOLATILE.contains(&(unsafe { stat.assume_init() }.f_type as u32))
    }

    /// The fields of the newest record of a kind. A damaged slot is logged, and the
    /// other one counts; if neither does, both are moved aside, where the last two of
    /// the kind are kept. A first write that was cut is nothing.
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
            if found.newest.is_none() && !found.is_unborn() {
                let aside = path.with_extension("corrupt");
                if aside.exists() {
                    fs::rename(&aside, path.with_extension("corrupt.1"))?;
                }
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
        let slot = match slot {
            Slot::A => "a",
            Slot::B => "b",
        };
        self.0.join(Path::new(kind.name()).with_extension(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::format::{fields, Fields};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("um-disk-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Folder(path)
        }

        fn disk(&self) -> Disk {
            Disk::open(self.0.to_str().unwrap()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn draft(content: &[u8]) -> Draft {
        Draft::new(Kind::State, 256, |out: &mut Fields<'_>| out.put(1, &[content])).unwrap()
    }

    fn content(disk: &Disk) -> Option<Vec<u8>> {
        match disk.load(Kind::State).unwrap() {
            Content::Fields(bytes) => Some(fields(&bytes).next().unwrap().1.to_vec()),
            Content::Unreadable(_) => None,
        }
    }

    #[test]
    fn the_last_that_was_saved_is_loaded() {
        let folder = Folder::new("last");
        let disk = folder.disk();
        assert_eq!(content(&disk), None);
        for n in 0..5 {
            disk.save(draft(&[n; 9])).unwrap();
            assert_eq!(content(&folder.disk()), Some(vec![n; 9]));
        }
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before_it() {
        let folder = Folder::new("torn");
        let disk = folder.disk();
        (0..4).for_each(|n| disk.save(draft(&[n; 9])).unwrap());
        let newest = folder.0.join("state.b");
        let mut bytes = fs::read(&newest).unwrap();
        bytes.truncate(bytes.len() - 3);
        fs::write(&newest, bytes).unwrap();
        assert_eq!(content(&disk), Some(vec![2; 9]));
        disk.save(draft(b"next")).unwrap();
        assert_eq!(content(&disk), Some(b"next".to_vec()));
    }

    #[test]
    fn slots_that_cannot_be_read_are_moved_aside_and_never_stop_the_start() {
        let folder = Folder::new("aside");
        let disk = folder.disk();
        disk.save(draft(b"x")).unwrap();
        fs::write(folder.0.join("state.a"), [7; 90]).unwrap();
        assert!(matches!(disk.load(Kind::State).unwrap(), Content::Unreadable(bytes) if bytes == [7; 90]));
        assert!(folder.0.join("state.corrupt").exists() && !folder.0.join("state.a").exists());
        disk.save(draft(b"new")).unwrap();
        assert_eq!(content(&disk), Some(b"new".to_vec()));
    }

    #[test]
    fn of_those_moved_aside_the_last_two_are_kept() {
        let folder = Folder::new("two");
        let disk = folder.disk();
        for n in 1..=4 {
            fs::write(folder.0.join(if n == 3 { "state.b" } else { "state.a" }), [n; 90]).unwrap();
            disk.load(Kind::State).unwrap();
        }
        let kept = |name: &str| fs::read(folder.0.join(name)).unwrap()[0];
        assert_eq!((kept("state.corrupt"), kept("state.corrupt.1")), (4, 3));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2);
    }

    #[test]
    fn whether_a_folder_could_be_made_is_found_out_without_making_it() {
        let folder = Folder::new("try");
        let path = folder.0.join("a/b");
        assert!(Disk::try_open(path.to_str().unwrap()).is_ok());
        assert!(!folder.0.exists());
        assert!(Disk::try_open("/dev/null").is_err());
        assert!(Disk::try_open("/dev/null/a").is_err());
    }

    #[test]
    fn a_first_write_that_was_cut_is_nothing() {
        let folder = Folder::new("first");
        let disk = folder.disk();
        disk.save(draft(b"first")).unwrap();
        let path = folder.0.join("state.a");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 2]).unwrap();
        assert!(matches!(disk.load(Kind::State).unwrap(), Content::Unreadable(bytes) if bytes.is_empty()));
        disk.save(draft(b"next")).unwrap();
        assert_eq!(content(&disk), Some(b"next".to_vec()));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said_at_once() {
        assert!(Disk::open("/proc/um").is_err());
        assert!(Disk::open("/dev/null").is_err());
    }
}
