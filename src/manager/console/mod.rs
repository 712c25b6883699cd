//! The console: what somebody at the gateway asks is answered from what is known, or handed
//! on as if a backend or an owner had said it.
//!
//! In: requests, each a line. Out: answers, or what is to be done for one.
//!
//! Invariants: an answer about a change is given only when the change is saved, or cannot
//! be; until then nobody else changes anything at the console. A request that has no answer
//! yet is asked again as it is.
//!
//! Deliberately absent: the socket, and what anything looks like.

pub(super) mod control;
pub(super) mod show;

use core::fmt::{self, Write};

use super::outside::Outside;
use crate::console::view::Host;
use crate::engine::{Campaign, Rejected};
use crate::exit;
use crate::model::text::Text;
use crate::store::{Store, Ticket};
use crate::wire::console::{self, Ask, Request};
use control::Control;
use show::Sight;

/// What is kept for the console.
pub(super) struct Console {
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

/// What is to be done about a request.
pub(super) enum Step<'a> {
    /// It is to be asked again.
    Later,
    /// It has its answer.
    Answered,
    /// It has an answer that may have to wait.
    Changed,
    /// It is to be answered by `show`.
    Show(Request<'a>),
    /// It carries a desired state that is to be applied.
    Apply(Request<'a>),
    /// The engine is to know of it: see `Control`.
    Control(Request<'a>),
}

/// What stands in the way of changes.
#[derive(Clone, Copy)]
pub(super) struct Bars {
    /// The process is told to end.
    pub(super) is_ending: bool,
    /// A document is being sent, which must not change meanwhile.
    pub(super) is_mid_document: bool,
}

impl Console {
    pub(super) fn new() -> Console {
        Console { held: None }
    }

    /// Takes a request, a line without its end; if it cannot be done, the answer is put in
    /// `out`.
    pub(super) fn begin<'a>(
        &mut self,
        outside: &Outside,
        host: &Host<'_>,
        bars: Bars,
        line: &'a [u8],
        out: &mut String,
    ) -> Step<'a> {
        let request = match console::decode(line) {
            Ok(request) if request.ask.is_harmless() => return Step::Show(request),
            Ok(request) => request,
            Err(malformed) => {
                written(fail(out, &malformed));
                return Step::Answered;
            }
        };
        match self.take_held(&outside.store, line) {
            Held::Nobody => {}
            Held::Later => return Step::Later,
            Held::This(text) => {
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

    /// What there is for this request of the answer that waits for a save.
    fn take_held(&mut self, store: &Store, line: &[u8]) -> Held {
        match &self.held {
            None => Held::Nobody,
            Some(held) if !store.is_done(held.ticket) => Held::Later,
            Some(_) => match self.held.take().filter(|held| held.line == line) {
                Some(held) => Held::This(held.text),
                // Whoever waited for it is gone.
                None => Held::Nobody,
            },
        }
    }

    /// Keeps the answer back if it has to wait for a save; whether it can go.
    pub(super) fn release(&mut self, store: &Store, line: &[u8], out: &mut String) -> bool {
        let ticket = store.ticket();
        let is_done = store.is_done(ticket);
        if !is_done {
            let text = core::mem::take(out);
            self.held = Some(HeldAnswer { line: line.to_owned(), text, ticket });
        }
        is_done
    }
}

/// Whom the answer that waits for a save is for.
enum Held {
    Nobody,
    /// It still waits, and so does whoever asks for something else.
    Later,
    This(String),
}

/// Answers a request that only looks.
pub(super) fn show(sight: &Sight<'_>, request: &Request<'_>, out: &mut String) {
    written(sight.show(request, out));
}

/// Answers what was made of a desired state: `campaign` is the activity now, `why` says why
/// it is another one, escaped as in JSON.
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

/// Answers and logs what the engine has made of a request.
pub(super) fn answer_control(control: &Control, result: Result<(), Rejected>, out: &mut String) {
    written(match control.words(result) {
        Ok(done) => {
            log::info!("{done}, at the console");
            say(out, false, Some(exit::DONE), "", &mut |out| writeln!(out, "{done}"))
        }
        Err(why) => fail(out, &why),
    });
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

/// A string takes all that is written to it.
fn written(result: fmt::Result) {
    debug_assert!(result.is_ok());
}
