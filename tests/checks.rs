//! What the manager makes of what verification commands do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
#[path = "broker/processes.rs"]
mod processes;
mod script;

use std::fs;
use std::future::{poll_fn, Future};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_io::Timer;
use update_manager::engine::event::Verdict;
use update_manager::engine::group::Group;
use update_manager::limits::{PROGRAM_OUTPUT_MAX, PROGRAM_TERM_MS, REASON_MAX};
use update_manager::manager::Call;
use update_manager::model::text::Text;
use update_manager::model::time::Tick;
use update_manager::shell::check::{Checker, Over};

use processes::{wait_until, Folder};
use script::{is_gone, pid, script};

const PATIENCE: Duration = Duration::from_secs(20);

/// A checker in a loop like that of the manager.
struct Bench {
    checker: Checker,
    start: Instant,
    /// Milliseconds by which its clock is ahead.
    ahead_ms: u64,
}

impl Bench {
    fn new(command: &Path) -> Bench {
        Bench::limited(command, 600_000)
    }

    fn limited(command: &Path, limit_ms: u64) -> Bench {
        Bench { checker: Checker::new(command.to_str().unwrap(), limit_ms), start: Instant::now(), ahead_ms: 0 }
    }

    fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64 + self.ahead_ms)
    }

    fn begin(&mut self, number: usize) {
        let domains = ["os", "containers"].into_iter().collect();
        let call = Call { group: group(number), activity: Text::parse("act-1\\u0020b").unwrap(), domains };
        self.checker.begin(self.now(), &call);
    }

    /// The next call that is over.
    fn next(&mut self) -> Over {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(over) = self.checker.take(self.now()).pop() {
                return over;
            }
            assert!(Instant::now() < end, "nothing is over");
            let now = self.now();
            let ms = self.checker.poll_timeout(now).expect("something runs").since(now);
            let mut timer = Timer::after(Duration::from_millis(ms));
            async_io::block_on(poll_fn(|cx| {
                match Pin::new(&mut timer).poll(cx).is_ready() | self.checker.poll(cx).is_ready() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
        }
    }
}

fn group(number: usize) -> Group {
    Group::new(number).unwrap()
}

/// The verdict of a script with this body, as it is shown to people.
fn verdict_of(body: &str) -> String {
    let folder = Folder::new();
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    shown(&bench.next())
}

fn shown(over: &Over) -> String {
    match over.verdict() {
        Verdict::Good => String::from("good"),
        Verdict::NotYet => String::from("not yet"),
        Verdict::Bad(words) => format!("bad: {words}"),
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    for (body, verdict) in [
        ("", "good"),
        ("echo all is well; echo not quite >&2; exit 0", "good"),
        ("echo no network >&2; exit 75", "not yet"),
        ("exit 3", "bad: exit code 3"),
        ("exec 2>&-; exit 1", "bad: exit code 1"),
        ("kill -9 $$", "bad: ended by signal 9"),
        ("kill -TERM $$", "bad: ended by signal 15"),
    ] {
        assert_eq!(verdict_of(body), verdict, "{body}");
    }
}

#[test]
fn the_last_line_of_standard_error_is_the_reason() {
    for (body, verdict) in [
        ("echo no network >&2; exit 1", "bad: no network"),
        ("echo first >&2; echo no network >&2; echo >&2; echo '  ' >&2; echo fine; exit 1", "bad: no network"),
        ("printf 'no line end' >&2; exit 1", "bad: no line end"),
        ("echo no network >&2; kill -9 $$", "bad: no network"),
        ("printf 'a\\033[2J\"b\\\\\\n' >&2; exit 1", "bad: a\\u{1b}[2J\"b\\"),
        ("printf '\\377\\n' >&2; exit 1", "bad: \u{fffd}"),
    ] {
        assert_eq!(verdict_of(body), verdict, "{body}");
    }
    let verdict = verdict_of("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1");
    assert_eq!(verdict, format!("bad: {}", "x".repeat(REASON_MAX)));
}

#[test]
fn a_command_that_floods_is_heard_out() {
    let body = format!("yes | head -c {} >&2; echo no network >&2; exit 1", 3 * PROGRAM_OUTPUT_MAX);
    assert_eq!(verdict_of(&body), "bad: no network");
}

#[test]
fn the_command_gets_the_activity_and_the_domains_and_nothing_to_read() {
    let folder = Folder::new();
    let body = r#"printf '%s|' "$@" >"$HERE/arguments"; wc -c >"$HERE/input"
        [ "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ ]"#;
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    assert_eq!(shown(&bench.next()), "good", "a process group of its own");
    assert_eq!(fs::read_to_string(folder.file("arguments")).unwrap(), "act-1 b|os|containers|");
    assert_eq!(fs::read_to_string(folder.file("input")).unwrap().trim(), "0");
}

#[test]
fn a_command_that_cannot_be_started_is_bad() {
    let folder = Folder::new();
    let path = script(&folder, "");
    let plain = folder.file("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    for (path, words) in [
        (folder.file("none"), "bad: No such file or directory (os error 2): "),
        (plain, "bad: it may not be executed: chmod +x: "),
    ] {
        let mut bench = Bench::new(&path);
        bench.begin(7);
        let over = bench.next();
        assert_eq!((over.group, shown(&over)), (group(7), format!("{words}{}", path.display())));
    }
    let mut bench = Bench::new(&path);
    let call = Call { group: group(0), activity: Text::parse("\\u0000").unwrap(), domains: Default::default() };
    bench.checker.begin(Tick(0), &call);
    assert!(shown(&bench.next()).starts_with("bad: nul byte"));
}

#[test]
fn what_a_command_leaves_running_ends_with_it() {
    let folder = Folder::new();
    // It holds standard error.
    let mut bench = Bench::new(&script(&folder, r#"sleep 600 & echo $! >"$HERE/pid"; echo no network >&2; exit 1"#));
    bench.begin(0);
    assert_eq!(shown(&bench.next()), "bad: no network");
    let left = pid(&folder.file("pid"));
    wait_until("it is gone", PATIENCE, || is_gone(left));
}

#[test]
fn a_command_whose_child_has_left_the_group_is_not_waited_for() {
    let folder = Folder::new();
    let body = r#"setsid sh -c 'echo $$ >"$0/pid"; exec sleep 600' "$HERE" &
        while [ ! -s "$HERE/pid" ]; do sleep 0.01; done; echo no network >&2; exit 1"#;
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    assert_eq!(shown(&bench.next()), "bad: no network");
    let left = pid(&folder.file("pid"));
    assert!(!is_gone(left));
    // SAFETY: a plain call; the process is one that this test has started.
    unsafe { libc::kill(left, libc::SIGKILL) };
}

#[test]
fn a_call_that_is_ended_ends_with_all_that_it_has_started() {
    let folder = Folder::new();
    let body = r#"trap 'echo >"$HERE/told"; exit 0' TERM; sleep 600 & echo $! >"$HERE/pid"; wait"#;
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    bench.begin(1);
    let left = pid(&folder.file("pid"));
    bench.checker.end(bench.now(), group(1));
    assert_eq!(bench.next().group, group(1), "the other goes on");
    bench.checker.end(bench.now(), group(0));
    bench.checker.end(bench.now(), group(0));
    assert_eq!(bench.next().group, group(0));
    assert!(folder.file("told").exists(), "by SIGTERM first");
    wait_until("all is gone", PATIENCE, || is_gone(left));
    assert_eq!(bench.checker.poll_timeout(bench.now()), None);
}

#[test]
fn a_call_that_ignores_the_end_is_killed() {
    let folder = Folder::new();
    let body = r#"trap '' TERM; sleep 600 & echo $! >"$HERE/pid"; while :; do wait; done"#;
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    let left = pid(&folder.file("pid"));
    bench.checker.end(bench.now(), group(0));
    assert_eq!(bench.checker.take(bench.now()), []);
    assert!(!is_gone(left));
    bench.ahead_ms = PROGRAM_TERM_MS;
    assert_eq!(shown(&bench.next()), "bad: ended by signal 9");
    wait_until("all is gone", PATIENCE, || is_gone(left));
}

#[test]
fn a_call_past_its_limit_is_ended() {
    let folder = Folder::new();
    let mut bench = Bench::limited(&script(&folder, r#"sleep 600 & echo $! >"$HERE/pid"; wait"#), 60_000);
    bench.begin(0);
    let left = pid(&folder.file("pid"));
    bench.ahead_ms = 60_000;
    assert_eq!(shown(&bench.next()), "bad: not done in 1m");
    wait_until("all is gone", PATIENCE, || is_gone(left));
}

#[test]
fn the_end_of_the_process_ends_all_calls() {
    let folder = Folder::new();
    let body = r#"trap '' TERM; sleep 600 & echo $! >"$HERE/pid"; echo $$ >"$HERE/first"; wait"#;
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    let left = [pid(&folder.file("pid")), pid(&folder.file("first"))];
    bench.checker.abandon();
    wait_until("all is gone", PATIENCE, || left.into_iter().all(is_gone));
}

#[test]
fn groups_are_checked_at_the_same_time() {
    let folder = Folder::new();
    // The first call waits for the second one.
    let body = r#"if mkdir "$HERE/first" 2>/dev/null; then while [ ! -e "$HERE/go" ]; do sleep 0.01; done; fi
        : >"$HERE/go"; exit 75"#;
    let mut bench = Bench::new(&script(&folder, body));
    bench.begin(0);
    wait_until("it runs", PATIENCE, || folder.file("first").exists());
    bench.begin(1);
    let mut groups = [bench.next().group, bench.next().group];
    groups.sort_unstable();
    assert_eq!(groups, [group(0), group(1)]);
}
