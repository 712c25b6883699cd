//! The owner's consent to a phase (protocol.md, "The activity" 6).

use super::course::Engine;
use super::domain::State;
use super::effect::{Effect, Effects, TimerKind};
use super::Rejected;
use crate::model::text::Text;
use crate::model::time::Tick;
use crate::model::{Cause, Command, DomainIx, Phase};

impl Engine {
    /// Whether the owner is to be asked before this phase, and has not consented yet.
    pub(super) fn needs_consent(&self, phase: Phase) -> bool {
        self.settings.consent.contains(phase) && self.campaign.approved != Some(phase)
    }

    /// Asks the owner; the phase's clock does not run meanwhile.
    pub(super) fn ask(&mut self, now: Tick, phase: Phase, out: &mut Effects) {
        self.campaign.asking = Some(phase);
        out.push(Effect::AskConsent(phase));
        out.push(Effect::SetTimer(TimerKind::Consent, now.after(self.settings.consent_timeout_ms)));
    }

    pub(super) fn handle_consent_reply(
        &mut self,
        now: Tick,
        activity: Text<'_>,
        approved: bool,
        out: &mut Effects,
    ) -> Result<(), Rejected> {
        if !self.is_running() || !self.campaign.is_activity(activity) {
            return Err(Rejected::WrongActivity);
        }
        let phase = self.campaign.asking.ok_or(Rejected::NotAsked)?;
        if approved {
            self.close_consent(out);
            // A domain that has started over meanwhile is waited for.
            self.campaign.approved = Some(phase);
        } else {
            self.turn_back(now, Cause::ConsentDenied, out);
        }
        self.advance(now, out);
        Ok(())
    }

    pub(super) fn close_consent(&mut self, out: &mut Effects) {
        if self.campaign.asking.take().is_some() {
            out.push(Effect::StopTimer(TimerKind::Consent));
            out.push(Effect::CloseConsent);
        }
    }

    /// The domains that wait or work go no further: what they did is undone, then
    /// cleaned up. Before the download there is nothing to undo, and no end to wait for.
    pub(super) fn turn_back(&mut self, now: Tick, cause: Cause, out: &mut Effects) {
        self.close_consent(out);
        self.campaign.cause = Some(cause);
        let has_begun = self.campaign.phase != Phase::Identify;
        self.campaign.phase = Phase::Cleanup;
        for domain in self.campaign.domains_in(State::is_forward).iter() {
            self.turn_back_one(now, domain, has_begun, out);
        }
    }

    /// The same of one domain; `has_begun`: there is something to be undone.
    pub(super) fn turn_back_one(&mut self, now: Tick, domain: DomainIx, has_begun: bool, out: &mut Effects) {
        if !has_begun {
            out.push(Effect::Send(domain, Command::Cleanup));
            self.end(domain);
        } else if self.is_waited_for(domain) {
            if let Some(part) = self.campaign.domain_mut(domain) {
                part.obligation.is_turning = true;
            }
        } else {
            self.roll_back(now, domain, out);
        }
    }
}
