//! The lock that a program holds while it runs, with the number of its group in it: what an
//! agent that was killed has left can be ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::memory::lock_now;
use crate::limits::{EXEC_ORPHAN_MS, PROGRAM_LOOK_MS};
use crate::shell::child::signal_group;

/// The lock of one program.
pub struct Lock(File);

impl Lock {
    /// Takes the lock in this file for `command`, which holds it from its start on.
    ///
    /// # Errors
    /// The system's.
    pub fn hand_to(path: &Path, command: &mut Command) -> io::Result<Lock> {
        let mut file = open(path)?;
        // Somebody may still hold it who has left the group: it is not waited for.
        let _ = lock_now(&file);
        file.set_len(0)?;
        file.rewind()?;
        let fd = file.as_raw_fd();
        // SAFETY: between fork and exec only async-signal-safe functions are called, on
        // values that were made before.
        unsafe { command.pre_exec(move || keep(fd)) };
        Ok(Lock(file))
    }

    /// Notes that the program has ended well: what is left of it is not of its group.
    pub fn release(self) {
        let _ = self.0.set_len(0);
    }
}

/// In the child: the lock goes with it, with its number in the file.
fn keep(lock: libc::c_int) -> io::Result<()> {
    // SAFETY: plain calls that are async-signal-safe; the buffer lives.
    let is_fine = unsafe {
        let pid = libc::getpid().to_ne_bytes();
        libc::write(lock, pid.as_ptr().cast(), pid.len()) == pid.len() as isize
            && libc::fcntl(lock, libc::F_SETFD, 0) == 0
    };
    match is_fine {
        true => Ok(()),
        false => Err(io::Error::last_os_error()),
    }
}

/// Ends what is left of a program whose agent was killed: it must not go on beside a
/// second one. Waits `EXEC_ORPHAN_MS` for it at most.
///
/// # Errors
/// The system's.
pub fn end_orphans(path: &Path) -> io::Result<()> {
    let mut lock = open(path)?;
    let end = Instant::now() + Duration::from_millis(EXEC_ORPHAN_MS);
    while !lock_now(&lock)? {
        let mut pid = [0; 4];
        lock.rewind()?;
        let is_named = lock.read_exact(&mut pid).is_ok();
        let pid = u32::from_ne_bytes(pid);
        // Without a number it ended well, and left something that is not of its group.
        if !is_named || pid <= 1 {
            return Ok(());
        }
        if end <= Instant::now() {
            log::error!("something of an earlier program still runs and holds {}", path.display());
            return Ok(());
        }
        log::debug!("an earlier program of group {pid} is ended");
        signal_group(pid, libc::SIGKILL);
        std::thread::sleep(Duration::from_millis(PROGRAM_LOOK_MS));
    }
    lock.set_len(0)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}
