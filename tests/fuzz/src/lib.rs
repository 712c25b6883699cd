//! What the fuzz targets share: the judgement of another JSON parser, a log that
//! formats every line, the far end of an MQTT link, pieces of an input.

pub mod broker;
pub mod json;

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

use log::{LevelFilter, Log, Metadata, Record};

/// Ends a piece of an input that is text: a character that JSON cannot hold.
pub const SEPARATOR: u8 = 0x1e;

/// The pieces of an input.
pub fn pieces(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == SEPARATOR)
}

/// What is written to it is formatted, and thrown away.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        Ok(())
    }
}

/// A log that formats each line, so that a `Display` that panics is found.
struct Formatting;

static MESSAGE_LOST: AtomicBool = AtomicBool::new(false);

impl Log for Formatting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let _ = write!(Sink, "{}", record.args());
        if record.level() == log::Level::Error {
            let line = record.args().to_string();
            if line.contains(" is lost: ") {
                MESSAGE_LOST.store(true, Ordering::Relaxed);
            }
        }
        static SHOWN: OnceLock<bool> = OnceLock::new();
        if *SHOWN.get_or_init(|| std::env::var_os("FUZZ_LOG").is_some()) {
            eprintln!("{} {}", record.level(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Logs every level from here on; to standard error too if `FUZZ_LOG` is set.
pub fn log_everything() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Formatting).expect("nobody else sets a logger");
        log::set_max_level(LevelFilter::Trace);
    });
    MESSAGE_LOST.store(false, Ordering::Relaxed);
}

/// Whether the log has said since `log_everything` that a message was lost for
/// want of room.
pub fn was_message_lost() -> bool {
    MESSAGE_LOST.load(Ordering::Relaxed)
}
