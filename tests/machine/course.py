"""What every gateway goes through: an activity, and one with a reboot."""

import re
import time

from gateway import BOOTED, apply, await_command, await_final, boot, boot_id, check_kernel, finals, succeed, told
from machine import RESET, Broken

COMMANDS = ["DOWNLOAD", "UPDATE", "ACTIVATE", "CLEANUP"]


def run(machine, say):
    """Goes through it all; `say` prints a line."""
    begin = time.monotonic()
    machine.start()
    boot(machine)
    uname = succeed(machine, "uname -rm").strip()
    say(f"{uname} has booted, and the manager serves, after {time.monotonic() - begin:.0f} s of ours")
    say(succeed(machine, "kanto-update-manager --version").strip())
    show(machine, say, "status")
    apply_one(machine, say)
    show_memory(machine, say)
    reboot(machine, say)
    check_kernel(machine)


def show(machine, say, command):
    """Shows what the manager answers to a command at the console."""
    for line in succeed(machine, f"kanto-update-manager {command}").strip().splitlines():
        say(f"{command}: {line.rstrip()}")


def apply_one(machine, say):
    """An activity of one domain, which needs no reboot, from the console."""
    desired = '{"domains":[{"id":"containers","components":[{"id":"app","version":"1"}]}]}'
    succeed(machine, f"echo '{desired}' | kanto-update-manager apply --activity first --wait -")
    status, why = await_final(machine, "first")
    commands = [words for topic, words, _ in told(machine, "first") if topic.endswith("/command")]
    if status != "COMPLETED" or commands != COMMANDS:
        raise Broken(f"the first activity: {status} {why}, after the commands {commands}")
    say(f"first: {', '.join(commands)}, then {status}")


def show_memory(machine, say):
    check_kernel(machine)
    available = re.search(r"MemAvailable: *(\d+) kB", succeed(machine, "cat /proc/meminfo")).group(1)
    resident = succeed(machine, "grep VmRSS /proc/$(pidof kanto-update-manager)/status")
    say(f"MemAvailable {available} kB, the manager takes {re.search(r'[0-9]+', resident).group(0)} kB (VmRSS)")


def reboot(machine, say):
    """The broker goes before the end can be told, so that the end is told after the
    reboot, of what was saved. The manager waits for it a minute of the machine's."""
    before = boot_id(machine)
    succeed(machine, "agents --silent cleanup")
    apply(machine, "second")
    await_command(machine, "second", "CLEANUP")
    if finals(machine, "second"):
        raise Broken("the second activity has ended although its agents are silent")
    mark = machine.mark()
    succeed(machine, "killall mosquitto")
    machine.expect(RESET, "the manager reboots through /proc/sysrq-trigger", mark)
    boot(machine, mark)
    after = boot_id(machine)
    if before == after:
        raise Broken(f"the kernel has not booted anew: {before}")
    status, why = await_final(machine, "second", mark)
    if status != "COMPLETED":
        raise Broken(f"the second activity: {status} {why}")
    say(f"second: the kernel was reset through /proc/sysrq-trigger, and told after it: {status}; {why}")
    show(machine, say, "history")
    # The backend does not know that, and sends it once more.
    apply(machine, "second")
    succeed(machine, "sleep 120")
    again = finals(machine, "second", mark)
    if boot_id(machine) != after:
        raise Broken("the same desired state has rebooted the machine once more")
    if {final[0] for final in again} != {"COMPLETED"}:
        raise Broken(f"the second activity, sent once more: {again}")
    say(f"second, sent once more: known, no further reboot; COMPLETED was told {len(again)} times")
