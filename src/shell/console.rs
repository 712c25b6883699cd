//! The console's socket. A client is given one answer at a time, or one piece of it, and
//! asked for the next request only when it has taken that, so that whatever it does, it costs
//! the memory of one request and one answer and holds nobody up. Without a client there
//! is nothing but the socket.

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use async_io::Async;
use smol::future::{block_on, poll_once};

use crate::limits::{
    CONSOLE_CHUNK, CONSOLE_CLIENTS_MAX, CONSOLE_CLIENT_MS, CONSOLE_OTHERS_MAX, CONSOLE_PAUSE_MS, CONSOLE_QUEUE,
    CONSOLE_REQUEST_MAX, CONSOLE_SPACING_MS,
};
use crate::manager::{Place, Reply};
use crate::model::time::Tick;
use crate::wire::console::{FULL, TOO_LONG};

/// Answers the request in a line, from a place in its answer on, into an empty string.
pub type Answering<'a> = &'a mut dyn FnMut(&[u8], Option<Place>, &mut String) -> Reply;

/// The socket and who is connected to it.
pub struct Console {
    listener: Async<UnixListener>,
    path: PathBuf,
    /// Device and inode of the socket at the path.
    node: (u64, u64),
    /// Whether somebody may wait to be let in.
    is_called: bool,
    /// Nobody is let in before.
    paused: Option<Tick>,
    clients: Vec<Client>,
}

struct Client {
    stream: Async<UnixStream>,
    input: Vec<u8>,
    /// Bytes at the front of it that hold no line's end.
    searched: usize,
    /// What is still to be taken by the client, and how much of it was.
    output: Vec<u8>,
    taken: usize,
    /// Where the next piece of the answer begins, if that is not the last.
    rest: Option<Place>,
    /// When it has to have asked, or to have taken its answer.
    deadline: Tick,
    /// Its next request is looked at no earlier.
    next: Tick,
    readable: bool,
    writable: bool,
    is_last: bool,
}

impl Console {
    /// Listens at `path`, for the owner of the process and, if it is not empty, for
    /// `group`. A socket that nobody listens at is replaced.
    ///
    /// # Errors
    /// The system's; or somebody listens there, or there is no such group.
    pub fn open(path: &str, group: &str) -> io::Result<Console> {
        let path = Path::new(path);
        let group = if group.is_empty() { None } else { Some(group_id(group)?) };
        if let Some(folder) = path.parent() {
            // If it cannot be made, the socket cannot either, which says why.
            let _ = DirBuilder::new().mode(0o755).create(folder);
        }
        remove_stale(path)?;
        // SAFETY: plain system calls; no other thread of ours makes files yet.
        let mask = unsafe { libc::umask(0o177) };
        let listener = UnixListener::bind(path);
        // SAFETY: as above.
        unsafe { libc::umask(mask) };
        let listener = listener?;
        // SAFETY: the descriptor is open. The system's usual queue takes long to empty.
        unsafe { libc::listen(listener.as_raw_fd(), CONSOLE_QUEUE) };
        let node = node(path)?;
        // From here on the socket is removed with the console.
        let (listener, path) = (Async::new(listener)?, path.to_owned());
        let console = Console { listener, path, node, is_called: true, paused: None, clients: Vec::new() };
        if let Some(group) = group {
            let path = CString::new(console.path.as_os_str().as_bytes())?;
            // SAFETY: the path ends with NUL.
            if unsafe { libc::chown(path.as_ptr(), libc::uid_t::MAX, group) } != 0 {
                return Err(io::Error::last_os_error());
            }
            fs::set_permissions(&console.path, fs::Permissions::from_mode(0o660))?;
        }
        Ok(console)
    }

    /// Lets clients in, takes what they ask and gives what they are answered, each of
    /// them one request at most; whether anything was done. One client at a time has room
    /// for a large request, and one for a large answer; others wait, until it is dropped.
    pub fn serve(&mut self, now: Tick, answer: Answering<'_>) -> bool {
        let mut moved = self.let_in(now);
        let mut held = self.clients.iter().fold((0, 0), |held, client| add(held, client.held()));
        self.clients.retain_mut(|client| {
            let (input, output) = client.held();
            let others = (held.0 - input, held.1 - output);
            let is_served = client.serve(now, others, answer);
            let stays = is_served.is_ok() && client.deadline > now;
            moved |= is_served.unwrap_or(true) || !stays;
            held = if stays { add(others, client.held()) } else { others };
            stays
        });
        if self.clients.is_empty() {
            self.clients = Vec::new();
        }
        moved
    }

    fn let_in(&mut self, now: Tick) -> bool {
        if self.paused.is_some_and(|until| until > now) {
            return false;
        }
        self.paused = None;
        if !self.is_called {
            return false;
        }
        let accepted = self.listener.get_ref().accept().and_then(|(stream, _)| Async::new(stream));
        match accepted {
            Ok(stream) if self.clients.len() < CONSOLE_CLIENTS_MAX => self.clients.push(Client::new(stream, now)),
            // If it does not take that at once, it is not told.
            Ok(stream) => drop(stream.get_ref().write(FULL)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_called = false;
                return false;
            }
            Err(error) => {
                log::warn!("console: {error}");
                self.paused = Some(now.after(CONSOLE_PAUSE_MS));
                return false;
            }
        }
        self.paused = Some(now.after(CONSOLE_SPACING_MS));
        true
    }

    /// When `serve` is to be called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.clients.iter().map(Client::due).chain(self.paused).min()
    }

    /// Waits: ready when `serve` may get on.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let may_call = self.paused.is_none() && !self.is_called;
        let is_called = may_call && self.listener.poll_readable(cx).is_ready();
        let clients = self.clients.iter().filter(|client| client.poll(cx).is_ready()).count();
        if is_called || clients > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Takes what has come: who waits to be let in, and what clients ask and take, is tried,
    /// whatever was waited for.
    pub fn take(&mut self) {
        self.is_called = true;
        for client in &mut self.clients {
            (client.readable, client.writable) = (true, true);
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Somebody may have removed ours, and another manager listens there by now. The
        // number of an inode is not given away as long as we listen.
        if node(&self.path).is_ok_and(|node| node == self.node) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Client {
    fn new(stream: Async<UnixStream>, now: Tick) -> Client {
        Client {
            stream,
            input: Vec::new(),
            searched: 0,
            output: Vec::new(),
            taken: 0,
            rest: None,
            deadline: now.after(CONSOLE_CLIENT_MS),
            next: now,
            readable: true,
            writable: true,
            is_last: false,
        }
    }

    /// Where the first line ends.
    fn line_end(&mut self) -> Option<usize> {
        let rest = self.input.get(self.searched..).unwrap_or_default();
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                self.searched += at;
                Some(self.searched)
            }
            None => {
                self.searched = self.input.len();
                None
            }
        }
    }

    fn due(&self) -> Tick {
        let waits = self.output.is_empty() && self.searched < self.input.len();
        self.deadline.min(if waits { self.next } else { self.deadline })
    }

    /// Bytes of its request and of its answer.
    fn held(&self) -> (usize, usize) {
        (self.input.len(), self.output.len())
    }

    /// A step further; whether there may be another at once. `others` is what the others
    /// hold.
    fn serve(&mut self, now: Tick, others: (usize, usize), answer: Answering<'_>) -> io::Result<bool> {
        if self.taken < self.output.len() {
            return self.write(now);
        }
        let end = self.line_end();
        if end.unwrap_or(self.input.len()) > CONSOLE_REQUEST_MAX {
            self.is_last = true;
            self.input = Vec::new();
            self.output = TOO_LONG.to_vec();
            return Ok(true);
        }
        if let Some(end) = end {
            return self.answer(now, end, others.1, answer);
        }
        if self.input.len() >= CONSOLE_CHUNK && others.0 > CONSOLE_OTHERS_MAX {
            return Ok(false);
        }
        self.read()
    }

    /// Has the request that ends there answered, or the next piece of its answer given.
    /// `others` is what the others hold of answers.
    fn answer(&mut self, now: Tick, end: usize, others: usize, answer: Answering<'_>) -> io::Result<bool> {
        let is_begun = self.rest.is_some();
        if !is_begun {
            if self.next > now {
                return Ok(false);
            }
            self.next = now.after(CONSOLE_SPACING_MS);
            if others > CONSOLE_OTHERS_MAX {
                return Ok(false);
            }
        }
        let mut text = String::new();
        self.rest = match answer(&self.input[..end], self.rest, &mut text) {
            Reply::Later => return Ok(false),
            Reply::Cut => return Err(ErrorKind::ConnectionAborted.into()),
            Reply::Piece(place) => Some(place),
            Reply::Whole => None,
        };
        self.output = text.into_bytes();
        if self.rest.is_none() {
            self.input.drain(..=end);
            self.input.shrink_to_fit();
            self.searched = 0;
        }
        if !is_begun {
            self.deadline = now.after(CONSOLE_CLIENT_MS);
        }
        Ok(true)
    }

    fn write(&mut self, now: Tick) -> io::Result<bool> {
        if !self.writable {
            return Ok(false);
        }
        match self.stream.get_ref().write(&self.output[self.taken..]) {
            Ok(n) => {
                self.taken += n;
                if self.taken == self.output.len() {
                    self.output = Vec::new();
                    self.taken = 0;
                    if self.rest.is_none() {
                        self.deadline = now.after(CONSOLE_CLIENT_MS);
                    }
                    if self.is_last {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                }
                Ok(true)
            }
            Err(error) if is_passing(&error) => {
                self.writable = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn read(&mut self) -> io::Result<bool> {
        if !self.readable {
            return Ok(false);
        }
        let mut chunk = [0; CONSOLE_CHUNK];
        match self.stream.get_ref().read(&mut chunk) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                self.input.extend_from_slice(&chunk[..n]);
                Ok(true)
            }
            Err(error) if is_passing(&error) => {
                self.readable = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let is_answering = self.taken < self.output.len();
        let is_ready = match is_answering {
            true => !self.writable && self.stream.poll_writable(cx).is_ready(),
            false => !self.readable && self.stream.poll_readable(cx).is_ready(),
        };
        if is_ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0 + b.0, a.1 + b.1)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Device and inode of what is at a path.
fn node(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Removes a socket at which nobody listens any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Ok(_) => {}
    }
    // A manager that stands still lets nobody in, and must not hold us up.
    match block_on(poll_once(Async::<UnixStream>::connect(path))) {
        Some(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Err(io::Error::new(ErrorKind::AddrInUse, "another manager listens there")),
    }
}

/// The number of a group, by its name in `/etc/group` or as it is.
fn group_id(group: &str) -> io::Result<libc::gid_t> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = fs::read_to_string("/etc/group")?;
    let id = groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        (parts.next() == Some(group)).then(|| parts.nth(1)?.parse().ok()).flatten()
    });
    id.ok_or_else(|| io::Error::new(ErrorKind::NotFound, format!("consoleGroup: there is no group {group}")))
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
