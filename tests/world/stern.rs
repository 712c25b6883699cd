//! A strict agent through the scenarios that are also played with processes, each with
//! the same right end.

use crate::courses::{assert_completes, await_order, orders, strict, world, KILL, ORDERS};
use update_manager::world::actors::desired_state;
use update_manager::world::cast::{Manner, Strict};
use update_manager::world::kind::Kind;
use update_manager::world::power::Outage;
use update_manager::world::scenario::World;

const ONE: &[&str] = &["one"];

fn slow(order: &'static str, ms: u64) -> Manner {
    Manner { slow_at: Some((order, ms)), ..Kind::Strict.paced(0) }
}

/// The agent works at this, for so many milliseconds, since 300 of them.
fn working(order: &'static str, ms: u64) -> World {
    let mut world = strict(slow(order, ms), false);
    await_order(&mut world, "one", order);
    world.run_for(300);
    world
}

/// The domain was sent each order once.
fn assert_once(mut world: World, case: &str) {
    assert_completes(&mut world, case);
    assert_eq!(orders(&world, "one"), ORDERS, "{case}");
}

fn away(ms: u64) -> Outage {
    Outage { down_ms: ms, ..KILL }
}

#[test]
fn undisturbed_each_order_is_sent_once() {
    assert_once(strict(slow("", 0), false), "undisturbed");
}

#[test]
fn an_agent_that_only_reconnects_while_it_downloads_is_left_alone() {
    let mut world = working("DOWNLOAD", 2_000);
    world.agent_reconnects("one");
    assert_once(world, "reconnected");
}

#[test]
fn an_agent_that_reconnects_six_times_in_one_phase_is_left_alone() {
    let mut world = working("UPDATE", 4_000);
    for _ in 0..6 {
        world.agent_reconnects("one");
        world.run_for(400);
    }
    assert_once(world, "reconnected");
}

#[test]
fn an_answer_that_comes_after_the_managers_restart_is_taken() {
    let mut world = working("DOWNLOAD", 3_000);
    world.power_cut(away(300));
    assert_once(world, "killed");
}

#[test]
fn an_answer_that_comes_while_the_manager_is_away_is_taken_from_the_broker() {
    let mut world = working("UPDATE", 1_000);
    world.power_cut(away(2_000));
    assert_once(world, "killed");
}

#[test]
fn an_agent_that_was_killed_while_it_updates_does_all_of_it_again() {
    let mut world = working("UPDATE", 2_000);
    world.agent_crashes("one");
    assert_completes(&mut world, "killed");
    assert_eq!(orders(&world, "one")[..3], ORDERS[..3]);
    assert_eq!(orders(&world, "one")[3..], ORDERS);
}

#[test]
fn a_link_that_is_cut_while_the_agent_downloads_changes_nothing() {
    let mut world = working("DOWNLOAD", 3_000);
    world.cut();
    assert_once(world, "cut");
}

#[test]
fn a_broker_that_restarts_while_the_agent_downloads_changes_nothing() {
    let mut world = working("DOWNLOAD", 8_000);
    world.broker_goes();
    world.broker.forget_session();
    world.run_for(500);
    world.broker_comes();
    world.run_for(2_000);
    world.agent_reconnects("one");
    assert_once(world, "restarted");
}

#[test]
fn a_quiet_agent_that_works_past_the_repair_completes() {
    for order in ["DOWNLOAD", "UPDATE", "ACTIVATE"] {
        // The repair, the repeat of the command, and the answer past both; or before it.
        for ms in [12_000, 36_000] {
            let mut world = strict(Manner { is_quiet: true, ..slow(order, ms) }, false);
            await_order(&mut world, "one", order);
            world.power_cut(away(300));
            assert_completes(&mut world, order);
        }
    }
}

#[test]
fn nothing_leads_forward_after_a_kill_in_cleanup() {
    let mut world = working("CLEANUP", 2_000);
    world.power_cut(away(300));
    assert_completes(&mut world, "killed");
    let orders = orders(&world, "one");
    assert_eq!(orders[..5], ORDERS);
    assert!(orders[5..].iter().all(|order| order == "CLEANUP"), "{orders:?}");
}

#[test]
fn a_command_that_was_lost_is_sent_again_to_an_agent_that_takes_no_desired_state_while_busy() {
    for deaf_to in ["DOWNLOAD", "UPDATE", "ACTIVATE"] {
        let agent = Strict::new("one", Manner { deaf_to, ..slow("", 0) }).choosy();
        let mut world = world(ONE, false, "").joined_by(agent);
        world.backend_applies("a-1", &desired_state(ONE));
        await_order(&mut world, "one", deaf_to);
        world.run_for(300);
        world.power_cut(away(300));
        assert_completes(&mut world, deaf_to);
    }
}

#[test]
fn an_answer_that_was_lost_with_a_clean_session_is_got_by_doing_the_work_again() {
    for order in ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"] {
        let mut world = strict(slow(order, 1_000), true);
        await_order(&mut world, "one", order);
        world.run_for(300);
        world.power_cut(away(2_000));
        assert_completes(&mut world, order);
    }
}
