//! The console: somebody at the gateway looks at the state of the manager, or acts in place
//! of the backend or the owner.
//!
//! In: requests, each a line. Out: answers, or the step that a request needs.
//!
//! Invariants: the answer to a change is held until the change is saved, or saving fails;
//! until its client has it, other changes have to wait, and it goes to nobody else. A request
//! without an answer is repeated by the shell, and so is one of whose answer more is to come.
//!
//! Deliberately absent: the socket, and the layout of answers.

pub(super) mod control;
pub(super) mod pieces;
pub(super) mod show;

use core::fmt::{self, Write};

use super::outside::Outside;
use crate::console::view::Host;
use crate::engine::{Campaign, Rejected};
use crate::exit;
use crate::limits::{CONSOLE_HELD_MS, CONSOLE_REQUEST_MAX};
use crate::model::text::Text;
use crate::model::time::Tick;
use crate::store::{Store, Ticket};
use crate::wire::console::{self, Ask, Request};
use control::Control;
pub use pieces::Place;
use show::Sight;

/// Holds the answer that waits for a save.
pub(super) struct Console {
    held: Option<HeldAnswer>,
}

/// An answer that waits for a save.
struct HeldAnswer {
    /// The request, which is asked again until there is an answer.
    line: Vec<u8>,
    text: String,
    ticket: Ticket,
    /// When it was last asked for.
    asked: Tick,
}

/// What has come of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// There is no answer yet: the request has to be repeated later.
    Later,
    /// The answer, or its last piece.
    Whole,
    /// A piece of the answer: the request has to be repeated with the place of the next one.
    Piece(Place),
    /// What is being answered has changed, so that no piece fits those before.
    Cut,
}

/// The step that a request needs.
pub(super) enum Step<'a> {
    /// It has to be repeated later.
    Later,
    /// It is answered.
    Answered,
    /// It is answered, and the answer may have to wait for a save.
    Changed,
    /// It asks for the inventory: see `show_inventory`.
    Inventory,
    /// It looks at anything else: see `show`.
    Show(Request<'a>),
    /// It carries a desired state: see `answer_apply`.
    Apply(Request<'a>),
    /// It is for the engine: see `Control` and `answer_control`.
    Control(Request<'a>),
}

/// What prevents changes.
#[derive(Clone, Copy)]
pub(super) struct Bars {
    /// The process is ending.
    pub(super) is_ending: bool,
    /// A document is being sent, whose source must not change.
    pub(super) is_mid_document: bool,
}

impl Console {
    /// Creates it without an answer.
    pub(super) fn new() -> Console {
        Console { held: None }
    }

    /// Takes a request, a line without its end, and returns its next step. Writes the answer
    /// to `out` if the request cannot be done.
    pub(super) fn begin<'a>(
        &mut self,
        now: Tick,
        outside: &Outside,
        host: &Host<'_>,
        bars: Bars,
        line: &'a [u8],
        out: &mut String,
    ) -> Step<'a> {
        if line.len() > CONSOLE_REQUEST_MAX {
            written(fail(out, &"the request is too long"));
            return Step::Answered;
        }
        let request = match console::decode(line) {
            Ok(request) if request.ask == Ask::Inventory => return Step::Inventory,
            Ok(request) if request.ask.is_harmless() => return Step::Show(request),
            Ok(request) => request,
            Err(malformed) => {
                written(fail(out, &malformed));
                return Step::Answered;
            }
        };
        match self.take_held(now, &outside.store, line) {
            Held::None => {}
            Held::Waiting => return Step::Later,
            Held::Ready(text) => {
                *out = text;
                return Step::Answered;
            }
        }
        if !host.may_control {
            written(fail(out, &"this console only looks: consoleControl is false"));
            return Step::Changed;
        }
        if bars.is_ending {
            written(fail(out, &"the manager is ending"));
            return Step::Changed;
        }
        match request.ask {
            Ask::Apply if bars.is_mid_document => Step::Later,
            Ask::Apply => {
                log::info!("{}: a desired state from the console", request.activity);
                Step::Apply(request)
            }
            _ => Step::Control(request),
        }
    }

    /// Takes the held answer if it is to this request and its save is done. Drops it if its
    /// client has not asked for it for `CONSOLE_HELD_MS`.
    fn take_held(&mut self, now: Tick, store: &Store, line: &[u8]) -> Held {
        let Some(held) = &mut self.held else { return Held::None };
        let is_gone = now.since(held.asked) >= CONSOLE_HELD_MS;
        let is_to_it = held.line == line;
        if is_to_it {
            held.asked = now;
        }
        if !store.is_done(held.ticket) || !is_to_it && !is_gone {
            return Held::Waiting;
        }
        match self.held.take().filter(|_| !is_gone) {
            Some(held) => Held::Ready(held.text),
            None => Held::None,
        }
    }

    /// Holds the answer if it has to wait for a save. Returns whether it can be sent now.
    pub(super) fn release(&mut self, now: Tick, store: &Store, line: &[u8], out: &mut String) -> bool {
        let ticket = store.ticket();
        let is_done = store.is_done(ticket);
        if !is_done {
            let text = core::mem::take(out);
            self.held = Some(HeldAnswer { line: line.to_owned(), text, ticket, asked: now });
        }
        is_done
    }
}

/// The state of the held answer.
enum Held {
    /// There is none, or nobody waits for it any more.
    None,
    /// Its save is not done, or its client has not taken it yet.
    Waiting,
    /// It is to this request.
    Ready(String),
}

/// Answers a request that only looks, unless it asks for the inventory.
pub(super) fn show(sight: &Sight<'_>, request: &Request<'_>, out: &mut String) {
    written(sight.show(request, out));
}

/// Answers whether a desired state was applied. `campaign` is the activity now, `why` the
/// reason of a refusal, escaped as in JSON.
pub(super) fn answer_apply(request: &Request<'_>, campaign: Option<&Campaign>, why: &str, out: &mut String) {
    let activity = request.activity;
    let is_taken = why.is_empty() && campaign.is_some_and(|campaign| campaign.is_activity(activity));
    let code = if is_taken { exit::DONE } else { exit::FAILED };
    if !is_taken && !request.json {
        return written(fail(out, &format_args!("{activity}: refused: {}", Text::from_checked(why))));
    }
    written(say(out, request.json, Some(code), activity.as_json(), &mut |out| match request.json {
        true => console::encode_taken(out, activity, is_taken, why),
        false => writeln!(out, "{activity}: begun"),
    }));
}

/// Answers and logs the engine's result.
pub(super) fn answer_control(control: &Control, result: Result<(), Rejected>, out: &mut String) {
    written(match control.words(result) {
        Ok(done) => {
            log::info!("{done}, at the console");
            say(out, false, Some(exit::DONE), "", &mut |out| writeln!(out, "{done}"))
        }
        Err(why) => fail(out, &why),
    });
}

/// Writes an answer with a text or, if `json`, data, which `write` writes.
fn say(
    out: &mut dyn Write,
    json: bool,
    code: Option<u8>,
    activity: &str,
    write: &mut dyn FnMut(&mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    console::encode_answer(out, json, write)?;
    console::encode_end(out, activity, code)
}

/// Writes the answer that something cannot be done.
fn fail(out: &mut String, why: &dyn fmt::Display) -> fmt::Result {
    console::encode_error(out, why)?;
    console::encode_end(out, "", Some(exit::FAILED))
}

/// Checks a write to a string, which cannot fail.
fn written(result: fmt::Result) {
    debug_assert!(result.is_ok());
}
