//! What takes long: run by `tests/run soak`.

use std::time::{Duration, Instant};

use crate::activity::STORY;
use crate::peers::{desired_state, Peers};
use crate::processes::{Broker, Manager};

const EIGHT: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

#[test]
#[ignore = "takes long; tests/run soak"]
fn a_thousand_activities_leave_memory_as_it_was() {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &EIGHT);
    let manager = Manager::start(&format!("tcp://{}", broker.address()), &EIGHT);
    peers.await_manager();
    let idle = manager.resident_kb();
    let mut early = 0;
    let start = Instant::now();
    for i in 1..=1000 {
        let activity = format!("act-{i}");
        peers.apply(&activity, desired_state(&EIGHT, 2));
        peers.finish(&activity);
        assert_eq!(peers.story(&activity), STORY);
        peers.said.clear();
        if i == 50 {
            early = manager.resident_kb();
        }
    }
    let late = manager.resident_kb();
    println!("resident kB: idle {idle}, after 50 activities {early}, after 1,000 {late}");
    println!("1,000 activities with 8 agents took {:.1} s", start.elapsed().as_secs_f64());
    assert!((late - early).abs() <= 64, "resident memory went from {early} to {late} kB");
}

#[test]
#[ignore = "a figure; tests/run soak"]
fn it_is_subscribed_soon_after_its_start() {
    let broker = Broker::start();
    let mut peers = Peers::connect(&broker.address(), &["a"]);
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let start = Instant::now();
            let mut manager = Manager::start(&format!("tcp://{}", broker.address()), &["a"]);
            // Agents are asked as soon as their answers are subscribed.
            peers.play_until("a question to the agent", |said| said.sub() == "currentstate/get");
            let time = start.elapsed();
            peers.await_manager();
            manager.terminate();
            time
        })
        .collect();
    times.sort();
    println!("from start to subscribed: {:?} (median of {}), at most {:?}", times[10], times.len(), times[20]);
    assert!(times[10] < Duration::from_millis(500));
}
