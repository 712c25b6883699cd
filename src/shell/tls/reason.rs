//! Why TLS failed, in words for the log.

use core::fmt::Write as _;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::trust::{is_authority, webpki_error, Identity};
use crate::limits::TLS_NAMES_TOLD_MAX;
use crate::logging::Utc;

/// Who talks, as far as it helps to explain why they cannot.
pub struct Parties {
    /// The broker, as it is configured.
    pub host: String,
    /// The path of the authorities' certificates.
    pub ca_cert: String,
    /// The path of our certificate; none if empty.
    pub cert: String,
    /// Who we are to the broker.
    pub identity: Arc<Identity>,
}

/// One line, without what the parties have to keep secret.
pub fn explain(error: &Error, parties: &Parties) -> String {
    let fixed = match error {
        Error::InvalidCertificate(error) => return explain_certificate(error, parties),
        Error::AlertReceived(alert) => return explain_alert(*alert, parties),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "the broker speaks neither TLS 1.2 nor TLS 1.3",
        Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => {
            "the broker wants a client certificate of a kind that is not supported"
        }
        Error::PeerIncompatible(_) => "the broker's TLS and ours have no algorithms in common",
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            "what the broker sends is no TLS"
        }
        Error::InvalidMessage(
            InvalidMessage::CertificatePayloadTooLarge | InvalidMessage::HandshakePayloadTooLarge,
        ) => "the broker's handshake is larger than 64 KiB",
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => "the broker breaks TLS's rules",
        Error::NoCertificatesPresented => "the broker shows no certificate",
        Error::DecryptError => "what the broker sends cannot be decrypted",
        Error::FailedToGetRandomBytes => "the system gives no random numbers",
        _ => "TLS failed",
    };
    String::from(fixed)
}

fn explain_certificate(error: &CertificateError, parties: &Parties) -> String {
    let what = match error {
        CertificateError::ExpiredContext { time, not_after } => {
            let (now, end) = (Utc(time.as_secs() * 1000), Utc(not_after.as_secs() * 1000));
            format!("has expired: it was valid until {end}, the clock says {now}")
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let (now, start) = (Utc(time.as_secs() * 1000), Utc(not_before.as_secs() * 1000));
            format!("is not valid yet: it is so from {start} on, the clock says {now}")
        }
        CertificateError::Expired => String::from("is valid until before it is valid from"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("is not for {}, but for {}", parties.host, names(presented))
        }
        CertificateError::UnknownIssuer => format!("is signed by no authority in {}", parties.ca_cert),
        CertificateError::BadSignature => {
            format!("has a signature that is not of the authority of that name in {}", parties.ca_cert)
        }
        error if is_authority(error) => {
            format!("is an authority's, so it must itself be in {}", parties.ca_cert)
        }
        error => String::from(match (error, webpki_error(error)) {
            (_, Some(webpki::Error::UnsupportedCertVersion)) => "is not of X.509 version 3",
            (CertificateError::BadEncoding, _) => "is malformed",
            (CertificateError::UnhandledCriticalExtension, _) => "has a critical extension that is not supported",
            (CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }, _) => {
                "is not for servers"
            }
            (
                CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
                _,
            ) => "is signed with an algorithm that is not supported",
            _ => "cannot be verified",
        }),
    };
    format!("the broker's certificate {what}")
}

/// `DnsName("a")` and `IpAddress(1.2.3.4)`, as webpki has them, as `a, 1.2.3.4`.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return String::from("no host at all (it has no subjectAltName)");
    }
    let mut out = String::new();
    for (place, name) in presented.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        if place == TLS_NAMES_TOLD_MAX {
            // A string takes all that is written to it.
            let _ = write!(out, "{separator}{} more", presented.len() - place);
            break;
        }
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        let _ = write!(out, "{separator}{}", inner.trim_matches('"'));
    }
    out
}

/// Alerts (RFC 8446, 6.2). TLS 1.2 has none of its own for a missing certificate.
fn explain_alert(alert: AlertDescription, parties: &Parties) -> String {
    let identity = &parties.identity;
    let refusal = match alert {
        AlertDescription::ProtocolVersion => return String::from("the broker speaks neither TLS 1.2 nor TLS 1.3"),
        AlertDescription::CertificateRequired
        | AlertDescription::HandshakeFailure
        | AlertDescription::BadCertificate
            if identity.is_missing() =>
        {
            return String::from("the broker wants a client certificate, and connection.cert is not set");
        }
        AlertDescription::UnknownCA => "unknown authority",
        AlertDescription::CertificateExpired => "expired, or not valid yet",
        AlertDescription::CertificateRevoked => "revoked",
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => "not accepted",
        _ => "",
    };
    if identity.is_shown() && !refusal.is_empty() {
        return format!("the broker refuses our certificate in {}: {refusal}", parties.cert);
    }
    let (name, code) = (alert.as_str().unwrap_or("unknown"), u8::from(alert));
    format!("the broker refuses TLS: alert {code} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parties() -> Parties {
        let identity = Arc::new(Identity::new(None));
        Parties { host: String::from("b"), ca_cert: String::from("/ca"), cert: String::new(), identity }
    }

    #[test]
    fn names_are_told_plainly_and_not_all_of_many() {
        let names = |count: usize| names(&(0..count).map(|i| format!("DnsName(\"{i}.a\")")).collect::<Vec<_>>());
        assert_eq!(names(0), "no host at all (it has no subjectAltName)");
        assert_eq!(names(2), "0.a, 1.a");
        assert_eq!(names(TLS_NAMES_TOLD_MAX), "0.a, 1.a, 2.a, 3.a, 4.a, 5.a, 6.a, 7.a");
        assert_eq!(names(TLS_NAMES_TOLD_MAX + 2), "0.a, 1.a, 2.a, 3.a, 4.a, 5.a, 6.a, 7.a, 2 more");
        assert_eq!(super::names(&[String::from("IpAddress(::1)"), String::from("odd(")]), "::1, odd(");
    }

    #[test]
    fn an_alert_without_words_of_ours_is_told_by_name_and_number() {
        for (alert, said) in [
            (AlertDescription::HandshakeFailure, "the broker refuses TLS: alert 40 (HandshakeFailure)"),
            (AlertDescription::UnknownCA, "the broker refuses TLS: alert 48 (UnknownCA)"),
            (AlertDescription::Unknown(99), "the broker refuses TLS: alert 99 (unknown)"),
        ] {
            assert_eq!(explain(&Error::AlertReceived(alert), &parties()), said);
        }
    }
}
