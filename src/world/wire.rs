//! What holds of the messages of every course of things, whatever was sent. Knows
//! nothing of the manager but what went over the wire.

use std::collections::BTreeMap;

use crate::world::forward;
use crate::world::scenario::World;
use crate::world::seen::{topic, From, Seen};

/// The first rule that was broken.
pub fn broken(world: &World) -> Option<String> {
    let accepted = world.accepted.borrow();
    let broken = match world.power.cuts.is_empty() {
        true => one_end_of_each(world, &accepted).or_else(|| in_turn(world)),
        false => same_end_of_each(world, &accepted),
    };
    broken.or_else(|| forward::no_command_that_leads_forward_goes_out_twice_in_a_course(world))
}

/// Past a power cut an end may have to be told again, but no other one, and still
/// nothing is commanded after it. Of an activity that begins again, nothing on the wire tells
/// which of its beginnings an end belongs to: there just are no more ends.
fn same_end_of_each(world: &World, accepted: &[String]) -> Option<String> {
    let begun = |activity: &str| accepted.iter().filter(|one| *one == activity).count();
    let mut ended: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for seen in world.broker.seen.iter().filter(|seen| seen.from == From::Manager && !seen.again) {
        let activity = seen.main_activity();
        if is_order(&seen.topic) && ended.contains_key(activity) && begun(activity) < 2 {
            return Some(format!("{activity}: {} to {} at {} after its end", seen.command(), seen.topic, seen.at));
        }
        let Some(report) = seen.end().filter(|end| !is_refusal(&end.message)) else {
            continue;
        };
        let beginnings = begun(&report.activity).max(1);
        let (status, times) = ended.entry(report.activity).or_insert((report.status.clone(), 0));
        *times += 1;
        if (*status != report.status && beginnings < 2) || *times > beginnings + world.power.cuts.len() {
            return Some(format!("another end at {}: {}", seen.at, String::from_utf8_lossy(&seen.bytes)));
        }
    }
    None
}

/// At most one final status of an activity for each time that it was accepted, and
/// no command after the last, nor one that restores a domain.
fn one_end_of_each(world: &World, accepted: &[String]) -> Option<String> {
    let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
    accepted.iter().for_each(|activity| *begun.entry(activity).or_default() += 1);
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for seen in world.broker.seen.iter().filter(|seen| seen.from == From::Manager && !seen.again) {
        if is_order(&seen.topic) {
            let activity = seen.main_activity();
            if begun.get(activity) == ended.get(activity) {
                let command = seen.command();
                return Some(format!("{activity}: {command:?} to {} at {} after its end", seen.topic, seen.at));
            }
        } else if let Some(report) = seen.end().filter(|end| !is_refusal(&end.message)) {
            // What was never accepted is refused under its own id.
            let Some(times) = begun.get(&*report.activity) else { continue };
            let ends = ended.entry(report.activity).or_default();
            *ends += 1;
            if *ends > *times {
                return Some(format!(
                    "a final status too many at {}: {}",
                    seen.at,
                    String::from_utf8_lossy(&seen.bytes)
                ));
            }
        }
    }
    None
}

/// Whether an end tells that the activity was not taken.
pub fn is_refusal(message: &str) -> bool {
    let is_unsaved = message.starts_with("the end of ") && message.contains(" cannot be saved: ");
    let begins =
        ["Another update activity", "reboot pending", "too many messages wait", "the desired state has ", "payload."];
    is_unsaved || begins.iter().any(|why| message.starts_with(why))
}

fn is_cancelled(world: &World, activity: &str) -> bool {
    world.ends().iter().any(|end| end.activity == activity && end.message.starts_with("cancelled at the console"))
}

fn is_order(topic: &str) -> bool {
    topic.ends_with("/desiredstate") || topic.ends_with("/desiredstate/command")
}

/// Never a command before the one before is answered, or was waited for: each
/// agent has said something in between, or has had the time to. Whoever cancels an
/// activity at the console does not wait. What a repair sends does not either: the
/// desired state once more, then the command that was owed, or CLEANUP if a failure
/// that was kept counts after all; and CLEANUP and ROLLBACK may come twice.
fn in_turn(world: &World) -> Option<String> {
    if world.link.losses > 0 {
        // What waited for the link comes all at once.
        return None;
    }
    let patience = world.config.cleanup_timeout_ms.min(world.config.phase_timeout_ms);
    // A phase's time runs from its beginning, but its command may have to wait for the
    // save that runs, and for its own.
    let saving = world.disk.as_ref().map_or(0, |disk| 2 * disk.slowest_ms);
    let patience = patience.saturating_sub(saving);
    for agent in &world.config.agents {
        let [state, command, feedback] =
            ["desiredstate", "desiredstate/command", "desiredstatefeedback"].map(|sub| topic(&agent.domain, sub));
        let mut before: Option<(u64, &Seen)> = None;
        let mut first: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut repaired: Option<u64> = None;
        for seen in &world.broker.seen {
            if seen.topic == feedback {
                before = None;
            } else if (seen.topic == state || seen.topic == command) && !is_cancelled(world, seen.main_activity()) {
                let is_known = first.contains_key(&(seen.activity(), seen.command()));
                let is_of_repair = match seen.command() {
                    "" => is_known,
                    "ROLLBACK" => is_known,
                    "CLEANUP" => is_known || repaired.is_some(),
                    _ => {
                        is_known
                            && repaired.is_some_and(|at| seen.at >= at + world.resume_after_ms.saturating_sub(saving))
                    }
                };
                if seen.command().is_empty() {
                    repaired = Some(seen.at).filter(|_| is_known);
                }
                if is_of_repair {
                    before = None;
                }
                if let Some((at, earlier)) =
                    before.filter(|(at, other)| other.activity() == seen.activity() && seen.at < at + patience)
                {
                    let said = earlier.command();
                    return Some(format!(
                        "[{}] {} at {}, {said:?} of {at} is not answered",
                        agent.domain,
                        seen.command(),
                        seen.at
                    ));
                }
                // One that is repeated gets no more time than it had.
                let at = *first.entry((seen.activity(), seen.command())).or_insert(seen.at);
                before = Some((at, seen));
            }
        }
    }
    None
}
