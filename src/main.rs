//! Chooses what the arguments ask for, and how the process ends.

use std::io::Write;
use std::process::ExitCode;

#[cfg(not(feature = "exec"))]
use update_manager::config::commands::Apply;
use update_manager::config::commands::Command;
use update_manager::config::{self, show, Error, Loaded, Order};
use update_manager::console::client;
#[cfg(feature = "exec")]
use update_manager::exec;
use update_manager::exit::{FAILED as EXIT_FAILURE, USAGE as EXIT_USAGE};
use update_manager::{logging, shell, validate};

fn main() -> ExitCode {
    let code = run_as_told();
    logging::finish();
    code
}

fn run_as_told() -> ExitCode {
    let mut args = Vec::new();
    for (place, arg) in std::env::args_os().enumerate().skip(1) {
        match arg.into_string() {
            Ok(arg) => args.push(arg),
            Err(_) => return complain(&format!("argument {place} is not UTF-8"), EXIT_USAGE),
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match config::load(&args, &|name| std::env::var_os(name)) {
        Ok(Order::Help) => print(&show::help()),
        Ok(Order::Usage(text)) => print(&text),
        Ok(Order::Version) => print(concat!("update-manager ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Order::CheckConfig(loaded)) => {
            let (mut text, is_good) = show::check_config(&loaded, shell::has_lasting_state_dir(&loaded.config));
            if let Some(flaw) = shell::state_dir_flaw(&loaded.config) {
                // The manager works on without it.
                text += &format!("note: {flaw}\n");
            }
            let printed = print(&text);
            match is_good {
                true => printed,
                false => ExitCode::from(EXIT_FAILURE),
            }
        }
        Ok(Order::Run(loaded)) => {
            logging::start(&loaded.config.log);
            for warning in &loaded.warnings {
                log::warn!("{warning}");
            }
            let missing = config::unusable(&loaded.config);
            for line in &missing {
                log::error!("{line}");
            }
            match missing.is_empty() {
                true => run(&loaded),
                false => ExitCode::from(EXIT_FAILURE),
            }
        }
        Ok(Order::Command(command, loaded)) => ExitCode::from(command_code(&command, &loaded)),
        Err(Error::Config(message)) => complain(&message, EXIT_FAILURE),
        Err(Error::Usage(message)) => {
            complain(&format!("{message}\nupdate-manager help shows the commands, --help all flags"), EXIT_USAGE)
        }
    }
}

/// Runs a command, and returns its exit code.
fn command_code(command: &Command, loaded: &Loaded) -> u8 {
    match command {
        #[cfg(feature = "exec")]
        Command::Agent(options) => exec::run(options, loaded),
        #[cfg(feature = "exec")]
        Command::Apply(options) if options.standalone => exec::standalone(options, loaded),
        #[cfg(not(feature = "exec"))]
        Command::Agent(_) | Command::Apply(Apply { standalone: true, .. }) => {
            let _ = complain("agents with an executable are not built in", EXIT_FAILURE);
            EXIT_FAILURE
        }
        Command::Validate(options) => validate::run(options, loaded),
        command => client::run(command, &loaded.config),
    }
}

fn run(loaded: &Loaded) -> ExitCode {
    match shell::run(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string(), EXIT_FAILURE),
    }
}

/// Prints to standard output. Says so if that fails, unlike `print!`, which panics.
fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => complain(&format!("cannot write to standard output: {e}"), EXIT_FAILURE),
    }
}

/// Says what is wrong on standard error, if anybody hears it, after what was logged.
fn complain(message: &str, code: u8) -> ExitCode {
    logging::finish();
    let _ = writeln!(std::io::stderr(), "update-manager: {message}");
    ExitCode::from(code)
}
