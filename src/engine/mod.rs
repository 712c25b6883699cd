//! The course of an activity. Pure: no I/O, no clock, no log, and no allocation past its
//! construction, but for a start with a saved activity. Time comes in as an argument,
//! everything to be done goes out as a value.
//!
//! ```text
//!           Event                    Step                       Effect
//!   agent ────────> one domain's    <────── policy: which      ───────> store,
//!   owner           part: feedback,         domain may be told          then out
//!   clock           answer, timeouts        what next
//!                        │            View     ^  gates, invariants
//!                        └─────────────────────┘
//! ```
//!
//! The [`Engine`] knows how one domain is led through its part; a [`policy::Policy`] says
//! which domain may be told what next. After each event the engine asks it for one step
//! after another until it waits.
//!
//! | what | where |
//! | --- | --- |
//! | the activity and its domains as they are saved | [`campaign`], [`domain`], [`group`] |
//! | whether a desired state becomes the next activity | `redelivery` |
//! | what an agent says; why it failed | `feedback`, `answer`; `reason` |
//! | what a domain owes, and what is done when it may be lost | [`obligation`] |
//! | what may hold a phase, a commit or the reboot back | `gates` |
//! | which step the policy takes, and whether it makes sense | [`policy`], `step` |
//! | how a domain fails, is undone and ends its part | `wind_down` |
//! | whether what a group has activated is good | `verification` |
//! | whether a domain is as it was; how it becomes so | [`evidence`]; [`restore`] |
//! | the boot before a commit, and what is asked after it | [`boot`] |
//! | clocks; `RUNNING`; the reboot | `timeouts`; `running`; [`reboot`] |
//! | the end; giving up; a start with a saved activity | `end`; `give_up`; [`resume`] |
//! | what holds of every course, whatever comes in | [`check`] |
//!
//! Deliberately absent: any rule about which domain goes first, topics and messages, and
//! when something is saved (`store` holds the effects back until it is).

pub mod actions;
mod answer;
pub mod boot;
#[cfg(test)]
mod boot_tests;
pub mod campaign;
pub mod check;
#[cfg(test)]
mod check_tests;
pub mod domain;
pub mod effect;
mod end;
pub mod event;
pub mod evidence;
mod feedback;
mod gates;
mod give_up;
pub mod group;
pub mod obligation;
mod observer;
#[cfg(test)]
mod played;
pub mod policy;
mod reason;
pub mod reboot;
mod redelivery;
pub mod restore;
#[cfg(test)]
mod restore_tests;
pub mod resume;
#[cfg(test)]
mod resume_tests;
mod running;
mod settings;
mod step;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
pub(crate) mod tests;
mod timeouts;
#[cfg(test)]
mod together_tests;
mod verification;
mod wind_down;

pub use campaign::Campaign;
pub use effect::{Effect, Effects};
pub use event::{Event, Link};
pub use observer::Observer;
pub use policy::Policies;
pub use settings::{Checks, Grouping, Rebooting, Settings};

use std::rc::Rc;

use crate::model::time::Tick;
use crate::model::{DomainIx, DomainSet, Phase, Reboot};
use domain::Domain;
use obligation::{Doubt, Hearing, InDoubt};
use observer::Observers;
use running::Running;
use timeouts::Armed;
use verification::Verifying;

/// Leads one activity at a time.
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Settings,
    policies: Policies,
    /// The running activity or the last one; without meaning while `begun` is false.
    campaign: Campaign,
    begun: bool,
    running: Running,
    verifying: Verifying,
    reboot: Reboot,
    /// What is decided cannot be saved at this moment.
    is_unsaved: bool,
    hearing: Hearing,
    armed: Armed,
    observers: Observers,
}

impl Engine {
    /// Returns an engine that has not seen an activity yet.
    pub fn new(settings: Settings, policies: Policies) -> Engine {
        Engine {
            settings,
            policies,
            campaign: Campaign::new(),
            begun: false,
            running: Running::new(settings.feedback_interval_ms),
            verifying: Verifying::default(),
            reboot: Reboot::None,
            is_unsaved: false,
            hearing: Hearing::default(),
            armed: Armed::default(),
            observers: Observers::default(),
        }
    }

    /// Registers an observer, in place of the one before.
    pub fn observe(&mut self, observer: Rc<dyn Observer>) {
        self.observers.0 = Some(observer);
    }

    /// Takes one event in and adds to `out` what is to be done about it, in order. The
    /// effects are carried out before the next event is handed in.
    ///
    /// # Errors
    /// The event makes no sense at this moment; nothing has changed.
    pub fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        let observer = self.observers.0.clone();
        if let Some(observer) = &observer {
            observer.before(&event);
        }
        let result = self.handle_event(now, event, out);
        if result.is_ok() {
            self.follow(now, out);
            self.tell_of_turning_back(now, out);
            self.arm(out);
        }
        if let Some(observer) = &observer {
            observer.after(&event, result, out, self.campaign());
        }
        result
    }

    /// Returns the running activity, or the last one; none before the first.
    pub fn campaign(&self) -> Option<&Campaign> {
        self.begun.then_some(&self.campaign)
    }

    /// Returns why the running activity is not done yet.
    pub fn waiting_on(&self) -> WaitingOn {
        if !self.is_running() {
            return match self.reboot {
                Reboot::None => WaitingOn::Nothing,
                Reboot::Delivering => WaitingOn::Link,
                Reboot::Waiting | Reboot::Held | Reboot::Triggered => WaitingOn::Reboot,
            };
        }
        let owes = |part: &Domain| part.is_owing() || part.boot.is_open();
        let is_owing = |domain: &DomainIx| self.campaign.domain(*domain).is_some_and(owes);
        let owing: DomainSet = self.campaign.participants().iter().filter(is_owing).collect();
        match self.campaign.consent.asking {
            Some(phase) => WaitingOn::Consent(phase),
            None if !owing.is_empty() => WaitingOn::Agents(owing),
            None if self.campaign.boots.is_due => WaitingOn::Reboot,
            None if !self.campaign.groups.verifying.is_empty() => WaitingOn::Verification,
            None => WaitingOn::Agents(owing),
        }
    }

    /// Returns when the first group that is being verified has failed; none if none is.
    pub fn verification_end(&self) -> Option<Tick> {
        self.verifying.end()
    }

    /// Returns how far the reboot is.
    pub fn reboot(&self) -> Reboot {
        self.reboot
    }

    /// Returns what is known of a domain in doubt; none if it is in none.
    pub fn in_doubt(&self, domain: DomainIx) -> Option<InDoubt> {
        self.in_doubt_of(domain)
    }

    /// Returns how long things are waited for.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Returns the policies that it has.
    pub fn policies(&self) -> Policies {
        self.policies.clone()
    }

    fn is_running(&self) -> bool {
        self.begun && self.campaign.is_running()
    }

    fn handle_event(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        match event {
            Event::DesiredState(desired) => self.handle_desired_state(&desired, out),
            Event::Feedback(domain, feedback) => self.handle_feedback(now, domain, &feedback, out),
            Event::Hello(domain) => {
                if !self.is_running() || !self.greet_after_boot(now, domain, out) {
                    self.cast(now, domain, Doubt::Hello, out);
                }
                Ok(())
            }
            Event::Taken(domain) => {
                self.handle_taken(now, domain);
                Ok(())
            }
            Event::Refused(domain, bytes) => {
                self.handle_refused(now, domain, bytes, out);
                Ok(())
            }
            Event::ConsentReply(answer) => self.handle_consent_reply(answer, out),
            Event::Timeout(kind) => {
                self.handle_timeout(now, kind, out);
                Ok(())
            }
            Event::Checked(group, verdict) => {
                self.handle_checked(now, group, verdict, out);
                Ok(())
            }
            Event::Shown(domain, shown, moment) => {
                self.handle_shown(now, domain, shown, moment, out);
                Ok(())
            }
            Event::Terminate => {
                self.handle_terminate(out);
                Ok(())
            }
            Event::Cancel(force) => self.handle_cancel(force, out),
            Event::HoldReboot(hold) => self.handle_hold(now, hold, out),
            Event::Boot(saved) => {
                self.handle_boot(now, saved, out);
                Ok(())
            }
            Event::Delivered => {
                self.campaign.end.is_delivered = !self.is_running();
                Ok(())
            }
            Event::Settled => {
                self.reboot.handle_settled(now, self.settings.rebooting.after_ms, out);
                Ok(())
            }
            Event::Unsaved(is_unsaved) => {
                self.is_unsaved = is_unsaved;
                // The wait for the broker may have ended while the end could not be saved.
                if !is_unsaved && self.reboot == Reboot::Delivering {
                    self.reboot.begin(now, out);
                }
                Ok(())
            }
            Event::RebootFailed => {
                // In the middle of an activity somebody else may still reboot the host in time.
                if !self.is_running() {
                    self.reboot.handle_failed();
                }
                Ok(())
            }
            Event::Link(link) => {
                self.handle_link(now, link, out);
                Ok(())
            }
        }
    }
}

/// What an activity waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitingOn {
    /// No activity runs.
    Nothing,
    /// These domains owe an answer.
    Agents(DomainSet),
    /// The owner's consent to this phase is awaited.
    Consent(Phase),
    /// The checks of groups that have activated.
    Verification,
    /// The disk: what was decided is being saved first.
    Save,
    /// The broker: the end is to be reported before the host reboots.
    Link,
    /// The reboot: it is due, or the host should be going down.
    Reboot,
}

/// A good message at a wrong moment. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejected {
    /// A desired state while another activity runs.
    Busy,
    /// A desired state of the activity that runs.
    SameActivity,
    /// A redelivered desired state, whose activity has finished.
    Applied,
    /// A desired state while the end of the last activity cannot be saved.
    Unsaved,
    /// A desired state while a reboot is due.
    RebootPending,
    /// A desired state whose id leaves no room for what is added to it towards agents.
    LongId,
    /// A feedback for an activity that does not run.
    WrongActivity,
    /// A feedback of a domain that takes no part.
    NotTakingPart,
    /// A feedback of a domain whose part has ended.
    Ended,
    /// An owner's answer that nobody asked for.
    NotAsked,
    /// An owner's answer that has counted before.
    Repeated,
    /// No activity runs that could be cancelled.
    NotRunning,
    /// The activity to be cancelled is being put into use.
    Activating,
    /// The activity to be cancelled is being cleaned up: it ends by itself.
    Ending,
    /// There is no reboot that could be held or released.
    NoReboot,
}
