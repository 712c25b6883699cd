//! What the console asks: answered from what is known, or handed on as if a backend
//! or an owner had said it.

use core::fmt::{self, Write};

use super::timers::Timers;
use super::{message, Manager};
use crate::console::page::{Json, Page};
use crate::console::view::{Activity, Counters, Domains, Heard, Host, Use, View};
use crate::console::{history, report, status, watch};
use crate::engine::effect::TimerKind;
use crate::engine::{Event, Rejected, WaitingOn};
use crate::exit;
use crate::limits::{ACTIONS_MAX, HEARD_MAX, INVENTORIES_MAX, OUTBOUND_BYTES, PAST_REASON_MAX};
use crate::model::text::Text;
use crate::model::time::{Now, Tick};
use crate::model::{DomainIx, Phase, Status};
use crate::store::journal::Past;
use crate::store::Ticket;
use crate::wire::console::{self, Ask, Request};

/// What is kept for the console alone.
pub(super) struct Console {
    pub(super) started: Tick,
    pub(super) counters: Counters,
    /// By the domains' places.
    heard: Vec<Option<Heard>>,
    /// Why a desired state of the console's is not applied, while one is looked at.
    refusal: Option<String>,
    /// An answer that waits until what it says is saved.
    held: Option<HeldAnswer>,
}

/// An answer that waits for a save.
struct HeldAnswer {
    /// The request, which is asked again until there is an answer.
    line: Vec<u8>,
    text: String,
    ticket: Ticket,
}

impl Console {
    pub(super) fn new(now: Now) -> Console {
        Console { started: now.tick, counters: Counters::default(), heard: Vec::new(), refusal: None, held: None }
    }

    /// An agent has said something.
    pub(super) fn hear(&mut self, domain: DomainIx, status: Status, words: Text<'_>) {
        if self.heard.len() <= domain.place() {
            self.heard.resize(domain.place() + 1, None);
        }
        let words = words.cut(HEARD_MAX).as_json().to_owned();
        self.heard[domain.place()] = Some(Heard { status, words });
    }

    /// A new activity: what was said before is of no interest any more.
    pub(super) fn forget(&mut self) {
        self.heard = Vec::new();
    }

    /// Tells the console, if it waits for that, why its desired state is not applied.
    pub(super) fn tell(&mut self, words: &dyn Fn(&mut dyn Write) -> fmt::Result) {
        if let Some(refusal) = &mut self.refusal {
            // A string takes all that is written to it.
            let _ = words(refusal);
        }
    }
}

/// Whom the answer that waits for a save is for.
enum HeldFor {
    Nobody,
    /// It still waits, and so does whoever asks for something else.
    Later,
    This(String),
}

impl Manager {
    /// Notes what has changed of the activity.
    pub(super) fn look(&mut self, now: Now) {
        let Some(campaign) = self.engine.campaign() else { return };
        let reason = || {
            let mut words = String::new();
            let _ = message::write(campaign, &self.domains, false, &mut words);
            Text::from_checked(&words).cut(PAST_REASON_MAX).as_json().to_owned()
        };
        self.store.journal.look(now, campaign, self.engine.reboot(), &reason);
    }

    /// Answers one request of the console, a line without its end, in `out`. False:
    /// not at this moment; it is to be asked again as it is.
    pub fn handle_console(&mut self, now: Now, host: &Host<'_>, line: &[u8], out: &mut String) -> bool {
        let request = console::decode(line);
        let changes = request.as_ref().is_ok_and(|request| !request.ask.is_harmless());
        if changes {
            match self.held_answer(line) {
                HeldFor::Nobody => {}
                HeldFor::Later => return false,
                HeldFor::This(text) => {
                    *out = text;
                    return true;
                }
            }
        }
        let answered = match request {
            Err(malformed) => fail(out, &malformed),
            Ok(_) if changes && !host.may_control => fail(out, &"this console only looks: consoleControl is false"),
            Ok(_) if changes && !self.ending.is_no() => fail(out, &"the manager is ending"),
            Ok(request) => match request.ask {
                // What a document is encoded from must not change while it is sent.
                Ask::Apply if self.session.is_mid_document() => return false,
                Ask::Apply => self.console_applies(now, &request, line, out),
                ask if ask.is_harmless() => self.show(now, host, &request, out),
                ask => match self.control(now, ask, request.force) {
                    Ok(done) => say(out, false, Some(exit::DONE), "", &mut |out| writeln!(out, "{done}")),
                    Err(why) => fail(out, &why),
                },
            },
        };
        // A string takes all that is written to it.
        debug_assert!(answered.is_ok());
        let ticket = self.store.ticket();
        let waits = changes && !self.store.is_done(ticket);
        if waits {
            let text = core::mem::take(out);
            self.console.held = Some(HeldAnswer { line: line.to_owned(), text, ticket });
        }
        !waits
    }

    /// What there is for this request of the answer that waits for a save.
    fn held_answer(&mut self, line: &[u8]) -> HeldFor {
        match &self.console.held {
            None => HeldFor::Nobody,
            Some(held) if !self.store.is_done(held.ticket) => HeldFor::Later,
            Some(_) => match self.console.held.take().filter(|held| held.line == line) {
                Some(held) => HeldFor::This(held.text),
                // Whoever waited for it is gone.
                None => HeldFor::Nobody,
            },
        }
    }

    fn show(&self, now: Now, host: &Host<'_>, request: &Request<'_>, out: &mut String) -> fmt::Result {
        if request.ask == Ask::Inventory {
            return say(out, true, Some(exit::DONE), "", &mut |out| {
                self.inventories.encode(out, &self.manager, env!("CARGO_PKG_VERSION"))
            });
        }
        let is_known =
            |place: usize| DomainIx::new(place).is_some_and(|domain| self.inventories.timestamp(domain).is_some());
        let view = self.view(now, host, &is_known);
        let (scene, activity) = match self.scene(request) {
            Some(scene) => scene,
            None if request.ask == Ask::Watch => {
                return fail(out, &format_args!("no activity {} is known", request.activity));
            }
            None => (watch::Scene::Idle, ""),
        };
        let code = if request.ask == Ask::Watch { scene.exit() } else { Some(exit::DONE) };
        say(out, request.json, code, activity, &mut |out| {
            if request.json {
                let json = &mut Json::new(out);
                return match request.ask {
                    Ask::Watch => watch::encode(&view, &scene, json),
                    Ask::History => history::encode_whole(view.journal, json),
                    Ask::Report => report::encode(&view, json),
                    _ => status::encode(&view, json),
                };
            }
            let page = &mut Page::new(out, request.screen.0);
            match request.ask {
                Ask::Watch => watch::write(&view, &scene, request.screen.1, page),
                Ask::History => history::write(view.journal, page),
                Ask::Report => report::write(&view, page),
                _ => status::write(&view, page),
            }
        })
    }

    fn view<'a>(&'a self, now: Now, host: &'a Host<'a>, is_known: &'a dyn Fn(usize) -> bool) -> View<'a> {
        let waiting_on = if self.store.is_saving() { WaitingOn::Save } else { self.engine.waiting_on() };
        let campaign = self.engine.campaign();
        let of = |name, used, max| Use { name, used, max };
        View {
            now,
            host,
            started: self.console.started,
            session: self.session.status(),
            counters: self.console.counters,
            uses: [
                of("actions", campaign.map_or(0, |campaign| campaign.actions.len()), ACTIONS_MAX),
                of("inventories", self.inventories.len(), INVENTORIES_MAX),
                of("unsent", self.session.unsent_bytes(), OUTBOUND_BYTES),
            ],
            journal: &self.store.journal,
            activity: Activity {
                campaign,
                waiting_on,
                until: until(&self.timers, waiting_on),
                reboot: self.engine.reboot(),
                is_unsaved: self.store.is_unsaved(),
            },
            domains: Domains {
                names: &self.domains,
                heard: &self.console.heard,
                doubts: core::array::from_fn(|place| self.engine.in_doubt(DomainIx::new(place)?)),
                is_known,
            },
        }
    }

    /// What there is to be seen of an activity, and its identifier; if none is named,
    /// of the one that runs, or has run since whoever asks began to wait: it may be
    /// over before they ask again.
    fn scene(&self, request: &Request<'_>) -> Option<(watch::Scene<'_>, &str)> {
        let activity = request.activity;
        // What was decided about its end is not done before it is saved.
        let is_saving = self.store.is_saving();
        let running = self.engine.campaign().filter(|campaign| campaign.is_running() || is_saving);
        match running {
            Some(running) if activity.is_empty() || running.is_activity(activity) => {
                return Some((watch::Scene::Running, running.activity.as_str()));
            }
            _ if activity.is_empty() => {
                let is_later = |past: &&Past| past.begun.saturating_add(past.took_ms) > request.since;
                return match self.store.journal.past().next_back().filter(is_later) {
                    Some(past) if request.since > 0 => Some((watch::Scene::Ended(past), past.activity.as_str())),
                    _ => Some((watch::Scene::Idle, "")),
                };
            }
            _ => {}
        }
        let is_it = |past: &&Past| Text::from_checked(&past.activity) == activity;
        let past = self.store.journal.past().rev().find(is_it)?;
        Some((watch::Scene::Ended(past), past.activity.as_str()))
    }

    fn console_applies(&mut self, now: Now, request: &Request<'_>, line: &[u8], out: &mut String) -> fmt::Result {
        let activity = request.activity;
        log::info!("{activity}: a desired state from the console");
        self.console.refusal = Some(String::new());
        self.take_desired_state(now, line, false, request.force);
        let refusal = self.console.refusal.take().unwrap_or_default();
        let is_taken = refusal.is_empty() && self.engine.campaign().is_some_and(|c| c.is_activity(activity));
        let code = if is_taken { exit::DONE } else { exit::FAILED };
        if !is_taken && !request.json {
            return fail(out, &format_args!("{activity}: refused: {}", Text::from_checked(&refusal)));
        }
        say(out, request.json, Some(code), activity.as_json(), &mut |out| {
            if request.json {
                return console::encode_taken(out, activity, is_taken, &refusal);
            }
            writeln!(out, "{activity}: begun")
        })
    }

    /// Does what is asked for; in words what was done, or why not.
    fn control(&mut self, now: Now, ask: Ask, force: bool) -> Result<String, String> {
        let (activity, asking) = match self.engine.campaign() {
            Some(campaign) => (campaign.activity.clone(), campaign.asking),
            None => Default::default(),
        };
        let activity = Text::from_checked(&activity);
        let event = match ask {
            Ask::Approve | Ask::Deny => Event::ConsentReply(activity, ask == Ask::Approve),
            Ask::Cancel => Event::Cancel(force),
            _ => Event::HoldReboot(ask == Ask::Hold),
        };
        if let Err(rejected) = self.decide(now, event) {
            let (activity, why) = match rejected {
                Rejected::Activating => (activity, " is being put into use; --force cancels it all the same"),
                Rejected::Ending => (activity, " is being cleaned up and ends by itself"),
                Rejected::NotAsked => (Text::EMPTY, "no question is open"),
                Rejected::NoReboot if ask == Ask::Release => (Text::EMPTY, "no reboot is held"),
                Rejected::NoReboot => (Text::EMPTY, "no reboot is due"),
                Rejected::Unsupported => (Text::EMPTY, "this orchestration cannot do that"),
                _ => (Text::EMPTY, "no activity runs"),
            };
            return Err(format!("{activity}{why}"));
        }
        let [before, after] = match ask {
            Ask::Approve => ["consent to ", " given"],
            Ask::Deny => ["consent to ", " denied"],
            Ask::Cancel => ["cancelled, what was done is undone", ""],
            Ask::Hold => ["the reboot is held", ""],
            _ => ["the reboot is released", ""],
        };
        let phase = asking.filter(|_| !after.is_empty()).map_or("", Phase::name);
        let done = format!("{activity}: {before}{phase}{after}");
        log::info!("{done}, at the console");
        Ok(done)
    }
}

/// Until when something is waited for at most.
fn until(timers: &Timers, waiting_on: WaitingOn) -> Option<Tick> {
    let kinds: &[TimerKind] = match waiting_on {
        WaitingOn::Nothing | WaitingOn::Save => &[],
        WaitingOn::Agents(_) => &[TimerKind::Phase, TimerKind::Cleanup],
        WaitingOn::Consent(_) => &[TimerKind::Consent],
        WaitingOn::Link | WaitingOn::Reboot => &[TimerKind::Reboot],
    };
    kinds.iter().filter_map(|kind| timers.at(*kind)).min()
}

/// An answer with a text or, if `json`, data: what `write` writes.
fn say(
    out: &mut String,
    json: bool,
    code: Option<u8>,
    activity: &str,
    write: &mut dyn FnMut(&mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    console::encode_answer(out, json, write)?;
    console::encode_end(out, activity, code)
}

/// The answer that something cannot be done.
fn fail(out: &mut String, why: &dyn fmt::Display) -> fmt::Result {
    console::encode_error(out, why)?;
    console::encode_end(out, "", Some(exit::FAILED))
}
