//! The real engine, checked after each step.

use std::cell::RefCell;
use std::rc::Rc;

use update_manager::engine::check::Check;
use update_manager::engine::obligation::InDoubt;
use update_manager::engine::{Campaign, Effects, Engine, Event, Orchestrator, Rejected, Settings, WaitingOn};
use update_manager::model::time::Tick;
use update_manager::model::{DomainIx, Reboot};

use crate::heap;

/// The activities that were accepted, in order.
pub type Accepted = Rc<RefCell<Vec<String>>>;

/// Ends the case when a rule is broken.
pub struct Checked {
    inner: Engine,
    check: Check,
    accepted: Accepted,
}

impl Checked {
    pub fn new(settings: Settings, accepted: Accepted) -> Checked {
        Checked { inner: Engine::new(settings), check: Check::new(true), accepted }
    }
}

impl Orchestrator for Checked {
    fn handle(&mut self, now: Tick, event: Event<'_>, out: &mut Effects) -> Result<(), Rejected> {
        let result = self.inner.handle(now, event, out);
        heap::of_world(|| {
            if let (Event::DesiredState(desired), Ok(())) = (event, result) {
                self.accepted.borrow_mut().push(desired.key.activity.as_json().to_owned());
            }
            if let Err(broken) = self.check.step(&event, result, out, self.inner.campaign()) {
                panic!("broken: {broken}\n  event {event:?}\n  result {result:?}\n  effects {out:?}");
            }
        });
        result
    }

    fn campaign(&self) -> Option<&Campaign> {
        self.inner.campaign()
    }

    fn waiting_on(&self) -> WaitingOn {
        self.inner.waiting_on()
    }

    fn reboot(&self) -> Reboot {
        self.inner.reboot()
    }

    fn in_doubt(&self, domain: DomainIx) -> Option<InDoubt> {
        self.inner.in_doubt(domain)
    }
}
