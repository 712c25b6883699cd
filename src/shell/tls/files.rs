//! The files that TLS needs: PEM (RFC 7468).

use std::fs::File;
use std::io::Read;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::RootCertStore;

use crate::config::Connection;
use crate::limits::{TLS_CA_FILE_MAX, TLS_OWN_FILE_MAX};

/// What the files hold.
pub struct Credentials {
    /// The authorities' certificates.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The same, as they are looked for.
    pub roots: RootCertStore,
    /// How many certificates of the authorities' cannot be used, and why the first
    /// of them cannot. A large collection may well have one.
    pub unusable: Option<(usize, String)>,
    /// Our certificate and its key, if they are configured.
    pub certified: Option<CertifiedKey>,
}

impl Credentials {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them cannot be used, and why.
    pub fn load(connection: &Connection) -> Result<Credentials, String> {
        if connection.ca_cert.is_empty() {
            return Err(String::from("connection.caCert: not set, and TLS needs the authorities to trust"));
        }
        let mut credentials =
            load_authorities(&connection.ca_cert).map_err(|what| format!("connection.caCert: {what}"))?;
        credentials.certified = match (connection.cert.as_str(), connection.key.as_str()) {
            ("", "") => None,
            (_, "") => return Err(String::from("connection.key: not set, but connection.cert is")),
            ("", _) => return Err(String::from("connection.cert: not set, but connection.key is")),
            (cert, key) => Some(load_own(cert, key)?),
        };
        Ok(credentials)
    }
}

fn load_authorities(path: &str) -> Result<Credentials, String> {
    let text = read(path, TLS_CA_FILE_MAX)?;
    let (mut authorities, mut roots) = (Vec::new(), RootCertStore::empty());
    let mut unusable: Option<(usize, String)> = None;
    for (place, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
        let what = match certificate {
            Ok(certificate) if roots.add(certificate.clone()).is_ok() => {
                authorities.push(certificate);
                continue;
            }
            Ok(_) => String::from("no X.509 certificate"),
            Err(error) => bad_pem(&error),
        };
        unusable.get_or_insert((0, format!("certificate {} of the file {path}: {what}", place + 1))).0 += 1;
    }
    match (roots.is_empty(), unusable) {
        (true, None) => Err(format!("no certificate in the file {path}")),
        (true, Some((_, first))) => Err(first),
        (false, unusable) => Ok(Credentials { authorities, roots, unusable, certified: None }),
    }
}

fn load_own(cert: &str, key: &str) -> Result<CertifiedKey, String> {
    let chain = load_chain(cert).map_err(|what| format!("connection.cert: {what}"))?;
    let private = load_key(key).map_err(|what| format!("connection.key: {what}"))?;
    let certified = CertifiedKey::new(chain, private);
    // The certificate has the public key as it is written here. Only so can one of
    // version 1 be looked at, which is good enough for clients.
    let public = certified.key.public_key();
    let is_match = match (&public, certified.cert.first()) {
        (Some(public), Some(own)) => own.windows(public.len()).any(|part| part == public.as_ref()),
        _ => true,
    };
    match is_match {
        true => Ok(certified),
        false => Err(format!("connection.key: the key in the file {key} does not belong to the certificate in {cert}")),
    }
}

/// Our certificate first, then those between it and an authority.
fn load_chain(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path, TLS_OWN_FILE_MAX)?;
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let place = chain.len() + 1;
        chain.push(certificate.map_err(|e| format!("certificate {place} of the file {path}: {}", bad_pem(&e)))?);
    }
    match chain.is_empty() {
        true => Err(format!("no certificate in the file {path}")),
        false => Ok(chain),
    }
}

/// The first private key: PKCS#8, SEC1 (elliptic curves) or PKCS#1 (RSA).
fn load_key(path: &str) -> Result<std::sync::Arc<dyn SigningKey>, String> {
    let text = read(path, TLS_OWN_FILE_MAX)?;
    let is_encrypted = || ["BEGIN ENCRYPTED PRIVATE KEY", ",ENCRYPTED"].iter().any(|mark| has(&text, mark));
    let key = match PrivateKeyDer::from_pem_slice(&text) {
        Ok(_) | Err(_) if is_encrypted() => return Err(format!("the key in the file {path} is encrypted")),
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => return Err(format!("no private key in the file {path}")),
        Err(error) => return Err(format!("the file {path}: {}", bad_pem(&error))),
    };
    any_supported_type(&key).map_err(|_| {
        format!("the key in the file {path} is none of RSA with 2048 to 8192 bits, ECDSA P-256 and P-384, Ed25519")
    })
}

fn has(text: &[u8], mark: &str) -> bool {
    text.windows(mark.len()).any(|part| part == mark.as_bytes())
}

fn read(path: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read the file {path}: {error}"))?;
    match bytes.len() > bytes_max {
        true => Err(format!("the file {path} is larger than {bytes_max} bytes")),
        false => Ok(bytes),
    }
}

fn bad_pem(error: &pem::Error) -> String {
    String::from(match error {
        pem::Error::MissingSectionEnd { .. } => "bad PEM: its END line is missing",
        pem::Error::IllegalSectionStart { .. } => "bad PEM: a malformed BEGIN line",
        pem::Error::Base64Decode(_) => "bad PEM: malformed base64",
        _ => "bad PEM",
    })
}
