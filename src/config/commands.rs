//! The subcommands and what belongs to each, by argh.

use argh::{CommandInfo, EarlyExit, FromArgs, SubCommand};

use crate::limits::ACTIVITY_ID_MAX;
use crate::model::text::Escaped;

/// A subcommand.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand)]
#[allow(missing_docs)]
pub enum Command {
    Run(Run),
    Status(Status),
    Watch(Watch),
    Apply(Apply),
    Inventory(Inventory),
    History(History),
    Consent(Consent),
    Cancel(Cancel),
    Reboot(Reboot),
    Validate(Validate),
    Report(Report),
    Agent(Agent),
    CheckConfig(CheckConfig),
}

/// Run the manager; the default.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "run")]
pub struct Run {}

/// What it shows.
#[derive(FromArgs)]
struct Looking {
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Subcommands that only look have the same options, so they share what reads them.
macro_rules! looks {
    ($($name:ident = $word:literal, $what:literal;)*) => { $(
        #[doc = $what]
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name {
            /// Print JSON.
            pub json: bool,
        }

        impl FromArgs for $name {
            fn from_args(command: &[&str], args: &[&str]) -> Result<Self, EarlyExit> {
                look(command, args, $what).map(|json| $name { json })
            }
        }

        impl SubCommand for $name {
            const COMMAND: &'static CommandInfo = &CommandInfo { name: $word, description: $what };
        }
    )* };
}

looks! {
    Status = "status", "Show what the manager does, and what it waits for.";
    Watch = "watch", "Follow the activity to its end.";
    Inventory = "inventory", "Show what the device consists of.";
    History = "history", "Show the last activities.";
    Report = "report", "Show all that support needs.";
}

fn look(command: &[&str], args: &[&str], what: &str) -> Result<bool, EarlyExit> {
    let looking = Looking::from_args(command, args)
        .map_err(|early| EarlyExit { output: early.output.replace("What it shows.", what), status: early.status });
    looking.map(|looking| looking.json)
}

/// Apply a desired state.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "apply")]
pub struct Apply {
    /// the desired state; - for standard input
    #[argh(positional)]
    pub file: String,

    /// the activity's id; made up if there is none
    #[argh(option, arg_name = "id")]
    pub activity: Option<String>,

    /// follow it to its end
    #[argh(switch)]
    pub watch: bool,

    /// wait for its end
    #[argh(switch)]
    pub wait: bool,

    /// also while the manager cannot save the last activity
    #[argh(switch)]
    pub force: bool,

    /// print JSON
    #[argh(switch)]
    pub json: bool,

    /// apply it in this process, without broker and manager
    #[argh(switch)]
    pub standalone: bool,
}

impl Apply {
    /// Checks what argh does not.
    ///
    /// # Errors
    /// No message could name the activity.
    pub fn check(&self) -> Result<(), String> {
        let Some(id) = &self.activity else { return Ok(()) };
        match Escaped(id).to_string().len() {
            1..=ACTIVITY_ID_MAX => Ok(()),
            bytes => {
                Err(format!("the flag --activity takes 1 to {ACTIVITY_ID_MAX} bytes, escaped as in JSON, not {bytes}"))
            }
        }
    }
}

/// Answer the open question in the owner's place.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "consent")]
pub struct Consent {
    /// approve or deny
    #[argh(positional)]
    pub answer: String,
}

/// Cancel the running activity, and begin to undo it.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "cancel")]
pub struct Cancel {
    /// also while the new is put into use
    #[argh(switch)]
    pub force: bool,
}

/// Hold a reboot that is due, or release it.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "reboot")]
pub struct Reboot {
    /// hold or release
    #[argh(positional)]
    pub what: String,
}

/// Check a desired state without applying it.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "validate")]
pub struct Validate {
    /// the desired state; - for standard input
    #[argh(positional)]
    pub file: String,

    /// print JSON
    #[argh(switch)]
    pub json: bool,
}

/// Serve a domain with an executable.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "agent")]
pub struct Agent {
    /// the domain that is served
    #[argh(option)]
    pub domain: String,

    /// the executable that does the work; default: the configuration's
    #[argh(option, arg_name = "program")]
    pub exec: Option<String>,

    /// how long a call of it may take: 20m, or download=20m; may be given again
    #[argh(option, arg_name = "limit")]
    pub timeout: Vec<String>,
}

/// The same as --check-config.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "check-config")]
pub struct CheckConfig {}
