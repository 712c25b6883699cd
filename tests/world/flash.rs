//! How much an activity writes to the flash: its document once, and 64 KiB for all else.

use crate::actors::{desired_state, Obedient};
use crate::disk::Fate;
use crate::power::{Moment, Outage};
use crate::scenario::World;

const BUDGET: usize = 64 * 1024;

const DOMAINS: [&str; 16] = [
    "domain-of-the-greatest-length-that-there-may-be-0000000000000001",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000002",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000003",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000004",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000005",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000006",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000007",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000008",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000009",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000010",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000011",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000012",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000013",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000014",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000015",
    "domain-of-the-greatest-length-that-there-may-be-0000000000000016",
];

/// As long as a reason may be.
const WORDS: &str = "no space left on the device while the image was being written to the second partition, so that \
                     nothing of it was put into use and the one before stays; see the log of the installer";

/// The first so many domains, whose agents answer each at another moment.
fn world(domains: usize, agent: impl Fn(Obedient) -> Obedient) -> World {
    let agents: Vec<String> = DOMAINS[..domains].iter().map(|domain| format!(r#""{domain}": {{}}"#)).collect();
    let mut world = World::saved(&format!(r#"{{"thingsEnabled": false, "agents": {{{}}}}}"#, agents.join(", ")));
    for (place, domain) in DOMAINS[..domains].iter().enumerate() {
        world = world.joined_by(agent(Obedient::paced(domain, 500 + 37 * place as u64)));
    }
    world.run_for(1_000);
    world
}

/// Bytes that one more activity writes besides its document.
fn written(world: &mut World, n: usize, domains: usize, end: &str) -> usize {
    let before = world.disk.as_ref().unwrap().written;
    let state = desired_state(&DOMAINS[..domains]);
    let activity = format!("3f2504e0-4f89-41d3-9a0c-0305e82c{n:04}");
    world.backend_applies(&activity, &state);
    world.run_for(120_000);
    assert_eq!(world.last(&activity).status, end);
    world.disk.as_ref().unwrap().written - before - state.len()
}

/// The last of so many that the history is full.
fn last_written(mut world: World, domains: usize, end: &str) -> usize {
    (0..35).map(|n| written(&mut world, n, domains, end)).last().unwrap()
}

#[test]
fn a_usual_activity_writes_its_document_and_no_more_than_64_kib() {
    let bytes = last_written(world(2, |agent| agent), 2, "COMPLETED");
    println!("{bytes} bytes");
    assert!(bytes <= BUDGET, "{bytes} bytes");
}

#[test]
fn an_activity_of_sixteen_domains_that_end_well_one_after_the_other_writes_no_more() {
    let bytes = last_written(world(16, |agent| agent), 16, "COMPLETED");
    println!("{bytes} bytes");
    assert!(bytes <= BUDGET, "{bytes} bytes");
}

#[test]
fn an_activity_of_sixteen_domains_that_fail_one_after_the_other_writes_no_more() {
    for command in ["DOWNLOAD", "UPDATE", "ACTIVATE"] {
        let world = world(16, |agent| agent.failing_at(command).saying(WORDS));
        let bytes = last_written(world, 16, "INCOMPLETE");
        println!("{bytes} bytes");
        assert!(bytes <= BUDGET, "{command}: {bytes} bytes");
    }
}

#[test]
fn what_is_not_saved_to_spare_the_flash_is_done_again_after_a_power_cut() {
    let last = {
        let mut world = world(16, |agent| agent);
        written(&mut world, 0, 16, "COMPLETED");
        world.power.moments.counts[Moment::Received as usize]
    };
    for nth in (1..last).rev().step_by(17).take(12) {
        let mut world = world(16, |agent| agent);
        let outage = Outage { fate: Fate::Lost, down_ms: 300, boots: true, agents_too: true };
        world.power.moments.cut = Some((Moment::Received, nth, outage));
        let state = desired_state(&DOMAINS);
        world.backend_applies("a-1", &state);
        world.run_for(300_000);
        assert_eq!(world.power.cuts.len(), 1, "cut at {nth}");
        assert_eq!(world.last("a-1").status, "COMPLETED", "cut at {nth}");
    }
}
