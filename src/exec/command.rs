//! The subcommands.

use std::io::{self, Write};
use std::time::Instant;

use log::Level;

use super::serve::serve;
use super::standalone::apply;
use super::worker::{Limits, Worker};
use crate::config::commands::{Agent, Apply};
use crate::config::duration::parse_duration_ms;
use crate::config::{self, Loaded};
use crate::nearest::hint;
use crate::shell::signal::Signals;
use crate::validate::read;
use crate::{exit, logging};

/// The commands that may have a limit of their own.
const COMMANDS: [&str; 7] = ["inventory", "identify", "download", "update", "activate", "rollback", "cleanup"];

/// Serves a domain over MQTT until the process is told to end; the exit code.
pub fn run(options: &Agent, loaded: &Loaded) -> u8 {
    let config = &loaded.config;
    let configured = config.agents.iter().find(|agent| agent.domain == options.domain);
    let exec = options.exec.as_deref().or(configured.map(|agent| agent.exec.as_str())).unwrap_or_default();
    let limits = match limits(&options.timeout) {
        Ok(_) if exec.is_empty() => {
            return complain("the flag --exec is missing, and the configuration names none", exit::USAGE)
        }
        Ok(limits) => limits,
        Err(why) => return complain(&why, exit::USAGE),
    };
    if let Some(line) = config::unusable(config).first() {
        return complain(line, exit::FAILED);
    }
    // The file is the manager's.
    logging::start(&logging::Settings { file: String::new(), ..config.log.clone() });
    let mut connection = config.connection.clone();
    // The manager has that one, and the broker ends the session of one of two.
    if !connection.client_id.is_empty() {
        connection.client_id = format!("{}-{}", connection.client_id, options.domain);
    }
    let served = Signals::block().and_then(|signals| {
        let worker = Worker::open(&options.domain, exec, limits, &config.state_dir, Level::Info, Instant::now())?;
        serve(worker, connection, &signals)
    });
    match served {
        Ok(()) => exit::DONE,
        Err(error) => complain(&format!("[{}] {error}", options.domain), exit::FAILED),
    }
}

/// Applies a desired state in this process with the agents that the configuration
/// names; the exit code.
pub fn standalone(options: &Apply, loaded: &Loaded) -> u8 {
    if options.force {
        // Somebody who forces it expects more than that nothing is different.
        return complain("--force overrides a manager that refuses, and --standalone does without one", exit::USAGE);
    }
    logging::start(&logging::Settings { file: String::new(), ..loaded.config.log.clone() });
    match read(&options.file) {
        Ok(document) => match apply(&document, options, &loaded.config) {
            Ok(code) => code,
            Err(error) => complain(&error.to_string(), exit::FAILED),
        },
        Err(error) => complain(&format!("{}: {error}", options.file), exit::FAILED),
    }
}

/// `[COMMAND=]DURATION`, each.
fn limits(given: &[String]) -> Result<Limits, String> {
    let one = |text: &String| {
        let (command, duration) = text.split_once('=').unwrap_or(("", text));
        let is_command = command.is_empty() || COMMANDS.contains(&command);
        match parse_duration_ms(duration) {
            Ok(ms) if is_command && ms > 0 => Ok((command.to_owned(), ms)),
            _ => {
                let hint = if is_command { String::new() } else { hint(command, COMMANDS) };
                Err(format!("the flag --timeout takes 10m or download=10m, not {}{hint}", config::values::shown(text)))
            }
        }
    };
    given.iter().map(one).collect()
}

fn complain(message: &str, code: u8) -> u8 {
    logging::finish();
    let _ = writeln!(io::stderr(), "update-manager: {message}");
    code
}
