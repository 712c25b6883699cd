//! Whether a group of domains succeeds together or is turned back together
//! (docs/whole-device.md), as far as the broker shows it.
//!
//! The broker shows what an agent says before the manager reads it, and what the manager
//! sends after it has decided. So that nothing is sent *before* something was said can always
//! be judged; what must not follow any more is judged after what the manager itself has sent:
//! ROLLBACK, or the reasons to turn back. Where kills blur the rest, only what is certain
//! counts:
//!
//!  - An agent that was started over has forgotten what it did, but the manager may not have
//!    read that yet, or have lost it with its session ([`Domain::may_count`]).
//!  - Whether a domain that was given DOWNLOAD alone has to be rolled back depends on an answer
//!    that may be lost: it has to for certain if nothing was ([`Domain::has_to_go_back`]).
//!  - ROLLBACK_FAILURE counts for certain if it cannot be lost.
//!  - That ROLLBACK_SUCCESS counts is certain of a domain that got the desired state once, if
//!    the answer cannot be lost and came before the end ([`Domain::is_surely_old`]).

use std::collections::HashMap;

use crate::courses::{FORWARD, SLACK_MS, UNREAD_MS};

mod stories;

pub use stories::check;

/// Its message while a group is turned back begins so.
const ROLLING_BACK: &str = "rolling back: ";

/// What follows in a final message are the domains that are neither new nor known to be old.
const INCONSISTENT: &str = "inconsistent: ";

/// A domain as it was configured.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub name: &'static str,
    pub order: u8,
    pub group: usize,
}

/// What an activity is told to become.
#[derive(Clone, Debug)]
pub struct Setup {
    pub members: Vec<Member>,
    /// The domain that fails, and in which phase.
    pub fails: Option<(&'static str, &'static str)>,
    /// Whether groups are turned back; otherwise all domains share phases and commit, and
    /// one that fails is cleaned up by itself.
    pub is_whole: bool,
}

/// Whether a group was turned back, and a domain of it was named inconsistent.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Turned {
    pub is_turned: bool,
    pub is_inconsistent: bool,
}

/// How long the manager waits, in milliseconds.
#[derive(Clone, Copy)]
pub struct Patience {
    pub phase_ms: u64,
    pub cleanup_ms: u64,
}

/// The groups of all activities that are not judged yet.
pub struct Groups {
    patience: Patience,
    /// When the manager last lost what was on its way to it.
    session_lost_ms: u64,
    activities: HashMap<String, Activity>,
}

struct Activity {
    setup: Setup,
    domains: Vec<Domain>,
    turned: Turned,
}

struct Domain {
    member: Member,
    /// How often it got the desired state.
    desired: u32,
    /// How many commands of `FORWARD` it was given, over all its courses.
    given: usize,
    /// It was given DOWNLOAD again after UPDATE: nothing shows any more that it is old.
    is_blurred: bool,
    /// It has nothing to do.
    is_idle: bool,
    /// It has failed in a phase of `FORWARD`.
    has_failed: bool,
    course: Course,
    /// The backend was told that its group is turned back since it has failed.
    is_named: bool,
    undoing: Undoing,
    was_cleaned: bool,
}

/// The way of a domain from a desired state that it has taken.
#[derive(Default)]
struct Course {
    desired_ms: u64,
    identified_ms: u64,
    /// How many commands of `FORWARD` it has done well, in this course and the one before.
    done: usize,
    done_before: usize,
    /// The command of `FORWARD` that it has not answered, and when it was given first.
    owes: Option<(usize, u64)>,
}

#[derive(Default)]
struct Undoing {
    /// When it was given ROLLBACK first.
    asked_ms: Option<u64>,
    is_answered: bool,
    is_refused: bool,
    /// When it said ROLLBACK_SUCCESS first.
    undone_ms: Option<u64>,
}

impl Groups {
    pub fn new(patience: Patience) -> Groups {
        Groups { patience, session_lost_ms: 0, activities: HashMap::new() }
    }

    /// Judges this activity, until it is closed. Others are not judged.
    pub fn open(&mut self, activity: &str, setup: Setup) {
        let domains = setup.members.iter().map(|&member| Domain::new(member)).collect();
        self.activities.insert(activity.to_owned(), Activity { setup, domains, turned: Turned::default() });
    }

    /// The manager has lost what was on its way to it.
    pub fn lose_session(&mut self, at_ms: u64) {
        self.session_lost_ms = at_ms;
    }

    /// Takes what an agent reports.
    pub fn answer(&mut self, activity: &str, domain: &str, at_ms: u64, status: &str) {
        let Some(activity) = self.activities.get_mut(activity) else { return };
        if let Some(domain) = activity.domains.iter_mut().find(|other| other.member.name == domain) {
            domain.say(at_ms, status);
        }
    }

    /// Takes what the manager sends to an agent: a desired state, or a command.
    ///
    /// # Errors
    /// It must not be.
    pub fn ask(&mut self, id: &str, domain: &str, at_ms: u64, command: &str) -> Result<(), String> {
        let Some(activity) = self.activities.get_mut(id) else { return Ok(()) };
        let Some(place) = activity.domains.iter().position(|other| other.member.name == domain) else { return Ok(()) };
        let judged = activity.judge(place, at_ms, command, self.session_lost_ms, self.patience);
        let what = if command.is_empty() { "the desired state" } else { command };
        activity.domains[place].take(at_ms, command);
        judged.map_err(|why| format!("{id}: {domain} gets {what} {why}"))
    }

    /// Takes what the backend is told.
    ///
    /// # Errors
    /// It must not be, or is no right end.
    pub fn tell(&mut self, id: &str, at_ms: u64, status: &str, message: &str) -> Result<(), String> {
        let Some(activity) = self.activities.get_mut(id) else { return Ok(()) };
        if status == "RUNNING" {
            return activity.turn_back(message).map_err(|why| format!("{id}: {why}: {message}"));
        }
        if ["IDENTIFYING", "IDENTIFIED"].contains(&status) {
            return Ok(());
        }
        let judged = activity.end(at_ms, status, message, self.session_lost_ms);
        activity.turned = judged.map_err(|why| format!("{id}: {status}, {message:?}: {why}"))?;
        Ok(())
    }

    /// Forgets the activity; returns what became of its groups.
    pub fn close(&mut self, activity: &str) -> Turned {
        self.activities.remove(activity).map(|activity| activity.turned).unwrap_or_default()
    }
}

impl Activity {
    fn judge(&self, place: usize, at_ms: u64, command: &str, lost_ms: u64, patience: Patience) -> Result<(), String> {
        let domain = &self.domains[place];
        match command {
            "ROLLBACK" => self.judge_rollback(domain, at_ms, lost_ms, patience),
            "CLEANUP" => self.judge_cleanup(domain, at_ms, lost_ms),
            _ => {
                if let Some(other) = self.of_group(domain.member.group).find(|other| other.is_turned()) {
                    return Err(format!("although its group is turned back: {}", other.member.name));
                }
                let is_first = command == "ACTIVATE" && domain.given < FORWARD.len();
                let is_before = |other: &&Domain| is_first && other.member.order < domain.member.order;
                self.await_activation(self.of_group(domain.member.group).filter(is_before), at_ms, lost_ms)
            }
        }
    }

    /// Nothing follows before these domains have activated; without groups, before they have
    /// activated or failed.
    fn await_activation<'d>(
        &self,
        mut domains: impl Iterator<Item = &'d Domain>,
        at_ms: u64,
        lost_ms: u64,
    ) -> Result<(), String> {
        let has_failed = |domain: &Domain| !self.setup.is_whole && domain.has_failed;
        match domains.find(|domain| !domain.has_activated(at_ms, lost_ms) && !has_failed(domain)) {
            Some(other) => Err(format!("before {} has activated", other.member.name)),
            None => Ok(()),
        }
    }

    /// ROLLBACK goes out in descending order, when the busy are not waited for any more, and
    /// only where a domain has failed.
    fn judge_rollback(&self, domain: &Domain, at_ms: u64, lost_ms: u64, patience: Patience) -> Result<(), String> {
        if !self.has_failure(domain.member.group) {
            return Err("although no domain of its group has failed".to_owned());
        }
        let has_passed = |since_ms: u64, time_ms: u64| at_ms + SLACK_MS >= since_ms + time_ms;
        for other in self.of_group(domain.member.group) {
            if let Some((place, since_ms)) = other.course.owes.filter(|(_, ms)| !has_passed(*ms, patience.phase_ms)) {
                let (ago, name) = (at_ms.saturating_sub(since_ms), other.member.name);
                return Err(format!("{ago} ms after {name} got {}, unanswered", FORWARD[place]));
            }
        }
        let is_before = |other: &&Domain| other.member.order > domain.member.order;
        for other in self.of_group(domain.member.group).filter(is_before) {
            let (undoing, name) = (&other.undoing, other.member.name);
            match undoing.asked_ms {
                None if other.has_to_go_back(lost_ms) => return Err(format!("before {name}")),
                Some(asked_ms) if !undoing.is_answered && !has_passed(asked_ms, patience.cleanup_ms) => {
                    return Err(format!("{} ms after {name}, unanswered", at_ms.saturating_sub(asked_ms)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// CLEANUP is the point of no return: nobody gets it before all have activated, unless
    /// the group is turned back.
    fn judge_cleanup(&self, domain: &Domain, at_ms: u64, lost_ms: u64) -> Result<(), String> {
        let is_unidentified = matches!(self.setup.fails, Some((_, "identify")));
        if domain.is_idle || is_unidentified || self.setup.is_whole && self.has_failure(domain.member.group) {
            return Ok(());
        }
        // Without groups one that has failed is cleaned up by itself.
        if !self.setup.is_whole && domain.has_failed {
            return Ok(());
        }
        self.await_activation(self.of_group(domain.member.group), at_ms, lost_ms)
    }

    /// Takes the reasons for which a group is turned back. What went wrong with others is
    /// among them.
    fn turn_back(&mut self, message: &str) -> Result<(), String> {
        let Some(reasons) = message.strip_prefix(ROLLING_BACK) else { return Ok(()) };
        let fails = |domain: &Domain| self.setup.fails.is_some_and(|(name, _)| name == domain.member.name);
        let place = self.domains.iter().position(|domain| fails(domain) && is_named(reasons, domain.member.name));
        match place.filter(|&place| self.has_failure(self.domains[place].member.group)) {
            Some(place) => self.domains[place].is_named = true,
            None => return Err("no group is to be turned back for that".to_owned()),
        }
        Ok(())
    }

    /// Judges the end.
    fn end(&self, at_ms: u64, status: &str, message: &str, lost_ms: u64) -> Result<Turned, String> {
        let inconsistent = message.split_once(INCONSISTENT).map(|(_, named)| named);
        if inconsistent.is_some() != (status == "INCOMPLETE_INCONSISTENT") {
            return Err("the status is not that of the message".to_owned());
        }
        let inconsistent = inconsistent.unwrap_or_default();
        let (mut is_turned, mut is_back) = (false, false);
        for domain in &self.domains {
            let (name, is_inconsistent) = (domain.member.name, is_named(inconsistent, domain.member.name));
            let is_turned_back = self.is_to_be_turned_back(domain.member.group);
            let judged = match self.setup.fails {
                Some((_, "identify")) => domain.judge_unidentified(is_inconsistent),
                _ if is_turned_back => domain.judge_turned_back(is_inconsistent, at_ms, lost_ms),
                _ => domain.judge_committed(is_inconsistent, !self.setup.is_whole && domain.has_failed),
            };
            judged.map_err(|why| format!("{name} {why}"))?;
            is_back |= is_turned_back && domain.undoing.asked_ms.is_some() && !is_inconsistent;
            is_turned |= is_turned_back;
        }
        if message.contains("rolled back") != is_back {
            return Err(format!("the message does not tell whether something was rolled back ({is_back})"));
        }
        Ok(Turned { is_turned, is_inconsistent: !inconsistent.is_empty() })
    }

    fn of_group(&self, group: usize) -> impl Iterator<Item = &Domain> {
        self.domains.iter().filter(move |domain| domain.member.group == group)
    }

    /// Whether the script turns the group back.
    fn is_to_be_turned_back(&self, group: usize) -> bool {
        let Some((name, "download" | "update" | "activate")) = self.setup.fails else { return false };
        self.setup.is_whole && self.of_group(group).any(|domain| domain.member.name == name)
    }

    /// Whether the script turns the group back, and the domain that is to fail has failed.
    /// Nobody else may: each that is killed is started over in time.
    fn has_failure(&self, group: usize) -> bool {
        let fails = |domain: &Domain| self.setup.fails.is_some_and(|(name, _)| name == domain.member.name);
        self.is_to_be_turned_back(group) && self.of_group(group).any(|domain| domain.has_failed && fails(domain))
    }
}

impl Domain {
    fn new(member: Member) -> Domain {
        Domain {
            member,
            desired: 0,
            given: 0,
            is_blurred: false,
            is_idle: false,
            has_failed: false,
            course: Course::default(),
            is_named: false,
            undoing: Undoing::default(),
            was_cleaned: false,
        }
    }

    fn say(&mut self, at_ms: u64, status: &str) {
        let course = &mut self.course;
        match status {
            "IDENTIFIED" if self.given > 0 => {
                *course = Course {
                    desired_ms: course.desired_ms,
                    identified_ms: at_ms,
                    done_before: course.done,
                    ..Course::default()
                };
            }
            "COMPLETED" if self.given == 0 => self.is_idle = true,
            "ROLLBACK_SUCCESS" if self.undoing.asked_ms.is_some() => {
                self.undoing.is_answered = true;
                self.undoing.undone_ms.get_or_insert(at_ms);
            }
            "ROLLBACK_FAILURE" if self.undoing.asked_ms.is_some() => {
                self.undoing.is_answered = true;
                self.undoing.is_refused = true;
            }
            _ => {
                let Some((what, ending)) = status.rsplit_once('_') else { return };
                let what = if what == "ACTIVATION" { "ACTIVATE" } else { what };
                let Some(place) = FORWARD.iter().position(|&command| command == what) else { return };
                self.has_failed |= ending == "FAILURE";
                if ending == "SUCCESS" {
                    course.done = course.done.max(place + 1);
                }
                course.owes = course.owes.filter(|&(owed, _)| owed != place);
            }
        }
    }

    fn take(&mut self, at_ms: u64, command: &str) {
        match command {
            "" => {
                self.desired += 1;
                self.course.desired_ms = at_ms;
            }
            "ROLLBACK" => drop(self.undoing.asked_ms.get_or_insert(at_ms)),
            "CLEANUP" => self.was_cleaned = true,
            _ => {
                let Some(place) = FORWARD.iter().position(|&forward| forward == command) else { return };
                self.is_blurred |= place == 0 && self.given > 1;
                self.given = self.given.max(place + 1);
                // One that comes again need not be waited for if it was answered already.
                let is_known = self.course.done > place || self.has_failed;
                if !is_known && self.course.owes.map_or(true, |(owed, _)| owed != place) {
                    self.course.owes = Some((place, at_ms));
                }
            }
        }
    }

    /// Whether what the domain did in the course before may still count, since the manager
    /// does not know that it has begun another.
    fn may_count(&self, at_ms: u64, lost_ms: u64) -> bool {
        at_ms < self.course.identified_ms + UNREAD_MS || lost_ms >= self.course.desired_ms
    }

    fn has_activated(&self, at_ms: u64, lost_ms: u64) -> bool {
        let is_so = |done: usize| done == FORWARD.len();
        self.is_idle || is_so(self.course.done) || is_so(self.course.done_before) && self.may_count(at_ms, lost_ms)
    }

    /// Whether it has to get ROLLBACK for certain.
    fn has_to_go_back(&self, lost_ms: u64) -> bool {
        self.given > 1 || self.course.done > 0 && lost_ms < self.course.desired_ms
    }

    /// Whether the manager knows for certain that it is old.
    fn is_surely_old(&self, end_ms: u64, lost_ms: u64) -> bool {
        let is_read = |asked_ms: u64, undone_ms: u64| lost_ms < asked_ms && undone_ms + UNREAD_MS < end_ms;
        let is_undone = matches!(
            (self.undoing.asked_ms, self.undoing.undone_ms),
            (Some(asked_ms), Some(undone_ms)) if is_read(asked_ms, undone_ms)
        );
        self.given == 0 || self.desired == 1 && is_undone
    }

    /// Whether the manager has shown that its group is turned back.
    fn is_turned(&self) -> bool {
        self.is_named || self.undoing.asked_ms.is_some()
    }

    fn judge_unidentified(&self, is_inconsistent: bool) -> Result<(), String> {
        match () {
            () if is_inconsistent => Err("is named, but nothing was changed".to_owned()),
            () if self.given > 0 => Err(format!("got {} although one does not identify", FORWARD[self.given - 1])),
            () => Ok(()),
        }
    }

    /// `fails_by_itself`: without groups a domain that has failed need not have activated.
    fn judge_committed(&self, is_inconsistent: bool, fails_by_itself: bool) -> Result<(), String> {
        let has_activated = [self.course.done, self.course.done_before].contains(&FORWARD.len());
        match () {
            () if is_inconsistent => Err("is named, but its group is committed".to_owned()),
            () if self.is_idle => Ok(()),
            () if !has_activated && !fails_by_itself => Err("has not activated".to_owned()),
            () if !self.was_cleaned => Err("got no CLEANUP".to_owned()),
            () => Ok(()),
        }
    }

    fn judge_turned_back(&self, is_inconsistent: bool, end_ms: u64, lost_ms: u64) -> Result<(), String> {
        let was_asked = self.undoing.asked_ms.is_some();
        let is_refused = self.undoing.is_refused && self.undoing.asked_ms.is_some_and(|asked_ms| lost_ms < asked_ms);
        let needs_answer = self.given == FORWARD.len() || is_refused;
        match () {
            () if self.given > 0 && !self.was_cleaned => Err("got no CLEANUP".to_owned()),
            () if !was_asked && self.has_to_go_back(lost_ms) => Err("got no ROLLBACK".to_owned()),
            () if is_inconsistent && self.is_surely_old(end_ms, lost_ms) => Err("is named, but old".to_owned()),
            () if is_inconsistent => Ok(()),
            () if self.is_blurred => Err("was updated before it was started over, and is not named".to_owned()),
            () if needs_answer && self.undoing.undone_ms.is_none() => {
                Err("has not rolled back, and is not named".to_owned())
            }
            () => Ok(()),
        }
    }
}

fn is_named(message: &str, domain: &str) -> bool {
    message.contains(&format!("[{domain}]"))
}
