//! What the kernel says of a process.

use std::fs;
use std::time::Duration;

use crate::processes::Manager;

fn status(pid: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    number(&text, key)
}

fn number(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("no {key}"));
    line.trim_matches([':', ' ', '\t', 'k', 'B'].as_slice()).parse().expect("a number")
}

/// kB that are resident.
pub fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS")
}

/// kB that were resident at most.
pub fn peak(pid: u32) -> u64 {
    status(pid, "VmHWM")
}

/// The most that was resident of a manager that lives, and ends in an orderly way.
pub fn peak_of(mut manager: Manager) -> u64 {
    assert!(manager.is_alive(), "it lives");
    let kb = peak(manager.id());
    let (code, _) = manager.terminate();
    assert_eq!(code, Some(0));
    kb
}

/// kB of its own that it has written to.
pub fn dirty(pid: u32) -> u64 {
    rollup(pid, "Private_Dirty")
}

/// kB, where what is shared is shared out.
pub fn proportional(pid: u32) -> u64 {
    rollup(pid, "Pss")
}

fn rollup(pid: u32, key: &str) -> u64 {
    number(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process runs"), &format!("{key}:"))
}

fn tasks(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs").flatten().map(|entry| entry.path())
}

/// Time that its threads have run.
pub fn cpu(pid: u32) -> Duration {
    let run = |task: std::path::PathBuf| -> Option<u64> {
        fs::read_to_string(task.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    Duration::from_nanos(tasks(pid).filter_map(run).sum())
}

/// How often its threads have gone to sleep by themselves.
pub fn sleeps(pid: u32) -> u64 {
    let of = |task: std::path::PathBuf| fs::read_to_string(task.join("status")).ok();
    tasks(pid).filter_map(of).map(|text| number(&text, "voluntary_ctxt_switches")).sum()
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
