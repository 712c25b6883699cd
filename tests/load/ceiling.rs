//! The worst that can come in: resident memory stays below its ceiling.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use update_manager::limits::{
    ACTIONS_MAX, COMPONENTS_MAX, CONSOLE_CLIENTS_MAX, CONSOLE_REQUEST_MAX, DOMAINS_MAX, INVENTORIES_MAX, INVENTORY_MAX,
};

use crate::agents::{enveloped, feedback, Backend, PATIENCE};
use crate::bare::{packet, string, Bare};
use crate::figures::peak;
use crate::link::envelope::topic;
use crate::processes::{wait_until, Manager};
use crate::site::{manager, Build, Site};

/// kB that may be resident at most with up to 16 domains, without TLS and with it.
const CEILING: [u64; 2] = [3_000, 4_500];

/// The same with as many domains as there may be.
const CEILING_MANY: [u64; 2] = [3_100, 4_000];

/// What is done to the manager, with how many domains, and how much of it was resident
/// at most.
type Case = (&'static str, usize, fn(&Build, usize) -> u64);

const CASES: [Case; 7] = [
    ("all limits full at once", 16, all_full),
    ("damaged messages on every topic", 1, damaged),
    ("messages of 1 MiB at full speed", 1, too_large),
    ("16 agents that flood it with feedback", 16, flooded),
    ("a broker that acknowledges nothing", 2, unacknowledged),
    ("all limits full at once, 64 domains", DOMAINS_MAX, all_full),
    ("64 agents that flood it with feedback", DOMAINS_MAX, flooded),
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
    let shown = cases.map(|(build, (case, domains, act))| {
        let ceilings = if domains > 16 { CEILING_MANY } else { CEILING };
        let ceiling = ceilings[usize::from(build.is_tls)];
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

/// So many domains with the longest names.
fn domains(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:02}{}", "d".repeat(62))).collect()
}

fn peak_of(mut manager: Manager) -> u64 {
    assert!(manager.is_alive(), "it lives");
    let kb = peak(manager.id());
    let (code, _) = manager.terminate();
    assert_eq!(code, Some(0));
    kb
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
    let (site, names) = (Site::start(), domains(count));
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
    wait_until("it is subscribed", PATIENCE, || manager.said("connected") > 0 && site.broker.said("SUBSCRIBE") > 1);
    settle(&mut backend, &domains);

    // As large as they may be, or as many as there may be.
    let full = INVENTORIES_MAX / if count > 16 { count } else { INVENTORIES_MAX / INVENTORY_MAX };
    let name = "n".repeat(full - 200);
    for domain in &domains[..INVENTORIES_MAX / full] {
        let nodes = format!(r#"{{"softwareNodes":[{{"id":"{domain}-node","name":"{name}"}}]}}"#);
        agents.publish(&topic(domain, "currentstate"), enveloped("", &nodes).as_bytes());
    }
    settle(&mut backend, &domains);
    let _clients = hold_console(&console);
    let activity = "a".repeat(256);
    let (value, each) = ("v".repeat(900), COMPONENTS_MAX / count);
    let component = |n: usize| format!(r#"{{"id":"c{n}","version":"1","config":[{{"key":"k","value":"{value}"}}]}}"#);
    let part = |domain: &&str| {
        let list: Vec<String> = (0..each).map(component).collect();
        format!(r#"{{"id":"{domain}","components":[{}]}}"#, list.join(","))
    };
    let parts: Vec<String> = domains.iter().map(part).collect();
    let desired = enveloped(&activity, &format!(r#"{{"domains":[{}]}}"#, parts.join(",")));
    assert!((245_000..262_144).contains(&desired.len()), "{}", desired.len());
    backend.apply(&desired);
    for _ in &domains {
        assert!(agents.next(PATIENCE).is_some(), "each domain has its part");
    }
    for round in 0..8 {
        let asked = format!("{round}{}", "q".repeat(255));
        backend.bare.publish(&topic("device", "currentstate/get"), enveloped(&asked, "null").as_bytes());
    }
    let (pad, words) = ("p".repeat(340), "w".repeat(512));
    for status in ["IDENTIFYING", "IDENTIFIED", "DOWNLOADING", "DOWNLOAD_FAILURE"] {
        for domain in &domains {
            let action = |n: usize| {
                format!(
                    r#"{{"component":{{"id":"c{n:03}","version":"{pad}"}},"status":"IDENTIFIED","message":"{words}"}}"#
                )
            };
            let list: Vec<String> = (0..each).map(action).collect();
            let payload = format!(r#"{{"status":"{status}","message":"{words}","actions":[{}]}}"#, list.join(","));
            agents.publish(&topic(domain, "desiredstatefeedback"), enveloped(&activity, &payload).as_bytes());
        }
    }
    let reports = topic("device", "desiredstatefeedback");
    backend.await_message("a report with all actions", |m| m.topic == reports && m.payload.len() > 200_000);
    settle(&mut backend, &domains);
    let _others = hold_console(&console);
    site.broker.freeze();
    std::thread::sleep(Duration::from_secs(2));
    peak_of(manager)
}

/// As many clients as the console takes: each has asked for all inventories, and takes no
/// answer, or has sent the most of a desired state.
fn hold_console(path: &Path) -> Vec<UnixStream> {
    let clients = (0..CONSOLE_CLIENTS_MAX).map(|n| {
        let mut client = UnixStream::connect(path).expect("the console listens");
        client.set_nonblocking(true).expect("a socket");
        let end = Instant::now() + Duration::from_secs(1);
        let request = match n % 2 {
            0 => br#"{"command":"inventory","json":true}"#.to_vec(),
            _ => format!(r#"{{"command":"apply","payload":{{"x":"{}"#, "x".repeat(CONSOLE_REQUEST_MAX - 100))
                .into_bytes(),
        };
        let request = [&request[..], if n % 2 == 0 { b"\n" } else { b"" }].concat();
        let mut rest = &request[..];
        while !rest.is_empty() && Instant::now() < end {
            match client.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        client
    });
    clients.collect()
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
    let (site, names) = (Site::start(), domains(count));
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

/// It takes all, answers nothing, and sends what it can. Over TLS a broker that
/// stands still in the middle of an activity is the same to the manager.
fn unacknowledged(build: &Build, _: usize) -> u64 {
    if build.is_tls {
        return frozen(build);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("tcp://{}", listener.local_addr().expect("it has an address"));
    let config = json!({ "connection": { "acknowledgeTimeout": "5m" }, "currentStateDelay": "0s" });
    let mut manager = manager(build, &address, "", &["one", "two"], config);
    let (stream, _) = listener.accept().expect("it connects");
    let mut broker = Bare::of_broker(stream);
    assert_eq!(broker.packet(PATIENCE).map(|packet| packet.0), Some(0x10));
    broker.send(&[0x20, 2, 0, 0]);
    let (first, subscribe) = broker.packet(PATIENCE).expect("it subscribes");
    assert_eq!(first, 0x82);
    let filters = count_filters(&subscribe);
    broker.send(&packet(0x90, &[&subscribe[..2], &vec![1; filters][..]].concat()));
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
        if Instant::now() >= end || !broker.try_send(&message, Duration::from_secs(1)) {
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

fn count_filters(subscribe: &[u8]) -> usize {
    let (mut at, mut count) = (2, 0);
    while at < subscribe.len() {
        at += 3 + usize::from(u16::from_be_bytes([subscribe[at], subscribe[at + 1]]));
        count += 1;
    }
    count
}

fn frozen(build: &Build) -> u64 {
    let site = Site::start();
    let mut backend = Backend::connect(site.port(), "device");
    let mut manager = site.manager(build, &["one"], json!({}));
    wait_until("it is subscribed", PATIENCE, || site.broker.said("SUBSCRIBE") > 1);
    for n in 0..400 {
        let activity = format!("act-{n}-{}", "i".repeat(200));
        backend.apply(&crate::agents::desired_state(&activity, &["one"], 100));
    }
    backend.await_message("it has begun", |message| message.field("status") == "IDENTIFYING");
    site.broker.freeze();
    std::thread::sleep(Duration::from_secs(2));
    assert!(manager.is_alive());
    let kb = peak(manager.id());
    manager.terminate();
    kb
}
