//! The log of the case that runs in this thread.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::world::heap;

/// All lines, one after the other, and where each ends.
struct Lines {
    text: String,
    ends: Vec<(Level, usize)>,
}

thread_local! {
    static LINES: RefCell<Lines> = const { RefCell::new(Lines { text: String::new(), ends: Vec::new() }) };
}

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        heap::of_world(|| {
            LINES.with(|lines| {
                let lines = &mut *lines.borrow_mut();
                write!(lines.text, "{}", record.args()).unwrap();
                lines.ends.push((record.level(), lines.text.len()));
            });
        });
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
    LINES.with(|lines| {
        let lines = &mut *lines.borrow_mut();
        lines.text.clear();
        lines.ends.clear();
    });
}

/// Hands each line that was logged so far to `take`.
pub fn each(mut take: impl FnMut(Level, &str)) {
    LINES.with(|lines| {
        let lines = &*lines.borrow();
        let mut start = 0;
        for (level, end) in &lines.ends {
            take(*level, &lines.text[start..*end]);
            start = *end;
        }
    });
}

/// What was logged so far.
pub fn lines() -> Vec<(Level, String)> {
    let mut all = Vec::new();
    each(|level, line| all.push((level, line.to_owned())));
    all
}
