//! The reboot after an activity that needs it (docs/protocol.md, "The reboot").

use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::World;

const ONE: [&str; 1] = ["one"];

fn world(more: &str) -> World {
    World::new(&format!(r#"{{"thingsEnabled": false, "agents": {{"one": {{"rebootRequired": true}}}}{more}}}"#))
}

fn completed(more: &str) -> World {
    let mut world = world(more).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&ONE));
    assert_eq!(world.last("a-1").status, "COMPLETED");
    world
}

#[test]
fn the_host_is_rebooted_once_a_while_after_everything_is_reported() {
    let mut world = completed("");
    assert_eq!(world.states_of().last().unwrap(), "a-1");
    world.run_for(29_999);
    assert!(world.reboots.is_empty());
    world.run_for(3_600_000);
    assert_eq!(world.reboots, [30_000]);
}

#[test]
fn a_desired_state_while_a_reboot_is_due_is_refused() {
    let mut world = completed("");
    world.run_for(10_000);
    world.backend_applies("a-2", &desired_state(&ONE));
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-2").message, "reboot pending after a-1");
    world.run_for(60_000);
    world.backend_applies("a-3", &desired_state(&ONE));
    assert_eq!(world.last("a-3").message, "reboot pending after a-1");
    assert_eq!(world.sent_to("oneupdate/desiredstate").len(), 1);
}

#[test]
fn a_reboot_that_failed_leaves_the_manager_working() {
    let mut world = completed("");
    world.run_for(30_000);
    assert_eq!(world.reboots.len(), 1);
    world.reboot_fails();
    world.backend_applies("a-2", &desired_state(&ONE));
    assert_eq!(world.last("a-2").status, "COMPLETED");
}

#[test]
fn without_actions_or_without_success_there_is_no_reboot() {
    let mut none = world("");
    none.backend_applies("a-1", &desired_state(&ONE));
    none.agent_says("one", r#"{"activityId":"a-1","payload":{"status":"IDENTIFIED"}}"#);
    assert_eq!(none.last("a-1").status, "COMPLETED");
    let mut failed = world("");
    failed.backend_applies("a-1", &desired_state(&ONE));
    let action = r#"{"component":{"id":"one:app"},"status":"IDENTIFIED"}"#;
    for status in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_FAILURE", "CLEANUP_SUCCESS"] {
        failed.agent_says(
            "one",
            format!(r#"{{"activityId":"a-1","payload":{{"status":"{status}","actions":[{action}]}}}}"#),
        );
    }
    assert_eq!(failed.last("a-1").status, "INCOMPLETE");
    for mut world in [none, failed] {
        world.run_for(3_600_000);
        assert!(world.reboots.is_empty());
    }
}

#[test]
fn where_reboots_are_turned_off_a_warning_is_all() {
    let mut world = completed(r#", "rebootEnabled": false"#);
    assert!(world.logged(&["a-1: needs a reboot, and rebootEnabled is false"]));
    world.run_for(3_600_000);
    assert!(world.reboots.is_empty());
    world.backend_applies("a-2", &desired_state(&ONE));
    assert_eq!(world.last("a-2").status, "COMPLETED");
}

#[test]
fn the_reboot_waits_until_the_end_is_at_the_broker() {
    let mut world = world("");
    world.backend_applies("a-1", &desired_state(&ONE));
    let action = r#"{"component":{"id":"one:app"},"status":"IDENTIFIED"}"#;
    for status in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS"] {
        world.agent_says(
            "one",
            format!(r#"{{"activityId":"a-1","payload":{{"status":"{status}","actions":[{action}]}}}}"#),
        );
    }
    world.broker_goes();
    world.run_for(600_000);
    assert!(world.reboots.is_empty());
    world.broker_comes();
    assert_eq!(world.last("a-1").status, "COMPLETED");
    let told = world.now();
    world.run_for(600_000);
    assert_eq!(world.reboots.len(), 1);
    assert!(world.reboots[0] >= told + 30_000, "{:?}", world.reboots);
}

/// The lines of the report about events with one of these words.
fn events<'t>(report: &'t str, words: &[&str]) -> Vec<&'t str> {
    let lines = report.lines().skip_while(|line| *line != "-- events").take_while(|line| *line != "-- configuration");
    lines.filter_map(|line| words.iter().find_map(|word| line.find(word).map(|at| &line[at..]))).collect()
}

#[test]
fn the_report_has_each_step_of_the_reboot_once() {
    let mut world = completed("");
    world.run_for(10_000);
    assert_eq!(world.commanded("hold")["exit"], 0);
    world.run_for(60_000);
    assert_eq!(world.commanded("release")["exit"], 0);
    world.run_for(30_000);
    world.reboot_fails();
    let (_, report) = world.asks(r#"{"command":"report"}"#);
    let expected = ["reboot due", "reboot held", "rebooting the host", "the reboot failed"];
    assert_eq!(events(&report, &["reboot due", "reboot held", "rebooting", "the reboot"]), expected, "{report}");
}

#[test]
fn the_report_has_each_question_to_the_owner_and_its_answer() {
    let mut world =
        World::with(&ONE, r#""ownerConsentCommands": ["download", "update"]"#).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&ONE));
    world.owner_says("a-1", "APPROVED");
    world.owner_says("a-1", "DENIED");
    let (_, report) = world.asks(r#"{"command":"report"}"#);
    let expected = [
        "owner asked for consent to DOWNLOAD",
        "consent given",
        "owner asked for consent to UPDATE",
        "consent denied or late",
    ];
    assert_eq!(events(&report, &["owner asked", "consent given", "consent denied"]), expected, "{report}");
}

#[test]
fn the_report_has_each_phase_once() {
    let mut world = completed("");
    let (_, report) = world.asks(r#"{"command":"report"}"#);
    let expected =
        ["IDENTIFY", "DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"].map(|phase| format!("phase begun: {phase}"));
    assert_eq!(events(&report, &["phase begun"]), expected, "{report}");
}
