//! The numbers that stand for things in a record. A number is never given another
//! meaning; what is new gets a new one.

use crate::orchestrator::campaign::{Cause, PastLimit};
use crate::orchestrator::domain::State;
use crate::orchestrator::phase::{ActionStatus, Command, Phase, Status};
use crate::orchestrator::reboot::Reboot;

const PHASES: [Phase; 5] = [Phase::Identify, Phase::Download, Phase::Update, Phase::Activate, Phase::Cleanup];

const COMMANDS: [Command; 5] =
    [Command::Download, Command::Update, Command::Activate, Command::Rollback, Command::Cleanup];

const STATUSES: [Status; 24] = [
    Status::Identifying,
    Status::Identified,
    Status::IdentificationFailed,
    Status::Running,
    Status::Completed,
    Status::Incomplete,
    Status::IncompleteInconsistent,
    Status::Superseded,
    Status::Downloading,
    Status::DownloadSuccess,
    Status::DownloadFailure,
    Status::Updating,
    Status::UpdateSuccess,
    Status::UpdateFailure,
    Status::Activating,
    Status::ActivationSuccess,
    Status::ActivationFailure,
    Status::Rollback,
    Status::RollbackSuccess,
    Status::RollbackFailure,
    Status::Cleanup,
    Status::CleanupSuccess,
    Status::CleanupFailure,
    Status::Unknown,
];

const ACTION_STATUSES: [ActionStatus; 13] = [
    ActionStatus::Identified,
    ActionStatus::Downloading,
    ActionStatus::DownloadSuccess,
    ActionStatus::DownloadFailure,
    ActionStatus::Updating,
    ActionStatus::UpdateSuccess,
    ActionStatus::UpdateFailure,
    ActionStatus::Removing,
    ActionStatus::RemovalSuccess,
    ActionStatus::RemovalFailure,
    ActionStatus::Activating,
    ActionStatus::ActivationSuccess,
    ActionStatus::ActivationFailure,
];

const REBOOTS: [Reboot; 5] = [Reboot::None, Reboot::Delivering, Reboot::Waiting, Reboot::Triggered, Reboot::Held];

const LIMITS: [PastLimit; 2] = [PastLimit::ACTIONS, PastLimit::COMPONENT];

/// From 1; 0 stands for nothing.
fn number<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).map_or(0, |place| place as u8 + 1)
}

fn meaning<T: Copy>(all: &[T], number: u8) -> Option<T> {
    all.get(usize::from(number).checked_sub(1)?).copied()
}

pub(super) fn phase(phase: Phase) -> u8 {
    number(&PHASES, &phase)
}

pub(super) fn phase_of(number: u8) -> Option<Phase> {
    meaning(&PHASES, number)
}

pub(super) fn status(status: Status) -> u8 {
    number(&STATUSES, &status)
}

pub(super) fn status_of(number: u8) -> Option<Status> {
    meaning(&STATUSES, number)
}

pub(super) fn action_status(status: Option<ActionStatus>) -> u8 {
    status.map_or(0, |status| number(&ACTION_STATUSES, &status))
}

pub(super) fn action_status_of(number: u8) -> Option<ActionStatus> {
    meaning(&ACTION_STATUSES, number)
}

/// 0: the desired state.
pub(super) fn command(command: Option<Command>) -> u8 {
    command.map_or(0, |command| number(&COMMANDS, &command))
}

pub(super) fn command_of(number: u8) -> Option<Command> {
    meaning(&COMMANDS, number)
}

pub(super) fn reboot(reboot: Reboot) -> u8 {
    number(&REBOOTS, &reboot)
}

pub(super) fn reboot_of(number: u8) -> Reboot {
    meaning(&REBOOTS, number).unwrap_or_default()
}

pub(super) fn limit_of(what: &[u8]) -> Option<&'static str> {
    LIMITS.iter().map(|limit| limit.0).find(|known| known.as_bytes() == what)
}

/// A domain's state, and the phase that goes with it.
pub(super) fn state(state: State) -> (u8, u8) {
    match state {
        State::Working(p) => (1, phase(p)),
        State::Ready(p) => (2, phase(p)),
        State::RollingBack(_) => (3, 0),
        State::CleaningUp(_) => (4, 0),
        State::Done => (5, 0),
    }
}

pub(super) fn cause(cause: Cause) -> (u8, u64) {
    match cause {
        Cause::NoSupportedDomain => (1, 0),
        Cause::Terminated => (2, 0),
        Cause::ConsentDenied => (3, 0),
        Cause::ConsentLate(ms) => (4, ms),
        Cause::Unreadable => (5, 0),
        Cause::Cancelled => (6, 0),
    }
}

pub(super) fn cause_of(number: u8, ms: u64) -> Option<Cause> {
    match number {
        1 => Some(Cause::NoSupportedDomain),
        2 => Some(Cause::Terminated),
        3 => Some(Cause::ConsentDenied),
        4 => Some(Cause::ConsentLate(ms)),
        5 => Some(Cause::Unreadable),
        6 => Some(Cause::Cancelled),
        _ => None,
    }
}
