//! The owner's answer (docs/backend-api.md, "The owner's consent"). The question is
//! [`encode::command`](super::encode::command).

use super::envelope::Envelope;
use super::malformed::{Key, Malformed};

/// What the owner says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConsentReply {
    /// The phase may begin.
    Approved,
    /// It may not.
    Denied,
    /// A status that is not one of the protocol: no answer.
    Unknown,
}

/// Decodes the payload. Statuses match in exact case.
///
/// # Errors
/// It is missing, or its status is missing or not a string.
pub fn decode(envelope: &Envelope<'_>) -> Result<ConsentReply, Malformed> {
    let payload = envelope.require("owner consent feedback")?;
    let [status] = payload.fields([Key::Status])?;
    let status = status.ok_or_else(|| payload.missing(Key::Status))?.string()?;
    Ok(match status {
        _ if status.eq_str("APPROVED") => ConsentReply::Approved,
        _ if status.eq_str("DENIED") => ConsentReply::Denied,
        _ => ConsentReply::Unknown,
    })
}
