//! A log file that is rotated, and is never in the way: a line that it does not
//! take goes to standard error.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{fchown, DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::backups::Backups;
use super::{write_line, Line};
use crate::limits::{LOG_FILES_OLD_MAX, LOG_FILE_MB_UNSET, LOG_PRUNE_MS, LOG_RETRY_MS};
use crate::model::time::{Now, Tick};

/// What a log may take on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a file.
    pub bytes_max: u64,
    /// Old files, 1 or more.
    pub old_max: usize,
    /// Milliseconds that an old file is kept; none: any time.
    pub age_max_ms: Option<u64>,
}

impl Limits {
    /// The configured limits. 0 means what it means to the reference: 100 MB, any
    /// number of old files (here [`LOG_FILES_OLD_MAX`]), any age.
    pub fn new(size_mb: u32, count: u32, age_max_days: u32) -> Limits {
        let or = |value: u32, unset: u64| if value == 0 { unset } else { u64::from(value) };
        Limits {
            bytes_max: or(size_mb, LOG_FILE_MB_UNSET) * 1024 * 1024,
            old_max: or(count, LOG_FILES_OLD_MAX).min(LOG_FILES_OLD_MAX) as usize,
            age_max_ms: (age_max_days > 0).then_some(u64::from(age_max_days) * 86_400_000),
        }
    }
}

/// The file, whether it can be written or not.
pub struct LogFile {
    path: PathBuf,
    backups: Backups,
    limits: Limits,
    open: Option<Open>,
    failure: Option<Failure>,
    prune_at: Tick,
}

/// The file cannot be written.
struct Failure {
    retry_at: Tick,
    /// Lines that went to standard error.
    lines: u64,
}

impl LogFile {
    /// Opens the file at `path`, or says on `fallback` why that cannot be.
    pub fn new(path: &str, limits: Limits, now: Now, fallback: &mut dyn Write) -> LogFile {
        let mut file = LogFile {
            path: PathBuf::from(path),
            backups: Backups::of(path),
            limits,
            open: None,
            failure: None,
            prune_at: now.tick,
        };
        file.reopen(now, fallback);
        file
    }

    /// Opens the file anew, for somebody has moved it away.
    pub fn reopen(&mut self, now: Now, fallback: &mut dyn Write) {
        self.open = None;
        match Open::at(&self.path, None) {
            Ok(open) => self.open = Some(open),
            Err(cause) => return self.fail(now, &cause, fallback),
        }
        if let Some(failure) = &mut self.failure {
            failure.retry_at = now.tick;
        }
        self.prune(now);
    }

    /// Appends a line, which ends in a line feed, with one system call. If that
    /// cannot be, the line goes to `fallback`, and so do all that follow within
    /// [`LOG_RETRY_MS`]; that it is so is said there once.
    ///
    /// # Errors
    /// The fallback's.
    pub fn write(&mut self, now: Now, line: &[u8], fallback: &mut dyn Write) -> io::Result<()> {
        match self.failure {
            Some(Failure { retry_at, .. }) if now.tick < retry_at => {}
            _ => match self.write_out(now, line) {
                Ok(()) => return Ok(()),
                Err(cause) => self.fail(now, &cause, fallback),
            },
        }
        if let Some(failure) = &mut self.failure {
            failure.lines = failure.lines.saturating_add(1);
        }
        fallback.write_all(line)
    }

    fn write_out(&mut self, now: Now, line: &[u8]) -> io::Result<()> {
        if let Some(Failure { lines: lines @ 1.., .. }) = self.failure {
            let mut note = Line::new();
            let level = log::Level::Warn;
            write_line(
                &mut note,
                now.wall,
                level,
                &format_args!("{lines} lines before this one went to standard error"),
            );
            self.append(now, note.as_bytes())?;
            self.failure = Some(Failure { retry_at: now.tick, lines: 0 });
        }
        self.append(now, line)?;
        self.failure = None;
        Ok(())
    }

    /// The file stays closed if this fails.
    fn append(&mut self, now: Now, line: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.path, None)?,
        };
        if open.would_pass(self.limits.bytes_max, line.len())? {
            open = self.rotate(now, &open)?;
        } else if now.tick >= self.prune_at {
            self.prune(now);
        }
        open.append(line)?;
        self.open = Some(open);
        Ok(())
    }

    fn fail(&mut self, now: Now, cause: &io::Error, fallback: &mut dyn Write) {
        let retry_at = now.tick.after(LOG_RETRY_MS);
        if let Some(failure) = &mut self.failure {
            failure.retry_at = retry_at;
            return;
        }
        self.failure = Some(Failure { retry_at, lines: 0 });
        let mut said = Line::new();
        let (level, path) = (log::Level::Error, self.path.display());
        write_line(&mut said, now.wall, level, &format_args!("log file {path}: {cause}; logging to standard error"));
        let _ = fallback.write_all(said.as_bytes());
    }

    /// Puts the file aside and begins a new one, with the same mode and owner. If
    /// that fails, the old one is not written on: it would have no limit.
    fn rotate(&mut self, now: Now, old: &Open) -> io::Result<Open> {
        let newest = self.backups.prune(now.wall, self.limits.old_max - 1, self.limits.age_max_ms)?;
        // Later than all others even if the clock was set back: nothing is
        // overwritten, and the order of the names is that of the files.
        let stamp = newest.map_or(now.wall, |newest| now.wall.max(newest + 1));
        match fs::rename(&self.path, self.backups.path(stamp)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(io::Error::new(cause.kind(), format!("cannot be rotated: {cause}")))
            }
            _ => Open::at(&self.path, Some(&old.file)),
        }
    }

    /// As good as it goes: what cannot be removed now is removed another day.
    fn prune(&mut self, now: Now) {
        self.prune_at = now.tick.after(LOG_PRUNE_MS);
        let _ = self.backups.prune(now.wall, self.limits.old_max, self.limits.age_max_ms);
    }
}

/// The open file.
struct Open {
    file: File,
    bytes: u64,
    /// A device or a pipe is never rotated.
    is_regular: bool,
}

impl Open {
    /// Creates it if it is not there: 0600, as the reference does, since a log may
    /// show more than everybody should see; or as the one `before` it is.
    fn at(path: &Path, before: Option<&File>) -> io::Result<Open> {
        let before = before.map(File::metadata).transpose()?;
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(before.as_ref().map_or(0o600, |before| before.mode() & 0o777));
        // A pipe that nobody reads must not hold the process up.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = match (options.open(path), path.parent()) {
            (Err(cause), Some(dir)) if cause.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
                options.open(path)?
            }
            (result, _) => result?,
        };
        if let Some(before) = before {
            let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
        }
        let metadata = file.metadata()?;
        Ok(Open { file, bytes: metadata.len(), is_regular: metadata.is_file() })
    }

    /// Whether `more` bytes would pass `bytes_max`. Asks the system before it says
    /// yes, since somebody may have cut the file.
    fn would_pass(&mut self, bytes_max: u64, more: usize) -> io::Result<bool> {
        let passes = |bytes: u64| bytes > 0 && bytes.saturating_add(more as u64) > bytes_max;
        if !self.is_regular || !passes(self.bytes) {
            return Ok(false);
        }
        self.bytes = self.file.metadata()?.len();
        Ok(passes(self.bytes))
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let n = loop {
            match self.file.write(line) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if n < line.len() {
            // The whole line goes elsewhere, so its beginning is taken back.
            if self.is_regular {
                let bytes = self.file.metadata()?.len();
                let _ = self.file.set_len(bytes.saturating_sub(n as u64));
            }
            return Err(io::Error::new(io::ErrorKind::WriteZero, "no space for a whole line"));
        }
        self.bytes += n as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::temp::TempDir;

    const WALL: u64 = 1_795_532_645_000;
    const SMALL: Limits = Limits { bytes_max: 10, old_max: 2, age_max_ms: None };

    fn at(tick: u64) -> Now {
        Now { tick: Tick(tick), wall: WALL + tick }
    }

    /// A log in a directory of its own, and what went to standard error.
    struct World {
        dir: TempDir,
        path: String,
        file: LogFile,
        said: Vec<u8>,
    }

    impl World {
        fn new(name: &str, limits: Limits) -> World {
            let dir = TempDir::new();
            let path = dir.path(name);
            let mut said = Vec::new();
            let file = LogFile::new(&path, limits, at(0), &mut said);
            World { dir, path, file, said }
        }

        fn write(&mut self, tick: u64, line: &str) {
            self.file.write(at(tick), line.as_bytes(), &mut self.said).unwrap();
        }

        fn reopen(&mut self, tick: u64) {
            self.file.reopen(at(tick), &mut self.said);
        }

        fn content(&self) -> String {
            fs::read_to_string(&self.path).unwrap()
        }

        fn said(&mut self) -> String {
            String::from_utf8(std::mem::take(&mut self.said)).unwrap()
        }

        fn contents(&self) -> Vec<String> {
            self.dir.names().iter().map(|name| fs::read_to_string(self.dir.path(name)).unwrap()).collect()
        }

        /// A directory in the file's place, so that it cannot be opened.
        fn obstruct(&mut self) {
            fs::rename(&self.path, self.dir.path("away")).unwrap();
            fs::create_dir(&self.path).unwrap();
        }
    }

    #[test]
    fn limits_of_zero_mean_what_they_mean_to_the_reference_within_our_bound() {
        let limits = Limits { bytes_max: 2 << 20, old_max: 5, age_max_ms: Some(28 * 86_400_000) };
        assert_eq!(Limits::new(2, 5, 28), limits);
        let limits = Limits { bytes_max: 100 << 20, old_max: 1000, age_max_ms: None };
        assert_eq!(Limits::new(0, 0, 0), limits);
        let largest = Limits::new(u32::MAX, u32::MAX, u32::MAX);
        assert_eq!((largest.old_max, largest.bytes_max), (1000, u64::from(u32::MAX) << 20));
    }

    #[test]
    fn the_directory_is_made_and_the_file_is_for_its_owner_alone() {
        let mut world = World::new("a/b/um.log", SMALL);
        world.write(0, "one\n");
        assert_eq!((world.content().as_str(), world.said().as_str()), ("one\n", ""));
        assert_eq!(fs::metadata(&world.path).unwrap().mode() & 0o777, 0o600);
        let dir = fs::metadata(world.dir.path("a/b")).unwrap();
        assert_eq!(dir.mode() & !0o755 & 0o777, 0);
    }

    #[test]
    fn an_existing_file_is_continued() {
        let mut world = World::new("um.log", SMALL);
        world.write(0, "one\n");
        world.file = LogFile::new(&world.path, SMALL, at(1), &mut world.said);
        world.write(1, "two\n");
        assert_eq!(world.content(), "one\ntwo\n");
        world.write(2, "six\n");
        assert_eq!(world.contents(), ["one\ntwo\n", "six\n"]);
    }

    #[test]
    fn a_file_is_put_aside_before_the_line_that_would_pass_its_size() {
        let mut world = World::new("um.log", SMALL);
        world.write(0, "12345\n");
        world.write(1, "789\n");
        assert_eq!(world.dir.names(), ["um.log"], "exactly full");
        world.write(2, "x\n");
        assert_eq!(world.dir.names(), ["um-2026-11-24T15-04-05.002.log", "um.log"]);
        assert_eq!(world.contents(), ["12345\n789\n", "x\n"]);
        world.write(3, "longer than a whole file\n");
        assert_eq!(world.contents(), ["12345\n789\n", "x\n", "longer than a whole file\n"]);
        assert_eq!(world.said(), "");
    }

    #[test]
    fn as_many_old_files_stay_as_configured_the_newest_ones_though_the_clock_goes_back() {
        let mut world = World::new("um.log", SMALL);
        for (i, wall) in [WALL, WALL, 5000, WALL - 9, WALL - 9].into_iter().enumerate() {
            let line = format!("line {i}...\n");
            world.file.write(Now { tick: Tick(0), wall }, line.as_bytes(), &mut world.said).unwrap();
        }
        assert_eq!(world.contents(), ["line 2...\n", "line 3...\n", "line 4...\n"]);
        assert_eq!(world.dir.names()[1], "um-2026-11-24T15-04-05.003.log");
    }

    #[test]
    fn old_files_go_at_the_start_and_every_day() {
        let mut world = World::new("um.log", SMALL);
        let limits = Limits { age_max_ms: Some(2 * LOG_PRUNE_MS), ..SMALL };
        let backups = Backups::of(&world.path);
        fs::write(backups.path(WALL - 2 * LOG_PRUNE_MS - 1), "").unwrap();
        fs::write(backups.path(WALL - LOG_PRUNE_MS - 1), "").unwrap();
        world.file = LogFile::new(&world.path, limits, at(0), &mut world.said);
        assert_eq!(world.dir.names().len(), 2, "one old, and the log");
        world.write(LOG_PRUNE_MS - 1, "a\n");
        assert_eq!(world.dir.names().len(), 2);
        world.write(LOG_PRUNE_MS, "b\n");
        assert_eq!(world.dir.names(), ["um.log"]);
    }

    #[test]
    fn the_next_file_has_the_mode_of_the_last() {
        use std::os::unix::fs::PermissionsExt;
        let mut world = World::new("um.log", SMALL);
        fs::set_permissions(&world.path, fs::Permissions::from_mode(0o640)).unwrap();
        world.write(0, "123456789\n");
        world.write(1, "x\n");
        assert_eq!(fs::metadata(&world.path).unwrap().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_file_that_was_cut_by_others_is_not_put_aside_early() {
        let mut world = World::new("um.log", SMALL);
        world.write(0, "123456789\n");
        fs::write(&world.path, "").unwrap();
        world.write(1, "x\n");
        assert_eq!((world.dir.names().len(), world.content().as_str()), (1, "x\n"));
    }

    #[test]
    fn a_file_that_was_moved_away_is_followed_until_it_is_reopened() {
        let mut world = World::new("um.log", SMALL);
        world.write(0, "a\n");
        fs::rename(&world.path, world.dir.path("um.log.1")).unwrap();
        world.write(1, "b\n");
        assert_eq!(world.dir.names(), ["um.log.1"]);
        world.reopen(2);
        assert_eq!(world.contents(), ["", "a\nb\n"], "it is there at once");
        world.write(3, "c\n");
        assert_eq!(world.contents(), ["c\n", "a\nb\n"]);
    }

    #[test]
    fn a_file_that_was_removed_is_begun_anew_at_its_size() {
        let mut world = World::new("um.log", SMALL);
        world.write(0, "123456789\n");
        fs::remove_file(&world.path).unwrap();
        world.write(1, "x\n");
        assert_eq!((world.contents(), world.said().as_str()), (vec![String::from("x\n")], ""));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_said_once_and_tried_again_later() {
        let mut world = World::new("um.log", SMALL);
        world.obstruct();
        world.reopen(0);
        let said = world.said();
        assert!(said.starts_with("2026-11-24T15:04:05.000Z ERROR log file /") && said.contains("irectory"), "{said}");
        world.write(1, "a\n");
        world.write(LOG_RETRY_MS, "b\n");
        fs::remove_dir(&world.path).unwrap();
        world.write(2 * LOG_RETRY_MS - 1, "c\n");
        assert_eq!(world.said(), "a\nb\nc\n", "not said again, and not tried at each line");
        world.write(2 * LOG_RETRY_MS, "d\n");
        assert_eq!(world.said(), "");
        let all = world.contents().concat();
        assert!(all.contains(" WARN  3 lines before this one went to standard error\n"), "{all}");
        assert_eq!(world.content(), "d\n");
        world.write(2 * LOG_RETRY_MS + 1, "e\n");
        assert_eq!(world.content(), "d\ne\n");
        world.obstruct();
        world.reopen(2 * LOG_RETRY_MS + 2);
        assert!(world.said().contains("ERROR log file"), "it is said again when it happens again");
    }

    #[test]
    fn reopening_does_not_wait_for_the_next_try() {
        let mut world = World::new("um.log", SMALL);
        world.obstruct();
        world.reopen(0);
        fs::remove_dir(&world.path).unwrap();
        world.said();
        world.reopen(1);
        world.write(2, "a\n");
        assert_eq!((world.content().as_str(), world.said().as_str()), ("a\n", ""));
    }

    #[test]
    fn a_full_disk_leads_to_standard_error_and_a_device_is_never_put_aside() {
        let mut world = World::new("um.log", SMALL);
        world.file = LogFile::new("/dev/full", SMALL, at(0), &mut world.said);
        assert_eq!(world.said(), "");
        world.write(0, "123456789\n");
        let said = world.said();
        assert!(said.contains("/dev/full: No space left") && said.ends_with("\n123456789\n"), "{said}");
        world.write(LOG_RETRY_MS, "123456789\n");
        assert_eq!(world.said(), "123456789\n");
        let link = world.dir.path("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        world.file = LogFile::new(&link, SMALL, at(0), &mut world.said);
        world.write(0, "123456789\n");
        world.write(0, "123456789\n");
        assert_eq!(world.dir.names(), ["link", "um.log"]);
        assert_eq!(world.said(), "");
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_nothing_up() {
        let mut world = World::new("um.log", SMALL);
        let pipe = std::ffi::CString::new(world.dir.path("pipe")).unwrap();
        // SAFETY: the path is a C string that lives through the call.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        world.file = LogFile::new(&world.dir.path("pipe"), SMALL, at(0), &mut world.said);
        world.write(0, "a\n");
        assert!(world.said().ends_with("logging to standard error\na\n"));
    }
}
