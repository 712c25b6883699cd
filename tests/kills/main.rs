//! Kills of the real manager and of real agents at random moments, and restarts of
//! a real broker, in the middle of activities: each has exactly one outcome, the
//! right one, and on the way each domain is asked for each step once, and groups of domains
//! succeed or are turned back together. Run by `tests/soak`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lane::{Programs, Told, World};
use script::{Hit, Kind, Lane, Rollback, Script, Victim};

mod courses;
mod groups;
mod lane;
#[path = "../link/mod.rs"]
mod link;
#[allow(dead_code)]
#[path = "../broker/processes.rs"]
mod mosquitto;
mod processes;
mod script;
mod seen;

/// What is summed up over all lanes.
#[derive(Default)]
struct Sum {
    done: u64,
    /// For each activity that failed, why.
    failed: Vec<String>,
    ended: [u64; 4],
    /// Activities by what their desired states say about rolling back: a word, or nothing.
    rollbacks: [u64; 4],
    /// Groups that were turned back, and those of which a domain was named inconsistent.
    turned: [u64; 2],
    kills: [u64; 3],
    /// For each kind of agent, activities with it, and how often it was killed.
    kinds: [[u64; 2]; 4],
    /// Desired states that were sent to a domain again, and commands that were after that.
    repairs: [u64; 2],
    repeats: u64,
    /// Of the repeats, those that came when the activity was judged already.
    late: u64,
    duplicates: u64,
    errors: usize,
}

/// What is to be done.
struct Task {
    seed: u64,
    count: u64,
    /// Whether a failure does not end it.
    goes_on: bool,
    programs: Programs,
}

fn main() {
    courses::check();
    groups::check();
    // Enough to tell runs apart, short enough to be typed.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let program = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| usage()));
    let programs = Programs { manager: program("SOAK_MANAGER"), agent: program("SOAK_AGENT") };
    let mut task = Task { seed: now % 1_000_000, count: 30, goes_on: false, programs };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = |word: Option<String>| word.and_then(|word| word.parse().ok()).unwrap_or_else(|| usage());
        match word.as_str() {
            "--seed" => task.seed = number(words.next()),
            "--go-on" => task.goes_on = true,
            _ => task.count = number(Some(word)),
        }
    }
    println!("tests/soak --seed {} {}", task.seed, task.count);
    let start = Instant::now();
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for lane in 0..Lane::COUNT.min(task.count) {
            let (task, sum) = (&task, &sum);
            scope.spawn(move || go(task, lane, sum));
        }
    });
    let sum = sum.into_inner().unwrap();
    print(&sum, task.count, start.elapsed().as_secs());
    std::process::exit(i32::from(!sum.failed.is_empty()));
}

fn usage() -> ! {
    eprintln!("usage: tests/soak [--seed S] [--go-on] [N]");
    std::process::exit(2)
}

fn print(sum: &Sum, count: u64, seconds: u64) {
    let [completed, incomplete, inconsistent, unidentified] = sum.ended;
    let [managers, agents, brokers] = sum.kills;
    println!(
        "{} of {count} activities ended right in {seconds} s: {completed} COMPLETED, {incomplete} INCOMPLETE, \
         {inconsistent} INCOMPLETE_INCONSISTENT, {unidentified} IDENTIFICATION_FAILED",
        sum.done
    );
    println!("killed: {managers} managers, {agents} agents; {brokers} brokers restarted");
    let kinds = Kind::ALL.iter().zip(sum.kinds);
    let kinds = kinds.map(|(kind, [count, kills])| format!("{} {count} ({kills} kills)", kind.name()));
    println!("activities by kind of agent: {}", kinds.collect::<Vec<_>>().join(", "));
    let ([device, baseline, none, without], [turned, inconsistent]) = (sum.rollbacks, sum.turned);
    println!(
        "groups: {device} activities device, {baseline} baseline, {none} none, {without} without a word; \
         {turned} groups turned back, {inconsistent} of them named inconsistent"
    );
    println!("repairs: {} desired states sent again, {} commands after that", sum.repairs[0], sum.repairs[1]);
    let (repeats, late) = (sum.repeats + sum.late, sum.late);
    println!("{repeats} final messages repeated with the same id after a kill, {late} of them late");
    println!("{} messages delivered twice by MQTT; {} errors in the managers' logs", sum.duplicates, sum.errors);
    if !sum.failed.is_empty() {
        println!("{} FAILED:\n{}", sum.failed.len(), sum.failed.join("\n"));
    }
}

/// One lane's share of the activities.
fn go(task: &Task, number: u64, sum: &Mutex<Sum>) {
    let mut world = None;
    let is_over = || !task.goes_on && !sum.lock().unwrap().failed.is_empty();
    for (turn, activity) in (number..task.count).step_by(Lane::COUNT as usize).enumerate() {
        if is_over() {
            break;
        }
        let script = Script::draw(task.seed, activity, &Lane::new(number), turn as u64);
        let id = format!("act-{activity}");
        let started = match world.take() {
            Some(world) => Ok(world),
            None => World::start(Lane::new(number), &task.programs),
        };
        let result = started.map_err(|why| (why, String::new())).and_then(|mut started| {
            let result = started.run(&id, &script).map_err(|why| (why, started.report()));
            match result.is_ok() {
                true => world = Some(started),
                // What follows has a world of its own.
                false => leave(started, sum),
            }
            result
        });
        match result {
            Ok(told) => {
                println!("{}", line(&id, number, &script, &told));
                add(&mut sum.lock().unwrap(), &script, &told);
            }
            Err((why, report)) => {
                let hits: Vec<String> = script.hits.iter().map(ToString::to_string).collect();
                let what = format!("{}; {}; hits: {}", script.words(), script.agents(), hits.join(" "));
                eprintln!("FAILED {why}\n{what}\n{report}");
                eprintln!("-- replay the script: tests/soak --seed {} {}", task.seed, task.count);
                sum.lock().unwrap().failed.push(format!("{why} ({what})"));
            }
        }
    }
    if let Some(world) = world {
        leave(world, sum);
    }
}

/// Adds what is known of a world as a whole, and ends it.
fn leave(world: World<'_>, sum: &Mutex<Sum>) {
    let mut sum = sum.lock().unwrap();
    sum.duplicates += u64::from(world.seen.duplicates);
    sum.late += world.seen.late;
    sum.errors += world.errors();
}

fn line(id: &str, lane: u64, script: &Script, told: &Told) -> String {
    let hits: Vec<String> = told.hits.iter().map(ToString::to_string).collect();
    let hits = if hits.is_empty() { "no kill".to_owned() } else { hits.join(" ") };
    let (agents, words) = (script.agents(), script.words());
    let mut line = format!("{id:<8} lane {lane}  {agents:<40} {words:<31} {hits:<44} {}", told.end.status);
    if told.end.repeats > 0 {
        line += &format!(", {} repeated", told.end.repeats);
    }
    if told.repairs > 0 {
        line += &format!(", {} repairs", told.repairs);
    }
    format!("{line} {:.1} s", told.took.as_secs_f64())
}

fn add(sum: &mut Sum, script: &Script, told: &Told) {
    let place = match told.end.status.as_str() {
        "COMPLETED" => 0,
        "INCOMPLETE" => 1,
        "INCOMPLETE_INCONSISTENT" => 2,
        _ => 3,
    };
    sum.done += 1;
    sum.ended[place] += 1;
    sum.rollbacks[match script.rollback {
        Some(Rollback::Device) => 0,
        Some(Rollback::Baseline(_)) => 1,
        Some(Rollback::None) => 2,
        None => 3,
    }] += 1;
    sum.turned[0] += u64::from(told.turned.is_turned);
    sum.turned[1] += u64::from(told.turned.is_inconsistent);
    for hit in &told.hits {
        let place = match hit.victim {
            Victim::Manager => 0,
            Victim::Agent(_) => 1,
            Victim::Broker => 2,
        };
        sum.kills[place] += 1;
    }
    for (kind, [count, kills]) in Kind::ALL.iter().zip(&mut sum.kinds) {
        *count += u64::from(script.kinds.contains(kind));
        let is_of_kind = |hit: &&Hit| matches!(hit.victim, Victim::Agent(domain) if script.kinds[domain] == *kind);
        *kills += told.hits.iter().filter(is_of_kind).count() as u64;
    }
    sum.repairs[0] += u64::from(told.repairs);
    sum.repairs[1] += u64::from(told.repeated);
    sum.repeats += u64::from(told.end.repeats);
}
