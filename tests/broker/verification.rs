//! The verification command beside a service manager that ends all processes at once.

use std::time::Duration;

use serde_json::json;

use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{wait_until, Broker, Folder, Manager};
use crate::script::{is_gone, pid, script};

const BOTH: [&str; 2] = ["containers", "self-update"];

#[test]
fn a_command_that_is_ended_together_with_the_manager_says_nothing_of_the_group() {
    let (broker, folder) = (Broker::start(), Folder::new());
    let body = r#"[ ! -e "$HERE/pid" ] || exit 0
        sleep 600 & echo $! >"$HERE/child"; echo $$ >"$HERE/pid"; wait"#;
    let config = json!({ "rollback": "device", "verifyCommand": script(&folder, body) });
    let mut peers = Peers::connect(&broker.address(), &BOTH);
    let mut manager = Manager::start_with(&format!("tcp://{}", broker.address()), &BOTH, config);
    peers.await_manager();
    peers.apply("act", desired_state(&BOTH, 1));
    wait_until("the command is called", PATIENCE, || {
        peers.play(Duration::from_millis(10), |_| false);
        folder.file("pid").exists()
    });
    let (command, child) = (pid(&folder.file("pid")), pid(&folder.file("child")));
    // The manager sees both at once.
    manager.signal(libc::SIGSTOP);
    manager.signal(libc::SIGTERM);
    // SAFETY: a plain call; the process is one that this test has started.
    unsafe { libc::kill(command, libc::SIGTERM) };
    wait_until("the command has ended", PATIENCE, || is_gone(command));
    manager.signal(libc::SIGCONT);
    manager.start_again();
    wait_until("what the command has started ends with it", PATIENCE, || is_gone(child));
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    assert_eq!(manager.said("the verification command says bad"), 0);
}
