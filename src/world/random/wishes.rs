//! The desired states that a backend or somebody at the console wants to be applied.

use crate::limits::CONSOLE_REQUEST_MAX;
use serde_json::{json, Value};

use super::{Course, DOMAINS};
use crate::world::actors::desired_state;

/// Fewer than the manager remembers of those that have finished.
const WISHES_MAX: usize = 28;

/// What is wanted. Its content, identifier and timestamp say which it is.
#[derive(Clone)]
struct Wish {
    activity: String,
    timestamp: Option<u64>,
    state: String,
}

impl Wish {
    /// The members of the protocol's envelope.
    fn envelope(&self) -> String {
        let Wish { activity, timestamp, state } = self;
        let timestamp = timestamp.map_or(String::new(), |timestamp| format!(r#""timestamp":{timestamp},"#));
        format!(r#""activityId":"{activity}",{timestamp}"payload":{state}"#)
    }

    /// The same as a request of the console's.
    fn at_console(&self) -> String {
        format!(r#"{{"command":"apply",{}}}"#, self.envelope())
    }
}

/// What was wanted so far, and what is known of it besides what went over the wire.
#[derive(Default)]
pub(super) struct Wishes {
    /// Each once, however often it was wanted.
    all: Vec<Wish>,
    /// Those that were wanted at the console, as often as they were.
    pub(super) at_console: Vec<String>,
    /// Those that were refused there, as often as they were.
    pub(super) refused_at_console: Vec<String>,
    /// Those that the console said were begun.
    pub(super) begun_at_console: Vec<String>,
    /// Requests to a twin, by their correlation ids, and what each wanted.
    pub(super) requested: Vec<(String, String)>,
}

impl Wishes {
    /// Each activity, and its desired state.
    pub(super) fn states(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|wish| (&*wish.activity, &*wish.state))
    }
}

impl Course {
    /// A backend wants something; a console does, where no backend can be heard.
    pub(super) fn want_any(&mut self) {
        let wish = self.any_wish();
        match self.is_twin && self.thing().is_empty() {
            true => self.want_at_console(&wish),
            false => self.want(&wish),
        }
    }

    /// Somebody at the console wants something.
    pub(super) fn want_any_at_console(&mut self) {
        let wish = if self.random.percent(10) { self.large_wish() } else { self.any_wish() };
        self.want_at_console(&wish);
    }

    /// Whatever was lost on the way before: the manager takes the next, if it can save it.
    pub(super) fn takes_the_next(&mut self) {
        if let Some(disk) = &mut self.world.disk {
            disk.fails = None;
            // Time for another try.
            self.world.run_for(600_000);
        }
        let before = self.world.accepted.borrow().len();
        self.reboot_fails();
        let (activity, timestamp) = (self.next_activity(), Some(self.world.wall()));
        let state = desired_state(if self.groups.is_some() { &self.domains } else { &DOMAINS });
        let wish = Wish { activity, timestamp, state };
        self.wishes.all.push(wish.clone());
        self.want(&wish);
        assert_eq!(self.world.accepted.borrow().len(), before + 1, "the manager takes the next");
    }

    fn any_wish(&mut self) -> Wish {
        if !self.wishes.all.is_empty() && (self.random.percent(6) || self.wishes.all.len() >= WISHES_MAX) {
            return self.wish_again();
        }
        let named: Vec<&str> = DOMAINS.into_iter().filter(|_| self.random.percent(70)).collect();
        let state = match self.random.percent(5) {
            true => "{\"domains\":[null]}".to_owned(),
            false => self.state_of(&named),
        };
        self.new_wish(state)
    }

    /// A state of these domains; where there are groups, of those that are served, mostly.
    fn state_of(&mut self, named: &[&str]) -> String {
        let Some(groups) = &mut self.groups else {
            return desired_state(if named.is_empty() { &self.domains } else { named });
        };
        let is_kept = groups.random.percent(10);
        let kept = named.iter().copied().filter(|domain| is_kept || self.domains.contains(domain));
        let kept: Vec<&str> = kept.collect();
        groups.group(&desired_state(if kept.is_empty() { &self.domains } else { &kept }))
    }

    fn next_activity(&self) -> String {
        format!("a-{}", self.wishes.all.len() + 1)
    }

    /// The very same that was wanted before.
    fn wish_again(&mut self) -> Wish {
        let place = self.random.below(self.wishes.all.len() as u64) as usize;
        self.wishes.all[place].clone()
    }

    fn new_wish(&mut self, state: String) -> Wish {
        let activity = self.next_activity();
        let timestamp = Some(self.world.wall());
        let wish = match self.random.below(100) {
            // Equal to another one but for its identifier.
            0..=5 if !self.wishes.all.is_empty() => Wish { activity, ..self.wish_again() },
            6..=8 => Wish { activity, timestamp: None, state },
            // Of a clock that was set back.
            9..=11 => Wish { activity, timestamp: timestamp.map(|now| now - self.random.below(1 << 38)), state },
            _ => Wish { activity, timestamp, state },
        };
        self.wishes.all.push(wish.clone());
        wish
    }

    /// As large as a request of the console's may be, for reasons that mean nothing. No
    /// backend could want it.
    fn large_wish(&mut self) -> Wish {
        let (activity, timestamp) = (format!("large-{}", self.world.now()), Some(self.world.wall()));
        let mut wish = Wish { activity, timestamp, state: desired_state(&self.domains) };
        let fill = CONSOLE_REQUEST_MAX - wish.at_console().len() - r#""x":"","#.len();
        wish.state.insert_str(1, &format!(r#""x":"{}","#, "x".repeat(fill)));
        wish
    }

    fn want(&mut self, wish: &Wish) {
        let Wish { activity, timestamp, state } = wish;
        if self.is_twin {
            let state: Value = serde_json::from_str(state).unwrap();
            let mut value = json!({ "activityId": activity, "desiredState": state });
            if let Some(timestamp) = timestamp {
                value["timestamp"] = (*timestamp).into();
            }
            let correlation = format!("c-{}", self.wishes.requested.len());
            self.wishes.requested.push((correlation.clone(), activity.clone()));
            return self.request("apply", &correlation, &value);
        }
        self.world.publish("deviceupdate/desiredstate", format!("{{{}}}", wish.envelope()));
    }

    fn want_at_console(&mut self, wish: &Wish) {
        let activity = &wish.activity;
        let Some((answer, _)) = self.world.asks_unless_busy(&wish.at_console(), true) else { return };
        self.wishes.at_console.push(activity.clone());
        let Some(why) = answer["error"].as_str() else {
            return self.wishes.begun_at_console.push(activity.clone());
        };
        let is_known =
            ["it was applied already", "this activity runs already"].iter().any(|known| why.ends_with(known));
        if !is_known {
            self.wishes.refused_at_console.push(activity.clone());
        }
    }
}
