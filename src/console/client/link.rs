//! The way to the manager: one request, one answer.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Failure;
use crate::exit;
use crate::limits::{CONSOLE_ANSWER_MAX, CONSOLE_CLIENT_MS};
use crate::wire::console::{self, Answer, Request};

/// A connection to the manager's console.
pub(super) struct Link {
    stream: UnixStream,
    line: Vec<u8>,
}

impl Link {
    /// Connects to the socket at `path`.
    pub fn open(path: &str) -> Result<Link, Failure> {
        if path.is_empty() {
            return Err(Failure(exit::FAILED, String::from("the console is turned off: consoleSocket is empty")));
        }
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                Failure(exit::NOT_RUNNING, format!("no manager runs that has its console at {path}"))
            }
            _ => Failure(exit::FAILED, format!("{path}: {error}")),
        })?;
        let most = Some(Duration::from_millis(CONSOLE_CLIENT_MS));
        let limited = stream.set_read_timeout(most).and_then(|()| stream.set_write_timeout(most));
        limited.map_err(|error| Failure(exit::FAILED, format!("{path}: {error}")))?;
        Ok(Link { stream, line: Vec::new() })
    }

    /// Asks and waits for the answer; that it cannot be done is a failure.
    pub fn ask(&mut self, request: &Request<'_>, desired: Option<(u64, &str)>) -> Result<Answer<'_>, Failure> {
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = console::encode(&mut text, request, desired);
        // Whoever is one too many is told so without having asked.
        let _ = self.stream.write_all(text.as_bytes());
        match self.read_line() {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(Failure(
                    exit::FAILED,
                    format!("the manager does not answer within {} s", CONSOLE_CLIENT_MS / 1000),
                ));
            }
            _ => return Err(Failure(exit::NOT_RUNNING, String::from("the manager has hung up"))),
        }
        let answer = console::decode_answer(&self.line)
            .map_err(|malformed| Failure(exit::FAILED, format!("the manager's answer makes no sense: {malformed}")))?;
        match answer.error.is_empty() {
            true => Ok(answer),
            false => Err(Failure(answer.exit.unwrap_or(exit::FAILED), answer.error.to_string())),
        }
    }

    /// The next line, which is all that the manager says until it is asked again.
    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        let mut chunk = [0; 4096];
        while !self.line.ends_with(b"\n") && self.line.len() < CONSOLE_ANSWER_MAX {
            match self.stream.read(&mut chunk)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => self.line.extend_from_slice(&chunk[..n]),
            }
        }
        Ok(())
    }
}
