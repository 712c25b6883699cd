//! The table: what the manager takes and how fast it is.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::agents::{enveloped, feedback, Agents, Backend};
use crate::ceiling;
use crate::figures::{cpu, dirty, median, ms, peak, resident, sleeps};
use crate::fleet;
use crate::floor::Floor;
use crate::link::envelope::topic;
use crate::processes::Manager;
use crate::site::{Build, Site};

/// Activities that a figure is the median of.
const ROUNDS: usize = 200;

/// How often all that takes part is started for them: on which processor each settles
/// differs from start to start, and makes up to a fifth.
const STARTS: usize = 10;

/// Rows of the table, and whether each is within its bound.
struct Table {
    is_good: bool,
}

impl Table {
    fn row(&self, what: &str, figure: &str) {
        println!("| {what} | {figure} |");
    }

    /// A row whose figure is at most `most`.
    fn bound(&mut self, what: &str, figure: f64, unit: &str, most: f64) {
        let is_good = figure <= most;
        self.is_good &= is_good;
        let digits = if figure < 10.0 { 2 } else { 0 };
        let missed = if is_good { "" } else { ", missed" };
        self.row(what, &format!("{figure:.digits$}{unit} (at most {most}{unit}{missed})"));
    }
}

/// What can be measured alone, by name.
type Part = (&'static str, fn(&Build, &mut Table));

const PARTS: [Part; 7] = [
    ("rest", |_, table| Build::all().iter().for_each(|build| at_rest(build, table))),
    ("worst", |_, table| worst(table)),
    ("start", start),
    ("latency", latency),
    ("cost", cost),
    ("rate", rate),
    ("many", many),
];

/// Prints the table, or just these parts of it; whether all is within its bounds.
pub fn run(names: &[&str]) -> bool {
    let builds = Build::all();
    let Some(plain) = builds.iter().find(|build| !build.is_tls) else { return false };
    let mut table = Table { is_good: true };
    println!("| {} | |\n| --- | --- |", machine());
    if names.is_empty() {
        sizes(&table);
    }
    for (name, measure) in PARTS {
        if names.is_empty() || names.contains(&name) {
            measure(plain, &mut table);
        }
    }
    table.is_good
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("processor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    format!("x86_64, {count} x {}, Linux {}", model.trim_start_matches([':', ' ', '\t']), kernel.trim())
}

/// As they are recorded; `cross/build` holds them against what it builds.
fn sizes(table: &Table) {
    for line in include_str!("../../cross/sizes.txt").lines().filter(|line| !line.starts_with('#')) {
        if let [target, tls, bytes] = line.split_whitespace().collect::<Vec<_>>()[..] {
            let tls = if tls == "tls" { "with TLS" } else { "without TLS" };
            table.row(&format!("static binary, {target} {tls}"), &format!("{bytes} bytes"));
        }
    }
}

/// A manager of two domains with agents that answer at once.
fn pair(build: &Build, config: serde_json::Value) -> (Site, Agents, Backend, Manager) {
    let site = Site::start();
    let agents = Agents::start(site.port(), &["one", "two"], 1);
    let mut backend = Backend::connect(site.port(), "device");
    let manager = site.manager(build, &["one", "two"], config);
    backend.await_manager();
    (site, agents, backend, manager)
}

/// Memory and wakeups while nothing happens, and memory after 1,000 activities.
fn at_rest(build: &Build, table: &mut Table) {
    let (_site, _agents, mut backend, manager) = pair(build, json!({}));
    let id = manager.id();
    let (resident_most, dirty_most) = if build.is_tls { (1_600.0, 1_000.0) } else { (950.0, 300.0) };
    let name = build.name;
    table.bound(&format!("resident at rest, {name}"), resident(id) as f64, " kB", resident_most);
    table.bound(&format!("private dirty at rest, {name}"), dirty(id) as f64, " kB", dirty_most);
    if !build.is_tls {
        let seconds = 120;
        std::thread::sleep(Duration::from_secs(2));
        let before = sleeps(id);
        std::thread::sleep(Duration::from_secs(seconds));
        let rate = (sleeps(id) - before) as f64 / seconds as f64;
        table.bound("wakeups at rest, all threads", rate, "/s", 0.25);
    }
    backend.pass_times(1_000, &["one", "two"], 1);
    table.bound(&format!("resident after 1,000 activities, {name}"), resident(id) as f64, " kB", resident_most);
    table.bound(&format!("private dirty after 1,000 activities, {name}"), dirty(id) as f64, " kB", dirty_most);
    table.row(&format!("resident at most in them, {name}"), &format!("{} kB", peak(id)));
}

fn worst(table: &mut Table) {
    let shown = ceiling::run();
    for build in Build::all() {
        for is_many in [false, true] {
            let of_build = shown.iter().filter(|one| one.build == build.name && (one.domains > 16) == is_many);
            let ceiling::Shown { case, kb, ceiling, .. } = of_build.max_by_key(|one| one.kb).expect("there are cases");
            let what = format!("resident at the worst input ({case}), {}", build.name);
            table.bound(&what, *kb as f64, " kB", *ceiling as f64);
        }
    }
}

fn start(build: &Build, table: &mut Table) {
    let site = Site::start();
    let mut watcher = crate::bare::Bare::connect(site.port(), "watcher");
    watcher.subscribe(&[topic("one", "currentstate/get")]);
    let times = (0..21).map(|_| {
        let start = Instant::now();
        let mut manager = site.manager(build, &["one"], json!({}));
        assert!(watcher.next(Duration::from_secs(10)).is_some(), "it asks its agent once it is subscribed");
        let time = start.elapsed();
        manager.terminate();
        time
    });
    table.row("from start to subscribed", &format!("{:.1} ms", ms(median(times.collect()))));
}

/// The whole activity, against the same hops between bare clients, in turns.
fn latency(build: &Build, table: &mut Table) {
    for count in [1, 2, 8, 16] {
        let starts: Vec<[f64; 3]> = (0..STARTS).map(|_| one_start(build, count)).collect();
        let [ours, floor] = [0, 1].map(|which| middle(starts.iter().map(|times| times[which]).collect()));
        let times_floor: Vec<f64> = starts.iter().map(|[ours, floor, _]| ours / floor).collect();
        let [least, most] = [f64::min, f64::max].map(|pick| times_floor.iter().copied().fold(times_floor[0], pick));
        let ratio = middle(times_floor);
        let what = format!(
            "activity of {count} domains: {ours:.2} ms, floor {floor:.2} ms, times the floor (median of {STARTS} starts, {least:.2} to {most:.2})"
        );
        match count {
            1 => table.bound(&what, ratio, "", 1.6),
            8 => table.bound(&what, ratio, "", 1.4),
            _ => table.row(&what, &format!("{ratio:.2}")),
        }
        let reporting = middle(starts.iter().map(|[ours, _, reporting]| ours / reporting).collect());
        table.row("the same, times a floor that reports to the backend as well", &format!("{reporting:.2}"));

        let (saved, syncs) = with_saving(build, count);
        table.row(
            &format!("the same, each decision saved first ({syncs} fsync)"),
            &format!("{saved:.2} ms, {:.0} % of it for saving", (saved - ours) * 100.0 / saved),
        );
    }
}

fn names(set: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{set}{n}")).collect()
}

/// Median milliseconds of the manager, of the floor and of the one that reports as well,
/// with all of them and the broker started anew.
fn one_start(build: &Build, count: usize) -> [f64; 3] {
    let names = ["d", "f", "r"].map(|set| names(set, count));
    let [domains, hops, reports] = [0, 1, 2].map(|set| names[set].iter().map(String::as_str).collect::<Vec<_>>());
    let site = Site::start();
    let _agents = Agents::start(site.port(), &[&domains[..], &hops[..], &reports[..]].concat(), 1);
    let [mut backend, mut of_floor, mut of_reporter] =
        ["device", "floor", "reporter"].map(|device| Backend::connect(site.port(), device));
    let _floor = Floor::start(site.port(), "floor", &hops, false);
    let _reporter = Floor::start(site.port(), "reporter", &reports, true);
    let _manager = site.manager(build, &domains, json!({ "log": { "logLevel": "ERROR" } }));
    backend.await_manager();
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS / STARTS + 5 {
        let hop = of_floor.pass(&hops, 1, false);
        let ours = backend.pass(&domains, 1, true);
        let report = of_reporter.pass(&reports, 1, false);
        if round >= 5 {
            times.iter_mut().zip([ours, hop, report]).for_each(|(times, time)| times.push(time));
        }
    }
    times.map(|times| ms(median(times)))
}

/// The median.
fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0
}

/// Milliseconds of the activity if each decision is saved first, and how often that
/// waits for the disk.
fn with_saving(build: &Build, count: usize) -> (f64, u64) {
    let names = names("d", count);
    let domains: Vec<&str> = names.iter().map(String::as_str).collect();
    let site = Site::start();
    let _agents = Agents::start(site.port(), &domains, 1);
    let mut backend = Backend::connect(site.port(), "device");
    let config = json!({ "log": { "logLevel": "ERROR" }, "isSaved": true });
    let manager = site.manager(build, &domains, config);
    backend.await_manager();
    let times = (0..ROUNDS).map(|_| backend.pass(&domains, 1, true)).collect();
    let syncs = strace(&manager, || backend.pass_times(1, &domains, 1));
    (ms(median(times)), syncs.calls_of("sync"))
}

/// Processor time, system calls, and what a component more costs.
fn cost(build: &Build, table: &mut Table) {
    let site = Site::start();
    let _agents = Agents::start(site.port(), &["one"], 1);
    let mut backend = Backend::connect(site.port(), "device");
    let manager = site.manager(build, &["one"], json!({ "log": { "logLevel": "ERROR" } }));
    backend.await_manager();
    backend.pass_times(20, &["one"], 1);
    let before = sleeps(manager.id());
    let all = cpu(manager.id());
    let least = cpu_each(&manager, &mut backend, 40, 1);
    let mean = ms(cpu(manager.id()) - all) / (BATCHES * 40) as f64;
    let sleeps = (sleeps(manager.id()) - before) as f64 / (BATCHES * 40) as f64;
    table.bound("processor time of an activity of one domain, mean of 200", mean, " ms", 0.6);
    table.row("the least mean of 40 among them", &format!("{least:.2} ms"));
    table.row("wakeups in it, all threads", &format!("{sleeps:.0}"));
    let calls = strace(&manager, || backend.pass_times(20, &["one"], 1));
    table.row("system calls in it", &format!("{:.0} ({})", calls.all() as f64 / 20.0, calls.names(20)));

    let mut per_component = Vec::new();
    for components in [1, 16, 64, 256] {
        let site = Site::start();
        let _agents = Agents::start(site.port(), &["one"], components);
        let mut backend = Backend::connect(site.port(), "device");
        let manager = site.manager(build, &["one"], json!({ "log": { "logLevel": "ERROR" } }));
        backend.await_manager();
        backend.pass_times(5, &["one"], components);
        per_component.push((components, cpu_each(&manager, &mut backend, 15, components)));
    }
    let shown: Vec<String> = per_component.iter().map(|(n, time)| format!("{n}: {time:.2}")).collect();
    table.row("processor time by components, ms", &shown.join(", "));
    let slope = |from: usize, to: usize| {
        (per_component[to].1 - per_component[from].1) / (per_component[to].0 - per_component[from].0) as f64
    };
    table.bound("a component more among 256 against one among 64", slope(2, 3) / slope(0, 2), " times", 1.5);
}

/// Batches of which a figure of processor time is the least: whatever else this machine
/// does adds to it, and takes nothing away.
const BATCHES: usize = 5;

/// Milliseconds of processor time that an activity takes, in batches of `times`.
fn cpu_each(manager: &Manager, backend: &mut Backend, times: usize, components: usize) -> f64 {
    let batches = (0..BATCHES).map(|_| {
        let before = cpu(manager.id());
        backend.pass_times(times, &["one"], components);
        ms(cpu(manager.id()) - before) / times as f64
    });
    batches.fold(f64::INFINITY, f64::min)
}

/// Feedback of one agent, as fast as it is taken.
fn rate(build: &Build, table: &mut Table) {
    const MESSAGES: usize = 8_000;
    let site = Site::start();
    let mut agent = crate::bare::Bare::connect(site.port(), "agent");
    let mut backend = Backend::connect(site.port(), "device");
    let _manager = site.manager(build, &["one"], json!({ "log": { "logLevel": "ERROR" } }));
    backend.await_manager();
    let activity = backend.next_activity();
    backend.apply(&crate::agents::desired_state(&activity, &["one"], 4));
    backend.await_message("it runs", |message| message.field("status") == "IDENTIFYING");
    let texts: Vec<String> = ["IDENTIFYING", "DOWNLOADING"].map(|status| feedback(&activity, "one", status, 4)).into();
    let start = Instant::now();
    for n in 0..MESSAGES {
        agent.publish(&topic("one", "desiredstatefeedback"), texts[n % 2].as_bytes());
    }
    let last = feedback(&activity, "one", "IDENTIFICATION_FAILED", 4);
    agent.publish(&topic("one", "desiredstatefeedback"), last.as_bytes());
    backend.await_message("the end", |message| message.field("status") == "IDENTIFICATION_FAILED");
    let rate = MESSAGES as f64 / start.elapsed().as_secs_f64();
    agent.publish(&topic("one", "currentstate"), enveloped("", "{}").as_bytes());
    table.row("feedback taken, through the broker", &format!("{rate:.0}/s"));
}

fn many(build: &Build, table: &mut Table) {
    let fleet = fleet::measure(build);
    let (count, pss) = (fleet::MANAGERS, fleet.pss_kb);
    table.row(&format!("{count} managers, proportional memory"), &format!("{pss} kB, {} kB each", pss / count as u64));
    table.row(&format!("{count} activities of two domains at once"), &format!("{:.1} s", fleet.apply.as_secs_f64()));
    let at = |place: usize| fleet.back[place].as_secs_f64();
    table.row(
        &format!("{count} reconnects after 3 s without a broker"),
        &format!("from {:.1} s to {:.1} s, half of them by {:.1} s", at(0), at(count - 1), at(count / 2)),
    );
}

/// What `strace -c` has counted.
struct Calls(Vec<(String, u64)>);

impl Calls {
    fn all(&self) -> u64 {
        self.0.iter().map(|call| call.1).sum()
    }

    fn calls_of(&self, part: &str) -> u64 {
        self.0.iter().filter(|call| call.0.contains(part)).map(|call| call.1).sum()
    }

    /// The most frequent ones in one of `times`.
    fn names(&self, times: u64) -> String {
        let shown = self.0.iter().take(6).map(|(name, count)| format!("{name} {:.1}", *count as f64 / times as f64));
        shown.collect::<Vec<_>>().join(", ")
    }
}

fn strace(manager: &Manager, act: impl FnOnce()) -> Calls {
    let file = manager.folder.file("strace");
    let mut child = Command::new("strace")
        .args(["-c", "-f", "-q", "-o"])
        .arg(&file)
        .args(["-p", &manager.id().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these figures need strace: apt-get install strace");
    std::thread::sleep(Duration::from_millis(500));
    act();
    // SAFETY: a plain system call; the child is not waited for yet, so the id is its own.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    child.wait().expect("strace ends");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let parse = |line: &str| -> Option<(String, u64)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.first()?.parse::<f64>().ok()?;
        let name = words.last().filter(|name| **name != "total")?;
        Some(((*name).to_owned(), words.get(3)?.parse().ok()?))
    };
    let mut calls: Vec<(String, u64)> = text.lines().filter_map(parse).collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.1));
    Calls(calls)
}
