//! The containers agent (docs/agents.md, "The containers agent"): what it really sends.

use serde_json::json;

use update_manager::world::actors::inventory;
use update_manager::world::scenario::World;

const STATE: &str = r#"{"baselines":[{"title":"web","components":["containers:nginx","containers:redis"]}],"domains":[{"id":"containers","config":[],"components":[{"id":"nginx","version":"1.25","config":[{"key":"image","value":"docker.io/library/nginx:1.25"}]},{"id":"redis","version":"7","config":[]}]}]}"#;
const ALL: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];
const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const NOT_DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "INCOMPLETE"];

/// As the agent writes it: on one line, empty values left out.
fn bare(status: &str) -> String {
    format!(r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{{"status":"{status}"}}}}"#)
}

fn with_actions(status: &str, nginx: &str, redis: &str) -> String {
    format!(
        r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{{"status":"{status}","actions":[{{"component":{{"id":"containers:nginx","version":"1.25"}},"status":"{nginx}","message":"New container will be created and started."}},{{"component":{{"id":"containers:redis","version":"7"}},"status":"{redis}","message":"No changes detected."}}]}}}}"#
    )
}

fn begun(more: &str) -> World {
    let mut world = World::with(&["containers"], more);
    world.backend_applies("a-1", STATE);
    world
}

fn says(world: &mut World, status: &str) {
    world.agent_says("containers", with_actions(status, status, status));
}

/// The agent has answered everything up to, and owes an answer to, this command.
fn working_at(command: &str, more: &str) -> World {
    let mut world = begun(more);
    world.agent_says("containers", bare("IDENTIFYING"));
    says(&mut world, "IDENTIFIED");
    for (of, success) in
        [("DOWNLOAD", "DOWNLOAD_SUCCESS"), ("UPDATE", "UPDATE_SUCCESS"), ("ACTIVATE", "ACTIVATION_SUCCESS")]
    {
        if of == command {
            break;
        }
        says(&mut world, success);
    }
    world
}

#[test]
fn identification_failed_comes_without_identifying_and_without_actions() {
    let mut world = World::plain(&["containers", "self-update"]);
    let state = r#"{"domains":[{"id":"containers"},{"id":"self-update"}]}"#;
    world.backend_applies("a-1", state);
    world.agent_says(
        "containers",
        r#"{"activityId":"a-1","timestamp":1700000000123,"payload":{"status":"IDENTIFICATION_FAILED","message":"cannot create container \"nginx\""}}"#,
    );
    assert_eq!(world.story("a-1"), ["IDENTIFYING"], "the other has not answered yet");
    world.agent_says("self-update", bare("IDENTIFYING"));
    world.agent_says("self-update", with_actions("IDENTIFIED", "IDENTIFIED", "IDENTIFIED"));
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-1").message, r#"[containers] cannot create container "nginx""#);
    world.run_for(3_600_000);
    assert!(world.commands("containers").is_empty() && world.commands("self-update").is_empty());
}

#[test]
fn without_actions_completed_comes_at_once_with_no_identified() {
    let mut world = begun("");
    world.agent_says("containers", bare("COMPLETED"));
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "COMPLETED"]);
    assert!(world.last("a-1").actions.is_empty());
    assert_eq!(world.commands("containers"), ["CLEANUP"]);
}

#[test]
fn containers_that_need_no_change_go_through_the_full_cycle() {
    let mut world = working_at("CLEANUP", "");
    says(&mut world, "CLEANUP_SUCCESS");
    assert_eq!(world.commands("containers"), ALL);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn any_number_of_interim_statuses_comes_before_success() {
    let mut world = working_at("DOWNLOAD", "");
    for (nginx, redis) in
        [("DOWNLOADING", "IDENTIFIED"), ("DOWNLOAD_SUCCESS", "IDENTIFIED"), ("DOWNLOAD_SUCCESS", "DOWNLOADING")]
    {
        for _ in 0..3 {
            world.agent_says("containers", with_actions("DOWNLOADING", nginx, redis));
        }
    }
    assert_eq!(world.commands("containers"), ["DOWNLOAD"]);
    says(&mut world, "DOWNLOAD_SUCCESS");
    assert_eq!(world.commands("containers"), ["DOWNLOAD", "UPDATE"]);
}

#[test]
fn a_phase_with_nothing_to_do_answers_success_directly() {
    let mut world = begun("");
    says(&mut world, "IDENTIFIED");
    for status in ["DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        world.agent_says("containers", bare(status));
    }
    assert_eq!(world.commands("containers"), ALL);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_failure_ends_its_part_with_a_cleanup_and_incomplete() {
    for (command, failure, commands) in [
        ("DOWNLOAD", "DOWNLOAD_FAILURE", vec!["DOWNLOAD", "CLEANUP"]),
        ("UPDATE", "UPDATE_FAILURE", vec!["DOWNLOAD", "UPDATE", "CLEANUP"]),
        ("ACTIVATE", "ACTIVATION_FAILURE", vec!["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]),
    ] {
        let mut world = working_at(command, "");
        let words = |said: String| said.replace("New container will be created and started.", "no such image");
        world.agent_says("containers", words(with_actions(failure, failure, "IDENTIFIED")));
        assert_eq!(world.commands("containers"), commands);
        says(&mut world, "CLEANUP_SUCCESS");
        world.agent_says("containers", bare("INCOMPLETE"));
        assert_eq!(world.story("a-1"), NOT_DONE);
        assert_eq!(world.last("a-1").message, "[containers] no such image");
    }
}

#[test]
fn cleanup_has_no_interim_status_and_completed_after_it_changes_nothing() {
    let mut world = working_at("CLEANUP", "");
    world.agent_says("containers", bare("CLEANUP_SUCCESS"));
    assert_eq!(world.story("a-1"), DONE);
    world.agent_says("containers", bare("COMPLETED"));
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").message, "");
}

#[test]
fn completed_in_answer_to_cleanup_ends_it_too() {
    let mut world = working_at("CLEANUP", "");
    world.agent_says("containers", bare("COMPLETED"));
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn a_cleanup_that_failed_does_not_undo_the_update_and_is_named() {
    let mut world = working_at("CLEANUP", "");
    world.agent_says("containers", bare("CLEANUP_FAILURE"));
    world.agent_says("containers", bare("INCOMPLETE"));
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").message, "[containers] CLEANUP_FAILURE");
}

#[test]
fn it_is_rolled_back_after_a_download_or_an_update_and_ends_incomplete() {
    for (asked, commands) in [
        ("update", vec!["DOWNLOAD", "ROLLBACK", "CLEANUP"]),
        ("activate", vec!["DOWNLOAD", "UPDATE", "ROLLBACK", "CLEANUP"]),
    ] {
        let mut world = working_at(&asked.to_uppercase(), &format!(r#""ownerConsentCommands": ["{asked}"]"#));
        world.owner_says("a-1", "DENIED");
        world.agent_says("containers", bare("ROLLBACK_SUCCESS"));
        assert_eq!(world.commands("containers"), commands);
        world.agent_says("containers", bare("CLEANUP_SUCCESS"));
        world.agent_says("containers", bare("INCOMPLETE"));
        assert_eq!(world.story("a-1"), NOT_DONE);
        assert_eq!(world.last("a-1").message, "owner consent denied");
    }
}

#[test]
fn a_rolled_back_domain_that_says_incomplete_at_once_has_not_failed() {
    let mut world = working_at("ACTIVATE", r#""ownerConsentCommands": ["activate"]"#);
    world.owner_says("a-1", "DENIED");
    world.agent_says("containers", bare("INCOMPLETE"));
    assert_eq!(world.last("a-1").message, "owner consent denied");
}

#[test]
fn a_rollback_that_is_not_accepted_is_cleaned_up_all_the_same() {
    let mut world = working_at("ACTIVATE", r#""ownerConsentCommands": ["activate"]"#);
    world.owner_says("a-1", "DENIED");
    world.agent_says("containers", bare("ROLLBACK_FAILURE"));
    assert_eq!(world.commands("containers"), ["DOWNLOAD", "UPDATE", "ROLLBACK", "CLEANUP"]);
    world.agent_says("containers", bare("CLEANUP_SUCCESS"));
    assert_eq!(world.story("a-1"), NOT_DONE);
}

#[test]
fn before_a_download_there_is_nothing_to_roll_back() {
    let mut world = working_at("DOWNLOAD", r#""ownerConsentCommands": ["download"]"#);
    world.owner_says("a-1", "DENIED");
    assert_eq!(world.commands("containers"), ["CLEANUP"]);
    assert_eq!(world.story("a-1"), NOT_DONE);
}

#[test]
fn a_second_desired_state_never_reaches_it_while_one_is_applied() {
    let mut world = working_at("UPDATE", "");
    world.backend_applies("a-2", STATE);
    assert_eq!(world.sent_to("containersupdate/desiredstate").len(), 1);
    assert_eq!(world.story("a-2"), ["IDENTIFICATION_FAILED"]);
    assert_eq!(world.last("a-2").message, "Another update activity in progress - a-1");
}

#[test]
fn commands_name_no_baseline_which_means_all_of_them_the_hidden_ones_too() {
    let mut world = begun("");
    let told = world.sent_to("containersupdate/desiredstate")[0].json();
    assert_eq!(
        told["payload"]["baselines"],
        json!([{ "title": "web", "components": ["containers:nginx", "containers:redis"] }])
    );
    says(&mut world, "IDENTIFIED");
    for (baseline, status) in
        [("web", "DOWNLOADING"), ("containers:remove-components", "DOWNLOADING"), ("containers:old", "DOWNLOADING")]
    {
        let message = bare(status).replace(r#""status""#, &format!(r#""baseline":"{baseline}","status""#));
        world.agent_says("containers", message);
    }
    says(&mut world, "DOWNLOAD_SUCCESS");
    let commands: Vec<_> = world
        .sent_to("containersupdate/desiredstate/command")
        .iter()
        .map(|sent| sent.json()["payload"].clone())
        .collect();
    assert_eq!(commands, [json!({ "command": "DOWNLOAD" }), json!({ "command": "UPDATE" })]);
}

#[test]
fn actions_of_components_that_nobody_named_are_reported_with_the_others() {
    let mut world = begun("");
    let action = r#"{"component":{"id":"containers:old","version":"1"},"status":"IDENTIFIED"}"#;
    world.agent_says(
        "containers",
        with_actions("IDENTIFIED", "IDENTIFIED", "IDENTIFIED").replace("}]}}", &format!("}},{action}]}}}}")),
    );
    let removing = action.replace("IDENTIFIED", "REMOVAL_SUCCESS");
    world.agent_says("containers", bare("DOWNLOAD_SUCCESS"));
    world.agent_says("containers", bare("UPDATE_SUCCESS").replace("}}", &format!(r#","actions":[{removing}]}}}}"#)));
    for status in ["ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        world.agent_says("containers", bare(status));
    }
    let last = world.last("a-1");
    assert_eq!(last.actions()[2], ("containers:old", "REMOVAL_SUCCESS"));
}

#[test]
fn it_tells_its_inventory_on_connect_and_on_request() {
    let mut world = World::plain(&["containers"]);
    assert_eq!(world.asked("containers"), ["initial-current-state-1700000000000"]);
    // On its own connection, with an id of its own.
    world.agent_has("containers", inventory("containers", "initial-current-state-7", 1_700_000_000_001));
    assert!(world.states().is_empty());
    world.agent_has("containers", inventory("containers", "initial-current-state-1700000000000", 1_700_000_000_002));
    assert_eq!(world.states_of(), ["initial-current-state-1700000000000"]);
}
