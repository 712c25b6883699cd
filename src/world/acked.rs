//! Whatever the manager has acknowledged it still knows when it starts from what is on the
//! disk at that very moment.

use crate::engine::domain::State;
use crate::engine::Campaign;
use crate::model::time::{Now, Tick};
use crate::model::{DomainIx, Phase};
use crate::store::{Found, Store};

use crate::world::broker::Taken;
use crate::world::scenario::World;
use crate::world::seen::{topic, From, Seen};

/// What a start would make of the disk.
struct Known {
    store: Store,
    campaign: Option<Campaign>,
}

impl Known {
    fn of(world: &World, found: &Found) -> Known {
        let names: Vec<String> = world.config.agents.iter().map(|agent| agent.domain.clone()).collect();
        let mut store = Store::new(true);
        let now = Now { tick: Tick(0), wall: 0 };
        let loaded = store.load(now, found, &names, [0; 16]);
        Known { store, campaign: loaded.saved.map(|saved| saved.campaign) }
    }

    /// Whether it knows that this activity was accepted.
    fn has_accepted(&self, activity: &str) -> bool {
        let is_last = self.campaign.as_ref().is_some_and(|campaign| campaign.identity.activity.as_str() == activity);
        is_last || self.store.journal.past().any(|past| past.activity == activity)
    }
}

/// The phase that a domain works in, and its course.
fn working(campaign: &Campaign, domain: DomainIx) -> Option<(Phase, u8)> {
    let part = campaign.domain(domain)?;
    match part.state {
        State::Working(phase) => Some((phase, part.obligation.course)),
        _ => None,
    }
}

impl World {
    /// Nothing is acknowledged whose save is lost: the message that the manager has
    /// acknowledged just now is known after a start, and so no step is commanded again in the
    /// same course whose answer was saved.
    pub fn nothing_is_acknowledged_whose_save_is_lost(&self) {
        let Some(disk) = self.disk.as_ref().filter(|disk| !disk.is_unsound() && !self.is_unsaved()) else { return };
        let Some(Taken { topic: place, bytes, .. }) = self.broker.taken.last() else { return };
        let seen = Seen::new(0, From::Others, place, bytes, false);
        let is_desired = place == "deviceupdate/desiredstate";
        let agent = self.config.agents.iter().position(|agent| *place == topic(&agent.domain, "desiredstatefeedback"));
        let is_answer = agent.is_some() && Phase::ALL.into_iter().any(|phase| phase.success().name() == seen.status());
        if !is_desired && !is_answer {
            return;
        }
        let known = Known::of(self, &disk.found());
        let activity = seen.activity();
        if is_desired && self.manager.campaign().is_some_and(|campaign| campaign.identity.activity.as_str() == activity)
        {
            assert!(known.has_accepted(activity), "{activity} is acknowledged, and not saved");
        }
        let (Some(domain), Some(now), Some(then)) =
            (agent.and_then(DomainIx::new), self.manager.campaign(), &known.campaign)
        else {
            return;
        };
        let is_of = |campaign: &Campaign| campaign.identity.activity.as_str() == activity && campaign.is_running();
        if !is_of(now) || !is_of(then) {
            return;
        }
        // The answer has led the domain on, and a start would wait for it once more. Of agents
        // that say a thing twice nobody knows which of the two it was; and what has started
        // over or was turned back meanwhile has not been led on by it.
        let is_erratic = self.company.erratic.iter().any(|erratic| *place == topic(erratic, "desiredstatefeedback"));
        let led_on = now.domain(domain).filter(|part| part.state.is_forward() && !is_erratic);
        let course = led_on.map(|part| part.obligation.course);
        let was = working(then, domain).filter(|(phase, _)| seen.status() == phase.success().name());
        let is_lost = was.is_some_and(|was| course == Some(was.1) && working(now, domain) != Some(was));
        let (then, now) = (then.domain(domain), now.domain(domain));
        assert!(!is_lost, "{activity}: {} of {place} is acknowledged, and not saved: {then:?} {now:?}", seen.status());
    }
}
