//! What the broker keeps of the manager on `statusTopic`: that it is online, its good-bye,
//! and its last will. And what becomes of a save, and of messages, at the end.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{json, Value};

use crate::link::Client;
use crate::peers::{desired_state, Peers, PATIENCE};
use crate::processes::{wait_until, Broker, Manager};

const ONE: [&str; 1] = ["containers"];
pub const TOPIC: &str = "device/update-manager";
const COMMANDS: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];

/// A manager that announces itself, with these keys in its `connection`.
fn announced(connection: Value) -> (Broker, Manager, Peers) {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &ONE);
    let mut config = json!({ "connection": { "statusTopic": TOPIC }, "phaseTimeout": "2s", "cleanupTimeout": "1s" });
    config["connection"].as_object_mut().unwrap().extend(connection.as_object().unwrap().clone());
    let manager = Manager::start_with(&format!("tcp://{}", broker.address()), &ONE, config);
    peers.await_manager();
    (broker, manager, peers)
}

/// What the broker has kept on the topic, as soon as there is something.
pub fn kept(broker: &Broker) -> Value {
    let mut client = Client::connect(&broker.address(), "watcher").unwrap();
    client.subscribe(&[TOPIC]).unwrap();
    let (_, payload) = client.next(PATIENCE).expect("something is kept");
    serde_json::from_str(&payload).unwrap()
}

fn assert_kept(broker: &Broker, status: &str, has_counts: bool) {
    wait_until(status, PATIENCE, || kept(broker)["status"] == status);
    let kept = kept(broker);
    assert_eq!(kept["version"], env!("CARGO_PKG_VERSION"));
    for count in ["uptimeS", "reconnects", "refused"] {
        assert_eq!(kept[count].is_u64(), has_counts, "{kept}");
    }
}

fn assert_ends_well(manager: &mut Manager) {
    let (code, time) = manager.terminate();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(2), "it took {time:?}");
}

/// An activity whose agent owes the answer to DOWNLOAD.
fn download(peers: &mut Peers) {
    peers.hold("DOWNLOAD");
    peers.apply("act", desired_state(&ONE, 1));
    peers.play_until("DOWNLOAD", |said| said.trigger() == "DOWNLOAD");
}

#[test]
fn online_is_kept_while_it_runs_and_its_own_offline_after_a_good_end() {
    for clean in [false, true] {
        let (broker, mut manager, _peers) = announced(json!({ "cleanSession": clean }));
        assert_kept(&broker, "online", true);
        assert_ends_well(&mut manager);
        // The last will has no counts, so it is the good-bye.
        assert_kept(&broker, "offline", true);
        manager.start_again();
        assert_kept(&broker, "online", true);
    }
}

#[test]
fn the_last_will_is_kept_when_it_is_killed() {
    let (broker, mut manager, mut peers) = announced(json!({ "cleanSession": false }));
    download(&mut peers);
    assert_kept(&broker, "online", true);
    manager.signal(libc::SIGKILL);
    assert_kept(&broker, "offline", false);
    manager.start_again();
    assert_kept(&broker, "online", true);
    peers.release();
    assert_eq!(peers.finish("act").status(), "COMPLETED");
}

#[test]
fn the_last_will_is_kept_when_it_hangs() {
    let (broker, manager, _peers) = announced(json!({ "keepAlive": "1s" }));
    manager.signal(libc::SIGSTOP);
    assert_kept(&broker, "offline", false);
    manager.signal(libc::SIGCONT);
    assert_kept(&broker, "online", true);
}

/// Keeps all who write a slot of the state waiting, until it is dropped; the system ends
/// the wait after 45 s.
struct Stall(#[allow(dead_code)] Vec<File>);

impl Stall {
    fn begin(manager: &Manager) -> Stall {
        let take = |path: &PathBuf| {
            let file = File::open(path).unwrap();
            // SAFETY: plain system calls on a file that is open. The signal that tells of a
            // waiting writer, which otherwise ends the process, is one that is ignored.
            let result = unsafe {
                libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK)
                    + libc::fcntl(file.as_raw_fd(), 10, libc::SIGURG)
            };
            assert_eq!(result, 0, "{path:?} cannot be held");
            file
        };
        let slots = ["state.a", "state.b", "actions.a", "actions.b"];
        Stall(slots.iter().map(|name| take(&manager.folder.file("state").join(name))).collect())
    }
}

/// Its agent has answered DOWNLOAD, and that cannot be saved.
fn saving() -> (Broker, Manager, Peers, Stall) {
    let (broker, manager, mut peers) = announced(json!({ "cleanSession": false }));
    // Both slots of each record are there then.
    for activity in ["one", "two"] {
        peers.apply(activity, desired_state(&ONE, 1));
        peers.finish(activity);
    }
    download(&mut peers);
    peers.settle();
    let stall = Stall::begin(&manager);
    peers.release();
    peers.flush();
    wait_until("the answer has come", PATIENCE, || manager.said("act: says DOWNLOAD_SUCCESS") > 0);
    (broker, manager, peers, stall)
}

fn assert_goes_on(mut peers: Peers) {
    assert_eq!(peers.finish("act").status(), "COMPLETED");
    assert_eq!(peers.commands("containers", "act"), COMMANDS);
    assert!(peers.play(Duration::from_millis(200), |said| said.is_final_of("act")).is_none(), "one end");
}

#[test]
fn a_good_end_waits_for_the_save_that_runs() {
    let (broker, mut manager, peers, stall) = saving();
    manager.signal(libc::SIGTERM);
    wait_until("it ends", PATIENCE, || manager.said("told to end") > 0);
    assert!(manager.is_alive());
    drop(stall);
    manager.start_again();
    assert_eq!(manager.said("is delivered once more"), 0);
    assert_kept(&broker, "online", true);
    assert_goes_on(peers);
}

#[test]
fn a_save_that_does_not_end_does_not_hold_the_end_up_and_the_broker_delivers_again() {
    let (broker, mut manager, peers, stall) = saving();
    assert_ends_well(&mut manager);
    assert_kept(&broker, "offline", true);
    drop(stall);
    manager.start_again();
    assert_goes_on(peers);
}

#[test]
fn what_a_broker_that_hangs_has_not_acknowledged_is_on_its_way_with_the_good_bye() {
    let (broker, mut manager, mut peers) = announced(json!({ "cleanSession": true }));
    // Nothing is left of the activity after the end.
    std::fs::remove_dir_all(manager.folder.file("state")).unwrap();
    std::fs::write(manager.folder.file("state"), "").unwrap();
    download(&mut peers);
    peers.settle();
    // Whoever is served next is served after all that has come before.
    assert_kept(&broker, "online", true);
    broker.freeze();
    assert_ends_well(&mut manager);
    broker.thaw();
    let last = peers.play_until("a final status", |said| said.is_final_of("act"));
    assert_eq!(
        (last.status(), last.message()),
        ("INCOMPLETE", "update manager terminated; the activity could not be saved")
    );
    // The good-bye or, as nobody takes the broker's acknowledgements any more, the last will.
    assert_eq!(kept(&broker)["status"], "offline");
}

#[test]
fn the_end_that_a_broker_did_not_acknowledge_before_a_power_cut_is_told_after_it() {
    let (mut broker, mut manager, mut peers) = announced(json!({ "cleanSession": false }));
    download(&mut peers);
    peers.settle();
    broker.freeze();
    wait_until("the activity ends", PATIENCE, || manager.said("act: INCOMPLETE") > 0);
    assert_ends_well(&mut manager);
    broker.cut();
    broker.resume();
    // It has forgotten the subscriptions of the peers.
    peers.publish("peers", "are back", false);
    peers.flush();
    manager.start_again();
    let last = peers.play_until("the final status", |said| said.is_final_of("act"));
    assert_eq!(last.status(), "INCOMPLETE");
    assert!(last.message().starts_with("[containers] no answer to DOWNLOAD in 2s"), "{}", last.message());
    assert_kept(&broker, "online", true);
}
