//! As many domains as there can be, with the longest names.

use update_manager::limits::{DOMAINS_MAX, DOMAIN_ID_MAX};

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::{Disk, Fate};
use update_manager::world::power::{Moment, Outage};
use update_manager::world::scenario::{configuration, World};

/// Names that live as long as the program, as the actors want them.
fn names() -> Vec<&'static str> {
    let name = |n: usize| &*format!("domain-{n:0>width$}", width = DOMAIN_ID_MAX - 7).leak();
    (0..DOMAINS_MAX).map(name).collect()
}

/// A saved world in which each domain's agent answers at another moment.
fn world(names: &[&'static str], agent: impl Fn(usize, Obedient) -> Obedient) -> World {
    let mut world = World::begin(&configuration(names, ""), Some(Disk::default()));
    for (place, domain) in names.iter().enumerate() {
        world = world.joined_by(agent(place, Obedient::paced(domain, 500 + 37 * place as u64)));
    }
    world.await_link();
    world.run_for(1_000);
    world
}

fn applied(world: &mut World, names: &[&str]) {
    world.backend_applies("a-1", &desired_state(names));
    world.run_for(300_000);
}

#[test]
fn an_activity_of_64_domains_completes() {
    let names = names();
    let mut world = world(&names, |_, agent| agent);
    applied(&mut world, &names);
    assert_eq!(world.last("a-1").status, "COMPLETED", "{}", world.last("a-1").message);
    let commands = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
    names.iter().for_each(|name| assert_eq!(world.commands(name), commands, "{name}"));
    println!("{} bytes written", world.disk.as_ref().unwrap().written);
}

/// The longest state: each domain's words are saved, and all of them are told.
#[test]
fn each_of_64_domains_that_fails_is_named_also_after_a_power_cut() {
    let names = names();
    let mut world = world(&names, |_, agent| agent.failing_at("UPDATE").saying("no space left on the device"));
    world.backend_applies("a-1", &desired_state(&names));
    // About half of them have failed by then.
    let is_half = |world: &World| names.iter().filter(|name| world.commands(name).contains(&"CLEANUP".into())).count();
    while is_half(&world) < DOMAINS_MAX / 2 {
        world.run_for(10);
    }
    world.power_cut(Outage { fate: Fate::Whole, down_ms: 1_000, boots: false, agents_too: false });
    world.await_link();
    world.run_for(300_000);
    let end = world.last("a-1");
    assert_eq!(end.status, "INCOMPLETE");
    names.iter().for_each(|name| assert!(end.message.contains(name), "{name}: {}", end.message));
}

#[test]
fn wherever_the_power_is_cut_an_activity_of_64_domains_completes() {
    let names = names();
    let (first, last) = {
        let mut world = world(&names, |_, agent| agent);
        let first = world.power.moments.counts;
        applied(&mut world, &names);
        (first, world.power.moments.counts)
    };
    for (moment, times) in [(Moment::Received, 5), (Moment::Sent, 5), (Moment::Write, 3)] {
        let (first, last) = (first[moment as usize] + 1, last[moment as usize]);
        for nth in (first..last).rev().step_by((last - first) / times) {
            let mut world = world(&names, |_, agent| agent);
            let outage = Outage { fate: Fate::Lost, down_ms: 300, boots: true, agents_too: true };
            world.power.moments.cut = Some((moment, nth, outage));
            applied(&mut world, &names);
            world.run_for(300_000);
            assert_eq!(world.power.cuts.len(), 1, "{moment:?} {nth}");
            assert_eq!(world.last("a-1").status, "COMPLETED", "{moment:?} {nth}");
        }
    }
}
