//! Runs a shell command by posix_spawn(3). `std::process::Command` keeps the
//! environment in a tree, for which there is no need here: 3 % of the program.

use std::ffi::{c_char, c_int, CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

extern "C" {
    static environ: *const *mut c_char;
}

/// A shell with a command, in a process group of its own.
pub struct Child {
    pid: libc::pid_t,
    status: Option<ExitStatus>,
}

impl Child {
    /// Runs `command` with the signals open that this process waits for, and nothing
    /// to read.
    ///
    /// # Errors
    ///
    /// What posix_spawn(3) says; a NUL in the command.
    pub fn spawn(command: &str) -> io::Result<Child> {
        let (shell, flag, command) = (c(b"sh\0"), c(b"-c\0"), CString::new(command)?);
        let arguments = [shell.as_ptr(), flag.as_ptr(), command.as_ptr(), ptr::null()].map(<*const c_char>::cast_mut);
        let files = Files::new()?;
        let attributes = Attributes::new()?;
        let mut pid = 0;
        // SAFETY: all that is pointed to lives until the call returns; the arguments
        // end with a null and are not written to.
        check(unsafe {
            libc::posix_spawnp(&mut pid, shell.as_ptr(), &files.0, &attributes.0, arguments.as_ptr(), environ)
        })?;
        Ok(Child { pid, status: None })
    }

    /// How it has ended; none: it has not.
    ///
    /// # Errors
    ///
    /// What waitpid(2) says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(libc::WNOHANG)
    }

    /// Ends its process group, if itself has not ended.
    pub fn end_group(&mut self) {
        if let Ok(None) = self.try_wait() {
            // SAFETY: a plain call. It is not reaped, so the group is still its own.
            unsafe { libc::kill(-self.pid, libc::SIGKILL) };
        }
    }

    #[cfg(test)]
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_with(0).unwrap().unwrap()
    }

    fn wait_with(&mut self, flags: c_int) -> io::Result<Option<ExitStatus>> {
        let mut status = 0;
        // Once it is reaped, its id may be another's.
        if self.status.is_none() {
            // SAFETY: a plain call that writes the status.
            match unsafe { libc::waitpid(self.pid, &mut status, flags) } {
                0 => {}
                -1 => return Err(io::Error::last_os_error()),
                _ => self.status = Some(ExitStatus::from_raw(status)),
            }
        }
        Ok(self.status)
    }
}

/// Nothing to read.
struct Files(libc::posix_spawn_file_actions_t);

impl Files {
    fn new() -> io::Result<Files> {
        let mut raw = MaybeUninit::zeroed();
        // SAFETY: it is used only once it is initialised.
        let mut files = unsafe {
            check(libc::posix_spawn_file_actions_init(raw.as_mut_ptr()))?;
            Files(raw.assume_init())
        };
        let null = c(b"/dev/null\0").as_ptr();
        // SAFETY: the path is copied.
        check(unsafe { libc::posix_spawn_file_actions_addopen(&mut files.0, 0, null, libc::O_RDONLY, 0) })?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // SAFETY: initialised, and destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

/// A process group of its own, no signal blocked, and SIGPIPE as usual: a Rust program
/// ignores it.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let (mut raw, mut signals) = (MaybeUninit::zeroed(), MaybeUninit::uninit());
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        // SAFETY: each is used only once it is initialised.
        unsafe {
            check(libc::posix_spawnattr_init(raw.as_mut_ptr()))?;
            let mut attributes = Attributes(raw.assume_init());
            libc::sigemptyset(signals.as_mut_ptr());
            check(libc::posix_spawnattr_setsigmask(&mut attributes.0, signals.as_ptr()))?;
            libc::sigaddset(signals.as_mut_ptr(), libc::SIGPIPE);
            check(libc::posix_spawnattr_setsigdefault(&mut attributes.0, signals.as_ptr()))?;
            check(libc::posix_spawnattr_setflags(&mut attributes.0, flags as _))?;
            Ok(attributes)
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised, and destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}

/// `text` ends with NUL.
fn c(text: &'static [u8]) -> &'static CStr {
    CStr::from_bytes_with_nul(text).unwrap_or_default()
}

/// These return the error's number.
fn check(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}
