//! What an agent needs to go on after its own restart: a folder of its own, whose
//! files are replaced in one go.
//!
//! | file | what |
//! | --- | --- |
//! | `activity` | the running activity and how far it is, or the end of the last one |
//! | `installed` | what the last activity installed, for programs without an inventory |
//! | `plan`, `desired.json` | what the program is given, made anew for each call |
//! | `agent.lock`, `program.lock` | held while an agent, or a program of it, lives |

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::activity::{Activity, End};
use super::course::Course;
use super::plan::{self, Change, Installed, Planned};
use crate::agent::{part, Action, Command, DesiredState, Status};
use crate::limits::SAVED_RECORD_MAX;
use crate::model::text::{Escaped, Text};
use crate::wire::status::status;

/// The first line of `activity`.
const FORMAT: &str = "update-manager agent 1";

/// All that there is in it.
const FILES: [&str; 7] = ["activity", "installed", "plan", "desired.json", "agent.lock", "program.lock", "new"];

/// A domain's folder.
#[derive(Debug)]
pub struct Memory {
    folder: PathBuf,
    /// Removed at the end: nobody wants to keep it.
    is_passing: bool,
    /// Held as long as this lives.
    _lock: File,
}

impl Memory {
    /// The domain's folder below `state_dir`; with an empty one a folder that goes
    /// with the process.
    ///
    /// # Errors
    /// The system's, or another agent uses it.
    pub fn open(state_dir: &str, domain: &str) -> io::Result<Memory> {
        let is_passing = state_dir.is_empty();
        let folder = match is_passing {
            true => passing()?,
            // A domain has no slash: it is part of topics.
            false => Path::new(state_dir).join(format!("agent-{domain}")),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join("agent.lock"))?;
        if !lock_now(&lock)? {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another agent serves the domain"));
        }
        Ok(Memory { folder, is_passing, _lock: lock })
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Fills `course` with what was saved for `domain`. What cannot be read is logged,
    /// and nothing.
    pub fn load(&self, domain: &str, course: &mut Course) {
        let read = |name| {
            let mut text = String::new();
            let file = File::open(self.path(name))
                .and_then(|file| file.take(2 * SAVED_RECORD_MAX as u64).read_to_string(&mut text));
            match file {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    log::error!("{}: {error}", self.path(name).display());
                }
                _ => {}
            }
            text
        };
        course.installed = read("installed").lines().filter_map(fields).collect();
        let saved = read("activity");
        if !saved.is_empty() && decode(&saved, domain, course).is_none() {
            log::error!("{} cannot be read: its activity is forgotten", self.path("activity").display());
            (course.activity, course.end) = (None, None);
        }
    }

    /// Saves the activity, or the end of the last one.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, course: &Course) -> io::Result<()> {
        self.replace("activity", &encode(course))
    }

    /// Saves what is installed.
    ///
    /// # Errors
    /// The system's.
    pub fn save_installed(&self, installed: &[Installed]) -> io::Result<()> {
        let lines: String = installed.iter().map(|(id, version)| format!("{id}\t{version}\n")).collect();
        self.replace("installed", &lines)
    }

    /// Writes what the program is given.
    ///
    /// # Errors
    /// The system's.
    pub fn hand_out(&self, plan: &[Planned], desired: Option<&DesiredState>) -> io::Result<File> {
        let text = desired.map(|desired| plan::text(plan, desired)).unwrap_or_default();
        fs::write(self.path("plan"), text)?;
        fs::write(self.path("desired.json"), desired.map_or("", |desired| &desired.json))?;
        File::open(self.path("desired.json"))
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let new = self.path("new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path(name))?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.is_passing {
            FILES.iter().for_each(|name| drop(fs::remove_file(self.path(name))));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// A folder that nobody else has made.
fn passing() -> io::Result<PathBuf> {
    let base = std::env::temp_dir();
    for n in 0..100 {
        let folder = base.join(format!("update-manager-{}-{n}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Locks a file unless somebody else has it; whether it is ours.
pub(super) fn lock_now(file: &File) -> io::Result<bool> {
    // SAFETY: a plain call on a descriptor that is open.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            error => Err(error),
        },
    }
}

/// A line of two fields.
fn fields(line: &str) -> Option<(String, String)> {
    line.split_once('\t').map(|(id, version)| (id.to_owned(), version.to_owned()))
}

fn encode(course: &Course) -> String {
    let mut text = format!("{FORMAT}\n");
    // Writing into a string cannot fail.
    if let Some(End { id, status, message }) = &course.end {
        let _ = writeln!(text, "end {} {}\t{}", status.name(), Escaped(id), Escaped(message));
    }
    let Some(activity) = &course.activity else { return text };
    let _ = writeln!(text, "activity {}", Escaped(&activity.id));
    for (is_so, word) in flags(activity) {
        if is_so {
            let _ = writeln!(text, "{word}");
        }
    }
    if let Some(command) = activity.running {
        let _ = writeln!(text, "running {}", command.name());
    }
    if let Some((command, is_done, words)) = &activity.last {
        let _ = writeln!(text, "last {} {is_done}\t{}", command.name(), Escaped(words));
    }
    if !activity.failure.is_empty() {
        let _ = writeln!(text, "failure {}", Escaped(&activity.failure));
    }
    for Planned { change, action } in &activity.plan {
        let _ = writeln!(text, "{} {}\t{}", change.name(), action.id, action.version);
    }
    let _ = write!(text, "\n{}", activity.desired.json);
    text
}

fn flags(activity: &Activity) -> [(bool, &'static str); 5] {
    [
        (activity.is_downloaded && !activity.is_untouched, "downloaded"),
        // 0.1.0 does not read the second word.
        (activity.is_downloaded && activity.is_untouched, "downloaded untouched"),
        (activity.is_begun, "begun"),
        (activity.is_updated, "updated"),
        (activity.is_activated, "activated"),
    ]
}

fn decode(saved: &str, domain: &str, course: &mut Course) -> Option<()> {
    let (head, json) = saved.split_once("\n\n").unwrap_or((saved, ""));
    let mut lines = head.lines();
    if lines.next() != Some(FORMAT) {
        return None;
    }
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, &mut course.activity) {
            ("end", _) => {
                let (name, rest) = rest.split_once(' ')?;
                let (id, message) = rest.split_once('\t')?;
                let status = status(Text::parse(name)?);
                let is_end = matches!(status, Status::Completed | Status::Incomplete);
                course.end = is_end.then_some(End { id: plain(id)?, status, message: plain(message)? });
            }
            ("activity", activity) => {
                *activity = Some(Activity {
                    id: plain(rest)?,
                    desired: part(json, domain)?,
                    plan: Vec::new(),
                    is_downloaded: false,
                    is_begun: false,
                    is_updated: false,
                    is_activated: false,
                    is_untouched: true,
                    running: None,
                    last: None,
                    failure: String::new(),
                });
            }
            (_, None) => return None,
            ("downloaded", Some(activity)) => {
                activity.is_downloaded = true;
                activity.is_untouched = rest == "untouched";
            }
            ("begun", Some(activity)) => activity.is_begun = true,
            ("updated", Some(activity)) => activity.is_updated = true,
            ("activated", Some(activity)) => activity.is_activated = true,
            ("running", Some(activity)) => activity.running = Some(named(rest)?),
            ("last", Some(activity)) => {
                let (answer, words) = rest.split_once('\t')?;
                let (name, is_done) = answer.split_once(' ')?;
                activity.last = Some((named(name)?, is_done == "true", plain(words)?));
            }
            ("failure", Some(activity)) => activity.failure = plain(rest)?,
            (word, Some(activity)) => {
                let (id, version) = fields(rest)?;
                activity.plan.push(Planned { change: Change::named(word)?, action: Action::new(id, version) });
            }
        }
    }
    if let Some(activity) = &mut course.activity {
        activity.recall_statuses();
    }
    Some(())
}

fn named(name: &str) -> Option<Command> {
    Command::of_name(Text::parse(name)?)
}

fn plain(escaped: &str) -> Option<String> {
    Some(Text::parse(escaped)?.chars().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::ActionStatus;

    fn folder() -> (PathBuf, String) {
        let folder = passing().unwrap();
        let path = folder.display().to_string();
        (folder, path)
    }

    fn course() -> Course {
        let json = r#"{"domains":[{"id":"d","components":[{"id":"one","version":"1"}]}]}"#;
        let desired = part(json, "d").unwrap();
        let plan = plan::compare(&desired, &[("old".into(), "2".into())]).unwrap();
        let activity = Activity {
            id: "a \"b\"\n".into(),
            desired,
            plan,
            is_downloaded: true,
            is_begun: true,
            is_updated: false,
            is_activated: false,
            is_untouched: false,
            running: Some(Command::Update),
            last: Some((Command::Download, true, String::new())),
            failure: "two\nlines\tapart".into(),
        };
        let end = End { id: "before".into(), status: Status::Incomplete, message: "no\tspace".into() };
        let mut course = Course::default();
        (course.activity, course.end) = (Some(activity), Some(end));
        course
    }

    /// The status that each change has when this was saved and read.
    fn status_of(set: impl FnOnce(&mut Activity)) -> ActionStatus {
        let (folder, path) = folder();
        let memory = Memory::open(&path, "d").unwrap();
        let mut saved = course();
        set(saved.activity.as_mut().unwrap());
        memory.save(&saved).unwrap();
        let mut found = Course::default();
        memory.load("d", &mut found);
        fs::remove_dir_all(folder).unwrap();
        found.activity.unwrap().plan[0].action.status
    }

    #[test]
    fn changes_have_the_status_of_the_last_command_that_was_done_well() {
        let activated = |activity: &mut Activity| (activity.is_updated, activity.is_activated) = (true, true);
        assert_eq!(status_of(activated), ActionStatus::ActivationSuccess);
        assert_eq!(status_of(|activity| activity.is_updated = true), ActionStatus::UpdateSuccess);
        assert_eq!(status_of(|_| ()), ActionStatus::DownloadSuccess);
        let rolled_back = |activity: &mut Activity| activity.last = Some((Command::Rollback, true, String::new()));
        assert_eq!(status_of(rolled_back), ActionStatus::Identified);
    }

    #[test]
    fn what_is_saved_is_found_again_and_a_second_agent_is_kept_out() {
        let (folder, path) = folder();
        let memory = Memory::open(&path, "d").unwrap();
        let saved = course();
        memory.save(&saved).unwrap();
        memory.save_installed(&[("one".into(), "1".into()), ("two".into(), String::new())]).unwrap();
        assert_eq!(Memory::open(&path, "d").unwrap_err().to_string(), "another agent serves the domain");
        assert!(Memory::open(&path, "e").is_ok());
        drop(memory);
        let mut found = Course::default();
        Memory::open(&path, "d").unwrap().load("d", &mut found);
        // The statuses are those of the last command that was done well.
        let mut saved = saved;
        saved.activity.as_mut().unwrap().recall_statuses();
        assert_eq!((found.activity, found.end), (saved.activity, saved.end));
        assert_eq!(found.installed, [("one".to_owned(), "1".to_owned()), ("two".to_owned(), String::new())]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn that_the_program_knew_no_command_yet_is_found_again_and_not_taken_from_older_records() {
        let mut saved = course();
        let untouched = |course: &Course| course.activity.as_ref().map(|activity| activity.is_untouched);
        for is_untouched in [true, false] {
            saved.activity.as_mut().unwrap().is_untouched = is_untouched;
            let mut found = Course::default();
            decode(&encode(&saved), "d", &mut found).unwrap();
            assert_eq!(untouched(&found), Some(is_untouched));
        }
        // A record of 0.1.0 is like the last.
        assert!(encode(&saved).contains("\ndownloaded\n"));
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        let whole = encode(&course());
        let mut found = Course::default();
        assert!(decode(&whole, "d", &mut found).is_some());
        for end in 0..whole.len() {
            let mut found = Course::default();
            let _ = decode(&whole[..end], "d", &mut found);
            assert!(found.activity.is_none(), "{end}");
        }
        assert!(decode(&whole, "e", &mut Course::default()).is_none(), "of another domain");
    }

    #[test]
    fn without_a_state_folder_all_goes_with_the_process() {
        let memory = Memory::open("", "d").unwrap();
        let folder = memory.folder.clone();
        memory.save(&course()).unwrap();
        assert!(folder.join("activity").exists());
        drop(memory);
        assert!(!folder.exists());
    }
}
