//! The console: what it shows, and what it has done (docs/console.md).

use serde_json::json;
use update_manager::limits::PAYLOAD_IN_MAX;
use update_manager::world::actors::{desired_state, inventory, Obedient};
use update_manager::world::disk::{Disk, Fate};
use update_manager::world::power::Outage;
use update_manager::world::scenario::{configuration, World};

const ONE: [&str; 1] = ["one"];
const TWO: [&str; 2] = ["one", "two"];

/// The process alone ends.
const KILL: Outage = Outage { fate: Fate::Whole, down_ms: 1_000, boots: false, agents_too: false };

/// An activity whose domains do not answer this command, `IDENTIFY` for the desired state.
fn stuck_at(command: &'static str, disk: Option<Disk>) -> World {
    let mut world = World::begin(&configuration(&TWO, ""), disk);
    world.await_link();
    // To a desired state they answer, but late.
    let agent = |domain| match command {
        "IDENTIFY" => Obedient::paced(domain, 5_000),
        _ => Obedient::new(domain).silent_at(command),
    };
    let mut world = world.joined_by(agent("one")).joined_by(agent("two"));
    world.backend_applies("a-1", &desired_state(&TWO));
    world.run_for(1_000);
    world
}

#[test]
fn an_activity_is_cancelled_in_every_phase_with_rollback_and_cleanup() {
    for is_saved in [false, true] {
        for (command, forward) in [
            ("IDENTIFY", &[][..]),
            ("DOWNLOAD", &["DOWNLOAD"]),
            ("UPDATE", &["DOWNLOAD", "UPDATE"]),
            ("ACTIVATE", &["DOWNLOAD", "UPDATE", "ACTIVATE"]),
        ] {
            let mut world = stuck_at(command, is_saved.then(Disk::default));
            if command == "ACTIVATE" {
                let refused = world.commanded("cancel");
                assert_eq!(refused["error"], "a-1 is being put into use; --force cancels it all the same");
                assert_eq!(world.commands("one"), forward, "nothing happens without force");
            }
            let (answer, text) = world.asks(r#"{"command":"cancel","force":true}"#);
            assert_eq!(
                (answer["exit"].as_u64(), text.as_str()),
                (Some(0), "a-1: cancelled, what was done is being undone\n")
            );
            world.run_for(1_000);
            let back = if command == "IDENTIFY" { &["CLEANUP"][..] } else { &["ROLLBACK", "CLEANUP"] };
            assert_eq!(world.commands("one"), [forward, back].concat(), "cancelled at {command}");
            let last = world.last("a-1");
            assert_eq!((last.status.as_str(), last.message.as_str()), ("INCOMPLETE", "cancelled at the console"));
            assert_eq!(world.ends().len(), 1);
            assert_eq!(world.commanded("cancel")["error"], "no activity runs");
            world.run_for(60_000);
            assert_eq!(world.ends().len(), 1, "late answers change nothing");
        }
    }
}

#[test]
fn a_domain_in_doubt_is_shown_with_since_when_and_when_it_is_started_over() {
    let mut world = stuck_at("UPDATE", None);
    let wall = world.wall();
    world.agent_has("one", inventory("one", "initial-current-state-7", wall));
    world.run_for(12_000);
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    assert!(text.contains("\n   in doubt for 12s, started over in 48s unless it answers\n"), "{text}");
    assert_eq!(text.matches("in doubt").count(), 1, "the other is not: {text}");
    let (answer, _) = world.asks(r#"{"command":"status","json":true}"#);
    let doubt = &answer["data"]["domains"][0]["doubt"];
    assert_eq!(*doubt, json!({ "state": "suspected", "since": wall, "startsOverAt": wall + 60_000 }));
    world.run_for(50_000);
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    // This one is tolerant: it has identified again and is led on to where it is stuck.
    assert!(!text.contains("in doubt"), "{text}");
    let (_, report) = world.asks(r#"{"command":"report"}"#);
    for event in ["agent connected", "is started over: desired state sent again", "has started over"] {
        assert!(report.contains(&format!("{event} [one]")), "{event}: {report}");
    }
}

#[test]
fn a_domain_that_was_started_over_and_says_nothing_is_shown() {
    let mut world = World::plain(&ONE);
    world.backend_applies("a-1", &desired_state(&ONE));
    world.run_for(1_000);
    let wall = world.wall();
    world.agent_has("one", inventory("one", "initial-current-state-7", wall));
    world.run_for(75_000);
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    assert!(text.contains("\n   started over 15s ago, no answer since\n"), "{text}");
}

#[test]
fn an_activity_that_is_cleaned_up_ends_by_itself() {
    let mut world = stuck_at("CLEANUP", None);
    let refused = world.asks(r#"{"command":"cancel","force":true}"#).0;
    assert_eq!(refused["error"], "a-1 is being cleaned up and ends by itself");
    world.run_for(60_000);
    assert_eq!(world.last("a-1").status, "COMPLETED");
}

#[test]
fn an_activity_is_cancelled_while_the_owner_is_asked_or_the_broker_is_away() {
    let mut world = World::with(&ONE, r#""ownerConsentCommands": ["activate"]"#).joined_by(Obedient::new("one"));
    world.backend_applies("a-1", &desired_state(&ONE));
    world.broker_goes();
    assert_eq!(world.commanded("cancel")["exit"], 0);
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    assert!(text.contains("\nbroker     not connected") && text.contains(" one                ROLLBACK"), "{text}");
    world.broker_comes();
    world.run_for(1_000);
    assert_eq!(world.commands("one"), ["DOWNLOAD", "UPDATE", "ROLLBACK", "CLEANUP"]);
    assert_eq!(world.last("a-1").message, "cancelled at the console");
    assert!(!world.broker.has_filter("deviceupdate/ownerconsentfeedback"));
}

#[test]
fn a_cancelled_activity_stays_so_when_the_power_is_cut() {
    let mut world = World::saved(&configuration(&TWO, ""))
        .joined_by(Obedient::new("one").silent_at("UPDATE"))
        .joined_by(Obedient::new("two"));
    world.backend_applies("a-1", &desired_state(&TWO));
    world.run_for(1_000);
    world.commanded("cancel");
    world.power_cut(KILL);
    world.run_for(120_000);
    let last = world.last("a-1");
    assert_eq!((last.status.as_str(), last.message.as_str()), ("INCOMPLETE", "cancelled at the console"));
    assert!(world.commands("one").ends_with(&["ROLLBACK".into(), "CLEANUP".into()]), "{:?}", world.commands("one"));
}

#[test]
fn a_desired_state_from_the_console_is_taken_as_a_backends() {
    let mut world = World::plain(&ONE).joined_by(Obedient::paced("one", 1_000));
    let answer = world.applies("c-1", &desired_state(&ONE));
    assert_eq!((answer["exit"].as_u64(), answer["activityId"].as_str()), (Some(0), Some("c-1")));
    let busy = "c-2: refused: Another update activity in progress - c-1";
    assert_eq!(world.applies("c-2", &desired_state(&ONE))["error"], busy);
    assert_eq!(world.last("c-2").status, "IDENTIFICATION_FAILED", "the backend hears it too");
    let forced = format!(r#"{{"command":"apply","force":true,"activityId":"c-2","payload":{}}}"#, desired_state(&ONE));
    assert_eq!(world.asks(&forced).0["error"], busy, "a running activity is not overridden");
    assert_eq!(world.applies("c-1", &desired_state(&ONE))["error"], "c-1: refused: this activity runs already");
    world.run_for(60_000);
    assert_eq!(world.story("c-1"), ["IDENTIFYING", "IDENTIFIED", "RUNNING", "COMPLETED"]);
    let bad = r#"{"domains":[{"components":[]}]}"#;
    let answer = world.applies("c-3", bad);
    assert!(
        answer["error"].as_str().unwrap().starts_with("c-3: refused: payload.domains[0].id is missing"),
        "{answer}"
    );
    let request = format!(r#"{{"command":"apply","json":true,"activityId":"c-4","payload":{bad}}}"#);
    let answer = world.asks(&request).0;
    assert_eq!((answer["exit"].as_u64(), answer["data"]["taken"].as_bool()), (Some(1), Some(false)));
    world.expects_error("a desired state without an activity id");
    assert!(world.applies("", &desired_state(&ONE))["error"].as_str().unwrap().contains("no activity id"));
}

#[test]
fn the_question_is_answered_in_the_owners_place_even_without_a_broker() {
    let mut world =
        World::with(&ONE, r#""ownerConsentCommands": ["download", "update"]"#).joined_by(Obedient::new("one"));
    assert_eq!(world.commanded("approve")["error"], "no activity runs");
    world.backend_applies("a-1", &desired_state(&ONE));
    assert_eq!(world.asks(r#"{"command":"approve"}"#).1, "a-1: consent to DOWNLOAD given\n");
    world.broker_goes();
    world.run_for(1_000);
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    assert!(text.contains("waits for  the owner's consent to UPDATE, at most 29m59s"), "{text}");
    assert_eq!(world.asks(r#"{"command":"deny"}"#).1, "a-1: consent to UPDATE denied\n");
    assert_eq!(world.commanded("deny")["error"], "no question is open");
    world.broker_comes();
    world.run_for(1_000);
    assert_eq!(world.last("a-1").message, "owner consent denied");
}

#[test]
fn a_reboot_that_is_due_is_held_over_a_restart_and_released() {
    let config = r#"{"thingsEnabled": false, "agents": {"one": {"rebootRequired": true}}}"#;
    for is_saved in [false, true] {
        let mut world = World::begin(config, is_saved.then(Disk::default));
        world.await_link();
        let mut world = world.joined_by(Obedient::new("one"));
        assert_eq!(world.commanded("hold")["error"], "no reboot is due");
        world.backend_applies("a-1", &desired_state(&ONE));
        world.run_for(1_000);
        assert_eq!(world.commanded("release")["error"], "no reboot is held");
        assert_eq!(world.asks(r#"{"command":"hold"}"#).1, "a-1: the reboot is held\n");
        world.run_for(600_000);
        if is_saved {
            world.power_cut(KILL);
            world.run_for(600_000);
        }
        assert!(world.reboots.is_empty());
        let status = world.asks(r#"{"command":"status","json":true}"#).0;
        assert_eq!(status["data"]["reboot"]["state"], "held");
        assert_eq!(world.commanded("release")["exit"], 0);
        world.run_for(29_000);
        assert!(world.reboots.is_empty());
        world.run_for(2_000);
        assert_eq!(world.reboots.len(), 1);
    }
}

#[test]
fn status_says_of_which_domains_an_inventory_is_known() {
    let mut world = World::plain(&TWO);
    world.agent_has("two", inventory("two", "initial-current-state-7", 7));
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    let counts = ["no inventory yet", "inventory known"].map(|part| text.matches(part).count());
    assert_eq!(counts, [1, 1], "{text}");
    let status = world.asks(r#"{"command":"status","json":true}"#).0;
    let is_known = [0, 1].map(|place| status["data"]["domains"][place]["inventoryKnown"].as_bool());
    assert_eq!(is_known, [Some(false), Some(true)], "{status}");
}

#[test]
fn status_counts_messages_and_shows_how_much_of_each_limit_is_used() {
    let mut world = World::plain(&TWO);
    let of = |status: &serde_json::Value, part: &str, keys: &[&str]| -> Vec<Option<u64>> {
        keys.iter().map(|key| status["data"][part][key].as_u64()).collect()
    };
    let counts = ["messages", "malformed", "oversized", "desiredStatesRefused", "reconnects"];
    let asked = r#"{"command":"status","json":true}"#;
    assert_eq!(of(&world.asks(asked).0, "counters", &counts), [Some(0); 5]);
    world.agent_has("one", inventory("one", "initial-current-state-7", 7));
    let one = world.asks(asked).0["data"]["limits"]["inventories"]["used"].as_u64().unwrap();
    world.agent_has("two", inventory("two", "initial-current-state-7", 7));
    let two = world.asks(asked).0["data"]["limits"]["inventories"]["used"].as_u64().unwrap();
    assert!(one > 0 && two == 2 * one, "{one} {two}");
    world.agent_says("one", "{");
    world.backend_applies("a-1", r#"{"domains":[{}]}"#);
    let large = "x".repeat(PAYLOAD_IN_MAX);
    world.publish("deviceupdate/desiredstate", format!(r#"{{"activityId":"a-2","payload":"{large}"}}"#));
    world.cut();
    world.await_link();
    world.broker.acknowledges = false;
    world.backend_applies("a-3", &desired_state(&ONE));
    let status = world.asks(asked).0;
    assert_eq!(of(&status, "counters", &counts), [6, 1, 1, 2, 1].map(Some), "{status}");
    let used = |name: &str| status["data"]["limits"][name]["used"].as_u64();
    assert_eq!(used("actions"), Some(0));
    assert!(used("unsent") > Some(100), "{status}");
    let (_, text) = world.asks(r#"{"command":"status"}"#);
    assert!(text.contains("\nmessages   6, 1 malformed, 1 too large, 2 refused; 1 reconnects, 0 resumed\n"), "{text}");
}

#[test]
fn a_console_that_only_looks_changes_nothing() {
    let mut world = stuck_at("DOWNLOAD", None);
    for command in ["apply", "approve", "deny", "cancel", "hold", "release"] {
        let answer = world.asks_with(&format!(r#"{{"command":"{command}"}}"#), false).0;
        assert_eq!(answer["error"], "this console only looks: consoleControl is false");
    }
    for command in ["status", "watch", "inventory", "history", "report"] {
        assert!(world.asks_with(&format!(r#"{{"command":"{command}"}}"#), false).0["error"].is_null());
    }
    assert_eq!(world.commands("one"), ["DOWNLOAD"]);
}

#[test]
fn the_history_and_the_events_outlive_the_process() {
    let mut world = World::saved(&configuration(&TWO, ""))
        .joined_by(Obedient::paced("one", 1_000))
        .joined_by(Obedient::new("two").failing_at("UPDATE"));
    world.backend_applies("a-1", &desired_state(&ONE));
    world.run_for(60_000);
    world.backend_applies("a-2", &desired_state(&TWO));
    world.run_for(60_000);
    let (before, events) = (world.asks(r#"{"command":"history"}"#).1, world.asks(r#"{"command":"report"}"#).1);
    world.power_cut(KILL);
    world.run_for(60_000);
    let after = world.asks(r#"{"command":"history"}"#).1;
    assert_eq!(after, before);
    assert!(after.starts_with("2023-11-14 22:13:20  9s      COMPLETED a-1\n"), "{after}");
    assert!(after.ends_with(" INCOMPLETE a-2\n  [two] UPDATE_FAILURE\n"), "{after}");
    let json = world.asks(r#"{"command":"history","json":true}"#).0;
    assert_eq!(json["data"]["history"][1]["reason"], "[two] UPDATE_FAILURE");
    let report = world.asks(r#"{"command":"report"}"#).1;
    let lines = events.lines().skip_while(|line| *line != "-- events").take_while(|line| *line != "-- configuration");
    assert!(lines.clone().count() > 20, "{events}");
    lines.for_each(|line| assert!(report.contains(line), "{line}: {report}"));
    for part in ["activity begun\n", "failed in UPDATE [two]\n", "activity ended: INCOMPLETE\n", "domain = device"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert_eq!(report.matches("the manager started").count(), 2);
}

#[test]
fn an_activity_that_goes_on_after_a_restart_has_one_entry() {
    let mut world = World::saved(&configuration(&ONE, "")).joined_by(Obedient::paced("one", 2_000));
    world.backend_applies("a-1", &desired_state(&ONE));
    world.run_for(3_000);
    world.power_cut(KILL);
    world.run_for(120_000);
    let history = world.asks(r#"{"command":"history","json":true}"#).0;
    assert_eq!(history["data"]["history"].as_array().unwrap().len(), 1);
    assert_eq!(history["data"]["history"][0]["begun"], update_manager::world::clock::EPOCH);
    let status = world.asks(r#"{"command":"status","json":true}"#).0;
    assert_eq!(status["data"]["counters"]["resumed"], 1);
}

#[test]
fn watching_shows_the_activity_by_component_and_ends_with_it() {
    let mut world = World::plain(&ONE).joined_by(Obedient::paced("one", 1_000));
    let (idle, text) = world.asks(r#"{"command":"watch"}"#);
    assert!(idle["exit"].is_null() && text == "no activity runs; waiting for one\n");
    world.backend_applies("a-1", &desired_state(&ONE));
    world.run_for(3_500);
    let (running, text) = world.asks(r#"{"command":"watch","columns":80,"rows":24}"#);
    assert!(running["exit"].is_null() && running["activityId"] == "a-1");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "a-1: DOWNLOAD for 1s, waits for one, at most 9m59s");
    assert_eq!(lines[1], "one:app 2                     [----------]   0% DOWNLOADING");
    world.run_for(60_000);
    let (ended, text) = world.asks(r#"{"command":"watch","activityId":"a-1"}"#);
    assert_eq!(ended["exit"], 0);
    assert!(text.ends_with("\na-1: COMPLETED after 9s\n"), "{text}");
    world.backend_applies("a-2", r#"{"domains":[{"id":"nobody"}]}"#);
    let ended = world.asks(r#"{"command":"watch","activityId":"a-2","json":true}"#).0;
    assert_eq!((ended["exit"].as_u64(), ended["data"]["ended"]["outcome"].as_str()), (Some(4), Some("INCOMPLETE")));
    assert_eq!(world.asks(r#"{"command":"watch","activityId":"a-1"}"#).0["exit"], 0, "an earlier one");
    assert_eq!(world.asks(r#"{"command":"watch","activityId":"x"}"#).0["error"], "no activity x is known");
}

#[test]
fn an_earlier_activity_can_be_watched_while_another_one_runs() {
    let mut world = World::plain(&ONE).joined_by(Obedient::paced("one", 1_000));
    for activity in ["a-1", "a-2"] {
        world.backend_applies(activity, &desired_state(&ONE));
        world.run_for(if activity == "a-1" { 60_000 } else { 1_000 });
    }
    let mut watch = |activity: &str| world.asks(&format!(r#"{{"command":"watch","activityId":"{activity}"}}"#));
    let (ended, text) = watch("a-1");
    assert_eq!((ended["exit"].as_u64(), text.as_str()), (Some(0), "a-1: COMPLETED after 9s\n"));
    let (running, text) = watch("a-2");
    assert!(running["exit"].is_null() && text.starts_with("a-2: IDENTIFY"), "{text}");
    assert_eq!(watch("x").0["error"], "no activity x is known");
}

#[test]
fn what_succeeded_has_a_full_bar_also_if_the_agent_sends_no_progress() {
    let mut world = stuck_at("ACTIVATE", None);
    for (status, progress, bar) in [
        ("IDENTIFIED", "", "[----------]   0% IDENTIFIED"),
        ("DOWNLOADING", "", "[----------]   0% DOWNLOADING"),
        ("DOWNLOAD_SUCCESS", "", "[##########] 100% DOWNLOAD_SUCCESS"),
        ("UPDATE_SUCCESS", "", "[##########] 100% UPDATE_SUCCESS"),
        ("REMOVAL_SUCCESS", "", "[##########] 100% REMOVAL_SUCCESS"),
        ("ACTIVATION_SUCCESS", "", "[##########] 100% ACTIVATION_SUCCESS"),
        ("ACTIVATION_SUCCESS", r#","progress":50"#, "[##########] 100% ACTIVATION_SUCCESS"),
        ("ACTIVATING", r#","progress":50"#, "[#####-----]  50% ACTIVATING"),
        ("ACTIVATION_FAILURE", "", "[----------]   0% ACTIVATION_FAILURE"),
        ("ACTIVATION_FAILURE", r#","progress":50"#, "[#####-----]  50% ACTIVATION_FAILURE"),
    ] {
        let action = format!(r#"{{"component":{{"id":"one:app","version":"2"}},"status":"{status}"{progress}}}"#);
        let feedback = format!(r#"{{"activityId":"a-1","payload":{{"status":"ACTIVATING","actions":[{action}]}}}}"#);
        world.agent_says("one", feedback);
        let (_, text) = world.asks(r#"{"command":"watch","columns":80,"rows":24}"#);
        assert!(text.contains(&format!("one:app 2                     {bar}\n")), "{status}{progress}:\n{text}");
    }
}

#[test]
fn who_waits_for_the_next_activity_hears_of_one_that_was_over_before_they_asked_again() {
    let mut world = World::plain(&ONE).joined_by(Obedient::paced("one", 1_000));
    let since = world.wall();
    world.backend_applies("a-1", &desired_state(&ONE));
    world.run_for(60_000);
    let ask = |since: u64| format!(r#"{{"command":"watch","timestamp":{since}}}"#);
    let ended = world.asks(&ask(since)).0;
    assert_eq!((ended["exit"].as_u64(), ended["activityId"].as_str()), (Some(0), Some("a-1")));
    let later = world.wall();
    assert!(world.asks(&ask(later)).0["exit"].is_null(), "that one was over before");
    assert!(world.asks(&ask(0)).0["exit"].is_null(), "nor is any that has ended what is waited for");
}

/// A second at 115,200 baud.
const BYTES_A_SECOND: usize = 11_520;

#[test]
fn status_and_a_redraw_fit_a_screen_and_a_second_on_a_serial_line() {
    let names: Vec<String> = (0..16).map(|n| format!("domain-number-{n}-{}", "x".repeat(45))).collect();
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let mut world = World::plain(&names);
    world.backend_applies(&"i".repeat(200), &desired_state(&names));
    let wide = "w".repeat(250);
    for name in &names {
        let action = format!(
            r#"{{"component":{{"id":"{name}:{wide}","version":"1"}},"status":"UPDATING","progress":50,"message":"{wide}"}}"#
        );
        let activity = "i".repeat(200);
        let said = format!(
            r#"{{"activityId":"{activity}","payload":{{"status":"UPDATING","message":"{wide}","actions":[{action}]}}}}"#
        );
        world.agent_says(name, said);
    }
    let (_, status) = world.asks(r#"{"command":"status","columns":80,"rows":24}"#);
    let (_, watch) = world.asks(r#"{"command":"watch","columns":80,"rows":24}"#);
    for text in [&status, &watch] {
        assert!(text.lines().count() < 24 && text.lines().all(|line| line.chars().count() < 80), "{text}");
        // Every line anew, with what erases its rest and moves the cursor.
        let bytes = text.len() + 4 * text.lines().count() + 8;
        println!("{bytes} bytes, {} ms at 115,200 baud", bytes * 1000 / BYTES_A_SECOND);
        assert!(bytes < BYTES_A_SECOND / 4, "{bytes} bytes");
    }
    assert_eq!(watch.lines().count(), 17);
    let (_, small) = world.asks(r#"{"command":"watch","columns":40,"rows":10}"#);
    assert!(small.lines().count() < 10 && small.ends_with("\n... and 9 more\n"), "{small}");
    assert!(small.lines().all(|line| line.chars().count() < 40), "{small}");
}

#[test]
fn of_64_domains_status_takes_a_line_each_and_half_a_second_and_a_redraw_fits_a_screen() {
    let names: Vec<String> = (0..64).map(|n| format!("domain-number-{n}-{}", "x".repeat(45))).collect();
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let mut world = World::plain(&names);
    world.backend_applies(&"i".repeat(200), &desired_state(&names));
    let wide = "w".repeat(250);
    for name in &names {
        let component = format!(r#"{{"id":"{name}:{wide}","version":"1"}}"#);
        let action = format!(r#"{{"component":{component},"status":"UPDATING","progress":50,"message":"{wide}"}}"#);
        let payload = format!(r#"{{"status":"IDENTIFYING","message":"{wide}","actions":[{action}]}}"#);
        world.agent_says(name, format!(r#"{{"activityId":"{}","payload":{payload}}}"#, "i".repeat(200)));
    }
    let (answer, status) = world.asks(r#"{"command":"status","columns":80,"rows":24,"json":true}"#);
    assert!(status.is_empty() && answer["data"]["domains"].as_array().map(Vec::len) == Some(64), "{answer}");
    assert_eq!(answer["data"]["activity"]["agents"].as_array().map(Vec::len), Some(64), "{answer}");
    let (_, status) = world.asks(r#"{"command":"status","columns":80,"rows":24}"#);
    println!("{} bytes, {} ms at 115,200 baud", status.len(), status.len() * 1000 / BYTES_A_SECOND);
    assert!(status.lines().count() == 64 + 7 && status.lines().all(|line| line.chars().count() < 80), "{status}");
    assert!(status.len() < BYTES_A_SECOND / 2, "{} bytes", status.len());
    let (_, watch) = world.asks(r#"{"command":"watch","columns":80,"rows":24}"#);
    assert!(watch.lines().count() < 24 && watch.lines().all(|line| line.chars().count() < 80), "{watch}");
    assert!(watch.ends_with("\n... and 43 more\n") && watch.len() < BYTES_A_SECOND / 4, "{watch}");
    let (_, whole) = world.asks(r#"{"command":"watch","columns":80,"rows":0}"#);
    assert_eq!(whole.lines().count(), 65, "{whole}");
}

#[test]
fn whatever_is_asked_is_answered_with_one_line_of_json() {
    let mut world = World::plain(&ONE);
    for line in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"command":"nonsense"}"#,
        r#"{"command":7}"#,
        r#"{"command":"status","columns":-1}"#,
        r#"{"command":"status","columns":99999}"#,
        r#"{"command":"status","json":"yes"}"#,
        r#"{"command":"status","command":"cancel"}"#,
        r#"{"command":"watch","activityId":"\u001b[2J\n"}"#,
        r#"{"command":"apply"}"#,
        r#"{"command":"apply","activityId":"x"}"#,
        r#"{"command":"apply","activityId":"x","payload":[]}"#,
        "\u{feff}{}",
    ] {
        let answer = world.asks(line).0;
        assert!(answer["error"].is_string() && answer["exit"] == 1, "{line}: {answer}");
    }
    assert_eq!(world.asks(r#"{"command":"status","columns":1,"rows":1}"#).0["exit"], 0);
    world.expects_error("a desired state");
}
