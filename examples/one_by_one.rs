//! A policy of one's own: one domain after the other goes through all of its phases, and
//! none begins after one that failed.
//!
//! ```sh
//! cargo run --example one_by_one -- --config-file config.json
//! ```

use std::error::Error;

use update_manager::config::{self, Order};
use update_manager::engine::policy::{finish, identify, lead, turn_back, Act, Policy, Step, View};
use update_manager::engine::Policies;
use update_manager::{logging, shell};

/// Leads one domain after the other, in the order of the configuration.
pub struct OneByOne;

impl Policy for OneByOne {
    fn name(&self) -> &'static str {
        "one-by-one"
    }

    fn next(&self, view: &View<'_>) -> Step {
        turn_back(view).or_else(|| identify(view)).or_else(|| lead_one(view)).unwrap_or_else(|| finish(view))
    }
}

/// The next step of the domain whose turn it is.
fn lead_one(view: &View<'_>) -> Option<Step> {
    let domain = view.domains_that(|stand| !stand.is_done()).iter().next()?;
    if view.has_failed() && !view.has_begun(domain) {
        let untouched = view.untouched();
        return (!untouched.is_empty()).then_some(Step::Do(Act::Cleanup, untouched));
    }
    lead(view, domain.into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match config::load(&args, &|name| std::env::var_os(name)) {
        Ok(Order::Run(loaded)) => {
            logging::start(&loaded.config.log);
            Ok(shell::run_with(&loaded, Policies::only(OneByOne))?)
        }
        Ok(_) => Err("takes the manager's flags to run, no others".into()),
        Err(config::Error::Usage(why) | config::Error::Config(why)) => Err(why.into()),
    }
}
