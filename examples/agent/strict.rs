//! How agents in the field treat a command that comes twice, and a restart.
//!
//! The containers agent of Eclipse Kanto is the model of the strict one: it works
//! through its messages one after the other, takes each command once and in order,
//! and knows nothing of the activity after a restart.

use std::collections::VecDeque;
use std::str::FromStr;

use update_manager::agent::{Command, Request, Status};

/// Hellos have an activity ID of the agent's own that begins so.
const HELLO: &str = "initial-current-state-";

/// A rollback is possible only after these.
const BEFORE_ROLLBACK: [Status; 4] =
    [Status::DownloadSuccess, Status::UpdateSuccess, Status::ActivationSuccess, Status::ActivationFailure];

/// The kind of agent that the example behaves like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Like {
    /// Remembers the activity over a restart, and does a command again that comes again.
    Tolerant,
    /// Does a command again that comes again, but forgets the activity when it restarts.
    Forgetful,
    /// Forgets the activity when it restarts, and refuses a command that is not the next one.
    Strict,
    /// A strict one that reports nothing between a command and its answer.
    Silent,
}

impl FromStr for Like {
    type Err = String;

    fn from_str(word: &str) -> Result<Like, String> {
        match word {
            "tolerant" => Ok(Like::Tolerant),
            "forgetful" => Ok(Like::Forgetful),
            "strict" => Ok(Like::Strict),
            "silent" => Ok(Like::Silent),
            _ => Err(format!("{word:?} is none of tolerant, forgetful, strict and silent")),
        }
    }
}

impl Like {
    /// Whether it takes each command once and in order.
    pub fn is_strict(self) -> bool {
        matches!(self, Like::Strict | Like::Silent)
    }
}

/// A strict agent's requests that wait for the command under way.
#[derive(Default)]
pub struct Waiting(VecDeque<Request>);

impl Waiting {
    pub fn push(&mut self, request: Request) {
        self.0.push_back(request);
    }

    pub fn pop(&mut self) -> Option<Request> {
        self.0.pop_front()
    }
}

/// Whether the request is the agent's own on a new connection. A strict agent answers
/// it at once, also during a command.
pub fn is_hello(request: &Request) -> bool {
    matches!(request, Request::CurrentStateGet { activity } if activity.starts_with(HELLO))
}

/// The answer of a strict agent to a command that is not possible after `reached`, the
/// last status that it answered with; none if the command is possible.
pub fn refusal(command: Command, reached: Status) -> Option<(Status, String)> {
    let (needed, failure): (&[Status], Status) = match command {
        Command::Download => (&[Status::Identified], Status::DownloadFailure),
        Command::Update => (&[Status::DownloadSuccess], Status::UpdateFailure),
        Command::Activate => (&[Status::UpdateSuccess], Status::ActivationFailure),
        Command::Rollback => (&BEFORE_ROLLBACK, Status::RollbackFailure),
        Command::Cleanup => return None,
    };
    if needed.contains(&reached) {
        return None;
    }
    let needed: Vec<&str> = needed.iter().map(|&status| status.name()).collect();
    let message = format!("{} is possible only after status {} is reported", command.name(), needed.join(" or "));
    Some((failure, message))
}
