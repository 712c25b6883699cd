//! Who the broker may be, and who we are to it.

use core::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name, ResolvesClientCert};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Trusts what the configured authorities have signed, and themselves: a broker
/// often has a single certificate, made by itself, that calls itself an authority.
/// The parts of rustls's own verifier, without its lists of revoked certificates.
pub struct Trust {
    pub authorities: Vec<CertificateDer<'static>>,
    /// The same, as they are looked for.
    pub roots: RootCertStore,
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// Whether a certificate was refused only as it is an authority's. Its dates are
/// good then: they are looked at first.
pub fn is_authority(error: &CertificateError) -> bool {
    webpki_error(error) == Some(&webpki::Error::CaUsedAsEndEntity)
}

/// The error below, where rustls has no word for it.
pub fn webpki_error(error: &CertificateError) -> Option<&webpki::Error> {
    match error {
        CertificateError::Other(other) => other.0.downcast_ref(),
        _ => None,
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let cert = ParsedCertificate::try_from(end_entity)?;
        let all = self.algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&cert, &self.roots, intermediates, now, all) {
            Err(Error::InvalidCertificate(error))
                if is_authority(&error) && self.authorities.iter().any(|authority| authority == end_entity) => {}
            result => result?,
        }
        verify_server_name(&cert, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Our certificate and its key, if there are any, and whether the broker asked.
pub struct Identity {
    certified: Option<Arc<CertifiedKey>>,
    is_asked: AtomicBool,
}

impl Identity {
    pub fn new(certified: Option<CertifiedKey>) -> Identity {
        Identity { certified: certified.map(Arc::new), is_asked: AtomicBool::new(false) }
    }

    /// Whether the broker asked for a certificate and there is none.
    pub fn is_missing(&self) -> bool {
        self.certified.is_none() && self.is_asked.load(Ordering::Relaxed)
    }

    /// Whether the broker asked for a certificate and got one.
    pub fn is_shown(&self) -> bool {
        self.certified.is_some() && self.is_asked.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_asked.store(true, Ordering::Relaxed);
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        self.certified.is_some()
    }
}
