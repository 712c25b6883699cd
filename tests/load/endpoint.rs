//! Where a broker would listen, plain or with TLS, for tests that play the broker.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::bare::{Bare, Stream};
use crate::certificates::{Authority, Kind, NOW};
use crate::processes::{wait_until, Folder, Manager};
use crate::site::{manager, Build};

/// How long a manager may take to come, or to come back.
const PATIENCE: Duration = Duration::from_secs(60);

impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

pub struct Endpoint {
    pub folder: Folder,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Endpoint {
    pub fn start(is_tls: bool) -> Endpoint {
        let folder = Folder::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a socket");
        let tls = is_tls.then(|| Arc::new(server_config(&folder)));
        Endpoint { folder, listener, tls }
    }

    /// A manager that connects to it.
    pub fn manager(&self, build: &Build, domains: &[&str], config: Value) -> Manager {
        let port = self.listener.local_addr().expect("it has an address").port();
        let address = match build.is_tls {
            true => format!("tls://localhost:{port}"),
            false => format!("tcp://127.0.0.1:{port}"),
        };
        manager(build, &address, &self.folder.file("ca.pem").display().to_string(), domains, config)
    }

    /// The next connection.
    pub fn accept(&self) -> Bare {
        let mut stream = None;
        wait_until("it connects", PATIENCE, || {
            stream = self.listener.accept().ok().map(|(stream, _)| stream);
            stream.is_some()
        });
        let stream = stream.expect("it has connected");
        stream.set_nonblocking(false).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        match &self.tls {
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).expect("a good configuration");
                Bare::of_broker(StreamOwned::new(session, stream))
            }
            None => Bare::of_broker(stream),
        }
    }
}

fn server_config(folder: &Folder) -> ServerConfig {
    Authority::new(&folder.file(""), "ca").sign("broker", Kind::Ec, "subjectAltName=DNS:localhost", NOW);
    let chain = CertificateDer::from_pem_file(folder.file("broker.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.file("broker.key")).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them all")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("they fit together")
}
