"""The courses that a gateway goes through, each from the same disk."""

import hashlib
import json
import os
import re
import time
from collections import namedtuple

from device import look
from gateway import LOG, boot, check_kernel, finals, send, succeed
from machine import RESET, TOLD, Broken, Reset

# A bundle of the system and its version, an archive of files and its version, the end,
# words of its message, and the slots that are booted without a power cut.
Course = namedtuple("Course", "bundle system archive files end why boots")

# How often U-Boot's script boots a slot that nobody calls good.
ATTEMPTS = 3

COURSES = {
    "both": Course("new", "2", "app-2", "2", "COMPLETED", "", "B"),
    "boot-fails": Course("broken", "3", "app-2", "2", "INCOMPLETE", "has booted the old version", "B" * ATTEMPTS + "A"),
    "files-fail": Course("new", "2", "app-bad", "3", "INCOMPLETE", "[files]", ""),
    "check-fails": Course("new", "2", "app-unfit", "unfit", "INCOMPLETE", "the files are unfit", "BA"),
}

# The versions that the disk begins with.
OLD = "1"

# The stand-in for the bootloader says that.
BOOTS = re.compile(rb"bootloader: boots slot (.)")


class Server:
    """The folder of the server, from which the gateway fetches."""

    def __init__(self, folder):
        self.folder = folder

    def component(self, name, version, file):
        with open(os.path.join(self.folder, file), "rb") as content:
            digest = hashlib.sha256(content.read()).hexdigest()
        config = [{"key": "url", "value": f"http://127.0.0.1/{file}"}, {"key": "sha256", "value": digest}]
        return {"id": name, "version": version, "config": config}

    def parts(self, course):
        """The desired state of a course."""
        system = self.component("os-image", course.system, f"{course.bundle}.raucb")
        files = self.component("app", course.files, f"{course.archive}.tar.gz")
        return [{"id": "files", "components": [files]}, {"id": "self-update", "components": [system]}]


def prepare(machine, server, say):
    """Boots the new disk, and installs the first files; the system is there already."""
    machine.start()
    boot(machine)
    words = succeed(machine, "uname -rm; rauc --version; kanto-update-manager --version")
    say(", ".join(words.split("\r\n")).strip(", "))
    first = Course("new", OLD, "app-1", OLD, "COMPLETED", "", "")
    since = lead(machine, "first", first, server)
    judge(machine, "first", first, since)
    # The kernel would write back some of it later.
    succeed(machine, "sync")
    machine.kill()


def run(machine, name, server, say):
    """Goes through a course to its end; the processor's seconds that it took."""
    course = COURSES[name]
    machine.start()
    boot(machine)
    begin_s, begin_cpu_s = time.monotonic(), machine.cpu_s()
    since = lead(machine, name, course, server)
    took_s, took_cpu_s = time.monotonic() - begin_s, machine.cpu_s() - begin_cpu_s
    state = judge(machine, name, course, since)
    check_boots(machine, name, since)
    for line in story(machine, name, since):
        say(f"{name}: {line}")
    say(f"{name}: {state}, after {took_s:.0f} s, {took_cpu_s:.0f} s of the processor")
    machine.kill()
    return took_cpu_s


def lead(machine, name, course, server):
    """Leads a machine that is up to the end of a course. Where its console was before."""
    since = machine.mark()
    order = lambda: send(machine, name, server.parts(course))
    order()
    if await_end(machine, name, since, order):
        raise Broken(f"{name}: after a boot the manager does not know the activity")
    return since


def await_end(machine, name, since, order, is_up=True):
    """Waits for the final status, over all resets. Whoever does not know the activity after
    a boot gets it again from `order`; how many times that was."""
    place = since if is_up else machine.begin
    again = 0
    while True:
        try:
            if not is_up:
                boot(machine, place)
                if not finals(machine, name, since) and not is_known(machine, name):
                    order()
                    again += 1
            machine.wait(lambda: finals(machine, name, since) or RESET.search(machine.seen, place), f"the end of {name}")
            if finals(machine, name, since):
                return again
        except Reset:
            pass
        place = RESET.search(machine.seen, place).end()
        is_up = False


def is_known(machine, name):
    """Whether the manager of this boot has taken it up, or sent its end."""
    return succeed(machine, f"grep -c '{name}' {LOG} || true").strip() != "0"


def judge(machine, name, course, since):
    """One final status, and the device is what it says. The state of the device."""
    # Whoever still wants something of it has a minute of the machine's.
    succeed(machine, "sleep 60")
    ends = finals(machine, name, since)
    if len({status for status, _ in ends}) != 1:
        raise Broken(f"{name} has ended with {ends}")
    status, why = ends[-1]
    state = look(machine)
    is_new = status == "COMPLETED"
    wanted = (course.system, course.files) if is_new else (OLD, OLD)
    if (state.system, state.files) != wanted:
        raise Broken(f"{name}: {status} {why}, and the device is {state}")
    slot = "B" if is_new and course.system != OLD else "A"
    if (state.slot, state.primary) != (slot, slot) or slot not in state.good or state.attempts != ATTEMPTS:
        raise Broken(f"{name}: slot {slot} is not what RAUC boots: {state}")
    if status != course.end or course.why not in why:
        raise Broken(f"{name}: it has to end with {course.end} {course.why}, and ended with {status} {why}")
    check_kernel(machine)
    return state


def check_boots(machine, name, since):
    """Without power cuts, just these slots are booted, and the end comes after that."""
    boots = list(BOOTS.finditer(machine.seen, since))
    slots = "".join(boot.group(1).decode() for boot in boots)
    if slots != COURSES[name].boots:
        raise Broken(f"{name}: the slots {slots} were booted, and it should be {COURSES[name].boots}")
    if boots and finals(machine, name, since) != finals(machine, name, boots[-1].start()):
        raise Broken(f"{name}: it has ended before the last boot")


def story(machine, name, since):
    """What was told to the backend and to the agents, without what only repeats, and the
    slots that were booted."""
    before = None
    for match in re.finditer(BOOTS.pattern + rb"[^\r\n]*|" + TOLD.pattern, machine.seen[since:]):
        line = match.group(0).decode().strip()
        if not match.group(1):
            message = json.loads(match.group(3))
            if message["activityId"] != name:
                continue
            payload = message["payload"]
            peer = match.group(2).decode().split("/")[0]
            line = f"{peer}: {payload.get('status') or payload.get('command')} {payload.get('message', '')}".strip()
        if line != before:
            yield line
        before = line
