//! An agent's feedback: whether it counts at all, and the actions that it lists. What its
//! status means is judged in `answer`.

use super::actions::Change;
use super::domain::{Domain, Ended, State};
use super::effect::{Effect, Effects, Notice};
use super::event::Feedback;
use super::{Engine, Rejected};
use crate::model::time::Tick;
use crate::model::{DomainIx, Limit, Phase, Reason, Status};

impl Engine {
    pub(super) fn handle_feedback(
        &mut self,
        now: Tick,
        domain: DomainIx,
        feedback: &Feedback<'_>,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        if !self.is_running() || !self.campaign.is_of_domain(domain, feedback) {
            return Err(Rejected::WrongActivity);
        }
        let state = self.campaign.domain(domain).ok_or(Rejected::NotTakingPart)?.state;
        match state {
            State::New => return Err(Rejected::NotTakingPart),
            State::Done(_) => return Err(Rejected::Ended),
            _ => {}
        }
        self.hear(domain, feedback);
        let past_limit = self.merge(now, domain, feedback, out);
        self.extend_wait(now, domain);
        match past_limit {
            Some(limit) if state == State::Working(Phase::Identify) && is_identified(feedback) => {
                self.fail(domain, Reason::Limit(limit), out);
                self.end(domain, Ended::Unidentified);
            }
            _ => self.answer(now, domain, state, feedback, out),
        }
        Ok(())
    }

    /// Takes the actions in; says which limit one of them passed.
    fn merge(&mut self, now: Tick, domain: DomainIx, feedback: &Feedback<'_>, out: &mut Effects) -> Option<Limit> {
        let mut past_limit = feedback.past_limit;
        let mut all = Change::default();
        // What was undone has failed, whatever an agent repeats of it when it cleans up, and
        // what leads it back is not told.
        let is_past = |part: &Domain| part.is_back() || part.restore.is_apart();
        let is_past = self.campaign.domain(domain).is_some_and(is_past);
        for action in feedback.actions.iter().filter(|_| !is_past) {
            match self.campaign.actions.merge(domain, action) {
                Ok(change) => all = all.max(change),
                Err(limit) => past_limit = past_limit.or(Some(limit)),
            }
        }
        if all > Change::None {
            self.running.changed(now, out);
        }
        self.extend_clock(now, domain, feedback, all == Change::Progress);
        if past_limit.is_some() {
            out.push(Effect::Notice(Notice::ActionsDropped(domain)));
        }
        past_limit
    }

    /// A domain's feedback while it cleans up shows that it is at it.
    fn extend_wait(&mut self, now: Tick, domain: DomainIx) {
        let quiet = now.after(self.settings.cleanup_timeout_ms);
        if let Some(State::CleaningUp(wait) | State::RollingBack(wait)) =
            self.campaign.domain_mut(domain).map(|d| &mut d.state)
        {
            wait.quiet = quiet;
        }
    }
}

fn is_identified(feedback: &Feedback<'_>) -> bool {
    feedback.status == Status::Identified
}
