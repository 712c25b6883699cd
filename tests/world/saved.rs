//! What is saved beside the running activity, and what comes once more.

use update_manager::store::format::Kind;

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::disk::Fate;
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};
use update_manager::world::seen::{From, Seen};

const BOOT: Outage = Outage { fate: Fate::Lost, down_ms: 300, boots: true, agents_too: true };

const KEPT: &str = r#""connection": {"clientId": "um", "cleanSession": false}"#;

/// A manager that saves, with a session that the broker keeps and an agent.
fn saving(more: &str) -> World {
    let more = format!("{KEPT}{more}");
    let mut world = World::saved(&configuration(&["one"], &more)).joined_by(Obedient::new("one"));
    world.run_for(1_000);
    world
}

/// The activities whose final reports the manager has sent since then, also those
/// that it had sent before, in order.
fn ends_since(world: &World, since: u64) -> Vec<String> {
    let sent = world.broker.seen.iter().filter(|seen| seen.from == From::Manager && seen.at >= since);
    let ends = sent.filter_map(Seen::report).filter(|report| report.is_final());
    ends.map(|report| format!("{} {} {}", report.activity, report.status, report.actions.len())).collect()
}

#[test]
fn ends_that_the_broker_has_not_acknowledged_survive_the_next_activities_and_a_cut() {
    let mut world = saving("");
    world.broker.acknowledges = false;
    for activity in ["a-1", "a-2", "a-3"] {
        world.backend_applies(activity, &desired_state(&["one"]));
        world.run_for(1_000);
        assert_eq!(world.last(activity).status, "COMPLETED");
    }
    let cut = world.now();
    world.power_cut(BOOT);
    world.broker.acknowledges = true;
    world.run_for(60_000);
    // Those that were saved apart have the actions that fit.
    assert_eq!(ends_since(&world, cut), ["a-1 COMPLETED 1", "a-2 COMPLETED 1", "a-3 COMPLETED 1"]);
    let cut = world.now();
    world.power_cut(BOOT);
    world.run_for(60_000);
    assert_eq!(ends_since(&world, cut), [""; 0], "they are told once");
}

#[test]
fn an_end_that_was_saved_is_told_once_when_it_was_delivered_before_the_cut() {
    let mut world = saving("");
    world.broker.acknowledges = false;
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000);
    // The next one is still busy when the broker acknowledges.
    world.backend_applies("a-2", &desired_state(&["two"]));
    world.broker.acknowledges = true;
    world.cut();
    world.run_for(60_000);
    let cut = world.now();
    world.power_cut(BOOT);
    world.run_for(60_000);
    assert_eq!(ends_since(&world, cut), [""; 0]);
}

#[test]
fn a_desired_state_is_refused_while_eight_ends_wait_for_the_broker() {
    let mut world = saving("");
    world.expects_error("a desired state is not taken: too many messages wait for the broker");
    world.broker.acknowledges = false;
    for n in 1..=9 {
        world.backend_applies(&format!("a-{n}"), &desired_state(&["one"]));
        world.run_for(10);
    }
    assert_eq!(world.accepted.borrow().len(), 8);
    assert_eq!(world.last("a-9").message, "too many messages wait for the broker");
    let cut = world.now();
    world.power_cut(BOOT);
    world.broker.acknowledges = true;
    world.run_for(60_000);
    let told: Vec<String> = (1..=8).map(|n| format!("a-{n} COMPLETED 1")).collect();
    assert_eq!(ends_since(&world, cut), told);
}

#[test]
fn a_desired_state_that_comes_while_something_is_saved_is_acknowledged_after_its_own_save() {
    // Whenever the power is cut, the broker brings it again unless it is saved.
    for ms in (0..8_000).step_by(200) {
        let mut world = saving("");
        world.backend_applies("a-1", &desired_state(&["one"]));
        world.slow_disk(1_000);
        world.cut();
        world.await_link();
        world.backend_applies("a-2", &desired_state(&["one"]));
        world.run_for(100);
        world.backend_applies("a-3", &desired_state(&["nobody"]));
        world.run_for(ms);
        world.power_cut(BOOT);
        world.run_for(600_000);
        for activity in ["a-2", "a-3"] {
            assert!(world.reports(activity).iter().any(|report| report.is_final()), "{activity}, cut after {ms} ms");
        }
    }
}

/// However late the power is cut, the end of `a-2` is told.
fn assert_told_past_a_cut(mut world: World, ms: u64) {
    world.run_for(ms);
    world.power_cut(BOOT);
    world.run_for(600_000);
    assert!(world.reports("a-2").iter().any(|report| report.is_final()), "cut after {ms} ms");
}

#[test]
fn a_desired_state_that_comes_while_a_delivery_is_saved_is_acknowledged_after_its_own_save() {
    for ms in (0..8_000).step_by(200) {
        let mut world = saving("");
        world.broker.acknowledges = false;
        world.backend_applies("a-1", &desired_state(&["one"]));
        world.run_for(1_000);
        world.slow_disk(1_000);
        world.broker.acknowledges = true;
        world.cut();
        world.await_link();
        world.backend_applies("a-2", &desired_state(&["one"]));
        assert_told_past_a_cut(world, ms);
    }
}

#[test]
fn an_end_that_is_saved_apart_is_told_once_when_the_next_activity_was_not_saved() {
    let mut world = saving("");
    world.broker.acknowledges = false;
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(1_000);
    world.slow_disk(1_000);
    world.backend_applies("a-2", &desired_state(&["one"]));
    // The reports are on the disk, the new activity is not.
    world.run_for(1_500);
    world.slow_disk(0);
    let cut = world.now();
    world.power_cut(BOOT);
    world.broker.acknowledges = true;
    world.run_for(600_000);
    assert_eq!(ends_since(&world, cut), ["a-1 COMPLETED 1", "a-2 COMPLETED 1"]);
}

#[test]
fn an_end_that_waits_for_its_save_is_not_delivered_with_that_of_the_activity_before() {
    for ms in (0..8_000).step_by(200) {
        let mut world = saving("");
        world.broker.acknowledges = false;
        world.backend_applies("a-1", &desired_state(&["one"]));
        world.run_for(1_000);
        world.slow_disk(1_000);
        world.backend_applies("a-2", &desired_state(&["one"]));
        world.agent_says("one", r#"{"activityId":"a-2","payload":{"status":"IDENTIFICATION_FAILED"}}"#);
        world.broker.acknowledges = true;
        world.cut();
        world.await_link();
        assert_told_past_a_cut(world, ms);
    }
}

#[test]
fn an_activity_whose_desired_state_is_damaged_is_not_led_on_with_the_one_before() {
    let mut world = World::saved(&configuration(&["one"], KEPT)).joined_by(Obedient::paced("one", 1_000));
    world.expects_error("its desired state cannot be read any more");
    world.run_for(1_000);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(60_000);
    world.backend_applies("a-2", &desired_state(&["one", "nobody"]));
    world.run_for(2_500);
    if let Some(disk) = &mut world.disk {
        disk.damage(Kind::Document);
    }
    world.power_cut(BOOT);
    world.run_for(60_000);
    let end = world.last("a-2");
    assert_eq!(
        (end.status.as_str(), end.message.as_str()),
        ("INCOMPLETE", "saved state was unreadable; no agent for domain nobody")
    );
}

#[test]
fn a_refused_desired_state_that_the_broker_delivers_once_more_is_ignored() {
    let mut world = saving("");
    world.slow_disk(5_000);
    world.backend_applies("a-1", &desired_state(&["nobody"]));
    world.run_for(100);
    world.backend_applies("a-2", &desired_state(&["one"]));
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
    // Its acknowledgement waits for the save, and the link breaks before that.
    world.cut();
    world.await_link();
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
    assert!(world.logged(&["comes once more is ignored, it was refused"]));
    // The backend itself may want it again.
    world.run_for(60_000);
    world.slow_disk(0);
    world.backend_applies("a-2", &desired_state(&["one"]));
    world.run_for(60_000);
    assert_eq!(world.last("a-2").status, "COMPLETED");
}

#[test]
fn an_end_that_is_still_being_saved_is_no_reason_to_refuse_its_activity() {
    let mut world = saving("");
    world.slow_disk(20_000);
    world.backend_applies("a-1", &desired_state(&["nobody"]));
    world.run_for(100);
    // It comes once more with each link.
    for _ in 0..3 {
        world.cut();
        world.await_link();
    }
    world.run_for(200_000);
    assert_eq!(world.story("a-1"), ["INCOMPLETE"]);
}

#[test]
fn an_answer_that_a_broker_without_a_session_lost_is_got_by_a_repair() {
    let more = r#""phaseTimeout": "10m", "resumeAfter": "20s", "connection": {"cleanSession": true}"#;
    let mut world = World::with(&["one"], more).joined_by(Obedient::paced("one", 1_000));
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.run_for(2_500);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    // It downloads meanwhile, and nobody is there to hear it.
    world.broker_goes();
    world.run_for(10_000);
    world.broker_comes();
    world.run_for(19_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD"], "nothing is repeated on suspicion alone");
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
    assert_eq!(world.sent_to("oneupdate/desiredstate").len(), 2);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
}

#[test]
fn what_is_still_under_way_is_not_told_twice_when_the_broker_forgot() {
    let mut world = World::plain(&["one"]).joined_by(Obedient::new("one"));
    world.broker.acknowledges = false;
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.cut();
    world.broker.acknowledges = true;
    world.await_link();
    world.run_for(60_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]);
}

#[test]
fn the_state_on_the_disk_is_up_to_date_unless_a_save_runs_or_has_failed() {
    let mut world = saving("");
    assert!(world.manager.is_saved());
    world.slow_disk(1_000);
    world.backend_applies("a-1", &desired_state(&["one"]));
    assert!(!world.manager.is_saved());
    world.run_for(60_000);
    assert!(world.manager.is_saved() && world.last("a-1").status == "COMPLETED");
    world.expects_error("could not be saved");
    if let Some(disk) = &mut world.disk {
        disk.fails = Some((disk.operations(), "no space"));
    }
    world.backend_applies("a-2", &desired_state(&["one"]));
    world.run_for(60_000);
    assert!(!world.manager.is_saved() && world.manager.failure() == Some("no space"));
}
