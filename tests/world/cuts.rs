//! The power is cut, records are hurt and the disk fails, everywhere.

use update_manager::world::cuts::{cut_all, cut_some, ends, fail_everywhere, hurt_all, shapes, uncut_all};
use update_manager::world::kind::Kind;
use update_manager::world::plan::Plan;

#[test]
fn without_a_cut_each_shape_comes_to_its_end_with_each_kind_of_agent() {
    uncut_all(Plan::in_lockstep);
}

#[test]
fn wherever_the_power_is_cut_the_backend_has_the_one_right_end() {
    let cuts = cut_some(Plan::in_lockstep);
    assert!(cuts > 2_500, "{cuts}");
}

#[test]
#[ignore = "tests/sim --cuts runs it"]
fn all_cuts() {
    assert!(cut_all(Plan::in_lockstep) > 10_000);
}

#[test]
fn a_record_that_is_hurt_at_some_byte_stops_nothing() {
    let hurts = hurt_all(&shapes(Plan::in_lockstep)[0], 31);
    assert!(hurts >= 50, "{hurts}");
}

#[test]
#[ignore = "tests/sim --cuts runs it"]
fn a_record_that_is_hurt_at_any_byte_stops_nothing() {
    let hurts = hurt_all(&shapes(Plan::in_lockstep)[0], 1);
    println!("{hurts} hurt records");
    assert!(hurts >= 1_500, "{hurts}");
}

#[test]
fn wherever_the_disk_fails_the_activity_ends_well_and_says_that_it_is_not_saved() {
    fail_everywhere(Plan::in_lockstep);
}

#[test]
fn a_slow_disk_delays_the_activity_and_not_the_loop() {
    let shape = &shapes(Plan::in_lockstep)[0];
    let mut world = shape.begin(Kind::Tolerant, false, |world| world.disk.as_mut().unwrap().slow_ms = 20_000);
    shape.lead(&mut world);
    assert_eq!(world.story("a-1").last().unwrap(), "COMPLETED");
    assert!(ends(&world)[0].at > 100_000);
    assert_eq!(world.link.losses, 0);
}
