//! Warnings and errors that come again and again: of each kind a few are written within a
//! minute, and the others are counted.

use core::fmt::{self, Write as _};

use crate::limits::{LOG_KINDS_MAX, LOG_KIND_WORDS_MAX, LOG_REPEATS_MAX, LOG_REPEATS_MS};
use crate::model::time::{Duration, Tick};

/// The kinds of lines that came within the last minute.
#[derive(Default)]
pub struct Repeats {
    kinds: heapless::Vec<Kind, LOG_KINDS_MAX>,
}

/// Lines of one place in the source about one topic or domain, which is their first word.
struct Kind {
    place: (&'static str, u32),
    /// The first of them, cut.
    words: heapless::String<LOG_KIND_WORDS_MAX>,
    since: Tick,
    written: u32,
    left_out: u64,
}

/// How many lines of a kind were left out.
#[derive(PartialEq, Eq, Debug)]
pub struct LeftOut {
    lines: u64,
    like: heapless::String<LOG_KIND_WORDS_MAX>,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} more within {} like: {}", self.lines, Duration(LOG_REPEATS_MS), self.like)
    }
}

impl Repeats {
    /// Takes a line by where in the source it comes from, and returns whether it is written.
    /// What [`take`](Self::take) returns has to be written before.
    pub fn admit(&mut self, now: Tick, place: (&'static str, u32), text: &dyn fmt::Display) -> bool {
        let mut words = heapless::String::new();
        // What does not fit is cut.
        let _ = write!(Cut(&mut words), "{text}");
        let is_same = |kind: &&mut Kind| kind.place == place && first(&kind.words) == first(&words);
        if let Some(kind) = self.kinds.iter_mut().find(is_same) {
            let is_written = kind.written < LOG_REPEATS_MAX;
            match is_written {
                true => kind.written += 1,
                false => kind.left_out = kind.left_out.saturating_add(1),
            }
            return is_written;
        }
        // Without room for it, it is not held against later ones.
        let _ = self.kinds.push(Kind { place, words, since: now, written: 1, left_out: 0 });
        true
    }

    /// Returns what was left out of a kind whose minute is over, or, at the `end`, of any.
    pub fn take(&mut self, now: Tick, end: bool) -> Option<LeftOut> {
        while let Some(place) = self.kinds.iter().position(|kind| end || kind.since.after(LOG_REPEATS_MS) <= now) {
            let kind = self.kinds.swap_remove(place);
            if kind.left_out > 0 {
                return Some(LeftOut { lines: kind.left_out, like: kind.words });
            }
        }
        None
    }
}

fn first(words: &str) -> &str {
    words.split(' ').next().unwrap_or_default()
}

/// Takes as much as there is room for.
struct Cut<'a>(&'a mut heapless::String<LOG_KIND_WORDS_MAX>);

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.0.push(c).map_err(|()| fmt::Error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (&str, u32) = ("here", 1);

    fn admitted(repeats: &mut Repeats, tick: u64, lines: u32, text: &str) -> u32 {
        (0..lines).filter(|_| repeats.admit(Tick(tick), HERE, &text)).count() as u32
    }

    #[test]
    fn of_a_kind_a_few_lines_are_written_in_a_minute_and_the_others_counted() {
        let mut repeats = Repeats::default();
        assert_eq!(admitted(&mut repeats, 0, 100, "a/b: message ignored: byte 7"), LOG_REPEATS_MAX);
        assert_eq!(admitted(&mut repeats, 1, 100, "a/b: message ignored: byte 8"), 0);
        assert_eq!(repeats.take(Tick(LOG_REPEATS_MS - 1), false), None);
        let told = repeats.take(Tick(LOG_REPEATS_MS), false).unwrap();
        let left_out = 200 - LOG_REPEATS_MAX;
        assert_eq!(told.to_string(), format!("{left_out} more within 1m like: a/b: message ignored: byte 7"));
        assert_eq!(repeats.take(Tick(LOG_REPEATS_MS), true), None);
        assert_eq!(admitted(&mut repeats, LOG_REPEATS_MS, 1, "a/b: message ignored: byte 9"), 1);
    }

    #[test]
    fn each_domain_and_each_place_has_its_own() {
        let mut repeats = Repeats::default();
        assert_eq!(admitted(&mut repeats, 0, 100, "[one] failed"), LOG_REPEATS_MAX);
        assert_eq!(admitted(&mut repeats, 0, 100, "[two] failed"), LOG_REPEATS_MAX);
        assert!(repeats.admit(Tick(0), ("here", 2), &"[one] failed"));
        assert!(repeats.admit(Tick(0), ("there", 1), &"[one] failed"));
    }

    #[test]
    fn at_the_end_all_are_told() {
        let mut repeats = Repeats::default();
        admitted(&mut repeats, 0, LOG_REPEATS_MAX + 1, "[one] failed");
        admitted(&mut repeats, 0, LOG_REPEATS_MAX, "[two] failed");
        admitted(&mut repeats, 0, LOG_REPEATS_MAX + 2, "[three] failed");
        let mut told: Vec<String> =
            std::iter::from_fn(|| repeats.take(Tick(1), true)).map(|one| one.to_string()).collect();
        told.sort();
        assert_eq!(told, ["1 more within 1m like: [one] failed", "2 more within 1m like: [three] failed"]);
    }

    #[test]
    fn kinds_for_which_there_is_no_room_are_written_and_none_is_kept_for_longer_than_a_minute() {
        let mut repeats = Repeats::default();
        for n in 0..2 * LOG_KINDS_MAX {
            let long = "x".repeat(300);
            assert!(repeats.admit(Tick(0), HERE, &format_args!("[{n}] {long}")));
        }
        assert_eq!(repeats.take(Tick(LOG_REPEATS_MS), false), None);
        assert!(repeats.kinds.is_empty());
    }
}
