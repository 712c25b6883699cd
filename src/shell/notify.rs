//! Tells the service manager how we are, in the words of sd_notify(3): datagrams to
//! the socket that `NOTIFY_SOCKET` names, a path or, from `@` on, an abstract name.
//! Without one, nothing happens. What asks for the watchdog is `WATCHDOG_USEC`.

use std::fmt::{self, Write};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use heapless::String;

use crate::config::env::Lookup;
use crate::limits::ACTIVITY_TOLD_MAX;
use crate::model::time::Tick;

/// Whom to tell, and what was told.
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// Milliseconds between two signs of life; none is wanted without.
    interval_ms: Option<u64>,
    due: Option<Tick>,
    told: String<ACTIVITY_TOLD_MAX>,
}

impl Notify {
    /// As the environment asks. Logs what of it cannot be used.
    pub fn new(lookup: Lookup<'_>) -> Notify {
        let name = lookup("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let to = name.and_then(|name| {
            let to = address(name.as_bytes()).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
            to.map_err(|error| log::warn!("NOTIFY_SOCKET: {error}; nobody is told how we are")).ok()
        });
        let interval_ms = to.as_ref().and_then(|_| interval_ms(lookup));
        Notify { to, interval_ms, due: None, told: String::new() }
    }

    /// We serve. Waits until the message is taken, for without it the start fails;
    /// none after it is waited for.
    pub fn ready(&mut self, now: Tick) {
        self.send("READY=1");
        if let Some((socket, _)) = &self.to {
            if let Err(error) = socket.set_nonblocking(true) {
                log::warn!("NOTIFY_SOCKET: {error}");
            }
        }
        self.due = self.interval_ms.map(|_| now);
    }

    /// We are about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Tells what `write` writes, in one line, if that was not what was told last.
    pub fn tell(&mut self, write: impl FnOnce(&mut dyn Write) -> fmt::Result) {
        if self.to.is_none() {
            return;
        }
        let mut line: String<{ ACTIVITY_TOLD_MAX + 7 }> = String::new();
        // What does not fit is left out.
        let _ = line.push_str("STATUS=").map_err(|()| fmt::Error).and_then(|()| write(&mut line));
        let text = line.get(7..).unwrap_or_default();
        if self.told != text && self.send(&line) {
            self.told = String::try_from(text).unwrap_or_default();
        }
    }

    /// When the next sign of life is due; none if there is no watchdog.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.due
    }

    /// Gives a sign of life if it is due. Only who goes through the loop calls this.
    pub fn handle_timeout(&mut self, now: Tick) {
        if let (Some(due), Some(interval_ms)) = (self.due, self.interval_ms) {
            if due <= now {
                self.send("WATCHDOG=1");
                self.due = Some(now.after(interval_ms));
            }
        }
    }

    /// Whether the message was taken. The service manager's queue is full only
    /// while it does not work itself, and then it kills nobody.
    fn send(&self, message: &str) -> bool {
        let Some((socket, address)) = &self.to else { return false };
        let sent = socket.send_to_addr(message.as_bytes(), address);
        sent.map_err(|error| log::debug!("NOTIFY_SOCKET: {message} is not taken: {error}")).is_ok()
    }
}

fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
        _ => Err(super::invalid("neither a path nor an abstract name")),
    }
}

/// Half of what the watchdog waits for; none if there is none for this process.
fn interval_ms(lookup: Lookup<'_>) -> Option<u64> {
    let number = |name| lookup(name).map(|text| text.to_str().and_then(|text| text.parse::<u64>().ok()));
    // A child of the one that is watched finds its variables, too.
    if number("WATCHDOG_PID").is_some_and(|pid| pid != Some(u64::from(std::process::id()))) {
        return None;
    }
    match number("WATCHDOG_USEC")? {
        Some(0) => None,
        Some(us) => Some((us / 2000).max(1)),
        None => {
            log::warn!("WATCHDOG_USEC is no number; there is no watchdog");
            None
        }
    }
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
