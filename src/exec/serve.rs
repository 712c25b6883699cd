//! The agent over MQTT.

use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::activity::Said;
use super::plan::Installed;
use super::worker::Worker;
use crate::agent::{Agent, Connection, Inventory, PublishError, SoftwareNode, SoftwareType};
use crate::limits::{EXEC_AGAIN_MS, EXEC_GOOD_BYE_MS, EXEC_IDLE_MS};
use crate::shell::signal::{Signal, Signals};

/// Serves the worker's domain until the process is told to end.
///
/// # Errors
/// The connection cannot be used.
pub fn serve(mut worker: Worker, connection: Connection, signals: &Signals) -> io::Result<()> {
    let mut agent = Agent::connect_with(worker.domain(), connection)?;
    let mut is_ended = false;
    while !is_ended {
        let is_blocked = !say(&mut worker, &mut agent);
        let now = Instant::now();
        let due = worker
            .poll_timeout(now)
            .map_or(Duration::from_millis(EXEC_IDLE_MS), |due| due.saturating_duration_since(now));
        let wait = if is_blocked { due.min(Duration::from_millis(EXEC_AGAIN_MS)) } else { due };
        let request = agent.next_or(wait, &mut |cx| {
            let is_ready = signals.poll(cx).is_ready();
            while let Some(signal) = signals.take() {
                match signal {
                    Signal::End => is_ended = true,
                    Signal::Reopen => crate::logging::reopen(),
                }
            }
            match is_ready || is_ended {
                true => Poll::Ready(()),
                false => worker.poll_wake(cx),
            }
        });
        let now = Instant::now();
        if let Some(request) = request {
            worker.handle(request, now);
        }
        worker.turn(now);
    }
    log::info!("told to end");
    worker.abandon();
    // What is lost of it is asked for again.
    let _ = agent.disconnect(Duration::from_millis(EXEC_GOOD_BYE_MS));
    Ok(())
}

/// Reports what there is to be said; whether all found room.
fn say(worker: &mut Worker, agent: &mut Agent) -> bool {
    while let Some(said) = worker.said() {
        if let Err(error) = publish(agent, worker.domain(), said) {
            log::error!("[{}] a report waits: {error}", worker.domain());
            return false;
        }
        worker.pop_said();
    }
    true
}

fn publish(agent: &mut Agent, domain: &str, said: &Said) -> Result<(), PublishError> {
    match said {
        Said::Feedback { activity, status, message, actions } => agent.feedback(activity, *status, message, actions),
        Said::Inventory(activity, installed) => {
            let inventory = inventory(agent, domain, installed);
            agent.inventory(activity, &inventory)
        }
    }
}

fn inventory(agent: &Agent, domain: &str, installed: &[Installed]) -> Inventory {
    let mut inventory = Inventory::new(domain, env!("CARGO_PKG_VERSION"));
    for (id, version) in installed {
        let kind = SoftwareType::Application;
        let (id, version) = (agent.node_id(id), version.clone());
        inventory.add_software(SoftwareNode { id, version, kind, ..SoftwareNode::default() });
    }
    inventory
}
