//! The courses to play through when something may have been lost, each with its right
//! end: agents that are busy, restart or are dead, a manager that is killed, a host
//! without power, a broker that forgets.

use update_manager::world::actors::{desired_state, Owner};
use update_manager::world::cast::{Manner, Strict};
use update_manager::world::disk::Fate;
use update_manager::world::kind::Kind;
use update_manager::world::power::{Moment, Outage};
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::topic;

pub const KILL: Outage = Outage { fate: Fate::Whole, down_ms: 300, boots: false, agents_too: false };

/// What leads forward, and what ends it.
pub const ORDERS: [&str; 5] = ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];

const ONE: &[&str] = &["one"];
const BOTH: &[&str] = &["one", "two"];

/// A manager that saves: `resumeAfter` is 10 s, a phase may take 4 min.
pub fn world(domains: &[&str], clean: bool, more: &str) -> World {
    let mut times = String::new();
    for (key, time) in [("resumeAfter", "10s"), ("phaseTimeout", "4m"), ("cleanupTimeout", "30s")] {
        if !more.contains(key) {
            times += &format!(r#""{key}": "{time}", "#);
        }
    }
    let session = format!(r#""connection": {{"clientId": "um", "cleanSession": {clean}}}"#);
    let mut world = World::saved(&configuration(domains, &format!("{times}{session}{more}")));
    world.run_for(1_000);
    world
}

/// The same with a strict agent in domain `one`, and the activity has begun.
pub fn strict(manner: Manner, clean: bool) -> World {
    let mut world = world(ONE, clean, "").joined_by(Strict::new("one", manner));
    world.backend_applies("a-1", &desired_state(ONE));
    world
}

/// What the domain was sent, with the time, in milliseconds: `IDENTIFY` for the desired
/// state.
fn sent_to<'w>(world: &'w World, domain: &str) -> impl Iterator<Item = (u64, &'w str)> {
    let (state, command) = (topic(domain, "desiredstate"), topic(domain, "desiredstate/command"));
    let sent = world.sent().filter(move |seen| seen.topic == state || seen.topic == command);
    sent.map(|seen| (seen.at, if seen.command().is_empty() { "IDENTIFY" } else { seen.command() }))
}

pub fn orders_at(world: &World, domain: &str) -> Vec<(u64, String)> {
    sent_to(world, domain).map(|(at, order)| (at, order.to_owned())).collect()
}

pub fn orders(world: &World, domain: &str) -> Vec<String> {
    sent_to(world, domain).map(|(_, order)| order.to_owned()).collect()
}

/// How often the domain was sent this.
pub fn times(world: &World, domain: &str, order: &str) -> usize {
    sent_to(world, domain).filter(|(_, sent)| *sent == order).count()
}

/// Waits until the domain was sent this.
pub fn await_order(world: &mut World, domain: &str, order: &str) {
    let until = world.now() + 1_000_000;
    while times(world, domain, order) == 0 {
        assert!(world.now() < until, "{order} is never sent to {domain}");
        world.run_for(20);
    }
}

/// Waits until the activity is over, at most for so many milliseconds; its last status.
pub fn end_of(world: &mut World, activity: &str, ms: u64) -> String {
    let until = world.now() + ms;
    let is_over = |world: &World| world.ends().iter().any(|end| end.activity == activity);
    while !is_over(world) && world.now() < until {
        world.run_for(1_000);
    }
    let end = world.reports(activity).last().map_or(String::new(), |last| last.status.clone());
    world.run_for(60_000);
    end
}

/// The activity completes, and the last command to the domain is CLEANUP.
pub fn assert_completes(world: &mut World, case: &str) {
    assert_eq!(end_of(world, "a-1", 3_600_000), "COMPLETED", "{case}");
    assert_eq!(orders(world, "one").last().unwrap(), "CLEANUP", "{case}");
}

/// How somebody comes into doubt.
const DOUBTS: [&str; 3] = ["the manager is killed", "the agent reconnects", "the broker loses the session"];

fn disturb(world: &mut World, doubt: &str) {
    match doubt {
        "the manager is killed" => world.power_cut(KILL),
        "the agent reconnects" => world.agent_reconnects("one"),
        _ => {
            world.broker_goes();
            world.broker.forget_session();
            world.broker_comes();
        }
    }
}

#[test]
fn a_strict_agent_that_is_busy_for_longer_than_two_waits_completes() {
    for order in ORDERS {
        for (is_quiet, tells_ms) in [(true, 0), (false, 0), (false, 4_000)] {
            for doubt in DOUBTS {
                let case = format!("{doubt} in {order}, quiet {is_quiet}, a word every {tells_ms} ms");
                let slow_at = Some((order, 26_000));
                let mut world = strict(Manner { slow_at, is_quiet, tells_ms, ..Kind::Strict.paced(200) }, false);
                await_order(&mut world, "one", order);
                world.run_for(1_000);
                disturb(&mut world, doubt);
                assert_completes(&mut world, &case);
                let is_telling = tells_ms > 0 && !matches!(order, "IDENTIFY" | "CLEANUP");
                if is_telling {
                    assert_eq!(orders(&world, "one"), ORDERS, "{case}: whoever works is left alone");
                }
            }
        }
    }
}

/// The manager is killed at the moment with this number, counted back from when the
/// order was at the broker. None if there is no such moment.
fn killed_near(kind: Kind, order: &str, moment: Moment, back: usize) -> Option<World> {
    let begin = || {
        let manner = kind.paced(1_000);
        kind.join(world(ONE, false, ""), "one", manner)
    };
    let lead = |mut world: World| {
        world.backend_applies("a-1", &desired_state(ONE));
        world
    };
    let mut calm = begin();
    let before = calm.power.moments.counts[moment as usize];
    calm = lead(calm);
    await_order(&mut calm, "one", order);
    let nth = calm.power.moments.counts[moment as usize].checked_sub(back).filter(|nth| *nth > before)?;
    let mut world = begin();
    world.power.moments.cut = Some((moment, nth, Outage { down_ms: 0, ..KILL }));
    let mut world = lead(world);
    await_order(&mut world, "one", order);
    Some(world)
}

#[test]
fn a_manager_that_is_killed_around_a_send_completes_the_activity() {
    for kind in Kind::ALL {
        for order in ORDERS {
            for (moment, back) in [(Moment::Write, 0), (Moment::Write, 1), (Moment::Sent, 0), (Moment::Sent, 1)]
                .into_iter()
                .chain([(Moment::Sent, 2), (Moment::Received, 0)])
            {
                let case = format!("{kind:?}, {order}, killed at {moment:?}, {back} before the last");
                let Some(mut world) = killed_near(kind, order, moment, back) else { continue };
                assert_completes(&mut world, &case);
                assert_eq!(world.power.cuts.len(), 1, "{case}");
            }
        }
    }
}

#[test]
fn the_power_of_the_whole_host_is_cut_in_each_phase() {
    const DOWN_MS: u64 = 31_000;
    for (kind, clean) in Kind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        for order in ORDERS {
            for starts_ms in [1_000, 21_000, 30_999, 31_000, 31_500, 41_000, 61_000] {
                let case = format!("{kind:?}, clean session {clean}, in {order}, hello after {starts_ms} ms");
                let manner = Manner { starts_ms, ..kind.paced(2_000) };
                let mut world = kind.join(world(ONE, clean, ""), "one", manner);
                world.backend_applies("a-1", &desired_state(ONE));
                await_order(&mut world, "one", order);
                world.run_for(1_000);
                world.power_cut(Outage { down_ms: DOWN_MS, boots: true, agents_too: true, ..KILL });
                assert_completes(&mut world, &case);
                let again = times(&world, "one", "IDENTIFY");
                match order {
                    "CLEANUP" => assert_eq!(again, 1, "{case}: what is activated stays so"),
                    _ => assert!((1..=4).contains(&again) && (again > 1 || !kind.forgets()), "{case}: {again}"),
                }
            }
        }
    }
}

#[test]
fn the_broker_is_restarted_in_each_phase() {
    for (kind, clean) in Kind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        for (order, down_ms) in ORDERS.into_iter().flat_map(|order| [(order, 1_000), (order, 6_000)]) {
            if kind == Kind::SelfUpdate && clean {
                // It never repeats an answer that was lost, and takes nothing twice.
                continue;
            }
            let case = format!("{kind:?}, clean session {clean}, in {order}, gone for {down_ms} ms");
            let mut world = kind.join(world(ONE, clean, ""), "one", kind.paced(5_000));
            world.backend_applies("a-1", &desired_state(ONE));
            await_order(&mut world, "one", order);
            world.run_for(500);
            world.broker_goes();
            world.run_for(down_ms);
            world.broker_comes();
            world.agent_reconnects("one");
            assert_completes(&mut world, &case);
        }
    }
}

/// Both domains are strict; the agent of `one` restarts while it updates.
fn repaired_beside(other: Manner) -> World {
    let one = Strict::paced("one", 3_000);
    let mut world = world(BOTH, false, "").joined_by(one).joined_by(Strict::new("two", other));
    world.backend_applies("a-1", &desired_state(BOTH));
    await_order(&mut world, "one", "UPDATE");
    world.run_for(1_000);
    world.agent_crashes("one");
    world
}

#[test]
fn a_domain_is_repaired_while_the_other_waits_or_works() {
    for update_ms in [0, 15_000, 60_000] {
        let other = Manner { slow_at: Some(("UPDATE", update_ms)), ..Kind::Strict.paced(100) };
        let mut world = repaired_beside(other);
        let case = format!("the other updates for {update_ms} ms");
        assert_completes(&mut world, &case);
        assert_eq!(orders(&world, "two"), ORDERS, "{case}");
        let expected = ["IDENTIFY", "DOWNLOAD", "UPDATE", "IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
        assert_eq!(orders(&world, "one"), expected, "{case}");
        let activated = |domain| orders_at(&world, domain).into_iter().find(|(_, order)| order == "ACTIVATE").unwrap();
        assert_eq!(activated("one"), activated("two"), "{case}: the next phase begins for both");
    }
}

#[test]
fn a_domain_is_repaired_while_the_other_fails() {
    let mut world = repaired_beside(Manner { fails_at: "UPDATE", ..Kind::Strict.paced(5_000) });
    assert_eq!(end_of(&mut world, "a-1", 600_000), "INCOMPLETE");
    assert_eq!(world.last("a-1").message, "[two] UPDATE_FAILURE");
    assert_eq!(orders(&world, "two"), ["IDENTIFY", "DOWNLOAD", "UPDATE", "CLEANUP"]);
    assert_eq!(orders(&world, "one")[3..], ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
}

#[test]
fn a_domain_is_repaired_while_a_consent_is_open() {
    let more = r#", "ownerConsentCommands": ["update"], "ownerConsentTimeout": "10m""#;
    for what in ["crash", "kill", "reconnect"] {
        let mut world = world(ONE, false, more).joined_by(Strict::paced("one", 2_000));
        world = world.joined_by(Owner { answer: "APPROVED", after_ms: 40_000 });
        world.backend_applies("a-1", &desired_state(ONE));
        await_order(&mut world, "one", "DOWNLOAD");
        world.run_for(5_000);
        match what {
            "crash" => world.agent_crashes("one"),
            "kill" => world.power_cut(KILL),
            _ => world.agent_reconnects("one"),
        }
        assert_completes(&mut world, what);
        let questions = world.sent_to("deviceupdate/ownerconsent").len();
        // A question that is open at a start is asked again.
        assert_eq!(questions, 1 + usize::from(what == "kill"), "{what}");
        assert_eq!(times(&world, "one", "IDENTIFY"), 1 + usize::from(what == "crash"), "{what}");
    }
}

#[test]
fn the_owner_is_not_asked_again_about_a_phase_that_a_repair_leads_through() {
    let more = r#", "ownerConsentCommands": ["download", "update"]"#;
    let mut world = world(ONE, false, more).joined_by(Strict::paced("one", 2_000));
    world = world.joined_by(Owner { answer: "APPROVED", after_ms: 500 });
    world.backend_applies("a-1", &desired_state(ONE));
    await_order(&mut world, "one", "UPDATE");
    world.run_for(500);
    world.agent_crashes("one");
    assert_completes(&mut world, "consent given");
    assert_eq!(world.sent_to("deviceupdate/ownerconsent").len(), 2);
    assert_eq!(times(&world, "one", "UPDATE"), 2);
}

#[test]
fn an_agent_that_says_hello_every_ten_seconds_of_a_long_download_is_left_alone() {
    for is_quiet in [true, false] {
        let more = r#", "phaseTimeout": "11m", "resumeAfter": "60s""#;
        let manner = Manner { slow_at: Some(("DOWNLOAD", 300_000)), is_quiet, ..Kind::Strict.paced(100) };
        let mut world = world(ONE, false, more).joined_by(Strict::new("one", manner));
        world.backend_applies("a-1", &desired_state(ONE));
        await_order(&mut world, "one", "DOWNLOAD");
        for _ in 0..29 {
            world.run_for(10_000);
            world.agent_reconnects("one");
        }
        assert_completes(&mut world, &format!("quiet {is_quiet}"));
        assert_eq!(orders(&world, "one"), ORDERS);
    }
}

#[test]
fn a_dead_agent_is_named_when_its_clock_is_over() {
    for (place, order) in ORDERS[..4].iter().enumerate() {
        for doubt in ["", DOUBTS[0], DOUBTS[2]] {
            let case = format!("it dies in {order}; {doubt}");
            let mut world = strict(Kind::Strict.paced(2_000), false);
            await_order(&mut world, "one", order);
            let begun = world.now();
            world.agent_dies("one");
            if !doubt.is_empty() {
                disturb(&mut world, doubt);
            }
            let end = end_of(&mut world, "a-1", 24 * 3_600_000);
            let expected = if place == 0 { "IDENTIFICATION_FAILED" } else { "INCOMPLETE" };
            assert_eq!(end, expected, "{case}");
            let last = world.last("a-1");
            assert!(last.message.contains("[one] no answer to"), "{case}: {}", last.message);
            // Each of at most three repairs gives it the time of all phases up to this one.
            let phase = world.config.phase_timeout_ms;
            let most = phase * (1 + 3 * (1 + place as u64)) + 60_000;
            let took = last.at - begun;
            assert!((phase - 1_000..=most).contains(&took), "{case}: after {took} ms");
            if doubt.is_empty() {
                assert!(took <= phase + 31_000, "{case}: after {took} ms");
                assert_eq!(times(&world, "one", "IDENTIFY"), 1, "{case}: mere silence is no doubt");
            }
        }
    }
}

#[test]
fn an_agent_that_crashes_in_each_phase_is_led_anew() {
    for kind in [Kind::Forgetful, Kind::Strict, Kind::Silent, Kind::SelfUpdate] {
        for order in ORDERS {
            let case = format!("{kind:?} crashes in {order}");
            let mut world = kind.join(world(ONE, false, ""), "one", kind.paced(2_000));
            world.backend_applies("a-1", &desired_state(ONE));
            await_order(&mut world, "one", order);
            world.run_for(1_000);
            world.agent_crashes("one");
            assert_completes(&mut world, &case);
            assert_eq!(times(&world, "one", "IDENTIFY"), 1 + usize::from(order != "CLEANUP"), "{case}");
        }
    }
}
