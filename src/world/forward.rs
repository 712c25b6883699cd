//! The agents in the field take each command once. So in a course, which begins with a
//! desired state, what leads a domain forward is sent to it once.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::world::scenario::World;
use crate::world::seen::{topic, From, Seen};
use crate::world::wire::is_refusal;

const FORWARD: [&str; 3] = ["DOWNLOAD", "UPDATE", "ACTIVATE"];

/// Repairs of a domain in one phase of the others.
const REPAIRS_MAX: usize = 3;

/// A course of one domain in one activity.
#[derive(Default)]
struct Course {
    /// How often each command was sent.
    sent: BTreeMap<String, usize>,
    /// How often it may be.
    allowed: BTreeMap<String, usize>,
}

impl Course {
    fn is_past(&self, command: &str) -> bool {
        self.sent.get(command).copied().unwrap_or(0) > 1 + self.allowed.get(command).copied().unwrap_or(0)
    }
}

/// A repair that the agent has not identified yet.
struct Repair {
    at: u64,
    /// The last command that was sent before it, empty if it was the desired state.
    owed: String,
    is_repeated: bool,
}

/// One domain's way through one activity.
#[derive(Default)]
struct Way {
    /// The one that the manager takes for the present one.
    course: Course,
    /// Those that an `IDENTIFIED` has begun which the manager acknowledges later: what is
    /// sent until then may belong to either. And when that is, in milliseconds.
    next: VecDeque<(Course, u64)>,
    /// Desired states that the agent may still identify, oldest first; the first of all
    /// is no repair.
    queued: VecDeque<Option<Repair>>,
    is_begun: bool,
    /// MQTT has sent an order again, which the agent may have answered twice: what it
    /// answers is not to be seen any more.
    is_unsure: bool,
    last: String,
    /// Repairs by how many commands had led somebody forward.
    repairs: BTreeMap<usize, usize>,
}

/// For each domain and activity: in a course DOWNLOAD, UPDATE and ACTIVATE go out once.
/// A course begins with a desired state; commands that are sent before the agent has
/// identified it belong to the one before (late answers). But there are
///
///  - the second UPDATE that follows a `DOWNLOADING` after the first,
///  - one repeat, for a repair, of the last command before it, when `resumeAfter` has
///    gone by since and the agent has not identified it,
///  - messages that MQTT sends again.
///
/// And at most three repairs of a domain go out in a phase of the others.
pub fn no_command_that_leads_forward_goes_out_twice_in_a_course(world: &World) -> Option<String> {
    if world.disk.as_ref().is_some_and(|disk| disk.hurt.is_some() || disk.has_failed) {
        // What was sent was not saved, or is lost with the record.
        return None;
    }
    if world.disk.as_ref().is_some_and(|disk| disk.slowest_ms >= world.resume_after_ms) {
        // Two repairs may go out as one, each with its repeat.
        return None;
    }
    let phases = phases(world);
    let mut known = world.config.agents.iter().filter(|agent| !world.company.erratic.contains(&agent.domain.as_str()));
    known.find_map(|agent| of_domain(world, &agent.domain, &phases))
}

/// Places in `seen` at which the next command leads somebody forward for the first time.
fn phases(world: &World) -> BTreeMap<Phases, Vec<usize>> {
    let mut known: HashSet<(Phases, String)> = HashSet::new();
    let mut phases: BTreeMap<Phases, Vec<usize>> = BTreeMap::new();
    for (place, seen) in world.broker.seen.iter().enumerate().filter(|(_, seen)| seen.from == From::Manager) {
        if FORWARD.contains(&seen.command()) && known.insert((phase_of(seen), seen.command().to_owned())) {
            phases.entry(phase_of(seen)).or_default().push(place);
        }
    }
    phases
}

/// Those who share phases: an activity; but a domain that is restored has its own, which is
/// the topic.
type Phases = (String, String);

fn phase_of(seen: &Seen) -> Phases {
    let is_restored = seen.activity() != seen.main_activity();
    let domain = if is_restored { seen.topic.split('/').next().unwrap_or_default() } else { "" };
    (seen.activity().to_owned(), domain.to_owned())
}

fn of_domain(world: &World, domain: &str, phases: &BTreeMap<Phases, Vec<usize>>) -> Option<String> {
    let [state, command, feedback] =
        ["desiredstate", "desiredstate/command", "desiredstatefeedback"].map(|sub| topic(domain, sub));
    // What the manager has not acknowledged it may have taken, or may have lost.
    let taken = world.broker.taken.iter().filter(|taken| taken.topic == feedback);
    let taken: BTreeMap<&[u8], u64> = taken.map(|taken| (&taken.bytes[..], taken.at)).collect();
    // With the activity that each belongs to: one in which the domain is restored is a way of its own.
    let mut ways: BTreeMap<&str, (&str, Way)> = BTreeMap::new();
    for (place, seen) in world.broker.seen.iter().enumerate() {
        if seen.from == From::Manager && !seen.again {
            if let Some(end) = seen.end().filter(|end| !is_refusal(&end.message)) {
                // The same activity may be wanted again.
                ways.retain(|_, (main, _)| *main != end.activity);
            }
        }
        let is_order = seen.from == From::Manager && (seen.topic == state || seen.topic == command);
        if is_order {
            let (_, way) = ways.entry(seen.activity()).or_insert_with(|| (seen.main_activity(), Way::default()));
            way.go_on(seen.at);
            way.is_unsure |= seen.again;
            if way.is_unsure {
                continue;
            }
            let before = |places: &Vec<usize>| places.iter().filter(|at| **at < place).count();
            let phase = phases.get(&phase_of(seen)).map_or(0, before);
            let broken = if seen.topic == state { way.forward(seen, phase, world) } else { way.command(seen, world) };
            if let Some(broken) = broken {
                return Some(format!("[{domain}] {broken} at {}", seen.at));
            }
        } else if seen.topic == feedback {
            if let Some((_, way)) = ways.get_mut(seen.activity()) {
                way.hear(seen.status(), taken.get(&seen.bytes[..]).copied());
            }
        }
    }
    None
}

/// Whether what is decided goes out at once.
fn is_exact(world: &World) -> bool {
    let is_fast = world.disk.as_ref().map_or(true, |disk| disk.slowest_ms == 0);
    is_fast && world.link.losses as usize <= world.power.cuts.len()
}

impl Way {
    fn forward(&mut self, seen: &Seen, phase: usize, world: &World) -> Option<String> {
        if !core::mem::replace(&mut self.is_begun, true) {
            self.queued.push_back(None);
            return None;
        }
        self.queued.push_back(Some(Repair { at: seen.at, owed: self.last.clone(), is_repeated: false }));
        let repairs = self.repairs.entry(phase).or_default();
        *repairs += 1;
        // Otherwise a phase may begin and be over before its commands go out.
        (*repairs > REPAIRS_MAX && is_exact(world)).then(|| format!("repair {repairs} in one phase"))
    }

    fn command(&mut self, seen: &Seen, world: &World) -> Option<String> {
        let command = seen.command();
        self.last = command.to_owned();
        if !FORWARD.contains(&command) {
            return None;
        }
        *self.course.sent.entry(command.to_owned()).or_default() += 1;
        if !self.course.is_past(command) {
            return None;
        }
        if let Some((next, _)) = self.next.iter_mut().find(|(next, _)| !next.sent.contains_key(command)) {
            *self.course.sent.entry(command.to_owned()).or_default() -= 1;
            next.sent.insert(command.to_owned(), 1);
            return None;
        }
        // What waits for a link or a save may come closer to what was sent before.
        let wait = if is_exact(world) { world.resume_after_ms } else { 0 };
        let repairs = self.queued.iter_mut().flatten();
        let mut repairs = repairs.filter(|repair| !repair.is_repeated && seen.at >= repair.at + wait);
        let Some(repair) = repairs.find(|repair| repair.owed == command) else {
            return Some(format!("{command} again in its course"));
        };
        repair.is_repeated = true;
        *self.course.allowed.entry(command.to_owned()).or_default() += 1;
        None
    }

    /// So late it is: perhaps the next course has begun.
    fn go_on(&mut self, now: u64) {
        while self.next.front().is_some_and(|(_, until)| *until < now) {
            self.course = self.next.pop_front().map(|(next, _)| next).unwrap_or_default();
        }
    }

    fn hear(&mut self, status: &str, taken_at: Option<u64>) {
        match status {
            "DOWNLOADING" => {
                let again = self.course.sent.get("UPDATE").copied().unwrap_or(0);
                if again > 0 {
                    self.course.allowed.insert("UPDATE".to_owned(), again);
                }
            }
            "IDENTIFIED" if !self.queued.is_empty() => match taken_at {
                Some(at) => {
                    self.queued.pop_front();
                    self.next.push_back((Course::default(), at));
                }
                None => {
                    self.next.clear();
                    self.course = Course::default();
                }
            },
            _ => {}
        }
    }
}
