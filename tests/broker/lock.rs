//! Two managers with one state folder.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;

use crate::peers::PATIENCE;
use crate::processes::{free_port, wait_until, Broker, Manager};

/// Starts one whose broker is away, and waits until it is ready.
fn start(broker: &Broker) -> Manager {
    let manager = Manager::start_with(&broker.address(), &["containers"], json!({ "log": { "logFile": "" } }));
    wait_until("it is ready", PATIENCE, || manager.folder.file("console.sock").exists());
    manager
}

#[test]
fn a_second_manager_with_the_same_state_folder_ends_at_once_and_names_the_first() {
    let broker = Broker::prepare(free_port("127.0.0.1"), "");
    let mut first = start(&broker);
    let state = first.folder.file("state");
    let refused = |id: u32| {
        format!(
            "update-manager: stateDir {} is in use by another manager, process {id}; \
             end that one, or choose another stateDir for this one\n",
            state.display()
        )
    };
    let check = |first: &mut Manager| {
        let (code, words, took) = first.rival();
        assert_eq!(code, Some(1), "{words}");
        assert!(words.ends_with(&refused(first.id())), "{words}");
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert!(first.is_alive());
        let socket = first.folder.file("console.sock");
        wait_until("its console is there", PATIENCE, || UnixStream::connect(&socket).is_ok());
    };
    check(&mut first);
    // A manager that is killed leaves its pid, but no lock.
    let killed = first.id();
    first.restart(libc::SIGKILL);
    assert_ne!(first.id(), killed);
    let pid = || std::fs::read_to_string(state.join("pid")).unwrap_or_default();
    wait_until("the next one has it", PATIENCE, || pid() == format!("{}\n", first.id()));
    check(&mut first);
    assert_eq!(first.terminate().0, Some(0));
    assert!(!state.join("pid").exists());
}

#[test]
fn a_state_folder_that_vanished_is_locked_again() {
    let broker = Broker::prepare(free_port("127.0.0.1"), "");
    let first = start(&broker);
    let state = first.folder.file("state");
    std::fs::remove_dir_all(&state).unwrap();
    // Something to save: the console needs no broker.
    let mut console = UnixStream::connect(first.folder.file("console.sock")).unwrap();
    let payload = json!({ "domains": [{ "id": "containers", "components": [{ "id": "app", "version": "1" }] }] });
    let request = json!({ "command": "apply", "activityId": "one", "timestamp": 1, "payload": payload });
    writeln!(console, "{request}").unwrap();
    wait_until("the folder is made again and locked", PATIENCE, || state.join("pid").exists());
    let (code, words, _) = first.rival();
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&format!("another manager, process {};", first.id())), "{words}");
}
