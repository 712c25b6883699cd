//! The course of an activity in a domain that a program serves. Pure: what was asked,
//! told or ended comes in, what is to be done goes out.
//!
//! Whatever happens, an update that was begun ends activated or rolled back: the
//! program gets `rollback` before `cleanup` unless its activation succeeded, also
//! when nobody asks for it, and before another desired state is looked at.

use std::collections::VecDeque;

use super::activity::{actions, feedback, of_change, say};
use super::activity::{Activity, Effect, End, Outcome, Said, Step};
use super::plan::{self, Installed, Planned};
use super::told::Told;
use crate::agent::{Command, DesiredState, Request, Status};
use crate::limits::{EXEC_INSTALLED_MAX, ROUNDS_MAX};

/// The course of a domain's activities.
#[derive(Debug, Default)]
pub struct Course {
    /// The activity that runs.
    pub activity: Option<Activity>,
    /// The last one that has ended.
    pub end: Option<End>,
    /// What is installed, as far as it is known.
    pub installed: Vec<Installed>,
    /// What is being identified, and the plan once there is one.
    next: Option<(String, DesiredState, Vec<Planned>)>,
    /// The activities for which somebody wants to know what is installed.
    askers: Vec<String>,
    todo: VecDeque<Step>,
    running: Option<Step>,
    seen: Vec<Installed>,
    words: String,
}

impl Course {
    /// Goes on with what was saved.
    pub fn resume(&mut self, out: &mut Vec<Effect>) {
        if let Some(command) = self.activity.as_ref().and_then(|activity| activity.running) {
            self.begin(command, out);
        }
        self.go_on(out);
    }

    /// For a step, its activity, the plan and what is wanted.
    pub fn subject(&self, step: Step) -> (&str, &[Planned], Option<&DesiredState>) {
        match (step, &self.next, &self.activity) {
            (Step::Inventory, ..) => ("", &[], None),
            (Step::Look | Step::Identify, Some((id, desired, plan)), _) => (id, plan, Some(desired)),
            (_, _, Some(activity)) => (&activity.id, &activity.plan, Some(&activity.desired)),
            _ => ("", &[], None),
        }
    }

    /// Takes a request in.
    pub fn handle(&mut self, request: Request, out: &mut Vec<Effect>) {
        match request {
            Request::DesiredState { activity, desired } => self.handle_desired_state(activity, desired, out),
            Request::Command { activity, command, baseline } => self.handle_command(&activity, command, &baseline, out),
            Request::CurrentStateGet { activity } => match self.running {
                None | Some(Step::Inventory) => {
                    self.askers.retain(|asker| *asker != activity);
                    if self.askers.len() == ROUNDS_MAX {
                        self.askers.remove(0);
                    }
                    self.askers.push(activity);
                    if self.running.is_none() {
                        self.todo.push_back(Step::Inventory);
                    }
                }
                Some(_) => out.push(Effect::Say(Said::Inventory(activity, self.installed.clone()))),
            },
            Request::Malformed { activity, is_desired_state, error } => {
                log::warn!("{activity}: message skipped: {error}");
                if is_desired_state {
                    out.push(say(&activity, Status::IdentificationFailed, &error, Vec::new()));
                }
            }
        }
        self.go_on(out);
    }

    fn handle_desired_state(&mut self, id: String, desired: DesiredState, out: &mut Vec<Effect>) {
        if let Some((next, wanted, _)) = &self.next {
            if *next == id && wanted.json == desired.json {
                return out.push(say(&id, Status::Identifying, "", Vec::new()));
            }
        }
        let same = self.activity.as_ref().filter(|now| now.id == id && now.desired.json == desired.json);
        if let Some(activity) = same.filter(|_| self.next.is_none()) {
            // Delivered again: the plan holds until it is cleaned up.
            return out.push(say(&id, Status::Identified, "", actions(&activity.plan)));
        }
        self.stop(out);
        if let Some(activity) = &mut self.activity {
            log::warn!("{}: {id} takes its place", activity.id);
            activity.running = None;
            if activity.is_begun && !activity.is_activated {
                self.todo.push_back(Step::SettleUndo);
            }
            self.todo.push_back(Step::SettleCleanup);
        }
        self.todo.extend([Step::Look, Step::Identify]);
        out.push(say(&id, Status::Identifying, "", Vec::new()));
        self.next = Some((id, desired, Vec::new()));
    }

    fn handle_command(&mut self, id: &str, command: Command, baseline: &str, out: &mut Vec<Effect>) {
        let activity = self.activity.as_mut().filter(|activity| activity.id == id && self.next.is_none());
        let Some(activity) = activity else {
            match self.end.as_ref().filter(|end| end.id == id && command == Command::Cleanup) {
                Some(end) => {
                    out.push(say(id, Status::CleanupSuccess, "", Vec::new()));
                    out.push(say(id, end.status, &end.message, Vec::new()));
                }
                None => log::info!("{id}: a command is ignored, no such activity runs"),
            }
            return;
        };
        if activity.running == Some(command) {
            let status = command.working();
            return out.push(say(id, status, "", actions(&activity.plan)));
        }
        match &activity.last {
            Some((last, is_done, words)) if *last == command && activity.running.is_none() => {
                let status = if *is_done { command.success() } else { command.failure() };
                return out.push(say(id, status, words, actions(&activity.plan)));
            }
            _ => {}
        }
        let is_begun = activity.is_begun;
        let refusal = match command {
            _ if !baseline.is_empty() => "a baseline alone cannot be changed",
            Command::Update if !activity.is_downloaded => "UPDATE without a download",
            Command::Activate if !activity.is_updated => "ACTIVATE without an update",
            _ => "",
        };
        self.stop(out);
        if !refusal.is_empty() {
            return self.answer(command, Err(refusal.to_owned()), out);
        }
        if command == Command::Rollback && !is_begun {
            return self.answer(command, Ok(()), out);
        }
        self.begin(command, out);
        out.push(Effect::Save);
    }

    /// What runs or is to run is of no interest any more.
    fn stop(&mut self, out: &mut Vec<Effect>) {
        if self.running.take().is_some() {
            out.push(Effect::Kill);
        }
        self.todo.clear();
        self.next = None;
        if !self.askers.is_empty() {
            self.todo.push_back(Step::Inventory);
        }
    }

    fn begin(&mut self, command: Command, out: &mut Vec<Effect>) {
        let Some(activity) = &mut self.activity else { return };
        activity.running = Some(command);
        activity.is_begun |= command == Command::Update;
        activity.is_updated &= command != Command::Update;
        activity.is_activated &= command == Command::Cleanup;
        for planned in &mut activity.plan {
            let Some([working, ..]) = of_change(command, planned.change) else { continue };
            (planned.action.status, planned.action.progress) = (working, 0);
            planned.action.message.clear();
        }
        if command == Command::Cleanup && activity.is_begun && !activity.is_activated {
            self.todo.push_back(Step::Undo);
        }
        self.todo.push_back(Step::Phase(command));
        out.push(say(&activity.id, command.working(), "", actions(&activity.plan)));
    }

    /// Begins what is to be done next, if nothing runs.
    fn go_on(&mut self, out: &mut Vec<Effect>) {
        if self.running.is_none() {
            self.running = self.todo.pop_front();
            if let Some(step) = self.running {
                self.seen.clear();
                self.words.clear();
                out.push(Effect::Run(step));
            }
        }
    }

    /// Takes in what the program says; whether that changes what is reported.
    pub fn take(&mut self, told: Told) -> bool {
        let Told::Component { id, version, percent, message, is_failed } = told else {
            if let Told::Message(words) = told {
                self.words = words;
            }
            return false;
        };
        if is_failed && !message.is_empty() {
            self.words = format!("{id}: {message}");
        }
        let Some(Step::Phase(command)) = self.running else {
            let looks = matches!(self.running, Some(Step::Inventory | Step::Look));
            if looks && self.seen.len() < EXEC_INSTALLED_MAX && plan::is_plain(&id) && plan::is_plain(&version) {
                self.seen.retain(|(seen, _)| *seen != id);
                self.seen.push((id, version));
            }
            return false;
        };
        let plan = self.activity.iter_mut().flat_map(|activity| &mut activity.plan);
        let Some(planned) = plan.into_iter().find(|planned| planned.action.id == id) else { return false };
        let statuses = of_change(command, planned.change);
        let action = &mut planned.action;
        let before = action.clone();
        let place = if is_failed { 2 } else { usize::from(percent == Some(100)) };
        action.status = statuses.map_or(action.status, |statuses| statuses[place]);
        action.progress = percent.unwrap_or(action.progress);
        action.message = message;
        *action != before
    }

    /// The words that were told last of the call as a whole; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// How far the running command is; none if none runs.
    pub fn progress(&self) -> Option<Said> {
        if let Some((id, ..)) = &self.next {
            return Some(feedback(id, Status::Identifying, "", Vec::new()));
        }
        let activity = self.activity.as_ref()?;
        Some(feedback(&activity.id, activity.running?.working(), self.words(), actions(&activity.plan)))
    }

    /// The program's call has ended.
    pub fn handle_outcome(&mut self, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(step) = self.running.take() else { return };
        let is_done = outcome == Outcome::Done;
        self.note_touched(step, &outcome);
        let result = match outcome {
            Outcome::Failed(words) => Err(words),
            Outcome::NotMine if step == Step::Phase(Command::Activate) && self.is_untouched() => {
                Err("the program knows none of download, update and activate".to_owned())
            }
            Outcome::NotMine if step.word() == "rollback" => Err("the program has no rollback".to_owned()),
            _ => Ok(()),
        };
        match step {
            Step::Inventory | Step::Look => {
                if is_done {
                    self.installed = std::mem::take(&mut self.seen);
                }
                if step == Step::Look {
                    self.compare(result, out);
                } else if let Err(words) = result {
                    log::warn!("inventory: {words}; the last one known is reported");
                }
                for asker in std::mem::take(&mut self.askers) {
                    out.push(Effect::Say(Said::Inventory(asker, self.installed.clone())));
                }
            }
            Step::Identify => self.identify(result, out),
            Step::Phase(Command::Cleanup) => self.finish(result, out),
            Step::Phase(command) => self.answer(command, result, out),
            Step::Undo | Step::SettleUndo => {
                if let Some(activity) = &mut self.activity {
                    match result {
                        Ok(()) => activity.is_begun = false,
                        Err(words) => {
                            log::error!("{}: rollback: {words}", activity.id);
                            let first = std::mem::take(&mut activity.failure);
                            let before = if first.is_empty() { "" } else { "; " };
                            activity.failure = format!("{first}{before}not rolled back: {words}");
                        }
                    }
                    out.push(Effect::Save);
                }
            }
            Step::SettleCleanup => {
                if let (Some(activity), Err(words)) = (&self.activity, result) {
                    log::error!("{}: cleanup: {words}", activity.id);
                }
                self.activity = None;
                out.push(Effect::Save);
            }
        }
        self.go_on(out);
    }

    /// Notes whether the program knows a command that changes something.
    fn note_touched(&mut self, step: Step, outcome: &Outcome) {
        let is_forward = matches!(step, Step::Phase(Command::Download | Command::Update | Command::Activate));
        if let Some(activity) = self.activity.as_mut().filter(|_| is_forward && *outcome != Outcome::NotMine) {
            activity.is_untouched = false;
        }
    }

    fn is_untouched(&self) -> bool {
        self.activity.as_ref().is_some_and(|activity| activity.is_untouched)
    }

    /// Plans, once it is known what is installed.
    fn compare(&mut self, result: Result<(), String>, out: &mut Vec<Effect>) {
        let Some((id, desired, plan)) = &mut self.next else { return };
        match result.and_then(|()| plan::compare(desired, &self.installed)) {
            Ok(planned) if planned.iter().any(|planned| plan::is_change(&planned)) => *plan = planned,
            Ok(_) => {
                let end = End { id: id.clone(), status: Status::Completed, message: String::new() };
                out.push(Effect::Say(feedback(id, Status::Completed, "", Vec::new())));
                self.end = Some(end);
                self.todo.clear();
                self.next = None;
            }
            Err(words) => {
                out.push(say(id, Status::IdentificationFailed, &words, Vec::new()));
                self.todo.clear();
                self.next = None;
            }
        }
    }

    fn identify(&mut self, result: Result<(), String>, out: &mut Vec<Effect>) {
        let Some((id, desired, plan)) = self.next.take() else { return };
        if let Err(words) = result {
            return out.push(say(&id, Status::IdentificationFailed, &words, Vec::new()));
        }
        let reported = actions(&plan);
        self.activity = Some(Activity {
            id: id.clone(),
            desired,
            plan,
            is_downloaded: false,
            is_begun: false,
            is_updated: false,
            is_activated: false,
            is_untouched: true,
            running: None,
            last: None,
            failure: String::new(),
        });
        out.push(Effect::Save);
        out.push(say(&id, Status::Identified, "", reported));
    }

    fn answer(&mut self, command: Command, result: Result<(), String>, out: &mut Vec<Effect>) {
        let Some(activity) = &mut self.activity else { return };
        let is_done = result.is_ok();
        let words = result.err().unwrap_or_default();
        // If the program has named those that failed, the others have not.
        let is_failed = |planned: &Planned| {
            of_change(command, planned.change).is_some_and(|statuses| planned.action.status == statuses[2])
        };
        let is_named = activity.plan.iter().any(is_failed);
        for planned in &mut activity.plan {
            let Some([working, done, failed]) = of_change(command, planned.change) else { continue };
            let action = &mut planned.action;
            if is_done {
                (action.status, action.progress) = (done, 100);
                action.message.clear();
            } else if action.status == working && !is_named {
                action.status = failed;
            }
        }
        match command {
            Command::Download => activity.is_downloaded = is_done,
            Command::Update => activity.is_updated = is_done,
            Command::Activate => {
                activity.is_activated = is_done;
                // Then there is nothing to roll back.
                activity.is_begun &= !activity.is_untouched;
            }
            Command::Rollback if is_done => (activity.is_begun, activity.is_updated) = (false, false),
            Command::Rollback | Command::Cleanup => {}
        }
        if activity.failure.is_empty() {
            activity.failure = words.clone();
        }
        activity.running = None;
        let status = if is_done { command.success() } else { command.failure() };
        out.push(Effect::Save);
        out.push(say(&activity.id, status, &words, actions(&activity.plan)));
        activity.last = Some((command, is_done, words));
    }

    fn finish(&mut self, result: Result<(), String>, out: &mut Vec<Effect>) {
        let Some(activity) = self.activity.take() else { return };
        let status = if activity.is_activated { Status::Completed } else { Status::Incomplete };
        let message = if activity.is_activated { String::new() } else { activity.failure };
        if activity.is_activated {
            self.installed = plan::outcome(&activity.plan);
            out.push(Effect::SaveInstalled);
        }
        let (cleaned, words) = match result {
            Ok(()) => (Status::CleanupSuccess, String::new()),
            Err(words) => (Status::CleanupFailure, words),
        };
        self.end = Some(End { id: activity.id.clone(), status, message: message.clone() });
        out.push(Effect::Save);
        out.push(say(&activity.id, cleaned, &words, actions(&activity.plan)));
        out.push(say(&activity.id, status, &message, actions(&activity.plan)));
    }
}
