//! The subcommands and what belongs to each, by argh.

use argh::FromArgs;

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

/// Show what the manager does, and what it waits for.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "status")]
pub struct Status {
    /// print JSON
    #[argh(switch)]
    pub json: bool,
}

/// Follow the activity to its end.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "watch")]
pub struct Watch {
    /// print JSON, a line for each change
    #[argh(switch)]
    pub json: bool,
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

    /// print JSON
    #[argh(switch)]
    pub json: bool,

    /// apply it in this process, without broker and manager
    #[argh(switch)]
    pub standalone: bool,
}

/// Show what the device consists of.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "inventory")]
pub struct Inventory {
    /// print JSON
    #[argh(switch)]
    pub json: bool,
}

/// Show the last activities.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "history")]
pub struct History {
    /// print JSON
    #[argh(switch)]
    pub json: bool,
}

/// Answer the open question in the owner's place.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "consent")]
pub struct Consent {
    /// approve or deny
    #[argh(positional)]
    pub answer: String,
}

/// End the running activity: what was done is undone.
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

/// Show all that support needs.
#[derive(FromArgs, Clone, PartialEq, Eq, Debug)]
#[argh(subcommand, name = "report")]
pub struct Report {
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
