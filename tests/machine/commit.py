"""Activities that are committed after the reboot that they require: with the power cut
before it, in it and after it, and turned back after it."""

import random
import re
import time

from gateway import BOOTED, FEEDBACK, LOG, apply, await_final, boot, boot_id, check_kernel, finals, messages
from gateway import succeed, told
from machine import Broken

STATE = "/var/lib/update-manager"

# What the console shows beside statuses and commands.
WATCH = " ".join(f"-t {topic}/desiredstate" for topic in ("containersupdate", "selfupdate"))
WATCH += " -t selfupdate/currentstate/get -t selfupdate/desiredstatefeedback"

# What init says at each boot, and the kernel when the manager reboots it.
INIT = rb"init: boot [0-9a-f-]{36}"
SYNC, REMOUNT, RESET = rb"sysrq: Emergency Sync", rb"sysrq: Emergency Remount", rb"sysrq: Resetting"

# After a boot, the agent of the containers still knows the activity, or does not.
REMEMBERS = f"--boots new --state {STATE}/agent-containers"
FORGETS = "--like strict"

# So long that nothing but the power cut boots the host.
LATE = "REBOOT_AFTER=1h"

VERIFY = f"VERIFY_COMMAND={STATE}/verify"

ACTIVATED = rb'~ selfupdate/desiredstatefeedback \{"activityId":"NAME"[^\r\n]*ACTIVATION_SUCCESS'
WAITS = rb'~ deviceupdate/desiredstatefeedback \{"activityId":"NAME"[^\r\n]*waits for the reboot'
ASKED = rb'~ selfupdate/currentstate/get \{"activityId":"NAME#boot1"'
SELF_UPDATE_TOLD = rb'~ selfupdate/desiredstate \{"activityId":"NAME"'
CONTAINERS_TOLD = rb'~ containersupdate/desiredstate \{"activityId":"NAME"'
CLEANUP = rb'~ selfupdate/desiredstate/command \{"activityId":"NAME"[^\r\n]*CLEANUP'
ROLLBACK = rb'~ selfupdate/desiredstate/command \{"activityId":"NAME"[^\r\n]*ROLLBACK'

# Where the power is cut: in words; after what the console says, one after the other; the
# number of reboots of ours that there may be; what else is configured.
CUTS = [
    ("when self-update alone has activated", [ACTIVATED], (0, 1), ""),
    ("while the reboot is waited for", [WAITS], (0,), LATE),
    ("when the disk is written", [SYNC], (0, 1), ""),
    ("when the disk is read-only", [REMOUNT], (0, 1), ""),
    ("when the kernel is reset", [RESET], (1,), ""),
    ("when the kernel has booted", [RESET, INIT], (1,), ""),
    ("when the version is asked for", [RESET, ASKED], (1,), ""),
    ("when self-update is told again", [RESET, SELF_UPDATE_TOLD], (1,), ""),
    ("when containers is told again", [RESET, CONTAINERS_TOLD], (1,), ""),
    ("when the commit has begun", [CLEANUP], (1,), ""),
]

# What turns a group back after its boot: in words; what the host boots; the agent of the
# containers; where the power is cut, if it is; reboots of ours; the reason.
OLD = "the host has booted the old version: "
BAD = "verification: no route"
TURNED_BACK = [
    ("falls back", "old", REMEMBERS, [], 1, OLD),
    ("falls back, containers is restored", "old", FORGETS, [], 1, OLD),
    ("falls back, cut when it is turned back", "old", REMEMBERS, [RESET, ROLLBACK], 1, OLD),
    ("is bad and boots again", "new", REMEMBERS, [], 2, BAD),
    ("is bad, cut when it is turned back", "new", REMEMBERS, [RESET, ROLLBACK], 2, BAD),
    ("is bad and boots again, cut in that", "new", REMEMBERS, [RESET, RESET], 2, BAD),
]


class Activity:
    """One activity and its agents, drawn from the seed."""

    def __init__(self, seed, number):
        draw = random.Random(f"{seed}/{number}")
        self.name = f"commit-{number}"
        self.delay_ms = draw.randrange(10, 200)
        self.containers = draw.choice([REMEMBERS, FORGETS])
        self.agents_last = draw.choice([True, False])
        self.boots = "new"
        self.more = ""
        # What part of a message's time, or of a boot's, passes before the cut.
        self.part = draw.random()

    def words(self):
        """What follows on the kernel's command line."""
        self_update = f"--boots {self.boots} --state {STATE}/agent-self-update"
        return (
            f'COMMIT_AFTER_REBOOT=true ROLLBACK=device WATCH="{WATCH}" AGENTS="--delay {self.delay_ms}" '
            f'CONTAINERS="{self.containers}" SELF_UPDATE="{self_update}" {self.more}'
            f'{" AGENTS_LAST=y" if self.agents_last else ""}'
        )

    def story(self):
        words = "containers remembers" if self.containers == REMEMBERS else "containers has forgotten"
        return words + (", agents say hello" if self.agents_last else ", agents are there first")


class Courses:
    """Leads one activity after the other, with the same disk."""

    def __init__(self, machine, seed):
        self.machine, self.seed = machine, seed
        # Seconds of ours that a message and a boot take.
        self.message_s = self.boot_s = 0

    def begin(self, activity):
        """Boots with the agents of an activity."""
        self.machine.kill()
        self.machine.start(activity.words())
        boot(self.machine)

    def expect(self, activity, patterns, since):
        """Waits until the console has said all of it, one after the other."""
        for pattern in patterns:
            pattern = pattern.replace(b"NAME", activity.name.encode())
            since = self.machine.expect(pattern, pattern.decode(), since).end()
        return since

    def measure(self):
        """The first activity, without a cut."""
        activity = Activity(self.seed, 0)
        self.begin(activity)
        since, begin = self.machine.mark(), time.monotonic()
        apply(self.machine, activity.name)
        self.expect(activity, [WAITS], since)
        # Statuses to the backend, and commands to two agents.
        self.message_s = (time.monotonic() - begin) / 12
        reset, begin = self.expect(activity, [RESET], since), time.monotonic()
        boot(self.machine, reset)
        self.boot_s = time.monotonic() - begin
        self.end(activity, since, "COMPLETED", (1,))

    def cut(self, number, patterns, reboots, more):
        """The power is cut in one, and it is committed all the same. What happened."""
        activity = Activity(self.seed, number)
        activity.more = more
        if patterns[-1] in (ASKED, SELF_UPDATE_TOLD, CONTAINERS_TOLD):
            # So that something is left to do before the commit.
            activity.containers = FORGETS
        self.begin(activity)
        since = self.machine.mark()
        if patterns == [ACTIVATED]:
            # Until the cut.
            own = f'CONTAINERS="{activity.containers} --silent activate"'
            succeed(self.machine, f"{own} agents --delay {activity.delay_ms}")
        apply(self.machine, activity.name)
        self.cut_at(activity, patterns, since)
        words = [words for _, words, _ in told(self.machine, activity.name, since)]
        had_ended = "COMPLETED" in words
        self.boot_again(activity, had_ended)
        # Nobody knows after the cut that the end was told.
        self.end(activity, since, "COMPLETED", reboots, 1 + had_ended)
        late = ", which had ended" if had_ended else ", after CLEANUP" if "CLEANUP" in words else ""
        return f"{activity.story()}{late}: COMPLETED"

    def cut_at(self, activity, patterns, since):
        """Takes the power away a moment after the last of them."""
        self.expect(activity, patterns, since)
        span_s = self.message_s
        if patterns[-1] in (SYNC, REMOUNT):
            # The machine's clock jumps to what follows.
            span_s = 0
        elif patterns[-1] in (RESET, INIT):
            # The manager does not run yet.
            span_s = self.boot_s / 3
        time.sleep(activity.part * span_s)
        self.machine.kill()

    def boot_again(self, activity, had_ended=False):
        """Boots after a cut. What had not ended has to be taken up."""
        self.machine.start(activity.words())
        boot(self.machine)
        if not had_ended and succeed(self.machine, f"grep -c '{activity.name}' {LOG} || true").strip() == "0":
            raise Broken("nothing of it is known after the cut")

    def turn_back(self, number, boots, containers, patterns, reboots, reason):
        """One is turned back after its boot, and all is as before. What happened."""
        activity = Activity(self.seed, number)
        activity.boots, activity.containers = boots, containers
        activity.more = VERIFY if reason == BAD else ""
        self.begin(activity)
        since, before = self.machine.mark(), self.inventory()
        if reason == BAD:
            self.write_check()
        apply(self.machine, activity.name)
        if patterns:
            self.cut_at(activity, patterns, since)
            self.boot_again(activity)
        why = self.end(activity, since, "INCOMPLETE", (reboots,))
        if reason not in why or "; rolled back" not in why or "inconsistent" in why:
            raise Broken(f"the reason is {why!r}")
        self.begin(activity)
        after = self.inventory()
        if after != before or not after:
            raise Broken(f"it shows {after}, and has shown {before}")
        return f"{activity.story()}: INCOMPLETE, {why}"

    def write_check(self):
        """A check that is good until the host boots."""
        check = f"#!/bin/sh\\ngrep -q {boot_id(self.machine)} /proc/sys/kernel/random/boot_id && exit\\n"
        check += "echo no route >&2\\nexit 1\\n"
        succeed(self.machine, f"printf '{check}' >{STATE}/verify; chmod +x {STATE}/verify")

    def inventory(self):
        """What the console shows of both components."""
        lines = succeed(self.machine, "kanto-update-manager inventory").splitlines()
        return [line.strip() for line in lines if ":app" in line]

    def end(self, activity, since, status, reboots, told_max=1):
        """It ends so, is told so at most so often, and nothing follows. Its message."""
        machine = self.machine
        _, why = await_final(machine, activity.name, since)
        # It may have come before the shell of the last boot.
        machine.expect(BOOTED, "a shell at the console", [machine.begin, *boots(machine, machine.begin)][-1])
        before = boot_id(machine)
        succeed(machine, "sleep 120")
        if boot_id(machine) != before:
            raise Broken("the host has booted after the end")
        ends = finals(machine, activity.name, since)
        if {end for end, _ in ends} != {status} or len(ends) > told_max:
            raise Broken(f"it has to end with {status}, told {told_max} times at most, and ended with {ends}")
        resets = len(re.findall(RESET, machine.seen[since:]))
        if resets not in reboots:
            raise Broken(f"the manager has rebooted the host {resets} times, not {reboots} times")
        check_order(machine, activity.name, status, since)
        check_kernel(machine)
        return why


def boots(machine, since):
    """Where the host has booted."""
    return [since + match.start() for match in re.finditer(INIT, machine.seen[since:])]


def check_order(machine, name, status, since):
    """No command follows the end, and CLEANUP a boot, since which the version was asked for;
    before a commit, both agents have got the desired state again."""
    said = [one for one in messages(machine, since) if one[2]["activityId"].split("#")[0] == name]
    end = min(at for at, topic, message in said if topic == FEEDBACK and message["payload"]["status"] == status)
    commands = [(at, message["payload"]["command"]) for at, topic, message in said if topic.endswith("/command")]
    if late := [command for at, command in commands if at > end]:
        raise Broken(f"after the end: {late}")
    cleanup = min((at for at, command in commands if command == "CLEANUP"), default=end)
    wanted = {"selfupdate/currentstate/get"}
    if status == "COMPLETED":
        wanted |= {"containersupdate/desiredstate", "selfupdate/desiredstate"}
    since_boots = [{topic for at, topic, _ in said if boot < at < cleanup} for boot in boots(machine, since)]
    if not any(wanted <= topics for topics in since_boots):
        raise Broken(f"CLEANUP follows no boot since which there was all of {wanted}: {since_boots}")


def run(machine, seed, say):
    """Goes through it all."""
    courses = Courses(machine, seed)
    courses.measure()
    say(f"a boot takes {courses.boot_s:.1f} s of ours, a message {courses.message_s:.2f} s; --seed {seed}")
    steps = [(f"cut {cut[0]}", courses.cut, cut[1:]) for cut in CUTS]
    steps += [(f"the new system {turned[0]}", courses.turn_back, turned[1:]) for turned in TURNED_BACK]
    for number, (words, step, arguments) in enumerate(steps, 1):
        begin = time.monotonic()
        try:
            what = step(number, *arguments)
        except Broken as broken:
            log = machine.run(f"tail -n 40 {LOG}")[1] if machine.is_on() else ""
            raise Broken(f"{words} (--seed {seed}): {broken}\n-- the manager says:\n{log}") from None
        say(f"{words}; {what}; {time.monotonic() - begin:.0f} s")
    say(f"{len(CUTS)} activities over a cut were committed once, {len(TURNED_BACK)} were turned back")
