//! The owner's consent to a phase (docs/protocol.md, "The activity", step 6).
//!
//! The owner is asked once for a phase, when the first domain needs it; the answer holds
//! for all. A question that no domain waits for any more is withdrawn. An approval counts
//! once: one with the same timestamp is a repeat of it.

use super::super::effect::{Effect, Effects, TimerKind};
use super::super::event::ConsentAnswer;
use super::super::{Engine, Rejected};
use super::{holds, Before};
use crate::model::time::Tick;
use crate::model::{Cause, Phase};

impl Engine {
    /// Returns whether the owner is to be asked before this phase: no domain has begun it,
    /// and the owner has not consented yet.
    pub(super) fn needs_consent(&self, phase: Phase) -> bool {
        let is_new = self.campaign.consent.approved != Some(phase) && phase > self.campaign.phase;
        self.settings.consent.contains(phase) && is_new
    }

    /// Asks the owner; the phase's clock does not run meanwhile.
    pub(in super::super) fn ask(&mut self, now: Tick, phase: Phase, out: &mut Effects) {
        self.campaign.consent.asking = Some(phase);
        out.push(Effect::AskConsent(phase));
        out.push(Effect::SetTimer(TimerKind::Consent, now.after(self.settings.consent_timeout_ms)));
    }

    pub(in super::super) fn handle_consent_reply(
        &mut self,
        answer: ConsentAnswer<'_>,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        if !self.is_running() || !self.campaign.is_activity(answer.activity) {
            return Err(Rejected::WrongActivity);
        }
        let phase = self.campaign.consent.asking.ok_or(Rejected::NotAsked)?;
        if !answer.is_approval {
            self.give_up(Cause::ConsentDenied, out);
            return Ok(());
        }
        // Answers are delivered at least once, and do not name their question.
        if self.campaign.consent.counted.contains(&answer.timestamp) {
            return Err(Rejected::Repeated);
        }
        if answer.timestamp != 0 {
            // There is a place for each phase that the owner is asked about.
            let _ = self.campaign.consent.counted.push(answer.timestamp);
        }
        self.close_consent(out);
        // A domain that has started over meanwhile is waited for.
        self.campaign.consent.approved = Some(phase);
        Ok(())
    }

    /// The owner was waited for long enough.
    pub(in super::super) fn handle_consent_timeout(&mut self, out: &mut Effects) {
        if self.campaign.consent.asking.is_some() {
            self.campaign.end.waited_ms = self.settings.consent_timeout_ms;
            self.give_up(Cause::ConsentLate, out);
        }
    }

    /// Withdraws the question if no domain waits for its answer any more: not one that
    /// would go on, nor one that is still led to where it would.
    pub(in super::super) fn withdraw_question(&mut self, out: &mut Effects) {
        let Some(asked) = self.campaign.consent.asking else { return };
        let parts = self.campaign.domains.iter().flatten();
        let mut waiting = parts.filter(|part| {
            part.state.is_forward() && !part.obligation.is_halted && part.furthest.and_then(Phase::next) == Some(asked)
        });
        if waiting.next().is_none() {
            debug_assert!(holds(&self.campaign, Before::Command(asked)));
            self.close_consent(out);
        }
    }

    pub(in super::super) fn close_consent(&mut self, out: &mut Effects) {
        if self.campaign.consent.asking.take().is_some() {
            out.push(Effect::StopTimer(TimerKind::Consent));
            out.push(Effect::CloseConsent);
        }
    }
}
