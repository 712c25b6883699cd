//! Serves one domain with a program: calls it as the course wants, hands on what it
//! says, and remembers.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use log::Level;

use super::activity::{Effect, Outcome, Said, Step};
use super::course::Course;
use super::lock::{end_orphans, Lock};
use super::memory::Memory;
use super::told::{self, Told};
use crate::agent::Request;
use crate::limits::{EXEC_BEAT_MS, EXEC_LINE_MAX, EXEC_LOOK_UP_MS, EXEC_PROGRESS_MS, EXEC_STEP_MS, PROGRAM_LOGGED_MAX};
use crate::model::time;
use crate::shell::program::{Exit, Program};
use crate::shell::{explain, invalid};
use crate::wire::topic::topic_form;

/// The exit code for a command that the program does not know: EX_USAGE.
const NOT_MINE: i32 = 64;

/// How long calls may take: the command, empty for all, and milliseconds.
pub type Limits = Vec<(String, u64)>;

/// What is remembered of a call's lines.
#[derive(Default)]
struct Heard {
    /// The last one on standard error.
    complaint: String,
    /// How many went into the log.
    logged: u32,
}

/// A domain, its program and its course.
pub struct Worker {
    domain: String,
    program: PathBuf,
    limits: Limits,
    memory: Memory,
    course: Course,
    /// The program while it runs, and the lock that it holds.
    call: Option<(Program, Lock)>,
    heard: Heard,
    said: VecDeque<Said>,
    /// There is progress to be said, and when it may be.
    is_changed: bool,
    progress_at: Instant,
    /// When it is said that it goes on.
    beat_at: Instant,
    /// The level at which each call is logged.
    level: Level,
}

impl Worker {
    /// Goes on with what is in the domain's folder below `state_dir`. Each call is logged at
    /// `level`, what the program prints at INFO.
    ///
    /// # Errors
    /// The domain can have no topics, the folder cannot be used, or another agent uses it.
    pub fn open(
        domain: &str,
        program: &str,
        limits: Limits,
        state_dir: &str,
        level: Level,
        now: Instant,
    ) -> io::Result<Worker> {
        topic_form(domain).map_err(invalid)?;
        let memory = Memory::open(state_dir, domain)?;
        end_orphans(&memory.path("program.lock"))?;
        let mut course = Course::default();
        memory.load(domain, &mut course);
        let mut worker = Worker {
            domain: domain.to_owned(),
            program: PathBuf::from(program),
            limits,
            memory,
            course,
            call: None,
            heard: Heard::default(),
            said: VecDeque::new(),
            is_changed: false,
            progress_at: now,
            beat_at: now,
            level,
        };
        let mut effects = Vec::new();
        worker.course.resume(&mut effects);
        worker.carry_out(effects, now);
        Ok(worker)
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Takes a request in.
    pub fn handle(&mut self, request: Request, now: Instant) {
        let mut effects = Vec::new();
        self.course.handle(request, &mut effects);
        self.carry_out(effects, now);
    }

    /// What is to be said next.
    pub fn said(&self) -> Option<&Said> {
        self.said.front()
    }

    /// It was said.
    pub fn pop_said(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// Ready when [`Worker::turn`] has something to do.
    pub fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Worker { call: Some((program, _)), domain, course, heard, is_changed, .. } = self else {
            return Poll::Pending;
        };
        program.poll_output(cx, &mut |line, is_err| *is_changed |= take(domain, course, heard, line, is_err))
    }

    /// When [`Worker::turn`] wants to be called; none while nothing runs.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let due = self.call.as_ref()?.0.poll_timeout(now).min(self.beat_at);
        Some(if self.is_changed { due.min(self.progress_at) } else { due })
    }

    /// Does what is due.
    pub fn turn(&mut self, now: Instant) {
        let Worker { call: Some((program, _)), domain, course, heard, is_changed, .. } = self else { return };
        let exit = program.turn(now, &mut |line, is_err| *is_changed |= take(domain, course, heard, line, is_err));
        if let Some(exit) = exit {
            self.release();
            let mut effects = Vec::new();
            let outcome = self.outcome(&exit);
            self.course.handle_outcome(outcome, &mut effects);
            self.is_changed = false;
            self.carry_out(effects, now);
        } else if self.beat_at <= now || (self.is_changed && self.progress_at <= now) {
            self.said.extend(self.course.progress());
            self.rest(now);
        }
    }

    /// Ends the program: this process ends.
    pub fn abandon(&mut self) {
        if let Some((program, lock)) = self.call.take() {
            program.kill();
            lock.release();
        }
    }

    /// Lets go of the program, which has ended.
    fn release(&mut self) {
        if let Some((_, lock)) = self.call.take() {
            lock.release();
        }
    }

    fn rest(&mut self, now: Instant) {
        self.is_changed = false;
        self.progress_at = now + Duration::from_millis(EXEC_PROGRESS_MS);
        self.beat_at = now + Duration::from_millis(EXEC_BEAT_MS);
    }

    fn outcome(&self, exit: &Exit) -> Outcome {
        let words = if self.course.words().is_empty() { &self.heard.complaint } else { self.course.words() };
        let how = match exit {
            Exit::Code(0) => return Outcome::Done,
            Exit::Code(NOT_MINE) => return Outcome::NotMine,
            Exit::Code(code) if !words.is_empty() => {
                let hint = explain::hint(&self.program, *code);
                return Outcome::Failed(hint.map_or_else(|| words.to_owned(), |hint| format!("{words}: {hint}")));
            }
            Exit::Code(code) => format!("ended with exit code {code}"),
            Exit::Signal(signal) => format!("ended by signal {signal}"),
            Exit::Late(ms) => format!("not done in {}", time::Duration(*ms)),
            Exit::Unknown(why) => why.clone(),
        };
        Outcome::Failed(if words.is_empty() { how } else { format!("{how}: {words}") })
    }

    fn carry_out(&mut self, effects: Vec<Effect>, now: Instant) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Run(step) => {
                    if let Err(error) = self.run(step, now) {
                        let cause = explain::cause(&self.program, &error);
                        let words = format!("{} cannot be called: {cause}", self.program.display());
                        log::error!("[{}] {words}", self.domain);
                        let mut further = Vec::new();
                        self.course.handle_outcome(Outcome::Failed(words), &mut further);
                        effects.extend(further);
                    }
                }
                Effect::Kill => self.abandon(),
                Effect::Save => self.complain_of(self.memory.save(&self.course)),
                Effect::SaveInstalled => self.complain_of(self.memory.save_installed(&self.course.installed)),
                Effect::Say(said) => self.said.push_back(said),
            }
        }
    }

    fn complain_of(&self, result: io::Result<()>) {
        if let Err(error) = result {
            log::error!("[{}] not saved, and forgotten with a restart: {error}", self.domain);
        }
    }

    fn run(&mut self, step: Step, now: Instant) -> io::Result<()> {
        let (activity, plan, desired) = self.course.subject(step);
        log::log!(self.level, "[{}] {activity}: {}", self.domain, step.word());
        let input = self.memory.hand_out(plan, desired)?;
        let plan = self.memory.path("plan");
        let mut command = Command::new(&self.program);
        command.args([step.word(), activity]).env("UM_DOMAIN", &self.domain).env("UM_PLAN", plan).stdin(input);
        let lock = Lock::hand_to(&self.memory.path("program.lock"), &mut command)?;
        let limit_ms = limit(&self.limits, step);
        self.call = Some((Program::start(command, limit_ms, EXEC_LINE_MAX, now)?, lock));
        self.heard = Heard::default();
        self.rest(now);
        Ok(())
    }
}

/// Takes a line of the program's in; whether that changes what is reported.
fn take(domain: &str, course: &mut Course, heard: &mut Heard, line: &str, is_err: bool) -> bool {
    let told = if is_err { Told::Line } else { told::parse(line) };
    if is_err {
        line.clone_into(&mut heard.complaint);
    }
    if told != Told::Line {
        return course.take(told);
    }
    heard.logged = heard.logged.saturating_add(1);
    match heard.logged {
        PROGRAM_LOGGED_MAX => log::info!("[{domain}] {line} (further lines are not logged)"),
        n if n < PROGRAM_LOGGED_MAX => log::info!("[{domain}] {line}"),
        _ => {}
    }
    false
}

fn limit(limits: &Limits, step: Step) -> u64 {
    let of = |word: &str| limits.iter().rev().find(|(command, _)| command == word).map(|(_, ms)| *ms);
    of(step.word()).unwrap_or_else(|| match step {
        Step::Inventory | Step::Look | Step::Identify => EXEC_LOOK_UP_MS,
        _ => of("").unwrap_or(EXEC_STEP_MS),
    })
}
