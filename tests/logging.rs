//! The real binary's log file, while there is no broker.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A manager that looks for a broker in vain, in a directory of its own.
struct Manager {
    dir: PathBuf,
    child: Child,
    /// Takes standard error to the file `stderr`, which no limit of the child's cuts.
    reader: Option<JoinHandle<()>>,
}

impl Manager {
    /// Starts it by the shell, after `before`.
    fn start(name: &str, before: &str, log_file: &str) -> Manager {
        let dir = std::env::temp_dir().join(format!("um-logging-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        // Before the child, which must not be able to use it as a folder.
        let mut to = fs::File::create(dir.join("stderr")).unwrap();
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{before} exec \"$0\" --things-enabled=false"))
            .arg(env!("CARGO_BIN_EXE_update-manager"))
            .env_clear()
            .envs([("MQTT_CONN_BROKER", "tcp://127.0.0.1:1"), ("LOG_FILE", log_file)])
            .envs([("STATE_DIR", ""), ("CONSOLE_SOCKET", "")])
            .envs([("FILE_SYS_RQ", dir.join("sysrq")), ("FILE_SYS_RQ_TRIGGER", dir.join("trigger"))])
            .envs(["PHASE_TIMEOUT", "REBOOT_AFTER", "OWNER_CONSENT_TIMEOUT"].map(|name| (name, "x".repeat(200))))
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut from = child.stderr.take().unwrap();
        let reader = Some(std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to))));
        Manager { dir, child, reader }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// Waits until the file has the text.
    fn wait_for(&self, name: &str, text: &str) {
        self.wait_until(text, || self.read(name).contains(text));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < end, "no {what}: {}", self.read("stderr"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: a plain call. The child is not waited for yet, so its id is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as libc::pid_t, signal) }, 0);
    }

    /// Ends it, which it logs and does with success.
    fn end(&mut self) {
        self.signal(libc::SIGTERM);
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.read("stderr"));
        self.reader.take().unwrap().join().unwrap();
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn the_log_goes_to_the_file_instead_of_standard_error() {
    let mut manager = Manager::start("file", "umask 022;", "log/um/um.log");
    manager.wait_for("log/um/um.log", "cannot connect");
    manager.end();
    assert_eq!(manager.read("stderr"), "");
    let log = manager.read("log/um/um.log");
    assert!(log.contains(" WARN  phaseTimeout (environment PHASE_TIMEOUT)"), "{log}");
    assert!(log.ends_with(" INFO  told to end\n"), "{log}");
    let mode = |path: &str| fs::metadata(manager.dir.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("log"), mode("log/um"), mode("log/um/um.log")), (0o755, 0o755, 0o600));
}

#[test]
fn sighup_after_a_rename_begins_a_new_file_and_no_line_is_lost() {
    let mut manager = Manager::start("hup", "", "um.log");
    manager.wait_for("um.log", "cannot connect");
    fs::rename(manager.dir.join("um.log"), manager.dir.join("um.log.1")).unwrap();
    manager.signal(libc::SIGHUP);
    manager.wait_until("new log", || manager.dir.join("um.log").exists());
    manager.end();
    assert_eq!(manager.read("stderr"), "");
    let (old, new) = (manager.read("um.log.1"), manager.read("um.log"));
    assert!(old.contains("cannot connect") && old.ends_with('\n') && !old.contains("told to end"), "{old}");
    assert!(new.ends_with(" INFO  told to end\n") && !new.contains("phaseTimeout"), "{new}");
}

#[test]
fn sighup_without_a_log_file_changes_nothing() {
    let mut manager = Manager::start("none", "", "");
    manager.wait_for("stderr", "cannot connect");
    manager.signal(libc::SIGHUP);
    manager.end();
    assert!(manager.read("stderr").ends_with(" INFO  told to end\n"));
}

#[test]
fn without_a_file_that_can_be_written_the_log_goes_to_standard_error() {
    for (i, (file, cause)) in [
        ("/dev/full", "No space left on device"),
        ("/proc/nowhere/um.log", "o such file or directory"),
        ("stderr/um.log", "ot a directory"),
        (".", "s a directory"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut manager = Manager::start(&format!("unwritable{i}"), "", file);
        manager.wait_for("stderr", "cannot connect");
        manager.end();
        let said = manager.read("stderr");
        let first = said.lines().next().unwrap();
        assert!(first.contains(&format!(" ERROR log file {file}: ")) && first.contains(cause), "{said}");
        assert_eq!(said.matches("ERROR log file").count(), 1, "said once");
        assert!(said.contains(" WARN  phaseTimeout") && said.ends_with(" INFO  told to end\n"), "{said}");
    }
}

#[test]
fn a_line_for_which_there_is_no_room_goes_to_standard_error_whole() {
    // One block, less than the warnings at the start take.
    let mut manager = Manager::start("room", "ulimit -f 1;", "um.log");
    manager.wait_for("stderr", "cannot connect");
    manager.end();
    let (log, said) = (manager.read("um.log"), manager.read("stderr"));
    assert!(log.ends_with('\n') && log.lines().all(|line| line.contains(" WARN  ")), "{log}");
    assert!(said.contains(" ERROR log file um.log: no space for a whole line"), "{said}");
    for key in ["phaseTimeout", "rebootAfter", "ownerConsentTimeout"] {
        assert_eq!(format!("{log}{said}").matches(&format!(" WARN  {key} (environment")).count(), 1, "{log}{said}");
    }
}
