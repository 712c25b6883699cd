//! The stream against a server of rustls's own on the other end of a socket.

use std::fs;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_io::{Async, Timer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Client, Stream};
use crate::config::{self, Broker, Connection};

type Server = StreamOwned<ServerConnection, TcpStream>;

/// A folder with `cert.pem`, `key.pem`; removed with all in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("um-tls-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a -addext \
                    subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem";
        let output = Command::new("openssl").args(args.split_whitespace()).current_dir(&path).output();
        assert!(output.expect("these tests need the openssl command: apt-get install openssl").status.success());
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn connection(folder: &Folder, port: u16) -> Connection {
    let args = ["-mqtt-conn-ca-cert", &folder.file("cert.pem")];
    let Ok(config::Order::Run(loaded)) = config::load(&args, &|_| None) else { panic!("no configuration") };
    let mut connection = loaded.config.connection;
    connection.broker = Broker::Tls { host: String::from("127.0.0.1"), port };
    connection
}

/// Lets the system hold little of what is sent, so that writing stops soon.
fn shrink(socket: &TcpStream) {
    let size: libc::c_int = 4096;
    let len = (libc::c_int::BITS / 8) as libc::socklen_t;
    // SAFETY: the value is an int, as the option wants it, and outlives the call.
    let result = unsafe {
        let value = std::ptr::addr_of!(size).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, value, len)
    };
    assert_eq!(result, 0);
}

/// A client's stream to a server that does `serve` in a thread.
fn pair<T: Send + 'static>(name: &str, serve: impl FnOnce(Server) -> T + Send + 'static) -> (Stream, JoinHandle<T>) {
    let folder = Folder::new(name);
    let chain = vec![CertificateDer::from_pem_file(folder.file("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.file("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut session = ServerConnection::new(Arc::new(config)).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap();
        }
        serve(StreamOwned::new(session, socket))
    });
    let stream = smol::block_on(async {
        let client = Client::new(&connection(&folder, address.port()), "127.0.0.1").unwrap();
        let socket = Async::<TcpStream>::connect(address).await.unwrap();
        shrink(socket.get_ref());
        client.shake_hands(socket).await.unwrap()
    });
    (stream, server)
}

/// Ends with the future, or fails after 20 s.
fn within_20_s<T>(future: impl std::future::Future<Output = T>) -> T {
    smol::block_on(smol::future::or(future, async {
        Timer::after(Duration::from_secs(20)).await;
        panic!("not within 20 s");
    }))
}

/// Reads as the loop does: on while the buffer gets full, else it waits first.
async fn read_all(stream: &mut Stream, buffer: &mut [u8], len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        match stream.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                all.extend_from_slice(&buffer[..n]);
                if n == buffer.len() {
                    continue;
                }
            }
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
        }
        if all.len() < len {
            poll_fn(|cx| stream.poll_readable(cx)).await.unwrap();
        }
    }
    all
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn all_that_is_written_arrives_once_and_in_order_when_the_socket_is_full() {
    const LEN: usize = 1024 * 1024;
    let (go, wait) = mpsc::channel();
    let (mut stream, server) = pair("write", move |mut server| {
        wait.recv().unwrap();
        let mut all = vec![0; LEN];
        server.read_exact(&mut all).map(|()| all)
    });
    let bytes = pattern(LEN);
    let mut start = 0;
    let mut waits = 0;
    within_20_s(async {
        while start < LEN {
            let end = LEN.min(start + 5000);
            match stream.write(&bytes[start..end]) {
                Ok(n) => start += n,
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
                    waits += 1;
                    let _ = go.send(());
                    poll_fn(|cx| stream.poll_writable(cx)).await.unwrap();
                }
            }
        }
    });
    assert!(waits > 1, "the socket was never full");
    assert!(!stream.session.wants_write(), "what is written was taken by the socket");
    assert!(server.join().unwrap().unwrap() == bytes);
}

#[test]
fn nothing_that_was_decrypted_is_forgotten_behind_a_read() {
    const LEN: usize = 300 * 1024;
    for room in [1, 1000, 16 * 1024, LEN] {
        let (mut stream, server) = pair(&format!("read-{room}"), |mut server| {
            server.write_all(&pattern(LEN)).unwrap();
            server.flush().unwrap();
            // Open until the client has all.
            let _ = server.read(&mut [0]);
        });
        let mut buffer = vec![0; room];
        let all = within_20_s(read_all(&mut stream, &mut buffer, LEN));
        assert!(all == pattern(LEN));
        drop(stream);
        server.join().unwrap();
    }
}

#[test]
fn a_good_bye_ends_the_stream_though_the_socket_stays_open() {
    let (mut stream, server) = pair("bye", |mut server| {
        server.write_all(b"last").unwrap();
        server.conn.send_close_notify();
        server.flush().unwrap();
        server.sock.read(&mut [0]).unwrap()
    });
    let all = within_20_s(read_all(&mut stream, &mut [0; 16], 16));
    assert_eq!(all, b"last");
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    drop(stream);
    assert_eq!(server.join().unwrap(), 1, "the client says good-bye, too");
}

#[test]
fn a_dropped_stream_says_good_bye() {
    let (stream, server) = pair("drop", |mut server| server.read(&mut [0]).map_err(|error| error.kind()));
    drop(stream);
    assert_eq!(server.join().unwrap(), Ok(0), "an end without good-bye is an error");
}
