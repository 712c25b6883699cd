//! What happens in an activity, drawn from a seed: the same for the same seed and
//! number, whatever the machine's speed.

use std::fmt;

/// A lane: one broker, one manager and its agents, for activities one after another.
pub struct Lane {
    pub number: u64,
    /// For each domain, whether its agent remembers over a kill.
    pub remembers: Vec<bool>,
    /// Whether the broker keeps the manager's session, so that nothing on its way
    /// to it is lost.
    pub keeps_session: bool,
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
    pub fn draw(seed: u64, number: u64) -> Lane {
        let mut random = Random::new(seed, 1 << 32 | number);
        let domains = 1 + (number + 1) % 3;
        let remembers = (0..domains).map(|_| random.one_in(2)).collect();
        Lane { number, remembers, keeps_session: number % 2 == 0 }
    }
}

impl Script {
    pub fn draw(seed: u64, number: u64, lane: &Lane) -> Script {
        let mut random = Random::new(seed, number);
        let domains = lane.remembers.len();
        let domain = random.below(domains as u64) as usize;
        let shape = match random.below(10) {
            0..=5 => Shape::AllWell,
            6 => Shape::NoActions(domain),
            _ => {
                let phases = ["identify", "download", "update", "activate", "cleanup"];
                Shape::Fails(domain, phases[random.below(5) as usize])
            }
        };
        let delays_ms: Vec<u64> = (0..domains).map(|_| random.below(50)).collect();
        let components = 1 + random.below(3) as usize;
        // Three phases of four quarters of each component.
        let length_ms = 100 + delays_ms.iter().max().map_or(0, |slowest| slowest * 13 * components as u64);
        let mut hits: Vec<Hit> = Vec::new();
        for _ in 0..1 + random.below(3) {
            let at_ms = random.below(length_ms);
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
            delays_ms,
            components,
            hits: possible(hits, lane),
            is_hit_at_end: random.one_in(2),
            is_redelivered: random.one_in(6),
        }
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

/// One agent forgets once: each time takes half a phase timeout.
fn possible(hits: Vec<Hit>, lane: &Lane) -> Vec<Hit> {
    let mut forgotten = false;
    let forgets = |hit: &Hit| matches!(hit.victim, Victim::Agent(domain) if !lane.remembers[domain]);
    hits.into_iter().filter(|hit| !forgets(hit) || !std::mem::replace(&mut forgotten, true)).collect()
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
