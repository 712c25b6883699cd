//! Which agent serves a domain.

use crate::world::actors::{Actor, Obedient};
use crate::world::cast::{Manner, SelfUpdate, Strict};
use crate::world::scenario::World;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It answers whatever it is sent, however often, and keeps the activity over a restart.
    Tolerant,
    /// The same, but a restart makes it forget the activity.
    Forgetful,
    /// The containers agent.
    Strict,
    /// The containers agent with a lot to do, of which it says nothing.
    Silent,
    /// The self-update agent.
    SelfUpdate,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Tolerant, Kind::Forgetful, Kind::Strict, Kind::Silent, Kind::SelfUpdate];

    /// Whether it does again what it has forgotten in a restart.
    pub fn forgets(self) -> bool {
        self != Kind::Tolerant
    }

    /// Whether it says `COMPLETED` when it finds nothing to do.
    pub fn completes_idle(self) -> bool {
        matches!(self, Kind::Strict | Kind::Silent | Kind::SelfUpdate)
    }

    /// How it works if each command takes so many milliseconds; the silent one is slow.
    pub fn paced(self, work_ms: u64) -> Manner {
        let work_ms = if self == Kind::Silent { 25_000 } else { work_ms };
        Manner { work_ms, is_quiet: self == Kind::Silent, starts_ms: 1_000, ..Manner::default() }
    }

    /// The agent of this kind that serves the domain.
    pub fn agent(self, domain: &'static str, manner: Manner) -> Box<dyn Actor> {
        match self {
            Kind::Tolerant | Kind::Forgetful => {
                let agent = Obedient::paced(domain, manner.work_ms).forgetful(self == Kind::Forgetful);
                let agent = agent.failing_at(manner.fails_at).silent_at(manner.silent_at);
                let agent = agent.starting_in(manner.starts_ms);
                Box::new(if manner.is_content { agent.content() } else { agent })
            }
            Kind::Strict | Kind::Silent => Box::new(Strict::new(domain, manner)),
            Kind::SelfUpdate => Box::new(SelfUpdate::new(domain, manner)),
        }
    }

    /// A world in which it serves the domain.
    pub fn join(self, world: World, domain: &'static str, manner: Manner) -> World {
        world.joined_by(self.agent(domain, manner))
    }
}
