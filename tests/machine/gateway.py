"""What runs in the machine: the manager, its agents, and a backend at the console."""

import json
import re

from machine import PROMPT, TOLD, Broken

LOG = "/var/log/kanto-update-manager/kanto-update-manager.log"
FEEDBACK = "deviceupdate/desiredstatefeedback"
FINAL = ("COMPLETED", "INCOMPLETE", "IDENTIFICATION_FAILED")
BOOTED = re.compile(rb"BusyBox v.*?" + PROMPT.pattern, re.DOTALL)


def messages(machine, since=0):
    """All that the console has shown of the broker, in order: where, topic, message."""
    for line in TOLD.finditer(machine.seen, since):
        try:
            yield line.start(), line.group(1).decode(), json.loads(line.group(2))
        except ValueError as error:
            raise Broken(f"{error}: {line.group(0)!r}") from None


def told(machine, activity, since=0):
    """What was told of an activity on its way over the broker, in order: statuses
    to the backend, commands to agents."""
    for _, topic, message in messages(machine, since):
        is_told = topic == FEEDBACK or topic.endswith("/command")
        if is_told and message["activityId"] == activity:
            payload = message["payload"]
            yield topic, payload.get("status") or payload.get("command"), payload.get("message", "")


def finals(machine, activity, since=0):
    """The final statuses among them."""
    return [(status, why) for _, status, why in told(machine, activity, since) if status in FINAL]


def await_final(machine, activity, since=0):
    """Waits for a final status; it and its message."""
    words = b"|".join(final.encode() for final in FINAL)
    pattern = rb'~ %s \{"activityId":"%s"[^\r\n]*"status":"(?:%s)"[^\r\n]*\r?\n'
    pattern %= (FEEDBACK.encode(), activity.encode(), words)
    machine.expect(pattern, f"a final status of {activity}", since)
    return finals(machine, activity, since)[0]


def await_command(machine, activity, command, since=0):
    """Waits until both agents have got a command."""
    for topic in (b"containersupdate", b"selfupdate"):
        pattern = rb'~ %s/desiredstate/command \{"activityId":"%s"[^\r\n]*"%s"[^\r\n]*\r?\n'
        pattern %= (topic, activity.encode(), command.encode())
        machine.expect(pattern, f"{command} of {activity}", since)


def boot(machine, since=None):
    """Waits until it has booted and the manager serves."""
    machine.expect(BOOTED, "a shell at the console", machine.begin if since is None else since)
    succeed(machine, f"until grep -q 'inventory reported' {LOG}; do sleep 0.1; done")


def succeed(machine, command):
    """Runs a command that has to succeed; what it printed."""
    code, said = machine.run(command)
    if code:
        raise Broken(f"{command}: ended with {code}: {said}")
    return said


def boot_id(machine):
    """The kernel's random name for this boot."""
    return re.search(r"[0-9a-f-]{36}", succeed(machine, "cat /proc/sys/kernel/random/boot_id")).group(0)


def apply(machine, activity, domains=("containers", "self-update")):
    """As the backend: sends a desired state, each time the same one."""
    send(machine, activity, [{"id": domain, "components": [{"id": "app", "version": activity}]} for domain in domains])


def send(machine, activity, parts):
    """As the backend: sends a desired state with the parts of its domains."""
    message = {"activityId": activity, "timestamp": 1700000000000, "payload": {"domains": parts}}
    text = json.dumps(message, separators=(",", ":"))
    succeed(machine, f"mosquitto_pub -h 127.0.0.1 -q 1 -t deviceupdate/desiredstate -m '{text}'")


def check_kernel(machine):
    """The kernel must not have complained."""
    log = succeed(machine, "dmesg")
    for line in log.splitlines():
        if re.search(r"out of memory|oom-kill|invoked oom|BUG:|Oops|EXT4-fs error|I/O error", line, re.IGNORECASE):
            raise Broken(f"the kernel says: {line}")
