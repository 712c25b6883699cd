//! How much an activity writes to the flash: its document once, and for all else 64 KiB
//! with up to 4 domains, and so much more for each further one.

use update_manager::limits::DOMAIN_ID_MAX;

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::World;

/// Bytes beside the document with so many domains, each of which ends its part of a phase
/// at another moment: their names are written each time.
fn budget(domains: usize) -> usize {
    64 * 1024 + domains.saturating_sub(4) * 32 * 1024
}

/// The first so many names of the greatest length.
fn names(domains: usize) -> Vec<&'static str> {
    let name = |n: usize| &*format!("{n:0>DOMAIN_ID_MAX$}").leak();
    (1..=domains).map(name).collect()
}

/// As long as a reason may be.
const WORDS: &str = "no space left on the device while the image was being written to the second partition, so that \
                     nothing of it was put into use and the one before stays; see the log of the installer";

/// So many domains, whose agents answer each at another moment.
fn world(domains: usize, agent: impl Fn(Obedient) -> Obedient) -> World {
    let agents: Vec<String> = names(domains).iter().map(|domain| format!(r#""{domain}": {{}}"#)).collect();
    let mut world = World::saved(&format!(r#"{{"thingsEnabled": false, "agents": {{{}}}}}"#, agents.join(", ")));
    for (place, domain) in names(domains).into_iter().enumerate() {
        world = world.joined_by(agent(Obedient::paced(domain, 500 + 37 * place as u64)));
    }
    world.run_for(1_000);
    world
}

/// Bytes that one more activity writes besides its document.
fn written(world: &mut World, n: usize, domains: usize, end: &str) -> usize {
    let before = world.disk.as_ref().unwrap().written;
    let state = desired_state(&names(domains));
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
fn an_activity_of_up_to_four_domains_writes_its_document_and_no_more_than_64_kib() {
    for domains in [1, 2, 4] {
        let bytes = last_written(world(domains, |agent| agent), domains, "COMPLETED");
        println!("{domains} domains: {bytes} bytes");
        assert!(bytes <= budget(domains), "{domains} domains: {bytes} bytes");
    }
}

#[test]
fn an_activity_of_more_domains_that_end_well_one_after_the_other_writes_so_much_more_for_each() {
    for domains in [8, 16, 64] {
        let bytes = last_written(world(domains, |agent| agent), domains, "COMPLETED");
        println!("{domains} domains: {bytes} bytes");
        assert!(bytes <= budget(domains), "{domains} domains: {bytes} bytes");
    }
}

#[test]
fn an_activity_of_domains_that_fail_one_after_the_other_writes_no_more() {
    for command in ["DOWNLOAD", "UPDATE", "ACTIVATE"] {
        for domains in [4, 16] {
            let world = world(domains, |agent| agent.failing_at(command).saying(WORDS));
            let bytes = last_written(world, domains, "INCOMPLETE");
            println!("{domains} domains, {command}: {bytes} bytes");
            assert!(bytes <= budget(domains), "{domains} domains, {command}: {bytes} bytes");
        }
    }
}

/// Writes that an activity waits for, each with its sync, and bytes of all.
fn cost(domains: usize) -> (usize, usize) {
    let mut world = world(domains, |agent| agent);
    let (mut syncs, mut bytes) = (0, 0);
    for n in 0..3 {
        let before = world.disk.as_ref().unwrap().syncs;
        bytes = written(&mut world, n, domains, "COMPLETED");
        // The last one says that the end was delivered; nothing waits for it.
        syncs = world.disk.as_ref().unwrap().syncs - before - 1;
    }
    (syncs, bytes)
}

#[test]
fn an_activity_of_one_domain_waits_for_one_sync_at_each_step() {
    let (syncs, bytes) = cost(1);
    println!("1 domain: {syncs} syncs, {bytes} bytes");
    // Begun, identified, downloaded, updated, activated, cleaned up.
    assert_eq!(syncs, 6);
    let (syncs, bytes) = cost(8);
    println!("8 domains: {syncs} syncs, {bytes} bytes");
    assert!(syncs <= 1 + 5 * 8, "{syncs}");
}

#[test]
fn answers_that_come_at_once_share_a_sync() {
    let agents: Vec<String> = names(8).iter().map(|domain| format!(r#""{domain}": {{}}"#)).collect();
    let mut world = World::saved(&format!(r#"{{"thingsEnabled": false, "agents": {{{}}}}}"#, agents.join(", ")));
    for domain in names(8) {
        world = world.joined_by(Obedient::new(domain));
    }
    world.run_for(1_000);
    world.slow_disk(5);
    let before = world.disk.as_ref().unwrap().syncs;
    written(&mut world, 0, 8, "COMPLETED");
    let syncs = world.disk.as_ref().unwrap().syncs - before;
    println!("8 domains at once: {syncs} syncs");
    assert!(syncs <= 2 * 6 + 1, "{syncs}");
}
