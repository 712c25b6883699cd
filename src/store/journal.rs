//! What has happened, for whoever asks later: the last events, each a few bytes, and
//! the last activities. Both go with the saved history.

use std::collections::VecDeque;

use crate::limits::{DOMAINS_MAX, EVENTS_MAX, FINISHED_MAX};
use crate::model::table::table;
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{ActivityKey, DomainIx, Phase, Reboot, Run, Status};

use crate::engine::Campaign;

table! {
    /// What kind of event it was, in words; a phase or an outcome follows if the event has one.
    #[allow(missing_docs)]
    pub enum Kind {
        Started = 0 "the manager started",
        TakenUp = 1 "activity taken up after a restart",
        Connected = 2 "connected to the broker",
        Lost = 3 "connection to the broker lost",
        Begun = 4 "activity begun",
        Phase = 5 "phase begun:",
        Ready = 6 "has done its part of",
        Failed = 7 "failed in",
        RollingBack = 8 "is to roll back",
        CleaningUp = 9 "is to clean up",
        Done = 10 "has ended its part",
        Asked = 11 "owner asked for consent to",
        Approved = 12 "consent given",
        Denied = 13 "consent denied or late",
        Ended = 14 "activity ended:",
        Refused = 15 "desired state refused",
        Malformed = 16 "malformed message ignored",
        Hello = 17 "agent connected",
        Unsaved = 18 "saving failed",
        RebootDue = 19 "reboot due",
        RebootHeld = 20 "reboot held",
        Rebooting = 21 "rebooting the host",
        RebootFailed = 22 "the reboot failed",
        Cancelled = 23 "cancelled at the console",
        Repaired = 24 "is started over: desired state sent again",
        StartedOver = 25 "has started over",
        Repeated = 26 "command sent once more",
        FailureKept = 27 "failed, which counts if it does not start over",
        NotRolledBack = 28 "was not rolled back",
    }
}

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Milliseconds since the Unix epoch.
    pub wall: u64,
    /// What it was.
    pub kind: Kind,
    /// The domain that it happened to.
    pub domain: Option<DomainIx>,
    /// What goes with it.
    pub detail: Detail,
}

/// What goes with an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Nothing.
    None,
    /// The phase that it was about.
    Phase(Phase),
    /// How the activity ended.
    Outcome(Status),
}

/// An activity that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    /// Which one it was; [`Run::NONE`] if 0.1.0 has saved it.
    pub run: Run,
    /// Its identifier, escaped as in JSON.
    pub activity: String,
    /// Its desired state's timestamp, milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// CRC-32 of its desired state.
    pub crc: u32,
    /// When it began, in milliseconds since the Unix epoch.
    pub begun: u64,
    /// How long it took, in milliseconds: by the monotonic clock, without the time in which
    /// no manager ran.
    pub took_ms: u64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub ended: u64,
    /// Its final status.
    pub outcome: Status,
    /// Why it was not `COMPLETED`, escaped as in JSON.
    pub reason: String,
    /// Nobody could be told of its end, since it is not known yet who we are.
    pub is_untold: bool,
}

impl Past {
    /// The content of its desired state.
    pub fn key(&self) -> ActivityKey<'_> {
        ActivityKey { activity: Text::from_checked(&self.activity), timestamp: self.timestamp, crc: self.crc }
    }
}

/// When an activity began and how long it has lasted, by this manager's own clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// Milliseconds since the Unix epoch.
    pub begun: u64,
    /// Milliseconds of the monotonic clock, over all starts.
    pub lasted_ms: u64,
}

/// The last events and activities. It takes memory as they come.
#[derive(Debug, Default)]
pub struct Journal {
    events: VecDeque<Event>,
    past: VecDeque<Past>,
    /// What the campaign was like when it was last looked at.
    seen: Seen,
    /// When the activity began, on the wall clock.
    pub begun: u64,
    /// When it began or was taken up, on the monotonic clock.
    since: Tick,
    /// How long it had lasted then.
    lasted_ms: u64,
    /// What was saved of that, until the activity is taken up.
    saved: Option<(Run, Times)>,
    /// When the last activity ended, unless that was before this start.
    pub ended: Option<Tick>,
    /// When its phase began.
    pub phase_since: Tick,
    /// Activities that were taken up after a restart.
    pub taken_up: u32,
}

/// What of a campaign makes an event when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    run: Run,
    is_running: bool,
    phase: Option<Phase>,
    asking: Option<Phase>,
    domains: [SeenDomain; DOMAINS_MAX],
    reboot: Reboot,
}

/// The same of a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct SeenDomain {
    /// The number of its state.
    state: u8,
    has_failed: bool,
    /// Its own phase while it is led forward, afterwards that of the activity.
    phase: Option<Phase>,
}

impl Journal {
    /// Notes an event.
    pub fn note(&mut self, now: Now, kind: Kind, domain: Option<DomainIx>) {
        self.push(Event { wall: now.wall, kind, domain, detail: Detail::None });
    }

    /// Notes an event that may come in floods: of several in a row only the last.
    pub fn note_last(&mut self, now: Now, kind: Kind) {
        if self.events.back().is_some_and(|last| last.kind == kind) {
            self.events.pop_back();
        }
        self.note(now, kind, None);
    }

    /// Takes an event in; past the limit the oldest goes.
    pub fn push(&mut self, event: Event) {
        keep(&mut self.events, event, EVENTS_MAX);
    }

    /// Takes an activity in; past the limit the oldest goes.
    pub fn push_past(&mut self, past: Past) {
        if let Some(oldest) = self.past.front().filter(|past| past.is_untold && self.past.len() >= FINISHED_MAX) {
            log::error!("{}: its end is never reported, no identity has come in time", oldest.activity);
        }
        keep(&mut self.past, past, FINISHED_MAX);
    }

    /// The events, oldest first.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Event> {
        self.events.iter()
    }

    /// The activities, oldest first.
    pub fn past(&self) -> impl DoubleEndedIterator<Item = &Past> {
        self.past.iter()
    }

    /// Whether a desired state is that of an activity that has ended.
    pub fn contains(&self, key: ActivityKey<'_>) -> bool {
        self.past.iter().any(|past| past.key() == key)
    }

    /// Whether a desired state is that of the activity that has ended last.
    pub fn is_last(&self, key: ActivityKey<'_>) -> bool {
        self.past.back().is_some_and(|past| past.key() == key)
    }

    /// How this activity has ended, if it has.
    pub fn outcome_of(&self, run: Run) -> Option<Status> {
        self.past.iter().rev().find(|past| past.run == run).map(|past| past.outcome)
    }

    /// Whether nobody could be told of this activity's end, or was now.
    pub fn set_untold(&mut self, run: Run, is_untold: bool) {
        if let Some(past) = self.past.iter_mut().rev().find(|past| past.run == run) {
            past.is_untold = is_untold;
        }
    }

    /// The activity with this content was this one, which was not saved with it.
    pub fn identify(&mut self, key: ActivityKey<'_>, run: Run) {
        if let Some(past) = self.past.iter_mut().rev().find(|past| past.key() == key) {
            past.run = run;
        }
    }

    /// Takes what was saved of when this activity began.
    pub fn resume(&mut self, run: Run, times: Times) {
        self.saved = Some((run, times));
    }

    /// Returns what was saved of when this activity began.
    pub fn saved_times(&self, run: Run) -> Option<Times> {
        self.saved.filter(|(of, _)| *of == run).map(|(_, times)| times)
    }

    /// Returns when the activity began and how long it has lasted.
    pub fn times(&self, now: Tick) -> Times {
        Times { begun: self.begun, lasted_ms: self.lasted_ms.saturating_add(now.since(self.since)) }
    }

    /// Takes a campaign that was saved as known: what it is like is no news.
    pub fn adopt(&mut self, campaign: &Campaign, reboot: Reboot) {
        self.seen = Seen::of(campaign, reboot);
    }

    /// Notes what has changed of the campaign since it was last looked at; `reason`
    /// says why an activity that has ended was not `COMPLETED`.
    pub fn look(&mut self, now: Now, campaign: &Campaign, reboot: Reboot, reason: &dyn Fn() -> String) {
        let new = Seen::of(campaign, reboot);
        let old = core::mem::replace(&mut self.seen, new);
        if new == old {
            return;
        }
        let mut note = |kind, domain, detail| self.push(Event { wall: now.wall, kind, domain, detail });
        let is_new = new.run != old.run;
        let before = if is_new { Seen { reboot: old.reboot, ..Seen::default() } } else { old };
        if is_new {
            let is_taken_up = campaign.starts.is_taken_up;
            note(if is_taken_up { Kind::TakenUp } else { Kind::Begun }, None, Detail::None);
        }
        if new.phase != before.phase && new.is_running {
            note(Kind::Phase, None, phase(new.phase));
        }
        for (place, (now, was)) in new.domains.iter().zip(before.domains).enumerate() {
            let domain = DomainIx::new(place);
            match now.has_failed && !was.has_failed {
                true if was.state == 3 => note(Kind::NotRolledBack, domain, Detail::None),
                true => note(Kind::Failed, domain, phase(was.phase)),
                false => {}
            }
            match (now.state != was.state, now.state) {
                (true, 2) => note(Kind::Ready, domain, phase(now.phase)),
                (true, 3) => note(Kind::RollingBack, domain, Detail::None),
                (true, 4) => note(Kind::CleaningUp, domain, Detail::None),
                (true, 5) => note(Kind::Done, domain, Detail::None),
                _ => {}
            }
        }
        match (before.asking, new.asking) {
            (None, Some(_)) => note(Kind::Asked, None, phase(new.asking)),
            (Some(asked), None) if new.phase == Some(asked) => note(Kind::Approved, None, Detail::None),
            (Some(_), None) if new.is_running => note(Kind::Denied, None, Detail::None),
            _ => {}
        }
        if let Some(outcome) = campaign.end.outcome.filter(|_| before.is_running || is_new) {
            note(Kind::Ended, None, Detail::Outcome(outcome));
        }
        match (before.reboot, new.reboot) {
            (old, new) if old == new => {}
            (_, Reboot::Delivering) => note(Kind::RebootDue, None, Detail::None),
            (_, Reboot::Held) => note(Kind::RebootHeld, None, Detail::None),
            (_, Reboot::Triggered) => note(Kind::Rebooting, None, Detail::None),
            (Reboot::Triggered, Reboot::None) => note(Kind::RebootFailed, None, Detail::None),
            _ => {}
        }
        self.follow(now, campaign, is_new, new.phase != before.phase, reason);
    }

    /// Keeps when things began, and what has ended.
    fn follow(&mut self, now: Now, campaign: &Campaign, is_new: bool, has_moved: bool, reason: &dyn Fn() -> String) {
        if is_new {
            // 0.1.0 did not save when one began.
            let new = Times { begun: now.wall, lasted_ms: 0 };
            let times = self.saved_times(campaign.identity.run).unwrap_or(new);
            (self.begun, self.lasted_ms, self.since) = (times.begun, times.lasted_ms, now.tick);
            let is_taken_up = campaign.starts.is_taken_up;
            self.taken_up = self.taken_up.saturating_add(u32::from(is_taken_up));
        }
        if has_moved {
            self.phase_since = now.tick;
        }
        if let (Some(outcome), None) = (campaign.end.outcome, self.outcome_of(campaign.identity.run)) {
            self.ended = Some(now.tick);
            self.push_past(Past {
                run: campaign.identity.run,
                activity: campaign.identity.activity.as_str().to_owned(),
                timestamp: campaign.identity.timestamp,
                crc: campaign.identity.crc,
                begun: self.begun,
                took_ms: self.times(now.tick).lasted_ms,
                ended: now.wall,
                outcome,
                reason: reason(),
                is_untold: false,
            });
        }
    }
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            run: Run::NONE,
            is_running: false,
            phase: None,
            asking: None,
            domains: [SeenDomain::default(); DOMAINS_MAX],
            reboot: Reboot::None,
        }
    }
}

impl Seen {
    fn of(campaign: &Campaign, reboot: Reboot) -> Seen {
        let mut domains = [SeenDomain::default(); DOMAINS_MAX];
        for (seen, part) in domains.iter_mut().zip(campaign.domains.iter()) {
            let Some(part) = part else { continue };
            let phase = if part.state.is_forward() { part.furthest } else { Some(campaign.phase) };
            *seen = SeenDomain { state: part.state.code()[0], has_failed: part.failure.is_some(), phase };
        }
        Seen {
            run: campaign.identity.run,
            is_running: campaign.is_running(),
            phase: Some(campaign.present_phase()),
            asking: campaign.consent.asking,
            domains,
            reboot,
        }
    }
}

fn phase(phase: Option<Phase>) -> Detail {
    phase.map_or(Detail::None, Detail::Phase)
}

fn keep<T>(ring: &mut VecDeque<T>, one: T, max: usize) {
    if ring.len() >= max {
        ring.pop_front();
    }
    ring.push_back(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        Kind::check_table();
    }

    #[test]
    fn of_two_activities_without_a_run_the_one_with_this_content_is_identified() {
        let past = |activity: &str, outcome| Past {
            run: Run::NONE,
            activity: activity.to_owned(),
            timestamp: 7,
            crc: 9,
            begun: 0,
            took_ms: 0,
            ended: 0,
            outcome,
            reason: String::new(),
            is_untold: false,
        };
        let mut journal = Journal::default();
        journal.push_past(past("a", Status::Completed));
        journal.push_past(past("b", Status::Incomplete));
        let activity = Text::from_checked("a");
        journal.identify(ActivityKey { activity, timestamp: 7, crc: 9 }, Run(5));
        assert_eq!(journal.outcome_of(Run(5)), Some(Status::Completed));
        journal.set_untold(Run(5), true);
        assert_eq!(journal.past().map(|past| past.is_untold).collect::<Vec<_>>(), [true, false]);
    }
}
