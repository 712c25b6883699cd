//! What stands still: the log, the manager itself, threads that the system does not give.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{chown, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{json, Value};

use crate::link::envelope::envelope;
use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{wait_until, Broker, Folder, Manager};
use update_manager::limits::LOG_QUEUE_MAX;

const DOMAINS: [&str; 1] = ["containers"];
const FEEDBACK: &str = "containersupdate/desiredstatefeedback";

fn world(config: Value) -> (Broker, Manager, Peers) {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &DOMAINS);
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &DOMAINS, config);
    peers.await_manager();
    (broker, manager, peers)
}

fn complete(peers: &mut Peers, activity: &str) {
    peers.apply(activity, desired_state(&DOMAINS, 1));
    assert_eq!(peers.finish(activity).status(), "COMPLETED");
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up_and_what_is_lost_is_counted() {
    let folder = Folder::new();
    let mut log = Fifo::full(&folder.file("log"));
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &DOMAINS);
    let mut manager = Manager::start_as(&format!("tcp://{}", broker.address()), &DOMAINS, json!({}), |command| {
        command.stderr(OpenOptions::new().write(true).open(folder.file("log")).unwrap());
    });
    peers.await_manager();
    complete(&mut peers, "one");
    // Of each it logs more than 50 bytes.
    for n in 0..LOG_QUEUE_MAX / 50 {
        peers.publish(FEEDBACK, &envelope("another", json!({ "status": "DOWNLOADING" })), false);
        if n % 16 == 0 {
            peers.flush();
        }
    }
    peers.settle();
    complete(&mut peers, "two");
    log.read_all();
    // This one has room again, and brings how many had none.
    complete(&mut peers, "three");
    let said = wait_for(&mut log, "three: COMPLETED");
    let lost = said.lines().find_map(|line| line.split_once(" WARN  ")?.1.strip_suffix(LOST)).expect("it is told");
    assert!(lost.parse::<u64>().unwrap() > 100, "{lost}");
    assert!(!said.contains("two: COMPLETED"), "{said}");
    assert_eq!(manager.terminate().0, Some(0));
}

const LOST: &str = " lines before this one are lost: they were not taken in time";

/// Reads until the text has come.
fn wait_for(log: &mut Fifo, text: &str) -> String {
    let mut said = String::new();
    wait_until(text, Duration::from_secs(10), || {
        said += &log.read_all();
        said.contains(text)
    });
    said
}

#[test]
fn an_end_does_not_wait_for_a_log_that_nobody_reads() {
    let folder = Folder::new();
    let _log = Fifo::full(&folder.file("log"));
    let mut manager = Manager::start_as("tcp://127.0.0.1:1", &DOMAINS, json!({}), |command| {
        command.stderr(OpenOptions::new().write(true).open(folder.file("log")).unwrap());
    });
    let console = manager.folder.file("console.sock");
    wait_until("its console", Duration::from_secs(10), || console.exists());
    let (code, took) = manager.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A pipe that takes no more.
struct Fifo(File);

impl Fifo {
    fn full(path: &Path) -> Fifo {
        let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the path ends with NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let mut file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap();
        while file.write(b" ").is_ok() {}
        Fifo(file)
    }

    /// Takes out what is there.
    fn read_all(&mut self) -> String {
        let mut all = Vec::new();
        match self.0.read_to_end(&mut all) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => String::from_utf8(all).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_of_while_the_manager_stood_still_is_no_silence() {
    let (_broker, manager, mut peers) = world(json!({ "phaseTimeout": "2s", "readTimeout": "1s" }));
    peers.hold("DOWNLOAD");
    peers.apply("act", desired_state(&DOMAINS, 1));
    peers.play_until("that it downloads", |said| said.trigger() == "DOWNLOAD");
    manager.signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(3500));
    peers.release();
    peers.flush();
    manager.signal(libc::SIGCONT);
    assert_eq!(peers.finish("act").status(), "COMPLETED");
}

#[test]
fn nor_is_one_that_comes_by_a_new_connection_afterwards() {
    let config = json!({ "phaseTimeout": "3s", "connection": { "keepAlive": "1s" } });
    let (broker, manager, mut peers) = world(config);
    peers.hold("DOWNLOAD");
    peers.apply("act", desired_state(&DOMAINS, 1));
    peers.play_until("that it downloads", |said| said.trigger() == "DOWNLOAD");
    manager.signal(libc::SIGSTOP);
    wait_until("the broker gives it up", Duration::from_secs(10), || broker.said("exceeded timeout") > 0);
    peers.release();
    peers.flush();
    std::thread::sleep(Duration::from_secs(2));
    manager.signal(libc::SIGCONT);
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    wait_until("it says so", PATIENCE, || manager.said("the manager stood still") == 1);
}

#[test]
fn a_write_past_the_limit_of_a_files_size_is_one_that_failed() {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &DOMAINS);
    let mut manager = Manager::start_as(&format!("tcp://{}", broker.address()), &DOMAINS, json!({}), |command| {
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        let limited = move || {
            // SAFETY: a plain call with a structure of its type.
            match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: it makes a plain system call.
        unsafe { command.stderr(Stdio::null()).stdout(Stdio::null()).pre_exec(limited) };
    });
    peers.await_manager();
    peers.apply("act", desired_state(&DOMAINS, 1));
    let last = peers.finish("act");
    assert_eq!((last.status(), last.message()), ("COMPLETED", "the activity could not be saved"));
    assert_eq!(manager.terminate().0, Some(0));
}

/// Of a user who may have no thread more, as far as the system lets us choose one.
#[test]
fn without_a_thread_it_goes_on_in_memory_and_saves_again_with_one() {
    // SAFETY: a plain call.
    let is_root = unsafe { libc::geteuid() } == 0;
    const NOBODY: u32 = 65_534;
    let folder = Folder::new();
    let state = folder.file("state");
    fs::create_dir(&state).unwrap();
    if is_root {
        chown(&state, Some(NOBODY), None).unwrap();
    }
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &DOMAINS);
    let config = json!({ "stateDir": state, "consoleSocket": "" });
    let mut manager = Manager::start_as(&format!("tcp://{}", broker.address()), &DOMAINS, config, |command| {
        if is_root {
            command.uid(NOBODY);
        }
    });
    peers.await_manager();
    complete(&mut peers, "one");
    let as_its_user = |program: &mut Command| {
        if is_root {
            program.uid(NOBODY);
        }
    };
    let before = fs::read_to_string(format!("/proc/{}/limits", manager.id())).unwrap();
    let before = before.lines().find_map(|line| line.strip_prefix("Max processes")).unwrap();
    threads_max(&manager, "0", as_its_user);
    complete(&mut peers, "two");
    let why = "could not be saved and goes on in memory: no thread: Resource temporarily";
    wait_until("it says why", PATIENCE, || manager.said(why) == 1);
    threads_max(&manager, before.split_whitespace().next().unwrap(), as_its_user);
    complete(&mut peers, "three");
    wait_until("it says that it saves", PATIENCE, || manager.said("what could not be saved is saved now") == 1);
    assert_eq!(manager.terminate().0, Some(0));
}

/// How many threads its user may have from now on.
fn threads_max(manager: &Manager, most: &str, change: impl FnOnce(&mut Command)) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--nproc={most}:")).arg("--pid").arg(manager.id().to_string());
    change(&mut prlimit);
    assert!(prlimit.status().unwrap().success());
}
