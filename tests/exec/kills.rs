//! agents/files survives SIGKILL of the script, the agent, the manager and the
//! standalone apply at every step: what is in use is whole, and the old or the new.
//!
//! A step is a call of another program. Each goes through a wrapper that counts, and
//! at the chosen step waits for whatever happens to it. With `EXEC_STRIDE=3` in the
//! environment just every third step is taken.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bench::{Bench, PATIENCE};
use crate::files::{agent, desired, in_use, leftovers};
use crate::processes::{wait_until, Folder};

/// What agents/files calls.
const PROGRAMS: [&str; 11] =
    ["basename", "cp", "gzip", "ln", "mkdir", "mv", "readlink", "rm", "sha256sum", "sync", "tar"];

/// More steps than an activity has.
const STEPS_MAX: u32 = 150;

const WRAPPER: &str = r#"#!/bin/sh
read -r n <"$STEPS/count" || n=0
n=$((n + 1))
echo "$n" >"$STEPS/count"
read -r at <"$STEPS/at"
if [ "$n" = "$at" ] && [ ! -e "$STEPS/hit" ]; then
  echo $$ >"$STEPS/hit.part"
  /bin/mv "$STEPS/hit.part" "$STEPS/hit"
  while [ -e "$STEPS/frozen" ]; do /bin/sleep 0.02; done
fi
# What a power cut would take is not the matter here, and the disk is everybody's.
[ "${0##*/}" != sync ] || exit 0
exec "REAL/${0##*/}" "$@"
"#;

/// The wrappers, and where they count.
struct Steps {
    folder: PathBuf,
}

impl Steps {
    fn new(folder: &Folder) -> Steps {
        let steps = Steps { folder: folder.file("steps") };
        fs::create_dir(&steps.folder).unwrap();
        let real = PROGRAMS.map(|name| {
            let place = ["/usr/bin", "/bin"].iter().map(|bin| Path::new(bin).join(name)).find(|path| path.exists());
            place.unwrap_or_else(|| panic!("there is no {name}"))
        });
        for (name, real) in PROGRAMS.iter().zip(real) {
            let wrapper = steps.folder.join(real.parent().unwrap().to_str().unwrap().replace('/', "-"));
            if !wrapper.exists() {
                fs::write(&wrapper, WRAPPER.replace("REAL", real.parent().unwrap().to_str().unwrap())).unwrap();
                fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
            }
            fs::create_dir_all(steps.folder.join("bin")).unwrap();
            symlink(&wrapper, steps.folder.join("bin").join(name)).unwrap();
        }
        steps.freeze_at(0);
        steps
    }

    fn variables(&self, root: &Path) -> [(&'static str, PathBuf); 3] {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        [("STEPS", self.folder.clone()), ("EXEC_ROOT", root.to_owned()), ("PATH", path.into())]
    }

    /// Counts from now on, and waits at this step; at 0 never.
    fn freeze_at(&self, step: u32) {
        let _ = fs::remove_file(self.folder.join("hit"));
        fs::write(self.folder.join("frozen"), "").unwrap();
        fs::write(self.folder.join("at"), format!("{step}\n")).unwrap();
        fs::write(self.folder.join("count"), "0\n").unwrap();
    }

    fn go_on(&self) {
        fs::remove_file(self.folder.join("frozen")).unwrap();
    }

    /// The process that waits; none if the step has not come.
    fn hit(&self) -> Option<i32> {
        fs::read_to_string(self.folder.join("hit")).ok()?.trim().parse().ok()
    }
}

fn stride() -> u32 {
    std::env::var("EXEC_STRIDE").ok().and_then(|text| text.parse().ok()).filter(|stride| *stride > 0).unwrap_or(1)
}

/// The group of the script: its leader has written its number into the lock.
fn script(state: &Path) -> i32 {
    let bytes = fs::read(state.join("agent-files/program.lock")).unwrap();
    i32::from_ne_bytes(bytes.try_into().unwrap())
}

fn is_gone(pid: i32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'),
        Err(_) => true,
    }
}

/// Who is killed.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Victim {
    Script,
    Agent,
    Manager,
}

/// One activity from each version to the next for each step, until there are no more;
/// whoever it is, is killed at the step.
fn kill_at_every_step(victim: Victim) {
    let folder = Folder::new();
    let steps = Steps::new(&folder);
    let root = folder.file("root");
    let mut bench = Bench::start(&agent(), &steps.variables(&root), &[]);
    let state = bench.manager.folder.file("state");
    let (mut version, mut activity, mut counts) = (1, 0, [0, 0]);
    let mut next = || {
        activity += 1;
        format!("act-{activity}")
    };
    let first = next();
    bench.apply(&first, desired(&bench.folder.file(""), version));
    assert_eq!(bench.end(&first).status, "COMPLETED", "{}", bench.report());
    bench.settle();
    let mut step = 1;
    loop {
        assert!(step < STEPS_MAX, "the activity has an end");
        let (id, wanted) = (next(), version + 1);
        let desired = desired(&bench.folder.file(""), wanted);
        steps.freeze_at(step);
        bench.apply(&id, desired);
        let mut is_over = false;
        wait_until("the step or the end comes", PATIENCE, || {
            // The last calls come after the end, for the current state.
            is_over = is_over
                || bench.has(Duration::from_millis(2), |topic, json| {
                    topic == "deviceupdate/currentstate" && json["activityId"] == id.as_str()
                });
            is_over || steps.hit().is_some()
        });
        let Some(pid) = steps.hit() else {
            assert_eq!(in_use(&root), Ok(wanted));
            break;
        };
        let seen = in_use(&root).unwrap_or_else(|why| panic!("step {step}: {why}"));
        assert!([version, wanted].contains(&seen), "step {step}: {seen}");
        match victim {
            // SAFETY: a plain call; the group is that of the script, which waits.
            Victim::Script => assert_eq!(unsafe { libc::kill(-script(&state), libc::SIGKILL) }, 0),
            Victim::Agent => bench.agent.kill_and_start(),
            Victim::Manager => {
                bench.manager.restart(libc::SIGKILL);
                steps.go_on();
            }
        }
        wait_until("the activity is over", PATIENCE, || !outcome(&bench, &id).is_empty());
        bench.settle();
        if victim != Victim::Manager {
            wait_until("what was killed is gone", PATIENCE, || is_gone(pid));
        }
        let found = in_use(&root).unwrap_or_else(|why| panic!("step {step}: {why}\n{}", bench.report()));
        let told = outcome(&bench, &id);
        match told.as_str() {
            "COMPLETED" => assert_eq!(found, wanted, "step {step}\n{}", bench.report()),
            _ => assert_eq!(found, version, "step {step}: {told}\n{}", bench.report()),
        }
        if victim != Victim::Script {
            assert_eq!(told, "COMPLETED", "step {step}\n{}", bench.report());
        }
        counts[usize::from(told == "COMPLETED")] += 1;
        version = found;
        step += stride();
    }
    assert!(step > 40, "{step}");
    assert_eq!(leftovers(&root), Vec::<String>::new());
    println!("{victim:?}: up to step {step}; {} activities COMPLETED, {} not", counts[1], counts[0]);
}

/// The outcome that the manager has logged; empty if there is none.
fn outcome(bench: &Bench, id: &str) -> String {
    let log = fs::read_to_string(bench.manager.folder.file("log")).unwrap_or_default();
    let prefix = format!(" {id}: ");
    let words = log.lines().filter_map(|line| Some(line.split_once(&prefix)?.1.split([':', ' ']).next()?.to_owned()));
    let is_final = |word: &String| ["COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED"].contains(&word.as_str());
    words.rev().find(is_final).unwrap_or_default()
}

#[test]
fn a_script_that_is_killed_at_any_step_has_installed_or_is_rolled_back() {
    kill_at_every_step(Victim::Script);
}

#[test]
fn an_agent_that_is_killed_at_any_step_of_its_script_goes_on_and_completes() {
    kill_at_every_step(Victim::Agent);
}

#[test]
fn a_manager_that_is_killed_at_any_step_of_the_script_goes_on_and_completes() {
    kill_at_every_step(Victim::Manager);
}

#[test]
fn a_standalone_apply_that_is_killed_at_any_step_completes_when_it_is_called_again() {
    let folder = Folder::new();
    let steps = Steps::new(&folder);
    let root = folder.file("root");
    let config = serde_json::json!({ "agents": { "files": { "exec": agent() } }, "stateDir": folder.file("state") });
    fs::write(folder.file("config.json"), config.to_string()).unwrap();
    let apply = |version: u32| {
        let file = folder.file("desired.json");
        fs::write(&file, desired(&folder.file(""), version).to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_update-manager"));
        command.args(["apply", "--standalone", "--activity", &format!("act-{version}"), "--config-file"]);
        command.arg(folder.file("config.json")).arg(file).envs(steps.variables(&root));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(apply(1).status().unwrap().success());
    let mut version = 1;
    for step in (1..STEPS_MAX).step_by(stride() as usize) {
        let wanted = version + 1;
        steps.freeze_at(step);
        let mut child = apply(wanted).spawn().unwrap();
        wait_until("the step or the end comes", PATIENCE, || {
            steps.hit().is_some() || child.try_wait().unwrap().is_some()
        });
        let Some(pid) = steps.hit() else {
            assert!(child.wait().unwrap().success());
            assert_eq!(in_use(&root), Ok(wanted));
            assert!(step > 40, "{step}");
            assert_eq!(leftovers(&root), Vec::<String>::new());
            return;
        };
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = in_use(&root).unwrap_or_else(|why| panic!("step {step}: {why}"));
        assert!([version, wanted].contains(&seen), "step {step}: {seen}");
        assert!(apply(wanted).status().unwrap().success(), "step {step}");
        assert!(is_gone(pid), "step {step}");
        assert_eq!(in_use(&root), Ok(wanted), "step {step}");
        version = wanted;
    }
    panic!("the activity has an end");
}
