//! The way to the manager: one request, one answer.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Failure;
use crate::exit;
use crate::limits::{CONSOLE_ANSWER_MAX, CONSOLE_CLIENT_MS};
use crate::wire::console::{self, Answer, Ask, Request};

/// A connection to the manager's console.
pub(super) struct Link {
    path: String,
    stream: UnixStream,
    line: Vec<u8>,
}

impl Link {
    /// Connects to the socket at `path`.
    pub fn open(path: &str) -> Result<Link, Failure> {
        if path.is_empty() {
            return Err(Failure(exit::FAILED, String::from("the console is turned off: consoleSocket is empty")));
        }
        Ok(Link { path: path.to_owned(), stream: connect(path)?, line: Vec::new() })
    }

    /// Asks and waits for the answer; that it cannot be done is a failure. An inventory that
    /// is cut off, since it has changed meanwhile, is asked for once more.
    pub fn ask(&mut self, request: &Request<'_>, desired: Option<(u64, &str)>) -> Result<Answer<'_>, Failure> {
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = console::encode(&mut text, request, desired);
        let mut result = self.exchange(&text);
        if self.is_cut(request, &result) {
            self.stream = connect(&self.path)?;
            result = self.exchange(&text);
        }
        match result {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(Failure(
                    exit::FAILED,
                    format!("the manager does not answer within {} s", CONSOLE_CLIENT_MS / 1000),
                ));
            }
            result if self.is_cut(request, &result) => {
                return Err(Failure(exit::FAILED, String::from("the inventory changes while it is read")));
            }
            Err(_) => return Err(Failure(exit::NOT_RUNNING, String::from("the manager has hung up"))),
        }
        let answer = console::decode_answer(&self.line)
            .map_err(|malformed| Failure(exit::FAILED, format!("the manager's answer makes no sense: {malformed}")))?;
        match answer.error.is_empty() {
            true => Ok(answer),
            false => Err(Failure(answer.exit.unwrap_or(exit::FAILED), answer.error.to_string())),
        }
    }

    /// Whether an inventory was cut off.
    fn is_cut(&self, request: &Request<'_>, result: &io::Result<()>) -> bool {
        let is_over = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::UnexpectedEof);
        is_over && request.ask == Ask::Inventory && !self.line.is_empty()
    }

    fn exchange(&mut self, request: &str) -> io::Result<()> {
        // Whoever is one too many is told so without having asked.
        let _ = self.stream.write_all(request.as_bytes());
        self.read_line()
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

/// Connects to the socket at `path`, with a limit for each wait.
fn connect(path: &str) -> Result<UnixStream, Failure> {
    let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Failure(exit::NOT_RUNNING, format!("no manager runs that has its console at {path}"))
        }
        _ => Failure(exit::FAILED, format!("{path}: {error}")),
    })?;
    let most = Some(Duration::from_millis(CONSOLE_CLIENT_MS));
    let limited = stream.set_read_timeout(most).and_then(|()| stream.set_write_timeout(most));
    limited.map_err(|error| Failure(exit::FAILED, format!("{path}: {error}")))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// What a client gets for its inventory from a manager that gives these answers, one on
    /// each connection: its exit code, or the data.
    fn asked(name: &str, answers: &'static [&str]) -> Result<String, (u8, String)> {
        let path = std::env::temp_dir().join(format!("um-link-{}-{name}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let manager = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                assert!(stream.read(&mut request).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut link = Link::open(path.to_str().unwrap()).map_err(|failure| (failure.0, failure.1))?;
        let answer = link.ask(&super::super::bare(Ask::Inventory), None).map(|answer| answer.data.to_owned());
        std::fs::remove_file(&path).unwrap();
        manager.join().unwrap();
        answer.map_err(|Failure(code, words)| (code, words))
    }

    #[test]
    fn an_inventory_that_is_cut_off_is_asked_for_once_more() {
        assert_eq!(asked("again", &[r#"{"data":{"a"#, "{\"data\":{},\"exit\":0}\n"]), Ok("{}".to_owned()));
        let changes = Err((exit::FAILED, "the inventory changes while it is read".to_owned()));
        assert_eq!(asked("twice", &["{", "{"]), changes);
        assert_eq!(asked("gone", &[""]), Err((exit::NOT_RUNNING, "the manager has hung up".to_owned())));
    }
}
