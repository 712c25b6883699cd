//! The lock on the state folder: two managers that write the same records would each
//! undo what the other one saved.
//!
//! It is the kernel's (flock(2)) on the folder itself, so that it works on a read-only
//! file system and ends with the process, however that ends. The file `pid` only tells
//! people who holds it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file in the folder with the process ID of the lock's holder.
const PID: &str = "pid";

/// The lock on a folder, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// None if the system has refused to lock it.
    folder: Option<File>,
}

/// Another process holds the lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Held {
    path: PathBuf,
    /// None if it cannot be told.
    pid: Option<u32>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stateDir {} is in use by another ", self.path.display())?;
        match self.pid {
            Some(pid) => write!(f, "manager, process {pid}")?,
            None => f.write_str("process")?,
        }
        f.write_str("; end that one, or choose another stateDir for this one")
    }
}

impl Lock {
    /// Takes the lock on the folder at `path`. If the system cannot lock it, that is
    /// logged, and the manager works without.
    ///
    /// # Errors
    /// Another process holds it.
    pub fn take(path: &Path) -> Result<Lock, Held> {
        let mut lock = Lock { path: path.to_owned(), folder: None };
        lock.renew()?;
        Ok(lock)
    }

    /// Takes the lock again if another folder is at the path by now: the lock is on the
    /// folder that was there, and does not protect one that was made in its place.
    ///
    /// # Errors
    /// Another process holds the lock on the folder that is there now. The old lock
    /// stays.
    pub fn renew(&mut self) -> Result<(), Held> {
        if self.folder.as_ref().is_some_and(|folder| is_at(folder, &self.path)) {
            return Ok(());
        }
        match try_lock(&self.path) {
            Ok(Some(folder)) => {
                self.folder = Some(folder);
                if let Err(error) = write_pid(&self.path.join(PID)) {
                    log::debug!("stateDir {}: {PID} cannot be written: {error}", self.path.display());
                }
            }
            Ok(None) => {
                let pid = holder(&self.path.join(PID), std::process::id());
                return Err(Held { path: self.path.clone(), pid });
            }
            // Who wants to write there says that it is not there.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {}
            Err(error) => {
                let path = self.path.display();
                log::warn!("stateDir {path} cannot be locked: {error}; a second manager would not be noticed");
            }
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // As long as the lock is held, nobody else writes this file.
        if self.folder.as_ref().is_some_and(|folder| is_at(folder, &self.path)) {
            let _ = fs::remove_file(self.path.join(PID));
        }
    }
}

/// Locks the folder at `path`. None: another process has.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let folder = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
    // SAFETY: the descriptor is open.
    if unsafe { libc::flock(folder.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(Some(folder));
    }
    match io::Error::last_os_error() {
        error if error.kind() == ErrorKind::WouldBlock => Ok(None),
        error => Err(error),
    }
}

/// Whether an open folder is the one at `path`.
fn is_at(folder: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (folder.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

fn write_pid(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", std::process::id())
}

/// The process ID in a file, if that is of a process with our name. A killed holder
/// leaves its file behind, and a holder in a container writes a number that means
/// another process here, or ourselves.
fn holder(path: &Path, own: u32) -> Option<u32> {
    let pid: u32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let name = |process: &str| fs::read(format!("/proc/{process}/comm")).ok();
    (pid != own && name(&pid.to_string())? == name("self")?).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("um-lock-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn one_at_a_time_holds_it_and_its_pid_is_there_meanwhile() {
        let folder = Folder::new("one");
        let pid = folder.0.join(PID);
        let first = Lock::take(&folder.0).unwrap();
        assert_eq!(fs::read_to_string(&pid).unwrap(), format!("{}\n", std::process::id()));
        let held = Lock::take(&folder.0).unwrap_err();
        assert_eq!(held.path, folder.0);
        drop(first);
        assert!(!pid.exists());
        drop(Lock::take(&folder.0).unwrap());
    }

    #[test]
    fn a_holder_whose_pid_cannot_be_written_holds_it_all_the_same() {
        let folder = Folder::new("unwritten");
        fs::create_dir(folder.0.join(PID)).unwrap();
        let _first = Lock::take(&folder.0).unwrap();
        let words = Lock::take(&folder.0).unwrap_err().to_string();
        assert_eq!(
            words,
            format!(
                "stateDir {} is in use by another process; end that one, or choose another stateDir for this one",
                folder.0.display()
            )
        );
    }

    #[test]
    fn only_a_process_with_our_name_is_named() {
        let folder = Folder::new("names");
        let path = folder.0.join(PID);
        let own = std::process::id();
        assert_eq!(holder(&path, own), None, "there is no file");
        for text in ["", "many\n", "-1\n", "0\n", "4000000000\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(holder(&path, own), None, "{text:?}");
        }
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(&path, other.id().to_string()).unwrap();
        // Until it has called exec it has our name.
        while fs::read_to_string(format!("/proc/{}/comm", other.id())).unwrap().trim() != "sleep" {}
        assert_eq!(holder(&path, own), None, "a process that has got the pid of a holder that was killed");
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(holder(&path, own), None, "no process");
        fs::write(&path, format!("{own}\n")).unwrap();
        assert_eq!(holder(&path, own), None, "it is not ourselves");
        assert_eq!(holder(&path, own + 1), Some(own));
        let held = Held { path: folder.0.clone(), pid: Some(own) }.to_string();
        assert!(held.contains(&format!(" is in use by another manager, process {own}; ")), "{held}");
    }

    #[test]
    fn a_folder_that_was_made_again_is_locked_again() {
        let folder = Folder::new("again");
        let mut first = Lock::take(&folder.0).unwrap();
        fs::remove_dir_all(&folder.0).unwrap();
        first.renew().unwrap();
        fs::create_dir(&folder.0).unwrap();
        // Not before the first one has noticed.
        drop(Lock::take(&folder.0).unwrap());
        first.renew().unwrap();
        Lock::take(&folder.0).unwrap_err();
        first.renew().unwrap();
        assert!(folder.0.join(PID).exists());
    }

    #[test]
    fn a_folder_that_another_one_has_locked_meanwhile_is_left_to_it() {
        let folder = Folder::new("lost");
        let mut first = Lock::take(&folder.0).unwrap();
        let aside = folder.0.with_extension("aside");
        let _ = fs::remove_dir_all(&aside);
        fs::rename(&folder.0, &aside).unwrap();
        fs::create_dir(&folder.0).unwrap();
        let second = Lock::take(&folder.0).unwrap();
        first.renew().unwrap_err();
        drop(first);
        assert!(folder.0.join(PID).exists(), "the file of the other one");
        drop(second);
        fs::remove_dir_all(&aside).unwrap();
    }

    #[test]
    fn what_cannot_be_locked_never_stops_the_manager() {
        let folder = Folder::new("none");
        let path = folder.0.join("not yet");
        let mut lock = Lock::take(&path).unwrap();
        assert!(lock.folder.is_none());
        fs::create_dir(&path).unwrap();
        lock.renew().unwrap();
        Lock::take(&path).unwrap_err();
        assert!(Lock::take(Path::new("/dev/null")).unwrap().folder.is_none());
    }
}
