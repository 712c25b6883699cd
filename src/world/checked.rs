//! The real engine is checked after each step, and takes nothing from the heap.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::engine::check::Check;
use crate::engine::{Campaign, Effects, Event, Observer, Rejected};

use crate::world::heap::{self, Heap};
use crate::world::in_lockstep::InLockstep;

/// The activities that were accepted, in order.
pub type Accepted = Rc<RefCell<Vec<String>>>;

/// Ends the case when a rule is broken.
pub struct Checked {
    check: RefCell<Check>,
    in_lockstep: RefCell<InLockstep>,
    accepted: Accepted,
    before: Cell<Heap>,
}

impl Checked {
    pub fn new(accepted: Accepted) -> Checked {
        Checked { check: RefCell::default(), in_lockstep: RefCell::default(), accepted, before: Cell::default() }
    }
}

impl Observer for Checked {
    fn before(&self, _: &Event<'_>) {
        self.before.set(heap::so_far());
    }

    fn after(&self, event: &Event<'_>, result: Result<(), Rejected>, out: &Effects, campaign: Option<&Campaign>) {
        // A start with what was saved takes its parts from the heap.
        if !matches!(event, Event::Boot(_)) {
            let calls = heap::so_far().calls;
            assert_eq!(calls, self.before.get().calls, "the engine takes memory from the heap");
        }
        heap::of_world(|| {
            if let (Event::DesiredState(desired), Ok(())) = (event, result) {
                self.accepted.borrow_mut().push(desired.key.activity.as_json().to_owned());
            }
            let rules = self.check.borrow_mut().step(event, result, out, campaign);
            let promise = result.map_or(Ok(()), |()| self.in_lockstep.borrow_mut().step(event, out, campaign));
            if let Err(broken) = rules.and(promise) {
                panic!("broken: {broken}\n  event {event:?}\n  result {result:?}\n  effects {out:?}");
            }
        });
    }
}
