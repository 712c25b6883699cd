//! What waits for a save: what was decided, and the acknowledgements of the messages that
//! brought it about.

use crate::engine::{Effect, Effects};
use crate::limits::{HELD_MAX, INBOUND_MAX};
use crate::model::{Command, DomainIx, Status};
use crate::mqtt::Ack;

/// What waits, in order. Its place is allocated once.
#[derive(Debug)]
pub(super) struct Held {
    effects: Vec<Effect>,
    acks: Vec<Ack>,
    /// How many of each the save that runs covers.
    covered: (usize, usize),
}

impl Held {
    pub(super) fn new() -> Held {
        Held { effects: Vec::with_capacity(HELD_MAX), acks: Vec::with_capacity(INBOUND_MAX), covered: (0, 0) }
    }

    /// Whether a decision waits.
    pub(super) fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Takes out of `effects` what has to wait. Timers and notices never do: a slow flash
    /// delays the activity, not the clock.
    pub(super) fn take(&mut self, effects: &mut Effects) {
        effects.retain(|effect| match effect {
            Effect::SetTimer(..) | Effect::StopTimer(_) | Effect::Notice(_) => true,
            _ => {
                self.hold(*effect);
                false
            }
        });
    }

    fn hold(&mut self, effect: Effect) {
        // One of these is enough: it tells what is known when it goes out.
        let is_order = matches!(effect, Effect::Forward(_) | Effect::Send(..) | Effect::Restore(..));
        let is_same_again = is_order || effect == Effect::Report(Status::Running);
        if is_same_again && self.effects.contains(&effect) {
            return;
        }
        // A download begins a course: what was to follow in the one before is over.
        if let Some((domain, Command::Rollback | Command::Cleanup | Command::Download)) = command_of(&effect) {
            self.forget_steps(domain);
        }
        assert!(self.effects.len() < HELD_MAX, "an activity decides no more than {HELD_MAX} things at once");
        self.effects.push(effect);
    }

    /// What the domain was to do next must not be begun any more: its part has ended
    /// before the command was let out.
    fn forget_steps(&mut self, domain: DomainIx) {
        let is_step = |effect: &Effect| match command_of(effect) {
            Some((to, Command::Download | Command::Update | Command::Activate)) => to == domain,
            _ => false,
        };
        self.covered.0 -= self.effects.iter().take(self.covered.0).filter(|effect| is_step(effect)).count();
        self.effects.retain(|effect| !is_step(effect));
    }

    /// A message is to be acknowledged after the save; false if there is no place for it:
    /// no more of them wait than the session has room for.
    pub(super) fn acknowledge(&mut self, ack: Ack) -> bool {
        let has_place = self.acks.len() < INBOUND_MAX;
        if has_place {
            self.acks.push(ack);
        }
        has_place
    }

    /// The link is lost: what was to be acknowledged comes again, or is forgotten.
    pub(super) fn drop_acknowledgements(&mut self) {
        self.acks.clear();
        self.covered.1 = 0;
    }

    /// A save begins, which covers all of it.
    pub(super) fn cover(&mut self) {
        self.covered = (self.effects.len(), self.acks.len());
    }

    /// The save that has run covers nothing after all.
    pub(super) fn uncover(&mut self) {
        self.covered = (0, 0);
    }

    /// Lets out what the save covered, or all; hands each acknowledgement to `acknowledge`.
    pub(super) fn release(&mut self, all: bool, out: &mut Effects, acknowledge: &mut dyn FnMut(Ack)) {
        let (effects, acks) = if all { (self.effects.len(), self.acks.len()) } else { self.covered };
        self.effects.drain(..effects).for_each(|effect| out.push(effect));
        self.acks.drain(..acks).for_each(acknowledge);
        self.covered = (0, 0);
    }
}

/// The command that an effect gives a domain.
fn command_of(effect: &Effect) -> Option<(DomainIx, Command)> {
    match *effect {
        Effect::Send(domain, command) | Effect::Restore(domain, Some(command)) => Some((domain, command)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::effect::{Notice, TimerKind};
    use crate::model::time::Tick;

    #[test]
    fn timers_and_notices_never_wait() {
        let domain = DomainIx::new(0).unwrap();
        let passes = [
            Effect::SetTimer(TimerKind::Phase, Tick(7)),
            Effect::StopTimer(TimerKind::Consent),
            Effect::Notice(Notice::Failed(domain)),
        ];
        let mut effects = Effects::new();
        effects.push(Effect::Report(Status::Identified));
        passes.iter().for_each(|effect| effects.push(*effect));
        effects.push(Effect::Send(domain, Command::Download));
        let mut held = Held::new();
        held.take(&mut effects);
        assert_eq!(effects.to_vec(), passes);
        let mut out = Effects::new();
        held.release(true, &mut out, &mut |_| {});
        assert_eq!(out.to_vec(), [Effect::Report(Status::Identified), Effect::Send(domain, Command::Download)]);
        assert!(!held.has_effects());
    }
}
