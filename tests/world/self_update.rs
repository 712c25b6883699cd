//! The self-update agent (docs/agents.md, "The self-update agent"): what it really sends.

use serde_json::json;

use update_manager::world::actors::{inventory, Obedient};
use update_manager::world::scenario::World;

const STATE: &str = r#"{"baselines":[{"title":"os","components":["self-update:os-image"]}],"domains":[{"id":"self-update","config":[],"components":[{"id":"os-image","version":"1.2.0","config":[{"key":"image","value":"http://host/os.raucb"}]}]}]}"#;
const ALL: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const NOT_DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "INCOMPLETE"];

/// As the agent writes it: over several lines, in seconds, nothing left out.
fn bare(status: &str) -> String {
    format!(
        r#"
            {{
                "activityId": "a-1",
                "timestamp": 1700000000,
                "payload": {{
                    "status": "{status}",
                    "message": "Self-update agent says so.",
                    "actions": []
                }}
            }}
        "#
    )
}

fn with_action(status: &str, of_action: &str, progress: u8, message: &str) -> String {
    format!(
        r#"
            {{
                "activityId": "a-1",
                "timestamp": 1700000000,
                "payload": {{
                    "status": "{status}",
                    "message": "{message}",
                    "actions": [
                        {{
                            "component": {{
                                "id": "self-update:os-image",
                                "version": "1.2.0"
                            }},
                            "status": "{of_action}",
                            "progress": {progress},
                            "message": ""
                        }}
                    ]
                }}
            }}
        "#
    )
}

fn says(world: &mut World, status: &str, of_action: &str, progress: u8) {
    world.agent_says("self-update", with_action(status, of_action, progress, ""));
}

fn begun(more: &str) -> World {
    let mut world = World::with(&["self-update"], more);
    world.backend_applies("a-1", STATE);
    world
}

/// The agent has answered everything up to, and owes an answer to, this command.
fn working_at(command: &str, more: &str) -> World {
    let mut world = begun(more);
    lead_to(&mut world, command);
    world
}

fn lead_to(world: &mut World, command: &str) {
    world.agent_says("self-update", bare("IDENTIFYING"));
    says(world, "IDENTIFIED", "IDENTIFIED", 0);
    for (of, statuses) in [
        ("DOWNLOAD", ["DOWNLOADING", "DOWNLOAD_SUCCESS"]),
        ("UPDATE", ["UPDATING", "UPDATE_SUCCESS"]),
        ("ACTIVATE", ["ACTIVATING", "ACTIVATION_SUCCESS"]),
    ] {
        if of == command {
            return;
        }
        statuses.iter().for_each(|status| says(world, status, status, 100));
    }
}

/// The owner has refused the activation: the agent owes an answer to ROLLBACK.
fn rolling_back(more: &str) -> World {
    let mut world = begun(&format!(r#""ownerConsentCommands": ["activate"]{more}"#));
    lead_to(&mut world, "ACTIVATE");
    world.owner_says("a-1", "DENIED");
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "ROLLBACK"]);
    world
}

#[test]
fn its_component_is_os_image_with_the_key_image_and_its_action_is_named_after_both() {
    let mut world = working_at("CLEANUP", "");
    let sent = world.sent_to("selfupdate/desiredstate");
    assert_eq!(sent.len(), 1);
    assert!(
        String::from_utf8_lossy(&sent[0].bytes).contains(&STATE[STATE.find("\"domains\"").unwrap()..STATE.len() - 1])
    );
    says(&mut world, "CLEANUP_SUCCESS", "UPDATED", 100);
    assert_eq!(world.commands("self-update"), ALL);
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").actions(), [("self-update:os-image", "UPDATE_SUCCESS")]);
}

#[test]
fn an_equal_version_completes_at_once_and_gets_one_cleanup_that_is_not_waited_for() {
    let mut world = begun("");
    world.agent_says("self-update", bare("IDENTIFYING"));
    world.agent_says("self-update", bare("COMPLETED"));
    assert_eq!(world.commands("self-update"), ["CLEANUP"]);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
    assert_eq!(world.last("a-1").message, "");
    world.run_for(3_600_000);
    assert_eq!(world.commands("self-update"), ["CLEANUP"]);
    assert_eq!(world.story("a-1").len(), 3);
}

#[test]
fn its_answers_to_that_cleanup_change_nothing() {
    let mut world = begun("");
    world.agent_says("self-update", bare("COMPLETED"));
    world.agent_says("self-update", bare("CLEANUP_SUCCESS"));
    world.agent_says("self-update", bare("COMPLETE"));
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
    assert_eq!(world.commands("self-update"), ["CLEANUP"]);
}

#[test]
fn an_equal_version_beside_a_domain_that_works_gets_its_cleanup_at_once() {
    let mut world = World::plain(&["containers", "self-update"]);
    let state = r#"{"domains":[{"id":"containers","components":[{"id":"c","version":"1"}]},{"id":"self-update"}]}"#;
    world.backend_applies("a-1", state);
    world.agent_says("self-update", bare("COMPLETED"));
    assert_eq!(world.commands("self-update"), ["CLEANUP"]);
    assert_eq!(world.story("a-1"), ["IDENTIFYING"]);
    let containers = with_action("IDENTIFIED", "IDENTIFIED", 0, "").replace("self-update", "containers");
    world.agent_says("containers", containers);
    assert_eq!(world.commands("containers"), ["DOWNLOAD"]);
    assert_eq!(world.commands("self-update"), ["CLEANUP"]);
}

#[test]
fn completed_with_actions_in_answer_to_the_desired_state_gets_no_command() {
    let mut world = begun("");
    says(&mut world, "COMPLETED", "UPDATE_SUCCESS", 100);
    assert!(world.commands("self-update").is_empty());
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
}

#[test]
fn identified_without_actions_gets_no_command() {
    let mut world = begun("");
    world.agent_says("self-update", bare("IDENTIFIED"));
    assert!(world.commands("self-update").is_empty());
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
}

#[test]
fn a_rollback_without_feedback_holds_nothing_up_after_thirty_seconds() {
    let mut world = rolling_back("");
    world.run_for(29_999);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "ROLLBACK"]);
    world.run_for(1);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "ROLLBACK", "CLEANUP"]);
    world.agent_says("self-update", bare("CLEANUP_SUCCESS"));
    assert_eq!(world.story("a-1"), NOT_DONE);
    assert_eq!(world.last("a-1").message, "owner consent denied; [self-update] no answer to ROLLBACK in 30s");
}

#[test]
fn a_rollback_is_waited_for_no_longer_than_the_phase_timeout() {
    let mut world = rolling_back(r#", "phaseTimeout": "10s""#);
    world.run_for(9_999);
    assert_eq!(world.commands("self-update").len(), 3);
    world.run_for(1);
    assert_eq!(world.commands("self-update").last().unwrap(), "CLEANUP");
    world.run_for(9_999);
    assert_eq!(world.story("a-1").last().unwrap(), "RUNNING");
    world.run_for(1);
    assert_eq!(world.story("a-1"), NOT_DONE);
    let silent = "[self-update] no answer to ROLLBACK in 10s; [self-update] no answer to CLEANUP in 10s";
    assert_eq!(world.last("a-1").message, format!("owner consent denied; {silent}"));
}

#[test]
fn any_feedback_extends_the_wait_for_a_rollback_up_to_the_phase_timeout() {
    let mut world = rolling_back("");
    let began = world.now();
    for _ in 0..29 {
        world.run_for(20_000);
        world.agent_says("self-update", bare("ROLLBACK"));
    }
    assert_eq!(world.commands("self-update").len(), 3);
    world.run_for(20_000);
    assert_eq!(world.commands_at("self-update").last().unwrap(), &(began + 600_000, "CLEANUP".to_owned()));
}

#[test]
fn a_cleanup_without_feedback_is_done_after_thirty_seconds_and_does_not_undo_the_update() {
    let mut world = working_at("CLEANUP", "");
    world.run_for(29_999);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING"]);
    world.run_for(1);
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").message, "[self-update] no answer to CLEANUP in 30s");
}

#[test]
fn a_cleanup_that_goes_on_is_waited_for_up_to_the_phase_timeout() {
    let mut world = working_at("CLEANUP", "");
    let began = world.now();
    for _ in 0..29 {
        world.run_for(20_000);
        // Whatever it says, and about no matter what.
        world.agent_says("self-update", bare("CLEANUP"));
    }
    assert_eq!(world.last("a-1").status, "RUNNING");
    world.run_for(20_000);
    assert_eq!((world.last("a-1").at, world.last("a-1").status.as_str()), (began + 600_000, "COMPLETED"));
}

#[test]
fn a_phase_timeout_shorter_than_the_wait_for_a_cleanup_ends_it() {
    let mut world = working_at("CLEANUP", r#""phaseTimeout": "10s""#);
    world.run_for(9_999);
    assert_eq!(world.story("a-1").len(), 3);
    world.run_for(1);
    assert_eq!(world.last("a-1").message, "[self-update] no answer to CLEANUP in 10s");
}

#[test]
fn the_wait_for_a_cleanup_is_configurable() {
    let mut world = working_at("CLEANUP", r#""cleanupTimeout": "5s""#);
    world.run_for(5_000);
    assert_eq!(world.last("a-1").message, "[self-update] no answer to CLEANUP in 5s");
}

#[test]
fn after_cleanup_success_comes_complete_and_changes_nothing() {
    let mut world = working_at("CLEANUP", "");
    says(&mut world, "CLEANUP_SUCCESS", "UPDATE_SUCCESS", 100);
    assert_eq!(world.story("a-1"), DONE);
    world.agent_says("self-update", bare("COMPLETE"));
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.commands("self-update"), ALL);
}

#[test]
fn update_success_is_followed_by_an_empty_message_that_means_nothing() {
    let mut world = working_at("UPDATE", "");
    says(&mut world, "UPDATE_SUCCESS", "UPDATED", 100);
    world.agent_says("self-update", b"");
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "ACTIVATE"]);
    says(&mut world, "ACTIVATION_SUCCESS", "UPDATED", 100);
    says(&mut world, "CLEANUP_SUCCESS", "UPDATED", 100);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn update_failure_while_download_is_unanswered_answers_it_as_a_failure() {
    let mut world = working_at("DOWNLOAD", "");
    says(&mut world, "DOWNLOADING", "DOWNLOADING", 3);
    world.agent_says("self-update", with_action("UPDATE_FAILURE", "UPDATE_FAILURE", 3, "Download failed."));
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "CLEANUP"]);
    says(&mut world, "CLEANUP_SUCCESS", "UPDATE_FAILURE", 0);
    assert_eq!(world.story("a-1"), NOT_DONE);
    assert_eq!(world.last("a-1").message, "[self-update] Download failed.");
}

#[test]
fn a_fall_back_to_downloading_gets_a_second_update() {
    let mut world = working_at("UPDATE", "");
    says(&mut world, "UPDATING", "UPDATING", 1);
    says(&mut world, "DOWNLOADING", "DOWNLOADING", 0);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE"]);
    says(&mut world, "DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS", 100);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "UPDATE"]);
    says(&mut world, "UPDATE_SUCCESS", "UPDATE_SUCCESS", 100);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "UPDATE", "ACTIVATE"]);
}

#[test]
fn a_second_update_is_sent_only_if_downloading_came_after_the_first() {
    let mut world = working_at("UPDATE", "");
    // The end of the download again, late.
    says(&mut world, "DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS", 100);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE"]);
}

#[test]
fn an_update_is_sent_again_at_most_twice() {
    let mut world = working_at("UPDATE", "");
    for _ in 0..4 {
        says(&mut world, "DOWNLOADING", "DOWNLOADING", 0);
        says(&mut world, "DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS", 100);
    }
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "UPDATE", "UPDATE"]);
}

#[test]
fn the_phases_clock_runs_on_over_a_fall_back() {
    let mut world = working_at("UPDATE", "");
    let began = world.now();
    world.run_for(400_000);
    says(&mut world, "DOWNLOADING", "DOWNLOADING", 0);
    says(&mut world, "DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS", 100);
    world.run_for(200_000);
    assert_eq!(world.commands_at("self-update").last().unwrap(), &(began + 600_000, "CLEANUP".to_owned()));
    says(&mut world, "CLEANUP_SUCCESS", "UPDATE_FAILURE", 0);
    assert_eq!(world.last("a-1").message, "[self-update] no answer to UPDATE in 10m");
}

#[test]
fn the_owner_is_not_asked_again_over_a_fall_back() {
    let mut world = begun(r#""ownerConsentCommands": ["update"]"#);
    lead_to(&mut world, "UPDATE");
    world.owner_says("a-1", "APPROVED");
    says(&mut world, "DOWNLOADING", "DOWNLOADING", 0);
    says(&mut world, "DOWNLOAD_SUCCESS", "DOWNLOAD_SUCCESS", 100);
    assert_eq!(world.commands("self-update"), ["DOWNLOAD", "UPDATE", "UPDATE"]);
    assert_eq!(world.sent_to("deviceupdate/ownerconsent").len(), 1);
}

#[test]
fn it_is_never_asked_for_its_inventory_during_its_activity() {
    let mut world = World::plain(&["containers", "self-update"]).joined_by(Obedient::new("containers"));
    world.agent_has("self-update", inventory("self-update", "", 1));
    world.run_for(60_000);
    let (containers, selfupdate) = (world.asked("containers").len(), world.asked("self-update").len());
    world.backend_applies("a-1", STATE);
    for step in ["IDENTIFIED", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS"] {
        world.backend_asks(step);
        assert_eq!(world.states_of().last().unwrap(), step, "answered with what is known");
        let (_, state) = world.states().pop().unwrap();
        assert!(state.to_string().contains("self-update:app"), "{state}");
        world.cut();
        world.await_link();
        says(&mut world, step, step, 100);
    }
    assert_eq!(world.asked("self-update").len(), selfupdate);
    assert_eq!(world.asked("containers").len(), containers + 8, "those that take no part are asked");
    says(&mut world, "CLEANUP_SUCCESS", "UPDATE_SUCCESS", 100);
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.asked("self-update").last().unwrap(), "a-1");
}

#[test]
fn it_answers_for_its_inventory_only_while_idle_and_the_report_does_not_wait_for_ever() {
    let mut world = working_at("CLEANUP", "");
    world.run_for(1_000);
    says(&mut world, "CLEANUP_SUCCESS", "UPDATE_SUCCESS", 100);
    let asked_at = world.now();
    assert_eq!(world.asked("self-update").last().unwrap(), "a-1");
    assert!(!world.states_of().contains(&"a-1".to_owned()));
    world.run_for(60_000);
    assert_eq!(world.states().last().unwrap().0, asked_at + 60_000);
    assert_eq!(world.states_of().last().unwrap(), "a-1");
}

#[test]
fn messages_that_were_sent_while_it_was_away_arrive_later_and_mean_nothing() {
    let mut world = working_at("CLEANUP", "");
    says(&mut world, "CLEANUP_SUCCESS", "UPDATE_SUCCESS", 100);
    world.backend_applies("a-2", STATE);
    for status in ["IDENTIFYING", "IDENTIFIED", "DOWNLOADING", "UPDATE_FAILURE", "COMPLETE"] {
        says(&mut world, status, "DOWNLOADING", 50);
    }
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.story("a-2"), ["IDENTIFYING"]);
    assert!(world.logged(&["[self-update] a-1", "ignored"]));
    world.agent_says("self-update", bare("IDENTIFIED").replace("a-1", "a-2"));
    assert_eq!(world.story("a-2"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
}

#[test]
fn an_inventory_of_its_from_before_does_not_take_the_place_of_a_newer_one() {
    let mut world = World::plain(&["self-update"]);
    let at = |seconds: u64, version: &str| {
        json!({ "timestamp": seconds, "payload": { "softwareNodes": [
            { "id": "self-update:leda-deviceimage", "version": version, "type": "IMAGE" }
        ] } })
    };
    world.agent_has("self-update", at(1_700_000_100, "2").to_string());
    world.agent_has("self-update", at(1_700_000_000, "1").to_string());
    world.run_for(60_000);
    let (_, state) = world.states().pop().unwrap();
    assert_eq!(state["payload"]["softwareNodes"][1]["version"], "2");
}

#[test]
fn the_host_is_rebooted_by_the_manager_not_by_the_agent() {
    let mut world = World::new(
        r#"{"thingsEnabled": false, "agents": {"self-update": {"rebootRequired": true, "readTimeout": "2s"}}}"#,
    );
    world.backend_applies("a-1", STATE);
    lead_to(&mut world, "CLEANUP");
    says(&mut world, "CLEANUP_SUCCESS", "UPDATED", 100);
    let ended = world.now();
    world.run_for(60_000);
    // The inventory is reported first; the agent does not answer for it.
    assert_eq!(world.reboots, [ended + 2_000 + 30_000]);
}

#[test]
fn progress_every_five_seconds_is_told_once_a_minute() {
    let mut world = working_at("DOWNLOAD", "");
    let began = world.now();
    for progress in 1..=24 {
        world.run_for(5_000);
        says(&mut world, "DOWNLOADING", "DOWNLOADING", progress);
    }
    let running: Vec<u64> = world
        .reports("a-1")
        .iter()
        .filter(|report| report.status == "RUNNING")
        .map(|report| report.at - began)
        .collect();
    assert_eq!(running, [0, 60_000, 120_000]);
}
