//! What holds of every course of an activity, whatever comes in and whatever policy leads
//! it. Every test calls it after every step; it stands apart from the engine: it follows
//! events and effects, and looks at the campaign only after a start. What one policy promises beyond that is that policy's own test.

use super::campaign::Campaign;
use super::domain::{Domain, State};
use super::effect::{Effect, Effects, Notice, TimerKind};
use super::event::{Event, Link};
use super::restore::Restore;
use super::resume::Saved;
use super::Rejected;
use crate::limits::{DOMAINS_MAX, REBOOTS_MAX};
use crate::model::{Command, DomainIx, DomainSet, Phase, PhaseSet, Reboot, Status};

/// Follows an engine and says when it breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    running: bool,
    begun: bool,
    participants: DomainSet,
    /// The furthest phase that has begun: the owner has consented to those before.
    reached: Phase,
    /// What each domain owes and was told.
    courses: [Course; DOMAINS_MAX],
    /// What it may wait for without a timer.
    waits: Waits,
    told: Option<Status>,
    /// The owner's answer is awaited.
    asking: bool,
    /// How often the host was rebooted in the middle of this activity.
    reboots: u8,
    /// The host was rebooted after it.
    has_rebooted: bool,
    timers: [bool; TimerKind::ALL.len()],
}

/// What an activity may wait for without a timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Waits {
    /// Agents can be heard on this link.
    is_hearing: bool,
    /// Domains whose ROLLBACK the broker does not have yet.
    untaken: DomainSet,
    /// Somebody holds the reboot.
    is_held: bool,
    /// The broker does not have all reports yet, after which the host reboots.
    is_delivering: bool,
}

impl Default for Check {
    fn default() -> Check {
        Check::new()
    }
}

impl Check {
    /// Returns a check of an engine that has not seen an activity yet.
    pub fn new() -> Check {
        Check {
            running: false,
            begun: false,
            participants: DomainSet::EMPTY,
            reached: Phase::Identify,
            courses: [Course::default(); DOMAINS_MAX],
            waits: Waits::default(),
            told: None,
            asking: false,
            reboots: 0,
            has_rebooted: false,
            timers: [false; TimerKind::ALL.len()],
        }
    }

    /// Whether an activity runs.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Takes one step in: the event, the answer and the effects, and the campaign
    /// after it.
    ///
    /// # Errors
    /// The rule that was broken.
    pub fn step(
        &mut self,
        event: &Event<'_>,
        result: Result<(), Rejected>,
        out: &Effects,
        campaign: Option<&Campaign>,
    ) -> Result<(), &'static str> {
        if result.is_err() {
            rule(out.is_empty(), "nothing is done about what is rejected")?;
        } else {
            self.take_in(event)?;
        }
        out.iter().try_for_each(|effect| self.effect(effect, matches!(event, Event::Terminate)))?;
        if let Some(campaign) = campaign {
            rule(campaign.is_running() == self.running, "an activity ends with its final status")?;
            let known = campaign.actions.iter().all(|action| self.participants.contains(action.domain));
            rule(known, "actions are those of domains that take part")?;
        }
        let moving = [
            TimerKind::Phase,
            TimerKind::Cleanup,
            TimerKind::Consent,
            TimerKind::Repair,
            TimerKind::Verify,
            TimerKind::Reboot,
        ];
        let mut moving = moving.into_iter();
        let armed = moving.any(|kind| self.timers[kind as usize]);
        let Waits { is_hearing, untaken, is_held, is_delivering } = self.waits;
        let waits = !is_hearing || !untaken.is_empty() || is_held || is_delivering;
        rule(
            !self.running || armed || waits,
            "a running activity has a timer that moves it on, or waits for the broker",
        )
    }

    fn take_in(&mut self, event: &Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::DesiredState(desired) => {
                rule(!self.running, "one activity at a time")?;
                *self = Check {
                    timers: self.timers,
                    waits: Waits { is_hearing: self.waits.is_hearing, ..Waits::default() },
                    ..Check::new()
                };
                self.participants = desired.parts.iter().filter_map(|part| part.domain).collect();
                self.running = true;
                self.begun = true;
            }
            Event::Feedback(domain, feedback) => {
                self.courses[domain.place()].hear(feedback.status);
            }
            Event::Timeout(kind) => self.timers[*kind as usize] = false,
            Event::ConsentReply(..) => rule(self.asking, "an answer counts for the question that is open")?,
            Event::Link(link) => {
                self.waits.is_hearing = match link {
                    Link::Down | Link::Fresh { .. } => false,
                    Link::Kept | Link::Subscribed => true,
                };
            }
            Event::Settled => self.waits.is_delivering = false,
            Event::HoldReboot(is_held) => self.waits.is_held = *is_held,
            Event::Taken(domain) => self.waits.untaken.remove(*domain),
            Event::Boot(saved) => self.take_up(saved),
            Event::Unsaved(_)
            | Event::Delivered
            | Event::RebootFailed
            | Event::Hello(_)
            | Event::Refused(..)
            | Event::Checked(..)
            | Event::Shown(..)
            | Event::Terminate => {}
            Event::Cancel(_) => rule(self.running, "only a running activity is cancelled")?,
        }
        Ok(())
    }

    /// A saved activity is as far as the record says.
    fn take_up(&mut self, saved: &Saved) {
        let campaign = &saved.campaign;
        let outcome = campaign.end.outcome;
        *self = Check::new();
        self.begun = true;
        self.waits.is_held = saved.reboot == Reboot::Held;
        self.running = outcome.is_none();
        self.reached = campaign.phase;
        self.participants = campaign.participants();
        // What it was told last may be told again.
        self.told = (outcome.is_some() || campaign.is_identified()).then_some(Status::Identifying);
        for domain in self.participants.iter() {
            let Some(part) = campaign.domain(domain) else { continue };
            let is_booted = saved.has_booted || part.boot.is_open();
            let course = Course { is_booted, ..Course::of(part, campaign.phase) };
            self.courses[domain.place()] = match outcome.is_some() || !saved.is_whole {
                true => Course { owes: None, ..course },
                false => course,
            };
        }
        // The end of an activity that had ended is told once more if need be.
        if let (false, Some(outcome)) = (self.running, outcome) {
            self.running = !campaign.end.is_delivered;
            if campaign.end.is_delivered {
                self.told = Some(outcome);
            }
        }
    }

    fn effect(&mut self, effect: &Effect, terminated: bool) -> Result<(), &'static str> {
        match *effect {
            Effect::Report(status) => self.report(status, terminated),
            Effect::Forward(domain) => self.forward(domain),
            Effect::Send(domain, command) => {
                match command {
                    Command::Rollback => self.waits.untaken.insert(domain),
                    _ => self.waits.untaken.remove(domain),
                }
                self.command(domain, command)
            }
            Effect::Restore(domain, _) => {
                rule(self.running, "nothing is commanded after the final status")?;
                let course = &mut self.courses[domain.place()];
                // What it owes of that is no phase of the activity.
                course.owes = None;
                rule(course.is_back, "a domain is cleaned up before it is restored")
            }
            Effect::SetTimer(kind, _) => {
                self.timers[kind as usize] = true;
                Ok(())
            }
            Effect::StopTimer(kind) => {
                self.timers[kind as usize] = false;
                Ok(())
            }
            Effect::AskConsent(_) => {
                rule(self.running && !self.asking, "one question at a time")?;
                self.asking = true;
                Ok(())
            }
            Effect::CloseConsent => {
                rule(self.asking, "only an open question is closed")?;
                self.asking = false;
                Ok(())
            }
            Effect::AskBooted(_) => rule(self.running, "nothing is asked about a boot after the final status"),
            Effect::AwaitDelivery => {
                self.waits.is_delivering = true;
                rule(self.begun, "there is something that is waited for to be delivered")
            }
            Effect::Reboot => {
                if self.running {
                    self.reboots += 1;
                    return rule(self.reboots <= REBOOTS_MAX, "no more reboots in an activity than it may have");
                }
                let is_committed =
                    matches!(self.told, Some(Status::Completed | Status::Incomplete | Status::IncompleteInconsistent));
                rule(is_committed, "the host is rebooted only after an activity that may have been committed")?;
                rule(!self.has_rebooted, "one reboot after an activity")?;
                self.has_rebooted = true;
                Ok(())
            }
            Effect::ReportInventory => rule(!self.running, "the inventory is reported after the end"),
            Effect::Notice(Notice::Failed(domain)) => {
                let course = &mut self.courses[domain.place()];
                (course.has_failed, course.owes) = (true, None);
                Ok(())
            }
            Effect::Notice(Notice::Fault(_)) => rule(false, "the policy takes no step that makes no sense"),
            Effect::Check(_) | Effect::EndCheck(_) | Effect::AskInventory(_) => {
                rule(self.running, "nothing is verified after the final status")
            }
            Effect::Notice(_) => Ok(()),
        }
    }

    fn report(&mut self, status: Status, terminated: bool) -> Result<(), &'static str> {
        rule(self.begun, "nothing is reported before the first activity")?;
        rule(self.running, "nothing is reported after the final status")?;
        let in_order = match status {
            Status::Identifying => self.told.is_none(),
            Status::Identified => self.told == Some(Status::Identifying),
            Status::Running => matches!(self.told, Some(Status::Identified | Status::Running)),
            Status::IdentificationFailed => self.told == Some(Status::Identifying),
            Status::Completed => !self.courses.iter().any(|course| course.has_failed),
            Status::Incomplete | Status::IncompleteInconsistent => true,
            _ => false,
        };
        rule(in_order, "the statuses come in the order of the protocol")?;
        self.told = Some(status);
        let is_running = matches!(status, Status::Identifying | Status::Identified | Status::Running);
        if !is_running {
            let left = |phase: &Phase| *phase == Phase::Cleanup;
            let all_left = self.courses.iter().filter_map(|course| course.owes).all(|phase| left(&phase));
            rule(terminated || all_left, "an activity ends when every domain has left its phase")?;
            rule(!self.asking, "no question outlives its activity")?;
            self.running = false;
        }
        Ok(())
    }

    fn forward(&mut self, domain: DomainIx) -> Result<(), &'static str> {
        rule(self.running, "nothing is forwarded after the final status")?;
        rule(self.participants.contains(domain), "only domains that take part are spoken to")?;
        let course = &mut self.courses[domain.place()];
        rule(!course.has_failed, "a domain that failed is not started over")?;
        let is_first = course.states == 0;
        let is_forward = course.owes.is_some_and(|phase| phase != Phase::Cleanup);
        let is_booted = core::mem::take(&mut course.is_booted);
        rule(is_first || is_forward || is_booted, "only a domain that owes an answer is started over")?;
        if is_first || !is_forward {
            course.owes = Some(Phase::Identify);
        }
        course.begin();
        Ok(())
    }

    fn command(&mut self, domain: DomainIx, command: Command) -> Result<(), &'static str> {
        rule(self.running, "nothing is commanded after the final status")?;
        rule(self.participants.contains(domain), "only domains that take part are spoken to")?;
        let phase = command_phase(command);
        let course = &mut self.courses[domain.place()];
        if phase != Phase::Cleanup {
            rule(phase <= self.reached || !self.asking, "no phase begins before the owner has answered")?;
            rule(!course.has_failed, "a domain that failed is not led forward")?;
            rule(!course.is_back, "a domain that is turned back or cleaned up is not led forward")?;
            course.send(command)?;
            self.reached = self.reached.max(phase);
        }
        course.is_back |= phase == Phase::Cleanup;
        course.owes = Some(phase);
        Ok(())
    }
}

/// What a domain owes and was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Course {
    /// What it owes an answer to.
    owes: Option<Phase>,
    has_failed: bool,
    /// It was told ROLLBACK or CLEANUP.
    is_back: bool,
    /// Desired states that it was sent and has not answered, and those that it was sent.
    open: u8,
    states: u8,
    /// Commands that lead forward, a bit for each.
    sent: PhaseSet,
    /// One of them may be repeated: the domain was started over and has not answered.
    may_repeat: bool,
    /// It has gone back to downloading since the last `UPDATE`.
    fell_back: bool,
    /// The host has booted, and it was not told anything since.
    is_booted: bool,
}

impl Course {
    /// That of a domain as it was saved.
    fn of(part: &Domain, reached: Phase) -> Course {
        let obligation = &part.obligation;
        let open = obligation.queue.iter().filter(|order| order.command.is_none()).count() as u8;
        let last = part.state.phase().unwrap_or(reached);
        let forward = [Phase::Download, Phase::Update, Phase::Activate].into_iter();
        let owes = match part.state {
            _ if part.restore.is_apart() => None,
            State::Working(phase) => Some(phase),
            State::RollingBack(_) | State::CleaningUp(_) => Some(Phase::Cleanup),
            _ => None,
        };
        Course {
            owes,
            has_failed: part.failure.is_some(),
            is_back: matches!(part.state, State::RollingBack(_) | State::RolledBack(_) | State::CleaningUp(_))
                || part.state.is_done()
                || part.restore != Restore::No,
            open,
            states: if part.state == State::New { 0 } else { obligation.course.saturating_add(1) },
            sent: forward.filter(|phase| *phase <= last && part.state != State::New).collect(),
            may_repeat: obligation.has_repair(),
            fell_back: part.fell_back,
            is_booted: false,
        }
    }

    /// The domain gets the desired state.
    fn begin(&mut self) {
        self.may_repeat = self.states > 0;
        self.open = self.open.saturating_add(1);
        self.states = self.states.saturating_add(1);
    }

    fn hear(&mut self, status: Status) {
        let is_answer = self.owes.is_some_and(|phase| status == phase.success());
        if is_answer || status == Status::Completed || status == Status::Incomplete {
            self.owes = None;
        }
        match status {
            Status::Identified if self.open > 0 => {
                let Course { owes, has_failed, is_back, open, states, is_booted, .. } = *self;
                *self = Course { owes, has_failed, is_back, open: open - 1, states, is_booted, ..Course::default() };
            }
            Status::Downloading => self.fell_back = true,
            _ => {}
        }
    }

    /// A command that leads forward goes out.
    fn send(&mut self, command: Command) -> Result<(), &'static str> {
        let phase = command_phase(command);
        let is_owed = self.owes == Some(phase);
        if !self.sent.contains(phase) {
            self.sent.insert(phase);
            self.fell_back &= command != Command::Update;
        } else if !(is_owed && core::mem::take(&mut self.may_repeat)) {
            let is_second = command == Command::Update && core::mem::take(&mut self.fell_back);
            rule(is_second, "no command that leads forward goes out twice in a course")?;
        }
        Ok(())
    }
}

/// The phase that a command starts; that of a rollback is the last.
fn command_phase(command: Command) -> Phase {
    match command {
        Command::Download => Phase::Download,
        Command::Update => Phase::Update,
        Command::Activate => Phase::Activate,
        Command::Cleanup | Command::Rollback => Phase::Cleanup,
    }
}

fn rule(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds {
        Ok(())
    } else {
        Err(what)
    }
}
