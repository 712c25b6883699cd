//! What a service manager is told, and when the watchdog is not fed.

use std::io::Error;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use serde_json::json;

use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{free_port, Broker, Folder, Manager};

const BOTH: [&str; 2] = ["containers", "self-update"];

/// A service manager's socket, and what comes to it.
struct Service {
    folder: Folder,
    told: Receiver<String>,
}

impl Service {
    fn new() -> Service {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.file("notify")).unwrap();
        let (sender, told) = channel();
        // At once, for the system keeps only a few for who does not read.
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(n) = socket.recv(&mut bytes) {
                if sender.send(String::from_utf8_lossy(&bytes[..n]).into_owned()).is_err() {
                    break;
                }
            }
        });
        Service { folder, told }
    }

    fn next(&self) -> String {
        self.told.recv_timeout(PATIENCE).expect("the manager tells something")
    }

    fn await_feeding(&self, times: usize) {
        let mut fed = 0;
        while fed < times {
            fed += usize::from(self.next() == "WATCHDOG=1");
        }
    }
}

#[test]
fn a_service_manager_is_told_of_the_start_without_a_broker_of_each_phase_and_of_the_end() {
    let service = Service::new();
    let mut broker = Broker::prepare(free_port("127.0.0.1"), "");
    let address = format!("tcp://{}", broker.address());
    let socket = service.folder.file("notify");
    let mut manager = Manager::start_as(&address, &BOTH, json!({}), |command| {
        command.env("NOTIFY_SOCKET", socket);
    });
    assert_eq!([service.next(), service.next()], ["READY=1", "STATUS=no broker, no activity"]);
    broker.resume();
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    peers.await_manager();
    peers.apply("act", desired_state(&BOTH, 1));
    peers.finish("act");
    let phases = ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
    let phases = phases.map(|phase| format!("STATUS=activity act: {phase}"));
    let idle = ["STATUS=no activity".to_owned()];
    let told: Vec<String> = (0..phases.len() + 2).map(|_| service.next()).collect();
    assert_eq!(told, [&idle[..], &phases, &idle].concat());
    assert_eq!(manager.terminate().0, Some(0));
    assert_eq!(service.next(), "STOPPING=1");
    assert_eq!(service.told.try_recv().ok(), None);
}

#[test]
fn a_loop_that_hangs_is_not_said_to_be_alive() {
    const INTERVAL: Duration = Duration::from_millis(50);
    let service = Service::new();
    let address = format!("tcp://127.0.0.1:{}", free_port("127.0.0.1"));
    let socket = service.folder.file("notify");
    let mut manager = Manager::start_as(&address, &BOTH, json!({}), |command| {
        let watchdog = (2 * INTERVAL).as_micros().to_string();
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", watchdog);
    });
    service.await_feeding(3);
    let held = Held::take(manager.id());
    let fed = (0..10).take_while(|_| service.told.recv_timeout(20 * INTERVAL).is_ok()).count();
    assert!(fed < 10, "its other threads feed it");
    drop(held);
    // The loop goes on where it was.
    service.await_feeding(3);
    assert!(manager.is_alive());
}

/// The main thread of a process, stopped alone.
struct Held(libc::pid_t);

impl Held {
    fn take(id: u32) -> Held {
        let thread = id as libc::pid_t;
        let none = std::ptr::null_mut::<libc::c_void>();
        let mut status = 0;
        // SAFETY: plain calls; the child is not waited for yet, so the id is still its own.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, thread, none, none), 0, "{}", Error::last_os_error());
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, thread, none, none), 0);
            assert_eq!(libc::waitpid(thread, &mut status, libc::__WALL), thread);
        }
        assert!(libc::WIFSTOPPED(status));
        Held(thread)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: a plain call.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, none, none) };
    }
}
