//! What each domain is committed to: the disk has it from the moment at which the group is
//! committed, whatever is cut, damaged or overwritten afterwards.

use update_manager::engine::group::Group;
use update_manager::model::time::{Now, Tick};
use update_manager::store::format::Kind;
use update_manager::store::slots::Slot;
use update_manager::store::{Loaded, Store};

use update_manager::world::actors::Obedient;
use update_manager::world::disk::{Disk, Fate, Fault};
use update_manager::world::power::{Moment, Outage};
use update_manager::world::scenario::{configuration, World};
use update_manager::world::settings::parse;

const BOTH: [&str; 2] = ["one", "two"];

const KEPT: &str = r#""connection": {"clientId": "um", "cleanSession": false}"#;

const DEVICE: &str = r#""rollback": "device", "connection": {"clientId": "um", "cleanSession": false}"#;

const KILL: Outage = Outage { fate: Fate::Lost, down_ms: 300, boots: false, agents_too: false };

const FATES: [Fate; 4] = [Fate::Lost, Fate::Head(500), Fate::Tail(500), Fate::Whole];

/// The part of a desired state for a domain, as its agent gets it.
fn part(domain: &str, version: usize) -> String {
    format!(r#"{{"domains":[{}]}}"#, entry(domain, version))
}

fn entry(domain: &str, version: usize) -> String {
    format!(r#"{{"id":"{domain}","components":[{{"id":"app","version":"{version}"}}]}}"#)
}

/// A manager that saves, and these agents.
fn world(more: &str, agents: [Obedient; 2]) -> World {
    let mut world = World::saved(&configuration(&BOTH, more));
    for agent in agents {
        world = world.joined_by(agent);
    }
    world.run_for(1_000);
    world
}

fn agents() -> [Obedient; 2] {
    BOTH.map(|domain| Obedient::paced(domain, 50))
}

/// The backend wants this version in these domains, which comes to this end.
fn passes(world: &mut World, version: usize, domains: &[&str], end: &str) {
    begins(world, version, domains);
    world.run_for(20_000);
    assert_eq!(world.last(&format!("a-{version}")).status, end, "a-{version}");
}

fn begins(world: &mut World, version: usize, domains: &[&str]) {
    let entries: Vec<String> = domains.iter().map(|domain| entry(domain, version)).collect();
    world.backend_applies(&format!("a-{version}"), &format!(r#"{{"domains":[{}]}}"#, entries.join(",")));
}

/// The same of which nothing comes, since the first domain cannot identify it.
fn fails(world: &mut World, version: usize, domains: &[&str]) {
    begins(world, version, domains);
    let id = format!("a-{version}");
    world.agent_says(domains[0], format!(r#"{{"activityId":"{id}","payload":{{"status":"IDENTIFICATION_FAILED"}}}}"#));
    world.run_for(20_000);
}

/// The manager starts anew with another configuration.
fn restarts_with(world: &mut World, domains: &[&str], more: &str) {
    world.config = parse(&configuration(domains, more));
    world.power_cut(KILL);
    world.run_for(10_000);
}

/// What a start would find on the disk.
fn loaded(world: &World) -> (Store, Loaded) {
    let mut store = Store::new(true);
    let now = Now { tick: Tick(1), wall: 1 };
    let names = BOTH.map(str::to_owned);
    let loaded = store.load(now, &world.disk.as_ref().unwrap().found(), &names, [0; 16]);
    (store, loaded)
}

/// Which version each domain is committed to on the disk, 0 for none.
fn versions(world: &World) -> [usize; 2] {
    let (store, _) = loaded(world);
    BOTH.map(|domain| {
        let Some(kept) = store.kept(domain) else { return 0 };
        (1..100).find(|version| kept == part(domain, *version)).expect("the part of a desired state")
    })
}

/// Whether the disk says that all of this activity is committed.
fn is_committed(world: &World, version: usize) -> bool {
    let campaign = loaded(world).1.saved.unwrap().campaign;
    campaign.identity.activity == *format!("a-{version}") && campaign.groups.committed.contains(Group::default())
}

/// Leads a world from `prepare` through `act`, and cuts the power at each write of that;
/// `check` looks at it while there is no power.
fn cut_everywhere(prepare: impl Fn() -> World, act: impl Fn(&mut World), check: impl Fn(&World)) -> usize {
    let writes = |world: &World| world.power.moments.counts[Moment::Write as usize];
    let mut whole = prepare();
    let before = writes(&whole);
    act(&mut whole);
    let after = writes(&whole);
    for nth in before + 1..=after {
        for fate in FATES {
            let mut world = prepare();
            world.power.moments.cut = Some((Moment::Write, nth, Outage { fate, down_ms: 3_600_000, ..KILL }));
            act(&mut world);
            assert!(world.is_off(), "cut in write {nth}");
            check(&world);
        }
    }
    after - before
}

#[test]
fn the_part_changes_with_the_commit_wherever_the_power_is_cut() {
    let prepare = || {
        let mut world = world(DEVICE, agents());
        passes(&mut world, 1, &BOTH, "COMPLETED");
        assert_eq!(versions(&world), [1, 1]);
        world
    };
    let act = |world: &mut World| {
        begins(world, 2, &BOTH);
        world.run_for(20_000);
    };
    let writes = cut_everywhere(prepare, act, |world| {
        let is_committed = is_committed(world, 2);
        assert_eq!(versions(world), if is_committed { [2, 2] } else { [1, 1] });
        let cleaned = BOTH.iter().flat_map(|domain| world.commands(domain)).filter(|command| *command == "CLEANUP");
        assert!(is_committed || cleaned.count() == 2, "CLEANUP goes out after the commit");
    });
    assert!(writes >= 6, "{writes}");
}

#[test]
fn the_part_outlives_activities_that_fail_wherever_the_power_is_cut() {
    let prepare = || {
        let mut world = world(DEVICE, agents());
        passes(&mut world, 1, &BOTH, "COMPLETED");
        world
    };
    let act = |world: &mut World| (2..=5).for_each(|version| fails(world, version, &BOTH));
    let writes = cut_everywhere(prepare, act, |world| assert_eq!(versions(world), [1, 1]));
    assert!(writes >= 8, "{writes}");
    let mut world = prepare();
    act(&mut world);
    assert_eq!(versions(&world), [1, 1]);
    assert_eq!(disk(&world).newest_of(Kind::Kept).map(|(_, len)| len < 300), Some(true));
    world.power_cut(KILL);
    world.run_for(10_000);
    (6..=8).for_each(|version| fails(&mut world, version, &BOTH));
    assert_eq!(versions(&world), [1, 1], "a start takes it up and keeps it");
    passes(&mut world, 9, &BOTH, "COMPLETED");
    assert_eq!(versions(&world), [9, 9]);
}

#[test]
fn each_domain_has_its_own_part_wherever_the_power_is_cut() {
    let prepare = || {
        let mut world = world(DEVICE, agents());
        passes(&mut world, 1, &BOTH, "COMPLETED");
        world
    };
    let act = |world: &mut World| {
        for version in 2..=5 {
            begins(world, version, &["one"]);
            world.run_for(20_000);
        }
    };
    cut_everywhere(prepare, act, |world| {
        let campaign = loaded(world).1.saved.unwrap().campaign;
        let version: usize = campaign.identity.activity[2..].parse().unwrap();
        let before = usize::from(!is_committed(world, version));
        assert_eq!(versions(world), [version - before, 1]);
    });
}

#[test]
fn a_group_that_is_turned_back_stays_committed_to_what_it_was() {
    let [one, two] = agents();
    let mut world = world(DEVICE, [one, two.failing_at("ACTIVATE")]);
    passes(&mut world, 1, &["one"], "COMPLETED");
    assert_eq!(versions(&world), [1, 0]);
    passes(&mut world, 2, &BOTH, "INCOMPLETE");
    assert!(world.commands("one").contains(&"ROLLBACK".to_owned()));
    assert_eq!(versions(&world), [1, 0]);
}

#[test]
fn a_domain_that_is_not_configured_for_a_while_is_still_committed_when_it_comes_back() {
    let mut world = world(DEVICE, agents());
    passes(&mut world, 1, &BOTH, "COMPLETED");
    restarts_with(&mut world, &["one"], DEVICE);
    (2..=4).for_each(|version| passes(&mut world, version, &["one"], "COMPLETED"));
    assert_eq!(versions(&world), [4, 1]);
    restarts_with(&mut world, &BOTH, DEVICE);
    assert_eq!(versions(&world), [4, 1]);
    passes(&mut world, 5, &["two"], "COMPLETED");
    assert_eq!(versions(&world), [4, 5]);
}

#[test]
fn a_part_that_is_damaged_is_none_and_that_is_said() {
    let mut world = world(DEVICE, agents());
    world.expects_error("is moved aside");
    passes(&mut world, 1, &BOTH, "COMPLETED");
    (2..=3).for_each(|version| fails(&mut world, version, &BOTH));
    assert_eq!(versions(&world), [1, 1]);
    world.disk.as_mut().unwrap().damage(Kind::Kept);
    world.power_cut(KILL);
    world.run_for(10_000);
    assert_eq!(versions(&world), [0, 0]);
    assert!(world.logged(&["[one] what it is committed to cannot be read, so it cannot be restored"]));
    passes(&mut world, 4, &BOTH, "COMPLETED");
    assert_eq!(versions(&world), [4, 4]);
}

#[test]
fn what_lockstep_has_completed_is_kept_when_groups_are_configured_afterwards() {
    let [one, two] = agents();
    let mut world = world(KEPT, [one, two.failing_at("UPDATE")]);
    for version in 1..=3 {
        passes(&mut world, version, &["one"], "COMPLETED");
    }
    passes(&mut world, 4, &BOTH, "INCOMPLETE");
    assert_eq!((versions(&world), disk(&world).newest_of(Kind::Kept)), ([0, 0], None));
    restarts_with(&mut world, &BOTH, DEVICE);
    assert_eq!((versions(&world), disk(&world).newest_of(Kind::Kept)), ([4, 0], None), "the document is there");
}

#[test]
fn what_lockstep_has_completed_makes_the_part_before_void() {
    let mut world = world(KEPT, agents());
    let state = format!(r#"{{"rollback":"device","domains":[{},{}]}}"#, entry("one", 1), entry("two", 1));
    world.backend_applies("a-1", &state);
    world.run_for(20_000);
    assert!(loaded(&world).0.kept("one").is_some() && loaded(&world).0.kept("two").is_some());
    passes(&mut world, 2, &["one"], "COMPLETED");
    assert_eq!(versions(&world), [0, 1]);
}

#[test]
fn a_slot_of_the_parts_that_can_never_be_written_loses_neither_a_part_nor_an_activity() {
    for slot in Slot::ALL {
        let mut world = world(DEVICE, agents());
        world.expects_error("moved aside");
        world.expects_error("could not be saved");
        world.disk.as_mut().unwrap().add(Fault::Slot(Kind::Kept, slot));
        passes(&mut world, 1, &BOTH, "COMPLETED");
        for version in 2..=6 {
            passes(&mut world, version, &["one"], "COMPLETED");
            assert_eq!(versions(&world), [version, 1], "{}", slot.name(Kind::Kept));
        }
        assert!(!world.is_unsaved());
        world.power_cut(KILL);
        world.run_for(10_000);
        assert_eq!(versions(&world), [6, 1]);
    }
}

#[test]
fn the_parts_are_written_anew_when_the_folder_has_vanished() {
    let mut world = world(DEVICE, agents());
    passes(&mut world, 1, &BOTH, "COMPLETED");
    passes(&mut world, 2, &["one"], "COMPLETED");
    world.disk.as_mut().unwrap().vanish();
    assert_eq!(versions(&world), [0, 0]);
    passes(&mut world, 3, &["one"], "COMPLETED");
    assert_eq!(versions(&world), [3, 1]);
}

fn disk(world: &World) -> &Disk {
    world.disk.as_ref().unwrap()
}
