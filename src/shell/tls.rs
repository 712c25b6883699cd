//! TLS 1.2 and 1.3 over a socket that does not block (RFC 5246, RFC 8446).
//!
//! All that is held of a connection is bounded: what waits encrypted for the
//! socket by [`TLS_OUT_MAX`], what was read and not yet decrypted by two records
//! (36 KiB), the broker's certificates and every other message of its handshake
//! by 64 KiB each.

mod files;
mod reason;
mod trust;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_io::Async;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::config::Connection;
use crate::limits::TLS_OUT_MAX;
use files::Credentials;
use reason::Parties;
use trust::{Identity, Trust};

/// Whether the files that `connection` names can be used, and `host` can stand in
/// a certificate. Says in the log which of the authorities cannot be used. When a
/// certificate is valid from and until is looked at in the handshake only.
///
/// # Errors
/// What is wrong with which of them.
pub fn check(connection: &Connection, host: &str) -> Result<(), String> {
    let credentials = Credentials::load(connection)?;
    if let Some((count, first)) = &credentials.unusable {
        log::warn!("connection.caCert: {count} unusable, the first: {first}");
    }
    server_name(host).map(|_| ())
}

/// The name that the broker's certificate must be for: without an address's zone,
/// which means something on this host only.
fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let name = host.split_once('%').map_or(host, |(address, _)| address);
    ServerName::try_from(name.to_owned())
        .map_err(|_| format!("connection.broker: no certificate can be for the host {host}"))
}

/// The client's side of one connection, before there is a socket.
pub struct Client {
    session: ClientConnection,
    parties: Parties,
}

impl Client {
    /// Reads the files anew, so that renewed ones are used from the next
    /// connection on.
    ///
    /// # Errors
    /// As [`check`].
    pub fn new(connection: &Connection, host: &str) -> Result<Client, String> {
        let credentials = Credentials::load(connection)?;
        let identity = Arc::new(Identity::new(credentials.certified));
        let provider = Arc::new(ring::default_provider());
        let Credentials { authorities, roots, .. } = credentials;
        let trust = Trust { authorities, roots, algorithms: provider.signature_verification_algorithms };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| String::from("TLS cannot be set up"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust))
            .with_client_cert_resolver(identity.clone());
        // Files and clock are to count for every connection.
        config.resumption = Resumption::disabled();
        let parties = Parties {
            host: host.to_owned(),
            ca_cert: connection.ca_cert.clone(),
            cert: connection.cert.clone(),
            identity,
        };
        let mut session = ClientConnection::new(Arc::new(config), server_name(host)?)
            .map_err(|error| reason::explain(&error, &parties))?;
        session.set_buffer_limit(Some(TLS_OUT_MAX));
        Ok(Client { session, parties })
    }

    /// Shakes hands over a connected socket.
    ///
    /// # Errors
    /// Why one of the two does not want the other, or the socket's.
    pub async fn shake_hands(self, socket: Async<TcpStream>) -> io::Result<Stream> {
        let mut stream = Stream { socket, session: self.session, parties: self.parties, accepted: 0, is_closed: false };
        loop {
            let error = match stream.shake_on() {
                Ok(true) => return Ok(stream),
                Ok(false) => continue,
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::WouldBlock if stream.session.wants_write() => stream.socket.writable().await?,
                ErrorKind::WouldBlock => stream.socket.readable().await?,
                // What a broker does at once that does not speak TLS at this port.
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    return Err(io::Error::new(error.kind(), "closed by the broker during TLS's handshake"));
                }
                _ => return Err(error),
            }
        }
    }
}

/// An encrypted connection.
pub struct Stream {
    socket: Async<TcpStream>,
    session: ClientConnection,
    parties: Parties,
    /// Bytes that are encrypted, but not all taken by the socket, and so not yet
    /// reported as written.
    accepted: usize,
    /// Whether the broker has said that it sends no more.
    is_closed: bool,
}

impl Stream {
    /// Reads what is there. Less than `bytes` has room for leaves nothing
    /// decrypted behind, so then the socket is to be waited for. 0: the end, with
    /// TLS's good-bye or without, which MQTT does not need.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is; otherwise the connection is broken.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            self.receive()?;
        }
    }

    /// Writes what fits now. What is reported as written was taken by the socket.
    ///
    /// # Errors
    /// `WouldBlock`: to be called again with the same bytes; otherwise the
    /// connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        if self.accepted == 0 {
            self.accepted = self.session.writer().write(bytes)?;
            self.flush()?;
        }
        debug_assert!(self.accepted <= bytes.len());
        Ok(std::mem::take(&mut self.accepted))
    }

    /// Ready when reading may get on, after it did not.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.is_closed {
            true => Poll::Ready(Ok(())),
            false => self.socket.poll_readable(cx),
        }
    }

    /// Ready when writing may get on, after it did not.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_writable(cx)
    }

    /// Takes the handshake a step further; whether it is done.
    fn shake_on(&mut self) -> io::Result<bool> {
        self.flush()?;
        if !self.session.is_handshaking() {
            return Ok(true);
        }
        match self.receive()? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(false),
        }
    }

    /// Takes from the socket what is there, at most a few records; 0 at its end.
    fn receive(&mut self) -> io::Result<usize> {
        let n = self.session.read_tls(&mut self.socket.get_ref())?;
        match self.session.process_new_packets() {
            Ok(state) => {
                self.is_closed = state.peer_has_closed();
                Ok(n)
            }
            Err(error) => {
                // The broker is told why, if the socket takes it.
                let _ = self.session.write_tls(&mut self.socket.get_ref());
                Err(self.failed(&error))
            }
        }
    }

    /// Hands all that is encrypted to the socket.
    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket.get_ref()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
                Err(error) => return Err(self.last_words().unwrap_or(error)),
            }
        }
        Ok(())
    }

    /// Why the broker hung up, if it said so: worth more than that writing failed.
    fn last_words(&mut self) -> Option<io::Error> {
        while self.session.read_tls(&mut self.socket.get_ref()).is_ok_and(|n| n > 0) {
            if let Err(error) = self.session.process_new_packets() {
                return Some(self.failed(&error));
            }
        }
        None
    }

    fn failed(&self, error: &rustls::Error) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, reason::explain(error, &self.parties))
    }
}

impl Drop for Stream {
    /// Says good-bye, as far as the socket takes it at once.
    fn drop(&mut self) {
        self.session.send_close_notify();
        while self.session.wants_write() && self.session.write_tls(&mut self.socket.get_ref()).is_ok_and(|n| n > 0) {}
    }
}

#[cfg(test)]
mod tests;
