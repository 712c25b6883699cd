//! A call of the program: a process group of its own that never outlives it, with a
//! time limit, whose output is read as it comes.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Async;

use super::memory::lock_now;
use super::told::Lines;
use crate::limits::{EXEC_LOOK_MS, EXEC_ORPHAN_MS, EXEC_OUTPUT_MAX, EXEC_TERM_MS, READ_CHUNK};

/// How a call has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was ended after so many milliseconds, its limit.
    Late(u64),
    /// The system does not say how.
    Unknown(String),
}

/// What a call is made of.
pub struct Call<'a> {
    /// The executable.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: [&'a str; 2],
    /// Variables besides those of this process.
    pub variables: [(&'a str, &'a OsStr); 2],
    /// Its standard input.
    pub input: File,
    /// Where the lock is that it holds.
    pub lock: &'a Path,
    /// How long it may take, in milliseconds.
    pub limit_ms: u64,
}

/// A program that runs.
pub struct Program {
    child: Child,
    out: Pipe,
    err: Pipe,
    lock: File,
    end: Instant,
    limit_ms: u64,
    /// It was told to end, and is killed then.
    kill: Option<Instant>,
    is_over: bool,
}

/// One of its outputs.
struct Pipe {
    file: Option<Async<File>>,
    lines: Lines,
}

impl Program {
    /// Calls it.
    ///
    /// # Errors
    /// The system's: it cannot be started.
    pub fn start(call: Call<'_>, now: Instant) -> io::Result<Program> {
        let mut lock = open_lock(call.lock)?;
        // Somebody may still hold it who has left the group: it is not waited for.
        let _ = lock_now(&lock);
        lock.set_len(0)?;
        lock.rewind()?;
        let mut command = Command::new(call.program);
        command.args(call.arguments).envs(call.variables).stdin(call.input);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let (lock_fd, parent) = (lock.as_raw_fd(), std::process::id() as libc::pid_t);
        // SAFETY: between fork and exec only async-signal-safe functions are called, on
        // values that were made before.
        unsafe { command.pre_exec(move || prepare(lock_fd, parent)) };
        let mut child = command.spawn()?;
        let pipe = |pipe: Option<OwnedFd>| {
            let file = pipe.map(|pipe| Async::new(File::from(pipe))).transpose();
            file.map(|file| Pipe { file, lines: Lines::default() })
        };
        let out = pipe(child.stdout.take().map(OwnedFd::from));
        let err = pipe(child.stderr.take().map(OwnedFd::from));
        let end = now + Duration::from_millis(call.limit_ms);
        match (out, err) {
            (Ok(out), Ok(err)) => {
                Ok(Program { child, out, err, lock, end, limit_ms: call.limit_ms, kill: None, is_over: false })
            }
            (Err(error), _) | (_, Err(error)) => {
                signal_group(child.id(), libc::SIGKILL);
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Ready when it has said something or an output has ended; its lines go to `told`,
    /// with whether they are of its standard error.
    pub fn poll_output(&mut self, cx: &mut Context<'_>, told: &mut dyn FnMut(&str, bool)) -> Poll<()> {
        let out = self.out.poll(cx, &mut |line| told(line, false));
        let err = self.err.poll(cx, &mut |line| told(line, true));
        if out.is_ready() || err.is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// When [`Program::turn`] wants to be called.
    pub fn poll_timeout(&self, now: Instant) -> Instant {
        let quiet = self.out.file.is_none() && self.err.file.is_none();
        let look = now + Duration::from_millis(if quiet { EXEC_LOOK_MS } else { 20 * EXEC_LOOK_MS });
        look.min(self.kill.unwrap_or(self.end).max(now))
    }

    /// How it has ended; none if it runs. Ends it when its time is over.
    pub fn turn(&mut self, now: Instant, told: &mut dyn FnMut(&str, bool)) -> Option<Exit> {
        if !has_exited(self.child.id()) {
            match self.kill {
                None if self.end <= now => {
                    self.is_over = true;
                    self.kill = Some(now + Duration::from_millis(EXEC_TERM_MS));
                    signal_group(self.child.id(), libc::SIGTERM);
                }
                Some(kill) if kill <= now => self.end(),
                _ => {}
            }
            return None;
        }
        let status = self.reap();
        self.out.finish(&mut |line| told(line, false));
        self.err.finish(&mut |line| told(line, true));
        Some(match status {
            _ if self.is_over => Exit::Late(self.limit_ms),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or_default()),
            },
            Err(error) => Exit::Unknown(error.to_string()),
        })
    }

    /// Kills it with all that it has started, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
        let _ = self.reap();
    }

    fn end(&self) {
        signal_group(self.child.id(), libc::SIGKILL);
    }

    /// What is left of its group goes with it.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        self.end();
        let status = self.child.wait();
        let _ = self.lock.set_len(0);
        status
    }
}

impl Pipe {
    fn poll(&mut self, cx: &mut Context<'_>, each: &mut dyn FnMut(&str)) -> Poll<()> {
        loop {
            let Some(file) = &self.file else { return Poll::Pending };
            match self.read() {
                Some(more) => {
                    self.take(&more, each);
                    return Poll::Ready(());
                }
                None => {
                    if file.poll_readable(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// What is there; nothing at its end, none if that is to be waited for.
    fn read(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; READ_CHUNK];
        match self.file.as_ref()?.get_ref().read(&mut bytes) {
            Ok(n) => {
                bytes.truncate(n);
                Some(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(_) => Some(Vec::new()),
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(&str)) {
        if bytes.is_empty() {
            self.file = None;
            self.lines.finish(each);
        } else if self.lines.push(bytes, each) {
            log::warn!("more than {EXEC_OUTPUT_MAX} bytes of output: the rest is dropped");
        }
    }

    /// Takes what is left in the pipe, which holds no more than so many chunks.
    fn finish(&mut self, each: &mut dyn FnMut(&str)) {
        for _ in 0..64 {
            match self.read() {
                Some(bytes) if !bytes.is_empty() => self.take(&bytes, each),
                _ => break,
            }
        }
        self.take(&[], each);
    }
}

/// In the child: the lock goes with it, with its number in the file, signals are as
/// usual, and it does not outlive the agent.
fn prepare(lock: libc::c_int, parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: plain calls that are async-signal-safe; the buffers live.
    unsafe {
        let pid = libc::getpid().to_ne_bytes();
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        let is_fine = libc::write(lock, pid.as_ptr().cast(), pid.len()) == pid.len() as isize
            && libc::fcntl(lock, libc::F_SETFD, 0) == 0
            && libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) == 0
            && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0;
        match is_fine {
            true if libc::getppid() == parent => Ok(()),
            true => Err(ErrorKind::Interrupted.into()),
            false => Err(io::Error::last_os_error()),
        }
    }
}

/// Ends what is left of a program whose agent was killed: it must not go on beside a
/// second one. Waits `EXEC_ORPHAN_MS` for it at most.
///
/// # Errors
/// The system's.
pub fn end_orphans(path: &Path) -> io::Result<()> {
    let mut lock = open_lock(path)?;
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
        std::thread::sleep(Duration::from_millis(EXEC_LOOK_MS));
    }
    lock.set_len(0)
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether it has ended; it stays there to be waited for, so that its number is its own.
fn has_exited(pid: u32) -> bool {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: a plain call; the buffer is of the type that is filled, and zeroed before.
    unsafe {
        match libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), flags) {
            0 => info.assume_init().si_pid() != 0,
            _ => true,
        }
    }
}

fn signal_group(pid: u32, signal: libc::c_int) {
    if let Ok(group) = libc::pid_t::try_from(pid) {
        // SAFETY: a plain call.
        unsafe { libc::kill(-group, signal) };
    }
}
