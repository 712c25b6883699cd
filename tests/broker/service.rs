//! What a service manager is told, and when the watchdog is not fed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
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
    // A log that nobody reads holds its writer up, once it is full.
    let path = service.folder.file("log");
    make_fifo(&path);
    let fifo = || OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
    let mut log = fifo();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let socket = service.folder.file("notify");
    let mut manager = Manager::start_as(&address, &BOTH, json!({}), |command| {
        let stderr = OpenOptions::new().write(true).open(&path).unwrap();
        let watchdog = (2 * INTERVAL).as_micros().to_string();
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", watchdog).stderr(stderr);
    });
    let (link, _) = listener.accept().unwrap();
    service.await_feeding(3);
    fill(&mut log);
    // What it wants to log of this, it cannot.
    drop(link);
    let fed = (0..10).take_while(|_| service.told.recv_timeout(20 * INTERVAL).is_ok()).count();
    assert!(fed < 10, "it is fed on and on");
    assert!(manager.is_alive());
    // The other threads have not fed it, and the loop goes on where it was.
    empty(&mut log);
    service.await_feeding(3);
}

fn make_fifo(path: &Path) {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path ends with NUL.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

fn fill(fifo: &mut File) {
    while fifo.write(b" ").is_ok() {}
}

fn empty(fifo: &mut File) {
    let mut bytes = [0; 4096];
    loop {
        match fifo.read(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}
