//! How statuses and commands are spelled (protocol.md, "Payloads"), and which of
//! them backends know.

use core::fmt;

use crate::orchestrator::phase::{ActionStatus, Command, Status};
use crate::text::Text;

const STATUSES: [(Status, &str); 23] = [
    (Status::Identifying, "IDENTIFYING"),
    (Status::Identified, "IDENTIFIED"),
    (Status::IdentificationFailed, "IDENTIFICATION_FAILED"),
    (Status::Running, "RUNNING"),
    (Status::Completed, "COMPLETED"),
    (Status::Incomplete, "INCOMPLETE"),
    (Status::IncompleteInconsistent, "INCOMPLETE_INCONSISTENT"),
    (Status::Superseded, "SUPERSEDED"),
    (Status::Downloading, "DOWNLOADING"),
    (Status::DownloadSuccess, "DOWNLOAD_SUCCESS"),
    (Status::DownloadFailure, "DOWNLOAD_FAILURE"),
    (Status::Updating, "UPDATING"),
    (Status::UpdateSuccess, "UPDATE_SUCCESS"),
    (Status::UpdateFailure, "UPDATE_FAILURE"),
    (Status::Activating, "ACTIVATING"),
    (Status::ActivationSuccess, "ACTIVATION_SUCCESS"),
    (Status::ActivationFailure, "ACTIVATION_FAILURE"),
    (Status::Rollback, "ROLLBACK"),
    (Status::RollbackSuccess, "ROLLBACK_SUCCESS"),
    (Status::RollbackFailure, "ROLLBACK_FAILURE"),
    (Status::Cleanup, "CLEANUP"),
    (Status::CleanupSuccess, "CLEANUP_SUCCESS"),
    (Status::CleanupFailure, "CLEANUP_FAILURE"),
];

const ACTION_STATUSES: [(ActionStatus, &str); 13] = [
    (ActionStatus::Identified, "IDENTIFIED"),
    (ActionStatus::Downloading, "DOWNLOADING"),
    (ActionStatus::DownloadSuccess, "DOWNLOAD_SUCCESS"),
    (ActionStatus::DownloadFailure, "DOWNLOAD_FAILURE"),
    (ActionStatus::Updating, "UPDATING"),
    (ActionStatus::UpdateSuccess, "UPDATE_SUCCESS"),
    (ActionStatus::UpdateFailure, "UPDATE_FAILURE"),
    (ActionStatus::Removing, "REMOVING"),
    (ActionStatus::RemovalSuccess, "REMOVAL_SUCCESS"),
    (ActionStatus::RemovalFailure, "REMOVAL_FAILURE"),
    (ActionStatus::Activating, "ACTIVATING"),
    (ActionStatus::ActivationSuccess, "ACTIVATION_SUCCESS"),
    (ActionStatus::ActivationFailure, "ACTIVATION_FAILURE"),
];

/// As agents spell it, and the log.
pub fn status_name(status: Status) -> &'static str {
    STATUSES.iter().find(|(known, _)| *known == status).map_or("UNKNOWN", |(_, name)| name)
}

/// The status that is spelled so; agents also write `COMPLETE`.
pub fn status(name: Text<'_>) -> Status {
    if name.eq_str("COMPLETE") {
        return Status::Completed;
    }
    STATUSES.iter().find(|(_, known)| name.eq_str(known)).map_or(Status::Unknown, |(status, _)| *status)
}

/// As agents spell it.
pub fn action_status_name(status: ActionStatus) -> &'static str {
    ACTION_STATUSES.iter().find(|(known, _)| *known == status).map_or("", |(_, name)| name)
}

/// The action's status that is spelled so; agents also write `UPDATED`.
pub fn action_status(name: Text<'_>) -> Option<ActionStatus> {
    if name.eq_str("UPDATED") {
        return Some(ActionStatus::UpdateSuccess);
    }
    ACTION_STATUSES.iter().find(|(_, known)| name.eq_str(known)).map(|(status, _)| *status)
}

/// The status by which backends know it.
pub fn status_for_backend(status: Status) -> Status {
    match status {
        Status::IncompleteInconsistent => Status::Incomplete,
        other => other,
    }
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

/// As agents know it, and owners who are asked for their consent.
pub fn command_name(command: Command) -> &'static str {
    match command {
        Command::Download => "DOWNLOAD",
        Command::Update => "UPDATE",
        Command::Activate => "ACTIVATE",
        Command::Rollback => "ROLLBACK",
        Command::Cleanup => "CLEANUP",
    }
}

/// The command that is spelled so.
pub fn command(name: Text<'_>) -> Option<Command> {
    let all = [Command::Download, Command::Update, Command::Activate, Command::Rollback, Command::Cleanup];
    all.into_iter().find(|command| name.eq_str(command_name(*command)))
}

/// The manager's own status (configuration.md, `statusTopic`); `counts` are seconds
/// since the start, connections after the first, and messages refused.
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
    fn every_status_is_read_as_it_is_written() {
        for (known, spelled) in STATUSES {
            assert_eq!(status(name(status_name(known))), known);
            assert_eq!(status_name(known), spelled);
        }
        for (known, spelled) in ACTION_STATUSES {
            assert_eq!(action_status(name(action_status_name(known))), Some(known));
            assert_eq!(action_status_name(known), spelled);
        }
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
        assert_eq!(status_for_backend(Status::IncompleteInconsistent), Status::Incomplete);
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
