//! What `Lockstep` promises beyond the rules of the engine: a phase begins when every
//! domain has left the one before.

use crate::engine::domain::State;
use crate::engine::policy::{Lockstep, Policy};
use crate::engine::{Campaign, Effect, Effects, Event};
use crate::model::{Command, Phase};

/// Follows activities, and says when one that `Lockstep` leads breaks its promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InLockstep {
    /// The furthest phase that has begun.
    reached: Phase,
}

impl Default for InLockstep {
    fn default() -> InLockstep {
        InLockstep { reached: Phase::Identify }
    }
}

impl InLockstep {
    /// Takes one step in: an event that was not rejected, the effects, and the campaign after
    /// it.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn step(&mut self, event: &Event<'_>, out: &Effects, campaign: Option<&Campaign>) -> Result<(), &'static str> {
        match event {
            Event::DesiredState(_) => self.reached = Phase::Identify,
            Event::Boot(saved) => self.reached = saved.campaign.phase,
            _ => {}
        }
        let Some(campaign) = campaign.filter(|campaign| campaign.policy == Lockstep.name()) else { return Ok(()) };
        for phase in out.iter().filter_map(begun_by).filter(|phase| *phase > self.reached) {
            let is_behind = |state: State| matches!(state, State::Working(owed) if owed < phase);
            if !campaign.domains_in(is_behind).is_empty() {
                return Err("no phase begins before every domain has left the last");
            }
        }
        self.reached = out.iter().filter_map(begun_by).fold(self.reached, Phase::max);
        Ok(())
    }
}

/// The phase that a command leads forward to.
fn begun_by(effect: &Effect) -> Option<Phase> {
    match effect {
        Effect::Send(_, Command::Download) => Some(Phase::Download),
        Effect::Send(_, Command::Update) => Some(Phase::Update),
        Effect::Send(_, Command::Activate) => Some(Phase::Activate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::domain::Domain;
    use crate::model::DomainIx;

    /// The first domain is told to update, and the second one is there.
    fn updated_beside(state: State) -> Result<(), &'static str> {
        let mut campaign = Campaign::new();
        campaign.policy.push_str(Lockstep.name()).unwrap();
        campaign.domains[0] = Some(Domain::new(State::Working(Phase::Update)));
        campaign.domains[1] = Some(Domain::new(state));
        let mut out = Effects::new();
        out.push(Effect::Send(DomainIx::new(0).unwrap(), Command::Update));
        InLockstep::default().step(&Event::Unsaved(false), &out, Some(&campaign))
    }

    #[test]
    fn a_phase_that_begins_too_early_is_found() {
        let broken = Err("no phase begins before every domain has left the last");
        assert_eq!(updated_beside(State::Working(Phase::Download)), broken);
        assert_eq!(updated_beside(State::Working(Phase::Update)), Ok(()));
        assert_eq!(updated_beside(State::Failed(Phase::Download)), Ok(()));
    }
}
