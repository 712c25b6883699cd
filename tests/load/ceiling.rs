//! The worst that can come in: resident memory stays below its ceiling.

use std::time::{Duration, Instant};

use serde_json::json;
use update_manager::limits::{ACTIONS_MAX, DOMAINS_MAX, INVENTORIES_MAX, INVENTORY_MAX};

use crate::agents::{enveloped, feedback, Backend, PATIENCE};
use crate::bare::{packet, string, suback, Bare};
use crate::clients;
use crate::endpoint::Endpoint;
use crate::figures::{peak, peak_of};
use crate::largest;
use crate::link::envelope::topic;
use crate::mixture;
use crate::processes::wait_until;
use crate::site::{Build, Site};

/// kB that may be resident at most with up to 16 domains, without TLS and with it.
const CEILING: [u64; 2] = [3_000, 4_000];

/// The same with as many domains as there may be.
const CEILING_MANY: [u64; 2] = [3_100, 4_000];

/// Something that is done to the manager.
struct Case {
    name: &'static str,
    domains: usize,
    ceiling: [u64; 2],
    /// Does it, with so many domains; returns how much was resident at most.
    act: fn(&Build, usize) -> u64,
}

const fn case(name: &'static str, domains: usize, ceiling: [u64; 2], act: fn(&Build, usize) -> u64) -> Case {
    Case { name, domains, ceiling, act }
}

const CASES: [Case; 8] = [
    case("all limits full at once", 16, CEILING, all_full),
    case("everything at once, again and again", 16, mixture::CEILING, mixture::go_on),
    case("damaged messages on every topic", 1, CEILING, damaged),
    case("messages of 1 MiB at full speed", 1, CEILING, too_large),
    case("16 agents that flood it with feedback", 16, CEILING, flooded),
    case("a broker that acknowledges nothing", 2, CEILING, unacknowledged),
    case("all limits full at once, 64 domains", DOMAINS_MAX, CEILING_MANY, all_full),
    case("64 agents that flood it with feedback", DOMAINS_MAX, CEILING_MANY, flooded),
];

/// What a case has shown.
pub struct Shown {
    pub build: &'static str,
    pub case: &'static str,
    pub domains: usize,
    /// kB that were resident at most, and that may be.
    pub kb: u64,
    pub ceiling: u64,
}

/// The peak of each case.
pub fn run() -> Vec<Shown> {
    let builds = Build::all();
    let cases = builds.iter().flat_map(|build| CASES.map(|case| (build, case)));
    let shown = cases.map(|(build, Case { name: case, domains, ceiling, act })| {
        let ceiling = ceiling[usize::from(build.is_tls)];
        Shown { build: build.name, case, domains, kb: act(build, domains), ceiling }
    });
    shown.collect()
}

/// Prints them; whether all are below the ceiling.
pub fn judge() -> bool {
    let shown = run();
    for Shown { build, case, kb, ceiling, .. } in &shown {
        println!("{build:<12} {case:<40} {kb:>5} kB resident at most, ceiling {ceiling}");
    }
    shown.iter().all(|one| one.kb <= one.ceiling)
}

/// Waits until the manager has read all that its broker has for it: an answer comes
/// behind all that came before.
fn settle(backend: &mut Backend, domains: &[&str]) {
    let probe = backend.next_activity();
    backend.bare.publish(&topic("device", "currentstate/get"), enveloped(&probe, "null").as_bytes());
    for domain in domains {
        backend.bare.publish(&topic(domain, "currentstate"), enveloped(&probe, "{}").as_bytes());
    }
    backend.await_message("an answer to the probe", |message| message.field("activityId") == probe);
}

/// Inventories, a desired state, actions and reports, each as large as it may be,
/// while activities are saved, questions are open, and then all domains fail. All clients
/// that the console takes ask for the inventories or send a desired state, and read nothing;
/// at last the broker acknowledges nothing any more.
fn all_full(build: &Build, count: usize) -> u64 {
    let (site, names) = (Site::start(), largest::domains(count));
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let console = site.broker.folder.file("console.sock");
    let config = json!({
        "isSaved": true, "currentStateDelay": "100ms", "reportFeedbackInterval": "100ms",
        "consoleSocket": console,
    });
    let mut backend = Backend::connect(site.port(), "device");
    let mut agents = Bare::connect(site.port(), "agents");
    agents.subscribe(&["+/desiredstate".to_owned()]);
    let manager = site.manager(build, &domains, config);
    // After the backend and the agents.
    wait_until("it is subscribed", PATIENCE, || site.broker.said("SUBSCRIBE") > 2);
    settle(&mut backend, &domains);

    // As large as they may be, or as many as there may be.
    let full = INVENTORIES_MAX / if count > 16 { count } else { INVENTORIES_MAX / INVENTORY_MAX };
    for domain in &domains[..INVENTORIES_MAX / full] {
        let inventory = largest::inventory("", domain, full - 100);
        agents.publish(&topic(domain, "currentstate"), inventory.as_bytes());
    }
    settle(&mut backend, &domains);
    let _clients = clients::hold(&console);
    let activity = largest::activity("");
    backend.apply(&largest::desired_state(&activity, &domains));
    for _ in &domains {
        assert!(agents.next(PATIENCE).is_some(), "each domain has its part");
    }
    for round in 0..8 {
        let asked = format!("{round}{}", "q".repeat(255));
        backend.bare.publish(&topic("device", "currentstate/get"), enveloped(&asked, "null").as_bytes());
    }
    for status in ["IDENTIFYING", "IDENTIFIED", "DOWNLOADING", "DOWNLOAD_FAILURE"] {
        for domain in &domains {
            let feedback = largest::feedback(&activity, status, count);
            agents.publish(&topic(domain, "desiredstatefeedback"), feedback.as_bytes());
        }
    }
    let reports = topic("device", "desiredstatefeedback");
    backend.await_message("a report with all actions", |m| m.topic == reports && m.payload.len() > 200_000);
    settle(&mut backend, &domains);
    let _others = clients::hold(&console);
    site.broker.freeze();
    std::thread::sleep(Duration::from_secs(2));
    peak_of(manager)
}

/// Each message of an activity, cut and changed at many places, to every topic.
fn damaged(build: &Build, _: usize) -> u64 {
    let site = Site::start();
    let mut backend = Backend::connect(site.port(), "device");
    let manager = site.manager(build, &["one"], json!({ "log": { "logLevel": "ERROR" } }));
    wait_until("it is subscribed", PATIENCE, || site.broker.said("SUBSCRIBE") > 1);
    let deep = format!("{}1{}", r#"{"a":["#.repeat(20_000), "]}".repeat(20_000));
    let good = [
        crate::agents::desired_state("x", &["one"], 2),
        feedback("x", "one", "IDENTIFIED", 2),
        enveloped("x", r#"{"softwareNodes":[{"id":"n","version":"1"}]}"#),
        enveloped("x", "null"),
    ];
    let topics = [
        topic("device", "desiredstate"),
        topic("device", "currentstate/get"),
        topic("one", "desiredstatefeedback"),
        topic("one", "currentstate"),
    ];
    for topic in &topics {
        for text in &good {
            for place in (0..text.len()).step_by(7) {
                backend.bare.publish(topic, &text.as_bytes()[..place]);
                let mut changed = text.clone().into_bytes();
                changed[place] = b"\"\\{}[]0\xff"[place % 8];
                backend.bare.publish(topic, &changed);
            }
        }
        for text in [deep.as_bytes(), b"{\"payload\":{\"actions\":[{}]}}", b"null", &[0xff; 200_000]] {
            backend.bare.publish(topic, text);
        }
        settle(&mut backend, &["one"]);
    }
    peak_of(manager)
}

fn too_large(build: &Build, _: usize) -> u64 {
    let site = Site::start();
    let mut backend = Backend::connect(site.port(), "device");
    let manager = site.manager(build, &["one"], json!({}));
    wait_until("it is subscribed", PATIENCE, || site.broker.said("SUBSCRIBE") > 1);
    let topics = [topic("device", "desiredstate"), topic("one", "desiredstatefeedback"), topic("one", "currentstate")];
    let message = enveloped("big", &format!("\"{}\"", "x".repeat(1024 * 1024)));
    for _ in 0..15 {
        topics.iter().for_each(|topic| backend.bare.publish(topic, message.as_bytes()));
    }
    settle(&mut backend, &["one"]);
    peak_of(manager)
}

fn flooded(build: &Build, count: usize) -> u64 {
    let (site, names) = (Site::start(), largest::domains(count));
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut backend = Backend::connect(site.port(), "device");
    let manager = site.manager(build, &domains, json!({ "log": { "logLevel": "ERROR" } }));
    wait_until("it is subscribed", PATIENCE, || site.broker.said("SUBSCRIBE") > 1);
    let activity = backend.next_activity();
    backend.apply(&crate::agents::desired_state(&activity, &domains, 1));
    backend.await_message("it runs", |message| message.field("status") == "IDENTIFYING");
    std::thread::scope(|scope| {
        for domain in &domains {
            let (activity, port) = (&activity, site.port());
            scope.spawn(move || {
                let mut bare = Bare::connect(port, domain);
                let message = feedback(activity, &domain[..2], "IDENTIFYING", ACTIONS_MAX / count);
                for _ in 0..400 {
                    bare.publish(&topic(domain, "desiredstatefeedback"), message.as_bytes());
                }
                // Whatever the broker says is read before the socket goes.
                while bare.packet(Duration::from_millis(200)).is_some() {}
            });
        }
    });
    settle(&mut backend, &domains);
    peak_of(manager)
}

/// It takes all, answers nothing, and sends what it can.
fn unacknowledged(build: &Build, _: usize) -> u64 {
    let endpoint = Endpoint::start(build.is_tls);
    let config = json!({ "connection": { "acknowledgeTimeout": "5m" }, "currentStateDelay": "0s" });
    let mut manager = endpoint.manager(build, &["one", "two"], config);
    let mut broker = endpoint.accept();
    assert_eq!(broker.packet(PATIENCE).map(|packet| packet.0), Some(0x10));
    broker.send(&[0x20, 2, 0, 0]);
    let (first, subscribe) = broker.packet(PATIENCE).expect("it subscribes");
    assert_eq!(first, 0x82);
    broker.send(&suback(&subscribe));
    let publish = |n: u16, topic: &str, text: &str| {
        packet(0x32, &[&string(topic)[..], &n.to_be_bytes(), text.as_bytes()].concat())
    };
    let big = "x".repeat(60_000);
    let end = Instant::now() + Duration::from_secs(4);
    let mut sent = 0;
    for n in (1..=u16::MAX).cycle() {
        let activity = format!("act-{n}-{}", "i".repeat(200));
        let message = match n % 5 {
            0 => publish(n, &topic("device", "desiredstate"), &crate::agents::desired_state(&activity, &["one"], 100)),
            1 => publish(n, &topic("one", "desiredstatefeedback"), &feedback(&activity, "one", "IDENTIFIED", 100)),
            2 => publish(n, &topic("device", "currentstate/get"), &enveloped(&activity, "null")),
            3 => publish(n, &topic("device", "desiredstate"), &enveloped(&activity, "{}")),
            _ => publish(
                n,
                &topic(["one", "two"][usize::from(n / 5 % 2)], "currentstate"),
                &enveloped("", &format!(r#"{{"softwareNodes":[{{"id":"n","name":"{big}"}}]}}"#)),
            ),
        };
        // On a busy machine as many take longer.
        if Instant::now() >= end && sent > 200 || !broker.try_send(&message, Duration::from_secs(1)) {
            break;
        }
        sent += 1;
        while broker.packet(Duration::ZERO).is_some() {}
    }
    assert!(sent > 200 && manager.is_alive(), "{sent} messages were taken");
    let kb = peak(manager.id());
    drop(broker);
    manager.terminate();
    kb
}
