"""agents/podman, killed at every step that changes something: see tests/agents/podman.

A step is a call of a program that changes something. Each goes through a wrapper that
counts, and at the chosen step waits for what happens to it. Then either the process group
of the agent is killed, or the power is cut, and the machine boots. After that the command
is called again, or the update is rolled back, as docs/exec-agent.md has it. In the end
exactly the containers of the new state run, or those of the old one.
"""

import os
import random
import signal
import subprocess
import time

from podman_world import AGENT, PATIENCE_S, Fault, NONE, expect, marks, run, wait

PROGRAMS = ("podman", "mv", "rm", "ln", "mkdir", "cp")
# What happens at a step, and what comes after it.
MODES = {
    "kill_again": ("kill", "again"),
    "kill_back": ("kill", "back"),
    "power_again": ("power", "again"),
    "power_back": ("power", "back"),
    "inside_again": ("inside", "again"),
    "inside_back": ("inside", "back"),
}
# Components and their versions in each state, in which an activity begins or ends.
STATES = ({"app": "1", "gone": "1", "kept": "1"}, {"app": "2", "added": "1", "kept": "1"})
COMMANDS = ("download", "update", "activate", "cleanup")
# More steps than an activity has.
STEPS_MAX = 100
# Seconds in which podman does something of what it was called for.
INSIDE_S = 0.3

WRAPPER = """#!/bin/sh
case ${0##*/}=$1 in
  podman=pull | podman=create | podman=start | podman=stop | podman=container | podman=rm | podman=rmi) ;;
  podman=*) exec REAL/podman "$@" ;;
esac
read -r n <STEPS/count
n=$((n + 1))
echo "$n" >STEPS/count
read -r at <STEPS/at
if [ "$n" = "$at" ]; then
  echo "$*" >STEPS/hit.part
  REAL/mv STEPS/hit.part STEPS/hit
  while [ -e STEPS/frozen ]; do REAL/sleep 0.02; done
fi
exec "REAL/${0##*/}" "$@"
"""


class Steps:
    def __init__(self, world):
        self.folder = world.folder / "steps"
        self.folder.mkdir(exist_ok=True)
        for name in PROGRAMS:
            wrapper = self.folder / name
            wrapper.write_text(WRAPPER.replace("REAL", "/usr/bin").replace("STEPS", str(self.folder)))
            wrapper.chmod(0o755)
        self.arm(0, False)

    def arm(self, step, freezes):
        """Counts from now on, and stops at this step; at 0 never."""
        for name, text in (("at", f"{step}\n"), ("count", "0\n"), ("hit", None), ("frozen", "" if freezes else None)):
            if text is None:
                (self.folder / name).unlink(missing_ok=True)
            else:
                (self.folder / name).write_text(text)

    def go_on(self):
        self.arm(0, False)

    def is_hit(self):
        return (self.folder / "hit").exists()


class Course:
    """Activities from one state to the other, again and again."""

    def __init__(self, world, mode):
        self.world, (self.event, self.way) = world, MODES[mode]
        self.steps, self.state, self.number = Steps(world), 0, 0
        self.random = random.Random(mode)
        self.images = {}
        versions = sorted({item for state in STATES for item in state.items()})
        for name, version in versions:
            self.images[name, version] = world.publish(f"{mode}-{name}:{version}", f"{name} {version}")
        self.base = world.images()
        self.environment = {**os.environ, "EXEC_HOLD": "0", "EXEC_AUTHFILE": f"{world.folder}/auth.json", "EXEC_STOP": "3",
                            "PATH": f"{self.steps.folder}:{os.environ['PATH']}", "UM_PLAN": str(world.folder / "plan")}

    def plan(self, old, new):
        self.number += 1
        lines = []
        for name, version in new.items():
            lines.append(f"{'keep' if old.get(name) == version else 'install'}\t{name}\t{version}")
            lines += [f"config\t{name}\t{key}\t{value}" for key, value in (("image", self.images[name, version]), NONE)]
        lines += [f"remove\t{name}\t{version}" for name, version in old.items() if name not in new]
        (self.world.folder / "plan").write_text("".join(f"{line}\n" for line in lines))

    def start(self, command):
        with open(self.world.folder / "agent.log", "ab") as log:
            return subprocess.Popen([AGENT, command, f"act-{self.number}"], start_new_session=True, env=self.environment,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def call(self, *commands):
        for command in commands:
            expect(self.start(command).wait(PATIENCE_S), 0, f"{command}: {self.log()}")

    def log(self):
        return (self.world.folder / "agent.log").read_text()[-600:]

    def run_until(self, step):
        """Runs an activity up to a step: the command that was interrupted; none if the step has not come."""
        (self.world.folder / "agent.log").write_bytes(b"")
        self.steps.arm(step, self.event != "inside")
        for command in COMMANDS:
            agent = self.start(command)
            wait("the step or the end comes", lambda: self.steps.is_hit() or agent.poll() is not None)
            if self.steps.is_hit():
                self.interrupt(agent)
                return command
            expect(agent.wait(), 0, f"{command}: {self.log()}")
        return None

    def interrupt(self, agent):
        if self.event == "kill":
            os.killpg(agent.pid, signal.SIGKILL)
            agent.wait()
            self.steps.go_on()
            return
        if self.event == "inside":
            time.sleep(self.random.uniform(0, INSIDE_S))
        self.world.cut_power()
        agent.wait()
        self.steps.go_on()
        self.call("boot")
        settled = [self.running(state) for state in STATES]
        wait("the boot has started one of the two", lambda: marks() in settled)

    def running(self, state):
        return sorted(f"{name} {version}" for name, version in state.items())

    def case(self, step):
        """Plays one activity with an interruption: whether the step has come."""
        self.plan(STATES[self.state], STATES[1 - self.state])
        command = self.run_until(step)
        if command is None:
            self.state = 1 - self.state
        elif self.way == "again" or command == "cleanup":
            self.call(*COMMANDS[COMMANDS.index(command):])
            self.state = 1 - self.state
        elif command == "download":
            self.call("cleanup")
        else:
            self.call("rollback", "cleanup")
        self.check()
        return command is not None

    def turn_back(self):
        """Rolls back what was activated, as happens when another domain fails later."""
        self.plan(STATES[self.state], STATES[1 - self.state])
        self.call("download", "update", "activate")
        expect(marks(), self.running(STATES[1 - self.state]), "what runs when it is activated")
        self.call("rollback", "rollback", "cleanup")
        self.check()

    def check(self):
        wanted = self.running(STATES[self.state])
        expect(marks(), wanted, f"what runs; {self.log()}")
        names = [name.rsplit("-", 1)[0].replace("-", " ") for name in self.world.containers()]
        expect(names, sorted([*wanted, "other 1"]), f"containers; {self.log()}")
        expect(self.world.images(), sorted([*self.base, *wanted]), f"images; {self.log()}")
        inventory = run(AGENT, "inventory", "").splitlines()
        expect(sorted(inventory), [f"component {one}" for one in wanted], "the inventory")
        left = sorted(path.name for path in (self.world.folder / "agent").iterdir())
        expect(left, ["current", "generations", "images", "lock", "said"], "files")
        expect(len(list((self.world.folder / "agent/generations").iterdir())), 1, "generations")


def play(world, mode, every):
    run("podman", "create", "--replace", "--name", "other-1-0", "--label", "update-manager.domain=another", "localhost/base")
    course = Course(world, mode)
    course.plan({}, STATES[0])
    course.call(*COMMANDS)
    course.check()
    course.turn_back()
    first = course.random.randint(1, every)
    step = first
    try:
        while course.case(step):
            if step > STEPS_MAX:
                raise Fault("the activity has no end")
            step += every
    except Fault as fault:
        raise Fault(f"step {step} of {mode}: {fault}") from None
    finally:
        course.steps.go_on()
    expect(step > 20, True, "steps")
    course.plan(STATES[course.state], {})
    course.call(*COMMANDS)
    run("podman", "rm", "other-1-0")
    return f"{(step - first) // every} cases, from step {first} to {step - every}"
