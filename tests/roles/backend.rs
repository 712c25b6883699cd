//! The examples at the shipped broker: what keeps them from working is said, and soon.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::processes::{wait_until, Folder};
use crate::world::{password, World, DOMAINS};

/// Seconds that the example would wait for the manager.
const PATIENCE_S: u64 = 60;

fn example(name: &str) -> Command {
    let target = Path::new(env!("CARGO_BIN_EXE_update-manager")).parent().unwrap();
    let program = target.join("examples").join(name);
    assert!(program.exists(), "this needs the examples: cargo build --features agent --examples");
    Command::new(program)
}

/// How it ends for a user with `document`.
fn backend(world: &World, user: Option<&str>, document: &Value, flags: &[&str]) -> (Output, String) {
    let folder = Folder::new();
    let file = folder.file("desired.json");
    fs::write(&file, document.to_string()).unwrap();
    let address = world.address();
    let broker = match user {
        Some(user) => format!("tcp://{user}:{}@{address}", password(user)),
        None => address,
    };
    let begun = Instant::now();
    let output = example("backend").args(["--broker", &broker]).args(flags).arg(&file).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(PATIENCE_S / 2), "it hangs: {output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

fn desired(domain: &str) -> Value {
    json!({ "domains": [{ "id": domain, "components": [{ "id": "hello", "version": "1.0.0" }] }] })
}

#[test]
fn the_example_backend_names_what_keeps_it_from_working() {
    let world = World::start(json!({ "thingsEnabled": false }));
    let whole = json!({ "activityId": "first", "timestamp": 1_700_000_000_000_u64, "payload": desired("containers") });
    for (user, document, flags, told) in [
        (Some("backend"), &whole, &[][..], "holds a whole message: write its payload alone into the file\n"),
        (Some("backend"), &json!({ "activityId": "x" }), &[], "names no domain\n"),
        (None, &desired("containers"), &[], "in time: the broker refused: not authorized\n"),
        (Some("nobody"), &desired("containers"), &[], "in time: the broker refused: not authorized\n"),
        (Some("owner"), &desired("containers"), &["--timeout", "2"], "or the user has no right to read it\n"),
    ] {
        let (output, said) = backend(&world, user, document, flags);
        assert_eq!(output.status.code(), Some(1), "{user:?} {document}: {output:?}");
        assert!(said.starts_with("backend: ") && said.ends_with(told), "{user:?} {document}: {said}");
    }
}

#[test]
fn the_example_backend_ends_with_the_activity_also_if_no_current_state_follows() {
    let world = World::start(json!({ "thingsEnabled": false }));
    let agents = world.agents();
    let (output, said) = backend(&world, Some("backend"), &desired("nobody"), &[]);
    assert_eq!((output.status.code(), said.as_str()), (Some(1), ""), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("INCOMPLETE  the desired state manifest does not contain any supported domain"), "{shown}");
    let both = json!({ "domains": DOMAINS.map(|domain| desired(domain)["domains"][0].clone()) });
    // Somebody who may read all that a backend reads, and write nothing.
    let (output, said) = backend(&world, Some("witness"), &both, &["--timeout", "2"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.ends_with("or the user has no right to write it\n"), "{said}");
    let (output, said) = backend(&world, Some("backend"), &both, &[]);
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{output:?}");
    agents.into_iter().for_each(|agent| drop(agent.join()));
}

#[test]
fn the_example_agent_says_that_the_broker_refuses_it() {
    let world = World::start(json!({ "thingsEnabled": false }));
    let folder = Folder::new();
    let said = || fs::read_to_string(folder.file("said")).unwrap_or_default();
    let mut command = example("agent");
    command.args(["--broker", &world.address()]).stderr(fs::File::create(folder.file("said")).unwrap());
    let mut agent = command.spawn().unwrap();
    wait_until("the agent complains", Duration::from_secs(20), || {
        said().contains("the broker refused: not authorized")
    });
    agent.kill().unwrap();
    agent.wait().unwrap();
}
