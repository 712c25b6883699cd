//! The files of what is saved: two slots for each kind of record, in `stateDir`.
//! A slot is overwritten in place and synced before anybody is told that it is
//! saved; all of it may take long, so it happens on a thread of its own.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::lock::{Held, Lock};
use crate::limits::SAVED_RECORD_MAX;
use crate::store::format::Kind;
use crate::store::slots::Slot;
use crate::store::{Failure, Found, Job, Write};

/// A folder of the file system, or of a simulated one.
pub trait Folder {
    /// At most `SAVED_RECORD_MAX` bytes of a file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Overwrites a file from its beginning with these pieces, or makes it, so that this
    /// survives a power cut.
    ///
    /// # Errors
    /// The system's; the file may have been overwritten in part.
    fn write(&self, name: &str, pieces: &[&[u8]]) -> io::Result<()>;

    /// Gives a file, or whatever else it is, another name, in place of what has that name.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes the folder itself if it is not there, readable by nobody else, and returns
    /// whether it was missing.
    ///
    /// # Errors
    /// The system's.
    fn make(&self) -> io::Result<bool>;
}

/// Where records are saved.
#[derive(Clone, Debug)]
pub struct Disk<F>(pub F);

impl<F: Folder> Disk<F> {
    /// What is in the slots, as far as it can be read. If of a kind nothing can be read, it
    /// is moved aside, where the last two of the kind are kept.
    pub fn load(&self) -> Found {
        let found = Found(Kind::ALL.map(|kind| Slot::ALL.map(|slot| self.read(kind, slot))));
        for (kind, slot, flaw, is_lost) in found.flaws() {
            let name = slot.name(kind);
            log::warn!("{name}: {flaw}");
            if is_lost {
                self.move_aside(kind, &name);
            }
        }
        found
    }

    fn read(&self, kind: Kind, slot: Slot) -> Result<Vec<u8>, String> {
        let name = slot.name(kind);
        match self.0.read(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => {
                log::error!("{name}: {error}");
                Err(error.to_string())
            }
            Ok(bytes) => Ok(bytes),
        }
    }

    fn move_aside(&self, kind: Kind, name: &str) {
        let aside = format!("{}.corrupt", kind.name());
        // Whether there is one already, or it can be kept, changes nothing.
        let _ = self.0.rename(&aside, &format!("{aside}.1"));
        match self.0.rename(name, &aside) {
            Ok(()) => log::error!("{name} is moved aside to {aside}"),
            Err(error) => log::error!("{name} cannot be moved aside: {error}"),
        }
    }

    /// Writes the records of a job; when this returns they survive a power cut.
    ///
    /// # Errors
    /// How far it got, and why not further.
    pub fn run(&self, job: &Job) -> Result<(), Failure> {
        job.writes
            .iter()
            .enumerate()
            .try_for_each(|(done, write)| self.write(write).map_err(|(why, is_gone)| Failure { done, why, is_gone }))
    }

    /// Writes one record. What stands in its way is moved aside; the folder is made again
    /// if it has vanished.
    ///
    /// # Errors
    /// Why not, and whether the folder was made again: nothing is in it then.
    pub fn write(&self, write: &Write) -> Result<(), (String, bool)> {
        let name = write.slot.name(write.kind);
        match self.0.write(&name, &write.pieces()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => match self.0.make() {
                Ok(true) => Err(("the folder had vanished and is made again".to_owned(), true)),
                // A link that leads nowhere.
                Ok(false) => self.replace(write, &name, &error),
                Err(error) => Err((error.to_string(), false)),
            },
            Err(error) if is_in_the_way(&error) => self.replace(write, &name, &error),
            Err(error) => Err((error.to_string(), false)),
        }
    }

    /// Moves aside what could not be written because of `error`, and writes a new file.
    fn replace(&self, write: &Write, name: &str, error: &io::Error) -> Result<(), (String, bool)> {
        log::warn!("{name}: {error}");
        self.move_aside(write.kind, name);
        self.0.write(name, &write.pieces()).map_err(|error| (error.to_string(), false))
    }
}

/// Whether another file in its place could be written: it is none, or its blocks are bad.
fn is_in_the_way(error: &io::Error) -> bool {
    let codes = [libc::EISDIR, libc::ELOOP, libc::ENXIO, libc::EACCES, libc::EPERM, libc::EIO, libc::ETXTBSY];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// A folder of the system's.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Ours, once it is taken. The loop and the thread that writes share it.
    lock: Arc<Mutex<Option<Lock>>>,
}

impl StateDir {
    /// The folder at `path`, made if it is missing; why it cannot be written, if it can
    /// only be read.
    ///
    /// # Errors
    /// The system's: it is none, and cannot be made.
    pub fn open(path: &str) -> io::Result<(StateDir, Option<io::Error>)> {
        let folder = StateDir::at(PathBuf::from(path));
        folder.make()?;
        let probe = folder.path.join("probe");
        let flaw = File::create(&probe).and_then(|_| fs::remove_file(&probe)).err();
        fs::read_dir(&folder.path)?;
        Ok((folder, flaw))
    }

    /// The same if the folder is there; otherwise whether it could be made, without
    /// making it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn try_open(path: &str) -> io::Result<(StateDir, Option<io::Error>)> {
        if Path::new(path).exists() {
            return StateDir::open(path);
        }
        let absolute = std::env::current_dir()?.join(path);
        let parent = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let name = CString::new(parent.as_os_str().as_bytes())?;
        // SAFETY: the path ends with NUL.
        match unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } {
            0 => Ok((StateDir::at(parent.to_owned()), None)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn at(path: PathBuf) -> StateDir {
        StateDir { path, lock: Arc::default() }
    }

    /// Keeps other managers out of it from now on.
    ///
    /// # Errors
    /// Another one is there.
    pub(super) fn lock(&self) -> Result<(), Held> {
        let lock = Lock::take(&self.path)?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
        Ok(())
    }

    /// Whether the folder lies in memory, so that a power cut takes what is saved.
    pub fn is_volatile(&self) -> bool {
        // From linux/magic.h: ramfs, tmpfs, and overlays, whose upper layer is often one.
        const VOLATILE: [u32; 3] = [0x8584_58f6, 0x0102_1994, 0x794c_7630];
        let Ok(path) = CString::new(self.path.as_os_str().as_bytes()) else { return false };
        let mut stat = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the path ends with NUL, and the buffer is of the type that is filled.
        let filled = unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) } == 0;
        // SAFETY: it was filled, for the call says so.
        filled && VOLATILE.contains(&(unsafe { stat.assume_init() }.f_type as u32))
    }
}

impl Folder for StateDir {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?.take(SAVED_RECORD_MAX as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, name: &str, pieces: &[&[u8]]) -> io::Result<()> {
        let path = self.path.join(name);
        let is_new = !path.exists();
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        pieces.iter().try_for_each(|piece| file.write_all(piece))?;
        file.sync_data()?;
        if is_new {
            File::open(&self.path)?.sync_all()?;
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn make(&self) -> io::Result<bool> {
        let is_missing = !self.path.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was made anew may have another manager by now.
        let kept = lock.as_mut().map_or(Ok(()), Lock::renew);
        kept.map_err(|held| io::Error::new(ErrorKind::AlreadyExists, held.to_string()))?;
        Ok(is_missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::format::{seal, Flaw, HEADER};

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("um-disk-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Place(path)
        }

        fn disk(&self) -> Disk<StateDir> {
            Disk(StateDir::open(self.0.to_str().unwrap()).unwrap().0)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A record with nothing in it.
    fn write(slot: Slot, sequence: u32) -> Write {
        let mut bytes = vec![0; HEADER];
        seal(&mut bytes, Kind::State, sequence, 0).unwrap();
        Write { kind: Kind::State, slot, bytes, payload: None }
    }

    fn read(disk: &Disk<StateDir>, slot: Slot) -> Result<Vec<u8>, String> {
        disk.load().0[Kind::State.place()][slot as usize].clone()
    }

    #[test]
    fn what_is_written_is_read_and_leaves_the_other_slot_alone() {
        let place = Place::new("read");
        let disk = place.disk();
        assert_eq!(read(&disk, Slot::A), Ok(Vec::new()));
        let job = Job { writes: vec![write(Slot::A, 1), write(Slot::B, 2)] };
        assert_eq!(disk.run(&job), Ok(()));
        for (slot, sequence) in [(Slot::A, 1), (Slot::B, 2)] {
            assert_eq!(read(&place.disk(), slot), Ok(write(slot, sequence).bytes));
        }
    }

    #[test]
    fn slots_that_cannot_be_read_are_moved_aside_and_the_last_two_are_kept() {
        let place = Place::new("aside");
        let disk = place.disk();
        for n in 1..=4 {
            fs::write(place.file(if n == 3 { "state.b" } else { "state.a" }), [n; 90]).unwrap();
            assert_eq!(
                disk.load().flaws().next().map(|(.., flaw, is_lost)| (flaw, is_lost)),
                Some((Flaw::Foreign, true))
            );
        }
        let kept = |name: &str| fs::read(place.file(name)).unwrap()[0];
        assert_eq!((kept("state.corrupt"), kept("state.corrupt.1")), (4, 3));
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 2);
    }

    #[test]
    fn of_a_slot_that_is_none_the_other_one_is_read_and_it_is_replaced() {
        let place = Place::new("folder");
        let disk = place.disk();
        disk.write(&write(Slot::A, 1)).unwrap();
        fs::create_dir_all(place.file("state.b/within")).unwrap();
        assert!(read(&disk, Slot::B).is_err());
        assert_eq!(read(&disk, Slot::A), Ok(write(Slot::A, 1).bytes));
        disk.write(&write(Slot::B, 2)).unwrap();
        assert_eq!(read(&disk, Slot::B), Ok(write(Slot::B, 2).bytes));
        assert!(place.file("state.corrupt/within").exists());
    }

    #[test]
    fn a_folder_that_vanishes_is_made_again_and_that_is_said() {
        let place = Place::new("vanished");
        let disk = place.disk();
        disk.write(&write(Slot::A, 1)).unwrap();
        fs::remove_dir_all(&place.0).unwrap();
        let job = Job { writes: vec![write(Slot::B, 2)] };
        let failure = disk.run(&job).unwrap_err();
        assert!(failure.is_gone && failure.done == 0, "{failure:?}");
        assert_eq!(disk.run(&job), Ok(()));
        assert_eq!(read(&disk, Slot::A), Ok(Vec::new()));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_no_folder_that_vanished() {
        let place = Place::new("link");
        let disk = place.disk();
        disk.write(&write(Slot::A, 1)).unwrap();
        std::os::unix::fs::symlink(place.file("nowhere/state.b"), place.file("state.b")).unwrap();
        assert_eq!(disk.run(&Job { writes: vec![write(Slot::B, 2)] }), Ok(()));
        assert_eq!(read(&disk, Slot::B), Ok(write(Slot::B, 2).bytes));
    }

    #[test]
    fn a_job_says_how_far_it_got() {
        let place = Place::new("far");
        let disk = place.disk();
        disk.write(&write(Slot::A, 1)).unwrap();
        // What is moved aside has to go somewhere.
        fs::create_dir_all(place.file("state.b")).unwrap();
        fs::create_dir_all(place.file("state.corrupt/full")).unwrap();
        fs::create_dir_all(place.file("state.corrupt.1/full")).unwrap();
        let failure = disk.run(&Job { writes: vec![write(Slot::A, 2), write(Slot::B, 3)] }).unwrap_err();
        assert_eq!((failure.done, failure.is_gone), (1, false), "{}", failure.why);
    }

    #[test]
    fn whether_a_folder_could_be_made_is_found_out_without_making_it() {
        let place = Place::new("try");
        let path = place.file("a/b");
        assert!(StateDir::try_open(path.to_str().unwrap()).is_ok());
        assert!(!place.0.exists());
        assert!(StateDir::try_open("/dev/null").is_err());
        assert!(StateDir::try_open("/dev/null/a").is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said_at_once_and_read_all_the_same() {
        assert!(StateDir::open("/proc/um").is_err());
        assert!(StateDir::open("/dev/null").is_err());
        let (folder, flaw) = StateDir::open("/proc/self").unwrap();
        assert!(flaw.is_some());
        assert!(folder.read("stat").is_ok_and(|bytes| !bytes.is_empty()));
    }
}
