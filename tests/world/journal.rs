//! The log of the case that runs in this thread.

use std::cell::RefCell;
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::heap;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        heap::of_world(|| LINES.with(|lines| lines.borrow_mut().push((record.level(), record.args().to_string()))));
    }

    fn flush(&self) {}
}

/// Begins anew.
pub fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).expect("no other logger is there");
        log::set_max_level(LevelFilter::Debug);
    });
    LINES.with(|lines| lines.borrow_mut().clear());
}

/// What was logged so far.
pub fn lines() -> Vec<(Level, String)> {
    LINES.with(|lines| lines.borrow().clone())
}
