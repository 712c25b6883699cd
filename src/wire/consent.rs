//! The owner's answer (protocol.md, "Payloads").

use super::envelope::Envelope;
use super::malformed::{Key, Malformed};

/// What the owner answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The phase may begin.
    Approved,
    /// It may not.
    Denied,
    /// A status that is not one of the protocol.
    Unknown,
}

/// Decodes the payload.
///
/// # Errors
/// It is missing or has no status.
pub fn decode(envelope: &Envelope<'_>) -> Result<Answer, Malformed> {
    let payload = envelope.require("owner consent feedback")?;
    let [status] = payload.fields([Key::Status])?;
    let status = status.ok_or_else(|| payload.missing(Key::Status))?.string()?;
    Ok(match () {
        () if status.eq_str("APPROVED") => Answer::Approved,
        () if status.eq_str("DENIED") => Answer::Denied,
        () => Answer::Unknown,
    })
}
