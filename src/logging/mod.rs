//! The log: one line per event on standard error or in a file, each bounded and
//! printable.

mod backups;
mod file;
mod queue;
mod repeats;
#[cfg(test)]
pub(crate) mod temp;
mod writer;

use core::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use log::LevelFilter;

use crate::limits::LOG_LINE_MAX;
use writer::Log;

/// What stands for what was cut off.
const CUT: &str = "...";

/// What is logged, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What is logged.
    pub level: LevelFilter,
    /// Path of the log file; standard error if empty.
    pub file: String,
    /// Size at which a new file is begun, in megabytes.
    pub file_size_mb: u32,
    /// Old files that are kept.
    pub file_count: u32,
    /// How long old files are kept, in days.
    pub file_max_age_days: u32,
}

/// Logs from now on, what is at least of the configured level, to the configured
/// file or else to standard error. `RUST_LOG` is not looked at. A thread of its own
/// writes, so nobody waits for a disk, a pipe or a terminal. A line that cannot be
/// written to the file goes to standard error; one that cannot be written there, or not
/// in time, is lost and counted, and nothing else. Does nothing if a logger is already set.
pub fn start(settings: &Settings) {
    let log = LOG.get_or_init(|| Log::new(settings));
    let mut builder = env_logger::Builder::new();
    builder.filter_level(settings.level).format(|out, record| {
        let mut line = Line::new();
        while let Some(left_out) = log.left_out() {
            write_line(&mut line, wall_ms(), log::Level::Warn, &format_args!("{left_out}"));
            out.write_all(line.as_bytes())?;
            line.clear();
        }
        if !log.admits(record) {
            return Ok(());
        }
        write_line(&mut line, wall_ms(), record.level(), record.args());
        out.write_all(line.as_bytes())
    });
    builder.target(env_logger::Target::Pipe(Box::new(ToLog(log))));
    if builder.try_init().is_ok() {
        log.find_thread();
    }
}

/// Opens the log file anew, if there is one, for somebody has moved it away.
pub fn reopen() {
    LOG.get().into_iter().for_each(Log::reopen);
}

/// Waits until what was logged is written, but not for long. Nothing is logged later: the
/// process ends.
pub fn finish() {
    LOG.get().into_iter().for_each(Log::finish);
}

/// Whoever logs, reopens and ends has it in common.
static LOG: OnceLock<Log> = OnceLock::new();

/// Takes each line in one piece.
struct ToLog(&'static Log);

impl io::Write for ToLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// A line with its line feed.
type Line = heapless::String<LINE_BYTES>;

/// The head is 31 bytes; then the text, what stands for the rest, and a line feed.
const LINE_BYTES: usize = LOG_LINE_MAX + 31 + CUT.len() + 1;

fn write_line(line: &mut Line, wall_ms: u64, level: log::Level, text: &fmt::Arguments<'_>) {
    // The buffer is as large as the longest line, so nothing can fail.
    let _ = write!(line, "{} {level:<5} ", Utc(wall_ms));
    let _ = write!(Printing::new(line, LOG_LINE_MAX), "{text}");
    let _ = line.push('\n');
}

/// Milliseconds since the Unix epoch, shown as `2026-11-24T15:04:05.123Z`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Utc(pub u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Years past 9999 would need more room; no clock shows them in earnest.
        let ms = self.0.min(253_402_300_799_999);
        let (year, month, day) = civil_date(ms / 86_400_000);
        let (hour, minute) = (ms / 3_600_000 % 24, ms / 60_000 % 60);
        let (second, ms) = (ms / 1000 % 60, ms % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of the day that is `days` after 1970-01-01. Counts from
/// March on, so that the leap day is a year's last.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097); // eras of 400 years
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A text from outside, shown without control characters and cut at a bound.
#[derive(Clone, Copy)]
pub struct Printable<'a> {
    text: &'a str,
    bytes_max: usize,
}

impl<'a> Printable<'a> {
    /// Shows at most `bytes_max` bytes of `text`, escaped, then `...` if that was
    /// not all.
    pub fn new(text: &'a str, bytes_max: usize) -> Printable<'a> {
        Printable { text, bytes_max }
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printing::new(f, self.bytes_max).write_str(self.text)
    }
}

/// The same in quotes, so that its end and blanks can be seen.
impl fmt::Debug for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Passes text on, with control characters escaped, until its bound.
struct Printing<'a> {
    out: &'a mut dyn fmt::Write,
    left: usize,
    cut: bool,
}

impl<'a> Printing<'a> {
    fn new(out: &'a mut dyn fmt::Write, bytes_max: usize) -> Printing<'a> {
        Printing { out, left: bytes_max, cut: false }
    }
}

impl fmt::Write for Printing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.cut {
                return Ok(());
            }
            // Also what reorders or breaks lines in a terminal or viewer.
            let plain = !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let mut bytes = [0; 4];
            let mut escaped: heapless::String<10> = heapless::String::new();
            let piece = match c {
                _ if plain => &*c.encode_utf8(&mut bytes),
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ => {
                    write!(escaped, "\\u{{{:x}}}", u32::from(c))?;
                    escaped.as_str()
                }
            };
            if piece.len() > self.left {
                self.cut = true;
                self.out.write_str(CUT)?;
            } else {
                self.left -= piece.len();
                self.out.write_str(piece)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        for (ms, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_795_532_645_123, "2026-11-24T15:04:05.123Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Utc(ms).to_string(), shown);
        }
    }

    #[test]
    fn a_line_has_time_level_and_text() {
        let mut line = Line::new();
        write_line(&mut line, 1_795_532_645_123, log::Level::Info, &format_args!("started {}", 1));
        assert_eq!(line.as_str(), "2026-11-24T15:04:05.123Z INFO  started 1\n");
    }

    #[test]
    fn a_line_stays_one_line_and_within_its_bound() {
        let mut line = Line::new();
        let long = "\n\u{1b}\u{e9}".repeat(LOG_LINE_MAX);
        write_line(&mut line, u64::MAX, log::Level::Error, &format_args!("{long}"));
        assert!(line.len() <= LINE_BYTES && line.len() > LOG_LINE_MAX);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with("...\n"), "{line}");
    }

    #[test]
    fn control_characters_are_escaped_and_the_rest_cut_between_characters() {
        let show = |text, max| Printable::new(text, max).to_string();
        assert_eq!(show("a\tb\u{7f}\u{9b}\u{202e}c", 99), "a\\tb\\u{7f}\\u{9b}\\u{202e}c");
        assert_eq!(show("caf\u{e9}", 5), "caf\u{e9}");
        assert_eq!(show("caf\u{e9}", 4), "caf...");
        assert_eq!(show("caf\u{e9}x", 4), "caf...");
        assert_eq!(show("", 0), "");
        assert_eq!(show("a\n", 2), "a...");
        assert_eq!(format!("{:?}", Printable::new(" a ", 9)), "\" a \"");
    }
}
