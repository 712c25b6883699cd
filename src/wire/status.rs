//! What peers make of statuses: other spellings of agents, and what backends know
//! (docs/protocol.md, "Statuses").

use core::fmt;

use crate::model::text::Text;
use crate::model::{ActionStatus, Status};

/// The status that is spelled so; agents also write `COMPLETE`.
pub fn status(name: Text<'_>) -> Status {
    if name.eq_str("COMPLETE") {
        return Status::Completed;
    }
    Status::of_name(name).unwrap_or(Status::Unknown)
}

/// The action's status that is spelled so; agents also write `UPDATED`.
pub fn action_status(name: Text<'_>) -> Option<ActionStatus> {
    if name.eq_str("UPDATED") {
        return Some(ActionStatus::UpdateSuccess);
    }
    ActionStatus::of_name(name)
}

/// The action's status by which backends know it.
pub fn action_status_for_backend(status: ActionStatus) -> ActionStatus {
    match status {
        ActionStatus::Activating => ActionStatus::Updating,
        ActionStatus::ActivationSuccess => ActionStatus::UpdateSuccess,
        ActionStatus::ActivationFailure => ActionStatus::UpdateFailure,
        other => other,
    }
}

/// The manager's own status (docs/backend-api.md, "The manager's own status"); `counts` are
/// seconds since the start, connections after the first, and messages refused.
///
/// # Errors
/// `out` fails.
pub fn encode_presence(out: &mut dyn fmt::Write, online: bool, counts: Option<[u64; 3]>) -> fmt::Result {
    let status = if online { "online" } else { "offline" };
    write!(out, "{{\"status\":\"{status}\",\"version\":\"{}\"", env!("CARGO_PKG_VERSION"))?;
    if let Some([uptime_s, reconnects, refused]) = counts {
        write!(out, ",\"uptimeS\":{uptime_s},\"reconnects\":{reconnects},\"refused\":{refused}")?;
    }
    out.write_char('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> Text<'_> {
        Text::parse(raw).unwrap()
    }

    #[test]
    fn agents_own_spellings_are_known() {
        assert_eq!(status(name("COMPLETE")), Status::Completed);
        assert_eq!(action_status(name("UPDATED")), Some(ActionStatus::UpdateSuccess));
        assert_eq!(status(name(r"\u0052UNNING")), Status::Running);
    }

    #[test]
    fn statuses_match_in_exact_case_and_in_full() {
        for other in ["", "running", "RUNNING ", "BOGUS", "UNKNOWN"] {
            assert_eq!(status(name(other)), Status::Unknown, "{other}");
            assert_eq!(action_status(name(other)), None, "{other}");
        }
    }

    #[test]
    fn backends_see_just_what_they_know() {
        for (action, seen) in [
            (ActionStatus::Activating, ActionStatus::Updating),
            (ActionStatus::ActivationSuccess, ActionStatus::UpdateSuccess),
            (ActionStatus::ActivationFailure, ActionStatus::UpdateFailure),
            (ActionStatus::RemovalFailure, ActionStatus::RemovalFailure),
        ] {
            assert_eq!(action_status_for_backend(action), seen);
        }
    }
}
