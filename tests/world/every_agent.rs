//! What every agent may send (docs/agents.md, "Every agent").

use update_manager::world::actors::{desired_state, inventory};
use update_manager::world::scenario::World;

const DONE: [&str; 4] = ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"];
const ALL: [&str; 4] = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"];

fn action(id: &str, status: &str) -> String {
    format!(r#"{{"component":{{"id":"one:{id}","version":"2"}},"status":"{status}"}}"#)
}

fn feedback(status: &str, actions: &[String]) -> String {
    let actions = actions.join(",");
    format!(
        r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{{"status":"{status}","actions":[{actions}]}}}}"#
    )
}

fn bare(status: &str) -> String {
    format!(r#"{{"activityId":"a-1","timestamp":1700000000123,"payload":{{"status":"{status}"}}}}"#)
}

/// One domain has identified two actions, and owes an answer to DOWNLOAD.
fn downloading() -> World {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.agent_says("one", feedback("IDENTIFIED", &[action("a", "IDENTIFIED"), action("b", "IDENTIFIED")]));
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world
}

fn finish(world: &mut World) {
    for status in ["DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        world.agent_says("one", bare(status));
    }
}

#[test]
fn one_that_does_not_know_the_activity_is_silent_and_the_phase_timeout_ends_its_part() {
    let mut world = downloading();
    let began = world.now();
    world.run_for(599_999);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    world.run_for(1);
    assert_eq!(world.commands_at("one").last().unwrap(), &(began + 600_000, "CLEANUP".to_owned()));
    world.run_for(30_000);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING", "INCOMPLETE"]);
    assert_eq!(world.last("a-1").message, "[one] no answer to DOWNLOAD in 10m; [one] no answer to CLEANUP in 30s");
}

#[test]
fn a_feedback_may_hold_just_the_actions_that_changed() {
    let mut world = downloading();
    world.agent_says("one", feedback("DOWNLOADING", &[action("b", "DOWNLOADING")]));
    world.agent_says("one", feedback("DOWNLOAD_SUCCESS", &[action("a", "DOWNLOAD_SUCCESS")]));
    world.run_for(60_000);
    assert_eq!(world.last("a-1").actions(), [("one:a", "DOWNLOAD_SUCCESS"), ("one:b", "DOWNLOADING")]);
}

#[test]
fn a_feedback_may_hold_no_actions_and_they_stay_as_they_were() {
    let mut world = downloading();
    finish(&mut world);
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.last("a-1").actions(), [("one:a", "IDENTIFIED"), ("one:b", "IDENTIFIED")]);
}

#[test]
fn an_empty_body_is_ignored_whenever_it_comes() {
    let mut world = World::plain(&["one"]);
    world.agent_says("one", b"");
    world.backend_applies("a-1", &desired_state(&["one"]));
    world.agent_says("one", b"");
    world.agent_says("one", feedback("IDENTIFIED", &[action("a", "IDENTIFIED")]));
    for status in ["DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS"] {
        world.agent_says("one", b"");
        world.agent_says("one", bare(status));
    }
    world.agent_says("one", b"");
    assert_eq!(world.story("a-1"), DONE);
    assert!(world.logged(&["oneupdate/desiredstatefeedback", "empty message ignored"]));
}

#[test]
fn unescaped_text_is_ignored_with_a_line_that_names_the_topic_and_never_ends_the_activity() {
    let mut world = downloading();
    let words = r#"{"activityId":"a-1","timestamp":1700000000,"payload":{"status":"UPDATE_FAILURE","message":"the "bundle" is bad","actions":[]}}"#;
    let lines = "{\"activityId\":\"a-1\",\"payload\":{\"status\":\"DOWNLOAD_FAILURE\",\"message\":\"two\nlines\"}}";
    let cut = r#"{"activityId":"a-1","payload":{"status":"DOWNLOAD_FA"#;
    for bytes in [words.as_bytes(), lines.as_bytes(), cut.as_bytes(), b"null", b"[]", b"\xff\xfe", b"\0"] {
        world.agent_says("one", bytes);
    }
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING"]);
    assert!(world.logged(&["oneupdate/desiredstatefeedback: a-1: message ignored"]));
    finish(&mut world);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn statuses_may_come_twice() {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["one"]));
    for status in ["IDENTIFYING", "IDENTIFIED", "DOWNLOADING", "DOWNLOAD_SUCCESS", "UPDATING", "UPDATE_SUCCESS"]
        .into_iter()
        .chain(["ACTIVATING", "ACTIVATION_SUCCESS", "CLEANUP_SUCCESS", "COMPLETED"])
    {
        for _ in 0..2 {
            world.agent_says("one", feedback(status, &[action("a", "IDENTIFIED")]));
        }
    }
    assert_eq!(world.commands("one"), ALL);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn statuses_of_phases_that_are_over_mean_nothing_but_their_actions_count() {
    let mut world = downloading();
    world.agent_says("one", bare("DOWNLOAD_SUCCESS"));
    for late in ["IDENTIFYING", "IDENTIFIED", "DOWNLOAD_SUCCESS"] {
        world.agent_says("one", feedback(late, &[action("a", "DOWNLOAD_SUCCESS")]));
    }
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE"]);
    world.agent_says("one", bare("UPDATE_SUCCESS"));
    world.agent_says("one", bare("UPDATING"));
    world.agent_says("one", bare("DOWNLOADING"));
    world.agent_says("one", bare("DOWNLOAD_SUCCESS"));
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ACTIVATE"]);
    world.run_for(60_000);
    assert_eq!(world.last("a-1").actions()[0], ("one:a", "DOWNLOAD_SUCCESS"));
}

#[test]
fn statuses_of_phases_to_come_mean_nothing() {
    let mut world = World::plain(&["one"]);
    world.backend_applies("a-1", &desired_state(&["one"]));
    for early in ["DOWNLOADING", "DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS"] {
        world.agent_says("one", feedback(early, &[action("a", "IDENTIFIED")]));
    }
    assert_eq!(world.story("a-1"), ["IDENTIFYING"]);
    assert!(world.commands("one").is_empty());
    world.agent_says("one", bare("IDENTIFIED"));
    world.agent_says("one", bare("ACTIVATION_SUCCESS"));
    world.agent_says("one", bare("UPDATE_SUCCESS"));
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    finish(&mut world);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn interim_statuses_may_be_missing() {
    let mut world = downloading();
    finish(&mut world);
    assert_eq!(world.commands("one"), ALL);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn complete_means_completed() {
    let mut world = downloading();
    world.agent_says("one", bare("COMPLETE"));
    assert_eq!(world.story("a-1"), DONE);
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
}

#[test]
fn an_action_that_is_updated_is_an_update_success() {
    let mut world = downloading();
    world.agent_says("one", feedback("DOWNLOADING", &[action("a", "UPDATED")]));
    finish(&mut world);
    assert_eq!(world.last("a-1").actions()[0], ("one:a", "UPDATE_SUCCESS"));
}

#[test]
fn an_action_status_that_is_not_known_keeps_the_last_one() {
    let mut world = downloading();
    let odd = ["VERIFYING", "", "downloading", "UPDATED "];
    world.agent_says("one", feedback("DOWNLOADING", &[action("a", "DOWNLOADING")]));
    for status in odd {
        world.agent_says("one", feedback("DOWNLOADING", &[action("a", status)]));
    }
    world.agent_says("one", feedback("DOWNLOADING", &[r#"{"component":{"id":"one:a"},"progress":40}"#.to_owned()]));
    world.run_for(60_000);
    assert_eq!(world.last("a-1").actions()[0], ("one:a", "DOWNLOADING"));
    assert_eq!(world.last("a-1").actions[0]["progress"], 40);
}

#[test]
fn a_status_that_is_not_known_is_ignored() {
    let mut world = downloading();
    for status in ["VERIFYING", "INCOMPLETE_INCONSISTENT", "SUPERSEDED", "", "download_success"] {
        world.agent_says("one", bare(status));
    }
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    assert_eq!(world.story("a-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING"]);
}

#[test]
fn feedback_about_another_activity_or_none_is_ignored() {
    let mut world = downloading();
    for id in [r#""activityId":"a-2","#, r#""activityId":"","#, ""] {
        world.agent_says("one", bare("DOWNLOAD_FAILURE").replace(r#""activityId":"a-1","#, id));
    }
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
    finish(&mut world);
    assert_eq!(world.story("a-1"), DONE);
}

#[test]
fn an_initial_inventory_has_an_id_of_the_agents_own_or_none() {
    let own = inventory("one", "initial-current-state-1699999999999", 1_699_999_999_999);
    let none = own.replace(r#""activityId":"initial-current-state-1699999999999","#, "");
    assert!(!none.contains("activityId"));
    for initial in [own, none] {
        let mut world = World::plain(&["one"]);
        world.run_for(60_000);
        let before = world.states().len();
        world.agent_has("one", initial);
        world.run_for(29_999);
        assert_eq!(world.states().len(), before);
        world.run_for(1);
        assert_eq!(world.states_of()[before..], [""]);
        let (_, state) = world.states().pop().unwrap();
        assert_eq!(state["payload"]["softwareNodes"][1]["id"], "one-update-agent");
    }
}

#[test]
fn no_command_is_sent_before_the_one_before_is_answered_by_all() {
    let mut world = World::plain(&["one", "two"]);
    world.backend_applies("a-1", &desired_state(&["one", "two"]));
    let two = |text: String| text.replace("one:", "two:");
    world.agent_says("one", feedback("IDENTIFIED", &[action("a", "IDENTIFIED")]));
    assert!(world.commands("one").is_empty());
    world.agent_says("two", two(feedback("IDENTIFIED", &[action("a", "IDENTIFIED")])));
    let steps = ["DOWNLOAD_SUCCESS", "UPDATE_SUCCESS", "ACTIVATION_SUCCESS"];
    for (step, success) in steps.into_iter().enumerate() {
        assert_eq!((world.commands("one").len(), world.commands("two").len()), (step + 1, step + 1));
        world.agent_says("two", bare(success));
        world.run_for(100_000);
        assert_eq!((world.commands("one").len(), world.commands("two").len()), (step + 1, step + 1));
        world.agent_says("one", bare(success));
    }
    world.agent_says("one", bare("CLEANUP_SUCCESS"));
    assert_eq!(world.story("a-1").last().unwrap(), "RUNNING");
    world.agent_says("two", bare("CLEANUP_SUCCESS"));
    assert_eq!(
        (world.commands("one"), world.commands("two")),
        (ALL.map(str::to_owned).into(), ALL.map(str::to_owned).into())
    );
    assert_eq!(world.last("a-1").status, "COMPLETED");
    assert_eq!(world.last("a-1").actions(), [("one:a", "IDENTIFIED"), ("two:a", "IDENTIFIED")]);
}
