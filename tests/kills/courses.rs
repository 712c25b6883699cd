//! Whether each domain is asked for each step once (repeats after a loss are rare and
//! known), as far as the broker shows it.
//!
//! A course is the way of a domain from a desired state that it has taken: in each, the
//! manager sends DOWNLOAD, UPDATE and ACTIVATE at most once, and in this order. An agent
//! that takes a desired state says `IDENTIFIED`, but the manager may not have read that
//! yet when it sends a command of the course before. So a course begins here with the
//! first DOWNLOAD that the course before has no room for, if there was an `IDENTIFIED`
//! for it.

use std::collections::HashMap;

pub const FORWARD: [&str; 3] = ["DOWNLOAD", "UPDATE", "ACTIVATE"];

/// Milliseconds by which the manager's timestamps and its timers may differ.
pub const SLACK_MS: u64 = 100;

/// Milliseconds after an agent's `IDENTIFIED` in which the manager may not have read it.
pub const UNREAD_MS: u64 = 500;

/// The courses of all activities that are not judged yet.
pub struct Courses {
    resume_after_ms: u64,
    /// When the manager last lost what was on its way to it.
    session_lost_ms: u64,
    /// By activity and domain.
    domains: HashMap<(String, String), Domain>,
}

#[derive(Default)]
struct Domain {
    /// How often it got the desired state, and when it did last.
    desired: u32,
    desired_ms: u64,
    /// When it last said `IDENTIFIED`.
    identified_ms: u64,
    /// How many `IDENTIFIED` have begun no course yet.
    identified: u32,
    /// Commands of `FORWARD` that were sent in the present course.
    sent: usize,
    /// A command was sent again since the last desired state.
    is_repeated: bool,
    repeated: u32,
    /// ROLLBACK or CLEANUP was sent: nothing leads forward any more.
    turned: Option<String>,
}

impl Courses {
    pub fn new(resume_after_ms: u64) -> Courses {
        Courses { resume_after_ms, session_lost_ms: 0, domains: HashMap::new() }
    }

    /// The manager has lost what was on its way to it.
    pub fn lose_session(&mut self, at_ms: u64) {
        self.session_lost_ms = at_ms;
    }

    /// Takes what an agent reports.
    pub fn answer(&mut self, activity: &str, domain: &str, at_ms: u64, status: &str) {
        let key = (activity.to_owned(), domain.to_owned());
        if let Some(domain) = self.domains.get_mut(&key).filter(|_| status == "IDENTIFIED") {
            domain.identified += 1;
            domain.identified_ms = at_ms;
        }
    }

    /// Takes what the manager sends to an agent: a desired state, or a command.
    ///
    /// # Errors
    /// It must not be.
    pub fn ask(&mut self, activity: &str, domain: &str, at_ms: u64, command: &str) -> Result<(), String> {
        let (resume_after_ms, session_lost_ms) = (self.resume_after_ms, self.session_lost_ms);
        let state = self.domains.entry((activity.to_owned(), domain.to_owned())).or_default();
        let place = FORWARD.iter().position(|&forward| forward == command);
        let is_desired = command.is_empty();
        if let Some(turned) = state.turned.as_ref().filter(|_| place.is_some() || is_desired) {
            let what = if is_desired { "the desired state" } else { command };
            return Err(format!("{activity}: {domain} gets {what} after {turned}"));
        }
        match place {
            None if is_desired => {
                state.desired += 1;
                state.desired_ms = at_ms;
                state.is_repeated = false;
            }
            None => state.turned = Some(command.to_owned()),
            Some(place) if place > 0 && place == state.sent => state.sent += 1,
            Some(0) if state.identified > 0 => {
                state.identified -= 1;
                state.sent = 1;
            }
            Some(place) if place + 1 == state.sent && state.may_repeat(at_ms, resume_after_ms, session_lost_ms) => {
                state.is_repeated = true;
                state.repeated += 1;
            }
            Some(_) => return Err(format!("{activity}: {domain} gets {command} {}", state.describe(at_ms))),
        }
        Ok(())
    }

    /// Forgets the activity; returns how many desired states and commands were sent again.
    pub fn close(&mut self, activity: &str) -> (u32, u32) {
        let (mut desired, mut commands) = (0, 0);
        self.domains.retain(|(of, _), state| {
            let stays = of != activity;
            if !stays {
                desired += state.desired.saturating_sub(1);
                commands += state.repeated;
            }
            stays
        });
        (desired, commands)
    }
}

impl Domain {
    /// Whether the last command may be sent again: once for a desired state that was sent
    /// again, when it is not answered for `resumeAfter`, since the agent may never have got
    /// the command and take no desired state while it waits for it.
    fn may_repeat(&self, at_ms: u64, resume_after_ms: u64, session_lost_ms: u64) -> bool {
        let is_answered = self.identified_ms >= self.desired_ms;
        let is_unread = at_ms < self.identified_ms + UNREAD_MS || session_lost_ms >= self.desired_ms;
        self.desired > 1
            && !self.is_repeated
            && at_ms + SLACK_MS >= self.desired_ms + resume_after_ms
            && (!is_answered || is_unread)
    }

    /// Why a command must not be.
    fn describe(&self, at_ms: u64) -> String {
        let last = match self.sent.checked_sub(1) {
            Some(last) => format!("after {} in the same course", FORWARD[last]),
            None => "before anything else".to_owned(),
        };
        let ago = at_ms.saturating_sub(self.desired_ms);
        let repeated = if self.is_repeated { ", a command was repeated since" } else { "" };
        let answered = if self.identified_ms >= self.desired_ms { "answered" } else { "not answered" };
        format!("{last}; desired state {} was sent {ago} ms before, {answered}{repeated}", self.desired)
    }
}

/// Plays what is known to be right or wrong.
///
/// # Panics
/// It is not judged so.
pub fn check() {
    let once = "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|3 ACTIVATE|4 CLEANUP";
    let right = [
        once,
        // A domain that has nothing to do, and one that is repaired and starts over.
        "0 desired|5 desired|5 CLEANUP",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|9 desired|9 IDENTIFIED|9 DOWNLOAD|9 UPDATE|9 ACTIVATE|9 CLEANUP",
        // It was only slow, and starts over after that; the manager has not read that yet.
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|9 desired|9 UPDATE|9 ACTIVATE|9 IDENTIFIED|9 DOWNLOAD|9 UPDATE",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|9 desired|9 IDENTIFIED|9 ACTIVATE|9 DOWNLOAD|9 UPDATE",
        // The agent takes no desired state, or its answer is lost.
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|3000 desired|5000 DOWNLOAD|6000 UPDATE",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|3000 desired|3000 IDENTIFIED|3001 lost|5000 UPDATE",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|3000 desired|4990 IDENTIFIED|5000 UPDATE|5001 DOWNLOAD",
    ];
    let wrong = [
        "0 desired|1 DOWNLOAD",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|5000 DOWNLOAD",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|3 DOWNLOAD",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 ACTIVATE",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|3 CLEANUP|4 ACTIVATE",
        "0 desired|0 IDENTIFIED|1 ROLLBACK|2 desired",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|9 desired|9 IDENTIFIED|9 DOWNLOAD|9 DOWNLOAD",
        // Too early, once too often, and although the desired state was answered.
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|3000 desired|4000 DOWNLOAD",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|3000 desired|5000 DOWNLOAD|7000 DOWNLOAD",
        "0 desired|0 IDENTIFIED|1 DOWNLOAD|2 UPDATE|3000 desired|3000 IDENTIFIED|5000 UPDATE",
    ];
    right.iter().for_each(|story| assert_eq!(play(story), Ok(()), "{story}"));
    wrong.iter().for_each(|story| assert!(play(story).is_err(), "{story}"));
}

/// Takes a story: milliseconds, and what a domain is sent or says then.
fn play(story: &str) -> Result<(), String> {
    let mut courses = Courses::new(2000);
    for (at, what) in story.split('|').filter_map(|moment| moment.split_once(' ')) {
        let at = at.parse().map_err(|_| format!("{at} is no time"))?;
        match what {
            "lost" => courses.lose_session(at),
            "IDENTIFIED" => courses.answer("act", "a", at, what),
            "desired" => courses.ask("act", "a", at, "")?,
            command => courses.ask("act", "a", at, command)?,
        }
    }
    Ok(())
}
