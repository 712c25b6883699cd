//! The views of the console, put together from the other parts.
//!
//! In: a request that only looks, and references to the parts. Out: its answer.
//!
//! Invariant: nothing changes.
//!
//! Deliberately absent: wording and layout; `crate::console` has them.

use core::fmt;

use super::{fail, say};
use crate::console::page::Page;
use crate::console::view::{self, Domains, Host, Thing, Use, View};
use crate::console::{history, report, status, watch};
use crate::exit;
use crate::limits::{ACTIONS_MAX, INVENTORIES_MAX, OUTBOUND_BYTES};
use crate::manager::activity::Activity;
use crate::manager::agents::Agents;
use crate::manager::inventory::Inventory;
use crate::manager::message;
use crate::manager::outside::Outside;
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::DomainIx;
use crate::store::journal::Past;
use crate::wire::console::{Ask, Request};
use crate::wire::json::Json;

/// All that a view is made of.
pub(in crate::manager) struct Sight<'a> {
    pub(in crate::manager) now: Now,
    pub(in crate::manager) host: &'a Host<'a>,
    /// When the process started.
    pub(in crate::manager) started: Tick,
    /// Subscriptions that the broker refuses.
    pub(in crate::manager) refused: &'a [String],
    pub(in crate::manager) outside: &'a Outside,
    pub(in crate::manager) activity: &'a Activity,
    pub(in crate::manager) thing: Thing<'a>,
    pub(in crate::manager) agents: &'a Agents,
    pub(in crate::manager) inventory: &'a Inventory,
}

impl Sight<'_> {
    /// Answers a request that only looks, unless it asks for the inventory.
    pub(super) fn show(&self, request: &Request<'_>, out: &mut String) -> fmt::Result {
        let is_known = |place: usize| self.inventory.is_known(place);
        let reasons = self.reasons();
        let view = self.view(&is_known, &reasons);
        let (scene, activity) = match self.scene(request) {
            Some(scene) => scene,
            None if request.ask == Ask::Watch => {
                return fail(out, &format_args!("no activity {} is known", request.activity));
            }
            None => (watch::Scene::Idle, ""),
        };
        let code = if request.ask == Ask::Watch { scene.exit() } else { Some(exit::DONE) };
        say(out, request.json, code, activity, &mut |out| match request.json {
            true => encode(&view, &scene, request, &mut Json::new(out)),
            false => write(&view, &scene, request, &mut Page::new(out, request.screen.0)),
        })
    }

    /// Returns why something is rolled back, escaped as in JSON; empty if nothing is.
    fn reasons(&self) -> String {
        let mut words = String::new();
        if let Some(campaign) = self.activity.campaign().filter(|campaign| campaign.is_turning_back()) {
            // A text takes all that is written to it.
            let _ = message::write(campaign, &self.outside.names.domains, self.outside.store.is_unsaved(), &mut words);
        }
        words
    }

    fn view<'a>(&'a self, is_known: &'a dyn Fn(usize) -> bool, rolls_back_for: &'a str) -> View<'a> {
        let Sight { outside, activity, .. } = self;
        let waiting_on = activity.waiting_on(outside);
        let campaign = activity.campaign();
        let of = |name, used, max| Use { name, used, max };
        View {
            now: self.now,
            host: self.host,
            started: self.started,
            session: outside.session.status(),
            refused: self.refused,
            counters: outside.counters(),
            uses: [
                of("actions", campaign.map_or(0, |campaign| campaign.actions.len()), ACTIONS_MAX),
                of("inventories", self.inventory.len(), INVENTORIES_MAX),
                of("unsent", outside.session.unsent_bytes(), OUTBOUND_BYTES),
            ],
            journal: &outside.store.journal,
            activity: view::Activity {
                campaign,
                waiting_on,
                until: activity.until(waiting_on),
                reboot: activity.reboot(),
                is_unsaved: outside.store.is_unsaved(),
                rolls_back_for,
            },
            domains: Domains {
                names: &outside.names.domains,
                heard: self.agents.heard(),
                doubts: core::array::from_fn(|place| activity.in_doubt(DomainIx::new(place)?)),
                is_known,
            },
            thing: self.thing,
        }
    }

    /// Returns what there is to watch of an activity, and its identifier. If the request
    /// names none, that is the running one, or one that has ended since `request.since`: it
    /// may be over before the client asks again.
    fn scene(&self, request: &Request<'_>) -> Option<(watch::Scene<'_>, &str)> {
        let activity = request.activity;
        // Its end has no effect before it is saved.
        let is_saving = self.outside.store.is_saving();
        let running = self.activity.campaign().filter(|campaign| campaign.is_running() || is_saving);
        let mut past = self.outside.store.journal.past();
        match running {
            Some(running) if activity.is_empty() || running.is_activity(activity) => {
                return Some((watch::Scene::Running, running.identity.activity.as_str()));
            }
            _ if activity.is_empty() => {
                let is_later = |past: &&Past| past.ended > request.since;
                return match past.next_back().filter(is_later) {
                    Some(past) if request.since > 0 => Some((watch::Scene::Ended(past), past.activity.as_str())),
                    _ => Some((watch::Scene::Idle, "")),
                };
            }
            _ => {}
        }
        let is_it = |past: &&Past| Text::from_checked(&past.activity) == activity;
        let past = past.rev().find(is_it)?;
        Some((watch::Scene::Ended(past), past.activity.as_str()))
    }
}

fn encode(view: &View<'_>, scene: &watch::Scene<'_>, request: &Request<'_>, json: &mut Json<'_>) -> fmt::Result {
    match request.ask {
        Ask::Watch => watch::encode(view, scene, json),
        Ask::History => history::encode_whole(view.journal, json),
        Ask::Report => report::encode(view, json),
        _ => status::encode(view, "", json),
    }
}

fn write(view: &View<'_>, scene: &watch::Scene<'_>, request: &Request<'_>, page: &mut Page<'_>) -> fmt::Result {
    match request.ask {
        Ask::Watch => watch::write(view, scene, request.screen.1, page),
        Ask::History => history::write(view.journal, page),
        Ask::Report => report::write(view, page),
        _ => status::write(view, page),
    }
}
