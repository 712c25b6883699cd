//! What happens in an activity, drawn from a seed: the same for the same seed and
//! number, whatever the machine's speed.

use std::fmt;

use crate::lane::RESUME_AFTER_MS;

/// A lane: one broker, one manager and its agents, for activities one after another.
pub struct Lane {
    pub number: u64,
    pub domains: usize,
    /// Whether the broker keeps the manager's session, so that nothing on its way
    /// to it is lost.
    pub keeps_session: bool,
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
    /// Half of the lanes keep sessions; they have 1 to 3 domains, in turn.
    pub fn new(number: u64) -> Lane {
        Lane { number, domains: 1 + (number as usize + 1) % 3, keeps_session: number % 2 == 0 }
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
        let domain = random.below(domains as u64) as usize;
        let shape = match random.below(10) {
            0..=5 => Shape::AllWell,
            6 => Shape::NoActions(domain),
            _ => {
                let phases = ["identify", "download", "update", "activate", "cleanup"];
                Shape::Fails(domain, phases[random.below(5) as usize])
            }
        };
        let mut delays_ms: Vec<u64> = (0..domains).map(|_| random.below(50)).collect();
        if random.one_in(6) {
            // With two components or three its phases take longer than `resumeAfter`.
            delays_ms[random.below(domains as u64) as usize] = 300 + random.below(150);
        }
        let components = 1 + random.below(3) as usize;
        let busy = kinds.contains(&Kind::Silent).then(|| draw_busy(&mut random)).flatten();
        // Three phases of four quarters of each component.
        let length_ms = 100 + delays_ms.iter().max().map_or(0, |slowest| slowest * 13 * components as u64);
        let length_ms = length_ms + busy.map_or(0, |(_, ms)| ms);
        let mut hits: Vec<Hit> = Vec::new();
        for _ in 0..1 + random.below(3) {
            let at_ms = match hits.first() {
                // Also while a repair is waited for or under way.
                Some(first) if random.one_in(2) => first.at_ms + random.below(2 * RESUME_AFTER_MS + length_ms),
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
        Script {
            shape,
            kinds,
            busy,
            delays_ms,
            components,
            hits,
            is_hit_at_end: random.one_in(2),
            is_redelivered: random.one_in(6),
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

    /// The final status that it has to end with.
    pub fn outcome(&self) -> &'static str {
        match self.shape {
            Shape::Fails(_, "identify") => "IDENTIFICATION_FAILED",
            Shape::Fails(_, "download" | "update" | "activate") => "INCOMPLETE",
            _ => "COMPLETED",
        }
    }
}

/// Twice in three times a silent agent is busy until after a repair, or even after the
/// command was repeated, which is due two `resumeAfter` after a kill.
fn draw_busy(random: &mut Random) -> Option<(&'static str, u64)> {
    let phase = ["download", "update", "activate", "cleanup"][random.below(4) as usize];
    let ms = RESUME_AFTER_MS + 500 + random.below(RESUME_AFTER_MS * 3 / 2);
    (!random.one_in(3)).then_some((phase, ms))
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

/// A domain's name.
pub fn name(domain: usize) -> &'static str {
    ["a", "b", "c"][domain]
}
