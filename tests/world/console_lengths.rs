//! How long the console's requests and answers may be.

use update_manager::limits::{
    ACTIVITY_ID_MAX, CONSOLE_OTHERS_MAX, CONSOLE_REPORT_BYTES, DOMAINS_MAX, DOMAIN_ID_MAX, FINISHED_MAX, HEARD_MAX,
    PAYLOAD_IN_MAX,
};
use update_manager::world::actors::{desired_state, Obedient};
use update_manager::world::scenario::{configuration, World};

/// It is the socket that refuses longer ones; the manager takes none for granted.
#[test]
fn a_request_of_any_length_is_answered() {
    for more in [0, 1, 512, 513, 1024, 1025, 8192] {
        let mut world = World::begin(&configuration(&["one"], ""), None);
        world.await_link();
        let head = r#"{"command":"apply","activityId":"long","payload":{"domains":[{"id":"one","x":""#;
        let tail = r#""}]}}"#;
        let fill = "x".repeat(PAYLOAD_IN_MAX + more - head.len() - tail.len());
        let (answer, _) = world.asks(&format!("{head}{fill}{tail}"));
        assert_eq!(answer["exit"].as_u64(), Some(u64::from(more > 512)), "{more}: {answer:.200}");
    }
}

#[test]
fn a_report_fits_its_limit_with_everything_at_its_longest() {
    let names: Vec<&'static str> =
        (0..DOMAINS_MAX).map(|n| &*format!("{n:02}{}", "d".repeat(DOMAIN_ID_MAX - 2)).leak()).collect();
    let mut world = World::plain(&names);
    let words: &str = "w".repeat(HEARD_MAX).leak();
    for name in &names {
        world = world.joined_by(Obedient::new(name).failing_at("UPDATE").saying(words));
    }
    let activity = |n: usize| format!("{n:03}{}", "a".repeat(ACTIVITY_ID_MAX - 3));
    for n in 0..FINISHED_MAX {
        world.backend_applies(&activity(n), &desired_state(&names[..1]));
        world.run_for(1_000);
    }
    assert_eq!(world.ends().len(), FINISHED_MAX);
    // It is at its end, and all have spoken.
    world.backend_applies(&activity(FINISHED_MAX), &desired_state(&names));
    while !world.commands(names[0]).ends_with(&["CLEANUP".into()]) {
        world.run_for(1);
    }
    let mut most = 0;
    for json in [false, true] {
        let answer = world.asks(&format!(r#"{{"command":"report","json":{json}}}"#)).0;
        most = most.max(answer.to_string().len());
    }
    assert!((CONSOLE_OTHERS_MAX..CONSOLE_REPORT_BYTES).contains(&most), "{most}");
}
