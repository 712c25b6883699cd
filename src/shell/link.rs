//! The transport to the broker.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};

use async_io::Async;

use crate::config::Broker;

/// An open connection.
pub enum Link {
    /// `tcp://`
    Tcp(Async<TcpStream>),
    /// `unix://`
    Unix(Async<UnixStream>),
}

impl Link {
    /// Connects to the broker; a host name's addresses are tried in turn.
    ///
    /// # Errors
    /// The system's: the last address's, or that of the name's look-up.
    pub async fn open(broker: Broker) -> io::Result<Link> {
        match broker {
            Broker::Unix { path } => Async::<UnixStream>::connect(path).await.map(Link::Unix),
            Broker::Tcp { host, port } => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
                for address in addresses(host, port).await? {
                    match Async::<TcpStream>::connect(address).await {
                        Ok(stream) => {
                            // Commands are small and each is waited for: never held back.
                            stream.get_ref().set_nodelay(true)?;
                            return Ok(Link::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Broker::Tls { .. } => Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not built in")),
        }
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is; otherwise the link is broken.
    pub fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.get_ref().read(bytes),
            Link::Unix(stream) => stream.get_ref().read(bytes),
        }
    }

    /// Writes what fits now.
    ///
    /// # Errors
    /// `WouldBlock` if nothing does; otherwise the link is broken.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.get_ref().write(bytes),
            Link::Unix(stream) => stream.get_ref().write(bytes),
        }
    }

    /// Ready when reading may get on, after it did not.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Link::Tcp(stream) => stream.poll_readable(cx),
            Link::Unix(stream) => stream.poll_readable(cx),
        }
    }

    /// Ready when writing may get on, after it did not.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Link::Tcp(stream) => stream.poll_writable(cx),
            Link::Unix(stream) => stream.poll_writable(cx),
        }
    }
}

/// Looking up a name blocks, so it goes to a thread of its own; an address needs
/// no look-up.
async fn addresses(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => smol::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await,
    }
}
