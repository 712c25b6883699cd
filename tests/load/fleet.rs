//! Many managers on one machine, with one broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::agents::{desired_state, Agents, PATIENCE};
use crate::bare::Bare;
use crate::figures::proportional;
use crate::link::envelope::topic;
use crate::processes::Manager;
use crate::site::{Build, Site};

pub const MANAGERS: usize = 200;

pub struct Fleet {
    pub pss_kb: u64,
    /// From the first desired state to the last end.
    pub apply: Duration,
    /// When each was back, since the broker was.
    pub back: Vec<Duration>,
}

pub fn measure(build: &Build) -> Fleet {
    let mut site = Site::start();
    let names: Vec<(String, [String; 2])> =
        (0..MANAGERS).map(|n| (format!("g{n}"), [format!("g{n}a"), format!("g{n}b")])).collect();
    let agents = Agents::of_everybody(site.port());
    let mut watcher = watch(site.port());
    let managers: Vec<Manager> = names
        .iter()
        .map(|(device, domains)| {
            let domains = [&domains[0][..], &domains[1][..]];
            site.manager(build, &domains, json!({ "domain": device, "log": { "logLevel": "ERROR" } }))
        })
        .collect();
    assert_eq!(await_all(&mut watcher, "currentstate", |_| true).len(), MANAGERS, "all are there");
    let start = Instant::now();
    for (device, domains) in &names {
        let domains = [&domains[0][..], &domains[1][..]];
        let desired = desired_state(&format!("{device}-1"), &domains, 1);
        watcher.publish(&topic(device, "desiredstate"), desired.as_bytes());
    }
    let is_end = |status: &str| status == "COMPLETED";
    assert_eq!(await_all(&mut watcher, "desiredstatefeedback", is_end).len(), MANAGERS, "all have ended");
    let apply = start.elapsed();
    let pss_kb = managers.iter().map(|manager| proportional(manager.id())).sum();

    drop(agents);
    site.broker.stop();
    std::thread::sleep(Duration::from_secs(3));
    site.broker.resume();
    let start = Instant::now();
    let mut watcher = watch(site.port());
    // Without agents each says what it knows when its question has timed out: 2 s later.
    let agents = Agents::of_everybody(site.port());
    let back = await_all(&mut watcher, "currentstate/get", |_| true);
    assert_eq!(back.len(), MANAGERS, "all are back");
    drop(agents);
    let mut back: Vec<Duration> = back.values().map(|at| at.saturating_duration_since(start)).collect();
    back.sort();
    Fleet { pss_kb, apply, back }
}

fn watch(port: u16) -> Bare {
    let mut watcher = Bare::connect(port, "watcher");
    watcher.subscribe(&["+/desiredstatefeedback", "+/currentstate", "+/currentstate/get"].map(str::to_owned));
    watcher
}

/// When the first such message of each manager came.
fn await_all(watcher: &mut Bare, sub: &str, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Instant> {
    let mut first = BTreeMap::new();
    let end = Instant::now() + 2 * PATIENCE;
    while first.len() < MANAGERS {
        let Some(message) = watcher.next(end.saturating_duration_since(Instant::now())) else { break };
        let (name, rest) = message.topic.split_once("update/").unwrap_or_default();
        let is_agents = name.ends_with(['a', 'b']);
        if rest == sub && is_agents == (sub == "currentstate/get") && wanted(message.field("status")) {
            first.entry(name.trim_end_matches(['a', 'b']).to_owned()).or_insert_with(Instant::now);
        }
    }
    first
}
