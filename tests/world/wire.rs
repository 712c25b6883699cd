//! What holds of the messages of every course of things, whatever was sent. Knows
//! nothing of the manager but what went over the wire.

use std::collections::BTreeMap;

use crate::scenario::World;
use crate::seen::{topic, From, Seen};

/// The first rule that was broken.
pub fn broken(world: &World) -> Option<String> {
    let accepted = world.accepted.borrow();
    one_end_of_each(world, &accepted).or_else(|| in_turn(world))
}

/// At most one final status of an activity for each time that it was accepted, and
/// no command after the last.
fn one_end_of_each(world: &World, accepted: &[String]) -> Option<String> {
    let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
    accepted.iter().for_each(|activity| *begun.entry(activity).or_default() += 1);
    for (activity, times) in begun {
        let ends: Vec<u64> = world
            .reports(activity)
            .iter()
            // A refused second one is answered under its own id.
            .filter(|report| report.is_final() && !is_refusal(&report.message))
            .map(|report| report.at)
            .collect();
        if ends.len() > times {
            return Some(format!("{activity}: {} final statuses", ends.len()));
        }
        let late = |seen: &&Seen| seen.from == From::Manager && !seen.again && seen.activity() == activity;
        let last = world
            .broker
            .seen
            .iter()
            .rposition(|seen| seen.report().is_some_and(|r| r.activity == activity && r.is_final()));
        if let Some(last) = last.filter(|_| ends.len() == times) {
            let after = world.broker.seen.iter().skip(last).filter(late).find(|seen| is_command(&seen.topic));
            if let Some(after) = after {
                return Some(format!("{activity}: {} to {} after its end", after.payload_text("command"), after.topic));
            }
        }
    }
    None
}

fn is_refusal(message: &str) -> bool {
    message.starts_with("Another update activity") || message.starts_with("reboot pending")
}

fn is_command(topic: &str) -> bool {
    topic.ends_with("/desiredstate/command")
}

/// Never a command before the one before is answered, or was waited for: each
/// agent has said something in between, or has had the time to.
fn in_turn(world: &World) -> Option<String> {
    if world.losses > 0 {
        // What waited for the link comes all at once.
        return None;
    }
    let patience = world.config.cleanup_timeout_ms.min(world.config.phase_timeout_ms);
    for agent in &world.config.agents {
        let [state, command, feedback] =
            ["desiredstate", "desiredstate/command", "desiredstatefeedback"].map(|sub| topic(&agent.domain, sub));
        let mut before: Option<(u64, &Seen)> = None;
        for seen in &world.broker.seen {
            if seen.topic == feedback {
                before = None;
            } else if seen.topic == state || seen.topic == command {
                if let Some((at, earlier)) =
                    before.filter(|(at, other)| other.activity() == seen.activity() && seen.at < at + patience)
                {
                    let said = earlier.payload_text("command");
                    return Some(format!(
                        "[{}] {} at {}, {said:?} of {at} is not answered",
                        agent.domain,
                        seen.payload_text("command"),
                        seen.at
                    ));
                }
                before = Some((seen.at, seen));
            }
        }
    }
    None
}
