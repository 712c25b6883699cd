//! What went over the wire about one domain in one activity.

use crate::world::cast::steps_of;
use crate::world::seen::Seen;
use crate::world::whole::setup::Part;

pub const FORWARD: [&str; 3] = ["DOWNLOAD", "UPDATE", "ACTIVATE"];

/// What a domain was told and what its agent said.
pub struct Way {
    pub part: Part,
    /// Desired states that it was given.
    pub states: usize,
    /// It may have got something twice.
    pub is_told_again: bool,
    /// Commands that it was given, each once: DOWNLOAD, UPDATE, ACTIVATE.
    pub given: Vec<String>,
    /// What it owes an answer to, `IDENTIFY` for the desired state, and since when.
    pub owes: Option<(String, u64)>,
    /// When it was told to download, last.
    pub downloads: Option<u64>,
    /// What its agent said, known to the manager or not.
    pub said: Said,
    /// What the manager knows of that.
    pub known: Known,
    /// When it was told to roll back, first and last.
    pub rolled: Option<(u64, u64)>,
    /// When it was told to clean up, last.
    pub cleaned: Option<u64>,
    /// Its agent has said what it has since it got a desired state, as after a start.
    pub is_back: bool,
}

/// What an agent said.
#[derive(Default)]
pub struct Said {
    /// What it has done well, `IDENTIFY` for the desired state.
    pub left: Vec<&'static str>,
    /// It named actions; none before it has identified.
    pub has_actions: Option<bool>,
    /// It said `COMPLETED` before it was told to clean up.
    pub has_completed: bool,
    pub failure: Option<String>,
    /// Its answer to ROLLBACK.
    pub rollback: Option<String>,
    /// It has answered CLEANUP, or said that its part has ended.
    pub has_ended: bool,
}

/// What the manager knows of an agent's words.
#[derive(Default)]
pub struct Known {
    /// It said `COMPLETED`.
    pub is_completed: bool,
    /// A failure that counts as soon as it is known.
    pub failure: Option<String>,
    /// It has rolled back.
    pub is_undone: bool,
    /// It has refused to.
    pub is_refused: bool,
    /// It has activated.
    pub has_activated: bool,
    /// It has come to a good end, if this is an activity in which it is restored.
    pub is_restored: bool,
}

impl Way {
    pub fn new(part: Part) -> Way {
        Way {
            part,
            states: 0,
            is_told_again: false,
            given: Vec::new(),
            owes: None,
            downloads: None,
            said: Said::default(),
            known: Known::default(),
            rolled: None,
            cleaned: None,
            is_back: false,
        }
    }

    pub fn was_given(&self, command: &str) -> bool {
        self.given.iter().any(|given| given == command)
    }

    pub fn has_left(&self, command: &str) -> bool {
        self.said.left.contains(&command)
    }

    /// Its DOWNLOAD failed, and it was given nothing else.
    pub fn has_nothing_to_undo(&self) -> bool {
        !self.was_given("UPDATE") && self.said.failure.as_deref() == Some("DOWNLOAD_FAILURE")
    }

    /// The manager has to know that it is old. What a boot has made of one, no answer tells.
    pub fn is_surely_old(&self) -> bool {
        self.part.is_orderly && !self.part.boots && self.states == 1 && self.known.is_undone
    }

    /// It was waited for in vain, and has got nothing but DOWNLOAD. What its agent said may
    /// be lost with a cut.
    pub fn is_lost_in_download(&self, now: u64, patience_ms: u64, has_cuts: bool) -> bool {
        let is_late = self.downloads.is_some_and(|since| now >= since + patience_ms);
        !self.was_given("UPDATE") && is_late && (has_cuts || !self.has_left("DOWNLOAD"))
    }

    /// Whether it has owed what leads it forward for so long.
    pub fn is_silent(&self, now: u64, patience_ms: u64) -> bool {
        self.owes.as_ref().is_some_and(|(order, since)| is_forward(order) && now >= since + patience_ms)
    }

    /// Whether the undoing of it has ended: answered, or waited for.
    pub fn is_rolled_back(&self, now: u64, patience_ms: u64) -> bool {
        self.rolled.is_some_and(|(_, last)| self.said.rollback.is_some() || now >= last + patience_ms)
    }

    /// Whether what it was told to clean up has ended: answered, or waited for.
    pub fn is_over(&self, now: u64, patience_ms: u64) -> bool {
        self.said.has_ended || self.cleaned.is_some_and(|last| now >= last + patience_ms)
    }

    /// No ROLLBACK helps any more.
    pub fn is_past_return(&self) -> bool {
        self.part.is_for_good && self.was_given("ACTIVATE")
    }

    /// It is told something.
    pub fn tell(&mut self, order: &str, now: u64) {
        match order {
            "IDENTIFY" => {
                self.states += 1;
                (self.is_back, self.known.has_activated) = (false, false);
            }
            "ROLLBACK" => self.rolled = Some((self.rolled.map_or(now, |(first, _)| first), now)),
            "CLEANUP" => self.cleaned = Some(now),
            command if !self.was_given(command) => self.given.push(command.to_owned()),
            _ => {}
        }
        if order == "DOWNLOAD" {
            self.downloads = Some(now);
        }
        // What is told once more, and what follows a desired state that is not answered, has no
        // time of its own.
        let is_repeated = |owed: &str| owed == order || owed == "IDENTIFY";
        let since = self.owes.as_ref().filter(|(owed, _)| is_repeated(owed)).map_or(now, |(_, since)| *since);
        self.owes = Some((order.to_owned(), since));
    }

    /// Its agent says something, which need not arrive.
    pub fn hear(&mut self, seen: &Seen) {
        let status = seen.status();
        let is_answer = self.cleaned.is_some() && matches!(status, "CLEANUP_SUCCESS" | "CLEANUP_FAILURE" | "COMPLETE");
        self.said.has_ended |= is_answer || matches!(status, "COMPLETED" | "INCOMPLETE");
        match status {
            "IDENTIFIED" => {
                let actions = seen.json()["payload"]["actions"].as_array().cloned().unwrap_or_default();
                self.said.has_actions = Some(!actions.is_empty());
                self.said.has_completed &= self.known.is_completed;
                self.leave("IDENTIFY");
                // It remembers, or has nothing left to do: nothing leads it any further.
                if self.states > 1 && actions.iter().all(|action| action["status"] == "ACTIVATION_SUCCESS") {
                    self.leave("ACTIVATE");
                }
            }
            "COMPLETED" | "COMPLETE" if self.cleaned.is_none() => {
                let actions = seen.json()["payload"]["actions"].as_array().map_or(0, Vec::len);
                self.said.has_actions = Some(self.said.has_actions == Some(true) || actions > 0);
                self.said.has_completed = self.said.has_actions == Some(true);
                self.leave("IDENTIFY");
            }
            "ROLLBACK_SUCCESS" | "ROLLBACK_FAILURE" if self.rolled.is_some() && self.cleaned.is_none() => {
                self.said.rollback = Some(status.to_owned());
            }
            _ if is_failure(status) => self.said.failure = Some(status.to_owned()),
            _ => {
                if let Some(command) = FORWARD.into_iter().find(|command| steps_of(command).success == status) {
                    self.leave(command);
                }
            }
        }
    }

    fn leave(&mut self, order: &'static str) {
        // One that goes on after it has failed meant a course before.
        self.said.failure = None;
        if !self.has_left(order) {
            self.said.left.push(order);
        }
        if self.owes.as_ref().is_some_and(|(owed, _)| owed == order) {
            self.owes = None;
        }
    }

    /// The manager knows what its agent said.
    pub fn learn(&mut self, status: &str) {
        self.known.is_completed |= self.part.is_orderly && self.said.has_completed && status == "COMPLETED";
        self.known.is_undone |= self.said.rollback.as_deref() == Some(status) && status == "ROLLBACK_SUCCESS";
        self.known.is_refused |= self.said.rollback.as_deref() == Some(status) && status == "ROLLBACK_FAILURE";
        let is_early = self.cleaned.is_none() && status == "COMPLETED";
        let is_clean = self.cleaned.is_some() && matches!(status, "CLEANUP_SUCCESS" | "COMPLETED");
        self.known.is_restored |= self.part.is_orderly && (is_early || is_clean && self.known.has_activated);
        self.known.has_activated |= self.cleaned.is_none() && status == "ACTIVATION_SUCCESS";
        let owes_forward = self.owes.as_ref().is_some_and(|(order, _)| is_forward(order));
        let is_past = |command: &&str| steps_of(command).failure == status && self.has_left(command);
        let counts = self.states == 1 && !self.is_told_again && owes_forward && !FORWARD.iter().any(is_past);
        if is_failure(status) && counts && self.part.is_orderly {
            self.known.failure.get_or_insert_with(|| status.to_owned());
            self.owes = None;
        }
    }
}

pub fn is_forward(order: &str) -> bool {
    order == "IDENTIFY" || FORWARD.contains(&order)
}

fn is_failure(status: &str) -> bool {
    status.ends_with("_FAILURE") || status.ends_with("_FAILED") || status == "INCOMPLETE"
}
