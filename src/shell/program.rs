//! A call of the program: a process group of its own that never outlives it, with a
//! time limit, whose output is read as it comes.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Async;

use super::child::Child;
use super::lines::Lines;
use crate::limits::{PROGRAM_LOOK_MS, PROGRAM_OUTPUT_MAX, PROGRAM_TERM_MS, READ_CHUNK};

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

/// A program that runs.
pub struct Program {
    child: Child,
    out: Pipe,
    err: Pipe,
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
    /// Calls `command`, which may take `limit_ms` milliseconds, and ends with the thread that
    /// calls it. Its outputs are read, of each line so many bytes.
    ///
    /// # Errors
    /// The system's: it cannot be started.
    pub fn start(mut command: Command, limit_ms: u64, line_max: usize, now: Instant) -> io::Result<Program> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let parent = std::process::id() as libc::pid_t;
        // SAFETY: it makes only calls that are async-signal-safe.
        unsafe { command.pre_exec(move || die_with(parent)) };
        let mut child = Child::start(command)?;
        let pipe = |pipe: Option<OwnedFd>| {
            let file = pipe.map(|pipe| Async::new(File::from(pipe))).transpose();
            file.map(|file| Pipe { file, lines: Lines::new(line_max) })
        };
        let [out, err] = child.outputs().map(pipe);
        let end = now + Duration::from_millis(limit_ms);
        match (out, err) {
            (Ok(out), Ok(err)) => Ok(Program { child, out, err, end, limit_ms, kill: None, is_over: false }),
            (Err(error), _) | (_, Err(error)) => {
                let _ = child.reap();
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
        let look = now + Duration::from_millis(if quiet { PROGRAM_LOOK_MS } else { 20 * PROGRAM_LOOK_MS });
        look.min(self.kill.unwrap_or(self.end).max(now))
    }

    /// Tells it to end with all that it has started; it is killed if it does not in
    /// `PROGRAM_TERM_MS`.
    pub fn end(&mut self, now: Instant) {
        if self.kill.is_none() {
            self.kill = Some(now + Duration::from_millis(PROGRAM_TERM_MS));
            self.child.signal_group(libc::SIGTERM);
        }
    }

    /// How it has ended; none if it runs. Ends it when its time is over. What is left of its
    /// group goes with it.
    pub fn turn(&mut self, now: Instant, told: &mut dyn FnMut(&str, bool)) -> Option<Exit> {
        if !self.child.has_exited() {
            match self.kill {
                None if self.end <= now => {
                    self.is_over = true;
                    self.end(now);
                }
                Some(kill) if kill <= now => self.kill_group(),
                _ => {}
            }
            return None;
        }
        let status = self.child.reap();
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

    /// Kills it with all that it has started, without waiting for it.
    pub fn kill_group(&self) {
        self.child.signal_group(libc::SIGKILL);
    }

    /// Kills it with all that it has started, and waits until it is gone.
    #[cfg(feature = "exec")]
    pub fn kill(mut self) {
        let _ = self.child.reap();
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
            log::warn!("more than {PROGRAM_OUTPUT_MAX} bytes of output: only its last line counts from here on");
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

/// In the child: it does not outlive this process.
fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: plain calls that are async-signal-safe.
    unsafe {
        match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 if libc::getppid() == parent => Ok(()),
            0 => Err(ErrorKind::Interrupted.into()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
