//! Writes an update agent in Rust (docs/agent-api.md): an agent serves one domain,
//! brings it to the desired state that the manager hands it, phase by phase, and
//! reports its progress. In the feature `agent`.
//!
//! [`Agent`] keeps the link to the broker, reads and checks what comes, and writes
//! what is reported. The work is the caller's, in its own loop:
//!
//! ```no_run
//! use std::time::Duration;
//! use update_manager::agent::{Action, ActionStatus, Agent, Command, Inventory, Request, SoftwareNode, Status};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut agent = Agent::connect("fonts", "tcp://localhost:1883")?;
//!     let mut installed: Vec<Action> = Vec::new();
//!     let mut planned: Vec<Action> = Vec::new();
//!     loop {
//!         let Some(request) = agent.next(Duration::from_secs(5)) else { continue };
//!         match request {
//!             Request::CurrentStateGet { activity } => {
//!                 let mut inventory = Inventory::new("fonts", "1.0.0");
//!                 for font in &installed {
//!                     let (id, version) = (agent.node_id(&font.id), font.version.clone());
//!                     inventory.add_software(SoftwareNode { id, version, ..SoftwareNode::default() });
//!                 }
//!                 agent.inventory(&activity, &inventory)?;
//!             }
//!             Request::DesiredState { activity, desired } => {
//!                 planned = desired.components.iter().map(|c| Action::new(&c.id, &c.version)).collect();
//!                 agent.feedback(&activity, Status::Identified, "", &planned)?;
//!             }
//!             Request::Command { activity, command, .. } => {
//!                 let (status, of_actions) = match command {
//!                     Command::Download => (Status::DownloadSuccess, ActionStatus::DownloadSuccess),
//!                     Command::Update => (Status::UpdateSuccess, ActionStatus::UpdateSuccess),
//!                     Command::Activate => (Status::ActivationSuccess, ActionStatus::ActivationSuccess),
//!                     Command::Rollback => (Status::RollbackSuccess, ActionStatus::Identified),
//!                     Command::Cleanup => {
//!                         agent.feedback(&activity, Status::CleanupSuccess, "", &planned)?;
//!                         installed = std::mem::take(&mut planned);
//!                         agent.feedback(&activity, Status::Completed, "", &installed)?;
//!                         continue;
//!                     }
//!                 };
//!                 // Here the work is done; on the way, `DOWNLOADING` and its kin tell of progress.
//!                 planned.iter_mut().for_each(|action| (action.status, action.progress) = (of_actions, 100));
//!                 agent.feedback(&activity, status, "", &planned)?;
//!             }
//!             Request::Malformed { activity, is_desired_state, error } => {
//!                 eprintln!("skipped: {error}");
//!                 if is_desired_state {
//!                     agent.feedback(&activity, Status::IdentificationFailed, &error, &[])?;
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! A complete agent that goes through its phases step by step, can fail and rolls
//! back is `examples/agent`.
//!
//! # The course of an activity
//!
//! | the manager sends | the agent answers | on the way |
//! | --- | --- | --- |
//! | the desired state | `IDENTIFIED` with all actions, or `IDENTIFICATION_FAILED`; without anything to do `COMPLETED` | `IDENTIFYING` |
//! | `DOWNLOAD` | `DOWNLOAD_SUCCESS` or `DOWNLOAD_FAILURE` | `DOWNLOADING` |
//! | `UPDATE` | `UPDATE_SUCCESS` or `UPDATE_FAILURE` | `UPDATING` |
//! | `ACTIVATE` | `ACTIVATION_SUCCESS` or `ACTIVATION_FAILURE` | `ACTIVATING` |
//! | `ROLLBACK` | `ROLLBACK_SUCCESS` or `ROLLBACK_FAILURE` | `ROLLBACK` |
//! | `CLEANUP` | `CLEANUP_SUCCESS` or `CLEANUP_FAILURE`, then `COMPLETED`, or `INCOMPLETE` unless the last phase was a successful activation | `CLEANUP` |
//!
//! A failure needs a message: it is what the backend is told. A command for an
//! activity that the agent does not know is ignored; a new desired state takes the
//! place of a running one.
//!
//! # What holds
//!
//! - The link is made, and made again, within [`Agent::next`], so it has to be called
//!   at least every 20 s: what takes longer goes to a thread of its own.
//! - Nothing from outside makes it panic, or grow past `limits`.
//! - What is reported is kept until the broker has it, over a lost link too. Reports
//!   of progress, and inventories, go when a newer one takes their place.

mod client;
mod report;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use crate::config::Connection;
pub use crate::model::{ActionStatus, Command, Status};
pub use crate::mqtt::PublishError;
pub use crate::wire::agent::SoftwareType;
pub use client::{connection, Client, Message};
pub(crate) use report::write_feedback;
pub use report::{Action, HardwareNode, Inventory, SoftwareNode};
#[cfg(feature = "exec")]
pub(crate) use request::part;
pub use request::{Baseline, Component, DesiredState, Request};

use crate::model::text::{Escaped, Text};
use crate::mqtt::{self, Class};
use crate::shell::clock::Clock;
use crate::shell::invalid;
use crate::wire::agent::Topics;
use crate::wire::encode;

/// Reports of progress: the next one says more.
const PROGRESS: Class = Class::Newest(0);

/// Inventories: the newest answers those who asked before.
const INVENTORY: Class = Class::Newest(1);

/// An update agent's end of the protocol; see the [module](self).
pub struct Agent {
    domain: String,
    topics: Topics,
    client: Client,
    clock: Clock,
    /// On how many links the inventory was reported, or asked for.
    greeted: u32,
}

impl Agent {
    /// An agent for `domain` at the broker with this address: `tcp://host:1883`,
    /// `tls://host` or `unix:///path`, user name and password in front of the host if need be. Does
    /// not wait for the broker.
    ///
    /// # Errors
    /// `InvalidInput` if the domain can have no topics, or the address is none. Over
    /// TLS the certificates to trust are needed too: [`connect_with`](Agent::connect_with).
    pub fn connect(domain: &str, address: &str) -> io::Result<Agent> {
        Agent::connect_with(domain, connection(address).map_err(invalid)?)
    }

    /// The same with more to say about the connection. With a client id of its own
    /// and without a clean session the agent gets what was sent while it was away.
    ///
    /// # Errors
    /// As of [`connect`](Agent::connect) and [`Client::new`].
    pub fn connect_with(domain: &str, connection: Connection) -> io::Result<Agent> {
        let topics = Topics::new(domain).map_err(invalid)?;
        let mut client = Client::new(connection)?;
        client.add_subscriptions(&topics.subscriptions());
        Ok(Agent { domain: domain.to_owned(), topics, client, clock: Clock::start(), greeted: 0 })
    }

    /// What it is asked next; none if that is nothing within `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Option<Request> {
        self.next_or(timeout, &mut |_| Poll::Pending)
    }

    /// The same; none as well when `other` is ready first.
    pub(crate) fn next_or(
        &mut self,
        timeout: Duration,
        other: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> Option<Request> {
        let end = Instant::now().checked_add(timeout);
        loop {
            let left = end.map_or(timeout, |end| end.saturating_duration_since(Instant::now()));
            let greeted = self.greeted;
            let is_asked = |client: &Client| client.has_message() || client.subscriptions() != greeted;
            let _ = self.client.wait_or(left, is_asked, other);
            if self.client.subscriptions() != greeted {
                self.greeted = self.client.subscriptions();
                let activity = format!("initial-current-state-{}", self.clock.now().wall);
                return Some(Request::CurrentStateGet { activity });
            }
            let message = self.client.take()?;
            if let Some(request) = request::decode(&message, &self.topics, &self.domain) {
                return Some(request);
            }
        }
    }

    /// Reports how far the activity is. An empty `message` is none. The actions are
    /// all, or just those that changed; with what says how a phase ended, all.
    ///
    /// # Errors
    /// More waits for the broker than `OUTBOUND_BYTES` or `OUTBOUND_MAX`; nothing was
    /// taken then.
    pub fn feedback(
        &mut self,
        activity: &str,
        status: Status,
        message: &str,
        actions: &[Action],
    ) -> Result<(), PublishError> {
        let class = if is_progress(status) { PROGRESS } else { Class::Keep };
        let payload = |out: &mut dyn fmt::Write| write_feedback(out, &self.domain, status, message, actions);
        let topic = self.topics.feedback();
        publish(&mut self.client, &self.clock, &topic, class, activity, &payload)
    }

    /// Reports what is there: in answer to [`Request::CurrentStateGet`], or with an
    /// empty activity whenever it has changed without one.
    ///
    /// # Errors
    /// As of [`feedback`](Agent::feedback).
    pub fn inventory(&mut self, activity: &str, inventory: &Inventory) -> Result<(), PublishError> {
        let payload = |out: &mut dyn fmt::Write| report::write_inventory(out, inventory);
        let topic = self.topics.inventory();
        publish(&mut self.client, &self.clock, &topic, INVENTORY, activity, &payload)
    }

    /// The component's identifier in inventories: `domain:id`.
    pub fn node_id(&self, id: &str) -> String {
        format!("{}:{id}", self.domain)
    }

    /// How the session with the broker stands.
    pub fn status(&self) -> mqtt::Status {
        self.client.status()
    }

    /// Ends, once the broker has all that was reported, at the latest after
    /// `timeout`.
    ///
    /// # Errors
    /// `TimedOut` if it has not: the rest may be lost.
    pub fn disconnect(self, timeout: Duration) -> io::Result<()> {
        self.client.disconnect(timeout)
    }
}

/// Whether it ends nothing.
fn is_progress(status: Status) -> bool {
    matches!(
        status,
        Status::Identifying
            | Status::Running
            | Status::Downloading
            | Status::Updating
            | Status::Activating
            | Status::Rollback
            | Status::Cleanup
    )
}

fn publish(
    client: &mut Client,
    clock: &Clock,
    topic: &str,
    class: Class,
    activity: &str,
    payload: mqtt::Write<'_>,
) -> Result<(), PublishError> {
    let activity = Escaped(activity).to_string();
    let timestamp = clock.now().wall;
    client.publish(topic, false, class, &|out: &mut dyn fmt::Write| {
        encode::head(out, Text::from_checked(&activity), timestamp)?;
        payload(out)?;
        out.write_str(encode::TAIL)
    })
}
