//! The configuration: default, file, environment, flag; the later wins
//! (docs/configuration.md). Every value remembers where it comes from.

pub mod args;
pub mod broker;
pub mod commands;
pub mod duration;
pub mod env;
pub mod file;
pub mod keys;
pub mod merge;
pub mod show;
pub mod unusable;
pub mod values;

#[cfg(feature = "agent")]
pub(crate) use broker::parse_address;
pub use broker::Broker;
pub use unusable::unusable;
pub use values::Warning;

use crate::logging;
use crate::model::{PhaseSet, Rollback};
use args::{Action, Arguments};
use values::{Values, Warnings};

/// The configuration in effect. Built once at start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The log.
    pub log: logging::Settings,
    /// The link to the broker.
    pub connection: Connection,
    /// The manager's own domain.
    pub domain: String,
    /// Whether it acts as a digital twin.
    pub things_enabled: bool,
    /// The domains that have an agent, at most [`crate::limits::DOMAINS_MAX`], in
    /// the order of the configuration. No two have the same topics.
    pub agents: Vec<Agent>,
    /// Whether the host is rebooted after an update that requires it.
    pub reboot_enabled: bool,
    /// How long before.
    pub reboot_after_ms: u64,
    /// Run first to reboot; none if empty.
    pub reboot_command: String,
    /// Least time between `RUNNING`s; 0: none at all.
    pub report_feedback_interval_ms: u64,
    /// How long changes of the current state are collected.
    pub current_state_delay_ms: u64,
    /// How long a phase may take.
    pub phase_timeout_ms: u64,
    /// The same for a domain that shows progress all the while; at least `phase_timeout_ms`.
    pub phase_timeout_max_ms: u64,
    /// How long a domain that may have lost a message is waited for before it is started
    /// over; at most half of `phase_timeout_ms`.
    pub resume_after_ms: u64,
    /// Longest silence of an agent that rolls back or cleans up.
    pub cleanup_timeout_ms: u64,
    /// The phases before which the owner is asked.
    pub owner_consent_commands: PhaseSet,
    /// How long the owner's answer is waited for.
    pub owner_consent_timeout_ms: u64,
    /// What is turned back together, and how it is verified before it is committed.
    pub groups: Groups,
    /// Where the campaign is saved; nowhere if empty.
    pub state_dir: String,
    /// Path of the console's socket; none if empty.
    pub console_socket: String,
    /// Group of the console's socket; none if empty.
    pub console_group: String,
    /// Whether the console may do more than look.
    pub console_control: bool,
}

/// The link to the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where the broker is.
    pub broker: Broker,
    /// Seconds of the longest silence; 0: any.
    pub keep_alive_s: u16,
    /// How long the end waits for what is unsent.
    pub disconnect_timeout_ms: u64,
    /// User name; none if empty.
    pub username: String,
    /// Password; none if empty. MQTT forbids it without a user name [MQTT-3.1.2-22].
    pub password: String,
    /// How long a connection may take.
    pub connect_timeout_ms: u64,
    /// How long an acknowledgement may take.
    pub ack_timeout_ms: u64,
    /// How long a subscription may take.
    pub subscribe_timeout_ms: u64,
    /// How long the end of a subscription may take.
    pub unsubscribe_timeout_ms: u64,
    /// Path of the certificates to trust; none if empty.
    pub ca_cert: String,
    /// Path of our certificate; none if empty.
    pub cert: String,
    /// Path of our private key; none if empty.
    pub key: String,
    /// Client ID; one of the device or a random one if empty.
    pub client_id: String,
    /// Whether the broker forgets the session when the link ends; none if that depends
    /// on the state folder, see [`is_clean`](Self::is_clean).
    pub clean_session: Option<bool>,
    /// Whether anything is published retained.
    pub retain: bool,
    /// Topic of the last will; none if empty.
    pub status_topic: String,
}

impl Connection {
    /// Whether the broker forgets the session when the link ends. `is_lasting` says
    /// whether there is a state folder that survives a power cut: only then is a session
    /// of use that does the same.
    pub fn is_clean(&self, is_lasting: bool) -> bool {
        self.clean_session.unwrap_or(!is_lasting)
    }
}

/// Without the password.
impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Connection({})", self.broker)
    }
}

/// Groups of domains that succeed or are turned back together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Groups {
    /// Which domains form a group, unless a desired state says it for itself.
    pub rollback: Rollback,
    /// Whether an inconsistent end has a status of its own.
    pub reports_inconsistent: bool,
    /// Whether a reboot that an update requires comes before its commit.
    pub commits_after_reboot: bool,
    /// Path of the executable that verifies a group; none if empty.
    pub verify_command: String,
    /// How long all checks have to hold without a break.
    pub verify_stable_ms: u64,
    /// How long the verification may take; longer than `verify_stable_ms`, unless that is the
    /// longest duration there is.
    pub verify_timeout_ms: u64,
}

/// A domain that has an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// The domain, at most [`crate::limits::DOMAIN_ID_MAX`] bytes, fit for topics.
    pub domain: String,
    /// Whether its updates need a reboot.
    pub reboot_required: bool,
    /// How long its current state is waited for.
    pub read_timeout_ms: u64,
    /// The executable that serves it in a standalone apply; none if empty.
    pub exec: String,
    /// Its place in the order of activation within its group, 1 to 100.
    pub order: u8,
    /// Whether its failure leaves the others of its group as they are.
    pub fails_alone: bool,
    /// When its inventory has to show what is wanted.
    pub verify_inventory: VerifyInventory,
    /// Whether its agent can roll back only as long as it was not given ACTIVATE.
    pub rolls_back_until_activate: bool,
}

/// When the inventory of a domain has to show what is wanted, before its group is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VerifyInventory {
    /// Never.
    #[default]
    Never,
    /// Whenever its group is verified.
    Always,
    /// Once the host has booted.
    AfterReboot,
}

impl VerifyInventory {
    /// All there are, the default first.
    pub const ALL: [VerifyInventory; 3] =
        [VerifyInventory::Never, VerifyInventory::Always, VerifyInventory::AfterReboot];

    /// Returns how it is spelled.
    pub fn name(self) -> &'static str {
        match self {
            VerifyInventory::Never => "never",
            VerifyInventory::Always => "always",
            VerifyInventory::AfterReboot => "afterReboot",
        }
    }
}

/// The configuration, and what is to be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// What is in effect.
    pub config: Config,
    /// The same as text, each value with its source.
    pub values: Values,
    /// What is not as somebody wanted it, to be logged at the start.
    pub warnings: Vec<Warning>,
}

/// Why there is no configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The arguments are wrong: exit code 2.
    Usage(String),
    /// Something else is: exit code 1.
    Config(String),
}

/// What the arguments ask for.
#[derive(Debug)]
pub enum Order {
    /// Show the flags.
    Help,
    /// Show this text.
    Usage(String),
    /// Show the version.
    Version,
    /// Show the configuration.
    CheckConfig(Box<Loaded>),
    /// Run with it.
    Run(Box<Loaded>),
    /// Do what a subcommand says.
    Command(commands::Command, Box<Loaded>),
}

/// Reads arguments (without the program's name), then file and environment.
///
/// # Errors
/// [`Error`]; the message says what is wrong and where.
pub fn load(args: &[&str], lookup: env::Lookup<'_>) -> Result<Order, Error> {
    let arguments = args::parse(args).map_err(Error::Usage)?;
    match arguments.action {
        Action::Help => Ok(Order::Help),
        Action::Usage(ref text) => Ok(Order::Usage(text.clone())),
        Action::Version => Ok(Order::Version),
        Action::CheckConfig => Ok(Order::CheckConfig(Box::new(gather(&arguments, lookup)?))),
        Action::Run => Ok(Order::Run(Box::new(gather(&arguments, lookup)?))),
        Action::Command(ref command) => Ok(Order::Command(command.clone(), Box::new(gather(&arguments, lookup)?))),
    }
}

fn gather(arguments: &Arguments, lookup: env::Lookup<'_>) -> Result<Loaded, Error> {
    let mut values = Values::new();
    let mut warnings = Warnings::default();
    arguments.warn(&mut warnings);
    if let Some(path) = arguments.config_file() {
        file::load(path, &mut values, &mut warnings).map_err(Error::Config)?;
    }
    gather_over(values, warnings, arguments, lookup)
}

/// Puts environment and flags over what the file says.
fn gather_over(
    mut values: Values,
    mut warnings: Warnings,
    arguments: &Arguments,
    lookup: env::Lookup<'_>,
) -> Result<Loaded, Error> {
    env::apply(lookup, &mut values, &mut warnings);
    arguments.apply(&mut values);
    merge::settle_domains(&mut values).map_err(Error::Config)?;
    env::apply_to_agents(lookup, &mut values, &mut warnings);
    arguments.apply_to_agents(&mut values).map_err(Error::Usage)?;
    let config = merge::resolve(&mut values, &mut warnings).map_err(Error::Config)?;
    Ok(Loaded { config, values, warnings: warnings.into_vec() })
}

#[cfg(test)]
mod args_tests;
#[cfg(test)]
mod groups_tests;
#[cfg(test)]
mod tests;
