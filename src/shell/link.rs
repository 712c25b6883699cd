//! The transport to the broker.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};

use async_io::Async;

use super::thread;
#[cfg(feature = "tls")]
use super::tls;
use crate::config::{Broker, Connection};

/// An open connection.
pub enum Link {
    /// `tcp://`
    Tcp(Async<TcpStream>),
    /// `tls://`
    #[cfg(feature = "tls")]
    Tls(Box<tls::Stream>),
    /// `unix://`
    Unix(Async<UnixStream>),
}

/// Whether the files that a connection needs can be used. What is found here is a
/// mistake in the configuration; they are read anew for each connection.
///
/// # Errors
/// What is wrong with which of them.
pub fn check(connection: &Connection) -> Result<(), String> {
    match &connection.broker {
        #[cfg(feature = "tls")]
        Broker::Tls { host, .. } => tls::check(connection, host),
        _ => Ok(()),
    }
}

impl Link {
    /// Connects to the broker; a host name's addresses are tried in turn.
    ///
    /// # Errors
    /// The system's: the last address's, or that of the name's look-up. With TLS
    /// also that of a file, or why the handshake failed.
    pub async fn open(connection: Connection) -> io::Result<Link> {
        match connection.broker {
            Broker::Unix { path } => Async::<UnixStream>::connect(path).await.map(Link::Unix),
            Broker::Tcp { host, port } => connect(host, port).await.map(Link::Tcp),
            #[cfg(feature = "tls")]
            Broker::Tls { ref host, port } => {
                let (host, name) = (host.clone(), host.clone());
                // It reads the files with the certificates.
                let prepare = move || tls::Client::new(&connection, &name);
                let client = thread::run("certificates", prepare)?.await.map_err(io::Error::other)?;
                let socket = connect(host, port).await?;
                client.shake_hands(socket).await.map(|stream| Link::Tls(Box::new(stream)))
            }
            #[cfg(not(feature = "tls"))]
            Broker::Tls { .. } => Err(io::Error::new(ErrorKind::Unsupported, "TLS is not built in")),
        }
    }

    /// Reads what is there. If that is less than there is room for, nothing is left
    /// behind: the link is to be waited for.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is; otherwise the link is broken.
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.get_ref().read(bytes),
            #[cfg(feature = "tls")]
            Link::Tls(stream) => stream.read(bytes),
            Link::Unix(stream) => stream.get_ref().read(bytes),
        }
    }

    /// Writes what fits now.
    ///
    /// # Errors
    /// `WouldBlock` if nothing does, then to be called again with the same bytes
    /// (with TLS they may be encrypted already); otherwise the link is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.get_ref().write(bytes),
            #[cfg(feature = "tls")]
            Link::Tls(stream) => stream.write(bytes),
            Link::Unix(stream) => stream.get_ref().write(bytes),
        }
    }

    /// Ready when reading may get on, after it did not.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Link::Tcp(stream) => stream.poll_readable(cx),
            #[cfg(feature = "tls")]
            Link::Tls(stream) => stream.poll_readable(cx),
            Link::Unix(stream) => stream.poll_readable(cx),
        }
    }

    /// Ready when writing may get on, after it did not.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Link::Tcp(stream) => stream.poll_writable(cx),
            #[cfg(feature = "tls")]
            Link::Tls(stream) => stream.poll_writable(cx),
            Link::Unix(stream) => stream.poll_writable(cx),
        }
    }
}

async fn connect(host: String, port: u16) -> io::Result<Async<TcpStream>> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host name has no address");
    for address in addresses(host, port).await? {
        match Async::<TcpStream>::connect(address).await {
            Ok(stream) => {
                // Commands are small and each is waited for: never held back.
                stream.get_ref().set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Looking up a name blocks, so it goes to a thread of its own; an address needs
/// no look-up.
async fn addresses(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => thread::run("look-up", move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))?.await,
    }
}
