//! The old files of a log: `um.log` is kept as `um-2026-11-24T15-04-05.000.log`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Utc;

/// Before 2020 a clock was not set: such a stamp says nothing about the age.
const CLOCK_SET_MS: u64 = 1_577_836_800_000;

/// Names and finds the old files of one log.
pub struct Backups {
    dir: PathBuf,
    stem: String,
    ending: String,
}

impl Backups {
    /// Those of the log file at `path`, in its directory.
    pub fn of(path: &str) -> Backups {
        let path = Path::new(path);
        let text = |part: Option<&OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        let ending = match path.extension() {
            Some(extension) => format!(".{}", extension.to_string_lossy()),
            None => String::new(),
        };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Backups { dir: dir.to_owned(), stem: text(path.file_stem()), ending }
    }

    /// The path of the one that was put aside at `wall_ms` since the Unix epoch.
    pub fn path(&self, wall_ms: u64) -> PathBuf {
        self.dir.join(format!("{}-{}{}", self.stem, stamp(wall_ms), self.ending))
    }

    /// Removes all but the `keep` newest, and those put aside more than
    /// `age_max_ms` before `wall_ms`. Other files are never touched. Returns when
    /// the newest that stays was put aside.
    ///
    /// # Errors
    /// The directory cannot be read. A file that cannot be removed stays.
    pub fn prune(&self, wall_ms: u64, keep: usize, age_max_ms: Option<u64>) -> io::Result<Option<u64>> {
        let oldest = age_max_ms.map_or(0, |age| wall_ms.saturating_sub(age));
        let mut kept: Vec<u64> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let Some(at) = self.put_aside_at(&entry?.file_name()) else { continue };
            let doomed = if at >= CLOCK_SET_MS && at < oldest {
                Some(at)
            } else {
                kept.insert(kept.partition_point(|other| *other < at), at);
                (kept.len() > keep).then(|| kept.remove(0))
            };
            if let Some(at) = doomed {
                let _ = fs::remove_file(self.path(at));
            }
        }
        Ok(kept.last().copied())
    }

    fn put_aside_at(&self, name: &OsStr) -> Option<u64> {
        let rest = name.to_str()?.strip_prefix(self.stem.as_str())?.strip_prefix('-')?;
        parse_stamp(rest.strip_suffix(self.ending.as_str())?)
    }
}

/// `2026-11-24T15-04-05.000`, in UTC.
fn stamp(wall_ms: u64) -> String {
    let mut text = Utc(wall_ms).to_string().replace(':', "-");
    text.pop();
    text
}

/// Milliseconds since the Unix epoch; none if it is not exactly what [`stamp`]
/// writes. The last year is left out, so that there is always a later stamp.
fn parse_stamp(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, ms) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    if !(1970..9999).contains(&year) || day == 0 {
        return None;
    }
    let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    let wall_ms = seconds * 1000 + ms;
    (stamp(wall_ms) == text).then_some(wall_ms)
}

/// Days from 1970-01-01 on. Counts from March on, as its inverse does.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::temp::TempDir;

    const DAY_MS: u64 = 86_400_000;
    const NOW: u64 = 1_795_532_645_000;

    fn of(dir: &TempDir) -> Backups {
        Backups::of(&dir.path("um.log"))
    }

    #[test]
    fn stamps_are_read_as_they_are_written_and_nothing_else_is() {
        for ms in [0, 1, 951_782_399_999, 951_782_400_000, 951_868_800_000, NOW, 4_107_542_400_000] {
            assert_eq!(parse_stamp(&stamp(ms)), Some(ms), "{}", stamp(ms));
        }
        for text in [
            "",
            "2026-11-24T15-04-05.00",
            "2026-11-24T15-04-05.0000",
            "2026-11-24T15:04:05.000",
            "2026-11-31T15-04-05.000",
            "2026-00-24T15-04-05.000",
            "2026-11-00T15-04-05.000",
            "2026-99-99T99-99-99.999",
            "+026-11-24T15-04-05.000",
            "1969-12-31T23-59-59.999",
            "0000-01-01T00-00-00.000",
            "9999-12-31T23-59-59.999",
            "2026-11-24\u{e9}15-04-05.00",
        ] {
            assert_eq!(parse_stamp(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_the_logs_own_with_a_stamp_before_the_ending() {
        for (path, backup) in [
            ("/var/log/um.log", "/var/log/um-2026-11-24T15-04-05.000.log"),
            ("um", "./um-2026-11-24T15-04-05.000"),
            ("a/b.c.d", "a/b.c-2026-11-24T15-04-05.000.d"),
        ] {
            assert_eq!(Backups::of(path).path(NOW), Path::new(backup));
        }
    }

    #[test]
    fn the_newest_are_kept() {
        let dir = TempDir::new();
        for day in 0..5 {
            fs::write(of(&dir).path(NOW - day * DAY_MS), "").unwrap();
        }
        assert_eq!(of(&dir).prune(NOW, 3, None).unwrap(), Some(NOW));
        let stay: Vec<bool> = (0..5).map(|day| of(&dir).path(NOW - day * DAY_MS).exists()).collect();
        assert_eq!(stay, [true, true, true, false, false]);
        assert_eq!(of(&dir).prune(NOW, 0, None).unwrap(), None);
        assert_eq!(dir.names(), Vec::<String>::new());
    }

    #[test]
    fn what_is_too_old_goes_but_for_stamps_of_a_clock_that_was_not_set() {
        let dir = TempDir::new();
        for at in [NOW, NOW - 28 * DAY_MS, NOW - 28 * DAY_MS - 1, 60_000] {
            fs::write(of(&dir).path(at), "").unwrap();
        }
        of(&dir).prune(NOW, 9, Some(28 * DAY_MS)).unwrap();
        assert!(of(&dir).path(NOW - 28 * DAY_MS).exists() && of(&dir).path(60_000).exists());
        assert_eq!(dir.names().len(), 3);
        of(&dir).prune(120_000, 9, Some(28 * DAY_MS)).unwrap();
        assert_eq!(dir.names().len(), 3, "a clock that is not set makes nothing old");
    }

    #[test]
    fn other_files_are_never_touched() {
        let dir = TempDir::new();
        let names = [
            "um.log",
            "um-2001-01-01T00-00-00.000.log.gz",
            "um-2001-01-01T00-00-00.000",
            "um-old.log",
            "xum-2001-01-01T00-00-00.000.log",
            "um-2001-02-30T00-00-00.000.log",
        ];
        for name in names {
            fs::write(dir.path(name), "").unwrap();
        }
        assert_eq!(of(&dir).prune(NOW, 0, Some(1)).unwrap(), None);
        assert_eq!(dir.names().len(), names.len());
    }
}
