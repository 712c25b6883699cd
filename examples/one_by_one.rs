//! Somebody's own orchestration: one domain after the other, each through all of
//! its phases, and none after one that failed. Run it in the manager's place:
//!
//!     cargo run --example one_by_one -- --config-file config.json

use std::error::Error;

use update_manager::config::{self, Order};
use update_manager::engine::domain::State;
use update_manager::engine::effect::TimerKind;
use update_manager::engine::{Campaign, Effect, Effects, Event, Orchestrator, Rejected, WaitingOn};
use update_manager::model::time::Tick;
use update_manager::model::{DomainIx, Phase, Reason, Status};
use update_manager::{logging, shell};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match config::load(&args, &|name| std::env::var_os(name)) {
        Ok(Order::Run(loaded)) => {
            let config = loaded.config;
            logging::start(&config.log);
            let phase_timeout_ms = config.phase_timeout_ms;
            let course = OneByOne { campaign: Campaign::new(), begun: false, phase_timeout_ms };
            Ok(shell::run_with(&config, Box::new(course))?)
        }
        Ok(_) => Err("takes the manager's flags to run, no others".into()),
        Err(config::Error::Usage(why) | config::Error::Config(why)) => Err(why.into()),
    }
}

struct OneByOne {
    campaign: Campaign,
    begun: bool,
    phase_timeout_ms: u64,
}

impl Orchestrator for OneByOne {
    fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        match event {
            Event::DesiredState(_) if self.running() => return Err(Rejected::Busy),
            Event::DesiredState(desired) => {
                self.campaign.begin(&desired);
                self.begun = true;
                out.push(Effect::Report(Status::Identifying));
                out.push(Effect::Report(Status::Identified));
                self.turn_to_next(now, out);
            }
            Event::Feedback(domain, feedback) => {
                if !self.running() || !self.campaign.is_activity(feedback.activity) {
                    return Err(Rejected::WrongActivity);
                }
                let Some(State::Working(phase)) = self.turn().filter(|d| *d == domain).map(|d| self.state(d)) else {
                    return Err(Rejected::NotTakingPart);
                };
                for action in feedback.actions {
                    let _ = self.campaign.actions.merge(domain, action);
                }
                let status = feedback.status;
                if status.is_failure() || status == Status::Incomplete {
                    self.end(domain, Some(Reason::of(status, feedback.message)));
                } else if status == Status::Completed || (status == phase.success() && phase == Phase::Cleanup) {
                    self.end(domain, None);
                } else if status == phase.success() {
                    self.begin(now, domain, phase.next(), out);
                    return Ok(());
                } else {
                    return Ok(());
                }
                self.turn_to_next(now, out);
            }
            Event::Timeout(_) | Event::Terminate => {
                if let Some(domain) = self.turn().filter(|_| self.running()) {
                    let State::Working(phase) = self.state(domain) else { return Ok(()) };
                    self.end(domain, Some(Reason::Silent(phase.command(), self.phase_timeout_ms)));
                    self.turn_to_next(now, out);
                }
            }
            Event::ConsentReply(..) => return Err(Rejected::NotAsked),
            Event::Cancel(_) | Event::HoldReboot(_) => return Err(Rejected::Unsupported),
            _ => {}
        }
        Ok(())
    }

    fn campaign(&self) -> Option<&Campaign> {
        self.begun.then_some(&self.campaign)
    }

    fn waiting_on(&self) -> WaitingOn {
        self.turn().map_or(WaitingOn::Nothing, |domain| WaitingOn::Agents([domain].into_iter().collect()))
    }
}

impl OneByOne {
    fn running(&self) -> bool {
        self.begun && self.campaign.is_running()
    }

    /// The domain whose turn it is.
    fn turn(&self) -> Option<DomainIx> {
        self.campaign.domains_in(|state| state != State::Done).iter().next()
    }

    fn state(&self, domain: DomainIx) -> State {
        self.campaign.domain(domain).map_or(State::Done, |part| part.state)
    }

    fn end(&mut self, domain: DomainIx, failure: Option<Reason>) {
        if let Some(part) = self.campaign.domain_mut(domain) {
            part.state = State::Done;
            part.failure = failure;
        }
    }

    fn begin(&mut self, now: Tick, domain: DomainIx, phase: Option<Phase>, out: &mut Effects) {
        let (Some(phase), Some(part)) = (phase, self.campaign.domain_mut(domain)) else { return };
        part.state = State::Working(phase);
        out.push(phase.command().map_or(Effect::Forward(domain), |command| Effect::Send(domain, command)));
        out.push(Effect::SetTimer(TimerKind::Phase, now.after(self.phase_timeout_ms)));
    }

    fn turn_to_next(&mut self, now: Tick, out: &mut Effects) {
        let failed = self.campaign.has_failed();
        match self.turn().filter(|_| !failed) {
            Some(domain) => self.begin(now, domain, Some(Phase::Identify), out),
            None => {
                let outcome = if failed { Status::Incomplete } else { Status::Completed };
                self.campaign.outcome = Some(outcome);
                out.push(Effect::StopTimer(TimerKind::Phase));
                out.push(Effect::Report(outcome));
                out.push(Effect::ReportInventory);
            }
        }
    }
}
