//! Each test has files of its own, by an injected environment.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;

use super::*;
use crate::logging::temp::TempDir;

/// A rebooter whose files are in a directory of its own.
struct World {
    dir: TempDir,
    rebooter: Rebooter,
}

impl World {
    fn new(command: &str) -> World {
        let dir = TempDir::new();
        let (sysrq, trigger) = (dir.path("sysrq"), dir.path("trigger"));
        let lookup = |name: &str| match name {
            "FILE_SYS_RQ" => Some(OsString::from(&sysrq)),
            "FILE_SYS_RQ_TRIGGER" => Some(OsString::from(&trigger)),
            _ => None,
        };
        let rebooter = Rebooter::new(command, &lookup);
        assert!(!rebooter.way.is_real());
        World { dir, rebooter }
    }

    fn due(&self) -> u64 {
        self.rebooter.poll_timeout().unwrap().0
    }

    fn step(&mut self, ms: u64) {
        assert_eq!(self.rebooter.handle_timeout(Tick(ms)), None);
    }

    fn files(&self) -> (String, String) {
        let read = |name| fs::read_to_string(self.dir.path(name)).unwrap_or_default();
        (read("sysrq"), read("trigger"))
    }

    fn is_syncing(&self) -> bool {
        matches!(self.rebooter.step, Step::Sync(..))
    }

    /// Follows the command in real time until something else is waited for.
    fn follow_command(&mut self) {
        while matches!(self.rebooter.step, Step::Command(_)) && self.rebooter.child.is_some() {
            let due = self.due();
            assert!(due < REBOOT_COMMAND_MS, "the command does not end");
            if let Some(child) = &mut self.rebooter.child {
                child.wait();
            }
            self.step(due);
        }
    }

    /// From the point where `sync` has been waited for in vain.
    fn follow_files(&mut self, start: u64) -> Outcome {
        self.step(start);
        assert_eq!(self.files(), (String::from("1"), String::from("s")));
        assert_eq!(self.due(), start + 1000);
        self.step(start + 999);
        assert_eq!(self.files().1, "s");
        self.step(start + 1000);
        assert_eq!(self.files().1, "u");
        self.step(start + 2000);
        assert_eq!(self.files(), (String::from("1"), String::from("b")), "b comes last and alone");
        assert_eq!(self.due(), start + 7000);
        self.step(start + 6999);
        let outcome = self.rebooter.handle_timeout(Tick(start + 7000)).unwrap();
        assert!(!self.rebooter.is_under_way());
        assert_eq!(self.rebooter.poll_timeout(), None);
        outcome
    }
}

fn choose(variables: &[(&str, &str)], has_proc: bool) -> Way {
    Way::choose(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value)), has_proc)
}

fn files(sysrq: &str, trigger: &str) -> Way {
    Way::Files { sysrq: PathBuf::from(sysrq), trigger: PathBuf::from(trigger) }
}

#[test]
fn the_files_are_those_of_the_environment_or_the_kernels() {
    assert_eq!(choose(&[], true), files("/proc/sys/kernel/sysrq", "/proc/sysrq-trigger"));
    assert_eq!(choose(&[], false), files("/wproc/sys/kernel/sysrq", "/wproc/sysrq-trigger"));
    assert_eq!(choose(&[("FILE_SYS_RQ", "/a")], true), files("/a", "/proc/sysrq-trigger"));
    assert_eq!(choose(&[("FILE_SYS_RQ_TRIGGER", "/b")], false), files("/wproc/sys/kernel/sysrq", "/b"));
    assert_eq!(choose(&[("FILE_SYS_RQ", "/a"), ("FILE_SYS_RQ_TRIGGER", "/b")], true), files("/a", "/b"));
}

#[test]
fn a_variable_that_is_set_but_empty_asks_for_the_system_call() {
    for has_proc in [true, false] {
        assert_eq!(choose(&[("FILE_SYS_RQ", "")], has_proc), Way::SystemCall);
        assert_eq!(choose(&[("FILE_SYS_RQ_TRIGGER", "")], has_proc), Way::SystemCall);
        assert_eq!(choose(&[("FILE_SYS_RQ", "/a"), ("FILE_SYS_RQ_TRIGGER", "")], has_proc), Way::SystemCall);
    }
}

#[test]
fn the_system_call_and_the_kernels_files_are_known_as_such() {
    assert!(Way::SystemCall.is_real());
    assert!(choose(&[], true).is_real() && choose(&[], false).is_real());
    assert!(files("/tmp/a", "/proc/sysrq-trigger").is_real() && files("/wproc/a", "/tmp/b").is_real());
    assert!(!files("/tmp/a", "/tmp/b").is_real());
}

#[test]
fn a_build_for_tests_writes_nothing_into_proc_by_whatever_name() {
    let dir = TempDir::new();
    let link = dir.path("link");
    std::os::unix::fs::symlink("/proc/self/comm", &link).unwrap();
    let before = fs::read_to_string(&link).unwrap();
    assert_eq!(write_file(Path::new(&link), b"x").unwrap_err().to_string(), REFUSAL);
    assert_eq!(fs::read_to_string(&link).unwrap(), before);
}

#[test]
fn a_build_for_tests_refuses_before_it_runs_anything() {
    let mut world = World::new("exit 0");
    world.rebooter.way = Way::SystemCall;
    world.rebooter.begin(Tick(7));
    assert!(world.rebooter.child.is_none());
    assert_eq!(world.due(), 7);
    assert_eq!(world.rebooter.handle_timeout(Tick(7)), Some(Outcome::Failed(String::from(REFUSAL))));
    assert!(!world.rebooter.is_under_way());
}

#[test]
fn without_a_command_sync_comes_first_and_is_waited_for_in_bounds() {
    let mut world = World::new("");
    assert_eq!(world.rebooter.poll_timeout(), None);
    world.rebooter.begin(Tick(1000));
    assert!(world.rebooter.is_under_way());
    let mut now = 1000;
    while now < 11_000 {
        assert!(world.due() <= now + REBOOT_LOOK_MS && world.is_syncing());
        assert_eq!(world.files(), (String::new(), String::new()));
        now = world.due();
        if now < 11_000 {
            world.step(now);
        }
    }
    let Outcome::Failed(reason) = world.follow_files(11_000);
    assert_eq!(reason, "the host is still up 5s after the reboot");
}

#[test]
fn when_sync_is_over_the_files_follow_at_once() {
    let mut world = World::new("");
    world.rebooter.begin(Tick(0));
    if let Step::Sync(_, done) = &world.rebooter.step {
        done.store(true, Ordering::Release);
    }
    world.follow_files(REBOOT_LOOK_MS);
}

#[test]
fn beginning_again_changes_nothing_and_after_a_failure_it_is_done_again() {
    let mut world = World::new("");
    world.rebooter.begin(Tick(0));
    world.rebooter.begin(Tick(50));
    assert_eq!(world.due(), REBOOT_LOOK_MS);
    world.follow_files(10_000);
    world.rebooter.begin(Tick(20_000));
    world.follow_files(30_000);
}

#[test]
fn what_the_files_held_before_is_gone_and_they_need_not_be_there() {
    let mut world = World::new("");
    fs::write(world.dir.path("sysrq"), "438\n").unwrap();
    fs::write(world.dir.path("trigger"), "long before").unwrap();
    world.rebooter.begin(Tick(0));
    world.follow_files(10_000);
    assert_eq!(world.dir.names(), ["sysrq", "trigger"]);
}

#[test]
fn a_sysrq_file_that_cannot_be_written_does_not_stop_the_reboot() {
    let mut world = World::new("");
    fs::create_dir(world.dir.path("sysrq")).unwrap();
    world.rebooter.begin(Tick(0));
    for ms in [10_000, 11_000, 12_000] {
        world.step(ms);
    }
    assert_eq!(world.files().1, "b");
}

#[test]
fn a_trigger_that_cannot_be_written_is_a_failure_with_path_and_cause() {
    let mut world = World::new("");
    fs::create_dir(world.dir.path("trigger")).unwrap();
    world.rebooter.begin(Tick(0));
    for ms in [10_000, 11_000] {
        world.step(ms);
    }
    let Outcome::Failed(reason) = world.rebooter.handle_timeout(Tick(12_000)).unwrap();
    assert!(reason.starts_with(&world.dir.path("trigger")) && reason.contains("directory"), "{reason}");
    assert!(!world.rebooter.is_under_way());
}

#[test]
fn a_command_that_succeeds_has_a_minute_to_bring_the_host_down() {
    let mut world = World::new("exit 0");
    world.rebooter.begin(Tick(0));
    assert_eq!(world.due(), REBOOT_LOOK_MS);
    world.follow_command();
    assert_eq!(world.due(), REBOOT_COMMAND_MS);
    world.step(REBOOT_COMMAND_MS - 1);
    assert!(!world.is_syncing());
    world.step(REBOOT_COMMAND_MS);
    assert!(world.is_syncing());
    world.follow_files(REBOOT_COMMAND_MS + REBOOT_SYNC_MS);
}

#[test]
fn a_command_that_fails_or_is_not_there_is_followed_by_the_files_at_once() {
    for command in ["exit 3", "kill -KILL $$", "/nowhere/reboot"] {
        let mut world = World::new(command);
        world.rebooter.begin(Tick(0));
        world.follow_command();
        assert!(world.is_syncing(), "{command}");
    }
    let mut world = World::new("no\0command");
    world.rebooter.begin(Tick(0));
    assert!(world.is_syncing(), "it cannot be started");
}

#[test]
fn a_command_that_does_not_end_is_left_for_a_minute_and_ended_when_the_reboot_has_failed() {
    let mut world = World::new("sleep 600 & wait");
    world.rebooter.begin(Tick(0));
    for _ in 0..3 {
        let due = world.due();
        world.step(due);
    }
    assert_eq!(world.due(), 4 * REBOOT_LOOK_MS);
    world.step(REBOOT_COMMAND_MS);
    assert!(world.is_syncing() && world.rebooter.child.as_mut().unwrap().try_wait().unwrap().is_none());
    world.follow_files(REBOOT_COMMAND_MS + REBOOT_SYNC_MS);
    let status = world.rebooter.child.as_mut().unwrap().wait();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}

#[test]
fn the_command_can_be_ended_by_the_signals_that_this_process_waits_for() {
    // SAFETY: the set is initialised before it is used. Only this thread is affected.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()), 0);
    }
    let mut child = Child::shell("kill -TERM $$; exit 0").unwrap();
    assert_eq!(child.wait().signal(), Some(libc::SIGTERM));
}
