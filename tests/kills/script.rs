//! What happens in an activity, drawn from a seed: the same for the same seed and
//! number, whatever the machine's speed.

use std::fmt;

use crate::groups::{Member, Setup};
use crate::lane::RESUME_AFTER_MS;

/// They mostly wait, so there may be more than cores: for each the domains, and whether
/// sessions are kept and groups configured.
const LANES: [(usize, bool, bool); 6] =
    [(2, true, false), (3, false, false), (1, true, false), (3, false, true), (3, true, true), (2, false, true)];

/// A lane: one broker, one manager and its agents, for activities one after another.
pub struct Lane {
    pub number: u64,
    pub domains: usize,
    /// Whether the broker keeps the manager's session, so that nothing on its way
    /// to it is lost.
    pub keeps_session: bool,
    /// Whether keys are configured that make a difference to groups, and desired states
    /// say how to roll back.
    pub has_groups: bool,
}

/// The kinds of agents, as `examples/agent --like` names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Strict,
    Silent,
    Forgetful,
    Tolerant,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Strict, Kind::Silent, Kind::Forgetful, Kind::Tolerant];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Strict => "strict",
            Kind::Silent => "silent",
            Kind::Forgetful => "forgetful",
            Kind::Tolerant => "tolerant",
        }
    }
}

/// What an activity is told to become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    AllWell,
    /// There is nothing to do in this domain.
    NoActions(usize),
    /// This domain fails in this phase.
    Fails(usize, &'static str),
}

/// What a desired state says about rolling back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rollback {
    None,
    Device,
    /// Baselines, each with its domains. If there are two, they have a domain in common.
    Baseline(Vec<Vec<usize>>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Victim {
    Manager,
    Agent(usize),
    /// Restarted in an orderly way: mosquitto saves nothing when it is killed.
    Broker,
}

/// One process goes down, and comes up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit {
    /// Milliseconds after the desired state.
    pub at_ms: u64,
    pub victim: Victim,
    pub down_ms: u64,
}

pub struct Script {
    pub shape: Shape,
    /// None if the desired state says nothing about it.
    pub rollback: Option<Rollback>,
    /// The kind of each domain's agent.
    pub kinds: Vec<Kind>,
    /// The phase in which silent agents are busy for so many milliseconds.
    pub busy: Option<(&'static str, u64)>,
    /// Milliseconds that a quarter of a component's progress takes, for each agent.
    pub delays_ms: Vec<u64>,
    pub components: usize,
    pub hits: Vec<Hit>,
    /// What is left of the hits when it ends follows at once.
    pub is_hit_at_end: bool,
    /// The desired state is sent once more after the end.
    pub is_redelivered: bool,
}

/// splitmix64: small, and good enough to draw from.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, stream: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

impl Lane {
    pub const COUNT: u64 = LANES.len() as u64;

    pub fn new(number: u64) -> Lane {
        let (domains, keeps_session, has_groups) = LANES[number as usize % LANES.len()];
        Lane { number, domains, keeps_session, has_groups }
    }

    /// The kinds of its agents in its `turn`-th activity: each domain has each kind in turn.
    fn kinds(&self, turn: u64) -> Vec<Kind> {
        let first = (self.number + turn) as usize;
        (first..first + self.domains).map(|place| Kind::ALL[place % Kind::ALL.len()]).collect()
    }
}

impl Script {
    /// The script of an activity, the `turn`-th of its lane.
    pub fn draw(seed: u64, number: u64, lane: &Lane, turn: u64) -> Script {
        let mut random = Random::new(seed, number);
        let (domains, kinds) = (lane.domains, lane.kinds(turn));
        let rollback = if lane.has_groups { Rollback::draw(&mut random, domains) } else { None };
        let shape = Shape::draw(&mut random, domains, rollback.is_some());
        let mut delays_ms: Vec<u64> = (0..domains).map(|_| random.below(50)).collect();
        // Where others are turned back, somebody may be busy.
        if random.one_in(if rollback.is_some() { 2 } else { 6 }) {
            // With two components or three its phases take longer than `resumeAfter`.
            delays_ms[random.below(domains as u64) as usize] = 300 + random.below(150);
        }
        let components = 1 + random.below(3) as usize;
        let busy = kinds.contains(&Kind::Silent).then(|| draw_busy(&mut random, rollback.is_some())).flatten();
        // Three phases of four quarters of each component, or as many as there are before
        // others are turned back.
        let turned = match shape {
            Shape::Fails(_, phase) if rollback.is_some() => Some(phases_until(phase)),
            _ => None,
        };
        let quarter_ms = delays_ms.iter().max().map_or(0, |slowest| slowest * components as u64);
        let length_ms = 100 + quarter_ms * turned.map_or(13, |phases| 4 * phases + 1) + busy.map_or(0, |(_, ms)| ms);
        let last_ms = turned.map_or(0, |phases| quarter_ms * 4 * phases.saturating_sub(1));
        let hits = draw_hits(&mut random, domains, length_ms, last_ms);
        Script {
            shape,
            rollback,
            kinds,
            busy,
            delays_ms,
            components,
            hits,
            is_hit_at_end: random.one_in(2),
            is_redelivered: random.one_in(6),
        }
    }

    /// What it is told to become, and what about rolling back.
    pub fn words(&self) -> String {
        match &self.rollback {
            Some(rollback) => format!("{}, {rollback}", self.shape),
            None => self.shape.to_string(),
        }
    }

    /// The kinds of agents, in words.
    pub fn agents(&self) -> String {
        let agents = self.kinds.iter().map(|&kind| match (kind, self.busy) {
            (Kind::Silent, Some((phase, ms))) => format!("silent({phase} {ms})"),
            _ => kind.name().to_owned(),
        });
        agents.collect::<Vec<_>>().join(" ")
    }

    /// What is to become of the domains' groups.
    pub fn setup(&self) -> Setup {
        let group = |domain: usize| match &self.rollback {
            Some(Rollback::Baseline(baselines)) if !baselines.iter().flatten().any(|&other| other == domain) => {
                domain + 1
            }
            _ => 0,
        };
        let members = (0..self.kinds.len())
            .map(|domain| Member { name: name(domain), order: ORDERS[domain], group: group(domain) })
            .collect();
        let fails = match self.shape {
            Shape::Fails(domain, phase) => Some((name(domain), phase)),
            _ => None,
        };
        let is_whole = matches!(self.rollback, Some(Rollback::Device | Rollback::Baseline(_)));
        Setup { members, fails, is_whole }
    }

    /// The final status that it has to end with, `INCOMPLETE` also for
    /// `INCOMPLETE_INCONSISTENT`.
    pub fn outcome(&self) -> &'static str {
        match self.shape {
            Shape::Fails(_, "identify") => "IDENTIFICATION_FAILED",
            Shape::Fails(_, "download" | "update" | "activate") => "INCOMPLETE",
            _ => "COMPLETED",
        }
    }
}

impl Rollback {
    /// Twice in three times a desired state says something.
    fn draw(random: &mut Random, domains: usize) -> Option<Rollback> {
        if random.one_in(3) {
            return None;
        }
        Some(match random.below(5) {
            0 => Rollback::None,
            1 | 2 => Rollback::Device,
            _ => Rollback::Baseline(draw_baselines(random, domains)),
        })
    }

    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Rollback::None => "none",
            Rollback::Device => "device",
            Rollback::Baseline(_) => "baseline",
        }
    }
}

/// Hits while the activity lasts so long, half of them when its last phase has begun.
fn draw_hits(random: &mut Random, domains: usize, length_ms: u64, last_ms: u64) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let at_ms = match hits.first() {
            // Also while a repair is waited for or under way.
            Some(first) if random.one_in(2) => first.at_ms + random.below(2 * RESUME_AFTER_MS + length_ms),
            _ if last_ms > 0 && random.one_in(2) => last_ms + random.below(length_ms - last_ms),
            _ => random.below(length_ms),
        };
        let victim = match random.below(10) {
            0..=4 => Victim::Manager,
            5..=8 => Victim::Agent(random.below(domains as u64) as usize),
            _ => Victim::Broker,
        };
        let down_ms = if random.one_in(2) { 0 } else { random.below(1500) };
        hits.push(Hit { at_ms, victim, down_ms });
    }
    hits.sort_by_key(|hit| hit.at_ms);
    hits
}

/// How many phases take time up to the end of this one.
fn phases_until(phase: &str) -> u64 {
    match phase {
        "identify" => 0,
        "download" => 1,
        "update" => 2,
        _ => 3,
    }
}

/// One baseline of all domains, or of all but one; or two that are connected.
fn draw_baselines(random: &mut Random, domains: usize) -> Vec<Vec<usize>> {
    let mut connected: Vec<usize> = (0..domains).collect();
    if domains < 3 {
        return vec![connected];
    }
    let domain = random.below(domains as u64) as usize;
    match random.below(4) {
        0 => vec![connected],
        // Two baselines, with the first of the domains that are left in common.
        1 => {
            connected.rotate_left(domain);
            vec![connected[..2].to_vec(), [&connected[..1], &connected[2..]].concat()]
        }
        _ => {
            connected.remove(domain);
            vec![connected]
        }
    }
}

impl Shape {
    /// `is_grouped`: more fail where others are turned back for it.
    fn draw(random: &mut Random, domains: usize, is_grouped: bool) -> Shape {
        let phases: &[&str] = match is_grouped {
            true => &["identify", "download", "update", "update", "activate", "activate", "cleanup"],
            false => &["identify", "download", "update", "activate", "cleanup"],
        };
        let domain = random.below(domains as u64) as usize;
        let phase = phases[random.below(phases.len() as u64) as usize];
        match random.below(10) {
            0..=3 => Shape::AllWell,
            4 | 5 if !is_grouped => Shape::AllWell,
            6 => Shape::NoActions(domain),
            _ => Shape::Fails(domain, phase),
        }
    }
}

/// Twice in three times a silent agent is busy until after a repair, or even after the
/// command was repeated, which is due two `resumeAfter` after a kill.
fn draw_busy(random: &mut Random, is_grouped: bool) -> Option<(&'static str, u64)> {
    let phases = ["download", "update", "activate", "cleanup", "rollback"];
    let phase = phases[random.below(if is_grouped { 5 } else { 4 }) as usize];
    let ms = RESUME_AFTER_MS + 500 + random.below(RESUME_AFTER_MS * 3 / 2);
    (!random.one_in(3)).then_some((phase, ms))
}

impl fmt::Display for Rollback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let Rollback::Baseline(baselines) = self else { return Ok(()) };
        baselines.iter().try_for_each(|baseline| {
            f.write_str(" ")?;
            baseline.iter().try_for_each(|&domain| f.write_str(name(domain)))
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::AllWell => f.write_str("all well"),
            Shape::NoActions(domain) => write!(f, "{}: no actions", name(*domain)),
            Shape::Fails(domain, phase) => write!(f, "{}: fails {phase}", name(*domain)),
        }
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.victim {
            Victim::Manager => f.write_str("manager")?,
            Victim::Agent(domain) => f.write_str(name(domain))?,
            Victim::Broker => f.write_str("broker")?,
        }
        write!(f, "@{}+{}", self.at_ms, self.down_ms)
    }
}

/// Each domain's place in the order of activation, where groups are configured.
pub const ORDERS: [u8; 3] = [50, 10, 90];

/// A domain's name.
pub fn name(domain: usize) -> &'static str {
    ["a", "b", "c"][domain]
}
