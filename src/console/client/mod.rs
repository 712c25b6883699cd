//! The side of the one who asks: a process of its own, which has no more to do than
//! to ask, to print the answers, and to ask again.

mod input;
mod link;
mod screen;
mod tree;

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::commands::{Apply, Command};
use crate::config::Config;
use crate::exit;
use crate::limits::CONSOLE_FOLLOW_MS;
use crate::model::text::{Escaped, Text};
use crate::wire::console::{Answer, Ask, Request};
use link::Link;
use screen::Screen;

/// Why something cannot be done: the exit code, and words.
struct Failure(u8, String);

impl From<io::Error> for Failure {
    /// Standard output does not take what is printed.
    fn from(error: io::Error) -> Failure {
        Failure(exit::FAILED, format!("cannot write to standard output: {error}"))
    }
}

/// Asks the running manager and prints its answer; the exit code.
pub fn run(command: &Command, config: &Config) -> u8 {
    match obey(command, &config.console_socket) {
        Ok(code) => code,
        Err(Failure(code, words)) => {
            // If nobody hears it, nothing can be done about that.
            let _ = writeln!(io::stderr(), "update-manager: {words}");
            code
        }
    }
}

fn obey(command: &Command, socket: &str) -> Result<u8, Failure> {
    let (ask, json, force) = match command {
        Command::Status(options) => (Ask::Status, options.json, false),
        Command::History(options) => (Ask::History, options.json, false),
        Command::Report(options) => (Ask::Report, options.json, false),
        Command::Cancel(options) => (Ask::Cancel, false, options.force),
        Command::Consent(options) => {
            (choose(&options.answer, [("approve", Ask::Approve), ("deny", Ask::Deny)])?, false, false)
        }
        Command::Reboot(options) => {
            (choose(&options.what, [("hold", Ask::Hold), ("release", Ask::Release)])?, false, false)
        }
        Command::Inventory(options) => (Ask::Inventory, options.json, false),
        Command::Watch(options) => {
            let follower = Follower { json: options.json, is_quiet: false };
            return follower.follow(&mut Link::open(socket)?, String::new());
        }
        Command::Apply(options) => return apply(options, socket),
        // They are done elsewhere.
        Command::Run(_) | Command::CheckConfig(_) | Command::Agent(_) | Command::Validate(_) => return Ok(exit::USAGE),
    };
    let request = Request { json, force, screen: Screen::of_terminal().size(), ..bare(ask) };
    let mut link = Link::open(socket)?;
    let answer = link.ask(&request, None)?;
    match ask {
        Ask::Inventory if !json => print(&tree::draw(answer.data))?,
        _ => print_answer(&answer)?,
    }
    Ok(answer.exit.unwrap_or(exit::DONE))
}

fn bare(ask: Ask) -> Request<'static> {
    Request { ask, activity: Text::EMPTY, json: false, force: false, screen: (0, 0), since: 0 }
}

fn choose(word: &str, [one, other]: [(&str, Ask); 2]) -> Result<Ask, Failure> {
    let chosen = [one, other].into_iter().find(|(known, _)| *known == word);
    let words = || format!("{} or {} is wanted, not {}", one.0, other.0, crate::config::values::shown(word));
    chosen.map(|(_, ask)| ask).ok_or_else(|| Failure(exit::USAGE, words()))
}

fn apply(options: &Apply, socket: &str) -> Result<u8, Failure> {
    let document = input::read(&options.file).map_err(|words| Failure(exit::FAILED, words))?;
    let now = now();
    let activity = match &options.activity {
        Some(given) => Escaped(given).to_string(),
        None if !document.activity.is_empty() => document.activity,
        // Seconds, in the shape of a date: it is to be read and typed by people.
        None => {
            let digits = super::page::When(now).to_string();
            format!("console-{}", digits.replace(['-', ':'], "").replace(' ', "-"))
        }
    };
    let mut link = Link::open(socket)?;
    let follows = options.watch || options.wait;
    let (json, force) = (options.json && !follows, options.force);
    let request = Request { activity: Text::from_checked(&activity), json, force, ..bare(Ask::Apply) };
    let answer = link.ask(&request, Some((now, &document.payload)))?;
    let code = answer.exit.unwrap_or(exit::DONE);
    if code != exit::DONE || !follows {
        print_answer(&answer)?;
        return Ok(code);
    }
    Follower { json: options.json, is_quiet: !options.watch }.follow(&mut link, activity)
}

/// Follows an activity to its end.
struct Follower {
    json: bool,
    /// Only the end is shown.
    is_quiet: bool,
}

impl Follower {
    /// `activity`: its identifier, escaped as in JSON; empty: the next that runs.
    fn follow(&self, link: &mut Link, mut activity: String) -> Result<u8, Failure> {
        let mut screen = Screen::of_terminal();
        let mut last = String::new();
        let since = if activity.is_empty() { now() } else { 0 };
        loop {
            screen.measure();
            let (id, size) = (Text::from_checked(&activity), if self.is_quiet { (0, 0) } else { screen.size() });
            let request = Request { activity: id, json: self.json, screen: size, since, ..bare(Ask::Watch) };
            let answer = link.ask(&request, None)?;
            let is_shown = !self.is_quiet || answer.exit.is_some();
            if self.json {
                if is_shown && answer.data != last {
                    last = answer.data.to_owned();
                    print(&format!("{last}\n"))?;
                }
            } else if is_shown {
                let text = plain(answer.text);
                let from = if self.is_quiet { text.trim_end().rfind('\n').map_or(0, |end| end + 1) } else { 0 };
                print(&screen.draw(&text[from..]))?;
            }
            if let Some(code) = answer.exit {
                return Ok(code);
            }
            if activity.is_empty() {
                activity = answer.activity.as_json().to_owned();
            }
            sleep(Duration::from_millis(CONSOLE_FOLLOW_MS));
        }
    }
}

/// Milliseconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn print_answer(answer: &Answer<'_>) -> Result<(), Failure> {
    match answer.data {
        "" => print(&plain(answer.text)),
        data => print(&format!("{data}\n")),
    }
}

/// The manager has made it harmless to a terminal; line feeds are meant.
fn plain(text: Text<'_>) -> String {
    text.chars().collect()
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}
