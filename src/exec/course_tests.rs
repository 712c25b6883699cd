//! What the program is called for, and what is said, when things go well and when
//! they do not.

#![allow(clippy::unwrap_used)]

use super::activity::{Effect, Outcome, Said, Step};
use super::course::Course;
use super::plan::Installed;
use super::told::parse;
use crate::agent::{part, ActionStatus, Command, Request, Status};

/// A course, and what it wanted.
#[derive(Default)]
struct Bench {
    course: Course,
    /// Steps, saves and statuses, in order.
    done: Vec<String>,
    last: Option<Said>,
    running: Option<Step>,
}

impl Bench {
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let line = match effect {
                Effect::Run(step) => {
                    assert_eq!(self.running, None, "one program at a time");
                    self.running = Some(step);
                    step.word().to_owned()
                }
                Effect::Kill => {
                    assert!(self.running.take().is_some());
                    "kill".into()
                }
                Effect::Save => "save".into(),
                Effect::SaveInstalled => "save installed".into(),
                Effect::Say(said) => {
                    let line = match &said {
                        Said::Feedback { activity, status, .. } => format!("{activity} {}", status.name()),
                        Said::Inventory(activity, installed) => format!("{activity} {}", installed.len()),
                    };
                    self.last = Some(said);
                    line
                }
            };
            self.done.push(line);
        }
    }

    fn handle(&mut self, request: Request) {
        let mut effects = Vec::new();
        self.course.handle(request, &mut effects);
        self.carry_out(effects);
    }

    fn want(&mut self, id: &str, version: &str) {
        let json = format!(r#"{{"domains":[{{"id":"d","components":[{{"id":"one","version":"{version}"}}]}}]}}"#);
        self.handle(Request::DesiredState { activity: id.into(), desired: part(&json, "d").unwrap() });
    }

    fn command(&mut self, id: &str, command: Command) {
        self.handle(Request::Command { activity: id.into(), command, baseline: String::new() });
    }

    /// The program prints lines and ends.
    fn ends(&mut self, lines: &[&str], outcome: Outcome) {
        assert!(self.running.take().is_some(), "{:?}", self.done);
        for line in lines {
            self.course.take(parse(line));
        }
        let mut effects = Vec::new();
        self.course.handle_outcome(outcome, &mut effects);
        self.carry_out(effects);
    }

    fn fails(&mut self, words: &str) {
        self.ends(&[], Outcome::Failed(words.into()));
    }

    fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }

    fn identified(version: &str, installed: &[&str]) -> Bench {
        let mut bench = Bench::default();
        bench.want("a", version);
        bench.ends(installed, Outcome::Done);
        bench.ends(&[], Outcome::Done);
        bench.done();
        bench
    }

    /// Identified, and through these commands.
    fn at(commands: &[Command]) -> Bench {
        let mut bench = Bench::identified("2", &["component one 1"]);
        for command in commands {
            bench.command("a", *command);
            bench.ends(&[], Outcome::Done);
        }
        bench.done();
        bench
    }

    fn message(&self) -> &str {
        match &self.last {
            Some(Said::Feedback { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    fn actions(&self) -> Vec<(&str, ActionStatus, u8)> {
        let Some(Said::Feedback { actions, .. }) = &self.last else { panic!("{:?}", self.last) };
        actions.iter().map(|action| (action.id.as_str(), action.status, action.progress)).collect()
    }
}

const ALL: [Command; 3] = [Command::Download, Command::Update, Command::Activate];

fn installed(list: &[(&str, &str)]) -> Vec<Installed> {
    list.iter().map(|(id, version)| (id.to_string(), version.to_string())).collect()
}

#[test]
fn an_activity_that_goes_well_calls_the_program_for_each_phase() {
    let mut bench = Bench::default();
    bench.want("a", "2");
    assert_eq!(bench.done(), ["a IDENTIFYING", "inventory"]);
    bench.ends(&["component one 1", "component old 5"], Outcome::Done);
    assert_eq!(bench.done(), ["identify"]);
    bench.ends(&[], Outcome::NotMine);
    assert_eq!(bench.done(), ["save", "a IDENTIFIED"]);
    assert_eq!(bench.actions(), [("one", ActionStatus::Identified, 0), ("old", ActionStatus::Identified, 0)]);
    bench.command("a", Command::Download);
    assert_eq!(bench.done(), ["a DOWNLOADING", "save", "download"]);
    bench.ends(&["progress one 40"], Outcome::Done);
    assert_eq!(bench.done(), ["save", "a DOWNLOAD_SUCCESS"]);
    bench.command("a", Command::Update);
    assert_eq!(bench.actions()[1].1, ActionStatus::Removing);
    bench.ends(&[], Outcome::Done);
    assert_eq!(
        bench.actions(),
        [("one", ActionStatus::UpdateSuccess, 100), ("old", ActionStatus::RemovalSuccess, 100)]
    );
    bench.command("a", Command::Activate);
    bench.ends(&[], Outcome::Done);
    bench.done();
    bench.command("a", Command::Cleanup);
    assert_eq!(bench.done(), ["a CLEANUP", "save", "cleanup"]);
    bench.ends(&[], Outcome::Done);
    assert_eq!(bench.done(), ["save installed", "save", "a CLEANUP_SUCCESS", "a COMPLETED"]);
    assert_eq!(bench.course.installed, installed(&[("one", "2")]));
    bench.command("a", Command::Cleanup);
    assert_eq!(bench.done(), ["a CLEANUP_SUCCESS", "a COMPLETED"], "delivered again");
    bench.command("a", Command::Update);
    bench.command("b", Command::Cleanup);
    assert!(bench.done().is_empty(), "no such activity runs");
}

#[test]
fn nothing_to_do_is_completed_at_once() {
    let mut bench = Bench::default();
    bench.want("a", "1");
    bench.ends(&["component one 1"], Outcome::Done);
    assert_eq!(bench.done(), ["a IDENTIFYING", "inventory", "a COMPLETED"]);
    bench.command("a", Command::Cleanup);
    assert_eq!(bench.done(), ["a CLEANUP_SUCCESS", "a COMPLETED"]);
}

#[test]
fn without_an_inventory_of_the_programs_the_last_activity_counts() {
    let mut bench = Bench::default();
    bench.course.installed = installed(&[("one", "2")]);
    bench.want("a", "2");
    bench.ends(&[], Outcome::NotMine);
    assert_eq!(bench.done(), ["a IDENTIFYING", "inventory", "a COMPLETED"]);
}

#[test]
fn a_program_that_refuses_the_plan_fails_the_identification() {
    let mut bench = Bench::default();
    bench.want("a", "2");
    bench.fails("the disk is away");
    assert_eq!(bench.done(), ["a IDENTIFYING", "inventory", "a IDENTIFICATION_FAILED"]);
    assert_eq!(bench.message(), "the disk is away");
    bench.want("b", "2");
    bench.ends(&[], Outcome::Done);
    bench.fails("too large");
    assert_eq!(bench.done(), ["b IDENTIFYING", "inventory", "identify", "b IDENTIFICATION_FAILED"]);
    bench.command("b", Command::Download);
    assert!(bench.done().is_empty(), "it is no activity");
}

#[test]
fn a_failed_update_is_rolled_back_before_it_is_cleaned_up() {
    for failing in [Command::Update, Command::Activate] {
        let before: Vec<Command> = ALL.into_iter().take_while(|command| *command != failing).collect();
        let mut bench = Bench::at(&before);
        bench.command("a", failing);
        bench.fails("no space left");
        assert_eq!(bench.message(), "no space left");
        bench.done();
        bench.command("a", Command::Cleanup);
        assert_eq!(bench.done(), ["a CLEANUP", "save", "rollback"], "{failing:?}");
        bench.ends(&[], Outcome::Done);
        bench.ends(&[], Outcome::Done);
        assert_eq!(bench.done(), ["save", "cleanup", "save", "a CLEANUP_SUCCESS", "a INCOMPLETE"]);
        assert_eq!(bench.message(), "no space left");
    }
    let mut bench = Bench::at(&[]);
    bench.command("a", Command::Download);
    bench.fails("no network");
    bench.done();
    bench.command("a", Command::Cleanup);
    assert_eq!(bench.done(), ["a CLEANUP", "save", "cleanup"], "nothing was begun");
}

#[test]
fn a_rollback_undoes_what_was_begun_even_if_it_was_activated() {
    let mut bench = Bench::at(&ALL);
    bench.command("a", Command::Rollback);
    bench.ends(&[], Outcome::Done);
    assert_eq!(bench.done(), ["a ROLLBACK", "save", "rollback", "save", "a ROLLBACK_SUCCESS"]);
    bench.command("a", Command::Cleanup);
    bench.ends(&[], Outcome::Done);
    assert_eq!(bench.done(), ["a CLEANUP", "save", "cleanup", "save", "a CLEANUP_SUCCESS", "a INCOMPLETE"]);

    let mut bench = Bench::at(&[Command::Download]);
    bench.command("a", Command::Rollback);
    assert_eq!(bench.done(), ["save", "a ROLLBACK_SUCCESS"], "nothing to undo");

    let mut bench = Bench::at(&[Command::Download, Command::Update]);
    bench.command("a", Command::Rollback);
    bench.ends(&[], Outcome::NotMine);
    assert_eq!(bench.done().last().unwrap(), "a ROLLBACK_FAILURE");
    assert_eq!(bench.message(), "the program has no rollback");
}

#[test]
fn a_rollback_that_fails_is_told_at_the_end() {
    let mut bench = Bench::at(&[Command::Download, Command::Update]);
    bench.command("a", Command::Cleanup);
    bench.fails("the old one is gone");
    bench.ends(&[], Outcome::Done);
    assert_eq!(bench.done().last().unwrap(), "a INCOMPLETE");
    assert_eq!(bench.message(), "not rolled back: the old one is gone");
}

#[test]
fn the_components_that_the_program_names_have_failed() {
    let mut bench = Bench::identified("2", &["component one 1", "component old 1"]);
    bench.command("a", Command::Download);
    bench.ends(&["failed old no such thing"], Outcome::Failed("x".into()));
    assert_eq!(bench.actions(), [("one", ActionStatus::Downloading, 0), ("old", ActionStatus::DownloadFailure, 0)]);
    let mut bench = Bench::identified("2", &["component one 1"]);
    bench.command("a", Command::Download);
    bench.fails("x");
    assert_eq!(bench.actions(), [("one", ActionStatus::DownloadFailure, 0)], "else all");
}

#[test]
fn a_command_that_comes_again_is_not_carried_out_again() {
    let mut bench = Bench::at(&[]);
    bench.command("a", Command::Download);
    bench.done();
    bench.command("a", Command::Download);
    assert_eq!(bench.done(), ["a DOWNLOADING"]);
    bench.fails("no network");
    bench.done();
    bench.command("a", Command::Download);
    assert_eq!(bench.done(), ["a DOWNLOAD_FAILURE"]);
    assert_eq!(bench.message(), "no network");
    bench.want("a", "2");
    assert_eq!(bench.done(), ["a IDENTIFIED"], "nor the desired state");
}

#[test]
fn a_command_out_of_order_is_refused() {
    let mut bench = Bench::at(&[]);
    bench.command("a", Command::Update);
    assert_eq!(
        (bench.done(), bench.message()),
        (vec!["save".into(), "a UPDATE_FAILURE".into()], "UPDATE without a download")
    );
    bench.command("a", Command::Activate);
    assert_eq!(bench.message(), "ACTIVATE without an update");
    bench.handle(Request::Command { activity: "a".into(), command: Command::Download, baseline: "b".into() });
    assert_eq!(bench.message(), "a baseline alone cannot be changed");
}

#[test]
fn the_manager_that_waits_no_longer_ends_the_program() {
    let mut bench = Bench::at(&[Command::Download]);
    bench.command("a", Command::Update);
    bench.done();
    bench.command("a", Command::Cleanup);
    assert_eq!(bench.done(), ["kill", "a CLEANUP", "save", "rollback"]);
}

#[test]
fn another_desired_state_settles_the_one_before() {
    let mut bench = Bench::at(&[Command::Download]);
    bench.command("a", Command::Update);
    bench.done();
    bench.want("b", "3");
    assert_eq!(bench.done(), ["kill", "b IDENTIFYING", "rollback"]);
    bench.ends(&[], Outcome::Done);
    bench.ends(&[], Outcome::Done);
    bench.ends(&["component one 1"], Outcome::Done);
    bench.ends(&[], Outcome::Done);
    assert_eq!(bench.done(), ["save", "cleanup", "save", "inventory", "identify", "save", "b IDENTIFIED"]);
    bench.command("a", Command::Activate);
    assert!(bench.done().is_empty(), "nobody knows it any more");

    let mut bench = Bench::at(&ALL);
    bench.want("b", "3");
    assert_eq!(bench.done(), ["b IDENTIFYING", "cleanup"], "what was activated stays");
    bench.want("c", "3");
    assert_eq!(bench.done(), ["kill", "c IDENTIFYING", "cleanup"], "the newest counts");
}

#[test]
fn the_inventory_is_asked_of_the_program_unless_it_works() {
    let mut bench = Bench::default();
    bench.handle(Request::CurrentStateGet { activity: "q".into() });
    bench.handle(Request::CurrentStateGet { activity: "r".into() });
    bench.ends(&["component one 1", "component two 2", "component one 3"], Outcome::Done);
    assert_eq!(bench.done(), ["inventory", "q 2", "r 2"], "each gets its answer");
    bench.handle(Request::CurrentStateGet { activity: "s".into() });
    bench.fails("x");
    assert_eq!(bench.done(), ["inventory", "s 2"], "the last one known");
    bench.want("a", "2");
    bench.handle(Request::CurrentStateGet { activity: "t".into() });
    assert_eq!(bench.done(), ["a IDENTIFYING", "inventory", "t 2"]);
    let mut bench = Bench::default();
    bench.handle(Request::CurrentStateGet { activity: "q".into() });
    bench.want("a", "2");
    bench.ends(&[], Outcome::Done);
    bench.ends(&[], Outcome::Done);
    assert_eq!(bench.done(), ["inventory", "kill", "a IDENTIFYING", "inventory", "q 0", "inventory", "identify"]);
}

#[test]
fn after_a_restart_the_running_command_is_carried_out_again() {
    for (commands, running, steps) in [
        (&ALL[..1], Command::Update, vec!["update"]),
        (&ALL[..2], Command::Cleanup, vec!["rollback", "cleanup"]),
        (&ALL[..], Command::Cleanup, vec!["cleanup"]),
        (&ALL[..], Command::Rollback, vec!["rollback"]),
    ] {
        let mut before = Bench::at(commands);
        before.command("a", running);
        let Course { activity, end, .. } = before.course;
        let mut bench = Bench::default();
        (bench.course.activity, bench.course.end) = (activity, end);
        let mut effects = Vec::new();
        bench.course.resume(&mut effects);
        bench.carry_out(effects);
        while bench.running.is_some() {
            bench.ends(&[], Outcome::Done);
        }
        let done = bench.done();
        let called: Vec<&String> = done.iter().filter(|word| !word.contains([' ']) && *word != "save").collect();
        assert_eq!(called, steps, "{done:?}");
    }
}

#[test]
fn what_is_malformed_is_answered_if_it_was_a_desired_state() {
    let mut bench = Bench::default();
    for is_desired_state in [true, false] {
        bench.handle(Request::Malformed { activity: "a".into(), is_desired_state, error: "bad".into() });
    }
    assert_eq!(bench.done(), ["a IDENTIFICATION_FAILED"]);
    assert_eq!(bench.message(), "bad");
    assert_eq!(bench.course.progress(), None);
}

#[test]
fn progress_tells_the_status_and_the_last_words() {
    let mut bench = Bench::at(&[]);
    bench.command("a", Command::Download);
    for line in ["message half", "progress one 50 layer 2", "progress other 1", "anything"] {
        bench.course.take(parse(line));
    }
    let Some(Said::Feedback { status, message, actions, .. }) = bench.course.progress() else { panic!("it works") };
    assert_eq!((status, message.as_str()), (Status::Downloading, "half"));
    assert_eq!((actions[0].progress, actions[0].message.as_str()), (50, "layer 2"));
}

const NOTHING_TAKEN: &str = "the program knows none of download, update and activate";

/// Commands that the program knows, and no other.
fn led(bench: &mut Bench, known: &[Command]) {
    for command in ALL {
        bench.command("a", command);
        bench.ends(&[], if known.contains(&command) { Outcome::Done } else { Outcome::NotMine });
    }
}

#[test]
fn a_program_that_knows_no_command_has_failed_and_installed_nothing() {
    for removes in [false, true] {
        let mut bench = match removes {
            true => Bench::identified("1", &["component one 1", "component old 5"]),
            false => Bench::identified("2", &["component one 1"]),
        };
        led(&mut bench, &[]);
        assert_eq!(bench.done().last().unwrap(), "a ACTIVATION_FAILURE");
        assert_eq!(bench.message(), NOTHING_TAKEN);
        bench.command("a", Command::Cleanup);
        assert_eq!(bench.done(), ["a CLEANUP", "save", "cleanup"], "nothing is to be rolled back");
        bench.ends(&[], Outcome::NotMine);
        assert_eq!(bench.done(), ["save", "a CLEANUP_SUCCESS", "a INCOMPLETE"]);
        assert_eq!(bench.message(), NOTHING_TAKEN);
        assert!(bench.course.installed.contains(&("one".into(), "1".into())), "{:?}", bench.course.installed);
    }
}

#[test]
fn one_command_that_the_program_knows_is_enough() {
    for known in ALL {
        let mut bench = Bench::identified("2", &["component one 1"]);
        led(&mut bench, &[known]);
        assert_eq!(bench.done().last().unwrap(), "a ACTIVATION_SUCCESS", "{}", known.name());
    }
}
