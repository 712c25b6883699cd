//! The arguments. The table's flags are read here, as Go's `flag` reads them,
//! since argh knows neither `-flag` nor `--flag=value`, wants each flag once, and
//! has no flags named at run time. What is left, the subcommand and what belongs
//! to it, is argh's.

use argh::{FromArgs, SubCommands};

use super::commands::Command;
use super::duration::{parse_bool, parse_number};
use super::keys::{Id, Key, Kind, AGENT_KEYS, KEYS};
use super::values::{shown, Slot, Source, Values, Warnings};
use crate::limits::CONFIG_SAID_LINES_MAX;
use crate::logging::Printable;
use crate::nearest::{hint, nearest};

/// Brings every update agent of a gateway to one desired state over MQTT.
#[derive(FromArgs, Debug)]
struct TopLevel {
    /// print the version and end
    #[argh(switch)]
    version: bool,

    /// show each value, its source, and what is wrong
    #[argh(switch)]
    check_config: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

/// Ends the help of each command.
const FLAGS_TOO: &str = "
Flags of the configuration may be given too, such as --config-file FILE;
update-manager --help lists them.
";

/// What the program is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Show all flags.
    Help,
    /// Show this text.
    Usage(String),
    /// Show the version.
    Version,
    /// Show the configuration.
    CheckConfig,
    /// Do its work.
    Run,
    /// What a subcommand says, other than the two above.
    Command(Command),
}

/// Which of the table's flags one is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Flag {
    /// By its place in [`KEYS`].
    Key(usize),
    /// Of a domain, by its place in [`AGENT_KEYS`].
    Agent(String, usize),
}

/// The arguments, understood.
pub struct Arguments {
    /// What to do.
    pub action: Action,
    /// The table's flags with their values, as given.
    flags: Vec<(Flag, String)>,
    /// The first of those arguments that are ignored.
    ignored: Option<String>,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// What is wrong, for an exit code of 2: a flag that there is not, or a value
/// that it cannot have.
pub fn parse(args: &[&str]) -> Result<Arguments, String> {
    let mut reading = Reading::default();
    let mut rest = args;
    while let Some((&arg, after)) = rest.split_first() {
        rest = after;
        if is_flag(arg) {
            reading.take_flag(arg, &mut rest)?;
        } else if reading.has_command() || is_command(arg) {
            reading.top.push(arg.to_string());
        } else if arg == "help" {
            reading.asks_for_help = true;
        } else if reading.ends_flags(arg, rest)? {
            // As Go: flags end here, and nobody looks at the words that follow.
            reading.ignored = if arg == "--" { rest.first() } else { Some(&arg) }.map(|arg| arg.to_string());
            break;
        } else if arg != "--" {
            return Err(no_command(arg));
        }
        if reading.help {
            return Ok(Arguments::only(Action::Help));
        }
    }
    reading.finish()
}

/// The usage and the subcommands, from argh.
pub fn usage() -> String {
    match TopLevel::from_args(&["update-manager"], &["--help"]) {
        Err(early) => early.output,
        Ok(_) => String::new(),
    }
}

/// What argh says of arguments that it cannot take: it repeats them, however long.
fn said(output: &str) -> String {
    let lines: Vec<String> =
        output.trim_end().lines().take(CONFIG_SAID_LINES_MAX).map(|line| shown_name(line).to_string()).collect();
    lines.join("\n")
}

/// An argument that is not understood, without what follows a `=`: it may be a secret.
fn shown_name(arg: &str) -> Printable<'_> {
    shown(arg.split('=').next().unwrap_or_default())
}

fn is_command(arg: &str) -> bool {
    Command::COMMANDS.iter().any(|command| command.name == arg)
}

fn is_flag(arg: &str) -> bool {
    arg.len() > 1 && arg.starts_with('-') && arg != "--"
}

fn no_command(arg: &str) -> String {
    let known = Command::COMMANDS.iter().map(|command| command.name).chain(["help"]);
    format!("there is no subcommand {}{}", shown_name(arg), hint(arg, known))
}

/// The flags that `flag` may have been meant to be, with dashes: those of the table, for the
/// domain that it names, and those of argh's usage, for the subcommand if there is one.
fn known_flags(flag: &str, command: Option<&str>) -> Vec<String> {
    let usage = match command {
        Some(command) => TopLevel::from_args(&["update-manager"], &[command, "--help"]),
        None => TopLevel::from_args(&["update-manager"], &["--help"]),
    };
    let usage = usage.map_or_else(|early| early.output, |_| String::new());
    let words = usage.split_whitespace().map(|word| word.trim_matches(['[', ']']));
    let of_argh = words.filter(|word| word.starts_with("--")).map(String::from);
    let of_keys = KEYS.iter().map(|key| format!("--{}", key.flag));
    let of_domain = flag.match_indices('-').filter_map(|(at, _)| {
        let (domain, rest) = flag.split_at(at + 1);
        let key = nearest(rest, AGENT_KEYS.iter().map(|key| key.flag).filter(|flag| !flag.is_empty()))?;
        (domain.len() > "--".len()).then(|| format!("{domain}{key}"))
    });
    of_argh.chain(of_keys).chain(of_domain).collect()
}

#[derive(Default)]
struct Reading {
    flags: Vec<(Flag, String)>,
    /// For argh: the subcommand, and what belongs to it.
    top: Vec<String>,
    version: bool,
    check_config: bool,
    /// Show all flags.
    help: bool,
    /// Show the subcommands, or what belongs to one.
    asks_for_help: bool,
    /// The flag just read, if it is a boolean without a value.
    bare: Option<String>,
    ignored: Option<String>,
}

impl Reading {
    fn has_command(&self) -> bool {
        !self.top.is_empty()
    }

    /// Whether Go would read no flags behind the word `arg`, and we would not either:
    /// `--` before another flag, or the value of a boolean, which counts only behind `=`.
    ///
    /// # Errors
    /// A subcommand follows the value: it must not be lost.
    fn ends_flags(&mut self, arg: &str, rest: &[&str]) -> Result<bool, String> {
        let bare = self.bare.take().filter(|_| parse_bool(arg).is_some());
        match bare {
            Some(name) if rest.iter().any(|word| is_command(word) || *word == "help") => {
                Err(format!("the flag --{name} takes its value behind =: write --{name}={arg}"))
            }
            Some(_) => Ok(true),
            None => Ok(arg == "--" && rest.first().map_or(true, |next| is_flag(next))),
        }
    }

    /// Takes the flag `arg`, and its value from `rest` if it stands there.
    fn take_flag(&mut self, arg: &str, rest: &mut &[&str]) -> Result<(), String> {
        let body = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).unwrap_or(arg);
        if body.is_empty() || body.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {}", shown_name(arg)));
        }
        self.bare = None;
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let switch = match name {
            "version" => Some(&mut self.version),
            "check-config" => Some(&mut self.check_config),
            "help" | "h" if self.top.is_empty() => Some(&mut self.help),
            _ => None,
        };
        if let Some(switch) = switch {
            *switch = parse_bool(value.unwrap_or("true")).ok_or_else(|| bad_value(name, value, Kind::Bool))?;
            return Ok(());
        }
        let Some((flag, key)) = find(name).filter(|_| !self.is_commands_own(name)) else {
            if !self.has_command() {
                let flag = format!("--{name}");
                return Err(format!("there is no flag {}{}", shown(&flag), hint(&flag, known_flags(&flag, None))));
            }
            // The subcommand's: argh knows it.
            self.top.push(format!("--{}", if name == "h" { "help" } else { name }));
            self.top.extend(value.map(String::from));
            return Ok(());
        };
        let value = match (value, key.kind) {
            (Some(value), _) => value,
            (None, Kind::Bool) => {
                self.bare = Some(name.to_string());
                "true"
            }
            (None, _) => {
                let (&value, after) = rest.split_first().ok_or_else(|| format!("the flag --{name} needs a value"))?;
                *rest = after;
                value
            }
        };
        let value = match key.kind {
            Kind::Bool => parse_bool(value).map(|value| value.to_string()),
            Kind::Number => parse_number(value).map(|value| value.to_string()),
            _ => Some(value.to_string()),
        }
        .ok_or_else(|| bad_value(name, Some(value), key.kind))?;
        self.flags.push((flag, value));
        Ok(())
    }

    /// Whether a flag of the table means something else behind the subcommand.
    fn is_commands_own(&self, name: &str) -> bool {
        name == "domain" && self.top.first().is_some_and(|command| command == "agent")
    }

    fn finish(mut self) -> Result<Arguments, String> {
        match self.asks_for_help {
            true if self.top.is_empty() => return Ok(Arguments::only(Action::Usage(usage()))),
            true => self.top.insert(1, String::from("--help")),
            false => {}
        }
        for (given, name) in [(self.version, "--version"), (self.check_config, "--check-config")] {
            if given {
                self.top.insert(0, name.to_string());
            }
        }
        // argh takes it for a flag unless the flags have ended.
        if self.top.iter().any(|word| word == "-") {
            self.top.retain(|word| word != "-");
            self.top.extend(["--", "-"].map(String::from));
        }
        let words: Vec<&str> = self.top.iter().map(String::as_str).collect();
        let top = match TopLevel::from_args(&["update-manager"], &words) {
            Ok(top) => top,
            Err(early) if early.status.is_ok() => return Ok(Arguments::only(Action::Usage(early.output + FLAGS_TOO))),
            Err(early) => return Err(self.complaint(&early.output)),
        };
        if let Some(Command::Apply(apply)) = &top.command {
            apply.check()?;
        }
        let action = match top.command {
            _ if top.version => Action::Version,
            _ if top.check_config => Action::CheckConfig,
            Some(Command::CheckConfig(_)) => Action::CheckConfig,
            Some(Command::Run(_)) | None => Action::Run,
            Some(command) => Action::Command(command),
        };
        Ok(Arguments { action, flags: self.flags, ignored: self.ignored })
    }

    /// What argh says of arguments that it cannot take, and the flag that was meant.
    fn complaint(&self, output: &str) -> String {
        let unknown = output.trim_end().strip_prefix("Unrecognized argument: ").filter(|word| word.starts_with("--"));
        let command = self.top.iter().find(|word| is_command(word));
        let hint = unknown.map(|flag| hint(flag, known_flags(flag, command.map(String::as_str))));
        said(output) + &hint.unwrap_or_default()
    }
}

/// The table's flag of that name. Whether its domain is served is not known yet.
fn find(name: &str) -> Option<(Flag, &'static Key)> {
    if let Some(place) = KEYS.iter().position(|key| key.flag == name) {
        return Some((Flag::Key(place), &KEYS[place]));
    }
    AGENT_KEYS.iter().enumerate().filter(|(_, key)| !key.flag.is_empty()).find_map(|(place, key)| {
        let domain = name.strip_suffix(key.flag)?.strip_suffix('-').filter(|domain| !domain.is_empty())?;
        Some((Flag::Agent(domain.to_string(), place), key))
    })
}

fn bad_value(name: &str, value: Option<&str>, kind: Kind) -> String {
    let expected = if kind == Kind::Bool { "true or false" } else { "a whole number" };
    format!("the flag --{} takes {expected}, not {}", shown(name), shown(value.unwrap_or("nothing")))
}

/// Without values, which may be secret.
impl core::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.action.fmt(f)
    }
}

impl Arguments {
    /// Without any flags.
    fn only(action: Action) -> Arguments {
        Arguments { action, flags: Vec::new(), ignored: None }
    }

    /// The path of the file; none if it is empty or not given.
    pub fn config_file(&self) -> Option<&str> {
        let is_path = |flag: &Flag| *flag == Flag::Key(Id::ConfigFile as usize);
        let (_, path) = self.flags.iter().rev().find(|(flag, _)| is_path(flag))?;
        (!path.is_empty()).then_some(path)
    }

    /// Puts the flags of [`KEYS`] into `values`, the last one of each. An
    /// empty list of commands counts as not given, as in the reference.
    pub fn apply(&self, values: &mut Values) {
        for (flag, text) in &self.flags {
            match flag {
                Flag::Key(place) if KEYS[*place].kind == Kind::Commands && text.is_empty() => {}
                Flag::Key(place) => values.slots[*place] = Slot { text: text.clone(), source: Source::Flag },
                Flag::Agent(..) => {}
            }
        }
    }

    /// Puts the flags of domains into `values`, whose domains are known by now.
    ///
    /// # Errors
    /// If there is no such domain, for an exit code of 2.
    pub fn apply_to_agents(&self, values: &mut Values) -> Result<(), String> {
        for (flag, text) in &self.flags {
            let Flag::Agent(domain, place) = flag else { continue };
            let agent = values.agents.iter_mut().flatten().find(|agent| agent.domain == *domain);
            let Some(agent) = agent else {
                let of = |domain: &str| format!("--{domain}-{}", AGENT_KEYS[*place].flag);
                let domains = values.agents.iter().flatten().map(|agent| agent.domain.as_str());
                let hint = hint(&of(domain), nearest(domain, domains).map(of));
                return Err(format!("there is no flag {}, since there is no such domain{hint}", shown(&of(domain))));
            };
            agent.slots[*place] = Slot { text: text.clone(), source: Source::Flag };
        }
        Ok(())
    }

    /// Warns of arguments that are ignored.
    pub fn warn(&self, warnings: &mut Warnings) {
        if let Some(arg) = &self.ignored {
            let reason = "is neither flag nor subcommand; it and what follows is ignored";
            warnings.push(format!("argument {arg}"), String::from("arguments"), reason.to_string());
        }
    }
}
