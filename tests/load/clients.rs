//! Clients of the console that hold as much of the manager as they may.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use update_manager::limits::{CONSOLE_CLIENTS_MAX, CONSOLE_REQUEST_MAX};

/// As many clients as the console takes: each has asked for all inventories or the report, and
/// takes no answer, or has sent the most of a desired state.
pub fn hold(path: &Path) -> Vec<UnixStream> {
    let clients = (0..CONSOLE_CLIENTS_MAX).map(|n| {
        let mut client = UnixStream::connect(path).expect("the console listens");
        client.set_nonblocking(true).expect("a socket");
        let end = Instant::now() + Duration::from_secs(1);
        let request = match n % 4 {
            0 => br#"{"command":"inventory","json":true}"#.to_vec(),
            2 => br#"{"command":"report","json":true}"#.to_vec(),
            _ => format!(r#"{{"command":"apply","payload":{{"x":"{}"#, "x".repeat(CONSOLE_REQUEST_MAX - 100))
                .into_bytes(),
        };
        let request = [&request[..], if n % 2 == 0 { b"\n" } else { b"" }].concat();
        let mut rest = &request[..];
        while !rest.is_empty() && Instant::now() < end {
            match client.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        client
    });
    clients.collect()
}
