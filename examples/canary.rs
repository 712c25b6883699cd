//! A policy of one's own: one domain, the canary, goes all the way to its activation
//! first. The others follow in lockstep only if that went well; if it failed, they are left
//! as they are.
//!
//! ```sh
//! CANARY=containers cargo run --example canary -- --config-file config.json
//! ```

use std::error::Error;

use update_manager::config::{self, Order};
use update_manager::engine::policy::{finish, identify, lead, turn_back, Act, Lockstep, Policy, Step, View};
use update_manager::engine::Policies;
use update_manager::model::DomainIx;
use update_manager::{logging, shell};

/// Leads one domain first, then the others.
pub struct Canary {
    /// The domain that goes first.
    pub first: DomainIx,
}

impl Policy for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    /// An activity without the canary is led as any other.
    fn suits(&self, view: &View<'_>) -> bool {
        view.domains().contains(self.first)
    }

    fn next(&self, view: &View<'_>) -> Step {
        turn_back(view)
            .or_else(|| identify(view))
            .or_else(|| lead(view, self.first.into()))
            .or_else(|| self.lead_others(view))
            .unwrap_or_else(|| finish(view))
    }
}

impl Canary {
    /// The next step of the others, once the canary has activated or failed. Those that have
    /// begun go on even if the canary fails after its activation.
    fn lead_others(&self, view: &View<'_>) -> Option<Step> {
        let untouched = view.untouched();
        if view.failure(self.first).is_some() && !untouched.is_empty() {
            return Some(Step::Do(Act::Cleanup, untouched));
        }
        lead(view, view.domains().without(self.first.into()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match config::load(&args, &|name| std::env::var_os(name)) {
        Ok(Order::Run(loaded)) => {
            let config = &loaded.config;
            logging::start(&config.log);
            let canary = std::env::var("CANARY").map_err(|_| "CANARY has to name the domain that goes first")?;
            let place = config.agents.iter().position(|agent| agent.domain == canary);
            let first = place.and_then(DomainIx::new).ok_or("CANARY names a domain that is not configured")?;
            // The first policy that suits an activity leads it.
            let policies = Policies::new(vec![Box::new(Canary { first }), Box::new(Lockstep)]);
            Ok(shell::run_with(&loaded, policies)?)
        }
        Ok(_) => Err("takes the manager's flags to run, no others".into()),
        Err(config::Error::Usage(why) | config::Error::Config(why)) => Err(why.into()),
    }
}
